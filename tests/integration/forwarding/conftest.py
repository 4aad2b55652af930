"""A bridge that answers a shop and hands on to a back office, which is a mock or a socket that misbehaves; on both
databases."""

from __future__ import annotations

import contextlib
import io
import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from sqlalchemy import text

from bridge.app import Bridge
from bridge.mock import Mock
from bridge.settings import Partner, Settings, Store
from bridge.settings import Service as ServiceSettings

HERE = Path(__file__).parent
SHOP = HERE / "shop-1.wsdl"
BACKOFFICE = HERE / "backoffice-1.wsdl"
NS = "urn:test:shop:1"
SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
VIOLATIONS = "urn:soapbridge:violations:1"

_numbers = itertools.count(1)


def envelope(payload: str, headers: str = "") -> bytes:
    head = f"<s:Header>{headers}</s:Header>" if headers else ""
    return f'<s:Envelope xmlns:s="{SOAP11}">{head}<s:Body>{payload}</s:Body></s:Envelope>'.encode()


def cancel(number: str = "", reason: str = "no longer needed", branch: str = "") -> str:
    """The payload of CancelOrder, of another order each time."""
    attribute = f' branch="{branch}"' if branch else ""
    return (
        f'<CancelOrder xmlns="{NS}"><Order{attribute}><Number>{number or f"O-{next(_numbers)}"}</Number></Order>'
        f"<Reason>{reason}</Reason></CancelOrder>"
    )


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def payload(self) -> etree._Element:
        (body,) = etree.fromstring(self.body).iterchildren("{*}Body")
        return body[0]

    def find(self, name: str) -> str | None:
        return self.payload.findtext(f".//{{*}}{name}")

    @property
    def exchange(self) -> str:
        return self.headers["X-Exchange-Id"]

    @property
    def repeat(self) -> str | None:
        """What the fault says of repeating."""
        refusal = self.payload.find(f".//{{{VIOLATIONS}}}refusal")
        return None if refusal is None else refusal.get("repeat")


@dataclass
class Bench:
    """One bridge; `forward` binds an operation, then `send` asks it."""

    url: str
    endpoint: str = ""
    wsdl: Path = SHOP
    partner_wsdl: Path = BACKOFFICE
    partner: dict[str, Any] = field(default_factory=dict)
    service: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    store: bool = True

    def __post_init__(self) -> None:
        times = {"connect_timeout": 2.0, "read_timeout": 3.0, "deadline": 5.0}
        partner = Partner(wsdl=str(self.partner_wsdl), endpoint=self.endpoint, **(times | self.partner))
        name = self.wsdl.stem.partition("-")[0]
        self.bridge = Bridge(
            Settings(
                store=Store(url=self.url),
                partners={"backoffice": partner},
                services={name: ServiceSettings(**self.service)},
                **self.settings,
            ),
            store=self.store,
        )
        self.path = f"/services/{name}"
        key = "Order/Number" if self.wsdl == SHOP else ""
        self.shop = self.bridge.serve(self.wsdl, idempotency_key=key)
        self.backoffice = self.bridge.partner("backoffice")
        self.application: Any = None

    def forward(self, name: str = "CancelOrder", **options: Any) -> Bench:
        """Binds it as the tests mostly want it; `options` say otherwise."""
        usual: dict[str, Any] = {}
        if name == "CancelOrder":
            usual = {
                "operation": "CancelSalesOrder",
                "mapping": lambda order: {"Document": order.Order.Number, "Cause": order.Reason},
                "reply": lambda answer, entry=None: (
                    {"Accepted": answer.State == "cancelled"}
                    if entry is None
                    else {"Accepted": True, "Tracking": entry.id}
                ),
                "faults": {"NotFound": "UnknownOrder"},
            }
        self.shop.forward(name, to=self.backoffice, **(usual | options))
        return self

    def send(self, payload: str = "", headers: str = "", **http: str) -> Answer:
        body = envelope(payload or cancel(), headers)
        if self.application is None:
            self.application = self.bridge.wsgi()
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": self.path,
            "CONTENT_TYPE": "text/xml",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            "REMOTE_ADDR": "127.0.0.1",
            **{f"HTTP_{name.upper()}": value for name, value in http.items()},
        }
        started: list[Any] = []
        pieces = self.application(environ, lambda status, named: started.append((status, named)))
        ((status, named),) = started
        return Answer(int(status[:3]), dict(named), b"".join(pieces))

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        assert self.bridge.store is not None
        with self.bridge.store.reading() as session:
            return [tuple(row) for row in session.execute(text(statement))]

    @property
    def outbox(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT partner, ordering_key, operation, payload FROM outbox ORDER BY id")

    @property
    def records(self) -> list[str]:
        return [state for (state,) in self.rows("SELECT state FROM idempotency ORDER BY id")]

    def close(self) -> None:
        self.backoffice.close()
        if self.bridge.has_store and self.bridge.store is not None:
            self.bridge.store.close()


@pytest.fixture
def make(store_url: str) -> Iterator[Callable[..., Bench]]:
    """Makes bridges on one store."""
    made: list[Bench] = []

    def open_one(endpoint: str = "http://127.0.0.1:9/", **options: Any) -> Bench:
        made.append(Bench(store_url, endpoint, **options))
        return made[-1]

    yield open_one
    for one in made:
        one.close()


@pytest.fixture
def backoffice() -> Iterator[Mock]:
    """A back office that answers as a test says."""
    with Mock(BACKOFFICE) as mock:
        yield mock


@pytest.fixture
def socket_that() -> Iterator[Callable[..., Socket]]:
    """Starts servers that read one request after the other and then do as told."""
    started: list[Socket] = []

    def start(behave: Callable[[socket.socket], object]) -> Socket:
        started.append(Socket(behave))
        return started[-1]

    yield start
    for one in started:
        one.close()


class Socket:
    """Accepts on loopback, reads a request, and behaves; `requests` are those read."""

    def __init__(self, behave: Callable[[socket.socket], object]) -> None:
        self.requests: list[bytes] = []
        self.over = threading.Event()
        self._behave = behave
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), connection:
                data = b""
                while not data.endswith(b"Envelope>"):
                    piece = connection.recv(65536)
                    if not piece:
                        break
                    data += piece
                self.requests.append(data)
                self._behave(connection)

    def header(self, name: str) -> str:
        """Of the last request."""
        lines = self.requests[-1].partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
        return {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines}[
            name.lower()
        ]

    def close(self) -> None:
        self.over.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)
