"""What SQLite lacks, as functions of a connection: moments of one form, and sums that are no floats."""

from __future__ import annotations

import sqlite3
from decimal import Decimal, localcontext
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from bridge.partners.sql.values import moment_text, parsed_moment

UNREADABLE = "9999 "
"""Before a text that is no moment: it is read whatever is asked for, and told when it is."""


_AT_ONCE: Final = 4096
_DIGITS: Final = 60
"""Of a sum: exact for any number of amounts that there can be."""


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
    """Adds some thousand amounts at a time: called for each row, it does as little there as can be."""

    def __init__(self) -> None:
        self._total = Decimal(0)
        self._waiting: list[object] = []

    def step(self, value: object) -> None:
        self._waiting.append(value)
        if len(self._waiting) >= _AT_ONCE:
            self._add()

    def finalize(self) -> str:
        self._add()
        return f"{self._total:f}"

    def _add(self) -> None:
        if float in set(map(type, self._waiting)):
            raise TypeError("an amount in binary floating point")
        with localcontext(prec=_DIGITS):
            self._total += sum(map(Decimal, self._waiting))  # type: ignore[arg-type] # texts and whole numbers
        self._waiting.clear()
