"""What people do to deliveries by hand, as statements, and the record of it.

Whoever changes an entry has locked its key before (`outbox.lock`), and every change writes down who did it and why in the
same transaction. A partner's gate is in `gates`.

Functions take the session of the transaction they belong to.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import bindparam, func, literal, literal_column, null, select, update

from bridge.store.clock import moment, stored
from bridge.store.deliveries import OutboxEntry, entry_of
from bridge.store.journal import storable
from bridge.store.outbox import KEY_NAMES, OF_KEY
from bridge.store.session import Session
from bridge.store.statements import Prepared, insertion
from bridge.store.tables import act, attempt, ordering_key, outbox


class NewAct(NamedTuple):
    """What somebody did; `before` and `after` are states. The table's columns, without the id that the database gives."""

    at: int
    who: str
    why: str
    verb: str
    partner: str | None = None
    ordering_key: str | None = None
    entry_id: str | None = None
    exchange_id: str | None = None
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What somebody did by hand."""

    id: int
    at: datetime
    who: str
    why: str
    verb: str
    partner: str | None
    ordering_key: str | None
    entry_id: str | None
    exchange_id: str | None
    before: str | None
    after: str | None


_RECORD = insertion(act, NewAct)
_AGAIN = Prepared(
    update(outbox)
    .where(outbox.c.id == bindparam("of_id"))
    .values(
        state=literal_column("'waiting'"),
        aside=literal_column("0"),
        tries=literal_column("0"),
        asked=literal_column("0"),
        since=bindparam("of_now"),
        changed_at=bindparam("of_time"),
        settled_at=null(),
        cause=bindparam("new_cause"),
        reason=bindparam("new_reason"),
    ),
    "of_now",
    "of_time",
    "new_cause",
    "new_reason",
    "of_id",
)
_SET_KEY = Prepared(
    update(ordering_key)
    .where(*OF_KEY)
    .values(state=bindparam("new_state"), due_at=bindparam("new_due"), held_because=bindparam("new_because")),
    "new_state",
    "new_due",
    "new_because",
    *KEY_NAMES,
)
# Whoever held the lease comes with an older number, and is fenced off.
_FENCE = Prepared(
    update(ordering_key)
    .where(*OF_KEY)
    .values(lease_owner=null(), lease_until=null(), lease_no=ordering_key.c.lease_no + literal_column("1")),
    *KEY_NAMES,
)
_DOUBTFUL = Prepared(
    select(func.count())
    .select_from(attempt)
    .where(
        attempt.c.outbox_id == bindparam("of_id"),
        attempt.c.outcome.is_(None)
        | attempt.c.outcome.in_([literal_column(f"'{name}'") for name in ("InDoubt", "DeliveredUnreadable")]),
    ),
    "of_id",
)
_LAST_ACT = Prepared(
    select(act.c.who, act.c.verb, act.c.at)
    .where(act.c.entry_id == bindparam("of_entry"))
    .order_by(act.c.id.desc())
    .suffix_with("LIMIT 1"),
    "of_entry",
)


def record(session: Session, done: NewAct) -> None:
    """Write down what somebody did."""
    done = done._replace(who=storable(done.who), why=storable(done.why))
    session.told.append(done)
    session.run(_RECORD, done)


def acts(
    session: Session,
    *,
    entry_id: str | None = None,
    partner: str | None = None,
    ordering_key: str | None = None,
    who: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int = 50,
) -> tuple[Act, ...]:
    """What was done by hand, newest first, at most `limit`; of one entry, also what was done to its key or partner is not."""
    conditions = [
        column == value
        for column, value in (
            (act.c.entry_id, entry_id),
            (act.c.partner, partner),
            (act.c.ordering_key, ordering_key),
            (act.c.who, who),
        )
        if value is not None
    ]
    if since is not None:
        conditions.append(act.c.at >= stored(since))
    if until is not None:
        conditions.append(act.c.at < stored(until))
    if before is not None:
        conditions.append(act.c.id < before)
    statement = select(*act.columns).where(*conditions).order_by(act.c.id.desc()).limit(limit)
    return tuple(
        Act(**(dict(row._mapping) | {"at": moment(row._mapping["at"])})) for row in session.execute(statement)
    )


def last_act(session: Session, entry_id: str) -> tuple[str, str, datetime] | None:
    """(who, verb, when) of the last thing done to an entry by hand."""
    rows = session.rows(_LAST_ACT, (entry_id,))
    return (rows[0][0], rows[0][1], moment(rows[0][2])) if rows else None


def by_ids(session: Session, ids: list[int]) -> dict[int, OutboxEntry]:
    """Entries as they are now; whoever has locked their keys has them to themselves."""
    columns = [column for column in outbox.columns if column.name not in {"headers", "payload"}]
    rows = session.execute(select(*columns).where(outbox.c.id.in_(ids)))
    return {entry.id: entry for entry in map(entry_of, rows)}


def send_again(
    session: Session, entry_id: int, *, now: int, cause: str | None = None, reason: str | None = None
) -> None:
    """Make an entry wait as if it had just been put in: tries and age are counted anew, and the rest of its key waits for it."""
    session.run(_AGAIN, (now, now, cause, reason, entry_id))


def set_aside(session: Session, entry_id: int, *, now: int) -> None:
    """Let the rest of its key go ahead of an entry."""
    session.execute(update(outbox).where(outbox.c.id == entry_id).values(aside=1, changed_at=now))


def set_key(
    session: Session, partner: str, name: str, state: str, *, due_at: int, because: str | None = None
) -> None:
    """What a locked key is from now on; its lease stays as it is."""
    session.run(_SET_KEY, (state, due_at, because and storable(because), partner, name))


def fence(session: Session, partner: str, name: str) -> None:
    """Take the lease of a locked key away from a process that has died."""
    session.run(_FENCE, (partner, name))


def may_have_been_done(session: Session, entry_id: int) -> bool:
    """Whether one of its attempts may have been processed by the partner: it ended in doubt, done but unreadable, or not at
    all."""
    return bool(session.rows(_DOUBTFUL, (entry_id,))[0][0])


def held_in(session: Session, partner: str, name: str) -> list[OutboxEntry]:
    """The entries of a key that a person or the doubt keeps: held, or in doubt and not aside; in the key's order."""
    columns = [column for column in outbox.columns if column.name not in {"headers", "payload"}]
    statement = (
        select(*columns)
        .where(
            outbox.c.partner == partner,
            outbox.c.ordering_key == name,
            outbox.c.settled_at.is_(None),
            outbox.c.aside == 0,
            outbox.c.state.in_(("held", "in_doubt")),
        )
        .order_by(outbox.c.seq)
    )
    return [entry_of(row) for row in session.execute(statement)]


def waiting_keys(session: Session, partner: str, *, after: str, now: int, most: int) -> list[str]:
    """Keys of a partner that are to be looked at later than now, those after `after`; not locked."""
    statement = (
        select(ordering_key.c.ordering_key)
        .where(
            ordering_key.c.partner == partner,
            ordering_key.c.ordering_key > after,
            ordering_key.c.state == literal("active", literal_execute=True),
            ordering_key.c.due_at > now,
        )
        .order_by(ordering_key.c.ordering_key)
        .limit(most)
    )
    return list(session.execute(statement).scalars())
