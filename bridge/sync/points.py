"""Named points on the way of a page, where tests look in, or end the process. Passing one is a look at an empty list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, get_args

Point = Literal["begun", "fetched", "keeping", "kept", "collecting", "collected", "ended"]
"""begun: the lease is taken. fetched: a page was read. keeping: documents, links and watermark are written, before the commit. kept:
after it. collecting, collected: the same for what became of documents. ended: the lease is given back."""

POINTS: Final = get_args(Point)

observers: Final[list[Callable[[Point], object]]] = []


def reached(point: Point) -> None:
    for observer in observers:
        observer(point)
