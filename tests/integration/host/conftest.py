"""A bridge with the contract `desk` (and its second major, SOAP 1.2 only), behind the real server on a free port."""

from __future__ import annotations

import dataclasses
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from bridge.app import Bridge
from bridge.host.server import ServerOptions, _Config, _metrics_socket, _Server
from bridge.settings import Data, Settings

HERE = Path(__file__).parent
NS = "urn:test:desk:1"
SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
TYPES = {"1.1": "text/xml; charset=utf-8", "1.2": "application/soap+xml; charset=utf-8"}


def envelope(payload: str, version: str = "1.1", headers: str = "") -> bytes:
    ns = SOAP11 if version == "1.1" else SOAP12
    head = f"<s:Header>{headers}</s:Header>" if headers else ""
    return f'<s:Envelope xmlns:s="{ns}">{head}<s:Body>{payload}</s:Body></s:Envelope>'.encode()


def echo(
    text: str = "hello", version: str = "1.1", number: int = 1, headers: str = "", ns: str = NS
) -> bytes:
    payload = f'<Echo xmlns="{ns}"><text>{text}</text><number>{number}</number></Echo>'
    return envelope(payload, version, headers)


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def exchange(self) -> str:
        return self.headers["x-exchange-id"]


def read_answer(stream: Any) -> Answer | None:
    """One answer from a socket's file; None at its end. Interim answers are skipped."""
    while True:
        line = stream.readline()
        if not line:
            return None
        status = int(line.split()[1])
        headers: dict[str, str] = {}
        while (line := stream.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        if status != 100:
            return Answer(status, headers, stream.read(int(headers.get("content-length", 0))))


@dataclasses.dataclass
class Running:
    """A server in a thread. `notified` is what the one-way handler got."""

    bridge: Bridge
    notified: list[str]
    server: Any = None
    port: int = 0

    def connect(self, timeout: float = 10.0) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def send(self, raw: bytes, timeout: float = 10.0) -> Answer | None:
        """Bytes as they are, on a connection of their own; the first answer."""
        with self.connect(timeout) as connection:
            connection.sendall(raw)
            return read_answer(connection.makefile("rb"))

    def request(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        given = {"Host": f"127.0.0.1:{self.port}", "Content-Length": str(len(body)), **(headers or {})}
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(
            f"{name}: {value}\r\n" for name, value in given.items()
        )
        if method == "HEAD":
            with self.connect() as connection:
                connection.sendall(head.encode() + b"Connection: close\r\n\r\n")
                raw = connection.makefile("rb").read()
            first, *lines = raw.partition(b"\r\n\r\n")[0].decode().split("\r\n")
            named = dict(line.lower().split(": ", 1) for line in lines)
            return Answer(int(first.split()[1]), named, raw.partition(b"\r\n\r\n")[2])
        answer = self.send(head.encode("latin-1") + b"\r\n" + body)
        assert answer is not None, "the server closed the connection without an answer"
        return answer

    def post(self, body: bytes, version: str = "1.1", path: str = "/services/desk", **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("POST", path, body, {"Content-Type": TYPES[version], **named})


def bind(bridge: Bridge) -> list[str]:
    """The handlers of the desk. What `text` says decides what becomes of an Echo."""
    notified: list[str] = []
    for major in (1, 2):
        desk = bridge.serve(HERE / f"desk-{major}.wsdl")

        @desk.operation("Echo")
        def answer(request: Any, call: Any) -> Any:
            match request.text:
                case "closed":
                    raise call.fault("Closed", until=date(2030, 1, 1))
                case "wrong fault":
                    raise call.fault("Closed", until="tomorrow")
                case "break":
                    raise RuntimeError("secret /etc/passwd detail")
                case "exit":
                    raise SystemExit(3)
                case "nothing":
                    return None
                case "list":
                    return [1, 2]
                case "unknown field":
                    return {"text": "x", "count": 1, "colour": "red"}
                case "off contract":
                    return {"text": "x", "count": 0}
                case "reply header":
                    call.reply_headers["{urn:test:desk:1}Credit"] = 7
                case "bad reply header":
                    call.reply_headers["{urn:test:desk:1}Credit"] = -1
                case "undeclared reply header":
                    call.reply_headers["{urn:test:desk:1}Other"] = 1
                case "header":
                    return {"text": call.headers["{urn:test:desk:1}Session"], "count": 1}
            return {"text": request.text, "count": request.number or 1}

        @desk.operation("Notify")
        def notify(request: Any, call: Any) -> None:
            notified.append(request.text)

        @desk.operation("Ping")
        def ping(request: Any, call: Any) -> str:
            assert request is None
            return "pong"

    return notified


def wait_until(so: Callable[[], bool], seconds: float = 10) -> None:
    """What the server does after an answer, or after a client has gone, it does in its own time."""
    deadline = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


@contextmanager
def running(
    settings: Settings, *, store: bool = False, prepare: Callable[[Bridge], None] | None = None
) -> Iterator[Running]:
    """Serves until the block ends; then stops gracefully, within five seconds."""
    bridge = Bridge(settings, store=store)
    notified = bind(bridge)
    if prepare is not None:
        prepare(bridge)
    options = dataclasses.replace(ServerOptions.of(settings), port=0, grace=5)
    started = threading.Event()
    made = Running(bridge, notified)

    def ready(port: int) -> None:
        made.port = port
        started.set()

    made.server = _Server(_Config(bridge.wsgi, options, _metrics_socket(options)))
    made.server.ready = ready
    thread = threading.Thread(target=made.server.run, daemon=True)
    thread.start()
    assert started.wait(10), "the server did not start"
    try:
        yield made
    finally:
        made.server.should_exit = True
        thread.join(10)
        assert not thread.is_alive(), "the server did not stop"


@pytest.fixture(scope="module")
def desk() -> Iterator[Running]:
    """Without a store."""
    with running(Settings()) as made:
        yield made


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Running]:
    """With a store in a folder of its own."""
    with running(Settings(data=Data(folder=tmp_path)), store=True) as made:
        yield made
