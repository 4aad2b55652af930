"""What can be promised, against a warehouse that is played day by day with every possible promise."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.erp.catalog.promising import Day, available_on, days

TODAY = date(2026, 3, 2)


def day(number: int) -> date:
    return TODAY + timedelta(days=number)


def test_goods_that_come_too_late_cover_nothing_and_a_later_promise_keeps_its_goods() -> None:
    assert days(10, [(day(7), 20)], [(day(4), 6)], TODAY) == [
        Day(day(0), 0, 0, 10, 4),
        Day(day(4), 0, 6, 4, 4),
        Day(day(7), 20, 0, 24, 24),
    ]
    assert available_on(days(10, [(day(3), 20)], [(day(4), 6)], TODAY), TODAY) == 10


def test_what_is_late_comes_tomorrow_and_is_needed_today() -> None:
    moving = days(5, [(day(-3), 4)], [(day(-9), 2), (None, 1)], TODAY)
    assert moving == [Day(day(0), 0, 3, 2, 2), Day(day(1), 4, 0, 6, 6)]


def test_what_has_no_day_is_not_counted_on() -> None:
    assert days(0, [(None, 100)], [], TODAY) == [Day(TODAY, 0, 0, 0, 0)]


def test_nothing_is_promised_where_too_much_was_promised_already() -> None:
    moving = days(1, [(day(5), 10)], [(day(2), 4)], TODAY)
    assert [one.available for one in moving] == [0, 0, 7]
    assert [one.projected for one in moving] == [1, -3, 7]


@pytest.mark.parametrize(("asked", "promised"), [(-1, 0), (0, 4), (3, 4), (4, 4), (6, 4), (7, 24), (99, 24)])
def test_between_two_days_that_of_the_former_holds(asked: int, promised: int) -> None:
    assert available_on(days(10, [(day(7), 20)], [(day(4), 6)], TODAY), day(asked)) == promised


HORIZON = 9
"""Days that are played."""


def served(free: int, comes: list[int], needs: list[int]) -> list[int]:
    """What has left by the end of each day, when everybody is served as soon as there is something, in the order of their days."""
    there, waiting, left = free, 0, []
    gone = 0
    for number in range(HORIZON):
        there += comes[number]
        waiting += needs[number]
        leaves = max(min(there, waiting), 0)
        there, waiting, gone = there - leaves, waiting - leaves, gone + leaves
        left.append(gone)
    return left


def can_be_promised(free: int, comes: list[int], needs: list[int], on: int) -> int:
    """The largest promise for a day after which everybody, the new one included, has everything on its day; by trying."""
    most = 0
    for more in range(1, 60):
        asked = [need + (more if number == on else 0) for number, need in enumerate(needs)]
        due = [sum(asked[: number + 1]) for number in range(HORIZON)]
        got = served(free, comes, asked)
        # Before that day nothing is taken, so what is late there was late without it.
        if any(got[number] < due[number] for number in range(on, HORIZON)):
            break
        most = more
    return most


figures = st.lists(st.integers(0, 5), min_size=HORIZON, max_size=HORIZON)


@given(free=st.integers(-3, 12), comes=figures, needs=figures, on=st.integers(0, HORIZON - 1))
def test_as_much_is_promised_as_a_warehouse_that_is_played_day_by_day_can_keep(
    free: int, comes: list[int], needs: list[int], on: int
) -> None:
    incoming = [(day(number), amount) for number, amount in enumerate(comes)]
    outgoing = [(day(number), amount) for number, amount in enumerate(needs)]
    promised = available_on(days(free, incoming, outgoing, TODAY), day(on))
    assert promised == can_be_promised(free, comes, needs, on)


@given(free=st.integers(0, 12), comes=figures, needs=figures)
def test_a_promise_that_is_kept_takes_nothing_from_any_other_day_below_zero(
    free: int, comes: list[int], needs: list[int]
) -> None:
    incoming = [(day(number), amount) for number, amount in enumerate(comes)]
    outgoing = [(day(number), amount) for number, amount in enumerate(needs)]
    before = days(free, incoming, outgoing, TODAY)
    for one in before:
        if one.available:
            after = days(free, incoming, [*outgoing, (one.day, one.available)], TODAY)
            assert all(new.projected >= min(old.projected, 0) for old, new in zip(before, after, strict=True))
