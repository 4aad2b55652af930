"""One connection to a partner, which knows what has left and when to stop.

Two things that HTTP libraries hide decide what became of a call: whether any byte of the request was written, and how
much time is left of the whole call (their read timeout begins anew with each piece that arrives). So the socket is
ours: every wait is at most the read timeout and never beyond the deadline, and what was written is counted.
"""

from __future__ import annotations

import io
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

IDLE = 4.0
"""Seconds after which an idle connection is not used again: servers close theirs after five, some after two, and a
request that crosses with that would be in doubt."""


class DeadlinePassed(TimeoutError):
    """The time for the whole call is over."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a partner listens. `context` None: without TLS."""

    host: str
    port: int
    context: ssl.SSLContext | None = None


@dataclass(slots=True)
class Watch:
    """The time limits of one call. `deadline` is in time.monotonic()'s seconds, `each` the longest single wait."""

    deadline: float
    each: float

    def wait(self) -> float:
        """How long the next step may take. Raises DeadlinePassed."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise DeadlinePassed
        return min(left, self.each)

    def late(self, error: TimeoutError) -> TimeoutError:
        """The error of a wait that ended: DeadlinePassed where it was the last one."""
        return DeadlinePassed() if time.monotonic() >= self.deadline else error


class Connection:
    """An open connection. Belongs to one thread at a time.

    `written` counts the bytes of the present request that the system took over for sending; `used` the requests.
    """

    def __init__(self, endpoint: Endpoint, watch: Watch) -> None:
        self.watch = watch
        self.written = 0
        self.used = 0
        self.idle_since = 0.0
        self._socket = _open(endpoint, watch)

    def begin(self, watch: Watch) -> None:
        """A request of its own limits follows."""
        self.watch = watch
        self.written = 0
        self.used += 1

    def send(self, data: bytes) -> None:
        """Writes all of it. OSError and `written` tell what happened when not."""
        view = memoryview(data)
        while view:
            self._socket.settimeout(self.watch.wait())
            try:
                count = self._socket.send(view)
            except TimeoutError as error:
                raise self.watch.late(error) from None
            self.written += count
            view = view[count:]

    def last_word(self) -> OSError | None:
        """Why the other side has ended the connection, where it said so (a TLS alert) and nothing could be written."""
        try:
            self.receive_into(bytearray(1))
        except OSError as error:
            return error
        return None

    def makefile(self, mode: str, *_: Any, **__: Any) -> io.BufferedReader:
        """What http.client reads answers from; the name is a socket's."""
        assert mode == "rb"
        return io.BufferedReader(_Incoming(self), 64 * 1024)

    def receive_into(self, buffer: Any) -> int:
        self._socket.settimeout(self.watch.wait())
        try:
            return self._socket.recv_into(buffer)
        except TimeoutError as error:
            raise self.watch.late(error) from None

    @property
    def is_fresh(self) -> bool:
        """Whether it may carry another request: not idle for long, and the other side has neither closed nor spoken."""
        if time.monotonic() - self.idle_since > IDLE:
            return False
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        self._socket.close()


class _Incoming(io.RawIOBase):
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._connection.receive_into(buffer)


def _open(endpoint: Endpoint, watch: Watch) -> socket.socket:
    """A connected socket. OSError (ssl.SSLError is one): no address, nobody listens, no time, no trust."""
    problem: OSError | None = None
    for family, kind, protocol, address in _addresses(endpoint, watch):
        plain = socket.socket(family, kind, protocol)
        try:
            plain.settimeout(watch.wait())
            plain.connect(address)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if endpoint.context is None:
                return plain
            plain.settimeout(watch.wait())  # of the whole handshake: OpenSSL's loop keeps to it
            return endpoint.context.wrap_socket(plain, server_hostname=endpoint.host)
        except OSError as error:
            plain.close()
            problem = error
            if isinstance(error, ssl.SSLError):
                break
    raise problem or OSError("the name has no address")


Address = tuple[int, int, int, Any]


def _addresses(endpoint: Endpoint, watch: Watch) -> list[Address]:
    try:
        family = socket.AF_INET6 if ip_address(endpoint.host).version == 6 else socket.AF_INET
    except ValueError:
        return in_time(lambda: _look_up(endpoint), watch.wait())
    return [(family, socket.SOCK_STREAM, 0, (endpoint.host, endpoint.port))]


def _look_up(endpoint: Endpoint) -> list[Address]:
    found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    return [(family, kind, protocol, address) for family, kind, protocol, _, address in found]


def in_time(work: Callable[[], list[Address]], seconds: float) -> list[Address]:
    """The result of `work`, done by a thread, because nothing can interrupt the system's resolver. TimeoutError."""
    result: list[list[Address] | Exception] = []
    done = threading.Event()

    def run() -> None:
        try:
            result.append(work())
        except (OSError, UnicodeError) as error:  # UnicodeError: a name that DNS cannot spell
            result.append(error)
        done.set()

    threading.Thread(target=run, name="look-up", daemon=True).start()
    if not done.wait(seconds):
        raise TimeoutError("the name was not found in time")
    found = result[0]
    if isinstance(found, Exception):
        raise found
    return found
