"""Times as they are stored: microseconds since 1970-01-01T00:00:00Z, exact, the same on every database.

Leases and what is due go by one clock for all who share a database (`Clock`): the database's own on PostgreSQL, this
host's on SQLite, whose processes are all here.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import BigInteger
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

SECOND: Final = 1_000_000
"""Microseconds."""

SQLITE_FUNCTION: Final = "soapbridge_clock"
"""What SQLite's connections call `host_clock` by."""


LEASES: Final = 2
"""A lease that ends later than in so many lengths of one was given before the clock was set back, and counts as lapsed."""


def is_live(lease_until: int | None, now: int, length: int) -> bool:
    """Whether a lease of that length still holds; all three are stored moments or microseconds."""
    return lease_until is not None and now <= lease_until <= now + LEASES * length


def stored(moment: datetime) -> int:
    """A moment, which must have a zone, as it is stored."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(microseconds: int) -> datetime:
    """A stored moment, in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def host_clock() -> int:
    """Now, by this host's clock, as it is stored."""
    return time.time_ns() // 1000


class Clock(FunctionElement[int]):
    """Now, inside a statement: `Clock()`. Not the start of the transaction, which may have waited for a while."""

    type = BigInteger()
    inherit_cache = True


@compiles(Clock, "sqlite")
def _clock_sqlite(element: Clock, compiler: SQLCompiler, **options: Any) -> str:
    return f"{SQLITE_FUNCTION}()"


@compiles(Clock, "postgresql")
def _clock_postgresql(element: Clock, compiler: SQLCompiler, **options: Any) -> str:
    return f"CAST(extract(epoch FROM clock_timestamp()) * {SECOND} AS BIGINT)"
