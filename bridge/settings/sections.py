"""What can be set about the bridge itself: its entrance, store, journal, deliveries, contracts, log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bridge.settings.fields import setting


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
    client_certificate_header: str = setting(
        "",
        "Header in which a trusted proxy hands on the certificate that a client showed it (`X-Client-Cert`): PEM, escaped or not, or "
        "base64 of DER. The proxy must take the header out of what clients send. Empty: none is believed.",
    )
    connections: int = setting(
        2000,
        "Open connections; one more is told to come back later (503).",
        unit="connections",
        least=1,
        most=100_000,
    )
    connections_per_address: int = setting(
        500,
        "Open connections from one address (of IPv6: from one /64); one more is told to come back later (503), or closed where TLS "
        "is spoken. A quarter of `connections`: nobody takes them all alone. Not for `trusted_proxies`, which send for many.",
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
    client_crl: Path | None = setting(
        None,
        "PEM file of what these authorities have revoked, a list (CRL) of each. Once it is out of date, no client certificate is "
        "believed: it is replaced before that.",
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
        "Exchanges with their envelopes, and reconciliations with the differences they found; the last of each rule stays. A year and a month: what "
        "was ordered a year ago can still be shown when its accounts are closed. Longer than `idempotency.keep`, or a repeat with other prefixes is not known again.",
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
        "Documents that were refused, could not be read or have expired, and problems of flows that are settled. As long as the journal: what "
        "did not arrive is asked about latest.",
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
    notifications: float = setting(
        7.0,
        "Ids of what partners told of their own accord, by which it is known when they tell it again. A week: Salesforce tells again for a day.",
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
    """The shipped ERP: which parts of it answer, and how this company keeps its stock, buys and sells."""

    modules: tuple[str, ...] = setting(
        ("purchasing", "inventory", "suppliers", "customers", "catalog", "sales", "receivables"),
        "Which contracts of wsdl/erp are answered. What one would ask of another that is left out, it does without.",
    )
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
    approval_limits: Mapping[str, str] = setting(
        {},
        'The most that a sales order is approved for without a person, by currency: `{ EUR = "50000", CNY = "300000" }`. An order in a '
        "currency that is not named waits for a person. Empty: no limit.",
    )
    approved_grades: tuple[str, ...] = setting(
        (),
        "Credit grades of customers whose sales orders are approved without a person; a customer without a grade has none of them. "
        "Empty: all.",
    )
    overdue_to_person: bool = setting(
        True, "Sales orders of a customer that has overdue invoices wait for a person."
    )
    discount_limit: float = setting(
        100.0,
        "How far below its list price a line of a sales order is approved without a person; a line without a list price waits. "
        "100: no limit.",
        unit="percent",
        least=0,
        most=100,
    )
    available_only: bool = setting(
        False, "Sales orders that cannot be delivered by the day they are wanted wait for a person."
    )
    events_to: str = setting(
        "",
        'The partner (`[partners.NAME]`, with `wsdl = "events"`) that is told of orders, receipts and stock levels, as far as its contract has the event: each '
        "is stored with what it tells of, then delivered. Empty: nobody is told.",
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
    secret: tuple[str, ...] = setting(
        (),
        "Fields of its messages that are secret, by operation and names from the payload down: `CreateCustomer customer/idNumber`, "
        "`CreateCustomer customer/@taxNumber`. Shown as `***` in logs, commands, violations and errors (docs/hidden-fields.md).",
    )
    secret_headers: tuple[str, ...] = setting(
        (), "Header blocks with credentials, by their names; replaced before the journal keeps an envelope."
    )
    forward: Mapping[str, str] = setting(
        {},
        'How operations that are handed on to a partner are: `{ CancelOrder = "durable" }` is answered once stored, '
        '`"synchronous"` after the partner has answered. Goes before what the code says.',
    )
