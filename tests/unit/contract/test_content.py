"""The alignment of children with a content model, on models written by hand: no schema, no XML."""

from __future__ import annotations

import time

import pytest

from bridge.contract.explain.content import Contents
from bridge.contract.model import (
    ANY_TYPE,
    ComplexType,
    ElementDecl,
    Group,
    Particle,
    SimpleType,
    TypeRef,
    Wildcard,
)


class HandMade:
    """A model of a few global elements."""

    def __init__(self, **heads: tuple[ElementDecl, ...]) -> None:
        self._heads = heads

    def element(self, name: str) -> ElementDecl:
        return next(e for members in self._heads.values() for e in members if e.name == name)

    def has_element(self, name: str) -> bool:
        return any(e.name == name for members in self._heads.values() for e in members)

    def type(self, ref: TypeRef) -> SimpleType | ComplexType:
        raise KeyError(ref)

    def has_type(self, name: str) -> bool:
        return False

    def substitutes(self, head: str) -> tuple[ElementDecl, ...]:
        return self._heads[head]

    def derived(self, name: str) -> tuple[str, ...]:
        return ()


def el(name: str, low: int = 1, high: int | None = 1, *, is_global: bool = False) -> Particle:
    return Particle(ElementDecl(name=name, type=ANY_TYPE, is_global=is_global), low, high)


def seq(*particles: Particle, low: int = 1, high: int | None = 1) -> Particle:
    return Particle(Group(kind="sequence", particles=particles), low, high)


def choice(*particles: Particle, low: int = 1, high: int | None = 1) -> Particle:
    return Particle(Group(kind="choice", particles=particles), low, high)


def every(*particles: Particle, low: int = 1) -> Particle:
    return Particle(Group(kind="all", particles=particles), low, 1)


def faults(particle: Particle | None, children: str, model: HandMade | None = None) -> list[tuple[str, int]]:
    content = Contents(model or HandMade()).of(
        ComplexType(name=None, identity="t", content="elements", particle=particle)
    )
    found, cut = content.faults(children.split(), effort=1_000_000)
    assert not cut
    return [(fault.kind, fault.child) for fault in found]


ABC = seq(el("a"), el("b", 0), el("c"))
ITEM = seq(el("head"), el("item", 2, 4), el("tail", 0))
ONE_OF = seq(choice(el("x"), seq(el("y"), el("z"))), el("end"))
PAIRS = seq(el("k"), el("v"), low=0, high=None)
ANY_ORDER = choice(el("a"), el("b"), low=0, high=None)


@pytest.mark.parametrize(
    ("particle", "children", "expected"),
    [
        (ABC, "a b c", []),
        (ABC, "a c", []),
        (ABC, "c", [("missing-element", 0)]),
        (ABC, "a", [("missing-element", 1)]),
        (ABC, "", [("missing-element", 0), ("missing-element", 0)]),
        (ABC, "a b c unknown", [("unexpected-element", 3)]),
        (ABC, "unknown a stranger b c", [("unexpected-element", 0), ("unexpected-element", 2)]),
        (ABC, "b a c", [("misplaced-element", 0)]),
        (ABC, "a b b c", [("too-many", 2)]),
        (ABC, "a b b b c", [("too-many", 2)]),
        (ITEM, "head item item", []),
        (ITEM, "head item", [("too-few", 2)]),
        (ITEM, "head tail", [("missing-element", 1)]),
        (ITEM, "head item item item item item tail", [("too-many", 5)]),
        (ITEM, "head item item itme tail", [("misspelt-element", 3)]),
        (ONE_OF, "x end", []),
        (ONE_OF, "y z end", []),
        (ONE_OF, "end", [("missing-choice", 0)]),
        (ONE_OF, "y end", [("missing-element", 1)]),
        (ONE_OF, "x y z end", [("choice-conflict", 0)]),
        (PAIRS, "k v k v k v", []),
        (PAIRS, "k v k k v", [("missing-element", 3)]),
        (PAIRS, "k v v k v", [("missing-element", 2)]),
        (ANY_ORDER, "b a b a b", []),
        (ANY_ORDER, "b a zzz a b", [("unexpected-element", 2)]),
        (every(el("a"), el("b"), el("c", 0)), "b a", []),
        (every(el("a"), el("b"), el("c", 0)), "c b", [("missing-element", 2)]),
        (every(el("a"), el("b"), el("c", 0)), "b a zzz b", [("unexpected-element", 2), ("too-many", 3)]),
        (every(el("a"), low=0), "", []),
        (seq(every(el("a"), el("b"))), "b a", []),
        (None, "a", [("unexpected-element", 0)]),
        (seq(el("a", 1, 2), el("b", 0), low=1, high=3), "a a a", []),
        (seq(el("a"), low=2, high=2), "a a a", [("too-many", 2)]),
    ],
)
def test_the_fewest_faults_that_explain_the_children(
    particle: Particle | None, children: str, expected: list[tuple[str, int]]
) -> None:
    assert faults(particle, children) == expected


def test_one_mistake_gives_one_fault_and_the_rest_is_read_as_usual() -> None:
    line = seq(el("id"), el("item"), el("quantity"), el("unit"), el("note", 0))
    assert faults(line, "id itme quantity zzz unit note") == [
        ("misspelt-element", 1),
        ("unexpected-element", 3),
    ]
    assert faults(line, "item id quantity") == [("misplaced-element", 1), ("missing-element", 3)]


def test_the_right_name_in_the_wrong_namespace_is_told_apart() -> None:
    assert faults(seq(el("{urn:a}x"), el("{urn:a}y")), "x {urn:a}y") == [("wrong-namespace", 0)]


def test_members_stand_for_the_head_of_their_substitution_group() -> None:
    head, member = (ElementDecl(name=name, type=ANY_TYPE, is_global=True) for name in ("head", "member"))
    model = HandMade(head=(head, member))
    assert faults(seq(el("head", is_global=True), el("end")), "member end", model) == []
    assert faults(seq(el("head", is_global=True), el("end")), "end", model) == [("missing-element", 0)]


def test_a_wildcard_takes_what_its_namespaces_admit() -> None:
    other = Particle(Wildcard(namespaces=("urn:own", ""), negated=True), 1, 2)
    assert faults(seq(el("a"), other), "a {urn:x}b {urn:y}c") == []
    assert faults(seq(el("a"), other), "a") == [("missing-element", 1)]
    assert faults(seq(el("a"), other), "a {urn:x}b {urn:own}c") == [("unexpected-element", 2)]


def test_a_fault_far_down_a_long_list_is_found_in_its_place() -> None:
    names = "k v " * 5_000
    assert faults(PAIRS, names + "k zzz v " + names) == [("unexpected-element", 10_001)]


def test_the_search_stops_when_its_effort_is_spent() -> None:
    wide = choice(*(seq(el(f"a{n}"), el(f"b{n}")) for n in range(300)), low=0, high=None)
    content = Contents(HandMade()).of(ComplexType(name=None, identity="t", content="elements", particle=wide))
    start = time.process_time()
    _, cut = content.faults(["zzz"] * 100_000, effort=50_000)
    assert cut
    assert time.process_time() - start < 5


def test_many_faults_of_two_kinds_take_no_time_that_grows_with_their_product() -> None:
    content = Contents(HandMade()).of(
        ComplexType(name=None, identity="t", content="elements", particle=PAIRS)
    )
    start = time.process_time()
    _, cut = content.faults(["k", "zzz"] * 50_000, effort=10_000_000)
    assert cut
    assert time.process_time() - start < 3


def test_only_so_many_unknown_names_are_looked_up() -> None:
    content = Contents(HandMade()).of(ComplexType(name=None, identity="t", content="elements", particle=ABC))
    start = time.process_time()
    for number in range(20_000):
        content.suggestions(f"name{number}")
    assert time.process_time() - start < 2
