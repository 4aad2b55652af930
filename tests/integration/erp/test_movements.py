from __future__ import annotations

import threading
from datetime import UTC, date, datetime
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import text

from bridge.store import Store

A, B = "WH-A", "WH-B"
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)

Places = list[tuple[str, int]]


def places(listed: list[dict[str, Any]]) -> Places:
    return [(one["documentNumber"], one["entry"]) for one in listed]


def some_stock(erp: ModuleType, store: Store) -> list[str]:
    """Three documents; their numbers."""
    return [
        erp.update(store, *movements, postingDate=day, now=NOW)["documentNumber"]
        for day, movements in (
            (date(2026, 2, 27), [erp.receipt("S", A, "10"), erp.receipt("T", A, "10")]),
            (date(2026, 2, 28), [erp.transfer("S", A, B, "4"), erp.issue("T", A, "1")]),
            (date(2026, 3, 1), [erp.adjustment("S", B, "decrease", "1")]),
        )
    ]


def test_a_movement_is_told_as_it_stands_in_the_books(erp: ModuleType, store: Store) -> None:
    order = erp.create(store, erp.order(("1", "1")))["orderNumber"]
    number = erp.update(
        store,
        erp.receipt("S", A, "2.5", order=order, lot="L-1", note=erp.Given(value="wet", language="en")),
        reference="DN-1",
        postingDate=date(2026, 3, 1),
        now=NOW,
    )["documentNumber"]
    page = erp.movements(store)
    assert "nextPage" not in page
    assert page["movement"] == [
        {
            "documentNumber": number,
            "entry": 1,
            "postingDate": date(2026, 3, 1),
            "postedAt": NOW,
            "sku": "S",
            "warehouse": A,
            "kind": "receipt",
            "direction": "increase",
            "quantity": {"value": Decimal("2.5"), "unit": "H87"},
            "onHandAfter": {"value": Decimal("2.5"), "unit": "H87"},
            "reason": "purchase",
            "lot": "L-1",
            "orderNumber": order,
            "reference": "DN-1",
            "note": {"value": "wet", "language": "en"},
        }
    ]


def test_the_newest_come_first_or_the_oldest(erp: ModuleType, store: Store) -> None:
    one, two, three = some_stock(erp, store)
    oldest = [(one, 1), (one, 2), (two, 1), (two, 2), (two, 3), (three, 1)]
    assert places(erp.movements(store, oldestFirst=True)["movement"]) == oldest
    assert places(erp.movements(store)["movement"]) == oldest[::-1]


@pytest.mark.parametrize("oldest_first", [True, False])
def test_pages_of_any_size_hold_every_movement_once_in_order(
    erp: ModuleType, store: Store, oldest_first: bool
) -> None:
    some_stock(erp, store)
    whole = erp.movements(store, oldestFirst=oldest_first)["movement"]
    for size in (1, 2, 3, 5, 6, 7):
        page = erp.movements(store, oldestFirst=oldest_first, pageSize=size)
        assert len(page["movement"]) == min(size, 6)
        assert ("nextPage" in page) == (size < 6)
        assert erp.all_movements(store, oldestFirst=oldest_first, pageSize=size) == whole


def test_filters_narrow_the_list_together(erp: ModuleType, store: Store) -> None:
    some_stock(erp, store)
    whole = erp.movements(store)["movement"]
    filters: list[tuple[dict[str, Any], int]] = [
        ({"sku": "S"}, 4),
        ({"warehouse": B}, 2),
        ({"sku": "S", "warehouse": A}, 2),
        ({"kind": "transfer"}, 2),
        ({"kind": "issue", "sku": "S"}, 0),
        ({"postedFrom": date(2026, 2, 28)}, 4),
        ({"postedTo": date(2026, 2, 28)}, 5),
        ({"postedFrom": date(2026, 2, 28), "postedTo": date(2026, 2, 28)}, 3),
        ({"postedFrom": date(2026, 3, 2)}, 0),
    ]
    for given, count in filters:
        listed = erp.all_movements(store, **given, pageSize=2)
        assert len(listed) == count, given
        assert [one for one in whole if one in listed] == listed, given


def test_movements_of_a_document_an_order_or_a_reservation_are_found(erp: ModuleType, store: Store) -> None:
    some_stock(erp, store)
    order = erp.create(store, erp.order(("1", "1")))["orderNumber"]
    reserved = erp.reserve(store, erp.wanted(1, "T", A, "2"))["reservationNumber"]
    number = erp.update(
        store, erp.receipt("S", A, "1", order=order), erp.issue("T", A, "1", reservation=reserved)
    )["documentNumber"]
    assert places(erp.movements(store, documentNumber=number)["movement"]) == [(number, 2), (number, 1)]
    assert places(erp.movements(store, orderNumber=order)["movement"]) == [(number, 1)]
    (issued,) = erp.movements(store, reservationNumber=reserved)["movement"]
    assert (issued["entry"], issued["reservationNumber"]) == (2, reserved)


def test_what_is_filtered_by_must_exist(erp: ModuleType, store: Store) -> None:
    number = some_stock(erp, store)[0]
    with pytest.raises(erp.Fault) as caught:
        erp.movements(
            store,
            sku="NONE",
            warehouse="WH-X",
            orderNumber="PO-2019-000001",
            reservationNumber="SR-2026-999999999999",
            documentNumber="SM-2019" + number[7:],
        )
    assert caught.value.name == "NotFound"
    assert [one["kind"] for one in caught.value.fields["missing"]] == [
        "item",
        "warehouse",
        "purchaseOrder",
        "reservation",
        "stockDocument",
    ]


def test_a_token_continues_its_own_list_only(erp: ModuleType, store: Store) -> None:
    some_stock(erp, store)
    token = erp.movements(store, sku="S", pageSize=2)["nextPage"]
    changes: list[tuple[dict[str, Any], str]] = [
        ({"pageToken": "abc"}, "unreadable"),
        ({"sku": "T"}, "otherList"),
        ({"oldestFirst": True}, "otherList"),
        ({"postedTo": date(2026, 3, 1)}, "otherList"),
    ]
    for change, reason in changes:
        with pytest.raises(erp.Fault) as caught:
            erp.movements(store, **{"sku": "S", "pageToken": token, **change})
        assert (caught.value.name, caught.value.fields["reason"]) == ("InvalidPageToken", reason)
    assert len(erp.movements(store, sku="S", pageToken=token, pageSize=500)["movement"]) == 2


@pytest.mark.parametrize("oldest_first", [True, False])
def test_what_was_there_at_first_is_listed_once_while_others_write(
    erp: ModuleType, store: Store, oldest_first: bool
) -> None:
    erp.update(store, *(erp.receipt("S", A, "1") for _ in range(40)), erp.receipt("T", A, "1"))
    before = places(erp.all_movements(store, oldestFirst=oldest_first, pageSize=500))
    stop = threading.Event()
    errors: list[BaseException] = []

    def write() -> None:
        try:
            for _ in range(200):
                if stop.is_set():
                    return
                erp.update(store, erp.receipt("S", A, "1"), erp.transfer("S", A, B, "1"))
        except BaseException as error:
            errors.append(error)

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        page = erp.movements(store, oldestFirst=oldest_first, pageSize=4)
        listed = places(page["movement"])
        # The writers may always be ahead of the oldest-first list: what was there before is what is promised.
        while "nextPage" in page and not set(before) <= set(listed):
            page = erp.movements(store, oldestFirst=oldest_first, pageSize=4, pageToken=page["nextPage"])
            listed += places(page["movement"])
    finally:
        stop.set()
        for writer in writers:
            writer.join(60)
    assert not errors
    assert len(listed) == len(set(listed))
    assert [one for one in listed if one in set(before)] == before


def test_a_page_of_one_item_is_read_in_order_from_an_index(sqlite_url: str) -> None:
    """However many movements there are: no sort, and no walk from the beginning."""
    store = Store(sqlite_url)
    store.migrate()
    with store.reading() as session:
        plan = session.execute(
            text(
                "EXPLAIN QUERY PLAN SELECT * FROM stock_movement WHERE sku = 'S' "
                "AND (document_id, entry) < (9, 1) ORDER BY document_id DESC, entry DESC LIMIT 3"
            )
        ).all()
    store.close()
    steps = " / ".join(str(row[-1]) for row in plan)
    assert "ix_stock_movement_sku_document_id_entry (sku=? AND (document_id,entry)<(?,?))" in steps, steps
    assert "TEMP B-TREE" not in steps
