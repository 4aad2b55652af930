"""Times as they are stored: microseconds since 1970-01-01T00:00:00Z, exact, the same on every database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def stored(moment: datetime) -> int:
    """A moment, which must have a zone, as it is stored."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(microseconds: int) -> datetime:
    """A stored moment, in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)
