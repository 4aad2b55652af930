from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.erp.receivables.allocating import Misfit, Wanted, plan, state_of
from bridge.erp.receivables.content import tax_of


def test_what_is_named_goes_first_and_the_oldest_take_the_rest() -> None:
    made = plan(100, [Wanted(3, 10), Wanted(2, None)], {1: 50, 2: 30, 3: 40}, [1, 2, 3])
    assert made.put == {3: 10, 2: 30, 1: 50}
    assert made.left == 10


def test_every_allocation_that_asks_for_too_much_is_told_with_what_would_fit() -> None:
    made = plan(30, [Wanted(1, 11), Wanted(2, 20), Wanted(3, 11)], {1: 10, 2: 20, 3: 20})
    assert made.misfits == [Misfit(0, "aboveOpen", 10), Misfit(2, "abovePayment", 10)]


def test_an_invoice_of_which_nothing_is_open_gets_nothing() -> None:
    made = plan(30, [Wanted(1, None)], {1: 0, 2: 0}, [2])
    assert (made.put, made.left) == ({}, 30)


@given(
    money=st.integers(1, 200),
    is_open=st.dictionaries(st.integers(1, 6), st.integers(0, 60), min_size=1),
    wishes=st.lists(
        st.tuples(st.integers(1, 6), st.none() | st.integers(1, 80)), max_size=6, unique_by=lambda one: one[0]
    ),
    oldest=st.booleans(),
)
def test_no_invoice_gets_more_than_is_open_and_nothing_is_lost(
    money: int, is_open: dict[int, int], wishes: list[tuple[int, int | None]], oldest: bool
) -> None:
    wanted = [Wanted(*one) for one in wishes if one[0] in is_open]
    made = plan(money, wanted, is_open, sorted(is_open) if oldest else ())
    assert sum(made.put.values()) + made.left == money
    assert made.left >= 0
    assert all(0 < amount <= is_open[one] for one, amount in made.put.items())
    if oldest and not made.misfits:
        assert made.left == 0 or all(
            made.put.get(one, 0) == most
            for one, most in is_open.items()
            if one not in {w.invoice_id for w in wanted}
        ), "something is left although something is open"
    asked = {one.invoice_id: one.amount for one in wanted if one.amount is not None}
    if not made.misfits:
        assert all(made.put[one] == amount for one, amount in asked.items())


@pytest.mark.parametrize(
    ("total", "paid", "state"),
    [(10, 0, "open"), (10, 1, "partiallyPaid"), (10, 10, "paid"), (0, 0, "paid")],
)
def test_the_state_of_an_invoice_follows_from_what_is_paid(total: int, paid: int, state: str) -> None:
    assert state_of(total, paid) == state


@pytest.mark.parametrize(
    ("net", "rate", "currency", "tax"),
    [
        (1_0000, 1900, "EUR", 1900),
        (1100, 500, "EUR", 100),  # 0.0055 is half a cent and more
        (900, 500, "EUR", 0),
        (1000, 500, "EUR", 100),  # 0.005 is rounded up
        (50_0000, 1000, "JPY", 5_0000),
        (5_0000, 1000, "JPY", 1_0000),
        (1_0000, 725, "KWD", 730),
    ],
)
def test_tax_is_rounded_half_up_to_what_the_currency_is_paid_in(
    net: int, rate: int, currency: str, tax: int
) -> None:
    assert tax_of(net, rate, currency) == tax
