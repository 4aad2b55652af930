from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.reconciliation.compare import (
    Counts,
    Found,
    OutOfOrder,
    Row,
    differences,
    plain_same,
    translated,
    within,
)

IDS = (True, True)

keys = st.text(alphabet="abc", max_size=3)
sides = st.dictionaries(keys, st.lists(st.integers(0, 2), min_size=1, max_size=2), max_size=12)


def batches(side: dict[str, list[int]], sizes: list[int]) -> Iterator[list[Row]]:
    """Rows with these keys, a record for each value, with an id at the end, in batches of any size, empty ones too."""
    rows = [
        (key, value, f"{key}-{number}")
        for key, values in sorted(side.items())
        for number, value in enumerate(values)
    ]
    for size in [*sizes, 1000]:
        yield rows[:size]
        rows = rows[size:]


def expected(source: dict[str, list[int]], target: dict[str, list[int]]) -> list[tuple[str, str]]:
    found = []
    for key in sorted({*source, *target}):
        ours, theirs = source.get(key, []), target.get(key, [])
        if len(ours) > 1 or len(theirs) > 1:
            found.append(("duplicate", key))
        elif ours != theirs:
            found.append(("missing" if not theirs else "extra" if not ours else "fields", key))
    return found


@given(sides, sides, st.lists(st.integers(0, 5), max_size=8), st.lists(st.integers(0, 5), max_size=8))
def test_every_difference_is_found_and_none_invented(
    source: dict[str, list[int]], target: dict[str, list[int]], sizes: list[int], others: list[int]
) -> None:
    counts = Counts()
    found = list(
        differences(batches(source, sizes), batches(target, others), [plain_same], counts, with_ids=IDS)
    )
    assert [(one.kind, one.key) for one in found] == expected(source, target)
    assert (counts.source, counts.target) == (sum(map(len, source.values())), sum(map(len, target.values())))


@given(sides, st.lists(st.integers(0, 5), max_size=8), st.lists(st.integers(0, 5), max_size=8))
def test_what_is_the_same_is_the_same_however_it_is_cut(
    side: dict[str, list[int]], sizes: list[int], others: list[int]
) -> None:
    single = {key: values[:1] for key, values in side.items()}
    ours = batches(single, sizes)
    theirs = ([row[:-1] for row in batch] for batch in batches(single, others))
    assert not list(differences(ours, theirs, [plain_same], Counts(), with_ids=(True, False)))


def compare(source: list[Row], target: list[Row], *same: Any) -> list[Found]:
    return list(differences([source], [target], same or [plain_same], Counts(), with_ids=IDS))


def test_a_record_that_was_read_twice_is_one_record() -> None:
    moved = [("a", 1, "a"), ("a", 2, "a")]
    assert compare(moved, [("a", 2, "a")]) == []
    (found,) = compare([("a", 1, "1"), ("a", 1, "2")], [("a", 1, "1")])
    assert found == Found("duplicate", "a", (("a", "1", 1), ("a", "2", 1)), (("a", "1", 1),))


def test_the_values_that_differ_are_named_by_their_place() -> None:
    (found,) = compare([("a", 1, 2, 3, "x")], [("a", 1, 9, 8, "y")], plain_same, plain_same, plain_same)
    assert found.fields == (1, 2)
    assert (found.source, found.target) == ((("a", "x", 1, 2, 3),), (("a", "y", 1, 9, 8),))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Decimal("1.50"), Decimal("1.5"), True),
        (Decimal(2), 2, True),
        (None, "", True),
        ("", None, True),
        (None, 0, False),
        (None, "a", False),
        ("AB  ", "AB", True),
        ("AB", "ab", False),
        (" AB", "AB", False),
        ("1", 1, False),
    ],
)
def test_values_that_say_the_same_are_the_same(one: object, other: object, same: bool) -> None:
    assert plain_same(one, other) is same


def test_amounts_may_differ_by_as_much_as_is_said() -> None:
    cent = within(Decimal("0.01"))
    assert cent(Decimal("1.00"), Decimal("1.01"))
    assert not cent(Decimal("1.00"), Decimal("1.02"))
    assert not cent(Decimal(1), "1")
    assert cent(None, "")


def test_words_are_translated_and_unknown_ones_stay() -> None:
    rows = [("a", "VIP", 1), ("b", "?", 2)]
    assert list(translated([rows], {0: {"VIP": "A"}})) == [[("a", "A", 1), ("b", "?", 2)]]


@pytest.mark.parametrize("cut", [1, 2])
def test_a_side_out_of_order_is_told_and_not_compared(cut: int) -> None:
    rows = [("b", 1), ("a", 1)]
    with pytest.raises(OutOfOrder, match="The target does not come in the order of its ids: 'a' after 'b'"):
        list(differences([[("b", 1)]], [rows[:cut], rows[cut:]], [plain_same], Counts()))
