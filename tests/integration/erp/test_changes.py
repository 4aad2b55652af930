"""ChangePurchaseOrder and CancelPurchaseOrder, on both databases."""

from __future__ import annotations

import threading
from datetime import date, timedelta
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bridge.erp.orders import CancellationRow
from bridge.erp.purchasing.changes import change_purchase_order
from bridge.erp.shipped import Rules
from bridge.erp.tables import purchase_order_cancellation
from bridge.store import Store


def place(erp: ModuleType, store: Store, *lines: tuple[str, str]) -> str:
    number: str = erp.create(store, erp.order(*(lines or (("10", "2.00"), ("4", "1.50")))))["orderNumber"]
    return number


def sent_again(erp: ModuleType, order: Any) -> Any:
    """What was read, as it is sent."""

    def given(value: Any) -> Any:
        if isinstance(value, dict):
            return erp.Given(**{name: given(part) for name, part in value.items()})
        return [given(part) for part in value] if isinstance(value, list) else value

    return given(order)


def test_a_change_replaces_header_and_lines_and_counts_the_revision(erp: ModuleType, store: Store) -> None:
    number = place(erp, store)
    wanted = erp.order(
        ("12", "2.00"), currency="CNY", buyerReference="B-2", requestedDelivery=date(2026, 5, 1), note=[]
    )
    wanted.line.append(erp.line(30, "1", "5.00"))
    reply = erp.change(store, number, 1, wanted)
    got = erp.get_order(store, orderNumber=number)
    assert (reply["orderNumber"], reply["state"], reply["revision"]) == (number, "open", 2)
    assert reply["total"] == got["total"] == {"value": Decimal("29.00"), "currency": "CNY"}
    assert (got["revision"], got["changedAt"]) == (2, reply["changedAt"])
    assert got["changedAt"] > got["createdAt"]
    assert sent_again(erp, got["order"]).line[1].lineNumber == 30
    assert got["order"]["buyerReference"] == "B-2"
    assert [line["lineNumber"] for line in got["order"]["line"]] == [10, 30]
    assert "note" not in got["order"]


def test_what_was_read_can_be_sent_back_and_changes_nothing_but_the_revision(
    erp: ModuleType, store: Store
) -> None:
    number = place(erp, store)
    before = erp.get_order(store, orderNumber=number)
    erp.change(store, number, 1, sent_again(erp, before["order"]))
    after = erp.get_order(store, orderNumber=number)
    assert after["order"] == before["order"]
    assert after["revision"] == 2


def test_every_revision_stays_readable(erp: ModuleType, store: Store) -> None:
    number = place(erp, store, ("1", "1.00"))
    made = [erp.get_order(store, orderNumber=number)]
    for revision in (1, 2, 3):
        erp.change(store, number, revision, erp.order((str(revision + 1), "1.00"), ("1", "3.00")))
        made.append(erp.get_order(store, orderNumber=number))
    for revision, was in enumerate(made, 1):
        read = erp.get_order(store, orderNumber=number, revision=revision)
        assert read == was
        assert read["revision"] == revision
    with pytest.raises(erp.Fault) as caught:
        erp.get_order(store, orderNumber=number, revision=5)
    assert caught.value.fields["missing"][0]["identifier"] == f"{number} revision 5"
    with pytest.raises(erp.Fault, match="NotFound"):
        erp.get_order(store, orderNumber=number, revision=10**30)


def test_the_present_revision_keeps_its_time_when_goods_come_in(erp: ModuleType, store: Store) -> None:
    number = place(erp, store, ("10", "1.00"))
    changed = erp.change(store, number, 1, erp.order(("11", "1.00")))
    erp.receive(store, number, erp.arrived(10, "1"))
    assert erp.get_order(store, orderNumber=number, revision=2)["changedAt"] == changed["changedAt"]
    assert erp.get_order(store, orderNumber=number)["changedAt"] > changed["changedAt"]


def test_past_revisions_cannot_be_rewritten(erp: ModuleType, store: Store) -> None:
    number = place(erp, store)
    erp.change(store, number, 1, erp.order(("1", "1")))
    for statement in (
        "UPDATE purchase_order_revision SET total = 0",
        "DELETE FROM purchase_order_revision_line",
    ):
        with pytest.raises(DBAPIError, match="append-only"), store.transaction() as transaction:
            transaction.session.execute(text(statement))


def test_a_change_of_another_revision_is_told_which_one_is_there(erp: ModuleType, store: Store) -> None:
    number = place(erp, store)
    changed = erp.change(store, number, 1, erp.order(("1", "1")))
    with pytest.raises(erp.Fault) as caught:
        erp.change(store, number, 1, erp.order(("2", "1")))
    assert caught.value.name == "RevisionMismatch"
    assert caught.value.fields == {
        "kind": "purchaseOrder",
        "identifier": number,
        "given": 1,
        "current": 2,
        "changedAt": changed["changedAt"],
    }
    assert erp.get_order(store, orderNumber=number)["revision"] == 2


def test_of_eight_changes_of_one_revision_exactly_one_wins(erp: ModuleType, store: Store) -> None:
    number = place(erp, store)
    won: list[str] = []
    faults: list[str] = []
    together = threading.Barrier(8)

    def change(quantity: str) -> None:
        together.wait()
        try:
            erp.change(store, number, 1, erp.order((quantity, "1.00")))
            won.append(quantity)
        except erp.Fault as fault:
            faults.append(fault.name)

    run(change, [str(n) for n in range(1, 9)])
    assert len(won) == 1
    assert faults == ["RevisionMismatch"] * 7
    got = erp.get_order(store, orderNumber=number)
    assert got["revision"] == 2
    assert got["total"]["value"] == Decimal(won[0])


def test_an_order_that_does_not_exist_is_not_changed_or_cancelled(erp: ModuleType, store: Store) -> None:
    for act in (
        lambda: erp.change(store, "PO-2019-000001", 1, erp.order(("1", "1"))),
        lambda: erp.cancel(store, "PO-2019-000001"),
    ):
        with pytest.raises(erp.Fault) as caught:
            act()
        assert caught.value.fields == {"missing": [{"kind": "purchaseOrder", "identifier": "PO-2019-000001"}]}


def test_a_line_is_not_reduced_below_what_has_come_in_nor_left_out(erp: ModuleType, store: Store) -> None:
    number = place(erp, store, ("10", "1"), ("10", "1"), ("10", "1"))
    erp.receive(store, number, erp.arrived(10, "4"), erp.arrived(30, "2.5"))
    wanted = erp.order()
    wanted.line = [erp.line(20, "1", "1"), erp.line(10, "3.999999", "1")]
    with pytest.raises(erp.Fault) as caught:
        erp.change(store, number, 1, wanted)
    assert caught.value.name == "BelowReceived"
    assert caught.value.fields["line"] == [
        {
            "lineNumber": 10,
            "received": {"value": Decimal(4), "unit": "H87"},
            "wanted": {"value": Decimal("3.999999"), "unit": "H87"},
            "path": "/ChangePurchaseOrder/order/line[2]/quantity",
        },
        {
            "lineNumber": 30,
            "received": {"value": Decimal("2.5"), "unit": "H87"},
            "path": "/ChangePurchaseOrder/order/line",
        },
    ]
    assert erp.get_order(store, orderNumber=number)["revision"] == 1


def test_lines_without_receipts_may_go_and_the_others_stay_with_what_came_in(
    erp: ModuleType, store: Store
) -> None:
    number = place(erp, store, ("10", "1"), ("10", "1"))
    erp.receive(store, number, erp.arrived(20, "4"))
    wanted = erp.order()
    wanted.line = [erp.line(20, "8", "3.00")]
    assert erp.change(store, number, 1, wanted)["state"] == "partiallyReceived"
    got = erp.get_order(store, orderNumber=number)
    assert [line["lineNumber"] for line in got["order"]["line"]] == [20]
    assert got["received"] == [{"lineNumber": 20, "quantity": {"value": Decimal(4), "unit": "H87"}}]


def test_an_order_reduced_to_what_has_come_in_is_received(erp: ModuleType, store: Store) -> None:
    number = place(erp, store, ("10", "1"), ("10", "1"))
    erp.receive(store, number, erp.arrived(10, "4"))
    wanted = erp.order(("4", "1"))
    assert erp.change(store, number, 1, wanted)["state"] == "received"
    with pytest.raises(erp.Fault) as caught:
        erp.change(store, number, 2, wanted)
    assert caught.value.fields == {
        "kind": "purchaseOrder",
        "identifier": number,
        "state": "received",
        "allowed": ["open", "confirmed", "partiallyReceived"],
    }


def test_a_line_of_which_too_much_came_in_may_stay_as_it_was_ordered(erp: ModuleType, store: Store) -> None:
    number = place(erp, store, ("10", "1"), ("10", "1"))
    erp.receive(store, number, erp.arrived(10, "11"), rules=Rules(over_delivery=10))
    assert erp.change(store, number, 1, erp.order(("10", "2"), ("9", "1")))["revision"] == 2
    with pytest.raises(erp.Fault, match="BelowReceived"):
        erp.change(store, number, 2, erp.order(("9.9", "2"), ("9", "1")))


def test_what_came_in_keeps_its_item_its_unit_and_its_supplier(erp: ModuleType, store: Store) -> None:
    number = place(erp, store, ("10", "1"), ("10", "1"))
    erp.receive(store, number, erp.arrived(10, "4"))
    wanted = erp.order(("10", "1"), ("10", "1"))
    wanted.supplier.code = "SUP-2"
    wanted.line[0].item.sku = "OTHER"
    wanted.line[0].quantity.unit = "KGM"
    wanted.line[1].item.sku = "FREE"
    with pytest.raises(erp.Fault) as caught:
        erp.change(store, number, 1, wanted)
    assert caught.value.name == "InvalidReference"
    assert [
        (one["kind"], one["identifier"], one["reason"], one["path"])
        for one in caught.value.fields["reference"]
    ] == [
        ("supplier", "SUP-2", "mismatch", "/ChangePurchaseOrder/order/supplier/code"),
        ("item", "OTHER", "mismatch", "/ChangePurchaseOrder/order/line[1]/item/sku"),
        ("unit", "KGM", "mismatch", "/ChangePurchaseOrder/order/line[1]/quantity/@unit"),
    ]


def test_before_anything_came_in_all_of_it_may_change(erp: ModuleType, store: Store) -> None:
    number = place(erp, store, ("10", "1"))
    wanted = erp.order(("1", "1"))
    wanted.supplier.code, wanted.line[0].item.sku, wanted.line[0].quantity.unit = "SUP-2", "OTHER", "KGM"
    assert erp.change(store, number, 1, wanted)["revision"] == 2


def test_the_database_itself_keeps_a_line_that_goods_have_come_in_of(erp: ModuleType, store: Store) -> None:
    number = place(erp, store, ("10", "1"))
    erp.receive(store, number, erp.arrived(10, "4"))
    with pytest.raises(DBAPIError, match=r"(?i)foreign key"), store.transaction() as transaction:
        transaction.session.execute(text("DELETE FROM purchase_order_line"))


def test_a_change_that_makes_the_total_too_large_is_refused(erp: ModuleType, store: Store) -> None:
    number = place(erp, store)
    with pytest.raises(erp.Fault, match="LimitExceeded"):
        erp.change(store, number, 1, erp.order(("999999999", "999999999")))
    assert erp.get_order(store, orderNumber=number)["revision"] == 1


def test_what_is_done_later_has_the_later_time_even_if_it_was_asked_earlier(
    erp: ModuleType, store: Store
) -> None:
    """A request that waits for another one's lock keeps the time at which it came in."""
    number = place(erp, store)
    times = [erp.get_order(store, orderNumber=number)["createdAt"]]
    long_ago = times[0] - timedelta(hours=1)

    def change(transaction: Any) -> Any:
        call = erp.Call(transaction)
        call.now = long_ago
        wanted = erp.order(("1", "1"))
        given = erp.Given(requestId="late", orderNumber=number, revision=1, order=wanted)
        return change_purchase_order(given, call)

    times.append(store.run(change)["changedAt"])
    times.append(erp.get_order(store, orderNumber=number, revision=2)["changedAt"])
    times.append(erp.cancel(store, number)["cancelledAt"])
    assert times[0] < times[1] == times[2] < times[3]
    assert erp.get_order(store, orderNumber=number)["changedAt"] == times[3]


def test_a_change_takes_a_confirmation_back(erp: ModuleType, store: Store) -> None:
    number = place(erp, store)
    with store.transaction() as transaction:
        transaction.session.execute(text("UPDATE purchase_order SET state = 'confirmed'"))
    assert erp.change(store, number, 1, erp.order(("1", "1")))["state"] == "open"


def test_a_cancelled_order_says_when_and_why(erp: ModuleType, store: Store) -> None:
    number = place(erp, store)
    reply = erp.cancel(store, number, 1, reason="ordered twice")
    got = erp.get_order(store, orderNumber=number)
    assert reply == {"orderNumber": number, "state": "cancelled", "cancelledAt": reply["cancelledAt"]}
    assert got["state"] == "cancelled"
    assert got["revision"] == 1
    assert got["changedAt"] == reply["cancelledAt"]
    assert got["cancellation"] == {
        "cancelledAt": reply["cancelledAt"],
        "reason": {"value": "ordered twice", "language": "en"},
    }


def test_an_order_changed_since_it_was_read_is_not_cancelled(erp: ModuleType, store: Store) -> None:
    number = place(erp, store)
    erp.change(store, number, 1, erp.order(("1", "1")))
    with pytest.raises(erp.Fault, match="RevisionMismatch"):
        erp.cancel(store, number, 1)
    assert erp.cancel(store, number)["state"] == "cancelled"


def test_what_is_cancelled_or_has_come_in_is_not_cancelled(erp: ModuleType, store: Store) -> None:
    cancelled, received = place(erp, store), place(erp, store)
    erp.cancel(store, cancelled)
    erp.receive(store, received, erp.arrived(10, "1"))
    for number, state in ((cancelled, "cancelled"), (received, "partiallyReceived")):
        with pytest.raises(erp.Fault) as caught:
            erp.cancel(store, number)
        assert caught.value.fields["state"] == state
        assert caught.value.fields["allowed"] == ["open", "confirmed"]
    with pytest.raises(erp.Fault, match="InvalidState"):
        erp.change(store, cancelled, 1, erp.order(("1", "1")))
    with pytest.raises(erp.Fault, match="InvalidState"):
        erp.receive(store, cancelled, erp.arrived(10, "1"))


def test_a_row_has_the_columns_of_its_table_in_order() -> None:
    assert CancellationRow._fields == tuple(purchase_order_cancellation.columns.keys())


def run(work: Any, arguments: list[Any]) -> None:
    """`work` for each argument, each in a thread; all must have ended."""
    threads = [threading.Thread(target=work, args=(one,)) for one in arguments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
