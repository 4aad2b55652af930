"""Wrong credentials are counted: from one address and for one name, in each minute.

When there were too many, no further password is looked at until the minute is over. A name stays open to the addresses from which
it was right before, so that nobody is locked out by somebody else who tries their name.
"""

from __future__ import annotations

import hashlib
import ipaddress
import threading
import time
from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Final

from bridge.errors import Refusal
from bridge.soap.refusals import refuse

MINUTE: Final = 60.0
_KNOWN_GOOD: Final = 24 * 3600.0
MOST_NOTED: Final = 600
"""Failures in a minute that are worth a note, from wherever they come: who has many addresses is not to fill the disk."""
_LONGEST_NAME: Final = 128
_MOST: Final = 10_000
"""Counters that are kept; the oldest goes for a new one."""


class Failures:
    """Counts for one process. `most` failures in a minute are looked at. `clock` in seconds, for tests."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._counts: dict[Hashable, tuple[float, int]] = {}
        self._good: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def refusal(self, address: str | None, name: str | None = None) -> Refusal | None:
        """Why what comes from this address, for this name, is not looked at; None where it is."""
        place = network_of(address)
        wait = self._wait(("address", place))
        if not wait and name is not None and not self._was_good(name, place):
            wait = self._wait(("name", _bounded(name)))
        if not wait:
            return None
        return refuse("too_many_failures", headers=(("Retry-After", str(int(wait) + 1)),))

    def count(self, address: str | None, name: str | None = None) -> bool:
        """A failure. Whether it is worth a note: those that are not looked at any more are none, and there is a bound to all."""
        place = network_of(address)
        with self._lock:
            counted = self._count(("address", place))
            if name is not None:
                counted = max(counted, self._count(("name", _bounded(name))))
            return counted <= self._most and self._count(("noted",)) <= MOST_NOTED

    def was_right(self, address: str | None, name: str) -> None:
        """The password of this name came from here."""
        known = name, network_of(address)
        now = self._clock()
        if self._good.get(known, 0.0) > now + _KNOWN_GOOD / 2:
            return
        with self._lock:
            self._good.pop(known, None)
            _make_room(self._good)
            self._good[known] = now + _KNOWN_GOOD

    def _was_good(self, name: str, place: str) -> bool:
        return self._good.get((name, place), 0.0) > self._clock()

    def _wait(self, counter: Hashable) -> float:
        """Seconds until this counter begins anew; 0 where it may go on."""
        since, count = self._counts.get(counter, (0.0, 0))
        left = since + MINUTE - self._clock()
        return left if count >= self._most and left > 0 else 0.0

    def _count(self, counter: Hashable) -> int:
        now = self._clock()
        since, count = self._counts.pop(counter, (now, 0))
        if now >= since + MINUTE:
            since, count = now, 0
        _make_room(self._counts)
        self._counts[counter] = since, count + 1
        return count + 1


def _make_room(
    kept: dict[Hashable, object] | dict[tuple[str, str], float] | dict[Hashable, tuple[float, int]],
) -> None:
    while len(kept) >= _MOST:
        del kept[next(iter(kept))]  # type: ignore[arg-type]


def _bounded(name: str) -> str:
    """What a name is counted by: strangers choose them, and may choose long ones."""
    return name if len(name) <= _LONGEST_NAME else hashlib.sha256(name.encode()).hexdigest()


@lru_cache(1024)
def network_of(address: str | None) -> str:
    """What an address is counted by: of IPv6 the network, for whoever has one address has all of it."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return address or ""
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
