"""Catalog, receivables and sales asked together: each counts what the others keep, on both databases."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from tests.integration.erp.desk import Desk, invoice, item, money, payment, pieces, price, price_list, to


def order(amount: object, due: date, **fields: Any) -> dict[str, Any]:
    return {
        "orderDate": date(2026, 3, 2),
        "currency": "EUR",
        "customer": {"code": "CU-1", "name": "Customer"},
        "requestedDelivery": due,
        "line": [
            {"lineNumber": 10, "item": {"sku": "BRG-1"}, "quantity": pieces(amount), "unitPrice": Decimal(10)}
        ],
        **fields,
    }


def stocked(desk: Desk, amount: object) -> date:
    """So much of BRG-1 at 10 EUR, and a customer who may owe 100 EUR. Today, where the business is."""
    desk.do("catalog", "UpsertItem", item=item())
    desk.do("catalog", "SetPrices", priceList=price_list(standard=True), price=[price("10")])
    receipt = {"receipt": {"warehouse": "WH-A", "reason": "purchase"}}
    desk.do("inventory", "UpdateStock", movement=[{"sku": "BRG-1", "quantity": pieces(amount), **receipt}])
    desk.do(
        "customers",
        "UpsertCustomer",
        customer={
            "code": "CU-1",
            "name": "Customer",
            "country": "DE",
            "credit": {"grade": "A", "limit": money(100)},
        },
    )
    (found,) = desk.do("catalog", "GetAvailability", sku=["BRG-1"]).item
    today: date = found.day[0].day
    return today


def told(desk: Desk, today: date) -> list[tuple[int, ...]]:
    """(days from now, outgoing, projected, available)"""
    (found,) = desk.do("catalog", "GetAvailability", sku=["BRG-1"]).item
    return [
        (
            (one.day - today).days,
            int(one.outgoing.value),
            int(one.projected.value),
            int(one.available.value),
        )
        for one in found.day
    ]


def test_a_sales_order_takes_from_what_can_be_promised_once_also_where_its_goods_are_reserved(
    desk: Desk,
) -> None:
    today = stocked(desk, 20)
    made = desk.do("sales", "CreateSalesOrder", order=order(6, today + timedelta(days=4)))
    assert made.state == "approved"
    assert told(desk, today) == [(0, 0, 20, 14), (4, 6, 14, 14)]
    held = {"lineNumber": 1, "sku": "BRG-1", "warehouse": "WH-A", "quantity": pieces(4)}
    desk.do("inventory", "ReserveStock", reference=made.orderNumber, line=[held])
    assert told(desk, today) == [(0, 0, 16, 14), (4, 2, 14, 14)], "four are reserved, two are still due"


def test_what_is_owed_uses_credit_until_it_is_paid_and_money_on_account_gives_some(desk: Desk) -> None:
    today = stocked(desk, 1000)
    number = desk.do(
        "receivables",
        "CreateInvoice",
        invoice=invoice(("1", "95", None), dueDate=today + timedelta(days=30)),
    ).invoiceNumber
    waits = desk.do("sales", "CreateSalesOrder", order=order(1, today))
    assert waits.state != "approved", "95 are owed, and 10 more are above 100"
    desk.do("sales", "CancelSalesOrder", orderNumber=waits.orderNumber, reason={"value": "too much"})
    desk.do("receivables", "RecordPayment", payment=payment("145", allocation=[to(number)]))
    assert desk.do("sales", "CreateSalesOrder", order=order(15, today)).state == "approved"
    assert desk.do("sales", "CreateSalesOrder", order=order(1, today)).state != "approved"
