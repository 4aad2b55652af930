"""The store: an SQLite file or a PostgreSQL database that owns the truth and the order.

    store = Store("sqlite:////var/lib/bridge/bridge.sqlite")
    store.migrate()

    with store.transaction() as transaction:            # nothing is opened yet
        transaction.session.execute(insert(table)...)   # the write transaction begins here
        journal.record(transaction.session, record)     # same transaction
                                                        # leaving commits; an exception rolls back
    with store.reading() as session: ...                # a snapshot, no lock
    store.run(work)                                     # work(transaction), again on a serialisation failure
    store.journal.list(...), .show(...), .find(...)

`session` is SQLAlchemy's Session with four methods more (`session.py`). What a request needs is therefore one
`Transaction` kept for its length: `call.session` is `transaction.session`, `call.reading` is
`transaction.reading`, `transaction.is_open` tells that nobody may wait for a partner now, and a declared fault is
`transaction.rollback()`, after which the journal is written to the same object, in a new transaction.

Everything kept is an integer, a text or bytes, the same on both databases: times are microseconds since 1970 UTC,
amounts and quantities are scaled integers.
"""

from __future__ import annotations

from bridge.store import (
    reconciliation_tables,  # noqa: F401 - puts its tables into the metadata
    sync_tables,  # noqa: F401 - puts its tables into the metadata
    token_tables,  # noqa: F401 - puts its table into the metadata
)
from bridge.store.database import Store
from bridge.store.journal import Direction, Entry, ExchangeRecord, Journal, Verdict
from bridge.store.session import Session, Transaction

__all__ = [
    "Direction",
    "Entry",
    "ExchangeRecord",
    "Journal",
    "Session",
    "Store",
    "Transaction",
    "Verdict",
]
