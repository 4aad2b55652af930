"""Stores of every older version, with rows in all their tables, brought to this one: nothing is lost, and the program works on it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from lxml import etree
from sqlalchemy import Connection, MetaData, insert, select, text

from bridge.cli.bridges import shipped_bridge
from bridge.errors import StoreBusy, StoreError
from bridge.idempotency import _digest
from bridge.settings import Settings
from bridge.settings import Store as StoreSettings
from bridge.store import Store, Transaction, database, schema
from bridge.store.clock import host_clock
from tests.conftest import SAMPLES

OLDER, LATEST = schema.REVISIONS[:-1], schema.REVISIONS[-1]
AT = host_clock() - 3_600_000_000
NS = "urn:soapbridge:erp:purchasing:1"
SAMPLE = next((SAMPLES / "purchasing/CreatePurchaseOrder").glob("good-*soap11.xml"))
FIRST_ANSWER = f'<CreatePurchaseOrderResponse xmlns="{NS}"><orderNumber>PO-KEPT</orderNumber></CreatePurchaseOrderResponse>'
DETAILS = json.dumps(
    {
        "buyer": {"code": "CO-NB01", "name": "Buyer"},
        "supplier": {"code": "SUP-1", "name": "Supplier"},
        "shipTo": {"warehouse": "WH-A"},
    }
)


def payload() -> etree._Element:
    return etree.parse(SAMPLE).getroot().find("{*}Body")[0]  # type: ignore[no-any-return,index]


def rows() -> dict[str, dict[str, Any]]:
    """One row for each table there ever was, with the columns of today; in an order that foreign keys allow. Each row is its
    table's first, so that its number is 1."""
    request = {"partner": "", "exchange_id": "x-1"}
    line = {"line_number": 10, "position": 1, "sku": "S", "quantity": 10_000_000, "unit": "H87"}
    money = {"unit_price": 1_500_000, "amount": 150_000}
    order = {
        "order_date": "2026-02-25",
        "currency": "EUR",
        "supplier": "SUP-1",
        "total": 150_000,
        "details": DETAILS,
    }
    return {
        "journal": {
            "exchange_id": "x-1",
            "direction": "in",
            "contract": "purchasing",
            "operation": "CreatePurchaseOrder",
            "received_at": AT,
            "duration": 5,
            "verdict": "accepted",
            "violation_count": 0,
            "reference": "PO-KEPT",
            "request": SAMPLE.read_bytes(),
        },
        "item": {"sku": "S", "unit": "H87", "created_at": AT},
        "warehouse": {"code": "WH-A", "may_be_negative": 0, "created_at": AT},
        "stock_balance": {
            "sku": "S",
            "warehouse": "WH-A",
            "may_be_negative": 0,
            "on_hand": 7_000_000,
            "reserved": 2_000_000,
            "revision": 0,
        },
        "purchase_order": {
            **request,
            **order,
            "request_id": "old-1",
            "state": "partiallyReceived",
            "revision": 2,
            "created_at": AT,
            "changed_at": AT,
        },
        "purchase_order_line": {"order_id": 1, **line, **money},
        "stock_document": {
            **request,
            "request_id": "old-2",
            "posting_date": "2026-02-25",
            "movement_count": 1,
            "posted_at": AT,
        },
        "stock_movement": {
            "document_id": 1,
            "entry": 1,
            "movement": 1,
            "kind": "receipt",
            "sku": "S",
            "warehouse": "WH-A",
            "quantity": 7_000_000,
            "on_hand_after": 7_000_000,
        },
        "idempotency": {
            **request,
            "contract": "purchasing",
            "operation": "CreatePurchaseOrder",
            "idempotency_key": payload().findtext("{*}requestId"),
            "payload_hash": _digest(payload()),
            "state": "answered",
            "created_at": AT,
            "reference": "PO-KEPT",
            "answer": FIRST_ANSWER,
        },
        "purchase_order_revision": {
            **order,
            "order_id": 1,
            "revision": 1,
            "exchange_id": "x-1",
            "replaced_at": AT,
        },
        "purchase_order_revision_line": {"order_id": 1, "revision": 1, **line, **money},
        "purchase_order_cancellation": {
            "order_id": 1,
            "reason": "never",
            "exchange_id": "x-1",
            "cancelled_at": AT,
        },
        "goods_receipt_line": {
            "document_id": 1,
            "entry": 1,
            "order_id": 1,
            "line_number": 10,
            "quantity": 7_000_000,
        },
        "supplier": {
            "code": "SUP-1",
            "revision": 1,
            "blocked": 0,
            "details": json.dumps({"name": "Supplier"}),
            "exchange_id": "x-1",
            "created_at": AT,
            "changed_at": AT,
        },
        "reservation": {
            **request,
            "request_id": "old-3",
            "state": "open",
            "reference": "SO-1",
            "created_at": AT,
            "changed_at": AT,
        },
        "reservation_line": {
            "reservation_id": 1,
            "line_number": 1,
            "position": 1,
            "sku": "S",
            "warehouse": "WH-A",
            "wanted": 3_000_000,
            "granted": 3_000_000,
            "issued": 0,
            "released": 1_000_000,
            "reserved": 2_000_000,
        },
        "reservation_release": {
            **request,
            "reservation_id": 1,
            "request_id": "old-4",
            "reason": "cancelled",
            "released_at": AT,
        },
        "stock_count": {**request, "request_id": "old-5", "posted_at": AT},
        "stock_count_line": {
            "count_id": 1,
            "position": 1,
            "sku": "S",
            "warehouse": "WH-A",
            "counted": 7_000_000,
            "book": 7_000_000,
            "counted_at": AT,
        },
        "ordering_key": {
            "partner": "crm",
            "ordering_key": "K",
            "next_seq": 2,
            "state": "active",
            "due_at": AT,
            "lease_no": 1,
        },
        "outbox": {
            "entry_id": "e-1",
            "partner": "crm",
            "ordering_key": "K",
            "seq": 1,
            "operation": "OrderStatusChanged",
            "state": "waiting",
            "aside": 0,
            "attempts": 1,
            "tries": 1,
            "asked": 0,
            "created_at": AT,
            "since": AT,
            "changed_at": AT,
            "payload": "<e/>",
        },
        "attempt": {
            "outbox_id": 1,
            "number": 1,
            "exchange_id": "x-2",
            "owner": "host",
            "decision": "first",
            "started_at": AT,
        },
        "partner_gate": {
            "partner": "crm",
            "circuit": "closed",
            "failures": 0,
            "blocked_until": 0,
            "next_slot_at": 0,
            "changed_at": AT,
        },
        "act": {"at": AT, "who": "mei", "why": "asked", "verb": "hold"},
        "schedule": {"name": "nightly", "due_at": AT, "rule": "every 5", "changed_at": AT},
        "firing": {"schedule": "nightly", "due_at": AT, "owner": "host", "started_at": AT},
        "credential": {"caller": "crm", "kind": "password", "secret": "hash", "created_at": AT},
        "nonce": {"nonce": b"n", "until": AT},
        "data_key": {"created_at": AT},
        "data_key_wrap": {"data_key_id": 1, "wrapped_by": "name", "wrapped": b"w"},
        "audit_entry": {"chain": "c", "seq": 1, "at": AT, "event": "started", "digest": b"d", "hash": b"h"},
        "audit_checkpoint": {"at": AT, "heads": "{}", "signed_by": "k", "signature": b"s"},
        "notification": {"partner": "p", "notification_id": "n", "at": AT},
        "notified_record": {"partner": "p", "record_id": "r", "changed_at": AT},
        "reconciliation": {"rule": "r", "source": "a.b", "target": "c.d", "started_at": AT},
        "difference": {
            "reconciliation_id": 1,
            "kind": "missing",
            "cause": "never sent",
            "record_key": "K",
            "state": "open",
            "content": "{}",
        },
        **customer_rows(),
        **flow_rows(),
        **tokens(),
        **catalog_rows(),
        **sales_rows(),
    }


def flow_rows() -> dict[str, dict[str, Any]]:
    link = {"flow": "accounts", "name": "n", "source_id": "A-1", "target_id": "C-1"}
    problem = {"flow": "accounts", "name": "n", "side": "source", "record_id": "A-2", "stage": "map"}
    return {
        "flow_state": {"flow": "accounts", "watermark": AT, "full_number": 1, "lease_no": 3},
        "flow_link": {
            **link,
            "revision": 1,
            "state": "moved",
            "source_hash": b"h",
            "bounces": 0,
            "again": 0,
            "seen": 1,
            "changed_at": AT,
            "sent": "{}",
        },
        "flow_sent": {"entry_id": "e-1", "flow": "accounts", "link_id": 1, "kind": "there"},
        "flow_problem": {
            **problem,
            "state": "open",
            "times": 1,
            "first_at": AT,
            "last_at": AT,
            "explanation": "no such level",
            "repair": "add it",
        },
    }


def customer_rows() -> dict[str, dict[str, Any]]:
    return {
        "customer": {
            "code": "CUST-1",
            "revision": 1,
            "country": "DE",
            "blocked": 0,
            "credit_grade": "B",
            "credit_limit": 500_000_000,
            "credit_currency": "EUR",
            "details": json.dumps({"code": "CUST-1", "name": "Customer", "country": "DE"}),
            "normal": json.dumps({"name": "Customer", "matchName": "customer"}),
            "exchange_id": "x-1",
            "created_at": AT,
            "changed_at": AT,
        },
        "customer_match": {"match_key": 1, "customer_id": 1},
    }


def tokens() -> dict[str, dict[str, Any]]:
    """Rows of access tokens."""
    return {
        "partner_token": {
            "partner": "crm",
            "credentials": "digest",
            "content": "{}",
            "expires_at": AT,
            "requested": "[]",
            "blocked_until": 0,
            "lease_no": 1,
            "lease_until": 0,
        }
    }


def catalog_rows() -> dict[str, dict[str, Any]]:
    """Of the catalog and of receivables."""
    written = {"exchange_id": "x-1", "created_at": AT, "changed_at": AT}
    of_request = {"partner": "", **written}
    account = {"customer": "CU-1", "currency": "EUR"}
    return {
        "catalog_item": {"sku": "S", "revision": 1, "status": "active", "details": "{}", **written},
        "catalog_gtin": {"gtin": "4006381333931", "sku": "S"},
        "price_list": {"code": "STD", "currency": "EUR", "revision": 1, **written},
        "standard_price_list": {"currency": "EUR", "price_list": "STD"},
        "price": {
            "price_list": "STD",
            "sku": "S",
            "quantity_from": 1_000_000,
            "valid_from": "2026-01-01",
            "unit_price": 1_500_000,
            "withdrawn": 0,
            **written,
        },
        "customer_account": {**account, "open": 20_000, "on_account": 5_000, "revision": 2},
        "invoice": {
            **of_request,
            **account,
            "request_id": "old-6",
            "state": "partiallyPaid",
            "invoice_date": "2026-02-25",
            "due_date": "2026-03-25",
            "net": 30_000,
            "tax": 0,
            "total": 30_000,
            "paid": 10_000,
            "credited": 0,
            "open": 20_000,
            "details": json.dumps({"customer": {"code": "CU-1", "name": "Customer"}}),
        },
        "invoice_line": {
            "invoice_id": 1,
            "line_number": 10,
            "position": 1,
            "sku": "S",
            "item": json.dumps({"sku": "S"}),
            "quantity": 2_000_000,
            "unit": "H87",
            "unit_price": 1_500_000,
            "amount": 30_000,
        },
        "credit_note": {
            "invoice_id": 1,
            "total": 30_000,
            "reason": "never",
            "exchange_id": "x-1",
            "created_at": AT,
        },
        "payment": {
            **of_request,
            **account,
            "request_id": "old-7",
            "revision": 1,
            "received_on": "2026-03-20",
            "amount": 15_000,
            "allocated": 10_000,
            "on_account": 5_000,
            "details": "{}",
        },
        "payment_allocation": {
            "payment_id": 1,
            "entry": 1,
            "invoice_id": 1,
            "amount": 10_000,
            "exchange_id": "x-1",
            "allocated_at": AT,
        },
    }


def sales_rows() -> dict[str, dict[str, Any]]:
    """The tables of sales."""
    order = {
        "order_date": "2026-02-25",
        "currency": "EUR",
        "customer": "CUS-1",
        "total": 150_000,
        "details": json.dumps({"customer": {"code": "CUS-1", "name": "Customer"}}),
        "exchange_id": "x-1",
    }
    line = {
        "order_id": 1,
        "line_number": 10,
        "position": 1,
        "sku": "S",
        "item": json.dumps({"sku": "S"}),
        "quantity": 10_000_000,
        "unit": "H87",
        "unit_price": 1_500_000,
        "amount": 150_000,
        "due_date": "2026-02-25",
    }
    request = {"partner": "", "exchange_id": "x-1"}
    return {
        "sales_account": {"customer": "CUS-1", "created_at": AT},
        "sales_order": {
            **order,
            **request,
            "request_id": "old-so",
            "state": "partiallyDelivered",
            "revision": 2,
            "credited": 15_000,
            "created_at": AT,
            "changed_at": AT,
        },
        "sales_order_line": {**line, "returned": 1_000_000, "credited": 15_000},
        "sales_order_revision": {**order, "order_id": 1, "revision": 1, "replaced_at": AT},
        "sales_order_revision_line": {**line, "revision": 1},
        "sales_order_cancellation": {
            "order_id": 1,
            "reason": "never",
            "exchange_id": "x-1",
            "cancelled_at": AT,
        },
        "sales_order_decision": {
            **request,
            "order_id": 1,
            "revision": 2,
            "outcome": "approved",
            "reason": "Approved by the rules",
            "findings": "[]",
            "decided_at": AT,
        },
        "sales_return": {
            **request,
            "request_id": "old-rt",
            "order_id": 1,
            "reason": "broken",
            "credit": 15_000,
            "returned_at": AT,
        },
        "sales_return_line": {
            "return_id": 1,
            "line_number": 10,
            "quantity": 1_000_000,
            "unit": "H87",
            "credit": 15_000,
        },
    }


def upgrade(connection: Connection, revision: str) -> None:
    config = Config()
    place = str(Path(schema.__file__).with_name("migrations")).replace("%", "%%")
    config.set_main_option("script_location", place)
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def contents(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table but Alembic's."""
    tables = MetaData()
    tables.reflect(connection)
    return {
        name: [dict(row) for row in connection.execute(select(table)).mappings()]
        for name, table in tables.tables.items()
        if name != "alembic_version"
    }


def make_old(url: str, revision: str) -> dict[str, list[dict[str, Any]]]:
    """A store of that revision, filled; what is in it."""
    store = Store(url)
    link = store._database
    with Transaction(link.writing, link.reading) as transaction:
        connection = transaction.session.connection()
        upgrade(connection, revision)
        tables = MetaData()
        tables.reflect(connection)
        for name, row in rows().items():
            table = tables.tables.get(name)
            if table is not None:
                known = {column: value for column, value in row.items() if column in table.columns}
                connection.execute(insert(table).values(known))
        made = contents(connection)
    store.close()
    empty = [name for name, found in made.items() if not found]
    assert not empty, f"give these a row: {empty}"
    return made


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest) -> str:
    name = "sqlite_url" if request.param == "sqlite" else "empty_postgresql_url"
    url: str = request.getfixturevalue(name)
    return url


def post(application: Any, path: str, body: bytes) -> tuple[str, bytes]:
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "CONTENT_TYPE": "text/xml; charset=utf-8",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "REMOTE_ADDR": "127.0.0.1",
    }
    statuses: list[str] = []
    pieces = application(environ, lambda status, _: statuses.append(status))
    return statuses[0], b"".join(pieces)


@pytest.mark.parametrize("revision", OLDER)
def test_an_older_store_keeps_all_its_rows_and_the_program_works_on_it(
    empty_url: str, revision: str, erp: ModuleType
) -> None:
    before = make_old(empty_url, revision)
    store = Store(empty_url)
    with pytest.raises(StoreError, match=rf"revision {revision}.*`soapbridge migrate`"):
        store.check()
    store.migrate()
    with store.transaction() as transaction:
        after = contents(transaction.session.connection())
    for name, old in before.items():
        assert [{column: new[column] for column in old[0]} for new in after[name]] == old, name

    (entry,) = store.journal.list(reference="PO-KEPT")
    assert entry.exchange_id == "x-1"
    found = erp.get_order(store, requestId="old-1")
    assert found["orderNumber"] == "PO-2026-000001"
    assert [one["sku"] for one in erp.movements(store)["movement"]] == ["S"]
    # A data key whose wrapping key nobody has: the program would rightly ask for it.
    with store.transaction() as transaction:
        for table in ("data_key_wrap", "data_key"):
            transaction.session.execute(text(f"DELETE FROM {table}"))
    store.close()

    bridge = shipped_bridge(Settings(store=StoreSettings(url=empty_url)))
    status, answer = post(bridge.wsgi(), "/services/purchasing", SAMPLE.read_bytes())
    assert status.startswith("200"), answer
    has_records = "idempotency" in before
    assert (FIRST_ANSWER.encode() in answer) == has_records
    assert bridge.store is not None
    newest = bridge.store.journal.list()[0]
    assert newest.duplicate_of == ("x-1" if has_records else None)
    bridge.store.close()


MIGRATE = (
    "import sys; from bridge.store import Store; store = Store(sys.argv[1]); store.migrate(); store.check()"
)


def test_two_processes_that_upgrade_at_once_do_it_once(empty_url: str) -> None:
    before = make_old(empty_url, OLDER[0])
    processes = [
        subprocess.Popen([sys.executable, "-c", MIGRATE, empty_url], stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    store = Store(empty_url)
    with store.reading() as session:
        after = contents(session.connection())
    assert set(after) > set(before)
    assert len(after["journal"]) == 1
    store.close()


@pytest.fixture
def old_program(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """This program as of one revision before; what is returned makes it today's again."""
    monkeypatch.setattr(schema, "REVISIONS", OLDER)
    monkeypatch.setattr(schema, "HEAD", OLDER[-1])

    def today() -> None:
        monkeypatch.setattr(schema, "REVISIONS", (*OLDER, LATEST))
        monkeypatch.setattr(schema, "HEAD", LATEST)

    return today


def write(store: Store, sku: str) -> None:
    with store.transaction() as transaction:
        transaction.session.execute(text("INSERT INTO item VALUES (:sku, 'H87', 0)"), {"sku": sku})


def test_a_process_of_the_older_version_refuses_what_comes_after_somebody_migrated(
    empty_url: str, old_program: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_old(empty_url, OLDER[-1])
    serving = Store(empty_url)
    write(serving, "before")
    link = serving._database
    with Transaction(link.writing, link.reading) as transaction:
        upgrade(transaction.session.connection(), "head")
    write(serving, "within")  # what it writes within that time is whole
    monkeypatch.setattr(database, "SCHEMA_SECONDS", 0.0)
    serving._check_at = time.monotonic()  # the time is over
    refused: list[str] = []

    def try_to_write() -> None:
        try:
            write(serving, "after")
        except StoreError as error:
            refused.append(str(error))

    try_to_write()  # whoever looks
    threads = [threading.Thread(target=try_to_write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(refused) == 5
    assert "too new: it is at revision " + LATEST in refused[0]
    with pytest.raises(StoreError, match="too new"), serving.reading():
        pass
    old_program()
    write(serving, "after")  # the same, with the program that fits
    with serving.reading() as session:
        found = set(session.execute(text("SELECT sku FROM item")).scalars())
    assert found == {"S", "before", "within", "after"}
    serving.close()


def test_migrating_waits_for_a_transaction_that_is_open_and_gives_up_in_the_end(empty_url: str) -> None:
    make_old(empty_url, OLDER[0])
    busy, store = Store(empty_url), Store(empty_url, wait=0.2)
    link = busy._database
    with Transaction(link.writing, link.reading) as transaction:
        transaction.session.execute(text("UPDATE journal SET duration = 6"))
        with pytest.raises(StoreBusy, match=r"in use for too long|held by another process"):
            store.migrate()
    with Transaction(link.writing, link.reading) as transaction:
        assert schema.found_in(transaction.session.connection()) == OLDER[0]
    store.migrate()
    assert [entry.duration_us for entry in store.journal.list()] == [6]
    busy.close()
    store.close()
