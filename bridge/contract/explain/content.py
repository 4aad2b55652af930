"""Which children an element may have, and the fewest faults that explain the children it has.

A content model becomes a small graph whose edges are leaves (an element, a wildcard) or free moves. Aligning the
children with it is a shortest-path search: taking a child along its leaf costs nothing; leaving a leaf out (the
element is missing), leaving a child out (it is not expected), or taking a child for a leaf of a similar name (it is
misspelt) costs. So one mistake gives one fault and what follows it is read as usual. Long lists of children are
aligned window by window, so that the time stays in proportion to their number.

The graph does not count: `maxOccurs="3"` is three copies, and as `maxOccurs="1000"` would be 1,000, such a particle is
a plain loop whose rounds are counted along the path that was found.

Source: XML Schema 1.0 Part 1, sections 3.8 and 3.9.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from bridge.contract.model import ComplexType, ElementDecl, Group, Model, Particle, Wildcard
from bridge.contract.schema.alignment import Event, Graph, align
from bridge.contract.schema.particles import Matcher, Part, draw, local_of, namespace_of

ContentKind = Literal[
    "missing-element",
    "missing-choice",
    "too-few",
    "too-many",
    "choice-conflict",
    "misplaced-element",
    "misspelt-element",
    "wrong-namespace",
    "unexpected-element",
]

_MOST_FAULTS = 1_000
_LONGEST_NAME = 100
_CLOSE = 0.7
_LOOKED_UP = 200


@dataclass(frozen=True, slots=True)
class ContentFault:
    """One fault in an element's children.

    `child` is the index of the child at fault, or of the child before which something is missing (it may equal
    the number of children). `leaf` is the declaration concerned, `names` the names that would have been right,
    `count` how often something occurs and `bound` how often it may.
    """

    kind: ContentKind
    child: int
    leaf: ElementDecl | Wildcard | None = None
    names: tuple[str, ...] = ()
    count: int = 0
    bound: int = 0


@dataclass(eq=False, slots=True)
class ContentModel:
    """The content of one complex type, ready for questions. Immutable once made, but for the memory of look-ups."""

    root: Part | None = None
    declarations: dict[str, ElementDecl] = field(default_factory=dict)
    """Child name → the declaration it is read by; members of substitution groups included."""
    leaves: list[Part] = field(default_factory=list)
    choices: dict[int, tuple[str, ...]] = field(default_factory=dict)
    _graph: Graph | None = None
    _similar: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def order(self) -> tuple[str, ...]:
        """The declared names, in the contract's order."""
        return tuple(
            leaf.particle.term.name for leaf in self.leaves if isinstance(leaf.particle.term, ElementDecl)
        )

    @property
    def wildcards(self) -> tuple[Wildcard, ...]:
        return tuple(leaf.particle.term for leaf in self.leaves if isinstance(leaf.particle.term, Wildcard))

    def reads(self, name: str) -> ElementDecl | Wildcard | None:
        """What a child of this name is read by, wherever it stands; None for one that has no place here."""
        declaration = self.declarations.get(name)
        if declaration is not None:
            return declaration
        namespace = namespace_of(name)
        return next((wildcard for wildcard in self.wildcards if wildcard.admits(namespace)), None)

    def suggestions(self, name: str) -> tuple[str, ...]:
        """Declared names that an unknown name was probably meant to be: same local name, or a close one."""
        if name in self.declarations or len(name) > _LONGEST_NAME:
            return ()
        found = self._similar.get(name)
        if found is None:
            if (
                len(self._similar) >= _LOOKED_UP
            ):  # a message of invented names does not make us search for ever
                return ()
            found = self._similar[name] = _similar(name, self.declarations)
        return found

    def faults(self, names: Sequence[str], *, effort: int) -> tuple[list[ContentFault], bool]:
        """The faults of children with these names, and whether the search was cut short by `effort` (steps)."""
        if self.root is None:
            return [ContentFault("unexpected-element", index) for index in range(len(names))], False
        if self.root.kind == "all":
            return list(_faults_of_all(self, self.root, names)), False
        if Matcher(names).matches(self.root):
            return [], False
        if self._graph is None:
            self._graph = draw(self.root)
        events, complete = align(self._graph, names, self._accepts, effort=effort)
        return _Reading(self, names).faults(events), not complete

    def _accepts(self, leaf: int, name: str) -> Literal["exact", "similar", "no"]:
        part = self.leaves[leaf]
        if part.takes(name):
            return "exact"
        if any(suggestion in part.names for suggestion in self.suggestions(name)):
            return "similar"
        return "no"


def _similar(name: str, declared: dict[str, ElementDecl]) -> tuple[str, ...]:
    local = local_of(name)
    same = tuple(other for other in declared if local_of(other) == local)
    if same:
        return same
    lowered = {local_of(other).lower(): other for other in declared}
    close = difflib.get_close_matches(local.lower(), list(lowered)[:500], n=1, cutoff=_CLOSE)
    return tuple(lowered[match] for match in close)


class Contents:
    """The content models of a contract's complex types, each made on first use."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._made: dict[str, ContentModel] = {}

    def of(self, complex_type: ComplexType) -> ContentModel:
        made = self._made.get(complex_type.identity)
        if made is None:
            made = self._made.setdefault(complex_type.identity, _make(complex_type.particle, self._model))
        return made


def _make(particle: Particle | None, model: Model) -> ContentModel:
    content = ContentModel()
    if particle is not None:
        content.root = _part(_unwrapped(particle), model, content, (), 1)
    return content


def _unwrapped(particle: Particle) -> Particle:
    """Without groups of one that say nothing: `xs:all` must be seen to stand alone."""
    term = particle.term
    once = particle.min_occurs == 1 and particle.max_occurs == 1
    if (
        once
        and isinstance(term, Group)
        and len(term.particles) == 1
        and isinstance(term.particles[0].term, Group)
    ):
        return _unwrapped(term.particles[0])
    return particle


def _part(
    particle: Particle,
    model: Model,
    content: ContentModel,
    choices: tuple[tuple[int, int], ...],
    rounds: int | None,
) -> Part:
    """`rounds` is how often what is around it may come."""
    term = particle.term
    most = None if rounds is None or particle.max_occurs is None else rounds * particle.max_occurs
    if isinstance(term, Group):
        return _group_part(particle, term, model, content, choices, most)
    part = Part(particle, "leaf", number=len(content.leaves), choices=choices, most=most)
    content.leaves.append(part)
    if isinstance(term, Wildcard):
        part.first_wildcards = (term,)
        return part
    read_by = {term.name: term}
    if term.is_global:
        read_by |= {other.name: other for other in model.substitutes(term.name)}
    part.names = part.first = frozenset(read_by)
    for name, declaration in read_by.items():
        content.declarations.setdefault(name, declaration)
    return part


def _group_part(
    particle: Particle,
    group: Group,
    model: Model,
    content: ContentModel,
    choices: tuple[tuple[int, int], ...],
    most: int | None,
) -> Part:
    part = Part(particle, group.kind, choices=choices, most=most)
    if group.kind == "choice":
        part.number = len(content.choices)
        content.choices[part.number] = ()
    inner = []
    for branch, child in enumerate(group.particles):
        around = (*choices, (part.number, branch)) if group.kind == "choice" else choices
        inner.append(_part(child, model, content, around, most))
    part.parts = tuple(inner)
    part.size = sum(child.size * (child.particle.max_occurs or 1) for child in inner)
    leading = inner
    if group.kind == "choice":
        part.nullable_term = not inner or any(child.nullable for child in inner)
    else:
        part.nullable_term = all(child.nullable for child in inner)
        if group.kind == "sequence":
            required = next((index for index, child in enumerate(inner) if not child.nullable), len(inner))
            leading = inner[: required + 1]
    part.first = frozenset().union(*(child.first for child in leading))
    part.first_wildcards = tuple(wildcard for child in leading for wildcard in child.first_wildcards)
    if group.kind == "choice":
        content.choices[part.number] = _starters(part)
    return part


def _starters(part: Part) -> tuple[str, ...]:
    """The names a choice may start with, in the contract's order."""
    if part.kind == "leaf":
        return (part.particle.term.name,) if isinstance(part.particle.term, ElementDecl) else ()
    found: list[str] = []
    for child in part.parts:
        found.extend(name for name in _starters(child) if name not in found)
        if part.kind == "sequence" and not child.nullable:
            break
    return tuple(found)


def _faults_of_all(content: ContentModel, root: Part, names: Sequence[str]) -> list[ContentFault]:
    """`xs:all`: every element in any order, each at most once; none at all where the group is optional."""
    faults: list[ContentFault] = []
    counts: dict[int, int] = {}
    for index, name in enumerate(names):
        if len(faults) > _MOST_FAULTS:
            return faults
        part = next((part for part in root.parts if part.takes(name)), None)
        if part is None:
            faults.append(_unknown(content, index, name))
            meant = content.suggestions(name)
            part = next((part for part in root.parts if part.names.intersection(meant)), None)
        if part is None:
            continue
        counts[part.number] = count = counts.get(part.number, 0) + 1
        if count == 2:
            faults.append(
                ContentFault("too-many", index, content.declarations.get(name), (name,), names.count(name), 1)
            )
    if not names and root.particle.min_occurs == 0:
        return faults
    faults.extend(
        ContentFault("missing-element", len(names), part.particle.term, (part.particle.term.name,))
        for part in root.parts
        if part.number not in counts and not part.nullable and isinstance(part.particle.term, ElementDecl)
    )
    return faults


def _unknown(content: ContentModel, index: int, name: str) -> ContentFault:
    meant = content.suggestions(name)
    if not meant:
        return ContentFault("unexpected-element", index)
    kind: ContentKind = "wrong-namespace" if local_of(meant[0]) == local_of(name) else "misspelt-element"
    return ContentFault(kind, index, content.declarations[meant[0]], meant)


class _Reading:
    """Turns the path that was found into faults, one for each mistake."""

    def __init__(self, content: ContentModel, names: Sequence[str]) -> None:
        self._content = content
        self._names = names
        self._faults: list[ContentFault] = []
        self._taken: dict[int, int] = {}
        self._taken_branches: set[tuple[int, int]] = set()

    def faults(self, events: Sequence[Event]) -> list[ContentFault]:
        left_out = [index for kind, _, index in events if kind == "extra"]
        moved = self._note_taken(events, left_out)
        self._note_missing(events, moved)
        self._note_counts(events)
        surplus: set[str] = set()
        for index in left_out:
            name = self._names[index]
            if index in moved.values():
                leaf = next(leaf for leaf, child in moved.items() if child == index)
                self._add("misplaced-element", index, leaf, (name,))
            elif name not in surplus:
                fault = self._left_out(index, name)
                self._faults.append(fault)
                if fault.kind == "too-many":
                    surplus.add(name)
        return sorted(self._faults, key=lambda fault: fault.child)

    def _add(
        self, kind: ContentKind, child: int, leaf: int, names: tuple[str, ...], count: int = 0, bound: int = 0
    ) -> None:
        term = self._content.leaves[leaf].particle.term
        assert not isinstance(term, Group)
        self._faults.append(ContentFault(kind, child, term, names, count, bound))

    def _note_taken(self, events: Sequence[Event], left_out: list[int]) -> dict[int, int]:
        """Remembers what was taken; returns missing leaf → the child left out elsewhere that belongs there."""
        moved: dict[int, int] = {}
        free = list(left_out)
        for kind, what, index in events:
            if kind in ("take", "similar") and isinstance(what, int):
                self._taken[what] = self._taken.get(what, 0) + 1
                self._taken_branches.update(self._content.leaves[what].choices)
                if kind == "similar":
                    self._faults.append(_unknown(self._content, index, self._names[index]))
            elif kind == "missing" and isinstance(what, int) and what not in moved:
                names = self._content.leaves[what].names
                child = next((i for i in free if self._names[i] in names), None)
                if child is not None:
                    moved[what] = child
                    free.remove(child)
        return moved

    def _note_missing(self, events: Sequence[Event], moved: dict[int, int]) -> None:
        told: set[tuple[int, int]] = set()
        unpaired = set(moved)
        for at, (kind, what, index) in enumerate(events):
            if kind != "missing" or not isinstance(what, int):
                continue
            if what in unpaired:
                unpaired.discard(what)
                continue
            choice = self._untouched_choice(events, at, what)
            if self._content.leaves[what].particle.min_occurs > 1:
                self._note_few(events, at, what, index)
            elif choice is None:
                self._add("missing-element", index, what, self._names_of(what))
            elif choice not in told:
                told.add(choice)
                self._add("missing-choice", index, what, self._content.choices[choice[0]])

    def _note_few(self, events: Sequence[Event], at: int, leaf: int, index: int) -> None:
        """Several copies of one leaf are missing, or all: one fault, said at the last of them."""
        if at + 1 < len(events) and events[at + 1][:2] == ("missing", leaf):
            return
        run = 0
        while run <= at and events[at - run][1] == leaf:
            run += 1
        given = sum(events[at - back][0] != "missing" for back in range(run))
        low = self._content.leaves[leaf].particle.min_occurs
        self._add("too-few" if given else "missing-element", index, leaf, self._names_of(leaf), given, low)

    def _names_of(self, leaf: int) -> tuple[str, ...]:
        term = self._content.leaves[leaf].particle.term
        return (term.name,) if isinstance(term, ElementDecl) else ()

    def _untouched_choice(self, events: Sequence[Event], at: int, leaf: int) -> tuple[int, int] | None:
        """The outermost choice around a missing leaf of which nothing was given: then that choice is missing.

        As its number and where in the path it begins, because a choice may come more than once.
        """
        for number, branch in self._content.leaves[leaf].choices:
            begin = next((i for i in range(at, -1, -1) if events[i][:2] == ("branch", (number, branch))), 0)
            ends = (i for i in range(at, len(events)) if events[i][:2] == ("joined", number))
            passage = events[begin : next(ends, len(events))]
            if not any(kind in ("take", "similar") for kind, _, _ in passage):
                return number, begin
        return None

    def _note_counts(self, events: Sequence[Event]) -> None:
        rounds: list[tuple[Part, list[tuple[int, bool]]]] = []
        for kind, what, index in events:
            if kind == "enter" and isinstance(what, Part):
                rounds.append((what, [(index, False)]))
            elif kind == "again" and rounds:
                rounds[-1][1].append((index, False))
            elif kind in ("take", "similar"):
                for _, starts in rounds:
                    starts[-1] = (starts[-1][0], True)
            elif kind == "leave" and rounds:
                self._judge_count(*rounds.pop(), index)

    def _judge_count(self, part: Part, starts: list[tuple[int, bool]], end: int) -> None:
        given = [index for index, real in starts if real]
        low, high = part.particle.min_occurs, part.particle.max_occurs
        leaf = part
        while leaf.kind != "leaf" and leaf.parts:
            leaf = leaf.parts[0]
        if high is not None and len(given) > high:
            self._add("too-many", given[high], leaf.number, self._names_of(leaf.number), len(given), high)
        elif 0 < len(given) < low and not part.nullable_term:
            self._add("too-few", end, leaf.number, self._names_of(leaf.number), len(given), low)

    def _left_out(self, index: int, name: str) -> ContentFault:
        leaves = [leaf for leaf in self._content.leaves if name in leaf.names]
        if not leaves:
            return _unknown(self._content, index, name)
        declared = self._content.declarations[name]
        for leaf in leaves:
            for number, branch in leaf.choices:
                if any(number == other and branch != taken for other, taken in self._taken_branches):
                    return ContentFault("choice-conflict", index, declared, self._content.choices[number])
        bounds = [leaf.most for leaf in leaves if leaf.most is not None]
        bound = sum(bounds)
        if len(bounds) == len(leaves) and sum(self._taken.get(leaf.number, 0) for leaf in leaves) >= bound:
            return ContentFault("too-many", index, declared, (name,), self._names.count(name), bound)
        return ContentFault("misplaced-element", index, declared, (name,))
