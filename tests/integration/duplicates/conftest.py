"""The contract `desk` on both databases, its requests told apart by their text. A handler leaves a row for each time
it was done."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from sqlalchemy import func, insert, select, text

from bridge.app import Bridge
from bridge.erp.tables import item
from bridge.settings import Settings, Store

DESK = Path(__file__).parents[1] / "host/desk-1.wsdl"
NS = "urn:test:desk:1"
SOAP = {
    "1.1": ("http://schemas.xmlsoap.org/soap/envelope/", "text/xml"),
    "1.2": ("http://www.w3.org/2003/05/soap-envelope", "application/soap+xml"),
}
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def payload(self) -> bytes:
        """The Body's child, canonical: what must be equal whatever envelope is around it."""
        (body,) = etree.fromstring(self.body).iterchildren("{*}Body")
        return etree.tostring(body[0], method="c14n", exclusive=True)

    @property
    def exchange(self) -> str:
        return self.headers["X-Exchange-Id"]


@dataclass
class Desk:
    """The bridge, and how often its handlers did something. `handler` may be replaced by a test."""

    url: str
    settings: dict[str, Any] = field(default_factory=dict)
    handler: Callable[[Any, Any], Any] | None = None
    idempotency_key: str = "text"

    def __post_init__(self) -> None:
        self.started = 0
        self.bridge = Bridge(Settings(store=Store(url=self.url), **self.settings))
        service = self.bridge.serve(DESK, idempotency_key=self.idempotency_key)
        service.operation("Echo")(self._echo)
        service.operation("Notify")(self._notify)
        self.service = service
        self.application = self.bridge.wsgi()

    def _echo(self, request: Any, call: Any) -> Any:
        self.started += 1
        if self.handler is not None:
            return self.handler(request, call)
        done(call)
        return reply(request)

    def _notify(self, request: Any, call: Any) -> None:
        done(call)

    def send(
        self,
        payload_text: str,
        number: int = 1,
        *,
        version: str = "1.1",
        operation: str = "Echo",
        headers: str = "",
        prefix: str = "",
        **http: str,
    ) -> Answer:
        ns, content_type = SOAP[version]
        p, declared = (f"{prefix}:", f"xmlns:{prefix}") if prefix else ("", "xmlns")
        inner = f"<{p}number>{number}</{p}number>" if operation == "Echo" else ""
        head = f"<s:Header>{headers}</s:Header>" if headers else ""
        body = (
            f'<s:Envelope xmlns:s="{ns}">{head}<s:Body><{p}{operation} {declared}="{NS}"><{p}text>{payload_text}</{p}text>{inner}'
            f"</{p}{operation}></s:Body></s:Envelope>"
        ).encode()
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/services/desk",
            "CONTENT_TYPE": content_type,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            "REMOTE_ADDR": "127.0.0.1",
            **{f"HTTP_{name.upper()}": value for name, value in http.items()},
        }
        started: list[Any] = []
        pieces = self.application(environ, lambda status, headers: started.append((status, headers)))
        ((status, named),) = started
        return Answer(int(status[:3]), dict(named), b"".join(pieces))

    @property
    def store(self) -> Any:
        return self.bridge.store

    @property
    def rows(self) -> int:
        """How often something was done and kept."""
        with self.store.reading() as session:
            count: int = session.execute(select(func.count()).select_from(item)).scalar_one()
        return count

    def records(self) -> list[tuple[Any, ...]]:
        with self.store.reading() as session:
            return [
                tuple(row)
                for row in session.execute(text("SELECT state, fault FROM idempotency ORDER BY id"))
            ]

    def age_records(self, days: float) -> None:
        with self.store.transaction() as transaction:
            statement = text("UPDATE idempotency SET created_at = created_at - :age")
            transaction.session.execute(statement, {"age": int(days * 86_400_000_000)})

    def close(self) -> None:
        self.bridge.store.close()  # type: ignore[union-attr]


def done(call: Any) -> None:
    """What a handler writes: one row, of which there must never be two for one request."""
    call.session.execute(insert(item).values(sku=f"T-{next(_numbers)}", unit="H87", created_at=0))


def reply(request: Any) -> dict[str, Any]:
    """Another one each time it is made."""
    return {"text": request.text, "count": next(_numbers)}


@pytest.fixture
def open_desk(store_url: str) -> Iterator[Callable[..., Desk]]:
    """Makes bridges on one store: several are several processes, as far as the database can tell."""
    made: list[Desk] = []

    def open_one(handler: Any = None, **options: Any) -> Desk:
        made.append(Desk(store_url, handler=handler, **options))
        return made[-1]

    yield open_one
    for one in made:
        one.close()


@pytest.fixture
def desk(open_desk: Callable[..., Desk]) -> Desk:
    return open_desk()
