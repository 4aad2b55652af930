"""Points in time that callers give, as they are stored. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bridge.store.clock import stored

_FIRST = stored(datetime.min.replace(tzinfo=UTC))
_LAST = stored(datetime.max.replace(tzinfo=UTC))


def instant(given: Any) -> int:
    """A contract's Timestamp as it is stored. One that Python cannot hold is before or after everything that is."""
    if not isinstance(given, datetime):  # finer than microseconds, 24:00:00, or a year far away
        try:
            given = given.datetime()
        except (ValueError, OverflowError):
            return _FIRST if given.year < 1 else _LAST
    return min(max(stored(given), _FIRST), _LAST)
