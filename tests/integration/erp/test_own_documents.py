"""A caller that sees its own documents only is told of others' what it is told of those that do not exist."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from bridge.erp.inventory import (
    get_reservation,
    get_stock,
    list_stock_movements,
    release_stock,
    update_stock,
)
from bridge.erp.purchasing import (
    cancel_purchase_order,
    change_purchase_order,
    get_purchase_order,
    list_purchase_orders,
    receive_goods,
)
from bridge.erp.shipped import Rules
from bridge.store import Store

ANY = Rules()


def figure(value: str) -> Any:
    return {"value": Decimal(value), "unit": "H87"}


@pytest.fixture
def made(store: Store, erp: Any) -> dict[str, str]:
    """What partner `a` made: an order, a stock document, a reservation."""
    order = erp.create(store, erp.order(("2", "10")), partner="a")["orderNumber"]
    document = erp.update(store, erp.receipt("SKU-1", "W", "9"), partner="a")["documentNumber"]
    held = erp.reserve(store, erp.wanted(1, "SKU-1", "W", "4"), partner="a")["reservationNumber"]
    return {"order": order, "document": document, "reservation": held}


def answered(
    store: Store, erp: Any, handler: Callable[[Any, Any], Any], request: Any, partner: str, own: bool
) -> Any:
    """What the handler answers, or the fault's name and fields, with the caller's numbers left out."""
    try:
        return store.run(lambda one: handler(request, erp.Call(one, partner=partner, own_only=own)))
    except erp.Fault as fault:
        return fault.name, fault.fields


def requests(erp: Any, order: str, reservation: str, document: str) -> list[tuple[Any, Any]]:
    given = erp.Given
    line = given(lineNumber=10, quantity=given(**figure("1")))
    amount = given(**figure("1"))
    issue = given(
        sku="SKU-1", quantity=amount, issue=given(warehouse="W", reason="sale", reservationNumber=reservation)
    )
    receipt = given(
        sku="SKU-1", quantity=amount, receipt=given(warehouse="W", reason="purchase", orderNumber=order)
    )
    reason = given(value="no longer wanted", language="en")
    return [
        (get_purchase_order, given(purchaseOrder=given(orderNumber=order))),
        (change_purchase_order, given(orderNumber=order, order=erp.order(("1", "1")), requestId="c")),
        (cancel_purchase_order, given(orderNumber=order, reason=reason, requestId="x")),
        (receive_goods, given(orderNumber=order, line=[line], requestId="r", warehouse="W")),
        (get_reservation, given(reservation=given(reservationNumber=reservation))),
        (release_stock, given(reservationNumber=reservation, requestId="l", line=[], reason="notNeeded")),
        (update_stock, given(requestId="i", movement=[issue])),
        (update_stock, given(requestId="b", movement=[receipt])),
        (list_stock_movements, given(orderNumber=order)),
        (list_stock_movements, given(reservationNumber=reservation)),
        (list_stock_movements, given(documentNumber=document)),
    ]


def test_documents_of_others_are_told_of_like_those_that_do_not_exist(
    store: Store, erp: Any, made: dict[str, str]
) -> None:
    nobodys = {kind: f"{number[:-4]}9999" for kind, number in made.items()}
    there = requests(erp, made["order"], made["reservation"], made["document"])
    not_there = requests(erp, nobodys["order"], nobodys["reservation"], nobodys["document"])
    for (handler, others), (_, nothing) in zip(there, not_there, strict=True):
        name, fields = answered(store, erp, handler, others, "b", True)
        expected = answered(store, erp, handler, nothing, "b", True)
        text = repr((name, fields))
        for kind, number in made.items():
            text = text.replace(number, nobodys[kind])
        assert text == repr(expected), handler.__name__
        assert name in ("NotFound", "InvalidReference")


def test_lists_hold_own_documents_only(store: Store, erp: Any, made: dict[str, str]) -> None:
    mine = erp.create(store, erp.order(("1", "1")), partner="b")["orderNumber"]
    every = erp.Given(state=[])
    found = answered(store, erp, list_purchase_orders, every, "b", True)
    assert [one["orderNumber"] for one in found["order"]] == [mine]
    assert answered(store, erp, list_stock_movements, erp.Given(), "b", True)["movement"] == []


def test_whoever_made_them_and_whoever_sees_all_find_them(
    store: Store, erp: Any, made: dict[str, str]
) -> None:
    there = requests(erp, made["order"], made["reservation"], made["document"])
    for partner, own in (("a", True), ("b", False)):
        for handler, request in (there[0], there[4], *there[8:]):
            answer = answered(store, erp, handler, request, partner, own)
            if handler is list_stock_movements and request.documentNumber is None:
                assert answer["movement"] == []  # nothing was posted for it, and it is there
            else:
                assert (
                    made["order"] in repr(answer) or made["reservation"] in repr(answer) or answer["movement"]
                )
        listed = answered(store, erp, list_purchase_orders, erp.Given(state=[]), partner, own)
        assert [one["orderNumber"] for one in listed["order"]] == [made["order"]]


def test_stock_levels_are_the_companys(store: Store, erp: Any, made: dict[str, str]) -> None:
    request = erp.Given(sku=["SKU-1"], warehouse=["W"])
    now = datetime.now(UTC)
    level = store.run(lambda one: get_stock(request, erp.Call(one, partner="b", own_only=True, now=now)))[
        "stock"
    ][0]
    assert (level["onHand"]["value"], level["reserved"]["value"]) == (Decimal(9), Decimal(4))
