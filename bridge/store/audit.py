"""The rows of the audit trail. What they mean, and how they are hashed and signed, is `bridge.audit`'s.

Functions take the session of the transaction they belong to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, func, literal_column, null, or_, select, text, update

from bridge.store.by_hand import NewAct
from bridge.store.session import Row, Session
from bridge.store.statements import Parameters, Prepared, insertion
from bridge.store.tables import act, audit_checkpoint, audit_entry, journal

PAGE = 500
"""Rows read at once."""


class _EntryRow(NamedTuple):
    chain: str
    seq: int
    at: int
    event: str
    who: str | None
    subject: str | None
    outcome: str | None
    about: str | None
    salt: bytes | None
    digest: bytes
    hash: bytes
    signature: bytes | None


class _CheckpointRow(NamedTuple):
    id: int
    at: int
    heads: str
    previous: bytes | None
    signed_by: str
    signature: bytes


_INSERT = insertion(audit_entry, _EntryRow)
_INSERT_CHECKPOINT = insertion(audit_checkpoint, _CheckpointRow)
_LAST_CHECKPOINT = Prepared(
    select(audit_checkpoint).order_by(audit_checkpoint.c.id.desc()).suffix_with("LIMIT 1")
)
_HEAD = Prepared(
    select(audit_entry.c.seq, audit_entry.c.hash)
    .where(audit_entry.c.chain == bindparam("of_chain"))
    .order_by(audit_entry.c.seq.desc())
    .suffix_with("LIMIT 1"),
    "of_chain",
)
_ENTERED = Prepared(
    select(audit_entry.c.subject).where(
        audit_entry.c.subject == bindparam("of_subject"),
        audit_entry.c.event == literal_column("'exchange'"),
    ),
    "of_subject",
)
# From one chain to the next by the index, and not through all entries.
_HEADS = text(
    "WITH RECURSIVE found(chain) AS ("
    "SELECT min(chain) FROM audit_entry UNION ALL "
    "SELECT (SELECT min(e.chain) FROM audit_entry e WHERE e.chain > found.chain) FROM found WHERE found.chain IS NOT NULL"
    ") SELECT chain, (SELECT max(e.seq) FROM audit_entry e WHERE e.chain = found.chain) AS seq FROM found WHERE chain IS NOT NULL"
)


def insert(session: Session, rows: Iterable[Parameters]) -> None:
    """Entries, in the order of the table's columns."""
    session.run_many(_INSERT, rows)


def head(session: Session, chain: str) -> tuple[int, bytes] | None:
    """(seq, hash) of the last entry of a chain."""
    found = session.rows(_HEAD, (chain,))
    return None if not found else (found[0][0], bytes(found[0][1]))


def heads(session: Session) -> dict[str, int]:
    """The last seq of every chain."""
    return {row.chain: row.seq for row in session.execute(_HEADS)}


def is_entered(session: Session, exchange_id: str) -> bool:
    """Whether an exchange has its entry."""
    return bool(session.rows(_ENTERED, (exchange_id,)))


def lock_checkpoints(session: Session) -> None:
    """One at a time. On SQLite whoever writes is alone anyway."""
    if session.dialect == "postgresql":
        session.execute(text("LOCK TABLE audit_checkpoint IN SHARE ROW EXCLUSIVE MODE"))


def last_checkpoint(session: Session) -> Row | None:
    """The newest, in the order of the table's columns."""
    found = session.rows(_LAST_CHECKPOINT)
    return found[0] if found else None


def insert_checkpoint(session: Session, row: Parameters) -> None:
    session.run(_INSERT_CHECKPOINT, row)


def checkpoints(session: Session) -> Iterator[Row]:
    """All of them, oldest first."""
    last = None
    while True:
        statement = select(audit_checkpoint).order_by(audit_checkpoint.c.id).limit(PAGE)
        if last is not None:
            statement = statement.where(audit_checkpoint.c.id > last)
        found = session.execute(statement).all()
        yield from (tuple(row) for row in found)
        if len(found) < PAGE:
            return
        last = found[-1].id


def entries(session: Session, *, events: Sequence[str] = ()) -> Iterator[Row]:
    """All of them, chain by chain, each in its order; with `events` only those."""
    place: tuple[str, int] | None = None
    while True:
        statement = select(audit_entry).order_by(audit_entry.c.chain, audit_entry.c.seq).limit(PAGE)
        if events:
            statement = statement.where(audit_entry.c.event.in_(events))
        if place is not None:
            chain, seq = place
            statement = statement.where(
                or_(audit_entry.c.chain > chain, and_(audit_entry.c.chain == chain, audit_entry.c.seq > seq))
            )
        found = session.execute(statement).all()
        yield from (tuple(row) for row in found)
        if len(found) < PAGE:
            return
        place = (found[-1].chain, found[-1].seq)


def newest(
    session: Session,
    conditions: Sequence[ColumnElement[bool]],
    *,
    before: tuple[int, str, int] | None = None,
    limit: int | None = None,
    oldest_first: bool = False,
) -> Iterator[Row]:
    """Entries by time. `before`: (at, chain, seq) of the last one seen."""
    columns = (audit_entry.c.at, audit_entry.c.chain, audit_entry.c.seq)
    order = columns if oldest_first else tuple(column.desc() for column in columns)
    left = limit
    while left is None or left > 0:
        statement = select(audit_entry).where(*conditions).order_by(*order)
        statement = statement.limit(PAGE if left is None else min(left, PAGE))
        if before is not None:
            statement = statement.where(_after(before, oldest_first=oldest_first))
        found = session.execute(statement).all()
        yield from (tuple(row) for row in found)
        if len(found) < PAGE:
            return
        left = None if left is None else left - len(found)
        before = (found[-1].at, found[-1].chain, found[-1].seq)


def _after(place: tuple[int, str, int], *, oldest_first: bool) -> ColumnElement[bool]:
    from sqlalchemy import literal, tuple_

    here = tuple_(audit_entry.c.at, audit_entry.c.chain, audit_entry.c.seq)
    there = tuple_(*(literal(value) for value in place))
    return here > there if oldest_first else here < there


def conditions(
    *,
    event: str | None = None,
    who: str | None = None,
    subject: str | None = None,
    outcome: str | None = None,
    since: int | None = None,
    until: int | None = None,
) -> list[ColumnElement[bool]]:
    """`since` inclusive, `until` exclusive, stored moments."""
    found: list[ColumnElement[bool]] = [
        column == value
        for column, value in (
            (audit_entry.c.event, event),
            (audit_entry.c.who, who),
            (audit_entry.c.subject, subject),
            (audit_entry.c.outcome, outcome),
        )
        if value is not None
    ]
    if since is not None:
        found.append(audit_entry.c.at >= since)
    if until is not None:
        found.append(audit_entry.c.at < until)
    return found


def is_empty(session: Session) -> bool:
    """Whether nothing was ever entered."""
    return session.execute(select(audit_entry.c.seq).limit(1)).first() is None


def last_of(session: Session, event: str, subject: str) -> Row | None:
    """The newest entry of an event about a subject."""
    return next(newest(session, conditions(event=event, subject=subject), limit=1), None)


def newest_exchange(session: Session) -> int:
    """The number of the journal's last row; 0 for none."""
    found: int = session.execute(select(func.coalesce(func.max(journal.c.id), 0))).scalar_one()
    return found


def exchange_before(session: Session, exchange_ids: Sequence[str]) -> int:
    """The number of the journal's last row before these; where there are none of them, of the last one."""
    first = select(func.min(journal.c.id)).where(journal.c.exchange_id.in_(exchange_ids))
    found: int | None = session.execute(first).scalar_one()
    return newest_exchange(session) if found is None else found - 1


def newest_act(session: Session) -> int:
    found: int = session.execute(select(func.coalesce(func.max(act.c.id), 0))).scalar_one()
    return found


class NotEntered(NamedTuple):
    """A row of the journal without an entry; `began` and `ended` are stored moments."""

    id: int
    exchange_id: str
    began: int
    ended: int


def not_entered(session: Session, *, after: int, until: int, limit: int = PAGE) -> list[NotEntered]:
    """Rows of the journal without an entry, with numbers above `after`, to `until`."""
    entered = and_(
        audit_entry.c.subject == journal.c.exchange_id, audit_entry.c.event == literal_column("'exchange'")
    )
    statement = (
        select(
            journal.c.id,
            journal.c.exchange_id,
            journal.c.received_at,
            journal.c.received_at + journal.c.duration,
        )
        .select_from(journal.outerjoin(audit_entry, entered))
        .where(journal.c.id > after, journal.c.id <= until, audit_entry.c.subject.is_(None))
        .order_by(journal.c.id)
        .limit(limit)
    )
    return [NotEntered(*row) for row in session.execute(statement)]


def began_before(session: Session, number: int) -> int | None:
    """When the exchange began that was journaled before that number; None for the first."""
    statement = (
        select(journal.c.received_at).where(journal.c.id < number).order_by(journal.c.id.desc()).limit(1)
    )
    return session.execute(statement).scalar_one_or_none()


def exchanges_to(session: Session, number: int) -> int:
    """How many rows the journal has up to a number."""
    found: int = session.execute(select(func.count()).where(journal.c.id <= number)).scalar_one()
    return found


def acts(session: Session) -> Iterator[tuple[int, NewAct]]:
    """All acts with their numbers, in their order."""
    for row in session.execute(select(act).order_by(act.c.id)).mappings():
        yield row["id"], NewAct(**{name: row[name] for name in NewAct._fields})


def event_of(session: Session, chain: str, seq: int) -> str | None:
    """What an entry is about; None where there is no such entry."""
    at_place = (audit_entry.c.chain == chain, audit_entry.c.seq == seq)
    return session.execute(select(audit_entry.c.event).where(*at_place)).scalar_one_or_none()


def erase(session: Session, places: Sequence[tuple[str, int]]) -> int:
    """Take out of entries what can be read; how many."""
    count = 0
    for chain, seq in places:
        result: Any = session.execute(
            update(audit_entry)
            .where(audit_entry.c.chain == chain, audit_entry.c.seq == seq)
            .values(who=null(), subject=null(), outcome=null(), about=null(), salt=null())
        )
        count += int(result.rowcount)
    return count
