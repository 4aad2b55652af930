"""The journal's rows of exchanges that ended without a transaction of their own."""

from __future__ import annotations

import logging
import threading
from datetime import datetime

from bridge.store.database import Store
from bridge.store.journal import ExchangeRecord, record

log = logging.getLogger(__name__)


class RefusalJournal:
    """Journals what ended without a transaction: refusals, faults, failures. Never raises.

    At most `most` rows a minute (the setting journal.refused_per_minute): a client gone wrong must not fill the disk, nor hold the
    store's writers. What is left out is counted and logged. Our own failures are always written.
    """

    def __init__(self, store: Store, *, most: int) -> None:
        self.store = store
        self.most = most
        self.lock = threading.Lock()
        self.minute = 0
        self.written = 0
        self.left_out = 0
        self.dropped = 0
        """Rows that were not written, from the start on."""

    def write(self, row: ExchangeRecord) -> None:
        if row.verdict in ("refused", "invalid_request") and not self._admits(row.received_at):
            return
        try:
            with self.store.transaction() as transaction:
                record(transaction.session, row)
        except Exception:
            with self.lock:
                self.dropped += 1
            about = {"exchange": row.exchange_id}
            log.exception("exchange %s (%s) is not journaled", row.exchange_id, row.verdict, extra=about)

    def _admits(self, moment: datetime) -> bool:
        minute = int(moment.timestamp() // 60)
        with self.lock:
            if minute != self.minute:
                if self.left_out:
                    log.warning(
                        "%d refused requests of the last minute are not in the journal", self.left_out
                    )
                self.minute, self.written, self.left_out = minute, 0, 0
            if self.written >= self.most:
                self.left_out += 1
                self.dropped += 1
                return False
            self.written += 1
            return True
