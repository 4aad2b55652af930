from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from bridge.erp.figures import LARGEST, line_amount, minor_unit_digits, money, plain, quantity, scaled
from bridge.erp.states import PURCHASE_ORDER_STATES

figures = st.decimals(min_value=0, max_value="999999999.999999", places=6)


@given(st.decimals(min_value="-999999999999.999999", max_value="999999999999.999999", places=6))
def test_a_figure_comes_back_as_it_went_in(value: Decimal) -> None:
    assert quantity(scaled(value, 6)) == value


@given(figures, figures, st.sampled_from(["EUR", "JPY", "KWD", "CLF"]))
def test_a_line_is_rounded_half_up_to_the_minor_unit(ordered: Decimal, price: Decimal, currency: str) -> None:
    digits = minor_unit_digits(currency)
    with localcontext(prec=60):
        exact = (ordered * price).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
        found = Decimal(line_amount(scaled(ordered, 6), scaled(price, 6), digits)).scaleb(-4)
    assert found == exact


@pytest.mark.parametrize(
    ("ordered", "price", "currency", "amount"),
    [
        ("1", "0.005", "EUR", "0.01"),
        ("1", "0.004999", "EUR", "0.00"),
        ("3", "0.5", "JPY", "2"),
        ("1", "0.0005", "KWD", "0.001"),
        ("0.000001", "0.000001", "EUR", "0.00"),
    ],
)
def test_amounts_are_written_with_the_digits_of_their_currency(
    ordered: str, price: str, currency: str, amount: str
) -> None:
    found = line_amount(scaled(Decimal(ordered), 6), scaled(Decimal(price), 6), minor_unit_digits(currency))
    assert str(money(found, currency)) == amount


@pytest.mark.parametrize("value", ["0.0000001", "1e18", "NaN", "Infinity", "-1e30", "1e999999"])
def test_a_figure_that_cannot_be_kept_exactly_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="kept"):
        scaled(Decimal(value), 6)


def test_a_figure_is_written_without_needless_zeros_and_without_exponent() -> None:
    assert [format(plain(n, 6), "f") for n in (0, 10_000_000, 1_500_000, 1, -20_000_000)] == [
        "0", "10", "1.5", "0.000001", "-20",
    ]  # fmt: skip
    assert f"{plain(LARGEST, 6):f}" == "999999999999.999999"
    assert f"{plain(10**15, 4):f}" == "100000000000"


def test_the_states_are_those_of_the_contract() -> None:
    schema = etree.parse(Path(__file__).parents[3] / "xsd/erp/purchasing-1.xsd")
    found = schema.xpath(
        "//xs:simpleType[@name='PurchaseOrderState']//xs:enumeration/@value",
        namespaces={"xs": "http://www.w3.org/2001/XMLSchema"},
    )
    assert list(PURCHASE_ORDER_STATES) == list(found)
