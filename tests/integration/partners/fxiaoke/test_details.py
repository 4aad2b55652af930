"""Lists that are records of another object in Fxiaoke: an order with its lines, read and written as one."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from bridge.errors import InDoubt, Refused, SettingsError, Unpresentable
from bridge.partners.entity_partner import EntityPartner
from bridge.partners.partner import Query, Written
from bridge.testing.fxiaoke import Fxiaoke
from bridge.testing.served import CUT
from tests.integration.partners.fxiaoke.conftest import Making, document

ORDERS = """
[partner]
user = "1000"
[entities.orders]
object = "SalesOrderObj"
id = "number__c"
changed = "last_modified_time"
[entities.orders.details]
lines = { object = "SalesOrderProductObj", by = "order_id", names = { sku = "sku__c", price = "product_price" } }
[entities.orders.fields]
number__c = { type = "text", required = true }
ordered__c = "date"
last_modified_time = "datetime"
[entities.orders.fields.lines]
type = "list"
fields = { sku = "text", quantity = "decimal", price = "decimal", due__c = "date" }
"""
LINES = [
    {"sku": "S-1", "quantity": Decimal(2), "price": Decimal("9.90"), "due__c": date(2026, 3, 2)},
    {"sku": "S-2", "quantity": Decimal("0.500"), "price": Decimal(4), "due__c": None},
]


@pytest.fixture
def orders(crm: Fxiaoke, making: Making) -> EntityPartner:
    by = {"SalesOrderProductObj": "order_id"}
    crm.define("SalesOrderObj", {"number__c": "text", "ordered__c": "date"}, details=by)
    lines = {"order_id": "text", "sku__c": "text", "quantity": "number", "product_price": "currency", "due__c": "date"}  # fmt: skip
    crm.define("SalesOrderProductObj", lines)
    return making(crm, ORDERS)


def write(partner: EntityPartner, operation: str, values: Any) -> Written:
    entity, verb = partner.operation(operation)
    return partner.backend.write(entity, verb, values, document(operation, values))


def test_an_order_is_made_with_its_lines_and_read_back(crm: Fxiaoke, orders: EntityPartner) -> None:
    write(orders, "orders.create", {"number__c": "SO-1", "ordered__c": date(2026, 3, 2), "lines": LINES})
    write(orders, "orders.create", {"number__c": "SO-2", "lines": []})
    assert crm.paths() == ["create", "create"], "lines go along with their order"
    (order,) = orders.fetch("orders", Query(ids=("SO-1",))).records
    assert order.values["lines"] == LINES
    assert [one.values["lines"] for one in orders.fetch("orders").records] == [LINES, []]


def test_lines_of_many_orders_are_read_with_few_calls(crm: Fxiaoke, orders: EntityPartner) -> None:
    for number in range(60):
        id_ = crm.put("SalesOrderObj", number__c=f"SO-{number:02}")
        for line in range(3):
            crm.put("SalesOrderProductObj", order_id=id_, sku__c=f"S-{number}-{line}", quantity="1")
    found = {one.id: [line["sku"] for line in one.values["lines"]] for one in orders.fetch("orders").records}
    assert found == {f"SO-{number:02}": [f"S-{number}-{line}" for line in range(3)] for number in range(60)}
    assert len(crm.paths()) == 4, "the orders; lines of 50 orders in two pages; of 10 in one"


def test_lines_that_were_made_invalid_are_no_lines(crm: Fxiaoke, orders: EntityPartner) -> None:
    id_ = crm.put("SalesOrderObj", number__c="SO-1")
    for sku in ("S-1", "S-2"):
        line = crm.put("SalesOrderProductObj", order_id=id_, sku__c=sku)
    crm.change("SalesOrderProductObj", line, is_deleted=True, life_status="invalid")
    (order,) = orders.fetch("orders").records
    assert [one["sku"] for one in order.values["lines"]] == ["S-1"]


def test_bulk_reading_asks_for_lines_only_where_they_are_wanted(crm: Fxiaoke, orders: EntityPartner) -> None:
    crm.put("SalesOrderObj", number__c="SO-1")
    assert list(orders.scan("orders", ["ordered__c"])) == [[("SO-1", None)]]
    assert crm.paths() == ["query"]
    assert list(orders.scan("orders", ["lines"])) == [[("SO-1", [])]]


def test_lines_of_an_order_that_is_there_may_come_again_but_not_others(
    crm: Fxiaoke, orders: EntityPartner
) -> None:
    write(orders, "orders.create", {"number__c": "SO-1", "lines": LINES})
    write(orders, "orders.upsert", {"number__c": "SO-1", "ordered__c": date(2026, 3, 3), "lines": LINES})
    with pytest.raises(Unpresentable, match="lines of a record that is there cannot be changed"):
        write(orders, "orders.upsert", {"number__c": "SO-1", "lines": LINES[:1]})
    with pytest.raises(Unpresentable):
        write(
            orders,
            "orders.update",
            {"number__c": "SO-1", "lines": [{**LINES[0], "price": Decimal(1)}, LINES[1]]},
        )
    write(orders, "orders.update", {"number__c": "SO-1", "ordered__c": None})
    (order,) = orders.fetch("orders").records
    assert (order.values["ordered__c"], order.values["lines"]) == (None, LINES)


def test_an_order_in_doubt_is_found_with_its_lines(crm: Fxiaoke, orders: EntityPartner) -> None:
    crm.goes_wrong(CUT, when="/create", after=True)
    with pytest.raises(InDoubt):
        write(orders, "orders.create", {"number__c": "SO-1", "lines": LINES})
    assert orders.backend.find(document("orders.create", {"number__c": "SO-1", "lines": LINES})) is True
    assert orders.backend.find(document("orders.create", {"number__c": "SO-1", "lines": LINES[:1]})) is None


def test_an_order_with_a_wrong_line_is_not_made(crm: Fxiaoke, orders: EntityPartner, making: Making) -> None:
    wrong = making(crm, ORDERS.replace("product_price", "list_price"))
    with pytest.raises(Refused, match="there is no field list_price"):
        write(wrong, "orders.create", {"number__c": "SO-1", "lines": LINES})
    assert (crm.rows("SalesOrderObj"), crm.rows("SalesOrderProductObj")) == ({}, {})


def test_where_lines_stand_must_be_said(crm: Fxiaoke, making: Making) -> None:
    with pytest.raises(
        SettingsError, match=r"(?s)rows names no field.*say which in entities\.orders\.details"
    ):
        making(crm, ORDERS.replace("lines = { object", "rows = { object"))
    with pytest.raises(SettingsError, match=r"details\.lines\.by must be given"):
        making(crm, ORDERS.replace('by = "order_id", ', ""))
