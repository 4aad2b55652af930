"""Events made of what the ledger holds after real requests keep the contract that a CRM answers."""

from __future__ import annotations

from datetime import UTC, datetime
from types import ModuleType, SimpleNamespace
from typing import Any, cast

from lxml import etree
from sqlalchemy import text

from bridge import shipped
from bridge.contract import load
from bridge.erp.call import Call
from bridge.erp.events import goods_received, purchase_order_status_changed, stock_level_changed
from bridge.erp.ledger import BalanceRow, DocumentRow
from bridge.erp.posting import Leg
from bridge.erp.purchasing.content import Line
from bridge.erp.purchasing.rows import Order, by_number, lines_of, received_of
from bridge.store import Session, Store

A = "WH-A"
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
CONTRACT = load(shipped.contracts("crm")["events"])


def told(operation: str, event: dict[str, Any]) -> etree._Element:
    """The event as it goes to a CRM, checked as the bridge checks what leaves it."""
    element = CONTRACT.operations[operation].input
    assert element is not None
    written = etree.fromstring(CONTRACT.codec.encode(element, event))
    CONTRACT.guard.check(element, written)
    return written


def texts(event: etree._Element, name: str) -> list[str]:
    return [one.text for one in event.iter(f"{{*}}{name}")]


def level(store: Store) -> BalanceRow:
    with store.reading() as session:
        (row,) = session.execute(text("SELECT * FROM stock_balance WHERE sku = 'S'")).all()
    return BalanceRow(**row._mapping)


def order_as_it_is(session: Session, number: str) -> tuple[Order, list[Line], dict[int, int]]:
    found = by_number(cast("Call", SimpleNamespace(reading=session, own_only=False)), number)
    assert found is not None
    return found, lines_of(session, found.id), received_of(session, found.id)


def test_a_level_is_told_with_a_sequence_that_rises_with_every_change(erp: ModuleType, store: Store) -> None:
    erp.update(store, erp.receipt("S", A, "10"))
    events = [stock_level_changed(level(store), "H87", occurred_at=NOW)]
    number = erp.reserve(store, erp.wanted(1, "S", A, "4"))["reservationNumber"]
    events.append(stock_level_changed(level(store), "H87", occurred_at=NOW))
    erp.update(store, erp.issue("S", A, "1", reservation=number))
    events.append(stock_level_changed(level(store), "H87", occurred_at=NOW))
    erp.release(store, number)
    events.append(stock_level_changed(level(store), "H87", occurred_at=NOW))
    erp.count(store, erp.counted("S", A, "8"))
    events.append(stock_level_changed(level(store), "H87", occurred_at=NOW))
    assert [
        (one["onHand"]["value"], one["reserved"]["value"], one["available"]["value"]) for one in events
    ] == [(10, 0, 10), (10, 4, 6), (9, 3, 6), (9, 0, 9), (8, 0, 8)]
    sequences = [one["sequence"] for one in events]
    assert sequences == sorted(set(sequences))
    assert len({one["eventId"] for one in events}) == 5
    for event in events:
        told("StockLevelChanged", event)


def test_the_longest_names_have_an_id_of_their_own(erp: ModuleType, store: Store) -> None:
    balance = BalanceRow("X" * 39 + "/", "W" * 10, 1, -5, 10**18 - 6, 2**62)
    event = told("StockLevelChanged", stock_level_changed(balance, "KGM", occurred_at=NOW))
    other = stock_level_changed(balance._replace(sku="X" * 40), "KGM", occurred_at=NOW)
    assert texts(event, "eventId") != [other["eventId"]]


def test_the_same_is_told_again_under_the_same_id(erp: ModuleType, store: Store) -> None:
    erp.update(store, erp.receipt("S", A, "10"))
    first = stock_level_changed(level(store), "H87", occurred_at=NOW)
    assert stock_level_changed(level(store), "H87", occurred_at=NOW) == first


def test_an_order_is_told_through_its_life(erp: ModuleType, store: Store) -> None:
    number = erp.create(store, erp.order(("5", "1.00"), ("2.5", "1.00"), buyerReference="B-7"))["orderNumber"]
    with store.reading() as session:
        made = purchase_order_status_changed(*order_as_it_is(session, number), before=None)
    event = told("PurchaseOrderStatusChanged", made)
    assert texts(event, "oldState") == []
    assert texts(event, "newState") == ["open"]
    assert texts(event, "received") == ["0", "0"]

    posted = erp.receive(store, number, erp.arrived(10, "3"), warehouse=A, reference="DN-5")
    with store.reading() as session:
        order, lines, received = order_as_it_is(session, number)
        document_id, *row = session.execute(text("SELECT * FROM stock_document")).one()
    moved = purchase_order_status_changed(order, lines, received, before="open")
    event = told("PurchaseOrderStatusChanged", moved)
    assert (texts(event, "oldState"), texts(event, "newState")) == (["open"], ["partiallyReceived"])
    assert texts(event, "received") == ["3", "0"]
    assert texts(event, "buyerReference") == ["B-7"]
    assert moved["sequence"] > made["sequence"]
    assert moved["eventId"] != made["eventId"]

    leg = Leg(1, "receipt", "purchase", "SKU-10", A, 3_000_000, "H87", "/", "/", lot="L-1")
    arrived = goods_received(order, document_id, DocumentRow(*row), [(10, leg)], received)
    event = told("GoodsReceived", arrived)
    assert texts(event, "documentNumber") == [posted["documentNumber"]]
    assert texts(event, "orderState") == ["partiallyReceived"]
    assert (texts(event, "quantity"), texts(event, "received"), texts(event, "lot")) == (
        ["3"],
        ["3"],
        ["L-1"],
    )
    assert texts(event, "reference") == ["DN-5"]
    assert arrived["sequence"] == moved["sequence"]
