"""Orders of a store that an older version made are read, changed, received and listed after the migration."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from bridge.store import Store, Transaction, schema
from bridge.store.clock import moment

AT = 1_772_000_000_000_000  # 2026-02-25
DETAILS = {
    "buyer": {"code": "CO-NB01", "name": "Buyer"},
    "supplier": {"code": "SUP-1", "name": "Supplier"},
    "shipTo": {"warehouse": "WH-NB1"},
}


def make_store_of_the_first_version(url: str) -> None:
    """With an order of one line."""
    store = Store(url)
    database = store._database
    with Transaction(database.writing, database.reading) as transaction:
        connection = transaction.session.connection()
        config = Config()
        config.set_main_option(
            "script_location", str(Path(schema.__file__).with_name("migrations")).replace("%", "%%")
        )
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(
            text(
                "INSERT INTO purchase_order VALUES (1, '', 'old-1', 'open', 1, 'B-1', '2026-02-25', 'EUR', 'SUP-1', "
                "NULL, 150000, :details, 'x1', :at, :at)"
            ),
            {"details": json.dumps(DETAILS), "at": AT},
        )
        connection.execute(
            text(
                "INSERT INTO purchase_order_line VALUES (1, 10, 1, 'SKU-10', NULL, NULL, NULL, NULL, NULL, "
                "10000000, 'H87', 1500000, 150000, NULL, NULL, NULL)"
            )
        )
    store.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def migrated(request: pytest.FixtureRequest) -> Iterator[Store]:
    name = "sqlite_url" if request.param == "sqlite" else "empty_postgresql_url"
    url: str = request.getfixturevalue(name)
    make_store_of_the_first_version(url)
    store = Store(url)
    store.migrate()
    yield store
    store.close()


def test_an_old_order_is_read_changed_received_and_listed(erp: ModuleType, migrated: Store) -> None:
    number = "PO-2026-000001"
    before = erp.get_order(migrated, requestId="old-1")
    assert before["orderNumber"] == number
    assert before["createdAt"] == moment(AT)
    assert before["total"] == {"value": Decimal("15.00"), "currency": "EUR"}
    assert before["received"] == []

    assert erp.change(migrated, number, 1, erp.order(("12", "1.50")))["revision"] == 2
    old = erp.get_order(migrated, orderNumber=number, revision=1)
    assert old["order"] == before["order"]
    assert old["changedAt"] == moment(AT)
    assert erp.receive(migrated, number, erp.arrived(10, "12"))["state"] == "received"
    assert [one["orderNumber"] for one in erp.orders(migrated, state=["received"])["order"]] == [number]
