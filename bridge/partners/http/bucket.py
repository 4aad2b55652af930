"""So many calls in so many seconds, in this process; and none while the partner asks to be left in peace.

What delivery sends is bounded over all processes by the partner's `rate`; this is for reading, page after page.
"""

from __future__ import annotations

import threading
import time
from collections import deque

from bridge.errors import Unavailable
from bridge.partners.http.time_left import left


class Bucket:
    """Safe to use from several threads.

    Args:
        calls, seconds: at most so many calls in any stretch of so many seconds; 0: as many as can be.
        patience: the longest wait for a place, in seconds.
    """

    def __init__(self, calls: int = 0, seconds: float = 1.0, *, patience: float = 30.0) -> None:
        self._calls = calls
        self._seconds = seconds
        self._patience = patience
        self._taken: deque[float] = deque()
        self._shut_until = 0.0
        self._lock = threading.Lock()

    def take(self) -> None:
        """Wait for a place, and take it.

        Raises:
            Unavailable: that would take longer than `patience`, or than is left; nothing was sent.
        """
        patience = left(self._patience)
        with self._lock:
            now = time.monotonic()
            moment = max(now, self._shut_until)
            if self._calls:
                while self._taken and self._taken[0] <= now - self._seconds:
                    self._taken.popleft()
                if len(self._taken) >= self._calls:
                    moment = max(moment, self._taken[-self._calls] + self._seconds)
            if moment - now > patience:
                raise Unavailable(
                    "The partner takes no more calls for now. Nothing was sent.",
                    retry_after=moment - now,
                    advice="Repeating is safe.",
                )
            self._taken.append(moment)
            if not self._calls:
                self._taken.clear()
        if moment > now:
            time.sleep(moment - now)

    def shut(self, seconds: float) -> None:
        """The partner asked not to be called for so long."""
        with self._lock:
            self._shut_until = max(self._shut_until, time.monotonic() + seconds)
