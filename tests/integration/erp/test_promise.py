"""What can be promised, counted from the rows of stock, purchasing and sales, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from bridge.erp.catalog import promise
from bridge.erp.catalog.promise import available_to_promise
from tests.integration.erp.desk import Desk, pieces

Figures = tuple[int, ...]


@pytest.fixture
def today(desk: Desk) -> date:
    """Where the business is."""
    desk.do("inventory", "UpdateStock", movement=[moved("OTHER", 1, "WH-A"), moved("OTHER", 1, "WH-B")])
    day: date = desk.do("catalog", "GetAvailability", sku=["OTHER"]).item[0].day[0].day
    return day


def moved(sku: str, amount: object, warehouse: str) -> dict[str, Any]:
    return {
        "sku": sku,
        "quantity": pieces(amount),
        "receipt": {"warehouse": warehouse, "reason": "purchase"},
    }


def buy(
    desk: Desk,
    amount: object,
    due: date | None,
    *,
    warehouse: str | None = "WH-A",
    unit: str = "H87",
    line_due: date | None = None,
) -> str:
    address = {"address": {"street": ["Kai 1"], "city": "Hamburg", "country": "DE"}}
    line = {
        "lineNumber": 10,
        "item": {"sku": "S"},
        "quantity": pieces(amount, unit),
        "unitPrice": Decimal(1),
        **({} if line_due is None else {"requestedDelivery": line_due}),
    }
    order = {
        "orderDate": date(2026, 3, 2),
        "currency": "EUR",
        "buyer": {"code": "CO-1", "name": "Buyer"},
        "supplier": {"code": "SUP-1", "name": "Supplier"},
        "shipTo": address if warehouse is None else {"warehouse": warehouse},
        "line": [line],
        **({} if due is None else {"requestedDelivery": due}),
    }
    number: str = desk.do("purchasing", "CreatePurchaseOrder", order=order).orderNumber
    return number


@pytest.fixture
def sold(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Gives the item S open sales orders."""

    def give(*orders: tuple[date | None, int]) -> None:
        monkeypatch.setattr(
            promise,
            "open_quantities",
            lambda _, sku, **__: [(day, amount * 1_000_000) for day, amount in orders] if sku == "S" else [],
        )

    give()
    return give


def told(desk: Desk, today: date, **more: Any) -> list[Figures]:
    """(days from now, incoming, outgoing, projected, available)"""
    (item,) = desk.do("catalog", "GetAvailability", sku=["S"], **more).item
    return [
        (
            (one.day - today).days,
            *(int(getattr(one, name).value) for name in ("incoming", "outgoing", "projected", "available")),
        )
        for one in item.day
    ]


def test_stock_orders_and_sales_are_counted_by_their_days(
    desk: Desk, today: date, sold: Callable[..., None]
) -> None:
    desk.do("inventory", "UpdateStock", movement=[moved("S", 12, "WH-A"), moved("S", 3, "WH-B")])
    held = {"lineNumber": 1, "sku": "S", "warehouse": "WH-A", "quantity": pieces(5)}
    desk.do("inventory", "ReserveStock", reference="SO-1", line=[held])
    buy(desk, 20, today + timedelta(days=7))
    buy(desk, 4, today + timedelta(days=99), line_due=today + timedelta(days=10), warehouse="WH-B")
    sold((today + timedelta(days=4), 6))
    assert told(desk, today) == [(0, 0, 0, 10, 4), (4, 0, 6, 4, 4), (7, 20, 0, 24, 24), (10, 4, 0, 28, 28)]
    (item,) = desk.do("catalog", "GetAvailability", sku=["S"]).item
    assert (item.onHand.value, item.reserved.value, item.onHand.unit) == (15, 5, "H87")
    assert told(desk, today, until=today + timedelta(days=8))[-1] == (7, 20, 0, 24, 24)
    with desk.store.reading() as session:
        for days, promised in ((-1, 0), (0, 4), (6, 4), (7, 24), (400, 28)):
            asked = {"on": today + timedelta(days=days), "now": datetime.now(UTC), "today": today}
            assert available_to_promise(session, "S", **asked) == promised * 1_000_000
        assert available_to_promise(session, "NO-SUCH", **asked) == 0


def test_what_has_come_in_of_an_order_is_not_expected_again(
    desk: Desk, today: date, sold: Callable[..., None]
) -> None:
    number = buy(desk, 20, today + timedelta(days=2))
    desk.do(
        "purchasing", "ReceiveGoods", orderNumber=number, line=[{"lineNumber": 10, "quantity": pieces(5)}]
    )
    assert told(desk, today) == [(0, 0, 0, 5, 5), (2, 15, 0, 20, 20)]
    desk.do(
        "purchasing",
        "ReceiveGoods",
        orderNumber=number,
        line=[{"lineNumber": 10, "quantity": pieces(1)}],
        final=True,
    )
    assert told(desk, today) == [(0, 0, 0, 6, 6)]


def test_what_is_late_is_expected_tomorrow_and_what_brings_no_stock_is_not_counted(
    desk: Desk, today: date, sold: Callable[..., None]
) -> None:
    desk.do("inventory", "UpdateStock", movement=[moved("S", 1, "WH-A")])
    buy(desk, 7, today - timedelta(days=3))
    buy(desk, 100, None)
    buy(desk, 100, today, warehouse=None)
    buy(desk, 100, today, unit="KGM")
    cancelled = buy(desk, 100, today)
    desk.do("purchasing", "CancelPurchaseOrder", orderNumber=cancelled, reason={"value": "x"})
    sold((today - timedelta(days=2), 1), (None, 2))
    assert told(desk, today) == [(0, 0, 3, -2, 0), (1, 7, 0, 5, 5)]


def test_one_warehouse_promises_what_it_gets_and_no_more_than_the_company_can(
    desk: Desk, today: date, sold: Callable[..., None]
) -> None:
    desk.do("inventory", "UpdateStock", movement=[moved("S", 6, "WH-A"), moved("S", 10, "WH-B")])
    buy(desk, 5, today + timedelta(days=3), warehouse="WH-B")
    sold((today + timedelta(days=1), 8))
    assert told(desk, today) == [(0, 0, 0, 16, 8), (1, 0, 8, 8, 8), (3, 5, 0, 13, 13)]
    assert told(desk, today, warehouse="WH-A") == [(0, 0, 0, 6, 6), (1, 0, 0, 6, 6), (3, 0, 0, 6, 6)]
    assert told(desk, today, warehouse="WH-B") == [(0, 0, 0, 10, 8), (1, 0, 0, 10, 8), (3, 5, 0, 15, 13)]


def test_a_reservation_that_has_run_out_holds_nothing(
    desk: Desk, today: date, sold: Callable[..., None]
) -> None:
    desk.do("inventory", "UpdateStock", movement=[moved("S", 10, "WH-A")])
    held = {"lineNumber": 1, "sku": "S", "warehouse": "WH-A", "quantity": pieces(4)}
    desk.do("inventory", "ReserveStock", reference="SO-1", line=[held])
    assert told(desk, today) == [(0, 0, 0, 6, 6)]
    with desk.store.transaction() as transaction:
        transaction.session.execute(text("UPDATE reservation SET expires_at = created_at + 1"))
    assert told(desk, today) == [(0, 0, 0, 10, 10)]


def test_items_are_told_in_the_order_in_which_they_were_asked_for_and_must_be_known(
    desk: Desk, today: date, sold: Callable[..., None]
) -> None:
    desk.do("inventory", "UpdateStock", movement=[moved("S", 1, "WH-A"), moved("A", 2, "WH-A")])
    asked = desk.do("catalog", "GetAvailability", sku=["S", "A", "S"])
    assert [(one.sku, one.day[0].available.value) for one in asked.item] == [("S", 1), ("A", 2)]
    refusal = desk.refused("catalog", "GetAvailability", sku=["S", "NO-SUCH"], warehouse="WH-Z")
    assert (refusal.name, refusal.texts("identifier")) == ("NotFound", ["NO-SUCH", "WH-Z"])
