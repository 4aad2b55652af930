"""Outgoing exchanges in the journal: each in a transaction of its own, after the call, without its secrets."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from bridge.contract.explain.violation import Violation
from bridge.errors import PartnerError, Refused
from bridge.store import ExchangeRecord, Store, Verdict
from bridge.store.journal import record

log = logging.getLogger(__name__)

_VERDICTS: Mapping[str, Verdict] = {
    "Refused": "refused",
    "Unpresentable": "invalid_request",
    "DeliveredUnreadable": "invalid_reply",
}


class OutgoingJournal:
    """Writes what became of calls. Never raises: the call was made, whatever becomes of its row.

    `store` gives the store, or None: then nothing is written. `keep` is the setting journal.keep_bodies.
    """

    def __init__(self, store: Callable[[], Store | None], keep: Literal["all", "refused", "none"]) -> None:
        self._store = store
        self._keep = keep

    def keeps(self, *, accepted: bool) -> bool:
        """Whether envelopes are wanted: making them fit to be kept costs something."""
        return self._keep == "all" or (self._keep == "refused" and not accepted)

    def write(self, row: ExchangeRecord) -> None:
        try:
            store = self._store()
            if store is None:
                return
            with store.transaction() as transaction:
                record(transaction.session, row)
        except Exception:
            log.exception("exchange %s with %s could not be journaled", row.exchange_id, row.partner)


def verdict_of(error: PartnerError | None) -> Verdict:
    """The journal's word: a declared fault is `fault`, what has no word of its own `failed`, its outcome the fault code."""
    if error is None:
        return "accepted"
    if isinstance(error, Refused) and error.name:
        return "fault"
    return _VERDICTS.get(error.outcome, "failed")


def violations_of(error: PartnerError | None) -> list[dict[str, object]]:
    """What a person looks for first in each violation."""
    found: Sequence[Violation] = getattr(error, "violations", ())
    return [
        {
            "kind": violation.kind,
            "path": violation.path,
            "line": violation.line,
            "found": violation.found,
            "expected": violation.expected,
            "message": violation.messages.get("en", ""),
        }
        for violation in found
    ]
