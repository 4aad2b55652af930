from __future__ import annotations

from decimal import Decimal
from types import ModuleType

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bridge.erp.ledger import BalanceRow, DocumentRow, MovementRow
from bridge.erp.shipped import Rules, apply_rules
from bridge.erp.tables import stock_balance, stock_document, stock_movement
from bridge.errors import StoreError
from bridge.store import Store

A, B = "WH-A", "WH-B"


def count(store: Store, table: str) -> int:
    with store.reading() as session:
        return int(session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_movements_of_every_kind_add_up(erp: ModuleType, store: Store) -> None:
    reply = erp.update(
        store,
        erp.receipt("S", A, "10.5"),
        erp.issue("S", A, "2"),
        erp.adjustment("S", A, "increase", "0.000001"),
        erp.adjustment("S", A, "decrease", "0.5"),
        erp.transfer("S", A, B, "3"),
    )
    assert reply["movementCount"] == 5
    assert erp.stock(store, "S") == {("S", A): Decimal("5.000001"), ("S", B): Decimal(3)}
    assert count(store, "stock_movement") == 6


def test_goods_received_in_a_request_can_leave_in_the_same_request(erp: ModuleType, store: Store) -> None:
    erp.update(store, erp.receipt("S", A, "5"), erp.issue("S", A, "5"))
    assert erp.stock(store, "S") == {("S", A): Decimal(0)}


def test_goods_cannot_leave_before_they_come(erp: ModuleType, store: Store) -> None:
    erp.update(store, erp.receipt("S", A, "1"))
    with pytest.raises(erp.Fault, match="InsufficientStock"):
        erp.update(store, erp.issue("S", A, "5"), erp.receipt("S", A, "5"))
    assert erp.stock(store, "S") == {("S", A): Decimal(1)}


def test_a_shortage_names_the_first_movement_of_each_place_and_posts_nothing(
    erp: ModuleType, store: Store
) -> None:
    erp.update(store, erp.receipt("S", A, "4"), erp.receipt("T", A, "1"))
    documents, movements = count(store, "stock_document"), count(store, "stock_movement")
    with pytest.raises(erp.Fault) as caught:
        erp.update(
            store,
            erp.receipt("S", A, "1"),
            erp.issue("S", A, "6"),
            erp.issue("S", A, "7"),
            erp.transfer("T", A, B, "2"),
        )
    assert caught.value.name == "InsufficientStock"
    assert [
        (one["sku"], one["available"]["value"], one["wanted"]["value"], one["path"])
        for one in caught.value.fields["shortage"]
    ] == [("S", 5, 6, "/UpdateStock/movement[2]"), ("T", 1, 2, "/UpdateStock/movement[4]")]
    assert (count(store, "stock_document"), count(store, "stock_movement")) == (documents, movements)
    assert erp.stock(store, "S", "T") == {("S", A): Decimal(4), ("T", A): Decimal(1)}


def test_a_warehouse_may_be_allowed_to_go_below_zero(erp: ModuleType, store: Store) -> None:
    rules = Rules(negative_stock=(B,))
    apply_rules(store, rules)
    erp.update(store, erp.receipt("S", A, "1"), rules=rules)
    erp.update(store, erp.issue("S", B, "3"), rules=rules)
    assert erp.stock(store, "S")["S", B] == -3
    with pytest.raises(erp.Fault, match="InsufficientStock"):
        erp.update(store, erp.issue("S", A, "3"), rules=rules)
    with pytest.raises(StoreError, match="WH-B has less than nothing of S"):
        apply_rules(store, Rules())
    erp.update(store, erp.receipt("S", B, "3"), rules=rules)
    apply_rules(store, Rules())
    with pytest.raises(erp.Fault, match="InsufficientStock"):
        erp.update(store, erp.issue("S", B, "1"))


def test_the_database_itself_refuses_a_negative_balance(erp: ModuleType, store: Store) -> None:
    erp.update(store, erp.receipt("S", A, "1"))
    with pytest.raises(DBAPIError, match=r"ck_stock_balance_covered"), store.transaction() as transaction:
        transaction.session.execute(text("UPDATE stock_balance SET on_hand = -1"))


@pytest.mark.parametrize("change", ["UPDATE stock_movement SET quantity = 5", "DELETE FROM stock_document"])
def test_what_was_posted_cannot_be_changed(erp: ModuleType, store: Store, change: str) -> None:
    erp.update(store, erp.receipt("S", A, "1"))
    with pytest.raises(DBAPIError, match="append-only"), store.transaction() as transaction:
        transaction.session.execute(text(change))


def test_goods_that_go_out_must_be_known(erp: ModuleType, store: Store) -> None:
    erp.update(store, erp.receipt("S", A, "5"))
    with pytest.raises(erp.Fault) as caught:
        erp.update(store, erp.issue("S", "WH-X", "1"), erp.issue("NONE", A, "1"))
    assert caught.value.name == "InvalidReference"
    assert [
        (one["kind"], one["identifier"], one["reason"], one["path"])
        for one in caught.value.fields["reference"]
    ] == [
        ("warehouse", "WH-X", "unknown", "/UpdateStock/movement[1]/issue/warehouse"),
        ("item", "NONE", "unknown", "/UpdateStock/movement[2]/sku"),
    ]


def test_a_closed_list_of_warehouses_catches_a_mistyped_code(erp: ModuleType, store: Store) -> None:
    rules = Rules(warehouses=(A, B))
    apply_rules(store, rules)
    erp.update(store, erp.receipt("S", A, "5"), rules=rules)
    with pytest.raises(erp.Fault) as caught:
        erp.update(store, erp.receipt("S", "WH-AA", "5"), rules=rules)
    assert caught.value.fields["reference"][0]["path"] == "/UpdateStock/movement/receipt/warehouse"
    assert erp.stock(store, "S", warehouses=(B,)) == {("S", B): Decimal(0)}


@pytest.mark.parametrize("in_one_request", [True, False])
def test_an_item_keeps_the_unit_of_its_first_movement(
    erp: ModuleType, store: Store, in_one_request: bool
) -> None:
    first, second = erp.receipt("S", A, "5", unit="KGM"), erp.receipt("S", A, "5", unit="H87")
    if not in_one_request:
        erp.update(store, first)
        first = erp.receipt("T", A, "1")
    with pytest.raises(erp.Fault) as caught:
        erp.update(store, first, second)
    reference = caught.value.fields["reference"]
    assert reference == [
        {
            "kind": "unit",
            "identifier": "H87",
            "reason": "mismatch",
            "path": "/UpdateStock/movement[2]/quantity/@unit",
        }
    ]


def test_a_transfer_to_the_same_warehouse_is_refused(erp: ModuleType, store: Store) -> None:
    erp.update(store, erp.receipt("S", A, "5"))
    with pytest.raises(erp.Fault) as caught:
        erp.update(store, erp.transfer("S", A, A, "1"))
    assert caught.value.fields["reference"][0]["reason"] == "repeated"


def test_a_receipt_may_name_an_order_that_exists_and_no_other(erp: ModuleType, store: Store) -> None:
    order = erp.create(store, erp.order(("1", "1")))["orderNumber"]
    erp.update(store, erp.receipt("S", A, "5", order=order))
    with pytest.raises(erp.Fault) as caught:
        erp.update(store, erp.receipt("S", A, "5", order="PO-2019-000001"))
    assert caught.value.fields["reference"][0]["kind"] == "purchaseOrder"


def test_a_balance_beyond_eighteen_digits_is_refused(erp: ModuleType, store: Store) -> None:
    most = "999999999.999999"
    many = [erp.receipt("S", A, most) for _ in range(1000)]
    erp.update(store, *many)
    with pytest.raises(erp.Fault) as caught:
        erp.update(store, erp.receipt("S", A, most))
    assert caught.value.name == "LimitExceeded"
    assert caught.value.fields["limit"] == "stockBalance"
    assert erp.stock(store, "S") == {("S", A): Decimal(most) * 1000}


def test_the_same_request_again_gets_the_first_answer_and_moves_nothing(
    erp: ModuleType, store: Store
) -> None:
    movements = (erp.receipt("S", A, "5"), erp.transfer("S", A, B, "1"))
    first = erp.update(store, *movements, request="r-1", reference="DN-1")
    assert erp.update(store, *movements, request="r-1", reference="DN-1") == first
    assert erp.stock(store, "S") == {("S", A): Decimal(4), ("S", B): Decimal(1)}


@pytest.mark.parametrize("change", ["quantity", "reference", "one more"])
def test_a_request_id_used_for_other_movements_is_refused(erp: ModuleType, store: Store, change: str) -> None:
    erp.update(store, erp.receipt("S", A, "5"), request="r-1", reference="DN-1")
    again = [erp.receipt("S", A, "6" if change == "quantity" else "5")]
    if change == "one more":
        again.append(erp.receipt("S", A, "1"))
    with pytest.raises(erp.Fault, match="KeyReused"):
        erp.update(store, *again, request="r-1", reference="DN-2" if change == "reference" else "DN-1")
    assert erp.stock(store, "S") == {("S", A): Decimal(5)}


def test_unknown_items_and_warehouses_are_named_when_asked_for(erp: ModuleType, store: Store) -> None:
    erp.update(store, erp.receipt("S", A, "5"))
    with pytest.raises(erp.Fault) as caught:
        erp.stock(store, "S", "NONE", warehouses=("WH-X",))
    assert caught.value.fields["missing"] == [
        {"kind": "item", "identifier": "NONE"},
        {"kind": "warehouse", "identifier": "WH-X"},
    ]


def test_rows_have_the_columns_of_their_tables_in_order() -> None:
    assert ("id", *DocumentRow._fields) == tuple(stock_document.columns.keys())
    assert MovementRow._fields == tuple(stock_movement.columns.keys())
    assert BalanceRow._fields == tuple(stock_balance.columns.keys())
