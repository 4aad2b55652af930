"""Sales orders: placed, changed, called off, completed, read and listed, on both databases."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from types import ModuleType

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bridge.erp.orders import CancellationRow
from bridge.erp.sales.decisions import DecisionRow
from bridge.erp.sales.returns import ReturnLineRow, ReturnRow
from bridge.erp.sales.rows import AccountRow, LineRow, OrderRow
from bridge.erp.sales.tables import (
    sales_account,
    sales_order,
    sales_order_cancellation,
    sales_order_decision,
    sales_order_line,
    sales_return,
    sales_return_line,
)
from bridge.store import Store


def test_an_order_is_stored_as_it_was_sent(sales: ModuleType, store: Store) -> None:
    wanted = sales.order(
        ("10", "2.50"),
        ("3", "1.333333"),
        customerReference="C-77",
        warehouse="WH-NB1",
        requestedDelivery=date(2026, 4, 1),
        shipTo=sales.Given(street=["Kai 1"], city="Hamburg", country="DE"),
        paymentTerms=sales.Given(method="bankTransfer", netDays=30),
    )
    wanted.line[1].requestedDelivery = date(2026, 5, 1)
    reply = sales.create(store, wanted)
    got = sales.get(store, orderNumber=reply["orderNumber"])
    assert (reply["state"], got["state"], got["revision"]) == ("approved", "approved", 1)
    assert reply["total"] == got["total"] == {"value": Decimal("29.00"), "currency": "EUR"}
    assert got["order"] == {
        "customerReference": "C-77",
        "orderDate": date(2026, 3, 2),
        "currency": "EUR",
        "customer": {"code": "CUS-1", "name": "Customer Ltd"},
        "warehouse": "WH-NB1",
        "shipTo": {"street": ["Kai 1"], "city": "Hamburg", "country": "DE"},
        "paymentTerms": {"method": "bankTransfer", "netDays": 30},
        "note": [{"value": "urgent", "language": "en"}],
        "requestedDelivery": date(2026, 4, 1),
        "line": [
            {
                "lineNumber": 10,
                "item": {"sku": "SKU-10", "description": "A thing"},
                "quantity": {"value": Decimal(10), "unit": "H87"},
                "unitPrice": Decimal("2.50"),
            },
            {
                "lineNumber": 20,
                "item": {"sku": "SKU-20", "description": "A thing"},
                "quantity": {"value": Decimal(3), "unit": "H87"},
                "unitPrice": Decimal("1.333333"),
                "requestedDelivery": date(2026, 5, 1),
            },
        ],
    }


def test_a_request_id_makes_one_order_and_finds_it(sales: ModuleType, store: Store) -> None:
    first = sales.create(store, sales.order(("1", "1")), request="R-1", partner="crm")
    with pytest.raises(sales.Fault) as caught:
        sales.create(store, sales.order(("1", "1")), request="R-1", partner="crm")
    assert caught.value.name == "KeyReused"
    assert caught.value.fields == {"requestId": "R-1", "firstUsedAt": first["createdAt"]}
    other = sales.create(store, sales.order(("1", "1")), request="R-1", partner="shop")
    assert sales.get(store, partner="crm", requestId="R-1")["orderNumber"] == first["orderNumber"]
    assert sales.get(store, partner="shop", requestId="R-1")["orderNumber"] == other["orderNumber"]
    with pytest.raises(sales.Fault, match="NotFound"):
        sales.get(store, requestId="R-1")


def test_a_total_that_cannot_be_kept_is_refused(sales: ModuleType, store: Store) -> None:
    with pytest.raises(sales.Fault, match="LimitExceeded"):
        sales.create(store, sales.order(("999999999", "999999999")))
    assert sales.orders(store)["order"] == []


def test_a_currency_that_there_is_not_is_refused(sales: ModuleType, store: Store) -> None:
    number = sales.create(store, sales.order(("1", "1")))["orderNumber"]
    for act in (
        lambda: sales.create(store, sales.order(("1", "1"), currency="EUX")),
        lambda: sales.change(store, number, 1, sales.order(("1", "1"), currency="EUX")),
    ):
        with pytest.raises(sales.Fault, match="UnknownCurrency"):
            act()


def test_every_revision_stays_readable(sales: ModuleType, store: Store) -> None:
    number = sales.create(store, sales.order(("1", "1.00")))["orderNumber"]
    made = [sales.get(store, orderNumber=number)["order"]]
    for revision in (1, 2):
        wanted = sales.order((str(revision + 1), "1.00"), ("1", "3.00"), currency="CNY")
        reply = sales.change(store, number, revision, wanted)
        assert reply["revision"] == revision + 1
        made.append(sales.get(store, orderNumber=number)["order"])
    for revision, was in enumerate(made, 1):
        assert sales.get(store, orderNumber=number, revision=revision)["order"] == was
    with pytest.raises(sales.Fault) as caught:
        sales.get(store, orderNumber=number, revision=4)
    assert caught.value.fields["missing"][0]["identifier"] == f"{number} revision 4"


def test_what_was_read_can_be_sent_back(sales: ModuleType, store: Store) -> None:
    number = sales.create(store, sales.order(("10", "2.50"), ("4", "1")))["orderNumber"]
    before = sales.get(store, orderNumber=number)
    sales.change(store, number, 1, sales.sent_again(before["order"]))
    assert sales.get(store, orderNumber=number)["order"] == before["order"]


def test_a_change_of_another_revision_is_told_which_one_is_there(sales: ModuleType, store: Store) -> None:
    number = sales.create(store, sales.order(("1", "1")))["orderNumber"]
    sales.change(store, number, 1, sales.order(("2", "1")))
    for act in (
        lambda: sales.change(store, number, 1, sales.order(("3", "1"))),
        lambda: sales.cancel(store, number, 1),
        lambda: sales.complete(store, number, 1),
    ):
        with pytest.raises(sales.Fault) as caught:
            act()
        assert caught.value.name == "RevisionMismatch"
        assert (caught.value.fields["kind"], caught.value.fields["current"]) == ("salesOrder", 2)
    assert sales.get(store, orderNumber=number)["total"]["value"] == 2


def test_an_order_that_is_called_off_says_why_and_stays_so(sales: ModuleType, store: Store) -> None:
    number = sales.create(store, sales.order(("1", "1")))["orderNumber"]
    reply = sales.cancel(store, number, 1)
    got = sales.get(store, orderNumber=number)
    assert (got["state"], got["changedAt"]) == ("cancelled", reply["cancelledAt"])
    assert got["cancellation"]["reason"] == {"value": "not needed", "language": "en"}
    for act in (
        lambda: sales.cancel(store, number),
        lambda: sales.change(store, number, 1, sales.order(("1", "1"))),
        lambda: sales.complete(store, number),
        lambda: sales.decide(store, number),
        lambda: sales.back(store, number, (10, "1")),
    ):
        with pytest.raises(sales.Fault) as caught:
            act()
        assert (caught.value.name, caught.value.fields["state"]) == ("InvalidState", "cancelled")


def test_a_completed_order_is_neither_changed_nor_called_off(sales: ModuleType, store: Store) -> None:
    number = sales.create(store, sales.order(("1", "1")))["orderNumber"]
    reply = sales.complete(store, number, 1)
    assert reply["state"] == "completed"
    assert sales.get(store, orderNumber=number)["changedAt"] == reply["completedAt"]
    with pytest.raises(sales.Fault) as caught:
        sales.cancel(store, number)
    assert caught.value.fields["allowed"] == ["waiting", "approved"]


def test_an_order_that_is_not_there_is_not_found_by_any_operation(sales: ModuleType, store: Store) -> None:
    missing = "SO-2019-000001"
    for act in (
        lambda: sales.get(store, orderNumber=missing),
        lambda: sales.change(store, missing, 1, sales.order(("1", "1"))),
        lambda: sales.cancel(store, missing),
        lambda: sales.complete(store, missing),
        lambda: sales.decide(store, missing),
        lambda: sales.back(store, missing, (10, "1")),
    ):
        with pytest.raises(sales.Fault) as caught:
            act()
        assert caught.value.fields == {"missing": [{"kind": "salesOrder", "identifier": missing}]}


def test_who_sees_only_its_own_orders_sees_no_others(sales: ModuleType, store: Store) -> None:
    number = sales.create(store, sales.order(("1", "0")), partner="crm")["orderNumber"]
    assert sales.get(store, orderNumber=number, partner="crm", own_only=True)["state"] == "waiting"
    with pytest.raises(sales.Fault, match="NotFound"):
        sales.get(store, orderNumber=number, partner="shop", own_only=True)
    for asked in (sales.orders, sales.approvals):
        told = asked(store, partner="shop", own_only=True)
        assert not told.get("order")
        assert not told.get("approval")
    assert len(sales.orders(store, partner="crm", own_only=True)["order"]) == 1


def test_open_orders_are_listed_page_by_page_and_others_where_their_state_is_named(
    sales: ModuleType, store: Store
) -> None:
    numbers = [
        sales.create(store, sales.order(("1", "1"), customer=f"CUS-{one % 2}", customerReference=f"C-{one}"))[
            "orderNumber"
        ]
        for one in range(5)
    ]
    sales.cancel(store, numbers[0])
    sales.complete(store, numbers[1])
    first = sales.orders(store, pageSize=2)
    rest = sales.orders(store, pageSize=2, pageToken=first["nextPage"])
    assert [one["orderNumber"] for one in first["order"] + rest["order"]] == numbers[2:]
    assert "nextPage" not in rest

    def listed(**wanted: object) -> list[str]:
        return [one["orderNumber"] for one in sales.orders(store, **wanted)["order"]]

    assert listed(state=["cancelled", "completed"]) == numbers[:2]
    assert listed(customer="CUS-0") == [numbers[2], numbers[4]]
    assert listed(customerReference="C-3") == [numbers[3]]
    with pytest.raises(sales.Fault, match="InvalidPageToken"):
        sales.orders(store, customer="CUS-0", pageToken=first["nextPage"])
    with pytest.raises(sales.Fault, match="InvalidPageToken"):
        sales.approvals(store, pageToken=first["nextPage"])


def test_changed_since_finds_what_was_done_since(sales: ModuleType, store: Store) -> None:
    old, new = (sales.create(store, sales.order(("1", "1"))) for _ in range(2))
    done = sales.complete(store, old["orderNumber"])["completedAt"]
    every = ["waiting", "approved", "refused", "partiallyDelivered", "completed", "cancelled"]
    listed = sales.orders(store, state=every, changedSince=done)["order"]
    assert [one["orderNumber"] for one in listed] == [old["orderNumber"]]
    assert listed[0]["changedAt"] == done
    assert sales.orders(store, changedSince=new["createdAt"])["order"][0]["orderNumber"] == new["orderNumber"]


def test_what_is_done_later_has_the_later_time_even_if_it_was_asked_earlier(
    sales: ModuleType, store: Store
) -> None:
    made = sales.create(store, sales.order(("1", "1")))
    long_ago = made["createdAt"] - timedelta(hours=1)
    changed = sales.change(store, made["orderNumber"], 1, sales.order(("2", "1")), now=long_ago)
    assert changed["changedAt"] > made["createdAt"]


def test_what_was_and_what_was_decided_cannot_be_rewritten(sales: ModuleType, store: Store) -> None:
    number = sales.create(store, sales.order(("2", "1")))["orderNumber"]
    sales.change(store, number, 1, sales.order(("3", "1")))
    sales.back(store, number, (10, "1"))
    for table in (
        "sales_order_revision",
        "sales_order_revision_line",
        "sales_order_decision",
        "sales_return",
        "sales_return_line",
    ):
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET exchange_id = exchange_id"):
            if "exchange_id" in statement and table.endswith("_line"):
                continue
            with pytest.raises(DBAPIError, match="append-only"), store.transaction() as transaction:
                transaction.session.execute(text(statement))


def test_a_row_has_the_columns_of_its_table_in_order() -> None:
    for row, table, without in (
        (OrderRow, sales_order, 1),
        (LineRow, sales_order_line, 0),
        (DecisionRow, sales_order_decision, 1),
        (ReturnRow, sales_return, 1),
        (ReturnLineRow, sales_return_line, 0),
        (AccountRow, sales_account, 0),
        (CancellationRow, sales_order_cancellation, 0),
    ):
        assert row._fields == tuple(table.columns.keys())[without:]
