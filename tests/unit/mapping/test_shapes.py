from __future__ import annotations

from decimal import Decimal

import pytest

from bridge import contract as contracts
from bridge.mapping.shapes import Alternatives, Shape, shape_of
from bridge.shipped import contracts as shipped
from tests.conftest import SAMPLES


@pytest.fixture(scope="module")
def order() -> Shape:
    contract = contracts.load(shipped()["purchasing"])
    return shape_of(contract, contract.operations["CreatePurchaseOrder"])


def test_a_message_has_the_fields_that_handlers_get(order: Shape) -> None:
    assert list(order.fields) == ["requestId", "order"]
    sku = order.find("order/line/item/sku")
    assert sku is not None
    assert (sku.kind, sku.required, sku.repeats, sku.longest) == ("text", True, False, 40)
    assert sku.documentation["zh"]
    line = order.find("order/line")
    assert line is not None
    assert (line.kind, line.required, line.repeats) == ("object", True, True)
    assert order.find("order/line/item/colour") is None
    assert order.find("order/orderDate/day") is None


def test_limits_and_enumerations_are_those_of_the_schema(order: Shape) -> None:
    quantity = order.find("order/line/quantity/value")
    unit = order.find("order/line/quantity/unit")
    days = order.find("order/paymentTerms/netDays")
    assert quantity is not None
    assert unit is not None
    assert days is not None
    assert (quantity.kind, quantity.fraction) == ("decimal", 6)
    assert "KGM" in unit.one_of
    assert (days.kind, days.least) == ("integer", Decimal(0))


def test_a_choice_says_what_goes_together(order: Shape) -> None:
    ship_to = order.find("order/shipTo")
    assert ship_to is not None
    assert ship_to.shape is not None
    assert ship_to.shape.choices == (Alternatives((("warehouse",), ("address",)), needed=True),)
    assert not ship_to.shape.fields["warehouse"].required


def test_a_type_that_holds_itself_is_read_as_far_as_it_is_asked_for() -> None:
    contract = contracts.load(SAMPLES.parent / "tests/contracts/recursion.wsdl")
    operation = next(iter(contract.operations.values()))
    shape = shape_of(contract, operation)
    inner = next(field for field in shape.fields.values() if field.shape is not None)
    for _ in range(5):
        assert inner.shape is not None
        inner = next((field for field in inner.shape.fields.values() if field.shape is not None), inner)
