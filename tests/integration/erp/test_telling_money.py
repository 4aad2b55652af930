"""What a CRM is told of prices, invoices and payments: with the rows that it speaks of, or not at all, on both databases."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from bridge.errors import HandlerError
from tests.integration.erp.desk import Desk, Told, invoice, item, payment, price, price_list, to


def names(told: list[Told]) -> list[tuple[str, str]]:
    return [(one.operation, one.ordering_key) for one in told]


def test_prices_are_told_by_item_with_all_that_hold_now_or_later(told_desk: Desk) -> None:
    desk = told_desk
    today = desk.do("catalog", "ListItems").asOf.date()
    for sku in ("A/1", "B"):
        desk.do("catalog", "UpsertItem", item=item(sku))
    assert desk.told() == []
    long_ago, next_month = str(today - timedelta(days=90)), str(today + timedelta(days=30))
    month_ago = str(today - timedelta(days=30))
    prices = [
        price("9", long_ago, month_ago, sku="A/1"),
        price("10", str(today - timedelta(days=29)), sku="A/1"),
        price("8", next_month, sku="A/1", at=100),
        price("5", long_ago, sku="B"),
    ]
    desk.do("catalog", "SetPrices", priceList=price_list(), price=prices)
    told = desk.told()
    assert names(told) == [("PriceChanged", "STD A/1"), ("PriceChanged", "STD B")]
    event = told[0].event
    assert (event.priceList, event.currency, event.sku, event.sequence) == ("STD", "EUR", "A/1", 1)
    assert [(one.quantityFrom.value, one.unitPrice) for one in event.price] == [(1, 10), (100, 8)]
    desk.do("catalog", "SetPrices", priceList=price_list(), price=prices)
    assert desk.told() == [], "nothing is another one"
    desk.do("catalog", "SetPrices", priceList=price_list(), price=[prices[3] | {"withdrawn": True}])
    (again,) = desk.told()
    assert (again.event.sku, again.event.price, again.event.sequence) == ("B", [], 2)
    assert again.event.eventId != told[1].event.eventId


def test_an_account_is_told_in_the_order_in_which_things_happened(told_desk: Desk) -> None:
    desk = told_desk
    first = desk.do(
        "receivables", "CreateInvoice", invoice=invoice(("1", "100", "19"), orderReference="SO-1")
    )
    number = first.invoiceNumber
    paid = desk.do("receivables", "RecordPayment", payment=payment("150", allocation=[to(number, "50")]))
    second = desk.do("receivables", "CreateInvoice", invoice=invoice(("1", "10", None))).invoiceNumber
    desk.do(
        "receivables",
        "AllocatePayment",
        paymentNumber=paid.paymentNumber,
        revision=1,
        allocation=[to(second)],
    )
    desk.do("receivables", "CancelInvoice", invoiceNumber=number, reason={"value": "x"})
    told = desk.told()
    assert [one.operation for one in told] == [
        "InvoiceIssued",
        "PaymentRecorded",
        "InvoiceIssued",
        "PaymentRecorded",
        "InvoiceIssued",
        "PaymentRecorded",
    ]
    assert {one.ordering_key for one in told} == {"CU-1 EUR"}
    assert [one.event.sequence for one in told] == [1, 2, 3, 4, 5, 6]
    assert len({one.event.eventId for one in told}) == 6
    issued, recorded, _, allocated, credited, freed = (one.event for one in told)
    assert (issued.document, issued.invoiceNumber, issued.orderReference) == ("invoice", number, "SO-1")
    assert (issued.net.value, issued.tax.value, issued.total.value, issued.state) == (100, 19, 119, "open")
    assert (recorded.amount.value, recorded.onAccount.value, recorded.revision) == (150, 100, 1)
    assert [(one.invoiceNumber, one.amount.value, one.open.value, one.state) for one in recorded.invoice] == [
        (number, 50, 69, "partiallyPaid")
    ]
    assert [(one.invoiceNumber, one.amount.value) for one in allocated.invoice] == [
        (number, 50),
        (second, 10),
    ]
    assert (credited.document, credited.invoiceNumber, credited.state) == ("creditNote", number, "cancelled")
    assert credited.creditNoteNumber.startswith("CN-")
    assert (credited.total.value, credited.dueDate) == (119, date(2026, 3, 2))
    assert (freed.revision, freed.onAccount.value) == (3, 140)
    assert [one.invoiceNumber for one in freed.invoice] == [second]


def test_what_was_refused_is_not_told(told_desk: Desk) -> None:
    told_desk.refused("receivables", "RecordPayment", payment=payment("1", currency="EUX"))
    told_desk.refused("catalog", "SetPrices", priceList=price_list(), price=[price("1")])
    assert told_desk.told() == []


@pytest.mark.parametrize("what", ["price", "invoice", "payment"])
def test_rows_whose_event_cannot_be_stored_are_not_stored(
    told_desk: Desk, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise HandlerError("The outbox is full.")

    desk = told_desk
    desk.do("catalog", "UpsertItem", item=item())
    monkeypatch.setattr(desk.bridge.partner("crm"), "send", fails)
    operation, values = {
        "price": ("SetPrices", {"priceList": price_list(), "price": [price("1")]}),
        "invoice": ("CreateInvoice", {"invoice": invoice(("1", "1", None))}),
        "payment": ("RecordPayment", {"payment": payment("1")}),
    }[what]
    contract = "catalog" if what == "price" else "receivables"
    assert "full" in (desk.ask(contract, operation, values).fault or "")
    for table in ("price", "price_list", "invoice", "payment", "customer_account"):
        assert desk.count(f"SELECT COUNT(*) FROM {table}") == 0
