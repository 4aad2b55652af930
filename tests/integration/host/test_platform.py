"""Sockets and notifications as a platform hands them over; whole processes are in tests/acceptance/test_operations.py."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.errors import SettingsError
from bridge.host import platform
from bridge.host.platform import Notifier, inherited


def handed_over(monkeypatch: pytest.MonkeyPatch, given: socket.socket) -> dict[str, str]:
    """The variables that hand over a copy of this socket (`inherited` takes the descriptor for its own)."""
    monkeypatch.setattr(platform, "FIRST", os.dup(given.fileno()))
    return {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid()), "LISTEN_FDNAMES": "x", "OTHER": "stays"}


def test_a_listening_socket_is_taken_and_its_variables_are_not_passed_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        environ = handed_over(monkeypatch, listener)
        (taken,) = inherited(environ)
        with taken:
            assert taken.getsockname() == listener.getsockname()
            assert not taken.get_inheritable()
    assert environ == {"OTHER": "stays"}


def test_the_address_of_a_socket_is_told_before_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        environ = handed_over(monkeypatch, listener)
        assert platform.handed_host(environ) == "127.0.0.1"
        (taken,) = inherited(environ)
        taken.close()
        assert platform.handed_host(environ) is None
    assert platform.handed_host({"LISTEN_FDS": "1", "LISTEN_PID": "1"}) is None


def test_what_was_meant_for_another_process_is_left_alone() -> None:
    assert inherited({"LISTEN_FDS": "1", "LISTEN_PID": "1"}) == []
    assert inherited({}) == []
    assert inherited({"LISTEN_FDS": "0", "LISTEN_PID": str(os.getpid())}) == []


def test_a_socket_that_does_not_listen_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as silent:
        environ = handed_over(monkeypatch, silent)
        with pytest.raises(SettingsError, match=r"no TCP socket that listens.*Accept=no"):
            inherited(environ)


def test_two_sockets_are_a_mistake() -> None:
    with pytest.raises(SettingsError, match="one ListenStream="):
        inherited({"LISTEN_FDS": "2", "LISTEN_PID": str(os.getpid())})


def test_a_descriptor_that_is_no_socket_is_a_mistake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    monkeypatch.setattr(platform, "FIRST", file)
    with pytest.raises(SettingsError, match="no socket"):
        inherited({"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())})
    os.close(file)


def test_notifications_go_to_a_path_and_to_nobody_without_one(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(path))
        notifier = Notifier({"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "30000000"})
        assert notifier.interval == 15
        notifier.alive()
        notifier.alive()
        notifier.stopping()
        assert [told.recv(100) for _ in range(3)] == [b"READY=1\nWATCHDOG=1", b"WATCHDOG=1", b"STOPPING=1"]
    notifier.alive()  # nobody is there any more
    silent = Notifier({})
    silent.alive()
    assert silent.interval is None


def test_closed_standard_descriptors_are_filled_before_anything_else_takes_their_numbers(
    tmp_path: Path,
) -> None:
    told = tmp_path / "told"
    program = f"""
import os, sys
from pathlib import Path
from bridge.host.platform import fill_standard_descriptors
fill_standard_descriptors()
print("to nowhere", file=sys.stderr)
file = os.open({str(tmp_path / "file")!r}, os.O_RDWR | os.O_CREAT)
Path({str(told)!r}).write_text(f"{{file > 2}} {{[os.readlink(f'/proc/self/fd/{{number}}') for number in range(3)]}}")
"""
    root = Path(platform.__file__).parents[2]
    subprocess.run(
        ["sh", "-c", 'exec "$0" "$@" 0<&- 1>&- 2>&-', sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(root)},
        timeout=60,
        check=True,
    )
    assert told.read_text() == f"True {['/dev/null'] * 3}"
