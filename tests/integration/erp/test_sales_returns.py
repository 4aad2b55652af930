"""ReturnGoods: bounded by what was ordered, credited to the cent, put into stock where wanted. On both databases."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import ModuleType

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bridge.erp.sales.open_orders import open_quantities, open_value
from bridge.store import Store


def test_what_came_back_is_credited_at_the_orders_price(sales: ModuleType, store: Store) -> None:
    number = sales.create(store, sales.order(("10", "2.50"), ("4", "3")))["orderNumber"]
    reply = sales.back(store, number, (10, "2"), (20, "1"), reference="RMA-1")
    assert reply["credit"] == {"value": Decimal("8.00"), "currency": "EUR"}
    assert reply["state"] == "partiallyDelivered"
    assert reply["returnNumber"].startswith("RT-")
    assert "documentNumber" not in reply
    got = sales.get(store, orderNumber=number)
    assert (got["credited"], got["changedAt"]) == (reply["credit"], reply["returnedAt"])
    assert got["returned"] == [
        {
            "returnNumber": reply["returnNumber"],
            "returnedAt": reply["returnedAt"],
            "reason": {"value": "broken", "language": "en"},
            "reference": "RMA-1",
            "credit": reply["credit"],
            "line": [
                {
                    "lineNumber": 10,
                    "quantity": {"value": Decimal(2), "unit": "H87"},
                    "credit": {"value": Decimal("5.00"), "currency": "EUR"},
                },
                {
                    "lineNumber": 20,
                    "quantity": {"value": Decimal(1), "unit": "H87"},
                    "credit": {"value": Decimal("3.00"), "currency": "EUR"},
                },
            ],
        }
    ]


def test_more_than_was_ordered_does_not_come_back(sales: ModuleType, store: Store) -> None:
    number = sales.create(store, sales.order(("10", "1"), ("4", "1")))["orderNumber"]
    sales.back(store, number, (10, "7.5"))
    with pytest.raises(sales.Fault) as caught:
        sales.back(store, number, (20, "1"), (10, "2.500001"))
    assert caught.value.name == "OverReturn"
    assert caught.value.fields["line"] == [
        {
            "lineNumber": 10,
            "ordered": {"value": Decimal(10), "unit": "H87"},
            "returned": {"value": Decimal("7.5"), "unit": "H87"},
            "open": {"value": Decimal("2.5"), "unit": "H87"},
            "wanted": {"value": Decimal("2.500001"), "unit": "H87"},
            "path": "/ReturnGoods/line[2]/quantity",
        }
    ]
    assert len(sales.get(store, orderNumber=number)["returned"]) == 1
    assert sales.back(store, number, (10, "2.5"))["state"] == "partiallyDelivered"


def test_an_order_that_came_back_whole_is_completed(sales: ModuleType, store: Store) -> None:
    number = sales.create(store, sales.order(("1", "1"), ("2", "1")))["orderNumber"]
    assert sales.back(store, number, (10, "1"))["state"] == "partiallyDelivered"
    assert sales.back(store, number, (20, "2"))["state"] == "completed"
    got = sales.get(store, orderNumber=number)
    assert got["credited"] == got["total"]


def test_what_was_delivered_can_still_come_back(sales: ModuleType, store: Store) -> None:
    number = sales.create(store, sales.order(("2", "1")))["orderNumber"]
    sales.complete(store, number)
    assert sales.back(store, number, (10, "1"))["state"] == "completed"
    assert sales.back(store, number, (10, "1"))["state"] == "completed"


def test_credits_of_parts_add_up_to_the_line(sales: ModuleType, store: Store) -> None:
    number = sales.create(store, sales.order(("3", "0.335")))["orderNumber"]
    credited = [sales.back(store, number, (10, "1"))["credit"]["value"] for _ in range(3)]
    assert sum(credited) == Decimal("1.01") == sales.get(store, orderNumber=number)["total"]["value"]
    assert credited == [Decimal("0.34"), Decimal("0.33"), Decimal("0.34")]


def test_a_line_or_a_unit_that_the_order_has_not_is_named(sales: ModuleType, store: Store) -> None:
    number = sales.create(store, sales.order(("3", "1")))["orderNumber"]
    with pytest.raises(sales.Fault) as caught:
        sales.back(store, number, (30, "1"))
    assert caught.value.fields["reference"] == [
        {
            "kind": "salesOrderLine",
            "identifier": "30",
            "reason": "unknown",
            "path": "/ReturnGoods/line/lineNumber",
        }
    ]
    with pytest.raises(sales.Fault) as caught:
        sales.back(store, number, (10, "1"), unit="KGM")
    assert caught.value.fields["reference"][0]["path"] == "/ReturnGoods/line/quantity/@unit"


def test_what_waits_for_a_person_has_not_gone_out_and_does_not_come_back(
    sales: ModuleType, store: Store
) -> None:
    number = sales.create(store, sales.order(("3", "0")))["orderNumber"]
    with pytest.raises(sales.Fault) as caught:
        sales.back(store, number, (10, "1"))
    assert caught.value.fields["allowed"] == ["approved", "partiallyDelivered", "completed"]


def test_after_a_return_an_order_is_neither_changed_nor_called_off(sales: ModuleType, store: Store) -> None:
    number = sales.create(store, sales.order(("3", "1")))["orderNumber"]
    sales.back(store, number, (10, "1"))
    for act in (
        lambda: sales.change(store, number, 1, sales.order(("9", "1"))),
        lambda: sales.cancel(store, number),
    ):
        with pytest.raises(sales.Fault, match="InvalidState"):
            act()
    assert sales.complete(store, number)["state"] == "completed"


def test_with_a_warehouse_the_goods_are_in_stock(erp: ModuleType, sales: ModuleType, store: Store) -> None:
    number = sales.create(store, sales.order(("5", "1")))["orderNumber"]
    reply = sales.back(store, number, (10, "2"), warehouse="WH-A", reference="RMA-2")
    assert erp.stock(store, "SKU-10") == {("SKU-10", "WH-A"): 2}
    (movement,) = erp.movements(store)["movement"]
    assert movement["documentNumber"] == reply["documentNumber"]
    assert movement["reason"] == "customerReturn"
    assert sales.get(store, orderNumber=number)["returned"][0]["documentNumber"] == reply["documentNumber"]


def test_a_unit_that_is_not_the_items_keeps_everything_as_it_was(
    erp: ModuleType, sales: ModuleType, store: Store
) -> None:
    erp.update(store, erp.receipt("SKU-10", "WH-A", "1"))
    wanted = sales.order(("5", "1"))
    wanted.line[0].quantity.unit = "KGM"
    number = sales.create(store, wanted)["orderNumber"]
    with pytest.raises(sales.Fault, match="InvalidReference"):
        sales.back(store, number, (10, "1"), unit="KGM", warehouse="WH-A")
    assert erp.stock(store, "SKU-10") == {("SKU-10", "WH-A"): 1}
    assert sales.get(store, orderNumber=number)["state"] == "approved"


def test_a_request_id_makes_one_return(sales: ModuleType, store: Store) -> None:
    number = sales.create(store, sales.order(("5", "1")))["orderNumber"]
    first = sales.back(store, number, (10, "1"), request="R-1")
    with pytest.raises(sales.Fault) as caught:
        sales.back(store, number, (10, "1"), request="R-1")
    assert caught.value.fields == {"requestId": "R-1", "firstUsedAt": first["returnedAt"]}


def test_of_returns_at_once_no_more_comes_back_than_was_ordered(sales: ModuleType, store: Store) -> None:
    number = sales.create(store, sales.order(("5", "0.333")))["orderNumber"]
    faults: list[str] = []
    start = threading.Barrier(8)

    def send() -> None:
        start.wait()
        try:
            sales.back(store, number, (10, "1"))
        except sales.Fault as fault:
            faults.append(fault.name)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(faults) == ["OverReturn"] * 3
    got = sales.get(store, orderNumber=number)
    assert got["state"] == "completed"
    assert got["credited"] == got["total"]


def test_the_database_itself_refuses_more_than_was_ordered(sales: ModuleType, store: Store) -> None:
    sales.create(store, sales.order(("5", "1")))
    with pytest.raises(DBAPIError), store.transaction() as transaction:
        transaction.session.execute(text("UPDATE sales_order_line SET returned = quantity + 1"))


# -- what other modules ask


def test_open_is_what_is_approved_less_what_came_back(sales: ModuleType, store: Store) -> None:
    wanted = sales.order(("10", "1"), requestedDelivery=date(2026, 4, 1))
    number = sales.create(store, wanted)["orderNumber"]
    sales.create(store, sales.order(("7", "0")))
    sales.create(store, sales.order(("3", "1")))
    sales.back(store, number, (10, "4"))
    with store.reading() as session:
        assert open_value(session, "CUS-1", "EUR") == 9_0000
        assert open_quantities(session, "SKU-10") == [
            (date(2026, 3, 2), 3_000000),
            (date(2026, 4, 1), 6_000000),
        ]
        assert open_quantities(session, "OTHER") == []
    sales.complete(store, number)
    with store.reading() as session:
        assert open_value(session, "CUS-1", "EUR") == 3_0000
        assert open_quantities(session, "SKU-10") == [(date(2026, 3, 2), 3_000000)]


def test_what_is_reserved_in_the_orders_name_is_not_due_a_second_time(
    erp: ModuleType, sales: ModuleType, store: Store
) -> None:
    number = sales.create(store, sales.order(("10", "1")))["orderNumber"]
    erp.update(store, erp.receipt("SKU-10", "WH-A", "50"))
    now = datetime.now(UTC)
    made = erp.reserve(
        store,
        erp.wanted(1, "SKU-10", "WH-A", "6"),
        reference=number,
        expiresAt=now + timedelta(hours=1),
    )

    def due(at: datetime) -> list[int]:
        with store.reading() as session:
            return [amount for _, amount in open_quantities(session, "SKU-10", now=at)]

    assert due(now) == [4_000000]
    erp.update(store, erp.issue("SKU-10", "WH-A", "2", reservation=made["reservationNumber"]))
    assert due(now) == [4_000000], "what has gone out is not due either"
    assert due(now + timedelta(hours=2)) == [8_000000], "a reservation that ran out holds nothing"
