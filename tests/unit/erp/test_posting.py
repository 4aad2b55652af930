from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bridge.erp.figures import LARGEST
from bridge.erp.inventory.reserving import grant
from bridge.erp.numbers import number, row_id
from bridge.erp.posting import Balance, Holds, Leg, apply, legs
from bridge.store.clock import moment

KINDS: dict[str, Any] = {"receipt": None, "issue": None, "adjustment": None, "transfer": None}


def movement(quantity: str, **kind: Any) -> SimpleNamespace:
    amount = SimpleNamespace(value=Decimal(quantity), unit="H87")
    return SimpleNamespace(**{**KINDS, "sku": "S", "quantity": amount, "lot": None, "note": None, **kind})


def issued(warehouse: str, reservation: str | None = None) -> SimpleNamespace:
    return SimpleNamespace(warehouse=warehouse, reason="sale", reservationNumber=reservation)


def leg(quantity: int, warehouse: str = "A", *, reservation: str | None = None) -> Leg:
    return Leg(1, "issue", None, "S", warehouse, quantity, "H87", "/m", "w", reservation=reservation)


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
    (one,) = legs([movement("1", issue=issued("A"))])
    assert one.path == "/UpdateStock/movement"


def test_an_issue_carries_the_number_of_its_reservation() -> None:
    (one,) = legs([movement("1", issue=issued("A", "SR-2026-000001"))])
    assert one.reservation == "SR-2026-000001"


def test_what_is_reserved_is_not_available() -> None:
    balances = {("S", "A"): Balance(on_hand=10, reserved=4, may_be_negative=False)}
    outcome = apply([leg(-6), leg(-1)], balances)
    assert [(one.available, one.wanted) for one in outcome.shortages] == [(0, 1)]


def test_what_a_reservation_holds_is_available_to_it() -> None:
    balances = {("S", "A"): Balance(on_hand=10, reserved=8, may_be_negative=False)}
    holds = Holds({10: 2, 20: 3})
    outcome = apply(
        [leg(-4, reservation="R"), leg(-4, reservation="R")], balances, {("R", ("S", "A")): holds}
    )
    assert [(one.available, one.wanted) for one in outcome.shortages] == [(3, 4)]
    assert (balances["S", "A"].on_hand, balances["S", "A"].reserved) == (6, 4)
    assert (holds.taken, holds.total) == ({10: 2, 20: 2}, 1)


def test_what_goes_beyond_a_reservation_comes_from_what_is_available() -> None:
    balances = {("S", "A"): Balance(on_hand=10, reserved=8, may_be_negative=False)}
    holds = Holds({10: 5})
    outcome = apply([leg(-7, reservation="R")], balances, {("R", ("S", "A")): holds})
    assert outcome.shortages == []
    assert (balances["S", "A"].on_hand, balances["S", "A"].reserved) == (3, 3)


def test_what_is_available_must_be_a_figure_that_can_be_told() -> None:
    balances = {("S", "A"): Balance(-LARGEST + 5, 4, True)}
    outcome = apply([leg(-1), leg(-2)], balances)
    assert [one.figure for one in outcome.overflows] == [-LARGEST - 2]


@given(
    st.lists(st.tuples(st.integers(1, 9), st.sampled_from(["A", "B"])), min_size=1, max_size=8),
    st.booleans(),
    st.booleans(),
)
def test_reserving_grants_no_more_than_there_is(
    wanted: list[tuple[int, str]], partial: bool, may_be_negative: bool
) -> None:
    balances = {("S", place): Balance(12, 3, may_be_negative) for place in "AB"}
    grants = grant([leg(-amount, place) for amount, place in wanted], balances, partial=partial)
    for place in "AB":
        asked = [amount for amount, where in wanted if where == place]
        granted = [one for one, (_, where) in zip(grants.granted, wanted, strict=True) if where == place]
        assert balances["S", place].reserved == 3 + sum(granted)
        assert all(one <= most for one, most in zip(granted, asked, strict=True))
        short = [one for one in grants.shortages if one.leg.warehouse == place]
        if may_be_negative or sum(asked) <= 9:
            assert (granted, short) == (asked, [])
        else:
            assert len(short) == 1
            assert balances["S", place].available >= 0
            assert not partial or sum(granted) == 9


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
