"""Sales beside customers, catalog, receivables and stock, all of them real and asked by envelopes; and sales alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bridge.cli.bridges import shipped_bridge
from bridge.errors import SettingsError
from bridge.settings import Erp, Settings
from bridge.settings import Store as StoreSettings
from bridge.store.clock import host_clock, moment
from tests.integration.erp.desk import Desk, item, money, pieces, price, price_list

RULES = {
    "approved_grades": ("A", "B"),
    "discount_limit": 10.0,
    "available_only": True,
    "approval_limits": {"EUR": "900"},
}


def open_desk(url: str, **rules: Any) -> Desk:
    settings = Settings(store=StoreSettings(url=url), erp=Erp(**rules))
    return Desk(url, settings=settings)


@pytest.fixture
def strict(store_url: str) -> Iterator[Desk]:
    desk = open_desk(store_url, **RULES)
    yield desk
    desk.close()


def today() -> date:
    return moment(host_clock()).date()


def customer(**fields: Any) -> dict[str, Any]:
    credit = {"grade": "B", "limit": money("1000.00")}
    return {"code": "CUST-1", "name": "Customer Ltd", "country": "GB", "credit": credit, **fields}


def order(*lines: tuple[int, str | None], **header: Any) -> dict[str, Any]:
    """Lines of (quantity, unit price or None) of the item BRG-1."""
    return {
        "orderDate": today(),
        "currency": "EUR",
        "customer": {"code": "CUST-1", "name": "Customer Ltd"},
        "line": [
            {
                "lineNumber": number,
                "item": {"sku": "BRG-1"},
                "quantity": pieces(amount),
                **({} if unit_price is None else {"unitPrice": Decimal(unit_price)}),
            }
            for number, (amount, unit_price) in enumerate(lines, 1)
        ],
        **header,
    }


def findings(decision: Any) -> dict[str, str]:
    return {one.rule: one.result for one in decision.finding}


def test_an_order_is_judged_by_what_the_other_modules_really_say(strict: Desk) -> None:
    strict.do("catalog", "UpsertItem", item=item())
    strict.do(
        "catalog",
        "SetPrices",
        priceList=price_list(standard=True),
        price=[price("10.00"), price("8.00", at=50)],
    )
    received = {
        "sku": "BRG-1",
        "quantity": pieces(80),
        "receipt": {"warehouse": "WH-A", "reason": "purchase"},
    }
    strict.do("inventory", "UpdateStock", movement=[received])

    unknown = strict.do("sales", "CreateSalesOrder", order=order((10, None)))
    assert (unknown.state, findings(unknown.decision)["credit"]) == ("waiting", "notComparable")
    strict.do("sales", "CancelSalesOrder", orderNumber=unknown.orderNumber, reason={"value": "no"})

    strict.do("customers", "UpsertCustomer", customer=customer())
    made = strict.do("sales", "CreateSalesOrder", order=order((60, None)))
    assert (made.state, made.total.value) == ("approved", Decimal("480.00")), "the price of the break"
    assert set(findings(made.decision).values()) == {"passed"}

    # 20 pieces are left, and 520 of the credit.
    short = strict.do("sales", "CreateSalesOrder", order=order((21, "10.00")))
    assert findings(short.decision)["availability"] == "exceeded"
    cheap = strict.do("sales", "CreateSalesOrder", order=order((20, "8.99")))
    assert [rule for rule, result in findings(cheap.decision).items() if result != "passed"] == ["discount"]

    # Delivered, and invoiced: now the invoice uses the credit.
    issued = {"sku": "BRG-1", "quantity": pieces(60), "issue": {"warehouse": "WH-A", "reason": "sale"}}
    strict.do("inventory", "UpdateStock", movement=[issued])
    strict.do("sales", "CompleteSalesOrder", orderNumber=made.orderNumber)
    strict.do("receivables", "CreateInvoice", invoice=bill("950.00", due=today() + timedelta(days=30)))
    over = strict.do("sales", "CreateSalesOrder", order=order((10, None)))
    assert [rule for rule, result in findings(over.decision).items() if result != "passed"] == ["credit"]
    strict.do("receivables", "RecordPayment", payment=paid("900.00"))
    assert strict.do("sales", "CreateSalesOrder", order=order((10, None))).state == "approved"

    strict.do("receivables", "CreateInvoice", invoice=bill("1.00", due=today() - timedelta(days=1)))
    late = strict.do("sales", "CreateSalesOrder", order=order((1, None)))
    assert [rule for rule, result in findings(late.decision).items() if result != "passed"] == ["overdue"]

    blocked = customer(blocked={"reason": {"value": "overdue"}})
    strict.do("customers", "UpsertCustomer", customer=blocked, revision=1)
    refusal = strict.refused("sales", "CreateSalesOrder", order=order((1, None)))
    assert (refusal.name, refusal.texts("reason")) == ("InvalidReference", ["blocked"])


def bill(amount: str, *, due: date) -> dict[str, Any]:
    line = {"lineNumber": 1, "item": {"sku": "BRG-1"}, "quantity": pieces(1), "unitPrice": Decimal(amount)}
    return {
        "customer": {"code": "CUST-1", "name": "Customer Ltd"},
        "invoiceDate": today() - timedelta(days=2),
        "dueDate": due,
        "currency": "EUR",
        "line": [line],
    }


def paid(amount: str) -> dict[str, Any]:
    return {"customer": "CUST-1", "amount": money(amount), "receivedOn": today()}


def test_what_is_approved_can_no_longer_be_promised_to_others(strict: Desk) -> None:
    strict.do("customers", "UpsertCustomer", customer=customer())
    strict.do("catalog", "UpsertItem", item=item())
    strict.do("catalog", "SetPrices", priceList=price_list(standard=True), price=[price("1.00")])
    received = {
        "sku": "BRG-1",
        "quantity": pieces(80),
        "receipt": {"warehouse": "WH-A", "reason": "purchase"},
    }
    strict.do("inventory", "UpdateStock", movement=[received])

    def available() -> Decimal:
        (found,) = strict.do("catalog", "GetAvailability", sku=["BRG-1"]).item
        return Decimal(found.day[0].available.value)

    made = strict.do("sales", "CreateSalesOrder", order=order((30, None)))
    assert available() == 50
    held = {"lineNumber": 1, "sku": "BRG-1", "warehouse": "WH-A", "quantity": pieces(30)}
    reserved = strict.do("inventory", "ReserveStock", reference=made.orderNumber, line=[held])
    assert available() == 50, "what is reserved for the order is not taken twice"
    sold = {"warehouse": "WH-A", "reason": "sale", "reservationNumber": reserved.reservationNumber}
    strict.do("inventory", "UpdateStock", movement=[{"sku": "BRG-1", "quantity": pieces(30), "issue": sold}])
    assert available() == 50, "nor what has gone out"
    strict.do("sales", "CompleteSalesOrder", orderNumber=made.orderNumber)
    assert available() == 50


def test_sales_answers_alone(store_url: str) -> None:
    desk = open_desk(store_url, modules=("sales",))
    try:
        assert list(desk.bridge.services) == ["/services/sales"]
        made = desk.do("sales", "CreateSalesOrder", order=order((10, "1.00")))
        assert made.state == "approved"
        back = desk.do(
            "sales",
            "ReturnGoods",
            orderNumber=made.orderNumber,
            reason={"value": "broken"},
            warehouse="WH-A",
            line=[{"lineNumber": 1, "quantity": pieces(10)}],
        )
        assert (back.state, back.credit.value) == ("completed", Decimal("10.00"))
    finally:
        desk.close()


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"EUR": "fifty"}, "EUR = 'fifty': must be an amount"),
        ({"EUR": "1.23456"}, "EUR = '1.23456': must be an amount"),
        ({"EUR": "-1"}, "EUR = '-1': must not be below zero"),
        ({"EURO": "5"}, "EURO: there is no such currency"),
    ],
)
def test_limits_that_are_none_are_refused_at_the_start(limits: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        shipped_bridge(Settings(erp=Erp(approval_limits=limits)), store=False)
