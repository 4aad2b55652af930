"""Which prices of one list cannot stand beside each other. Pure.

Days are ISO 8601 texts, which sort as the days do; a price without an end holds for ever.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Literal, NamedTuple

Reason = Literal["endsBeforeItBegins", "overlap", "repeated", "nothingToWithdraw"]


class Place(NamedTuple):
    """What names a price within its list."""

    sku: str
    quantity_from: int
    valid_from: str


class Terms(NamedTuple):
    """What a price says."""

    valid_until: str | None
    unit_price: int
    withdrawn: int


class Break(NamedTuple):
    """A price that cannot be, by its place among those of the request, why, and what it overlaps."""

    position: int
    reason: Reason
    other: Place | None = None
    other_until: str | None = None


def broken_alone(wanted: Iterable[tuple[Place, Terms]], there: Iterable[Place]) -> list[Break]:
    """What is wrong with prices of a request whatever the others of the list say."""
    known, seen = set(there), set()
    broken: list[Break] = []
    for position, (place, terms) in enumerate(wanted):
        if place in seen:
            broken.append(Break(position, "repeated"))
        elif terms.valid_until is not None and terms.valid_until < place.valid_from:
            broken.append(Break(position, "endsBeforeItBegins"))
        elif terms.withdrawn and place not in known:
            broken.append(Break(position, "nothingToWithdraw"))
        seen.add(place)
    return broken


def overlaps(prices: dict[Place, Terms], positions: dict[Place, int]) -> list[Break]:
    """Where prices of one item and break would hold on the same day. Each is told of the one of the two that the request names, the
    later one where it names both.

    Args:
        prices: all of the list, as they would be.
        positions: of those that the request names.
    """
    broken: list[Break] = []
    standing = sorted(place for place, terms in prices.items() if not terms.withdrawn)
    for former, latter in pairwise(standing):
        until = prices[former].valid_until
        same = former[:2] == latter[:2]
        if same and (until is None or until >= latter.valid_from):
            named, other = (latter, former) if latter in positions else (former, latter)
            broken.append(Break(positions[named], "overlap", other, prices[other].valid_until))
    return broken
