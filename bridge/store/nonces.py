"""What may be used once: nonces and signatures, by their digests, for all processes and hosts that share the database.

Written before the handler runs, by a transaction of its own that waits for no disk (`Store.write_lightly`): whatever is committed
after it takes it along to the disk, so that what a message did is never kept without its nonce.
"""

from __future__ import annotations

import threading
import time
from typing import NamedTuple

from sqlalchemy import delete, select

from bridge.store.clock import SECOND, Clock
from bridge.store.database import Store
from bridge.store.statements import insertion
from bridge.store.tables import nonce as table

SWEEP_SECONDS = 30.0
"""How often one process removes what is too old anyway."""

SWEPT = 2000
"""Rows removed in one go: it is a request that does it."""


class _Row(NamedTuple):
    nonce: bytes
    until: int


_INSERT = insertion(table, _Row, unless_there=("nonce",))
_TOO_OLD = (
    select(table.c.nonce)
    .where(table.c.until < Clock())
    .order_by(table.c.until)
    .limit(SWEPT)
    .with_for_update(skip_locked=True)
)


class Nonces:
    """Remembers what was used. Safe to use from several threads and processes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sweep_at = 0.0
        self._lock = threading.Lock()

    def use(self, nonce: bytes, until: float) -> bool:
        """Whether this is the first time; of any number at once, one. Kept until `until` (seconds since 1970).

        Raises:
            StoreError: it cannot be known.
        """
        first = self._store.write_lightly(_INSERT, (nonce, int(until * SECOND))) == 1
        if self._is_due():
            with self._store.transaction() as transaction:
                transaction.session.execute(delete(table).where(table.c.nonce.in_(_TOO_OLD)))
        return first

    def _is_due(self) -> bool:
        with self._lock:
            now = time.monotonic()
            due = now >= self._sweep_at
            if due:
                self._sweep_at = now + SWEEP_SECONDS
            return due
