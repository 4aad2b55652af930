"""A partner that misbehaves: a raw socket that does exactly what a test says, and the partner object that calls it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.contract import Contract, load
from bridge.partners.soap import SoapPartner

DESK = Path(__file__).parents[1] / "host" / "desk-1.wsdl"
NS = "urn:test:desk:1"
SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"

Behaviour = Callable[[socket.socket, "RawServer"], None]


class RawServer:
    """Accepts on loopback; each connection is given to `behave` in a thread of its own. `requests` are the whole ones read."""

    def __init__(self, behave: Behaviour, context: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.over = threading.Event()
        self._behave = behave
        self._context = context
        self._open: list[socket.socket] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"{'https' if self._context else 'http'}://localhost:{self.port}/desk"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._run, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            if self._context is None:
                self._behave(connection, self)
            else:
                with self._context.wrap_socket(connection, server_side=True) as secure:
                    self._behave(secure, self)

    def read(self, connection: socket.socket) -> bytes:
        """One request, whole; b"" where the client has gone."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return b""
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )  # fmt: skip
        while len(body) < length:
            body += connection.recv(65536)
        self.requests.append(head + b"\r\n\r\n" + body)
        return self.requests[-1]

    def close(self) -> None:
        self.over.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._socket.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)


def answering(*answers: bytes) -> Behaviour:
    """Answers the first request with the first, and so on, the last for ever; keeps the connection."""

    def behave(connection: socket.socket, server: RawServer) -> None:
        while server.read(connection):
            connection.sendall(answers[min(len(server.requests), len(answers)) - 1])

    return behave


def http(
    status: str = "200 OK",
    body: bytes | str = b"",
    *headers: str,
    content_type: str = "text/xml; charset=utf-8",
) -> bytes:
    """A whole HTTP answer."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", *headers]
    if content_type:
        lines.append(f"Content-Type: {content_type}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def envelope(payload: str, ns: str = SOAP11, headers: str = "") -> str:
    head = f"<s:Header>{headers}</s:Header>" if headers else ""
    return f'<s:Envelope xmlns:s="{ns}">{head}<s:Body>{payload}</s:Body></s:Envelope>'


ECHOED = f'<EchoResponse xmlns="{NS}"><text>hello</text><count>1</count></EchoResponse>'
GOOD = envelope(ECHOED)


def fault(code: str = "s:Server", reason: str = "no", detail: str = "") -> str:
    return envelope(
        f"<s:Fault><faultcode>{code}</faultcode><faultstring>{reason}</faultstring>"
        f"{f'<detail>{detail}</detail>' if detail else ''}</s:Fault>"
    )


@pytest.fixture(scope="session")
def desk() -> Contract:
    return load(DESK)


@pytest.fixture
def server() -> Iterator[Callable[..., RawServer]]:
    """Starts servers that behave as told; they end with the test."""
    started: list[RawServer] = []

    def start(behave: Behaviour, context: ssl.SSLContext | None = None) -> RawServer:
        started.append(RawServer(behave, context))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def partner(desk: Contract) -> Iterator[Callable[..., SoapPartner]]:
    """Partners of the contract `desk`, called `desk`, with time limits of a test unless it says others."""
    made: list[SoapPartner] = []

    def make(endpoint: str, **options: Any) -> SoapPartner:
        times = {"connect_timeout": 2.0, "read_timeout": 2.0, "deadline": 4.0}
        made.append(SoapPartner(desk, endpoint=endpoint, **(times | options)))
        return made[-1]

    yield make
    for one in made:
        one.close()
