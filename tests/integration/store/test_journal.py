from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from bridge.store import ExchangeRecord, Store, journal
from bridge.store.journal import _JournalRow
from bridge.store.tables import journal as table

NOON = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)


def write(store: Store, exchange_id: str, **fields: Any) -> None:
    given: dict[str, Any] = {"received_at": NOON, "duration_us": 1500, "verdict": "accepted", **fields}
    with store.transaction() as transaction:
        journal.record(transaction.session, ExchangeRecord(exchange_id=exchange_id, **given))


def test_an_exchange_is_shown_as_it_was_recorded(store: Store) -> None:
    write(
        store,
        "x-1",
        verdict="invalid_request",
        direction="in",
        contract="purchasing-1",
        operation="CreatePurchaseOrder",
        soap_version="1.2",
        partner="crm",
        remote="10.0.0.7",
        http_status=400,
        fault_code="Sender",
        fault_reason="数量不足",
        violation_count=250,
        violations=[{"path": "/CreatePurchaseOrder/order", "line": 7}],
        reference="B-1",
        request=b"\xff\xfe<\x00",
        reply=b"<fault/>",
    )
    entry = store.journal.show("x-1")
    assert entry is not None
    assert (entry.received_at, entry.duration_us) == (NOON, 1500)
    assert (entry.verdict, entry.http_status, entry.fault_reason) == ("invalid_request", 400, "数量不足")
    assert entry.violation_count == 250
    assert entry.violations == ({"path": "/CreatePurchaseOrder/order", "line": 7},)
    assert (entry.request, entry.reply) == (b"\xff\xfe<\x00", b"<fault/>")
    assert (entry.partner, entry.remote, entry.reference) == ("crm", "10.0.0.7", "B-1")
    assert store.journal.show("x-2") is None


def test_bodies_that_are_not_kept_have_no_size(store: Store) -> None:
    write(store, "x-1", request=b"", reply=None)
    (entry,) = store.journal.list()
    assert (entry.request_size, entry.reply_size) == (0, None)


def test_the_list_is_newest_first_in_pages_and_leaves_the_bodies_out(store: Store) -> None:
    for number in range(5):
        write(store, f"x-{number}", request=b"12345")
    page = store.journal.list(limit=2)
    assert [entry.exchange_id for entry in page] == ["x-4", "x-3"]
    assert (page[0].request, page[0].request_size) == (None, 5)
    rest = store.journal.list(limit=10, before=page[-1].id)
    assert [entry.exchange_id for entry in rest] == ["x-2", "x-1", "x-0"]


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        ({"contract": "purchasing-1"}, ["x-1"]),
        ({"operation": "GetStock"}, ["x-2"]),
        ({"partner": "crm"}, ["x-2"]),
        ({"direction": "out"}, ["x-3"]),
        ({"verdicts": ["refused", "failed"]}, ["x-3", "x-2"]),
        ({"verdicts": ["accepted", "failed"]}, ["x-3", "x-1"]),
        ({"reference": "PO-7"}, ["x-1"]),
        ({"since": NOON + timedelta(seconds=1)}, ["x-3", "x-2"]),
        ({"until": NOON + timedelta(seconds=1)}, ["x-1"]),
        ({"since": NOON, "until": NOON + timedelta(seconds=2), "verdicts": ["refused"]}, ["x-2"]),
    ],
)
def test_the_list_is_narrowed_by_each_condition(
    store: Store, conditions: dict[str, Any], found: list[str]
) -> None:
    write(store, "x-1", contract="purchasing-1", reference="PO-7")
    later = NOON + timedelta(seconds=1)
    write(store, "x-2", operation="GetStock", partner="crm", verdict="refused", received_at=later)
    write(store, "x-3", direction="out", verdict="failed", received_at=later + timedelta(seconds=1))
    assert [entry.exchange_id for entry in store.journal.list(**conditions)] == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x-1", ["x-1"]),
        ("po-77", ["x-1"]),
        ("100%", ["x-2"]),
        ("订单", ["x-3"]),
        ("<a>", ["x-3"]),
        ("nowhere", []),
        ("%", ["x-2"]),
        ("\0", []),
    ],
)
def test_text_is_found_in_fields_and_envelopes(store: Store, text: str, found: list[str]) -> None:
    write(store, "x-1", reference="PO-77")
    write(store, "x-2", fault_reason="stopped at 100%", verdict="fault")
    write(store, "x-3", request="<a>订单</a>".encode(), reply=b"")
    assert [entry.exchange_id for entry in store.journal.find(text)] == found


def test_what_a_stranger_sent_can_always_be_journaled(store: Store) -> None:
    write(store, "x-1", verdict="refused", fault_reason="bad \0 \ud800", violations=[{"found": "\udfff\0"}])
    entry = store.journal.show("x-1")
    assert entry is not None
    assert entry.fault_reason == "bad \ufffd ?"


def test_an_exchange_is_journaled_once(store: Store) -> None:
    write(store, "x-1")
    with pytest.raises(Exception, match=r"exchange_id"):
        write(store, "x-1")


def test_an_unknown_verdict_is_refused(store: Store) -> None:
    with pytest.raises((DBAPIError, Exception), match="verdict"):
        write(store, "x-1", verdict="perhaps")


def test_the_row_has_the_columns_of_its_table_in_order() -> None:
    assert ("id", *_JournalRow._fields) == tuple(table.columns.keys())
