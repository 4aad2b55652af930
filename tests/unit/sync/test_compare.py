"""Values compared and merged."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.sync.compare import Winner, as_text, differing, digest, from_text, merge, plainly, same

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": 1}, {"a": 1, "b": None}),
        ({"a": Decimal("5.00")}, {"a": Decimal(5)}),
        ({"a": NOON}, {"a": NOON.astimezone(timezone(timedelta(hours=8)))}),
        ({"a": [{"x": "1"}]}, {"a": [{"x": "1"}]}),
    ],
)
def test_values_that_are_alike_have_one_hash(one: Any, other: Any) -> None:
    assert digest(one) == digest(other)
    assert differing(one, other) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": "1"}, {"a": 1}),
        ({"a": True}, {"a": 1}),
        ({"a": "5"}, {"a": Decimal(5)}),
        ({"a": date(2026, 3, 1)}, {"a": "2026-03-01"}),
        ({"a": ["x", "y"]}, {"a": ["y", "x"]}),
        ({"a": ""}, {"a": None}),
    ],
)
def test_values_that_differ_have_two(one: Any, other: Any) -> None:
    assert digest(one) != digest(other)
    assert not same(one, other)
    assert differing(one, other) == ["a"]


def test_a_field_that_does_not_count_changes_nothing() -> None:
    assert digest({"a": 1, "at": NOON}, without=("at",)) == digest({"a": 1}, without=("at",))


@pytest.mark.parametrize("value", [datetime(2026, 3, 1), object(), {1, 2}])
def test_what_a_record_cannot_hold_has_no_hash(value: Any) -> None:
    with pytest.raises(TypeError):
        digest({"a": value})


def test_values_are_kept_as_they_are_and_what_records_do_not_have_as_text() -> None:
    values = {"a": Decimal("1.50"), "b": NOON, "c": [date(2026, 3, 1), None], "d": {"e": True}}
    assert from_text(as_text(values)) == values
    assert plainly({"a": b"x", "b": values})["b"] == values
    assert isinstance(plainly({"a": b"x"})["a"], str)


def merged(
    mapped: Any, before: Any, there: Any, known: Any, *, winner: Winner = "nobody", theirs: str = ""
) -> tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]:
    made = merge(mapped, before, there, known, is_theirs=lambda name: name in theirs, winner=winner)
    return made.values, made.ours, made.open


def test_what_only_we_changed_goes_and_what_only_they_changed_stays() -> None:
    values, ours, undecided = merged(
        {"a": "new", "b": "old", "c": "same"},
        {"a": "old", "b": "old", "c": "same"},
        {"a": "old", "b": "theirs", "c": "same"},
        {"a": "old", "b": "old", "c": "same"},
    )
    assert values == {"a": "new", "b": "theirs", "c": "same"}
    assert ours == {"a": "new"}
    assert undecided == ()


@pytest.mark.parametrize(("winner", "kept"), [("ours", "here"), ("theirs", "there"), ("nobody", "there")])
def test_what_both_changed_goes_by_the_winner(winner: Winner, kept: str) -> None:
    values, ours, undecided = merged({"a": "here"}, {"a": "old"}, {"a": "there"}, {"a": "old"}, winner=winner)
    assert values == {"a": kept}
    assert ours == ({"a": "here"} if winner == "ours" else {})
    assert undecided == (("a",) if winner == "nobody" else ())


def test_what_both_changed_alike_is_no_conflict() -> None:
    assert merged({"a": "x"}, {"a": "old"}, {"a": "x"}, {"a": "old"})[2] == ()


def test_what_was_cleared_there_stays_cleared_until_we_change_it() -> None:
    assert merged({"a": "x"}, {"a": "x"}, {}, {"a": "x"})[0] == {"a": None}
    assert merged({"a": "y"}, {"a": "x"}, {}, {"a": "x"}, winner="ours")[0] == {"a": "y"}
    assert merged({"a": "y"}, {"a": "x"}, {}, {"a": "x"})[2] == ("a",)


def test_what_we_clear_is_cleared_there() -> None:
    assert merged({"a": None}, {"a": "x"}, {"a": "x"}, {"a": "x"})[0] == {"a": None}


def test_nothing_here_does_not_clear_what_was_never_moved() -> None:
    assert merged({"a": None}, None, {"a": "theirs"}, {}, winner="ours")[0] == {"a": "theirs"}


def test_a_field_of_theirs_goes_with_a_new_record_only() -> None:
    assert merged({"a": "x", "b": None}, None, None, None, theirs="a")[0] == {"a": "x"}
    assert merged({"a": "x", "b": "y"}, None, None, {"a": "z"}, theirs="a")[0] == {"b": "y"}
    assert merged({"a": "x"}, {"a": "w"}, {"a": "z"}, {"a": "z"}, theirs="a", winner="ours")[0] == {"a": "z"}


texts = st.none() | st.sampled_from(["x", "y", "z"])
records = st.fixed_dictionaries({"a": texts, "b": texts})


@given(here=records, there=records, known=records, winner=st.sampled_from(["ours", "theirs"]))
def test_a_change_of_one_side_alone_is_never_lost(here: Any, there: Any, known: Any, winner: Winner) -> None:
    values, ours, undecided = merged(here, known, there, known, winner=winner)
    assert undecided == ()
    for name in ("a", "b"):
        moved_here, moved_there = here[name] != known[name], there[name] != known[name]
        if moved_here and not moved_there:
            assert values[name] == ours[name] == here[name]
        elif moved_there and not moved_here:
            assert values[name] == there[name]
        elif not moved_here:
            assert values[name] == known[name]
