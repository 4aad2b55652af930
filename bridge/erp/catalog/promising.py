"""What can be promised: pure arithmetic over what is there, what comes in and what goes out.

After each day so much is there as is free today, and what has come in by then, less what has gone out. A promise for a day takes its goods
out on that day and from every day after it; so no more can be promised than the least of what will be there on it and later. That is why a
purchase order of next month lends nothing to this week, and an order of next month may forbid what lies in the warehouse today, unless
goods come in before it.

    day     in   out   projected   available
    today                     10           4    the order of Friday needs 6 of the 10
    Friday         6           4           4
    Monday  20                24          24
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import NamedTuple

Dated = tuple[date | None, int]
"""A day and a quantity."""


class Day(NamedTuple):
    """A day on which something moves, and how things stand from it on. Quantities are scaled."""

    day: date
    incoming: int
    outgoing: int
    projected: int
    available: int


def days(free: int, incoming: Iterable[Dated], outgoing: Iterable[Dated], today: date) -> list[Day]:
    """The days on which something moves, today first whether or not anything does.

    Args:
        free: what is there and not reserved; below zero where a warehouse may be.
        incoming: what suppliers owe. What is late has not come today, so tomorrow is the first day on which it can; what has no day is
            not counted on.
        outgoing: what customers were promised. What is late, or has no day, is needed today.
    """
    comes: dict[date, int] = {today: 0}
    goes: dict[date, int] = {today: 0}
    for due, amount in incoming:
        if due is not None:
            day = due if due >= today else today + timedelta(days=1)
            comes[day] = comes.get(day, 0) + amount
    for due, amount in outgoing:
        day = today if due is None else max(due, today)
        goes[day] = goes.get(day, 0) + amount
    projected, there = [], free
    moving = sorted(comes.keys() | goes.keys())
    for day in moving:
        there += comes.get(day, 0) - goes.get(day, 0)
        projected.append(there)
    least, found = projected[-1], []
    for day, there in zip(reversed(moving), reversed(projected), strict=True):
        least = min(least, there)
        found.append(Day(day, comes.get(day, 0), goes.get(day, 0), there, max(least, 0)))
    return found[::-1]


def available_on(moving: Sequence[Day], day: date) -> int:
    """What can be promised for a day; nothing for one before the first of `moving`, which has passed."""
    return next((one.available for one in reversed(moving) if one.day <= day), 0)
