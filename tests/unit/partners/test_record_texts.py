from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import DeliveredUnreadable
from bridge.partners.json_text import dump, load
from bridge.partners.sorting import in_order
from bridge.partners.summing import Sums

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.decimals(allow_nan=False)
    | st.dates()
    | st.datetimes(timezones=st.just(UTC))
)
records = st.dictionaries(
    st.text().filter(lambda name: not name.startswith("$")),
    st.recursive(
        scalars, lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("abc"), inner), max_leaves=8
    ),
)


@given(records)
def test_a_record_is_the_same_after_it_was_text(record: dict[str, Any]) -> None:
    assert load(dump(record)) == record


@pytest.mark.parametrize("value", [1.5, datetime(2026, 1, 1), object(), b"x"])
def test_what_would_lose_something_is_no_record(value: object) -> None:
    with pytest.raises(TypeError):
        dump({"a": value})


@given(st.lists(st.lists(st.tuples(st.text(), st.decimals(allow_nan=False), st.none() | st.integers()))))
def test_rows_come_in_the_order_of_code_points(batches: list[list[tuple[Any, ...]]]) -> None:
    found = [row for batch in in_order(batches, batch=2, held=3) for row in batch]
    assert found == sorted((row for batch in batches for row in batch), key=lambda row: row[0])


def test_more_rows_than_are_held_are_merged_from_a_file() -> None:
    batches = ([(f"{number * 7919 % 10_007:05}", number)] for number in range(10_007))
    found = [row for batch in in_order(batches, held=600) for row in batch]
    assert [row[0] for row in found] == [f"{number:05}" for number in range(10_007)]


def test_amounts_are_added_exactly_by_currency() -> None:
    sums = Sums({"amount": "currency", "weight": None})
    for amount, currency in ((Decimal("0.1"), "EUR"), (Decimal("0.2"), "EUR"), (Decimal(5), "CNY")):
        sums.add({"amount": amount, "currency": currency, "weight": 2})
    sums.add({"amount": None})
    found = sums.totals()
    assert found.count == 4
    assert found.sums == {
        ("amount", "EUR"): Decimal("0.3"),
        ("amount", "CNY"): Decimal(5),
        ("weight", ""): Decimal(6),
    }


def test_a_large_sum_loses_no_cent() -> None:
    sums = Sums({"amount": None})
    for amount in (Decimal(10) ** 30, Decimal("0.01")):
        sums.add({"amount": amount})
    assert sums.totals().sums["amount", ""] == Decimal("1000000000000000000000000000000.01")


def test_an_amount_that_is_no_number_is_the_partners_mistake() -> None:
    with pytest.raises(DeliveredUnreadable, match="amount"):
        Sums({"amount": None}).add({"amount": "12"})
