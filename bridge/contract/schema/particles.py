"""Particles as the content model uses them: what each may start with, exact matching, and drawing the graph.

Source: XML Schema 1.0 Part 1, sections 3.8.4 and 3.9.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bridge.contract.model import Particle, Wildcard
from bridge.contract.schema.alignment import Graph


def namespace_of(name: str) -> str:
    """The namespace of a Clark name, "" for none."""
    return name[1 : name.index("}")] if name.startswith("{") else ""


def local_of(name: str) -> str:
    """The local part of a Clark name."""
    return name.rpartition("}")[2]


_COPIED = 32
"""Up to this many leaves a counted particle is drawn copy by copy; beyond, as a loop whose rounds are counted later."""


@dataclass(eq=False, slots=True)
class Part:
    """A particle with what it may start with.

    `choices` are the choices around it with the branch it is in, `most` how often it may come in all (None: without
    bound), `size` how many leaves a copy of it in the graph has.
    """

    particle: Particle
    kind: Literal["leaf", "sequence", "choice", "all"]
    parts: tuple[Part, ...] = ()
    number: int = -1
    names: frozenset[str] = frozenset()
    choices: tuple[tuple[int, int], ...] = ()
    first: frozenset[str] = frozenset()
    first_wildcards: tuple[Wildcard, ...] = ()
    nullable_term: bool = False
    most: int | None = 1
    size: int = 1

    @property
    def nullable(self) -> bool:
        return self.particle.min_occurs == 0 or self.nullable_term

    def starts(self, name: str, namespace: str) -> bool:
        return name in self.first or any(wildcard.admits(namespace) for wildcard in self.first_wildcards)

    def takes(self, name: str) -> bool:
        """Whether this leaf takes the child."""
        if name in self.names:
            return True
        return isinstance(self.particle.term, Wildcard) and self.particle.term.admits(namespace_of(name))


class Matcher:
    """Whether children fit exactly, counts included: by descent, one child ahead (content models are deterministic)."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._namespaces = [namespace_of(name) for name in names]

    def matches(self, root: Part) -> bool:
        return self._particle(root, 0) == len(self._names)

    def _starts(self, part: Part, at: int) -> bool:
        return at < len(self._names) and part.starts(self._names[at], self._namespaces[at])

    def _particle(self, part: Part, at: int) -> int | None:
        count, most = 0, part.particle.max_occurs
        while (most is None or count < most) and self._starts(part, at):
            after = at + 1 if part.kind == "leaf" else self._group(part, at)
            if after is None:
                return None
            count += 1
            if after == at:
                break
            at = after
        return at if count >= part.particle.min_occurs or part.nullable_term else None

    def _group(self, part: Part, at: int) -> int | None:
        if part.kind == "choice":
            named = (child for child in part.parts if self._names[at] in child.first)
            branch = next(named, None) or next((c for c in part.parts if self._starts(c, at)), None)
            return at if branch is None else self._particle(branch, at)
        for child in part.parts:
            after = self._particle(child, at)
            if after is None:
                return None
            at = after
        return at


def draw(root: Part) -> Graph:
    graph = Graph()
    graph.end = _draw_part(graph, root, graph.start)
    return graph


def _draw_part(graph: Graph, part: Part, entry: int) -> int:
    """Adds the particle behind `entry`; returns its exit. Loops and ways around it are free moves."""
    low, high = part.particle.min_occurs, part.particle.max_occurs
    copies = high if high is not None else low
    if low <= 1 and (high is None or high == 1):
        return _draw_rounds(graph, part, entry, optional=low == 0, again=high is None)
    if copies * part.size > _COPIED:
        return _draw_rounds(graph, part, entry, optional=low == 0, again=True, counted=part)
    at, ways_out = entry, []
    for copy in range(copies):
        if copy >= low:
            ways_out.append(at)
        at = _draw_rounds(graph, part, at, optional=False, again=high is None and copy == copies - 1)
    for way_out in ways_out:
        graph.free(way_out, at)
    return at


def _draw_rounds(
    graph: Graph, part: Part, entry: int, *, optional: bool, again: bool, counted: Part | None = None
) -> int:
    inside, leaving, after = graph.node(), graph.node(), graph.node()
    graph.free(entry, inside, ("enter", counted) if counted else None)
    if part.kind == "leaf":
        graph.leaf(inside, leaving, part.number)
    elif part.kind == "choice":
        for branch, child in enumerate(part.parts):
            start = graph.node()
            graph.free(inside, start, ("branch", (part.number, branch)))
            graph.free(_draw_part(graph, child, start), leaving, ("joined", part.number))
    else:
        at = inside
        for child in part.parts:
            at = _draw_part(graph, child, at)
        graph.free(at, leaving)
    graph.free(leaving, after, ("leave", counted) if counted else None)
    if again:
        graph.free(leaving, inside, ("again", counted) if counted else None)
    if optional:
        graph.free(entry, after)
    return after
