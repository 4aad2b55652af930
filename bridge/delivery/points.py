"""Named points on the way of a document, where tests look in, or end the process.

Nobody observes them in service: passing one is a look at an empty list.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, get_args

Point = Literal["accepted", "committed", "taken", "sent", "settling", "settled", "left"]
"""accepted: entries are put, before the commit. committed: after it, before anybody was woken. taken: the attempt is written
down, no byte has left. sent: an answer came, or none. settling: written, before the commit. settled: after it. left: the key
was given back."""

POINTS: Final = get_args(Point)

observers: Final[list[Callable[[Point], object]]] = []


def reached(point: Point) -> None:
    for observer in observers:
        observer(point)
