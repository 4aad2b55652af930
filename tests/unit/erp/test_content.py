from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.erp.orders import line_path
from bridge.erp.purchasing.content import Line, is_complete, most_open


def line(number: int, quantity: int) -> Line:
    return Line(number, 1, "S", None, None, None, None, None, quantity, "H87", 0, 0, None, None, None)


@pytest.mark.parametrize(
    ("ordered", "received", "percent", "expected"),
    [
        (10_000_000, 0, 0, 10_000_000),
        (10_000_000, 4_000_000, 0, 6_000_000),
        (10_000_000, 10_000_000, 0, 0),
        (10_000_000, 10_000_000, 2.5, 250_000),
        (10_000_000, 10_300_000, 2.5, 0),
        # A tenth of a percent is a tenth; a fraction below the smallest quantity is none.
        (1_000_000, 0, 0.1, 1_001_000),
        (1, 0, 50, 1),
        (999_999_999_999_999, 0, 0.3, 999_999_999_999_999 + 2_999_999_999_999),
    ],
)
def test_what_may_still_come_in_is_the_order_and_its_tolerance(
    ordered: int, received: int, percent: float, expected: int
) -> None:
    assert most_open(ordered, received, percent) == expected


@given(
    ordered=st.integers(1, 10**15),
    received=st.integers(0, 10**15),
    percent=st.decimals(min_value=0, max_value=1000, places=2),
)
def test_the_tolerance_is_exact(ordered: int, received: int, percent: Decimal) -> None:
    most = most_open(ordered, received, float(percent))
    limit = ordered * (100 + percent) / 100
    if received + most > ordered:
        assert received + most <= limit < received + most + 1 or most == 0
    assert most >= 0


def test_an_order_is_complete_when_every_line_is() -> None:
    lines = [line(10, 5), line(20, 1)]
    assert not is_complete(lines, {})
    assert not is_complete(lines, {10: 5})
    assert not is_complete(lines, {10: 4, 20: 1})
    assert is_complete(lines, {10: 5, 20: 2})


def test_a_path_counts_lines_only_where_there_are_several() -> None:
    assert line_path("ReceiveGoods", 0, 1) == "/ReceiveGoods/line"
    assert line_path("ReceiveGoods", 1, 2) == "/ReceiveGoods/line[2]"
    assert line_path("ChangePurchaseOrder", 0, 2, inside="/order") == "/ChangePurchaseOrder/order/line[1]"
