from __future__ import annotations

import time

import pytest

from bridge.contract.model import XSD, Facets, SimpleType
from bridge.contract.schema.builtins import BUILTINS
from bridge.contract.schema.facets import Leaves, normalise


def of(builtin: str, *steps: Facets, **more: object) -> SimpleType:
    return SimpleType(name=None, builtin=builtin, steps=steps, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("simple", "text", "facet"),
    [
        (of("int"), "x", "type"),
        (of("int"), "99999999999", "type"),
        (of("string", Facets(enumeration=("EA", "KG"))), "XX", "enumeration"),
        (of("string", Facets(patterns=("[A-Z]{3}",))), "ab", "pattern"),
        (of("string", Facets(length=3)), "ab", "length"),
        (of("string", Facets(min_length=3)), "ab", "min-length"),
        (of("string", Facets(max_length=3)), "abcd", "max-length"),
        (of("decimal", Facets(min_inclusive="1")), "0", "min-inclusive"),
        (of("decimal", Facets(min_exclusive="1")), "1", "min-exclusive"),
        (of("decimal", Facets(max_inclusive="1")), "2", "max-inclusive"),
        (of("decimal", Facets(max_exclusive="1")), "1", "max-exclusive"),
        (of("decimal", Facets(total_digits=2)), "123", "total-digits"),
        (of("decimal", Facets(fraction_digits=1)), "1.23", "fraction-digits"),
        (of("date"), "2024-02-30", "type"),
    ],
)
def test_the_broken_facet_is_named(simple: SimpleType, text: str, facet: str) -> None:
    breach = Leaves().breach(simple, text)
    assert breach is not None
    assert breach.facet == facet


def test_a_value_must_keep_the_rules_of_every_step() -> None:
    narrow = of(
        "string", Facets(patterns=("[A-Z]+", "[0-9]+")), Facets(max_length=2), Facets(patterns=("A.*",))
    )
    leaves = Leaves()
    assert leaves.valid(narrow, "AB")
    assert not leaves.valid(narrow, "12")
    assert not leaves.valid(narrow, "ABC")
    assert leaves.broken_patterns(narrow, "12") == ("A.*",)
    assert leaves.broken_patterns(narrow, "A1") == ("[A-Z]+", "[0-9]+")


def test_the_faulty_item_of_a_list_is_found() -> None:
    numbers = SimpleType(name=None, variety="list", item=of("int"), steps=(Facets(max_length=3),))
    breach = Leaves().breach(numbers, " 1 x 3 ")
    assert breach is not None
    assert (breach.facet, breach.item, breach.value) == ("type", 2, "x")
    too_long = Leaves().breach(numbers, "1 2 3 4")
    assert too_long is not None
    assert (too_long.facet, too_long.item) == ("max-length", None)


def test_a_union_takes_what_one_of_its_members_takes() -> None:
    either = SimpleType(name=None, variety="union", members=(of("int"), of("date")))
    leaves = Leaves()
    assert leaves.valid(either, "1")
    assert leaves.valid(either, "2024-01-31")
    breach = leaves.breach(either, "x")
    assert breach is not None
    assert breach.facet == "union"


def test_names_are_read_with_the_prefixes_of_the_message() -> None:
    colour = of("QName", Facets(enumeration=("c:red",)), namespaces=(("c", "urn:colours"),))
    leaves = Leaves()
    assert leaves.valid(colour, "k:red", {"k": "urn:colours"})
    assert leaves.valid(colour, "red", {None: "urn:colours"})
    assert not leaves.valid(colour, "c:red", {"c": "urn:other"})
    assert not leaves.valid(colour, "c:red", {})


def test_white_space_is_read_as_the_type_says() -> None:
    assert normalise(of("string", white_space="preserve"), " a\n") == " a\n"
    assert normalise(of("normalizedString", white_space="replace"), " a\n") == " a "
    assert normalise(of("token"), " a \t\n b ") == "a b"
    assert normalise(of("token"), "　a　") == "　a　"
    collapsed = of("string", Facets(enumeration=("a b",)), white_space="collapse")
    assert Leaves().valid(collapsed, "\n a  b ")


@pytest.mark.parametrize("name", sorted(BUILTINS))
def test_every_built_in_type_can_be_judged(name: str) -> None:
    leaves = Leaves()
    simple = BUILTINS[name]
    if name.removeprefix(f"{{{XSD}}}") not in ("ENTITY", "ENTITIES"):  # those need a DTD, which is refused
        assert any(leaves.valid(simple, text) for text in ("a", "1", "true", "2024-01-31", *_ODD)), name


_ODD = (
    "2024-01-31T12:00:00", "12:00:00", "2024", "2024-01", "--01-31", "--01", "---31", "P1D", "-1",
    "AQID", "en",
)  # fmt: skip


def test_a_hostile_value_costs_no_time() -> None:
    greedy = of("string", Facets(patterns=("([A-Z]+)*[0-9]",)))
    leaves = Leaves()
    leaves.valid(greedy, "A1")
    start = time.process_time()
    assert not leaves.valid(greedy, "A" * 2_000)
    assert time.process_time() - start < 1
