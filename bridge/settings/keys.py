"""What can be set: every key is a field of a section, with its default, unit and help beside it.

The loader, the command `soapbridge settings`, docs/settings.md and the commented bridge.toml are made from these fields.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bridge.soap.limits import Limits

ENVIRONMENT_PREFIX = "SOAPBRIDGE_"


def zone_of(name: str) -> tzinfo:
    """The time zone of an IANA name; ValueError where there is none. UTC needs no database of zones."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"{name!r} is no time zone; write one like Asia/Shanghai (on Debian the package tzdata has them)"
        ) from None


def setting(
    default: Any,
    text: str,
    *,
    unit: str = "",
    least: float | None = None,
    most: float | None = None,
    secret: bool = False,
    shown_default: str = "",
) -> Any:
    """A field of a section. `text` is its help: what it does, and what happens at the edges.

    `least` and `most` are inclusive, in `unit`. `shown_default` describes a default that is worked out.
    """
    meta = {
        "help": text,
        "unit": unit,
        "least": least,
        "most": most,
        "secret": secret,
        "shown": shown_default,
    }
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=meta)
    return field(default=default, metadata=meta)


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Where the bridge keeps what it writes."""

    folder: Path = setting(
        Path("data"), "Folder for the SQLite file and caches; made on first use, readable by the owner only."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The HTTP entrance."""

    host: str = setting(
        "127.0.0.1", "Address to listen on; `0.0.0.0` for every interface, behind a proxy or a firewall."
    )
    port: int = setting(8080, "Port to listen on; 0 takes any free one.", least=0, most=65535)
    workers: int = setting(1, "Processes that answer. More than one needs PostgreSQL.", least=1, most=256)
    threads: int = setting(8, "Requests answered at the same time by one process.", least=1, most=256)
    public_url: str = setting(
        "",
        "What clients reach the bridge by (`https://bridge.example.com/erp`); written into every WSDL's addresses. "
        "Empty: taken from the request.",
    )
    contact: str = setting(
        "", "Whom a partner asks: a name, a telephone number, an address. Printed on the hand-over sheet."
    )
    trusted_proxies: tuple[str, ...] = setting(
        (),
        "Addresses or networks whose `X-Forwarded-*` headers are believed (`10.0.0.0/8`). Nobody else's are.",
    )
    connections: int = setting(
        2000,
        "Open connections; one more is told to come back later (503).",
        unit="connections",
        least=1,
        most=100_000,
    )
    waiting: int = setting(
        256,
        "Requests that may wait for a thread; one more is told to come back later (503).",
        least=0,
        most=100_000,
    )
    max_header_bytes: int = setting(
        32 * 1024, "Size of all HTTP headers of a request.", unit="bytes", least=1024, most=1024 * 1024
    )
    max_headers: int = setting(100, "HTTP headers of a request.", unit="headers", least=10, most=10_000)
    header_timeout: float = setting(
        10.0,
        "A request whose headers have not all arrived by then is closed.",
        unit="seconds",
        least=0.1,
        most=600,
    )
    body_timeout: float = setting(
        20.0,
        "A request whose body has not all arrived by then is refused (408).",
        unit="seconds",
        least=0.1,
        most=3600,
    )
    idle_timeout: float = setting(
        60.0, "A connection without a request is closed after this time.", unit="seconds", least=1, most=3600
    )
    write_timeout: float = setting(
        30.0, "A client that has not read its reply by then is cut off.", unit="seconds", least=0.1, most=3600
    )
    stuck_after: float = setting(
        30.0,
        "A thread busy with one request for this long is replaced by another.",
        unit="seconds",
        least=1,
        most=3600,
    )
    grace: float = setting(
        30.0,
        "On SIGTERM, requests in flight, and documents that are being sent, have this long to finish.",
        unit="seconds",
        least=1,
        most=3600,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """TLS at the bridge itself; leave it empty behind a proxy that does it. Replaced files are taken up while running."""

    certificate: Path | None = setting(None, "PEM file with the server's certificate and its chain.")
    key: Path | None = setting(None, "PEM file with the certificate's key, not encrypted.")
    client_ca: Path | None = setting(
        None, "PEM file of the authorities whose client certificates are believed; empty: none is asked for."
    )
    client_certificate: Literal["required", "optional"] = setting(
        "required", "With `client_ca`: whether a client without a certificate is sent away."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """The database that owns the truth."""

    url: str = setting(
        "",
        "SQLAlchemy URL: `sqlite:////var/lib/bridge/bridge.sqlite` or `postgresql+psycopg://user:password@host/name`.",
        secret=True,
        shown_default="bridge.sqlite in the data folder",
    )
    wait: float = setting(
        10.0,
        "How long a writer waits for its turn before the request is refused.",
        unit="seconds",
        least=0.1,
        most=600,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """The record of every envelope in and out with its verdict."""

    keep_bodies: Literal["all", "refused", "none"] = setting(
        "all", "Which envelopes are kept whole, beside their verdict: all, those refused, or none."
    )
    refused_per_minute: int = setting(
        600,
        "Refused requests written to the journal; those above are only counted.",
        unit="per minute",
        least=0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Idempotency:
    """A request sent twice is done once: how long its first answer is kept (docs/duplicates.md)."""

    keep: float = setting(
        30.0,
        "How long the answer of a writing request is kept, and a repeat of it answered with that. Longer than any "
        "client goes on repeating; what it promises is this and no more.",
        unit="days",
        least=0.01,
        most=3650,
    )
    wait: float = setting(
        5.0,
        "How long a repeat waits for the answer of a request that is still calling another system, before it is "
        "told to come back.",
        unit="seconds",
        least=0,
        most=60,
    )
    lease: float = setting(
        300.0,
        "A request that called another system and has not ended after this time is in doubt: its repeats are told so, "
        "until somebody settles it. Longer than any handler takes.",
        unit="seconds",
        least=1,
        most=86_400,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How documents for partners leave (docs/delivery.md)."""

    threads: int = setting(
        8,
        "Documents sent at the same time by one process. Each partner has one of these to itself, and each after the first "
        "brings one more: whoever does not answer never takes the last one of another.",
        least=1,
        most=256,
    )
    lease: float = setting(
        150.0,
        "A process that has died leaves the keys it was busy with to others after this time. More than twice every "
        "partner's `deadline`.",
        unit="seconds",
        least=0.5,
        most=86_400,
    )
    sweep: float = setting(
        5.0,
        "How often is looked for what no wake-up has told of.",
        unit="seconds",
        least=0.05,
        most=3600,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long is kept what has ended; then it is removed, a little at a time while serving (docs/operations.md). 0: for ever.
    Never removed: what is open, in doubt or held, and what people did by hand."""

    journal: float = setting(
        400.0,
        "Exchanges with their envelopes. A year and a month: what was ordered a year ago can still be shown when its accounts are "
        "closed. Longer than `idempotency.keep`, or a repeat with other prefixes is not known again.",
        unit="days",
        least=0,
        most=36_500,
    )
    delivered: float = setting(
        90.0,
        "Documents that were delivered, with their attempts: until then one can be sent again by hand. A quarter: longer than a "
        "partner takes to miss one.",
        unit="days",
        least=0,
        most=36_500,
    )
    undelivered: float = setting(
        400.0,
        "Documents that were refused, could not be read or have expired. As long as the journal: what did not arrive is asked "
        "about latest.",
        unit="days",
        least=0,
        most=36_500,
    )
    firings: float = setting(
        30.0,
        "Runs of schedules; the last one of each stays. A month: long enough to see since when one fails.",
        unit="days",
        least=0,
        most=36_500,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Contracts:
    """Where contracts find the documents they import."""

    catalog: tuple[Path, ...] = setting(
        (), "Folders with schemas that contracts import by namespace or by an address on the network."
    )
    remote: bool = setting(
        False,
        "Fetch imported documents over the network where neither file nor catalog has them. "
        "With `cache` each is fetched once: remove the folder to fetch them again.",
    )
    cache: bool = setting(
        True,
        "Keep what loading a contract worked out in the folder `cache` of the data folder: the next start is three times "
        "as fast. A changed file is noticed; the folder may be removed at any time.",
    )
    zone: str = setting(
        "UTC",
        "Time zone (`Asia/Shanghai`) of dates and times that are written without one, where a handler compares them "
        "(`call.moment`), and whose day it is that a handler calls today (`call.today`). Values themselves stay as written.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Erp:
    """The shipped ERP: how this company keeps its stock and buys."""

    warehouses: tuple[str, ...] = setting(
        (), "The only warehouses there are. Empty: any that goods come into."
    )
    negative_stock: tuple[str, ...] = setting((), "Warehouses whose balances may go below zero.")
    over_delivery: float = setting(
        0.0,
        "How much more of an order's line may come in than was ordered; what is above is refused (OverDelivery).",
        unit="percent",
        least=0,
        most=1000,
    )
    known_suppliers_only: bool = setting(
        False,
        "Refuse orders, and changes of orders, whose supplier UpsertSupplier has not made known. "
        "A blocked supplier is refused in any case.",
    )
    events_to: str = setting(
        "",
        'The partner (`[partners.NAME]`, with `wsdl = "events"`) that is told of orders, receipts and stock levels: each event is '
        "stored with what it tells of, then delivered. Empty: nobody is told.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What is written to standard error. Never payloads: those are in the journal."""

    level: Literal["debug", "info", "warning", "error"] = setting("info", "The least that is written.")
    format: Literal["auto", "console", "json"] = setting(
        "auto", "Lines for people, or one JSON object a line; auto: console on a terminal, else json."
    )
    requests: Literal["all", "refused", "none"] = setting(
        "refused",
        "Which requests get a line: all, those that were not accepted, or none. It has the exchange's id, operation, "
        "verdict, duration and sizes, never what was in it.",
    )
    exceptions: Literal["auto", "whole", "place"] = setting(
        "auto",
        "Of an exception: its whole text, or only its kind and the place in the code. Texts may quote values of a "
        "message; the journal has them in any case. auto: whole for people (`format`), else place.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Figures for Prometheus, at `/metrics`. They name operations and tell the traffic: they are for operators."""

    port: int = setting(
        0,
        "A port of their own. 0: on the bridge's port, for who comes straight from `allow` only, and not at all where "
        "`server.public_url` or `server.trusted_proxies` tell of a proxy.",
        least=0,
        most=65535,
    )
    host: str = setting("127.0.0.1", "Address to listen on with `port`.")
    allow: tuple[str, ...] = setting(
        ("127.0.0.0/8", "::1"), "Addresses or networks that may read them; nobody else can. Empty: nobody."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One contract that we answer: `[services.NAME]`, by the name in its address (`orders` of /services/orders)."""

    idempotency_key: str = setting(
        "",
        "Where a request carries the id that tells a repeat from a new request, as names from the payload down: "
        "`requestId`, `order/Number`, `order/@id`. For every operation whose payload has it.",
    )
    idempotency_keys: Mapping[str, str] = setting(
        {},
        'The same for single operations, which goes before: `{ SubmitOrder = "order/Number", Ping = "" }`. Empty: none.',
    )
    zone: str = setting("", "As `contracts.zone`, for this contract alone. Empty: that one.")
    forward: Mapping[str, str] = setting(
        {},
        'How operations that are handed on to a partner are: `{ CancelOrder = "durable" }` is answered once stored, '
        '`"synchronous"` after the partner has answered. Goes before what the code says.',
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """One system that we call: `[partners.NAME]`, `bridge.partner("NAME")`."""

    wsdl: str = setting(
        "", "Its contract: a file (from this file's folder), or the name of a shipped contract."
    )
    endpoint: str = setting("", "Its address; empty: the one in the WSDL.")
    service: str = setting("", "The service of the WSDL, where it has several.")
    port: str = setting("", "The port of that service, where several would do.")
    soap: Literal["auto", "1.1", "1.2"] = setting(
        "auto", "SOAP version; auto: the one the WSDL has, 1.1 where it has both."
    )
    addressing: Literal["auto", "yes", "no"] = setting(
        "auto", "Whether WS-Addressing headers go out; auto: where the WSDL says that it uses them."
    )
    username: str = setting("", "For HTTP Basic; empty: none is sent.")
    password: str = setting("", "Its password.", secret=True)
    ca: Path | None = setting(
        None, "Certificates of the authorities that may have signed the partner's; empty: the system's."
    )
    certificate: Path | None = setting(
        None, "Our certificate for the partner, with those between it and the root."
    )
    certificate_key: Path | None = setting(None, "Its key; empty: it is in the same file.")
    connect_timeout: float = setting(
        5.0, "For the name, the connection and TLS together.", unit="seconds", least=0.01, most=600
    )
    read_timeout: float = setting(
        30.0,
        "Longest silence while the request is written and the reply awaited.",
        unit="seconds",
        least=0.01,
        most=3600,
    )
    deadline: float = setting(
        60.0, "For the whole call, whatever trickles in.", unit="seconds", least=0.01, most=3600
    )
    max_reply_bytes: int = setting(
        10 * 1024 * 1024,
        "Size of a reply, compressed or not; a larger one is not read on.",
        unit="bytes",
        least=1024,
    )
    secret_headers: tuple[str, ...] = setting(
        (), "Header blocks with credentials, by their names; masked in the journal like `wsse:Security`."
    )
    keeps_id: bool = setting(
        False,
        "Whether the partner knows a document again by the id that goes with it (`Idempotency-Key`, wsa:MessageID), or by "
        "one in the document, and does it once. Only then a delivery in doubt is sent again by itself.",
    )
    after_failure: Literal["hold", "continue"] = setting(
        "hold",
        "A document was refused or has expired: hold the rest of its ordering key until a person lets it go, or continue.",
    )
    after_doubt: Literal["hold", "continue"] = setting(
        "hold", "The same for one that is in doubt and waits for a person."
    )
    first_delay: float = setting(
        1.0,
        "Wait before a delivery is tried again; doubled each time.",
        unit="seconds",
        least=0.01,
        most=3600,
    )
    max_delay: float = setting(300.0, "The longest such wait.", unit="seconds", least=0.01, most=86_400)
    max_age: float = setting(
        72.0,
        "A delivery that has not got through by then is given up (expired).",
        unit="hours",
        least=0.001,
        most=87_600,
    )
    asks: int = setting(
        5,
        "How often the partner is asked what became of a delivery in doubt, where it can be asked.",
        least=0,
        most=1000,
    )
    concurrency: int = setting(
        4, "Documents on their way to it at the same time, over all processes.", least=1, most=1000
    )
    rate: float = setting(
        0.0,
        "Documents sent to it at most, over all processes; 0: as many as can be. After a lull a quarter of a second's worth "
        "at once.",
        unit="per second",
        least=0,
    )
    open: tuple[str, ...] = setting(
        (),
        "When it takes deliveries, by the clock on its wall: `Mon-Fri 06:00-22:00`, `Sat Sun 08:00-12:00 13:00-16:00`, "
        "`22:00-06:00` (every day, over midnight). Empty: always.",
    )
    zone: str = setting("", "Time zone of `open`. Empty: `contracts.zone`.")
    circuit_failures: int = setting(
        5,
        "So many deliveries in a row that did not reach it, and it is left in peace for a while; then one tries. 0: never.",
        least=0,
        most=1000,
    )
    circuit_pause: float = setting(
        30.0,
        "How long at first; twice as long each time that the one that tries fails, up to ten times the first.",
        unit="seconds",
        least=0.01,
        most=3600,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that was set, checked. `sources` tells where each value came from, by key (`server.port`).

    Sections that come once for each name (`services`, `partners`) are mappings by that name.
    """

    data: Data = field(default_factory=Data)
    server: Server = field(default_factory=Server)
    limits: Limits = field(default_factory=Limits)
    tls: Tls = field(default_factory=Tls)
    store: Store = field(default_factory=Store)
    journal: Journal = field(default_factory=Journal)
    idempotency: Idempotency = field(default_factory=Idempotency)
    delivery: Delivery = field(default_factory=Delivery)
    retention: Retention = field(default_factory=Retention)
    contracts: Contracts = field(default_factory=Contracts)
    erp: Erp = field(default_factory=Erp)
    log: Log = field(default_factory=Log)
    metrics: Metrics = field(default_factory=Metrics)
    services: Mapping[str, Service] = field(default_factory=dict)
    partners: Mapping[str, Partner] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    file: Path | None = None

    @property
    def store_url(self) -> str:
        """The store's SQLAlchemy URL, worked out from the data folder where none was set."""
        return self.store.url or f"sqlite:///{(self.data.folder / 'bridge.sqlite').absolute()}"

    @property
    def cache_folder(self) -> Path | None:
        """Where contracts are cached; None where they are not."""
        return self.data.folder / "cache" if self.contracts.cache else None

    def zone(self, service: str) -> tzinfo:
        """The zone of dates and times without one in a contract that we answer, by its name."""
        own = self.services.get(service)
        return zone_of(own.zone if own is not None and own.zone else self.contracts.zone)

    def partner_zone(self, partner: str) -> tzinfo:
        """The zone of a partner's hours (`open`), by its name."""
        own = self.partners.get(partner)
        return zone_of(own.zone if own is not None and own.zone else self.contracts.zone)

    def value(self, key: Key) -> Any:
        """What this key is set to."""
        group, _, name = key.section.partition(".")
        section = getattr(self, group)
        return getattr(section[name] if name else section, key.name)


SECTIONS: Mapping[str, type] = {
    "data": Data,
    "server": Server,
    "limits": Limits,
    "tls": Tls,
    "store": Store,
    "journal": Journal,
    "idempotency": Idempotency,
    "delivery": Delivery,
    "retention": Retention,
    "contracts": Contracts,
    "erp": Erp,
    "log": Log,
    "metrics": Metrics,
}

NAMED_SECTIONS: Mapping[str, type] = {"services": Service, "partners": Partner}
"""Sections that come once for each name: `[services.orders]`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One thing that can be set, as the loader and the documentation see it."""

    section: str
    name: str
    type: Any
    default: Any
    help: str
    unit: str
    least: float | None
    most: float | None
    secret: bool
    shown: str

    @property
    def path(self) -> str:
        return f"{self.section}.{self.name}"

    @property
    def variable(self) -> str:
        return re.sub(r"[^A-Z0-9]", "_", f"{ENVIRONMENT_PREFIX}{self.section}_{self.name}".upper())

    @property
    def choices(self) -> tuple[str, ...]:
        return get_args(self.type) if get_origin(self.type) is Literal else ()


def keys() -> Iterator[Key]:
    """Every key of the sections that come once, in the order of the documentation."""
    for section, cls in SECTIONS.items():
        yield from _keys_of(section, cls)


def named_keys(group: str, name: str = "NAME") -> Iterator[Key]:
    """The keys of one section among several of a kind: `[services.orders]`."""
    return _keys_of(f"{group}.{name}", NAMED_SECTIONS[group])


def keys_of(settings: Settings) -> Iterator[Key]:
    """Every key that these settings have a value for: those of named sections as often as there are names."""
    yield from keys()
    for group in NAMED_SECTIONS:
        for name in getattr(settings, group):
            yield from named_keys(group, name)


def _keys_of(section: str, cls: type) -> Iterator[Key]:
    types = get_type_hints(cls)
    for one in dataclasses.fields(cls):
        default = {} if one.default is dataclasses.MISSING else one.default
        yield Key(section=section, name=one.name, type=types[one.name], default=default, **one.metadata)


def shown(key: Key, value: Any) -> str:
    """A value as people may see it: of a secret URL the password is hidden, any other secret altogether."""
    if key.secret and value:
        text = str(value)
        return re.sub(r"(://[^:/@]*:).*@", r"\1***@", text) if "://" in text else "***"
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ", ".join(str(one) for one in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={text}" for name, text in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)
