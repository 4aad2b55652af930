"""What is no longer kept, kind by kind: which rows, how many, and removing some of them.

Removed is only what has ended. Never: an entry that is open (waiting, sending, in doubt, held) with its attempts, a request that
nobody has answered, the journal of either, a firing that runs, and anything that people did (`act`).

Rows are chosen in a read transaction, which nobody waits for, and removed in a short one, by their numbers, if they are still
what they were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol

from sqlalchemy import (
    ColumnElement,
    Table,
    and_,
    delete,
    exists,
    func,
    literal_column,
    or_,
    select,
    tuple_,
    union_all,
)

from bridge.store import idempotency as records
from bridge.store.clock import SECOND, Clock
from bridge.store.database import Store
from bridge.store.reconciliation_tables import difference, reconciliation
from bridge.store.session import Session
from bridge.store.sync_tables import flow_problem
from bridge.store.tables import attempt, firing, idempotency, journal, notification, ordering_key, outbox

ROWS: Final = 500
"""Rows removed in one transaction at most."""

BYTES: Final = 4 * 1024 * 1024
"""Bytes of messages after which a transaction takes no further row."""

_DAY: Final = 86_400 * SECOND
_DELIVERED = outbox.c.state == literal_column("'delivered'")
_UNANSWERED = idempotency.c.state != literal_column("'answered'")  # as the partial index says it


class Kind(Protocol):
    """One kind of row, with the moment before which it is no longer kept. For one run."""

    name: str

    def count(self, session: Session) -> int:
        """How many rows may go."""
        ...

    def remove(self, store: Store) -> int:
        """Remove some; how many. 0: there is nothing left that may go now."""
        ...


class Journal:
    """Exchanges, but not those that tell about something that is still open: whoever settles it needs them.

    Args:
        removing: told of exchanges before they are removed, which they are not where it raises.
    """

    name = "journal"

    def __init__(self, before: int, removing: Callable[[Sequence[str]], object] = lambda _: None) -> None:
        self._before = before
        self._removing = removing
        self._position = (0, 0)
        self._needed: frozenset[str] | None = None

    def count(self, session: Session) -> int:
        expired = journal.c.received_at < self._before
        found: int = session.execute(select(func.count(journal.c.id)).where(expired)).scalar_one()
        needed = self._find_needed(session)
        return found - sum(
            session.execute(
                select(func.count(journal.c.id)).where(expired, journal.c.exchange_id.in_(some))
            ).scalar_one()
            for some in _in_portions(sorted(needed))
        )

    def remove(self, store: Store) -> int:
        while True:
            with store.reading() as session:
                if self._needed is None:
                    self._needed = self._find_needed(session)
                found = session.execute(self._next()).all()
            if not found:
                return 0
            chosen = _up_to_bytes(found)
            self._position = (found[len(chosen) - 1].received_at, found[len(chosen) - 1].id)
            going = [row.exchange_id for row in chosen if row.exchange_id not in self._needed]
            if going:
                self._removing(going)
                with store.transaction() as transaction:
                    remove_exchanges(transaction.session, going)
                return len(going)

    def _next(self) -> Any:
        size = func.coalesce(func.length(journal.c.request), 0) + func.coalesce(
            func.length(journal.c.reply), 0
        )
        place = tuple_(journal.c.received_at, journal.c.id)
        return (
            select(journal.c.id, journal.c.exchange_id, journal.c.received_at, size.label("size"))
            .where(journal.c.received_at < self._before, place > self._position)
            .order_by(journal.c.received_at, journal.c.id)
            .limit(ROWS)
        )

    def _find_needed(self, session: Session) -> frozenset[str]:
        # What began a day after that cannot have exchanges from before it.
        return needed(session, self._before + _DAY)


def needed(session: Session, began: int) -> frozenset[str]:
    """The exchanges that tell about something that began before that and is still open."""
    open_entry = and_(outbox.c.settled_at.is_(None), outbox.c.created_at < began)
    of_open = union_all(
        select(outbox.c.exchange_id).where(open_entry, outbox.c.exchange_id.is_not(None)),
        select(attempt.c.exchange_id).join(outbox).where(open_entry),
        select(idempotency.c.exchange_id).where(_UNANSWERED, idempotency.c.created_at < began),
    )
    return frozenset(session.execute(of_open).scalars())


def remove_exchanges(session: Session, exchange_ids: Sequence[str]) -> None:
    """Remove them from the journal."""
    session.execute(delete(journal).where(journal.c.exchange_id.in_(exchange_ids)))


class Answers:
    """Answers that a repeat no longer gets (`idempotency.keep`)."""

    name = "answers"

    def __init__(self, before: int) -> None:
        self._before = before

    def count(self, session: Session) -> int:
        expired = and_(idempotency.c.created_at < self._before, idempotency.c.state == "answered")
        found: int = session.execute(select(func.count(idempotency.c.id)).where(expired)).scalar_one()
        return found

    def remove(self, store: Store) -> int:
        with store.transaction() as transaction:
            return records.sweep(transaction.session, oldest=self._before, limit=ROWS)


class Entries:
    """Settled entries of the outbox with their attempts, and with the last one of a key its row: the next document of that key
    is its first again.

    Args:
        delivered: those that were delivered, or those that were not.
    """

    def __init__(self, before: int, *, delivered: bool) -> None:
        self.name = "delivered" if delivered else "undelivered"
        state = _DELIVERED if delivered else ~_DELIVERED
        self.expired: ColumnElement[bool] = and_(
            outbox.c.settled_at.is_not(None), outbox.c.settled_at < before, state
        )

    def count(self, session: Session) -> int:
        found: int = session.execute(select(func.count(outbox.c.id)).where(self.expired)).scalar_one()
        return found

    def remove(self, store: Store) -> int:
        statement = (
            select(
                outbox.c.id,
                outbox.c.partner,
                outbox.c.ordering_key,
                func.length(outbox.c.payload).label("size"),
            )
            .where(self.expired)
            .order_by(outbox.c.settled_at)
            .limit(ROWS)
        )
        with store.reading() as session:
            chosen = _up_to_bytes(session.execute(statement).all())
        if not chosen:
            return 0
        with store.transaction() as transaction:
            return self._remove(transaction.session, chosen)

    def _remove(self, session: Session, chosen: Sequence[Any]) -> int:
        place = tuple_(ordering_key.c.partner, ordering_key.c.ordering_key)
        keys = sorted({(row.partner, row.ordering_key) for row in chosen})
        # In the order in which everybody locks them. Whoever has one locked is at work on it: its entries go another time.
        locked = session.execute(
            select(ordering_key.c.partner, ordering_key.c.ordering_key)
            .where(place.in_(keys))
            .order_by(ordering_key.c.partner, ordering_key.c.ordering_key)
            .with_for_update(skip_locked=True)
        )
        mine = {tuple(row) for row in locked}
        ids = [row.id for row in chosen if (row.partner, row.ordering_key) in mine]
        if not ids:
            return 0
        removed = session.execute(delete(outbox).where(outbox.c.id.in_(ids), self.expired))
        session.execute(
            delete(ordering_key).where(
                place.in_(sorted(mine)), ordering_key.c.state == "idle", ~_has_entries()
            )
        )
        return int(removed.rowcount)  # type: ignore[attr-defined]


class Rows:
    """Rows of a table that nothing else waits for.

    Args:
        expired: which of them may go; what holds of one does not change any more.
    """

    def __init__(self, name: str, table: Table, expired: ColumnElement[bool]) -> None:
        self.name = name
        self._table = table
        self._key = tuple_(*table.primary_key)
        self._expired = expired

    def count(self, session: Session) -> int:
        found = session.execute(select(func.count()).select_from(self._table).where(self._expired))
        return int(found.scalar_one())

    def remove(self, store: Store) -> int:
        with store.reading() as session:
            chosen = select(*self._table.primary_key).where(self._expired).limit(ROWS)
            keys = [tuple(row) for row in session.execute(chosen)]
        if keys:
            with store.transaction() as transaction:
                transaction.session.execute(delete(self._table).where(self._key.in_(keys)))
        return len(keys)


def firings(before: int) -> Rows:
    """Firings of schedules that have ended or were lost; the last one of each stays."""
    newest = select(func.max(firing.c.id)).group_by(firing.c.schedule)
    ended = or_(firing.c.ended_at.is_not(None), firing.c.lease_until < Clock())
    return Rows("firings", firing, and_(firing.c.started_at < before, ended, firing.c.id.not_in(newest)))


def problems(before: int) -> Rows:
    """Problems of flows that were solved or dismissed."""
    return Rows("problems", flow_problem, flow_problem.c.settled_at < before)


def notifications(before: int) -> Rows:
    """Ids of what partners told of their own accord."""
    return Rows("notifications", notification, notification.c.at < before)


def reconciliations(before: int) -> list[Rows]:
    """Runs of reconciliation, and first their differences; the last run of each rule stays."""
    newest = select(func.max(reconciliation.c.id)).group_by(reconciliation.c.rule)
    expired = and_(reconciliation.c.started_at < before, reconciliation.c.id.not_in(newest))
    runs = select(reconciliation.c.id).where(expired)
    return [
        Rows("differences", difference, difference.c.reconciliation_id.in_(runs)),
        Rows("reconciliations", reconciliation, expired),
    ]


def count_keys(session: Session, entries: Iterable[Entries]) -> int:
    """How many ordering keys go with these entries."""
    staying = exists().where(
        outbox.c.partner == ordering_key.c.partner,
        outbox.c.ordering_key == ordering_key.c.ordering_key,
        *(~kind.expired for kind in entries),
    )
    found: int = session.execute(
        select(func.count()).select_from(ordering_key).where(ordering_key.c.state == "idle", ~staying)
    ).scalar_one()
    return found


def _has_entries() -> ColumnElement[bool]:
    return exists().where(
        outbox.c.partner == ordering_key.c.partner, outbox.c.ordering_key == ordering_key.c.ordering_key
    )


def _up_to_bytes(found: Sequence[Any]) -> Sequence[Any]:
    """The first of these rows, until they are large enough together; one at least."""
    total = 0
    for number, row in enumerate(found, start=1):
        total += row.size
        if total >= BYTES:
            return found[:number]
    return found


def _in_portions(values: Sequence[str], size: int = 500) -> Iterable[Sequence[str]]:
    return (values[start : start + size] for start in range(0, len(values), size))
