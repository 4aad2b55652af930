"""Conditions: read, and held against values."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bridge.mapping.conditions import read

VALUES = {
    "status": "open", "total": Decimal("120.5"), "one": 1, "yes": True, "no": False, "blank": "", "none": None,
    "vendor/code": "SUP-1", "lines": [1, 2], "brace": "{x}",
}  # fmt: skip


def holds(text: str) -> bool:
    condition = read(text)
    return condition.holds([VALUES.get(path) for path in condition.paths])


@pytest.mark.parametrize(
    "text",
    [
        "status = 'open'", 'status = "open"', "status != 'closed'", "total > 100", "total >= 120.5", "total < 1000", "total <= 120.5",
        "status in ('open', 'new')", "not status in ('closed')", "status is set", "none is empty", "blank is empty", "lines is set",
        "no is set", "one is set", "yes", "not no", "vendor/code starts with 'SUP'", "length(status) = 4", "length(lines) > 1", "one = 1",
        "yes = true", "no = false", "status = 'closed' or total > 100 and yes", "(status = 'closed' or yes) and one = 1",
        "none != 'x'", "brace = '{x}'", "brace in ('{x}', '{y}')", "not (status = 'closed')", "total > -1",
    ],
)  # fmt: skip
def test_what_holds(text: str) -> None:
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "status = 'closed'", "yes = 1", "one = true", "one", "status", "none > 1", "none < 1", "status > 1", "none = ''", "one = '1'",
        "(status = 'closed' or yes) and one = 2", "blank is set", "none starts with 'x'", "length(none) > 0", "none in ('x')",
    ],
)  # fmt: skip
def test_what_does_not_hold(text: str) -> None:
    assert not holds(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("status", None),
        ("status = ", "a value is expected at the end"),
        ("status = open", "write texts in quotes, 'open'"),
        ("= 'x'", "a field is expected, not ="),
        ("status is 'x'", "set is expected, not 'x'"),
        ("status in 'x'", "( is expected, not 'x'"),
        ("status in ('x'", ") is expected, not the end"),
        ("(status = 'x'", ") is expected, not the end"),
        ("status = 'x' total = 1", "total was not expected there: join conditions by and, or"),
        ("status = 'x", '"\'x" cannot be read'),
        ("and", "a field is expected, not and"),
        ("__import__('os')", "( was not expected there"),
    ],
)
def test_what_cannot_be_read_says_what_was_expected(text: str, told: str | None) -> None:
    if told is None:
        read(text)
        return
    with pytest.raises(ValueError) as caught:
        read(text)
    assert told in str(caught.value)


def test_a_condition_says_which_fields_it_reads_and_with_what_they_are_compared() -> None:
    condition = read("a/b = 'x' and (c in ('y', 'z') or length(d) > 3)")
    assert condition.paths == ("a/b", "c", "d")
    assert condition.compared == (("x",), ("y", "z"), ())


def test_texts_with_quotes_and_braces_are_only_texts() -> None:
    hostile: dict[str, Any] = {"a": "'); import os; ('"}
    condition = read("a = \"'); import os; ('\"")
    assert condition.holds([hostile["a"]])
    assert not condition.holds(["x"])
