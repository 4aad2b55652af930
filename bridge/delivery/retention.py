"""What is kept no longer than it is set to (`[retention]`, `idempotency.keep`), removed a little at a time while serving.

Each transaction is short, after each there is a pause, and a run ends after a while: what it leaves, the next one finds. It is
a schedule of every process that works, so that it runs once for all of them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from bridge.delivery.due import Every
from bridge.delivery.schedules import Firing, Schedule
from bridge.settings import Settings
from bridge.store import Store
from bridge.store import retention as rows
from bridge.store.clock import SECOND
from bridge.store.schedules import clock

log = logging.getLogger(__name__)

NAME: Final = "retention"
"""Of the schedule."""

EVERY_SECONDS: Final = 300.0
PAUSE_SECONDS: Final = 0.1
"""Between two transactions: others write meanwhile."""
RUN_SECONDS: Final = 60.0
"""A run begins nothing more after this."""
SUDDEN_SECONDS: Final = 3600.0
"""A clock that is further from where it should be than this was set, perhaps wrongly."""
WAIT_SECONDS: Final = 86_400.0
"""So long is nothing removed after that."""

_DAY: Final = 86_400 * SECOND


Removing = Callable[[Sequence[str]], object]
"""Told of exchanges before they are removed from the journal; raises where they may not be."""


def schedule(store: Store, settings: Settings, removing: Removing = lambda _: None) -> Schedule:
    """The schedule that removes what is no longer kept."""
    steady = SteadyClock()

    def work(firing: Firing) -> None:
        with store.reading() as session:
            now = clock(session)
        if not steady.trusts(now, time.monotonic()):
            log.warning("nothing is removed for a day: the clock was set by more than an hour")
            return
        removed = remove(store, settings, removing=removing, stopping=lambda: firing.is_stopping)
        counts = {name: count for name, count in removed.items() if count}
        if counts:
            log.info("no longer kept: %s", ", ".join(f"{count} {name}" for name, count in counts.items()))

    return Schedule(NAME, Every(EVERY_SECONDS), work)


def remove(
    store: Store,
    settings: Settings,
    *,
    removing: Removing = lambda _: None,
    seconds: float | None = RUN_SECONDS,
    pause: float = PAUSE_SECONDS,
    stopping: Callable[[], bool] = lambda: False,
) -> dict[str, int]:
    """Remove what is no longer kept; how many rows of each kind.

    Args:
        seconds: begins nothing more after this; None: goes on to the end.
        pause: seconds between two transactions.
    """
    until = None if seconds is None else time.monotonic() + seconds
    removed: dict[str, int] = {}
    for kind in _kinds(store, settings, removing):
        removed[kind.name] = 0
        while not stopping() and (until is None or time.monotonic() < until):
            some = kind.remove(store)
            if not some:
                break
            removed[kind.name] += some
            time.sleep(pause)
    return removed


def count(store: Store, settings: Settings) -> dict[str, int]:
    """How many rows of each kind `remove` would remove now; `ordering keys` are those that go with the entries."""
    kinds = _kinds(store, settings)
    with store.reading() as session:
        counts = {kind.name: kind.count(session) for kind in kinds}
        entries = [kind for kind in kinds if isinstance(kind, rows.Entries)]
        return counts | {"ordering keys": rows.count_keys(session, entries)}


def _kinds(store: Store, settings: Settings, removing: Removing = lambda _: None) -> list[rows.Kind]:
    with store.reading() as session:
        now = clock(session)
    kept = settings.retention
    kinds: list[rows.Kind] = [rows.Answers(_before(now, settings.idempotency.keep))]
    if kept.delivered:
        kinds.append(rows.Entries(_before(now, kept.delivered), delivered=True))
    if kept.undelivered:
        kinds.append(rows.Entries(_before(now, kept.undelivered), delivered=False))
        kinds.append(rows.problems(_before(now, kept.undelivered)))
    if kept.journal:
        kinds.append(rows.Journal(_before(now, kept.journal), removing))
        kinds.extend(rows.reconciliations(_before(now, kept.journal)))
    if kept.firings:
        kinds.append(rows.firings(_before(now, kept.firings)))
    if kept.notifications:
        kinds.append(rows.notifications(_before(now, kept.notifications)))
    return kinds


def _before(now: int, days: float) -> int:
    return now - int(days * _DAY)


class SteadyClock:
    """Whether a clock can be trusted to remove by: one that was set forward by years makes everything old at once.

    It is compared with the monotonic clock of this process. One that jumped is not trusted for a day, in which NTP or a person
    sets it right; who says nothing for a day means it.
    """

    def __init__(self) -> None:
        self._anchor: tuple[float, float] | None = None
        self._distrusted_until: float | None = None

    def trusts(self, now: int, monotonic: float) -> bool:
        """`now` in microseconds, `monotonic` in seconds."""
        wall = now / SECOND
        if self._anchor is None:
            self._anchor = (wall, monotonic)
        began, began_monotonic = self._anchor
        if abs((wall - began) - (monotonic - began_monotonic)) <= SUDDEN_SECONDS:
            self._distrusted_until = None
            return True
        if self._distrusted_until is None:
            self._distrusted_until = monotonic + WAIT_SECONDS
        if monotonic < self._distrusted_until:
            return False
        self._anchor, self._distrusted_until = (wall, monotonic), None
        return True
