"""How many requests a caller may make: so many a second, so many at the same time."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Final

from bridge.soap.refusals import refuse

BURST: Final = 2.0
"""Seconds' worth of requests that may come at once after a lull."""


class Allowance:
    """What one caller may still ask of one process.

    Args:
        rate: requests a second, 0 for any.
        in_flight: requests at the same time, 0 for any.
        clock: seconds, for tests.
    """

    def __init__(self, rate: float, in_flight: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._most = max(1.0, rate * BURST)
        self._left = self._most
        self._at = clock()
        self._in_flight = in_flight
        self._running: set[str] = set()
        self._clock = clock
        self._lock = threading.Lock()

    def take(self, exchange_id: str) -> None:
        """One more request. Raises Refusal where there are too many: nothing was done, and it says when to come back."""
        with self._lock:
            if self._in_flight and len(self._running) >= self._in_flight:
                raise refuse("too_many_at_once", most=self._in_flight, headers=(("Retry-After", "1"),))
            if self._rate:
                self._take_one()
            self._running.add(exchange_id)

    def _take_one(self) -> None:
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            wait = math.ceil((1 - self._left) / self._rate)
            raise refuse("too_often", most=f"{self._rate:g}", headers=(("Retry-After", str(max(1, wait))),))
        self._left -= 1

    def give_back(self, exchange_id: str) -> None:
        """That request has ended."""
        with self._lock:
            self._running.discard(exchange_id)
