from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from bridge.erp.numbers import number, row_id
from bridge.erp.posting import Balance, Leg, apply, legs
from bridge.store.clock import moment

KINDS: dict[str, Any] = {"receipt": None, "issue": None, "adjustment": None, "transfer": None}


def movement(quantity: str, **kind: Any) -> SimpleNamespace:
    amount = SimpleNamespace(value=Decimal(quantity), unit="H87")
    return SimpleNamespace(**{**KINDS, "sku": "S", "quantity": amount, "lot": None, "note": None, **kind})


def leg(quantity: int, warehouse: str = "A") -> Leg:
    return Leg(1, "issue", None, "S", warehouse, quantity, "H87", "/m", "w", None, None, None, None)


def test_a_transfer_has_two_legs_and_everything_else_one() -> None:
    found = list(
        legs(
            [
                movement("2", receipt=SimpleNamespace(warehouse="A", reason="purchase", orderNumber="PO-1")),
                movement("1", transfer=SimpleNamespace(fromWarehouse="A", toWarehouse="B")),
                movement(
                    "0.5", adjustment=SimpleNamespace(warehouse="B", direction="decrease", reason="loss")
                ),
            ]
        )
    )
    assert [
        (one.number, one.kind, one.warehouse, one.quantity, one.reason, one.order_number) for one in found
    ] == [
        (1, "receipt", "A", 2_000_000, "purchase", "PO-1"),
        (2, "transfer", "A", -1_000_000, None, None),
        (2, "transfer", "B", 1_000_000, None, None),
        (3, "adjustment", "B", -500_000, "loss", None),
    ]
    assert found[3].path == "/UpdateStock/movement[3]"


def test_the_path_of_the_only_movement_has_no_index() -> None:
    (one,) = legs([movement("1", issue=SimpleNamespace(warehouse="A", reason="sale"))])
    assert one.path == "/UpdateStock/movement"


def test_what_is_reserved_is_not_available() -> None:
    balances = {("S", "A"): Balance(on_hand=10, reserved=4, may_be_negative=False)}
    outcome = apply([leg(-6), leg(-1)], balances)
    assert [(one.available, one.wanted) for one in outcome.shortages] == [(0, 1)]


def test_only_the_first_shortage_of_a_place_is_told() -> None:
    balances = {("S", "A"): Balance(0, 0, False), ("S", "B"): Balance(0, 0, False)}
    outcome = apply([leg(-1), leg(-2), leg(-3, "B")], balances)
    assert [(one.leg.warehouse, one.wanted) for one in outcome.shortages] == [("A", 1), ("B", 3)]


def test_a_warehouse_that_may_be_negative_has_no_shortages() -> None:
    balances = {("S", "A"): Balance(1, 0, True)}
    outcome = apply([leg(-5)], balances)
    assert (outcome.shortages, outcome.on_hand_after) == ([], [-4])


def test_a_document_number_leads_back_to_its_row() -> None:
    made_at = moment(1_780_000_000_000_000)
    assert number("PO", 123, made_at) == "PO-2026-000123"
    assert row_id(number("SM", 1_234_567, made_at)) == 1_234_567
