"""The journal: one row for every exchange, accepted or not, with its envelopes where they are kept.

`record` writes it into the transaction of the exchange itself; `Journal` reads it for commands and screens.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Integer, LargeBinary, Row, bindparam, case, func, literal, or_, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from bridge.store.cipher import MAGIC, OVERHEAD, Cipher, open_bytes, open_text, place, seal_bytes, seal_text
from bridge.store.clock import moment, stored
from bridge.store.session import Session
from bridge.store.statements import Prepared, insertion
from bridge.store.tables import journal as table

Direction = Literal["in", "out"]

Verdict = Literal["accepted", "refused", "invalid_request", "invalid_reply", "failed", "fault"]
"""accepted: done and answered. refused: not acted on (envelope, media type, limits, security).
invalid_request, invalid_reply: broke the contract. fault: the handler answered a declared fault.
failed: an error of ours."""


class ExchangeRecord(NamedTuple):
    """What the journal keeps of an exchange. Immutable; give the fields by name.

    `contract` and `operation` are None when the request was refused before they were known. `duration_us` is in
    microseconds. `violations` are those listed, `violation_count` may be higher. `request` and `reply` are the
    envelopes as they were on the wire (after content coding), None where bodies are not kept. `reference` is the
    business document's number, for finding the exchange again. `duplicate_of` names the exchange whose answer was
    given again.
    """

    exchange_id: str
    received_at: datetime
    duration_us: int
    verdict: Verdict
    direction: Direction = "in"
    contract: str | None = None
    operation: str | None = None
    soap_version: str | None = None
    partner: str | None = None
    remote: str | None = None
    http_status: int | None = None
    fault_code: str | None = None
    fault_reason: str | None = None
    violation_count: int = 0
    violations: Sequence[Mapping[str, object]] = ()
    reference: str | None = None
    request: bytes | None = None
    reply: bytes | None = None
    duplicate_of: str | None = None


class _JournalRow(NamedTuple):
    """The table's columns, in its order."""

    exchange_id: str
    direction: str
    contract: str | None
    operation: str | None
    soap_version: str | None
    partner: str | None
    remote: str | None
    received_at: int
    duration: int
    verdict: str
    http_status: int | None
    fault_code: str | None
    fault_reason: str | None
    violation_count: int
    violations: str | None
    reference: str | None
    request: bytes | None
    reply: bytes | None
    duplicate_of: str | None


_INSERT = insertion(table, _JournalRow)


def record(session: Session, exchange: ExchangeRecord) -> None:
    """Write an exchange into the journal, in the transaction of `session`: one INSERT."""
    reason = None if exchange.fault_reason is None else storable(exchange.fault_reason)
    listed = exchange.violations
    violations = storable(json.dumps(list(listed), ensure_ascii=False, default=str)) if listed else None
    request, reply, cipher = exchange.request, exchange.reply, session.cipher
    if cipher is not None:
        request = seal_bytes(cipher, request, _place("request", exchange.exchange_id))
        reply = seal_bytes(cipher, reply, _place("reply", exchange.exchange_id))
        reason = seal_text(cipher, reason, _place("fault_reason", exchange.exchange_id))
        violations = seal_text(cipher, violations, _place("violations", exchange.exchange_id))
    session.run(
        _INSERT,
        _JournalRow(
            exchange.exchange_id,
            exchange.direction,
            exchange.contract,
            exchange.operation,
            exchange.soap_version,
            exchange.partner,
            exchange.remote,
            stored(exchange.received_at),
            exchange.duration_us,
            exchange.verdict,
            exchange.http_status,
            exchange.fault_code,
            reason,
            exchange.violation_count or len(listed),
            violations,
            exchange.reference,
            request,
            reply,
            exchange.duplicate_of,
        ),
    )


_place = partial(place, "journal")

_RECORDED = Prepared(select(table.c.id).where(table.c.exchange_id == bindparam("of_exchange")), "of_exchange")


def is_recorded(session: Session, exchange_id: str) -> bool:
    """Whether an exchange is in the journal."""
    return bool(session.rows(_RECORDED, (exchange_id,)))


def storable(text: str) -> str:
    """Text that every database takes. Reasons may quote what a stranger sent: PostgreSQL refuses U+0000, and
    neither stores half a surrogate pair; the journal must not fail where it is needed most."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row of the journal. `id` grows with every commit and is what pages are counted by.

    Lists leave `request` and `reply` out (None); the sizes, in bytes, tell whether they are kept (None: not).
    """

    id: int
    exchange_id: str
    direction: Direction
    contract: str | None
    operation: str | None
    soap_version: str | None
    partner: str | None
    remote: str | None
    received_at: datetime
    duration_us: int
    verdict: Verdict
    http_status: int | None
    fault_code: str | None
    fault_reason: str | None
    violation_count: int
    violations: tuple[dict[str, Any], ...]
    reference: str | None
    duplicate_of: str | None
    request_size: int | None
    reply_size: int | None
    request: bytes | None = None
    reply: bytes | None = None


class _Position(FunctionElement[int]):
    """Where bytes begin in bytes, from 1; 0 when they are not there. No name for it is common to both databases."""

    type = Integer()
    inherit_cache = True


@compiles(_Position, "sqlite")
def _position_sqlite(element: _Position, compiler: SQLCompiler, **options: Any) -> str:
    return f"instr({compiler.process(element.clauses, **options)})"


@compiles(_Position, "postgresql")
def _position_postgresql(element: _Position, compiler: SQLCompiler, **options: Any) -> str:
    whole, part = (compiler.process(clause, **options) for clause in element.clauses)
    return f"position({part} in {whole})"


def _size(body: ColumnElement[bytes | None]) -> ColumnElement[int]:
    """Of the envelope, whether it is sealed or not."""
    sealed = func.substr(body, 1, len(MAGIC)) == literal(MAGIC, LargeBinary)
    return func.length(body) - case((sealed, OVERHEAD), else_=0)


_BRIEF: tuple[ColumnElement[Any], ...] = (
    *(column for column in table.columns if column.name not in {"request", "reply"}),
    *(_size(table.c[name]).label(f"{name}_size") for name in ("request", "reply")),
)


class Journal:
    """The journal, for reading. Each call is a transaction of its own and takes no lock.

    Args:
        reading: opens a session for reading (`Store.reading`).
    """

    def __init__(self, reading: Callable[[], AbstractContextManager[Session]]) -> None:
        self._reading = reading

    def list(
        self,
        *,
        contract: str | None = None,
        operation: str | None = None,
        partner: str | None = None,
        direction: Direction | None = None,
        verdicts: Iterable[Verdict] = (),
        reference: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> tuple[Entry, ...]:
        """Entries newest first, at most `limit`, those that meet every condition given.

        Args:
            verdicts: any of these; none given means all.
            since: received at or after (with a zone). until: received before.
            before: the next page: the `id` of the last entry seen.
        """
        wanted = tuple(verdicts)
        conditions: list[ColumnElement[bool]] = [
            column == value
            for column, value in (
                (table.c.contract, contract),
                (table.c.operation, operation),
                (table.c.partner, partner),
                (table.c.direction, direction),
                (table.c.reference, reference),
            )
            if value is not None
        ]
        if wanted:
            conditions.append(table.c.verdict.in_(wanted))
            if "accepted" not in wanted:
                conditions.append(table.c.verdict != literal("accepted", literal_execute=True))
        if since is not None:
            conditions.append(table.c.received_at >= stored(since))
        if until is not None:
            conditions.append(table.c.received_at < stored(until))
        return self._newest(conditions, before, limit)

    def find(self, text: str, *, before: int | None = None, limit: int = 50) -> tuple[Entry, ...]:
        """Entries that hold `text`, newest first: in the exchange id, the reference, partner, operation, fault, a
        violation, or, as UTF-8 and with exact case, in a kept envelope. Reads the whole journal if it must."""
        names = "exchange_id duplicate_of reference partner remote operation fault_reason violations".split()
        if "\0" in text:
            names = []  # no text holds it, and databases take it for the end of what is sought
        wanted = storable(text)
        needle = literal(text.encode("utf-8", "replace"), LargeBinary)
        in_fields = (table.c[name].icontains(wanted, autoescape=True) for name in names)
        in_envelopes = (_Position(body, needle) > 0 for body in (table.c.request, table.c.reply))
        found = or_(*in_fields, *in_envelopes)
        with self._reading() as session:
            if session.cipher is not None:
                return _find_sealed(session, text, found, before, limit)
        return self._newest([found], before, limit)

    def show(self, exchange_id: str) -> Entry | None:
        """One exchange with its envelopes, None when there is none of that id."""
        statement = select(*_BRIEF, table.c.request, table.c.reply).where(table.c.exchange_id == exchange_id)
        with self._reading() as session:
            row = session.execute(statement).one_or_none()
            return None if row is None else _entry(row, session.cipher)

    def _newest(
        self, conditions: Sequence[ColumnElement[bool]], before: int | None, limit: int
    ) -> tuple[Entry, ...]:
        statement = select(*_BRIEF).where(*conditions).order_by(table.c.id.desc()).limit(limit)
        if before is not None:
            statement = statement.where(table.c.id < before)
        with self._reading() as session:
            return tuple(_entry(row, session.cipher) for row in session.execute(statement))


_SCANNED = 100
"""Exchanges whose envelopes are in memory at a time while they are opened and searched."""


def _find_sealed(
    session: Session, text: str, found: ColumnElement[bool], before: int | None, limit: int
) -> tuple[Entry, ...]:
    """As the database finds it in what is not sealed, and here in what is: opened one after the other."""
    entries: list[Entry] = []
    needle, folded = text.encode("utf-8", "replace"), text.casefold()
    statement = select(*_BRIEF, table.c.request, table.c.reply, found.label("found"))
    statement = statement.order_by(table.c.id.desc()).limit(_SCANNED)
    while len(entries) < limit:
        rows = session.execute(statement if before is None else statement.where(table.c.id < before)).all()
        if not rows:
            break
        for row in rows:
            fields = dict(row._mapping)
            named = fields.pop("found")
            entry = _entry_of(fields, session.cipher)
            words = f"{entry.fault_reason or ''} {json.dumps(entry.violations, ensure_ascii=False)}"
            bodies = (entry.request or b"", entry.reply or b"")
            if named or folded in words.casefold() or any(needle in body for body in bodies):
                entries.append(replace(entry, request=None, reply=None))
        before = rows[-1].id
    return tuple(entries[:limit])


def _entry(row: Row[*tuple[Any, ...]], cipher: Cipher | None) -> Entry:
    return _entry_of(dict(row._mapping), cipher)


def _entry_of(fields: dict[str, Any], cipher: Cipher | None) -> Entry:
    exchange_id = fields["exchange_id"]
    for name, opened in _SEALED.items():
        if name in fields:
            fields[name] = opened(cipher, fields[name], _place(name, exchange_id))
    fields["received_at"] = moment(fields["received_at"])
    fields["duration_us"] = fields.pop("duration")
    fields["violations"] = tuple(json.loads(fields["violations"] or "[]"))
    return Entry(**fields)


_SEALED: Mapping[str, Callable[[Cipher | None, Any, str], Any]] = {
    "request": open_bytes,
    "reply": open_bytes,
    "fault_reason": open_text,
    "violations": open_text,
}
