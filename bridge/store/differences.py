"""Runs of reconciliation and the differences they found, as statements. What they mean is `bridge.reconciliation`.

Functions take the session of the transaction they belong to.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import Row, func, insert, select, update

from bridge.store.cipher import open_text, place, seal_text
from bridge.store.clock import host_clock, moment
from bridge.store.journal import storable
from bridge.store.reconciliation_tables import difference, reconciliation
from bridge.store.session import Session
from bridge.store.tables import attempt, outbox

Outcome = Literal["same", "different", "failed"]
DifferenceState = Literal["open", "repaired", "dismissed"]


class NewDifference(NamedTuple):
    """What a run found. `content` is what differs and what both sides have, as JSON."""

    kind: str
    cause: str
    record_key: str
    source_id: str | None
    target_id: str | None
    delivery: str | None
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run of a rule, for people. `outcome` is None while it runs, or where its process died."""

    id: int
    rule: str
    source: str
    target: str
    first_day: str | None
    last_day: str | None
    started_at: datetime
    ended_at: datetime | None
    outcome: Outcome | None
    reason: str | None
    figures: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceRow:
    """A difference as it stands. `delivery` and `repair` are entries of the outbox."""

    id: int
    reconciliation_id: int
    kind: str
    cause: str
    record_key: str
    source_id: str | None
    target_id: str | None
    state: DifferenceState
    delivery: str | None
    repair: str | None
    decided_at: datetime | None
    decided_by: str | None
    decided_why: str | None
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class LastDelivery:
    """The newest entry of a key: its state, when it was settled, and the exchange of its last attempt."""

    entry_id: str
    state: str
    operation: str
    settled_at: datetime | None
    exchange_id: str | None
    reason: str | None


def begin(
    session: Session, rule: str, source: str, target: str, window: tuple[str | None, str | None]
) -> int:
    """Write a run down; its number."""
    values = {
        "rule": rule,
        "source": source,
        "target": target,
        "first_day": window[0],
        "last_day": window[1],
        "started_at": host_clock(),
    }
    made: int = session.execute(
        insert(reconciliation).values(values).returning(reconciliation.c.id)
    ).scalar_one()
    return made


def end(session: Session, run: int, outcome: Outcome, reason: str | None, figures: Mapping[str, Any]) -> None:
    """Write down what became of a run."""
    values = {
        "ended_at": host_clock(),
        "outcome": outcome,
        "reason": None if reason is None else storable(reason)[:4000],
        "figures": json.dumps(figures),
    }
    session.execute(update(reconciliation).where(reconciliation.c.id == run).values(values))


def put(session: Session, run: int, found: Iterable[NewDifference]) -> None:
    """Keep what a run found."""
    rows = [
        {
            **one._asdict(),
            "reconciliation_id": run,
            "state": "open",
            "content": seal_text(session.cipher, storable(one.content), place("difference", "content", run)),
        }
        for one in found
    ]
    if rows:
        session.execute(insert(difference), rows)


def runs(session: Session, *, rule: str | None = None, limit: int = 20) -> list[RunRow]:
    """Runs, newest first."""
    query = select(reconciliation).order_by(reconciliation.c.id.desc()).limit(limit)
    if rule is not None:
        query = query.where(reconciliation.c.rule == rule)
    return [_run(row) for row in session.execute(query)]


def run_of(session: Session, run: int) -> RunRow | None:
    """The run of this number; None where there is none."""
    row = session.execute(select(reconciliation).where(reconciliation.c.id == run)).first()
    return None if row is None else _run(row)


def differences(
    session: Session,
    run: int,
    *,
    states: Sequence[DifferenceState] = (),
    cause: str | None = None,
    after: int = 0,
    limit: int = 100,
) -> list[DifferenceRow]:
    """What a run found, oldest first. `after`: the next page, the id of the last one seen."""
    query = (
        select(difference)
        .where(difference.c.reconciliation_id == run, difference.c.id > after)
        .order_by(difference.c.id)
        .limit(limit)
    )
    if states:
        query = query.where(difference.c.state.in_(states))
    if cause is not None:
        query = query.where(difference.c.cause == cause)
    return [_difference(row, session) for row in session.execute(query)]


def difference_of(session: Session, number: int, *, lock: bool = False) -> DifferenceRow | None:
    """The difference of this number, locked for a decision where asked; None where there is none."""
    query = select(difference).where(difference.c.id == number)
    row = session.execute(query.with_for_update() if lock else query).first()
    return None if row is None else _difference(row, session)


def decide(
    session: Session, number: int, state: DifferenceState, *, who: str, why: str, repair: str | None = None
) -> None:
    """Write down what was done about a difference."""
    values = {
        "state": state,
        "repair": repair,
        "decided_at": host_clock(),
        "decided_by": storable(who),
        "decided_why": storable(why),
    }
    session.execute(update(difference).where(difference.c.id == number).values(values))


def last_deliveries(session: Session, partner: str, ordering_keys: Sequence[str]) -> dict[str, LastDelivery]:
    """The newest entry for a partner of each of these ordering keys that has any."""
    newest = (
        select(outbox.c.ordering_key, func.max(outbox.c.seq).label("seq"))
        .where(outbox.c.partner == partner, outbox.c.ordering_key.in_(ordering_keys))
        .group_by(outbox.c.ordering_key)
        .subquery()
    )
    tried = (
        select(attempt.c.exchange_id)
        .where(attempt.c.outbox_id == outbox.c.id, attempt.c.number == outbox.c.attempts)
        .scalar_subquery()
    )
    columns = (
        outbox.c.ordering_key, outbox.c.entry_id, outbox.c.state, outbox.c.operation, outbox.c.settled_at,
        tried.label("exchange_id"), outbox.c.reason,
    )  # fmt: skip
    query = select(*columns).where(
        outbox.c.partner == partner,
        outbox.c.ordering_key == newest.c.ordering_key,
        outbox.c.seq == newest.c.seq,
    )
    return {
        row.ordering_key: LastDelivery(
            entry_id=row.entry_id,
            state=row.state,
            operation=row.operation,
            settled_at=None if row.settled_at is None else moment(row.settled_at),
            exchange_id=row.exchange_id,
            reason=row.reason,
        )
        for row in session.execute(query)
    }


def _run(row: Row[Any]) -> RunRow:
    fields = dict(row._mapping)
    fields["figures"] = json.loads(fields["figures"]) if fields["figures"] else {}
    for name in ("started_at", "ended_at"):
        fields[name] = None if fields[name] is None else moment(fields[name])
    return RunRow(**fields)


def _difference(row: Row[Any], session: Session) -> DifferenceRow:
    fields = dict(row._mapping)
    where = place("difference", "content", fields["reconciliation_id"])
    fields["content"] = json.loads(open_text(session.cipher, fields["content"], where) or "{}")
    fields["decided_at"] = None if fields["decided_at"] is None else moment(fields["decided_at"])
    return DifferenceRow(**fields)
