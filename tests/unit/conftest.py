"""Unit tests call pure code: whoever opens a socket here belongs in tests/integration."""

from __future__ import annotations

import socket
from typing import NoReturn

import pytest


class SocketUsed(AssertionError):
    """A test under tests/unit, or the code it calls, wanted the network."""


class _NoSocket(socket.socket):
    def __new__(cls, *args: object, **kwargs: object) -> NoReturn:
        raise SocketUsed("tests/unit may not open sockets: move the test to tests/integration")


@pytest.fixture(autouse=True)
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    # A subclass, not a function: the standard library subclasses and isinstance-checks socket.socket.
    monkeypatch.setattr(socket, "socket", _NoSocket)
