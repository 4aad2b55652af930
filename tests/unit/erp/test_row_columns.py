"""A row that is inserted as a tuple has the columns of its table, in order."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Table

from bridge.erp.catalog import items, pricing
from bridge.erp.catalog.tables import catalog_gtin, catalog_item, price, price_list
from bridge.erp.currencies import CURRENCIES, is_payable
from bridge.erp.figures import _DECIMAL_DIGITS
from bridge.erp.receivables import cancelling, rows
from bridge.erp.receivables.tables import (
    credit_note,
    customer_account,
    invoice,
    invoice_line,
    payment,
    payment_allocation,
)


@pytest.mark.parametrize(
    ("row", "table"),
    [
        (items.CatalogRow, catalog_item),
        (items.GtinRow, catalog_gtin),
        (pricing.ListRow, price_list),
        (pricing.PriceRow, price),
        (rows.AccountRow, customer_account),
        (rows.InvoiceRow, invoice),
        (rows.LineRow, invoice_line),
        (rows.PaymentRow, payment),
        (rows.AllocationRow, payment_allocation),
        (cancelling.CreditNoteRow, credit_note),
    ],
    ids=lambda one: one.name if isinstance(one, Table) else "",
)
def test_a_row_has_the_columns_of_its_table_in_order(row: Any, table: Table) -> None:
    # The database gives the id.
    assert list(row._fields) == [column.name for column in table.columns if column.name != "id"]


def test_every_currency_with_other_digits_than_two_is_one_that_there_is() -> None:
    assert set(_DECIMAL_DIGITS) <= CURRENCIES
    assert all(len(code) == 3 and code.isalpha() and code.isupper() for code in CURRENCIES)


@pytest.mark.parametrize(
    ("amount", "currency", "payable"),
    [
        (100, "EUR", True),
        (150, "EUR", False),
        (10_000, "JPY", True),
        (5_000, "JPY", False),
        (10, "KWD", True),
        (1, "CLF", True),
    ],
)
def test_an_amount_has_no_more_digits_than_its_currency_is_paid_in(
    amount: int, currency: str, payable: bool
) -> None:
    assert is_payable(amount, currency) is payable
