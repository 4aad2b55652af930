"""The cheapest way through a graph of leaves for a row of names: a shortest path, window by window.

Knows nothing of schemas: `content` draws the graph and reads the path.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Event: TypeAlias = "tuple[str, object, int]"
"""What happened, to what, at which child.

("take", leaf, child), ("similar", leaf, child): the child was taken for the leaf. ("missing", leaf, child): the leaf
was passed without a child. ("extra", None, child): the child was passed without a leaf. Labels of free moves come
through as (word, thing, child).
"""

Accepts: TypeAlias = "Callable[[int, str], Literal['exact', 'similar', 'no']]"

# Of equal explanations the one by something missing: what should repeat as a pair lost a part, rather than gained one.
_MISSING = 10
_EXTRA = 11
# Less than either: a misspelt name is one mistake, also where the element it was meant to be is optional.
_SIMILAR = 9

# Children looked at before anything is decided, and children decided then. Far enough that a group left out and
# its parts given later are seen together.
_WINDOW = 48
_DECIDED = 24

_MOST_FAULTS = 1_000


@dataclass(eq=False, slots=True)
class Graph:
    """Nodes are numbers; `start` and `end` two of them."""

    edges: list[list[tuple[int, int, tuple[str, object] | None]]] = field(default_factory=lambda: [[]])
    """By node: (target, leaf or -1 for a free move, label of the free move)."""
    start: int = 0
    end: int = 0

    def node(self) -> int:
        self.edges.append([])
        return len(self.edges) - 1

    def free(self, source: int, target: int, label: tuple[str, object] | None = None) -> None:
        self.edges[source].append((target, -1, label))

    def leaf(self, source: int, target: int, leaf: int) -> None:
        self.edges[source].append((target, leaf, None))


_Place: TypeAlias = "tuple[int, int]"
"""(child, node)"""


def align(graph: Graph, names: Sequence[str], accepts: Accepts, *, effort: int) -> tuple[list[Event], bool]:
    """The events of the cheapest way, and whether it reached the end within `effort` (places looked at).

    It also stops after a thousand faults, which nobody reads and whoever reads the events has to pair.
    """
    events: list[Event] = []
    faults = 0
    place: _Place = (0, graph.start)
    known: dict[tuple[int, str], Literal["exact", "similar", "no"]] = {}

    def verdict(leaf: int, name: str) -> Literal["exact", "similar", "no"]:
        found = known.get((leaf, name))
        if found is None:
            found = known[(leaf, name)] = accepts(leaf, name)
        return found

    while True:
        search = _Search(graph, names, verdict, place, effort)
        path = search.run()
        effort -= search.looked_at
        if path is None:
            return events, False
        last = search.horizon == len(names)
        decided = len(names) if last else place[0] + _DECIDED
        for event, after in path:
            if not last and after[0] > decided:
                break
            if event is not None:
                events.append(event)
                faults += event[0] in ("missing", "extra", "similar")
            place = after
        if last or faults > _MOST_FAULTS:
            return events, last


class _Search:
    """Dijkstra from one place to the window's end; of equals the one that is furthest is tried first."""

    def __init__(
        self, graph: Graph, names: Sequence[str], accepts: Accepts, start: _Place, effort: int
    ) -> None:
        self._graph = graph
        self._names = names
        self._accepts = accepts
        self._start = start
        self._effort = effort
        self.horizon = min(len(names), start[0] + _WINDOW)
        self.looked_at = 0
        self._best: dict[_Place, int] = {start: 0}
        self._came: dict[_Place, tuple[_Place, Event | None]] = {}
        self._queue: list[tuple[int, int, int, _Place]] = [(0, -start[0], 0, start)]

    def run(self) -> list[tuple[Event | None, _Place]] | None:
        done: set[_Place] = set()
        while self._queue:
            cost, _, _, place = heapq.heappop(self._queue)
            if place in done:
                continue
            done.add(place)
            self.looked_at += 1
            if self.looked_at > self._effort:
                return None
            child, node = place
            if child == self.horizon and (child < len(self._names) or node == self._graph.end):
                return self._path(place)
            self._moves(cost, place)
        return None

    def _moves(self, cost: int, place: _Place) -> None:
        child, node = place
        for target, leaf, label in self._graph.edges[node]:
            if leaf < 0:
                self._move(cost, place, (child, target), None if label is None else (*label, child))
                continue
            verdict = self._accepts(leaf, self._names[child]) if child < self.horizon else "no"
            if verdict == "exact":
                self._move(cost, place, (child + 1, target), ("take", leaf, child))
            elif verdict == "similar":
                self._move(cost + _SIMILAR, place, (child + 1, target), ("similar", leaf, child))
            self._move(cost + _MISSING, place, (child, target), ("missing", leaf, child))
        if child < self.horizon:
            self._move(cost + _EXTRA, place, (child + 1, node), ("extra", None, child))

    def _move(self, cost: int, source: _Place, target: _Place, event: Event | None) -> None:
        best = self._best.get(target)
        if best is None or cost < best:
            self._best[target] = cost
            self._came[target] = (source, event)
            # The counter turns ties into a stack: it runs on along one way instead of trying all of them.
            heapq.heappush(self._queue, (cost, -target[0], -len(self._came), target))

    def _path(self, place: _Place) -> list[tuple[Event | None, _Place]]:
        path: list[tuple[Event | None, _Place]] = []
        while place != self._start:
            source, event = self._came[place]
            path.append((event, place))
            place = source
        path.reverse()
        return path
