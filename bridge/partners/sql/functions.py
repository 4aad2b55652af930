"""What SQLite lacks, as functions of a connection: moments of one form, and sums that are no floats."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from bridge.partners.sql.values import moment_text, parsed_moment

UNREADABLE = "9999 "
"""Before a text that is no moment: it is read whatever is asked for, and told when it is."""


def add_to(connection: sqlite3.Connection) -> None:
    connection.create_function("soapbridge_moment", 2, _moment, deterministic=True)
    connection.create_aggregate("soapbridge_sum", 1, _Sum)  # type: ignore[arg-type] # its stub wants an int back


def _moment(value: object, zone: str) -> str | None:
    if value is None:
        return None
    try:
        return moment_text(parsed_moment(str(value), _zone(zone)))
    except (ValueError, OverflowError):
        return f"{UNREADABLE}{value}"


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


class _Sum:
    def __init__(self) -> None:
        self._total = Decimal(0)

    def step(self, value: object) -> None:
        if isinstance(value, float):
            raise TypeError("an amount in binary floating point")
        self._total += Decimal(str(value))

    def finalize(self) -> str:
        return f"{self._total:f}"
