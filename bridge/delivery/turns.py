"""Whose turn it is: which keys of which partners the threads of one process drain. Pure; times are seconds of one clock.

Each partner has one thread that nobody else takes, and shares the others with the rest, never with more of its keys at
once than its `concurrency`. So a partner that is slow or dead leaves every other at least one thread.

Of each partner a batch of due keys is fetched, all of which have their turn before the next is: a key that always has
something cannot keep the others waiting. When to fetch is told here as well: at once after a wake-up, a moment after a
drain, when the next key is due, and no batch before the last one is used up.

Not for several threads at once.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

BATCH = 32
"""Keys of a partner that are fetched at once. Other processes fetch the same ones: who comes second finds them taken."""

AFTER_DRAIN = 0.02
"""Seconds from the end of a drain to the look for what it left to be done later: one look for many ends."""

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 300.0
"""Seconds that a key is left alone after its drain has failed: doubled each time."""

_REMEMBERED = 1000


@dataclass(slots=True)
class _Failing:
    times: int
    until: float


@dataclass(slots=True)
class _Line:
    """One partner: keys that wait for a thread, and those that have one."""

    most: int
    waiting: deque[str] = field(default_factory=deque)
    busy: set[str] = field(default_factory=set)
    look_at: float = 0.0
    not_before: float = 0.0
    failing: dict[str, _Failing] = field(default_factory=dict)

    @property
    def next_look(self) -> float:
        return math.inf if self.waiting else max(self.look_at, self.not_before)

    @property
    def shared(self) -> int:
        return max(0, len(self.busy) - 1)


class Turns:
    """
    Args:
        threads: how many documents one process sends at a time, where there is one partner; each further one adds its own.
        most: of each partner, how many of its keys are drained at the same time.
    """

    def __init__(self, threads: int, most: Mapping[str, int]) -> None:
        self._shared = threads - 1
        self._lines = {partner: _Line(max(1, limit)) for partner, limit in most.items()}
        self._order = deque(self._lines)

    @property
    def busy(self) -> int:
        """Keys that are being drained."""
        return sum(len(line.busy) for line in self._lines.values())

    @property
    def partners(self) -> list[str]:
        return list(self._lines)

    def wake(self, partner: str, now: float) -> bool:
        """There may be something for it; False where nobody knows this partner."""
        line = self._lines.get(partner)
        if line is None:
            return False
        line.look_at = min(line.look_at, now)
        return True

    def wake_all(self, now: float) -> None:
        for line in self._lines.values():
            line.look_at = min(line.look_at, now)

    def begin_looks(self, now: float) -> list[str]:
        """The partners whose due keys are to be fetched now. What wakes one of them from here on counts for a look after
        this one: it may have come too late for it."""
        found = [name for name, line in self._lines.items() if line.next_look <= now]
        for name in found:
            self._lines[name].look_at = math.inf
        return found

    def next_look(self) -> float:
        """When the next partner is to be looked at; infinite while there is nothing to look for."""
        return min((line.next_look for line in self._lines.values()), default=math.inf)

    def batch(self, partner: str) -> int:
        """How many due keys to fetch of it: those that are busy or left alone may be among them."""
        line = self._lines[partner]
        return BATCH + len(line.busy) + len(line.failing)

    def found(self, partner: str, keys: Sequence[str], now: float, *, next_in: float | None) -> None:
        """What a look found.

        Args:
            keys: those due, in their order; as many as `batch` said where there may be more.
            next_in: seconds until another one is due.
        """
        line = self._lines[partner]
        more = len(keys) >= self.batch(partner)
        for key in keys:
            failing = line.failing.get(key)
            if failing is not None and failing.until > now:
                line.look_at = min(line.look_at, failing.until)
            elif key not in line.busy:
                line.waiting.append(key)
        if more:
            line.look_at = min(line.look_at, now)
        if next_in is not None:
            line.look_at = min(line.look_at, now + next_in)

    def postpone(self, partner: str, until: float) -> None:
        """Nothing of this partner begins before then, whoever wakes it."""
        line = self._lines[partner]
        line.waiting.clear()
        line.look_at, line.not_before = min(line.look_at, until), until

    def resume(self, partner: str, now: float) -> None:
        """What put it off is no longer there."""
        line = self._lines[partner]
        if line.not_before > now:
            line.look_at = line.not_before = now

    def take(self) -> tuple[str, str] | None:
        """(partner, key) to be drained next; None where nothing waits that may have a thread. Partners take turns."""
        partner = self._next()
        if partner is None:
            return None
        line = self._lines[partner]
        key = line.waiting.popleft()
        line.busy.add(key)
        self._order.remove(partner)
        self._order.append(partner)
        return partner, key

    @property
    def has_more(self) -> bool:
        """Whether something waits that may have a thread."""
        return self._next() is not None

    def _next(self) -> str | None:
        for partner in self._order:
            line = self._lines[partner]
            if line.waiting and self._may_start(line):
                return partner
        return None

    def _may_start(self, line: _Line) -> bool:
        if not line.busy:
            return True
        return len(line.busy) < line.most and self._used() < self._shared

    def _used(self) -> int:
        return sum(line.shared for line in self._lines.values())

    def is_crowded(self, partner: str) -> bool:
        """Whether others wait for the thread that drains a key of this partner. A hint: may be asked by any thread."""
        line = self._lines[partner]
        if line.waiting:
            return True
        return len(line.busy) > 1 and any(other.waiting for other in self._lines.values())

    def ended(self, partner: str, key: str, now: float, *, begun: bool = True) -> None:
        """The drain of the key has come to its end. `begun`: something was done, so that earlier failures are over."""
        line = self._lines[partner]
        line.busy.discard(key)
        if begun:
            line.failing.pop(key, None)
        line.look_at = min(line.look_at, now + AFTER_DRAIN)

    def failed(self, partner: str, key: str, now: float) -> float:
        """The drain of the key has raised; for how many seconds the key is left alone."""
        line = self._lines[partner]
        line.busy.discard(key)
        if len(line.failing) >= _REMEMBERED:
            line.failing = {name: one for name, one in line.failing.items() if one.until > now}
        failing = line.failing.get(key)
        times = failing.times + 1 if failing is not None else 1
        pause = float(min(FIRST_PAUSE * 2.0 ** min(times - 1, 30), LONGEST_PAUSE))
        line.failing[key] = _Failing(times, now + pause)
        line.look_at = min(line.look_at, now + AFTER_DRAIN)
        return pause

    def stop(self) -> None:
        """Forget what waits; what is being drained comes to its end."""
        for line in self._lines.values():
            line.waiting.clear()
