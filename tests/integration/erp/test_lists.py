"""ListPurchaseOrders, on both databases."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest

from bridge.contract.codec.values import XsdDateTime
from bridge.store import Store


def place(erp: ModuleType, store: Store, **header: Any) -> str:
    number: str = erp.create(store, erp.order(("2", "1.50"), **header))["orderNumber"]
    return number


def numbers(reply: Any) -> list[str]:
    return [one["orderNumber"] for one in reply["order"]]


def all_pages(erp: ModuleType, store: Store, **wanted: Any) -> list[list[str]]:
    pages, token = [], None
    while True:
        reply = erp.orders(store, pageToken=token, **wanted)
        pages.append(numbers(reply))
        token = reply.get("nextPage")
        if token is None:
            return pages


def test_an_empty_list_is_an_answer(erp: ModuleType, store: Store) -> None:
    reply = erp.orders(store)
    assert reply["order"] == []
    assert "nextPage" not in reply


def test_a_summary_tells_what_is_filtered_by_and_the_total(erp: ModuleType, store: Store) -> None:
    number = place(erp, store, buyerReference="B-1", requestedDelivery=date(2026, 4, 1))
    (summary,) = erp.orders(store)["order"]
    got = erp.get_order(store, orderNumber=number)
    assert summary == {
        "orderNumber": number,
        "state": "open",
        "revision": 1,
        "buyerReference": "B-1",
        "orderDate": date(2026, 3, 2),
        "supplier": "SUP-1",
        "requestedDelivery": date(2026, 4, 1),
        "total": {"value": Decimal("3.00"), "currency": "EUR"},
        "createdAt": got["createdAt"],
        "changedAt": got["changedAt"],
    }


def test_pages_follow_each_other_without_gap_or_repetition(erp: ModuleType, store: Store) -> None:
    made = [place(erp, store) for _ in range(7)]
    assert all_pages(erp, store, pageSize=3) == [made[:3], made[3:6], made[6:]]
    assert all_pages(erp, store, pageSize=7) == [made]
    assert all_pages(erp, store) == [made]


def test_orders_made_or_changed_meanwhile_shift_nothing(erp: ModuleType, store: Store) -> None:
    made = [place(erp, store) for _ in range(4)]
    first = erp.orders(store, pageSize=2)
    erp.cancel(store, made[0])
    made.append(place(erp, store))
    second = erp.orders(store, pageSize=3, pageToken=first["nextPage"])
    assert numbers(first) + numbers(second) == made


def test_orders_that_leave_the_list_meanwhile_take_no_other_with_them(erp: ModuleType, store: Store) -> None:
    made = [place(erp, store) for _ in range(5)]
    first = erp.orders(store, pageSize=2, state=["open"])
    for number in made[:3]:
        erp.cancel(store, number)
    assert numbers(erp.orders(store, state=["open"], pageToken=first["nextPage"])) == made[3:]


def test_filters_are_combined(erp: ModuleType, store: Store) -> None:
    other = erp.Given(code="SUP-2", name="Other")
    one = place(erp, store, orderDate=date(2026, 1, 5))
    two = place(erp, store, orderDate=date(2026, 1, 6), supplier=other, buyerReference="B-7")
    three = place(erp, store, orderDate=date(2026, 1, 7), buyerReference="B-7")
    erp.cancel(store, three)

    def found(**wanted: Any) -> list[str]:
        return numbers(erp.orders(store, **wanted))

    assert found(state=["open"]) == [one, two]
    assert found(state=["cancelled", "open", "open"]) == [one, two, three]
    assert found(state=["closed"]) == []
    assert found(supplier="SUP-2") == [two]
    assert found(buyerReference="B-7") == [two, three]
    assert found(orderedFrom=date(2026, 1, 6)) == [two, three]
    assert found(orderedTo=date(2026, 1, 6)) == [one, two]
    assert found(orderedFrom=date(2026, 1, 6), orderedTo=date(2026, 1, 6)) == [two]
    assert found(buyerReference="B-7", state=["open"]) == [two]
    assert found(supplier="SUP-2", orderedFrom=date(2026, 1, 7)) == []


def test_changed_since_finds_what_was_made_changed_received_or_cancelled(
    erp: ModuleType, store: Store
) -> None:
    made = [place(erp, store) for _ in range(5)]
    since = erp.orders(store)["asOf"]
    erp.change(store, made[1], 1, erp.order(("1", "1")))
    erp.receive(store, made[2], erp.arrived(10, "1"))
    erp.cancel(store, made[3])
    new = place(erp, store)
    assert numbers(erp.orders(store, changedSince=since)) == [*made[1:4], new]


@pytest.mark.parametrize(
    ("since", "finds"),
    [
        (datetime(1, 1, 1, tzinfo=UTC), True),
        (datetime(9999, 12, 31, tzinfo=UTC), False),
        (XsdDateTime("2020-01-01T24:00:00Z"), True),
        (XsdDateTime("2020-01-01T00:00:00.1234567+08:00"), True),
        (XsdDateTime("-0004-01-01T00:00:00Z"), True),
        (XsdDateTime("12026-01-01T00:00:00Z"), False),
        (XsdDateTime("9999-12-31T24:00:00Z"), False),
    ],
)
def test_a_moment_that_only_xml_can_say_is_compared_too(
    erp: ModuleType, store: Store, since: Any, finds: bool
) -> None:
    place(erp, store)
    assert bool(erp.orders(store, changedSince=since)["order"]) is finds


def test_a_moment_is_the_same_in_every_zone(erp: ModuleType, store: Store) -> None:
    for _ in range(2):
        place(erp, store)
    moment = datetime(2020, 1, 1, tzinfo=UTC)
    first = erp.orders(store, pageSize=1, changedSince=moment)
    elsewhere = (moment + timedelta(hours=8)).replace(tzinfo=datetime.now(UTC).astimezone().tzinfo)
    same = moment.astimezone(elsewhere.tzinfo)
    assert len(erp.orders(store, changedSince=same, pageToken=first["nextPage"])["order"]) == 1


@pytest.mark.parametrize(
    "change", [{"state": ["open"]}, {"supplier": "SUP-1"}, {"orderedTo": date(2030, 1, 1)}]
)
def test_a_token_of_other_filters_is_refused(erp: ModuleType, store: Store, change: Any) -> None:
    for _ in range(2):
        place(erp, store)
    token = erp.orders(store, pageSize=1)["nextPage"]
    with pytest.raises(erp.Fault) as caught:
        erp.orders(store, pageToken=token, **change)
    assert caught.value.name == "InvalidPageToken"
    assert caught.value.fields == {"pageToken": token, "reason": "otherList"}


def test_a_token_that_was_not_given_is_refused(erp: ModuleType, store: Store) -> None:
    with pytest.raises(erp.Fault) as caught:
        erp.orders(store, pageToken="page-2")
    assert caught.value.fields == {"pageToken": "page-2", "reason": "unreadable"}
