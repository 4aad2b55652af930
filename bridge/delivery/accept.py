"""Documents are accepted for partners: put into the outbox in the transaction of whatever makes them necessary."""

from __future__ import annotations

import logging
from functools import partial

from bridge.delivery import points
from bridge.store import Session, Store, Transaction
from bridge.store.outbox import NewEntry, put

log = logging.getLogger(__name__)


def accept(store: Store, transaction: Transaction, entry: NewEntry) -> None:
    """Have the entry put into the outbox as the last thing before the commit, and runners woken after it.

    All entries of a transaction are put in the order of (partner, ordering_key), each key's in the order given here: two
    transactions with the same keys do not wait for each other.
    """
    transaction.before_commit((entry.partner, entry.ordering_key), partial(_put, entry=entry))
    transaction.after_commit(partial(_wake, store, entry.partner))


def _put(session: Session, *, entry: NewEntry) -> None:
    put(session, entry)
    points.reached("accepted")


def _wake(store: Store, partner: str) -> None:
    """Wakes the runners of this process; PostgreSQL tells those of others, SQLite's see that the file has changed."""
    points.reached("committed")
    for wake in store.wakers:
        try:
            wake(partner)
        except Exception:  # the document is stored, and a runner's next look finds it
            log.exception("a runner could not be woken")
