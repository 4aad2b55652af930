from __future__ import annotations

from datetime import date, timedelta
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from bridge.erp.catalog.items import is_gtin
from bridge.erp.catalog.validity import Break, Place, Terms, broken_alone, overlaps

FIRST = date(2026, 1, 1)


def at(first: int, *, sku: str = "S", quantity: int = 1) -> Place:
    return Place(sku, quantity, str(FIRST + timedelta(days=first)))


def until(last: int | None, *, withdrawn: bool = False) -> Terms:
    return Terms(None if last is None else str(FIRST + timedelta(days=last)), 1, int(withdrawn))


def test_a_price_that_ends_before_it_begins_stands_twice_or_withdraws_nothing_is_told() -> None:
    wanted = [
        (at(5), until(4)),
        (at(5), until(9)),
        (at(8), until(None, withdrawn=True)),
        (at(9), until(9)),
        (at(1), until(None, withdrawn=True)),
    ]
    assert broken_alone(wanted, [at(1)]) == [
        Break(0, "endsBeforeItBegins"),
        Break(1, "repeated"),
        Break(2, "nothingToWithdraw"),
    ]


def test_an_open_price_is_in_the_way_of_every_later_one_until_it_is_ended() -> None:
    old, new = at(0), at(31)
    assert overlaps({old: until(None), new: until(None)}, {new: 0}) == [Break(0, "overlap", old, None)]
    assert overlaps({old: until(30), new: until(None)}, {old: 0, new: 1}) == []
    told = overlaps({old: until(40), new: until(50)}, {old: 0})
    assert told == [Break(0, "overlap", new, until(50).valid_until)], (
        "the one that the request names is told of"
    )


def test_other_items_and_breaks_and_withdrawn_prices_are_in_nobodys_way() -> None:
    prices = {
        at(0): until(None),
        at(5, sku="T"): until(None),
        at(5, quantity=10): until(None),
        at(6): until(None, withdrawn=True),
    }
    assert overlaps(prices, dict.fromkeys(prices, 0)) == []


periods = st.lists(
    st.tuples(st.integers(0, 30), st.none() | st.integers(0, 10), st.booleans()),
    min_size=1,
    max_size=6,
    unique_by=lambda one: one[0],
)


@given(periods)
def test_an_overlap_is_found_where_two_prices_hold_on_one_day(
    given_periods: list[tuple[int, int | None, bool]],
) -> None:
    prices = {
        at(first): until(None if length is None else first + length, withdrawn=gone)
        for first, length, gone in given_periods
    }
    held = [
        set(range(first, 60 if length is None else first + length + 1))
        for first, length, gone in given_periods
        if not gone
    ]
    positions = {place: index for index, place in enumerate(prices)}
    clash = any(one & other for one, other in combinations(held, 2))
    assert bool(overlaps(prices, positions)) == clash


def test_a_bar_code_has_the_right_check_digit() -> None:
    for right in ("4006381333931", "73513537", "036000291452", "10012345678902"):
        assert is_gtin(right)
        assert not is_gtin(right[:-1] + str((int(right[-1]) + 1) % 10))
