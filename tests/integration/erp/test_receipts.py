"""ReceiveGoods: into stock and against the order, on both databases."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bridge.erp.purchasing.receipts import ReceiptRow
from bridge.erp.shipped import Rules
from bridge.erp.tables import goods_receipt_line
from bridge.store import Store

HOME = "WH-NB1"


def place(erp: ModuleType, store: Store, *quantities: str, **header: Any) -> str:
    """An order of lines 10, 20, ... of the items SKU-10, SKU-20, ..."""
    number: str = erp.create(store, erp.order(*((one, "1.00") for one in quantities), **header))[
        "orderNumber"
    ]
    return number


def movements(store: Store, number: str) -> list[tuple[Any, ...]]:
    with store.reading() as session:
        rows = session.execute(
            text(
                "SELECT sku, warehouse, quantity, lot, kind, reason FROM stock_movement WHERE order_number = :number "
                "ORDER BY document_id, entry"
            ),
            {"number": number},
        )
        return [tuple(row) for row in rows]


def check_receipts_against_movements(store: Store) -> None:
    """Each receipt is one movement, of the same quantity, of its line's item, naming its order."""
    with store.reading() as session:
        wrong = session.execute(
            text(
                "SELECT r.document_id, r.entry FROM goods_receipt_line r "
                "LEFT JOIN stock_movement m ON m.document_id = r.document_id AND m.entry = r.entry "
                "LEFT JOIN purchase_order_line l ON l.order_id = r.order_id AND l.line_number = r.line_number "
                "WHERE m.quantity IS NULL OR m.quantity <> r.quantity OR m.sku <> l.sku OR m.kind <> 'receipt' "
                "OR m.order_number IS NULL"
            )
        ).all()
        assert not wrong
        sums = session.execute(
            text(
                "SELECT (SELECT coalesce(sum(quantity), 0) FROM goods_receipt_line), "
                "(SELECT coalesce(sum(quantity), 0) FROM stock_movement WHERE order_number IS NOT NULL)"
            )
        ).one()
        assert sums[0] == sums[1]


def test_goods_go_into_the_orders_warehouse_and_the_order_moves(erp: ModuleType, store: Store) -> None:
    number = place(erp, store, "10", "4")
    first = erp.receive(
        store, number, erp.arrived(10, "6", lot="L-1"), reference="DN-1", postingDate=date(2026, 3, 3)
    )
    assert first["state"] == "partiallyReceived"
    assert first["documentNumber"].startswith("SM-")
    assert erp.receive(store, number, erp.arrived(20, "4"))["state"] == "partiallyReceived"
    assert erp.receive(store, number, erp.arrived(10, "4", lot="L-2"))["state"] == "received"
    assert erp.stock(store, "SKU-10", "SKU-20") == {("SKU-10", HOME): 10, ("SKU-20", HOME): 4}
    assert movements(store, number) == [
        ("SKU-10", HOME, 6_000_000, "L-1", "receipt", "purchase"),
        ("SKU-20", HOME, 4_000_000, None, "receipt", "purchase"),
        ("SKU-10", HOME, 4_000_000, "L-2", "receipt", "purchase"),
    ]
    got = erp.get_order(store, orderNumber=number)
    assert got["state"] == "received"
    assert got["revision"] == 1
    assert {one["lineNumber"]: one["quantity"]["value"] for one in got["received"]} == {10: 10, 20: 4}
    with store.reading() as session:
        documents = session.execute(text("SELECT reference, posting_date FROM stock_document ORDER BY id"))
        assert documents.first() == ("DN-1", "2026-03-03")
    check_receipts_against_movements(store)


def test_a_received_order_takes_no_more(erp: ModuleType, store: Store) -> None:
    number = place(erp, store, "1")
    erp.receive(store, number, erp.arrived(10, "1"))
    with pytest.raises(erp.Fault) as caught:
        erp.receive(store, number, erp.arrived(10, "1"))
    assert caught.value.name == "InvalidState"
    assert caught.value.fields["allowed"] == ["open", "confirmed", "partiallyReceived"]


def test_several_lots_of_one_line_count_together(erp: ModuleType, store: Store) -> None:
    number = place(erp, store, "10", "1")
    lots = [erp.arrived(10, "4", lot="A"), erp.arrived(10, "6", lot="B"), erp.arrived(20, "1")]
    assert erp.receive(store, number, *lots)["state"] == "received"
    check_receipts_against_movements(store)


def test_more_than_was_ordered_is_refused_line_by_line_and_nothing_is_posted(
    erp: ModuleType, store: Store
) -> None:
    number = place(erp, store, "10", "4", "5")
    erp.receive(store, number, erp.arrived(10, "6"))
    with pytest.raises(erp.Fault) as caught:
        erp.receive(
            store,
            number,
            erp.arrived(30, "5"),
            erp.arrived(10, "2"),
            erp.arrived(20, "4.000001"),
            erp.arrived(10, "3"),
        )
    assert caught.value.name == "OverDelivery"
    told = [
        (
            one["lineNumber"],
            *(one[name]["value"] for name in ("ordered", "received", "open", "delivered")),
            one["path"],
        )
        for one in caught.value.fields["line"]
    ]
    assert told == [
        (10, 10, 6, 4, 5, "/ReceiveGoods/line[2]"),
        (20, 4, 0, 4, Decimal("4.000001"), "/ReceiveGoods/line[3]"),
    ]
    assert len(movements(store, number)) == 1
    assert erp.get_order(store, orderNumber=number)["state"] == "partiallyReceived"


def test_the_tolerance_is_a_percentage_of_what_was_ordered(erp: ModuleType, store: Store) -> None:
    rules = Rules(over_delivery=2.5)
    number = place(erp, store, "10", "1")
    erp.receive(store, number, erp.arrived(10, "10"), rules=rules)
    with pytest.raises(erp.Fault, match="OverDelivery"):
        erp.receive(store, number, erp.arrived(10, "0.250001"), rules=rules)
    erp.receive(store, number, erp.arrived(10, "0.25"), rules=rules)
    with pytest.raises(erp.Fault) as caught:
        erp.receive(store, number, erp.arrived(10, "0.000001"))
    assert caught.value.fields["line"][0]["open"]["value"] == 0
    check_receipts_against_movements(store)


def test_the_last_delivery_closes_the_order_whatever_is_missing(erp: ModuleType, store: Store) -> None:
    short, full = place(erp, store, "10"), place(erp, store, "10")
    assert erp.receive(store, short, erp.arrived(10, "9"), final=True)["state"] == "closed"
    assert erp.receive(store, full, erp.arrived(10, "10"), final=True)["state"] == "closed"
    with pytest.raises(erp.Fault, match="InvalidState"):
        erp.receive(store, short, erp.arrived(10, "1"))


def test_lines_and_units_must_be_those_of_the_order(erp: ModuleType, store: Store) -> None:
    number = place(erp, store, "10")
    with pytest.raises(erp.Fault) as caught:
        erp.receive(store, number, erp.arrived(15, "1"), erp.arrived(10, "1", unit="KGM"))
    assert [
        (one["kind"], one["identifier"], one["reason"], one["path"])
        for one in caught.value.fields["reference"]
    ] == [
        ("purchaseOrderLine", "15", "unknown", "/ReceiveGoods/line[1]/lineNumber"),
        ("unit", "KGM", "mismatch", "/ReceiveGoods/line[2]/quantity/@unit"),
    ]


def test_an_order_in_another_unit_than_the_items_own_is_not_received(erp: ModuleType, store: Store) -> None:
    erp.update(store, erp.receipt("SKU-10", "WH-A", "1", unit="KGM"))
    number = place(erp, store, "10")
    with pytest.raises(erp.Fault) as caught:
        erp.receive(store, number, erp.arrived(10, "1"))
    assert caught.value.fields["reference"] == [
        {
            "kind": "unit",
            "identifier": "H87",
            "reason": "mismatch",
            "path": "/ReceiveGoods/line/quantity/@unit",
        }
    ]
    assert erp.get_order(store, orderNumber=number)["state"] == "open"


def test_goods_shipped_to_an_address_need_a_warehouse_in_the_request(erp: ModuleType, store: Store) -> None:
    somewhere = erp.Given(address=erp.Given(street=["Kai 1"], city="Hamburg", country="DE"))
    number = place(erp, store, "10", shipTo=somewhere)
    with pytest.raises(erp.Fault) as caught:
        erp.receive(store, number, erp.arrived(10, "1"))
    assert caught.value.fields["reference"] == [
        {
            "kind": "purchaseOrder",
            "identifier": number,
            "reason": "mismatch",
            "path": "/ReceiveGoods/warehouse",
        }
    ]
    erp.receive(store, number, erp.arrived(10, "1"), warehouse="WH-HAM")
    assert erp.stock(store, "SKU-10") == {("SKU-10", "WH-HAM"): 1}


def test_the_request_may_name_another_warehouse_than_the_order(erp: ModuleType, store: Store) -> None:
    number = place(erp, store, "10")
    erp.receive(store, number, erp.arrived(10, "1"), warehouse="WH-SH2")
    assert erp.stock(store, "SKU-10") == {("SKU-10", "WH-SH2"): 1}


def test_a_warehouse_outside_the_closed_list_is_told_once(erp: ModuleType, store: Store) -> None:
    number = place(erp, store, "10", "10")
    with pytest.raises(erp.Fault) as caught:
        erp.receive(
            store,
            number,
            erp.arrived(10, "1"),
            erp.arrived(20, "1"),
            rules=Rules(warehouses=("WH-A",)),
        )
    assert caught.value.fields["reference"] == [
        {"kind": "warehouse", "identifier": HOME, "reason": "unknown", "path": "/ReceiveGoods/warehouse"}
    ]


def test_a_request_id_that_made_another_stock_document_is_refused(erp: ModuleType, store: Store) -> None:
    number = place(erp, store, "10")
    erp.update(store, erp.receipt("S", HOME, "1"), request="r-1")
    with pytest.raises(erp.Fault, match="KeyReused"):
        erp.receive(store, number, erp.arrived(10, "1"), request="r-1")
    assert erp.get_order(store, orderNumber=number)["state"] == "open"


def test_an_order_that_does_not_exist_is_not_received(erp: ModuleType, store: Store) -> None:
    with pytest.raises(erp.Fault, match="NotFound"):
        erp.receive(store, "PO-2019-000001", erp.arrived(10, "1"))


@pytest.mark.parametrize(
    "change", ["UPDATE goods_receipt_line SET quantity = 5", "DELETE FROM goods_receipt_line"]
)
def test_what_was_received_cannot_be_rewritten(erp: ModuleType, store: Store, change: str) -> None:
    number = place(erp, store, "10")
    erp.receive(store, number, erp.arrived(10, "1"))
    with pytest.raises(DBAPIError, match="append-only"), store.transaction() as transaction:
        transaction.session.execute(text(change))


def test_receipts_at_once_never_take_more_than_was_ordered(erp: ModuleType, store: Store) -> None:
    number = place(erp, store, "20", "20")
    taken: list[int] = []
    faults: set[str] = set()

    def receive(seed: int) -> None:
        choose = random.Random(seed)
        for _ in range(6):
            lines = [10, 20] if choose.random() < 0.5 else [20, 10]
            try:
                erp.receive(store, number, *(erp.arrived(line, "1") for line in lines))
                taken.append(1)
            except erp.Fault as fault:
                faults.add(fault.name)

    run(receive, list(range(6)))
    assert len(taken) == 20
    assert faults <= {"InvalidState", "OverDelivery"}
    assert erp.get_order(store, orderNumber=number)["state"] == "received"
    assert erp.stock(store, "SKU-10", "SKU-20") == {("SKU-10", HOME): 20, ("SKU-20", HOME): 20}
    check_receipts_against_movements(store)


def test_receiving_and_cancelling_at_once_has_one_consistent_ending(erp: ModuleType, store: Store) -> None:
    endings = set()
    for _ in range(6):
        number = place(erp, store, "10")
        outcomes: dict[str, str] = {}

        def attempt(step: tuple[str, Callable[[], Any]], outcomes: dict[str, str] = outcomes) -> None:
            name, act = step
            try:
                outcomes[name] = act()["state"]
            except erp.Fault as fault:
                outcomes[name] = fault.name

        steps: list[tuple[str, Callable[[], Any]]] = [
            ("receive", lambda number=number: erp.receive(store, number, erp.arrived(10, "1"))),  # type: ignore[misc]
            ("cancel", lambda number=number: erp.cancel(store, number)),  # type: ignore[misc]
        ]
        run(attempt, steps)
        state = erp.get_order(store, orderNumber=number)["state"]
        came_in = len(movements(store, number))
        endings.add((state, came_in, outcomes["receive"], outcomes["cancel"]))
    assert endings <= {
        ("partiallyReceived", 1, "partiallyReceived", "InvalidState"),
        ("cancelled", 0, "InvalidState", "cancelled"),
    }


def test_orders_received_in_opposite_order_by_many_threads_all_finish(erp: ModuleType, store: Store) -> None:
    """Each order's lines are the same items, the other way round: the balances are locked in one order."""
    numbers = []
    for turned in (False, True) * 3:
        wanted = erp.order(*(("5", "1") for _ in range(6)))
        if turned:
            wanted.line.reverse()
        numbers.append(erp.create(store, wanted)["orderNumber"])

    def receive(number: str) -> None:
        lines = [erp.arrived(10 * n, "1") for n in range(1, 7)]
        if numbers.index(number) % 2:
            lines.reverse()
        for _ in range(5):
            erp.receive(store, number, *lines)

    run(receive, numbers)
    assert {erp.get_order(store, orderNumber=number)["state"] for number in numbers} == {"received"}
    assert set(erp.stock(store, "SKU-10", "SKU-60").values()) == {30}
    check_receipts_against_movements(store)


def test_a_row_has_the_columns_of_its_table_in_order() -> None:
    assert ReceiptRow._fields == tuple(goods_receipt_line.columns.keys())


def run(work: Callable[[Any], None], arguments: list[Any]) -> None:
    """`work` for each argument, each in a thread; all must end, and none with an error."""
    errors: list[BaseException] = []

    def guarded(argument: Any) -> None:
        try:
            work(argument)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(one,)) for one in arguments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert not errors
