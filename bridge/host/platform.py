"""What the platform that starts us hands over, and what it wants to know: systemd's two protocols, in a few lines each.

    LISTEN_PID, LISTEN_FDS     sockets that are listened on already (sd_listen_fds(3)). They outlive this process: while it is
                               restarted nobody is refused, who connects then waits for the next one.
    NOTIFY_SOCKET              a datagram when requests are answered (READY=1), when we stop (STOPPING=1), and while
    WATCHDOG_USEC              the event loop turns (WATCHDOG=1, at twice the pace asked for) (sd_notify(3))

Neither needs systemd: whoever starts a process can give it a socket and a place for datagrams.

And what it may not have handed over: a process started without standard input, output or error would give their
numbers to the next files it opens, and whatever is then written to "standard error" would land in the store.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from bridge.errors import SettingsError

FIRST = 3
"""The first descriptor that is handed over."""


def inherited(environ: MutableMapping[str, str] = os.environ) -> list[socket.socket]:
    """The listening sockets handed to this very process; none when there are none. The variables are taken out of
    `environ`, for they are not meant for processes that we start.

    Raises:
        SettingsError: what was handed over is no listening stream socket, or more than one.
    """
    pid, count = environ.pop("LISTEN_PID", ""), environ.pop("LISTEN_FDS", "")
    environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or count in ("", "0"):
        return []
    if count != "1":
        raise SettingsError(
            f"{count} sockets were handed over (LISTEN_FDS), and the bridge listens on one.",
            advice="Leave one ListenStream= in the .socket unit.",
        )
    try:
        found = socket.socket(fileno=FIRST)
        listens = found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise SettingsError(f"LISTEN_FDS names a descriptor that is no socket: {error}.") from None
    if (
        not listens
        or found.type != socket.SOCK_STREAM
        or found.family not in (socket.AF_INET, socket.AF_INET6)
    ):
        found.close()
        raise SettingsError(
            "The socket handed over (LISTEN_FDS) is no TCP socket that listens.",
            advice="Use ListenStream= with a port, and Accept=no, in the .socket unit.",
        )
    found.set_inheritable(False)
    return [found]


def handed_host(environ: Mapping[str, str] = os.environ) -> str | None:
    """The address of the socket that `inherited` will give; None where none was handed over. Takes nothing."""
    if environ.get("LISTEN_PID") != str(os.getpid()) or environ.get("LISTEN_FDS") != "1":
        return None
    try:
        with socket.socket(fileno=os.dup(FIRST)) as found:
            address = found.getsockname()
    except OSError:
        return None  # `inherited` says what is wrong with it
    return str(address[0]) if isinstance(address, tuple) else None


def fill_standard_descriptors() -> None:
    """Puts /dev/null where standard input, output or error are closed. Before anything is opened."""
    while (file := os.open(os.devnull, os.O_RDWR)) < FIRST:
        os.set_inheritable(file, True)
    os.close(file)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - for as long as we run


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


class Notifier:
    """Tells whoever started us how we are. Without NOTIFY_SOCKET it tells nobody; it never raises."""

    def __init__(self, environ: MutableMapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.ready = False
        microseconds = environ.get("WATCHDOG_USEC", "")
        # WATCHDOG_PID names the process we were started as: of several workers each answers for it.
        self.interval = int(microseconds) / 2e6 if microseconds.isdigit() else None
        """Seconds between two signs of life; None when nobody waits for them."""

    def alive(self) -> None:
        """Requests are answered: READY=1 the first time, a sign of life from then on."""
        self._say("WATCHDOG=1" if self.ready else "READY=1\nWATCHDOG=1")
        self.ready = True

    def stopping(self) -> None:
        self._say("STOPPING=1")

    def _say(self, text: str) -> None:
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
            one.setblocking(False)
            one.sendto(text.encode(), self._address)
