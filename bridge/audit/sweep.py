"""What processes have left without an entry because they died: found by looking, entered, and marked as found so.

Only exchanges of processes that have begun a chain and not ended it. A row of the journal that no process can have left is not entered,
so that `verify` names it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from bridge import ids
from bridge.audit import chain
from bridge.store import Session
from bridge.store import audit as rows
from bridge.store.clock import SECOND, host_clock

if TYPE_CHECKING:
    from bridge.audit.trail import Trail

EVERY_SECONDS: Final = 60.0

GRACE_SECONDS: Final = 300
"""So long after its end a process may still enter an exchange itself: its store may have been away."""

LONGEST_SECONDS: Final = 600
"""An exchange that began so much earlier than the one journaled before it was not journaled when it ended."""


class Sweep:
    """Looks now and then; for the thread of one trail."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        self._at = 0.0
        self._known: dict[str, bool] = {}

    def __call__(self) -> None:
        """Raises as the store does; the next look finds the same."""
        if time.monotonic() < self._at:
            return
        self._at = time.monotonic() + EVERY_SECONDS
        self.look()

    def look(self, *, grace: int = GRACE_SECONDS) -> int:
        """Look once; how many exchanges are entered now."""
        trail = self._trail
        count = 0
        while True:
            with trail.store.reading() as session:
                if trail.swept is None:
                    trail.swept = _begin(session)
                newest = rows.newest_exchange(session)
                found = rows.not_entered(session, after=trail.swept, until=newest)
                settled = [row for row in found if row.ended < host_clock() - grace * SECOND]
                self._known.clear()
                mine = [row for row in settled if self._is_left(session, row)]
            for row in mine:
                trail.enter_found(row.exchange_id)
            count += len(mine)
            waits = len(settled) < len(found)
            trail.swept = found[len(settled)].id - 1 if waits else found[-1].id if found else newest
            if waits or not found:
                return count

    def _is_left(self, session: Session, row: rows.NotEntered) -> bool:
        process = ids.process_of(row.exchange_id)
        if process == self._trail.process and not self._trail.left_out:
            return False  # it knows what it did
        if process not in self._known:
            self._known[process] = _may_have_died(session, process)
        before = rows.began_before(session, row.id)
        return self._known[process] and (before is None or row.began > before - LONGEST_SECONDS * SECOND)


def _may_have_died(session: Session, process: str) -> bool:
    """Whether it has a chain that does not end with its stop."""
    if not process:
        return False
    return any(
        rows.event_of(session, name, seq) != "stopped"
        for name, seq in rows.heads(session).items()
        if name.startswith(f"{process}-")
    )


def _begin(session: Session) -> int:
    """Up to which number of the journal others have looked; else where the trail began."""
    last = rows.last_checkpoint(session)
    if last is not None and (swept := chain.Checkpoint(*last).swept):
        return swept
    return exchanges_before(session)


def exchanges_before(session: Session) -> int:
    """The last number of the journal that was there before the trail, which does not cover it."""
    for row in rows.entries(session, events=("started",)):
        details = chain.Entry(*row).details
        if details.get("first") is True:
            return int(details.get("exchanges", 0))
    return 0
