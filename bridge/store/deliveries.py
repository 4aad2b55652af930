"""The outbox for people: which entries there are, and what stands around one. Reads only; `outbox` is what runners use.

With a million settled entries these stay quick because the questions that people ask in a hurry (what is open, what failed,
what became of this number) have indexes of just those rows, and pages are counted by `id`.

Functions take the session of the transaction they belong to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    bindparam,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    union_all,
)

from bridge.store.clock import Clock, moment, stored
from bridge.store.outbox import opened
from bridge.store.session import Session
from bridge.store.statements import Prepared
from bridge.store.tables import attempt, ordering_key, outbox

State = Literal["waiting", "sending", "in_doubt", "held", "delivered", "refused", "unreadable", "expired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """Which entries: those that meet every condition given, or those of `ids`.

    Attributes:
        states: any of these; none given means all.
        since: put into the outbox at or after (with a zone). until: before.
        open: True only those that are not settled, False only those that are.
        needs_person: only those that stay as they are until somebody acts: held, in doubt without a further try, first
            in a held key; or refused or expired, the last of a held key.
    """

    ids: tuple[str, ...] = ()
    partner: str | None = None
    ordering_key: str | None = None
    operation: str | None = None
    states: tuple[State, ...] = ()
    cause: str | None = None
    reference: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    open: bool | None = None
    needs_person: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEntry:
    """A row of the outbox, without its payload. `id` grows with every entry and is what pages are counted by."""

    id: int
    entry_id: str
    partner: str
    ordering_key: str
    seq: int
    operation: str
    state: State
    aside: bool
    attempts: int
    tries: int
    asked: int
    created_at: datetime
    since: datetime
    changed_at: datetime
    settled_at: datetime | None
    cause: str | None
    reason: str | None
    exchange_id: str | None
    reference: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyState:
    """An ordering key as it stands; `lease_until` is when whoever drains it must have said that they live."""

    partner: str
    ordering_key: str
    state: Literal["idle", "active", "held"]
    due_at: datetime
    held_because: str | None
    lease_owner: str | None
    lease_no: int
    lease_until: datetime | None
    first: OutboxEntry | None = None
    """The entry whose turn it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try at sending. Without `ended_at` it is on its way, or its process has died."""

    number: int
    exchange_id: str
    owner: str
    decision: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    reason: str | None


_BRIEF = tuple(column for column in outbox.columns if column.name not in {"headers", "payload"})
_KEY = tuple(column for column in ordering_key.columns if column.name != "next_seq")
_OPEN = outbox.c.settled_at.is_(None)
_HELD = ordering_key.c.state == literal("held", literal_execute=True)
_NOT_DELIVERED = outbox.c.state != literal("delivered", literal_execute=True)
_MANY = 10_000

_NOW = Prepared(select(Clock()))
_NEXT_PARTNER = Prepared(
    select(func.min(ordering_key.c.partner)).where(ordering_key.c.partner > bindparam("after")), "after"
)
_FIRST = Prepared(
    select(*_BRIEF)
    .where(
        outbox.c.partner == bindparam("of_partner"),
        outbox.c.ordering_key == bindparam("of_key"),
        _OPEN,
        outbox.c.aside == literal_column("0"),
    )
    .order_by(outbox.c.seq)
    .suffix_with("LIMIT 1"),
    "of_partner",
    "of_key",
)
_LIVE = Prepared(
    select(func.count())
    .select_from(ordering_key)
    .where(ordering_key.c.lease_owner.is_not(None), ordering_key.c.lease_until >= Clock()),
)


def newest(
    session: Session,
    wanted: Entries,
    *,
    before: int | None = None,
    limit: int = 50,
    oldest_first: bool = False,
) -> tuple[OutboxEntry, ...]:
    """Entries, newest first, at most `limit`. `before`: the next page, the `id` of the last one seen."""
    statement = listing(session, wanted, before=before, limit=limit, oldest_first=oldest_first)
    return tuple(entry_of(row) for row in session.execute(statement))


def listing(
    session: Session, wanted: Entries, *, before: int | None, limit: int, oldest_first: bool
) -> Select[Any]:
    """The statement of `newest`."""
    # The planner is not to walk the whole table for the sake of the order where an index has the few rows that are wanted.
    few = (
        wanted.open
        or wanted.needs_person
        or wanted.ordering_key
        or wanted.reference
        or wanted.ids
        or (wanted.cause and not wanted.states)
        or (wanted.partner and not _is_busy(session, wanted.partner))
    )
    order: ColumnElement[int] = outbox.c.id + literal_column("0") if few else outbox.c.id
    statement = select(*_BRIEF).where(*_conditions(session, wanted)).limit(limit)
    if before is not None:
        statement = statement.where(outbox.c.id > before if oldest_first else outbox.c.id < before)
    return statement.order_by(order if oldest_first else order.desc())


def show(session: Session, entry_id: str) -> OutboxEntry | None:
    """One entry, None where there is none of that id."""
    row = session.execute(select(*_BRIEF).where(outbox.c.entry_id == entry_id)).one_or_none()
    return None if row is None else entry_of(row)


def payload(session: Session, entry_id: str) -> tuple[str | None, str] | None:
    """(SOAP headers, payload) of an entry: XML text."""
    found = session.execute(
        select(outbox.c.headers, outbox.c.payload).where(outbox.c.entry_id == entry_id)
    ).one_or_none()
    return None if found is None else opened(session, entry_id, found[0], found[1])


def attempts(session: Session, entry: OutboxEntry) -> tuple[Attempt, ...]:
    """Every try at sending it, the first one first."""
    names = Attempt.__slots__
    rows = session.execute(
        select(*(attempt.c[name] for name in names))
        .where(attempt.c.outbox_id == entry.id)
        .order_by(attempt.c.number)
    )
    return tuple(Attempt(**_times(row, "started_at", "ended_at")) for row in rows)


def neighbours(session: Session, entry: OutboxEntry, *, each: int = 3) -> tuple[OutboxEntry, ...]:
    """What stands next to it in its key, at most `each` before and after, in the key's order."""
    same = (outbox.c.partner == entry.partner, outbox.c.ordering_key == entry.ordering_key)
    before = session.execute(
        select(*_BRIEF)
        .where(*same, outbox.c.seq < entry.seq)
        .order_by(outbox.c.seq.desc())
        .limit(literal(each))
    )
    after = session.execute(
        select(*_BRIEF).where(*same, outbox.c.seq > entry.seq).order_by(outbox.c.seq).limit(literal(each))
    )
    return (*reversed([entry_of(row) for row in before]), *(entry_of(row) for row in after))


def key(session: Session, partner: str, name: str) -> KeyState | None:
    """A key with the entry whose turn it is; None where there is none."""
    row = session.execute(
        select(*_KEY).where(ordering_key.c.partner == partner, ordering_key.c.ordering_key == name)
    ).one_or_none()
    if row is None:
        return None
    return KeyState(**_times(row, "due_at", "lease_until"), first=first(session, partner, name))


def keys_of(session: Session, entries: Iterable[OutboxEntry]) -> dict[tuple[str, str], KeyState]:
    """The keys of those entries that are open, or may be what their key is held for."""
    wanted = sorted(
        {
            (entry.partner, entry.ordering_key)
            for entry in entries
            if entry.settled_at is None or entry.state in ("refused", "expired")
        }
    )
    found = ((pair, key(session, *pair)) for pair in wanted)
    return {pair: state for pair, state in found if state is not None}


def now(session: Session) -> datetime:
    """By the clock that leases and what is due go by."""
    return moment(session.rows(_NOW)[0][0])


def partners(session: Session) -> list[str]:
    """Partners that anything was ever put in for."""
    found: list[str] = []
    while (name := session.rows(_NEXT_PARTNER, (found[-1] if found else "",))[0][0]) is not None:
        found.append(name)
    return found


def live_leases(session: Session) -> int:
    """How many keys are being drained just now."""
    count: int = session.rows(_LIVE)[0][0]
    return count


def entry_of(row: Row[*tuple[Any, ...]]) -> OutboxEntry:
    """A row of the table, without its payload."""
    fields = _times(row, "created_at", "since", "changed_at", "settled_at")
    return OutboxEntry(**(fields | {"aside": bool(fields["aside"])}))


def first(session: Session, partner: str, name: str) -> OutboxEntry | None:
    """The entry of a key whose turn it is; None where nothing is open, or all that is stands aside."""
    rows = session.rows(_FIRST, (partner, name))
    if not rows:
        return None
    fields: dict[str, Any] = dict(zip((column.name for column in _BRIEF), rows[0], strict=True))
    for time in ("created_at", "since", "changed_at", "settled_at"):
        fields[time] = None if fields[time] is None else moment(fields[time])
    return OutboxEntry(**(fields | {"aside": bool(fields["aside"])}))


def _times(row: Row[*tuple[Any, ...]], *names: str) -> dict[str, Any]:
    fields: dict[str, Any] = dict(row._mapping)
    for name in names:
        fields[name] = None if fields[name] is None else moment(fields[name])
    return fields


def _conditions(session: Session, wanted: Entries) -> Sequence[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [
        column == value
        for column, value in (
            (_partner_column(session, wanted), wanted.partner),
            (outbox.c.ordering_key, wanted.ordering_key),
            (outbox.c.operation, wanted.operation),
            (outbox.c.cause, wanted.cause),
            (outbox.c.reference, wanted.reference),
        )
        if value is not None
    ]
    if wanted.ids:
        found.append(outbox.c.entry_id.in_(wanted.ids))
    if wanted.ordering_key is not None and wanted.partner is None:
        found.append(outbox.c.partner.in_(partners(session)))  # the index begins with it
    if wanted.states:
        found.append(outbox.c.state.in_(wanted.states))
    if wanted.cause is not None or (wanted.states and "delivered" not in wanted.states):
        found.append(_NOT_DELIVERED)  # as the partial index says it
    if wanted.since is not None:
        found.append(outbox.c.created_at >= stored(wanted.since))
    if wanted.until is not None:
        found.append(outbox.c.created_at < stored(wanted.until))
    if wanted.open is not None:
        found.append(_OPEN if wanted.open else outbox.c.settled_at.is_not(None))
    if wanted.needs_person:
        found.append(outbox.c.id.in_(union_all(_stands_still(), _keeps_its_key())))
    return found


def _partner_column(session: Session, wanted: Entries) -> ColumnElement[str]:
    """The partner's column; as an expression that no index has where most entries are this partner's: SQLite would sort them
    all, when the newest are a few steps away."""
    narrowed = wanted.ordering_key or wanted.open or wanted.needs_person or wanted.partner is None
    if narrowed or not _is_busy(session, wanted.partner or ""):
        return outbox.c.partner
    return outbox.c.partner.concat(literal("", literal_execute=True))


def _is_busy(session: Session, partner: str) -> bool:
    """Whether a partner has more entries than are quickly sorted."""
    some = select(literal_column("1")).where(outbox.c.partner == partner).limit(_MANY).subquery()
    count: int = session.execute(select(func.count()).select_from(some)).scalar_one()
    return count == _MANY


def _stands_still() -> Select[int]:
    """Open, and held, or in doubt and set aside, or first in a held key."""
    one, earlier = outbox.alias("one"), outbox.alias("earlier")
    held = exists().where(
        ordering_key.c.partner == one.c.partner,
        ordering_key.c.ordering_key == one.c.ordering_key,
        _HELD,
    )
    another_first = exists().where(
        earlier.c.partner == one.c.partner,
        earlier.c.ordering_key == one.c.ordering_key,
        earlier.c.seq < one.c.seq,
        earlier.c.settled_at.is_(None),
        earlier.c.aside == literal(0, literal_execute=True),
    )
    return select(one.c.id).where(
        one.c.settled_at.is_(None),
        or_(
            one.c.state == "held",
            and_(one.c.state == "in_doubt", one.c.aside == 1),
            and_(held, ~another_first),
        ),
    )


def _keeps_its_key() -> Select[int]:
    """Refused or expired, and the last of a held key: nothing waits behind it yet, and whatever comes will."""
    last = outbox.alias("last")
    return select(last.c.id).where(
        _HELD,
        last.c.partner == ordering_key.c.partner,
        last.c.ordering_key == ordering_key.c.ordering_key,
        last.c.seq == ordering_key.c.next_seq - 1,
        last.c.state.in_(("refused", "expired")),
    )
