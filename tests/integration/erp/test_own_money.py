"""A caller that sees its own documents only pays, reads and lists its own invoices and payments, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from bridge.erp.receivables import (
    allocate_payment,
    cancel_invoice,
    create_invoice,
    get_invoice,
    get_payment,
    list_open_items,
    list_payments,
    record_payment,
)
from bridge.store import Store


def asked(
    store: Store, erp: Any, handler: Callable[[Any, Any], Any], partner: str, own: bool, **values: Any
) -> Any:
    """What the handler answers, or the fault's name and fields."""
    request = erp.Given(requestId=erp.request_id(), **values)
    try:
        return store.run(lambda one: handler(request, erp.Call(one, partner=partner, own_only=own)))
    except erp.Fault as fault:
        return fault.name, fault.fields


def invoice(erp: Any, amount: str) -> Any:
    line = erp.Given(
        lineNumber=10,
        item=erp.Given(sku="S"),
        quantity=erp.Given(value=Decimal(1), unit="H87"),
        unitPrice=Decimal(amount),
    )
    customer = erp.Given(code="CU-1", name="Customer")
    return erp.Given(customer=customer, invoiceDate=date(2026, 3, 2), currency="EUR", note=[], line=[line])


def payment(erp: Any, amount: str, *numbers: str, **more: Any) -> Any:
    money = erp.Given(value=Decimal(amount), currency="EUR")
    allocation = [erp.Given(invoiceNumber=one) for one in numbers]
    return erp.Given(
        customer="CU-1", amount=money, receivedOn=date(2026, 3, 20), allocation=allocation, **more
    )


def test_documents_of_others_are_as_if_they_were_not_there(store: Store, erp: Any) -> None:
    def ask(partner: str, own: bool, handler: Callable[[Any, Any], Any], **values: Any) -> Any:
        return asked(store, erp, handler, partner, own, **values)

    number = ask("a", True, create_invoice, invoice=invoice(erp, "10"))["invoiceNumber"]
    paid = ask("a", True, record_payment, payment=payment(erp, "3"))["paymentNumber"]
    by_invoice = {"invoice": erp.Given(invoiceNumber=number)}
    by_payment = {"payment": erp.Given(paymentNumber=paid)}
    reason = erp.Given(value="x")
    allocate = {"paymentNumber": paid, "revision": 1, "allocation": []}
    for handler, values, fault in (
        (get_invoice, by_invoice, "NotFound"),
        (cancel_invoice, {"invoiceNumber": number, "reason": reason}, "NotFound"),
        (get_payment, by_payment, "NotFound"),
        (allocate_payment, allocate, "NotFound"),
        (record_payment, {"payment": payment(erp, "1", number)}, "InvalidReference"),
    ):
        assert ask("b", True, handler, **values)[0] == fault
    assert ask("b", True, list_open_items)["item"] == []
    assert ask("b", True, list_payments)["payment"] == []

    for partner, own in (("a", True), ("b", False)):
        assert ask(partner, own, get_invoice, **by_invoice)["invoiceNumber"] == number
        assert ask(partner, own, get_payment, **by_payment)["paymentNumber"] == paid
        assert len(ask(partner, own, list_open_items)["item"]) == 1
        assert len(ask(partner, own, list_payments)["payment"]) == 1


def test_the_oldest_that_are_paid_first_are_ones_own(store: Store, erp: Any) -> None:
    for partner in ("a", "b"):
        asked(store, erp, create_invoice, partner, True, invoice=invoice(erp, "10"))
    made = asked(store, erp, record_payment, "b", True, payment=payment(erp, "15", oldestFirst=True))
    assert [(one["open"]["value"], made["onAccount"]["value"]) for one in made["allocation"]] == [(0, 5)]
    (left,) = asked(store, erp, list_open_items, "x", False)["item"]
    assert left["invoiceNumber"].endswith("-000001")
