"""zeep, knowing nothing but ?wsdl, does business over both ports."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import zeep
from zeep.transports import Transport

from tests.acceptance.shipped_erp import FAULTS, VIOLATIONS, ErpProcess


@pytest.fixture(scope="module")
def transport() -> Iterator[Transport]:
    made = Transport(timeout=20, operation_timeout=20)
    yield made
    made.session.close()


@pytest.fixture(scope="module")
def contracts(erp: ErpProcess, transport: Transport) -> dict[str, zeep.Client]:
    return {
        name: zeep.Client(f"{erp.url(name)}?wsdl", transport=transport)
        for name in ("purchasing", "inventory")
    }


@pytest.fixture(params=["Soap11", "Soap12"])
def port(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def purchasing(contracts: dict[str, zeep.Client], port: str) -> Any:
    return contracts["purchasing"].bind("Purchasing", f"Purchasing{port}")


@pytest.fixture
def inventory(contracts: dict[str, zeep.Client], port: str) -> Any:
    return contracts["inventory"].bind("Inventory", f"Inventory{port}")


@pytest.fixture
def own() -> str:
    """A text that no other test uses, fit for a requestId and for a sku."""
    return f"Z-{uuid.uuid4().hex[:12].upper()}"


def order(**more: Any) -> dict[str, Any]:
    return {
        "orderDate": datetime.date(2026, 3, 2),
        "currency": "EUR",
        "buyer": {"code": "CO-NB01", "name": "青禾样例进出口有限公司"},
        "supplier": {"code": "SUP-20417", "name": "Musterhafen Antriebe GmbH"},
        "shipTo": {"warehouse": "WH-NB1"},
        "note": [{"_value_1": "Rückfragen & <Wünsche>", "language": "de"}],
        "line": [line(10, "BRG-6204-2RS", "2.5", "1.86"), line(20, "MTR-AC-400W", "3", "128.405")],
    } | more


def line(number: int, sku: str, quantity: str, price: str) -> dict[str, Any]:
    return {
        "lineNumber": number,
        "item": {"sku": sku},
        "quantity": {"_value_1": Decimal(quantity), "unit": "H87"},
        "unitPrice": Decimal(price),
    }


def test_an_order_is_placed_and_read_back_as_it_was_sent(purchasing: Any, own: str) -> None:
    placed = purchasing.CreatePurchaseOrder(requestId=own, order=order())
    assert placed.total._value_1 == Decimal("389.87")  # 4.65 + 385.215, each rounded half up
    assert placed.total.currency == "EUR"
    assert placed.createdAt.tzinfo is not None

    for reference in ({"requestId": own}, {"orderNumber": placed.orderNumber}):
        read = purchasing.GetPurchaseOrder(purchaseOrder=reference)
        assert read.orderNumber == placed.orderNumber
        assert read.order.buyer.name == "青禾样例进出口有限公司"
        assert read.order.note[0]._value_1 == "Rückfragen & <Wünsche>"
        assert [one.item.sku for one in read.order.line] == ["BRG-6204-2RS", "MTR-AC-400W"]
        assert [one.quantity._value_1 for one in read.order.line] == [Decimal("2.5"), Decimal(3)]
        assert read.order.line[1].unitPrice == Decimal("128.405")
        assert read.order.orderDate == datetime.date(2026, 3, 2)
        assert read.order.deliveryTerms is None


def test_the_same_request_again_gets_its_first_answer_and_another_content_is_a_declared_fault(
    purchasing: Any, own: str
) -> None:
    first = purchasing.CreatePurchaseOrder(requestId=own, order=order())
    assert purchasing.CreatePurchaseOrder(requestId=own, order=order()) == first
    with pytest.raises(zeep.exceptions.Fault) as refused:
        purchasing.CreatePurchaseOrder(requestId=own, order=order(currency="USD"))
    assert detail(refused, f"{{{FAULTS}}}KeyReused/{{{FAULTS}}}requestId") == own


def test_stock_is_received_moved_and_told(inventory: Any, own: str) -> None:
    def movement(quantity: str, **kind: Any) -> dict[str, Any]:
        return {"sku": own, "quantity": {"_value_1": Decimal(quantity), "unit": "KGM"}} | kind

    posted = inventory.UpdateStock(
        requestId=own,
        movement=[
            movement("10.125", receipt={"warehouse": "WH-NB1", "reason": "purchase"}),
            movement("0.025", issue={"warehouse": "WH-NB1", "reason": "sample"}),
            movement("4", transfer={"fromWarehouse": "WH-NB1", "toWarehouse": "WH-HAM"}),
            movement("0.1", adjustment={"warehouse": "WH-HAM", "direction": "decrease", "reason": "damage"}),
        ],
    )
    assert posted.movementCount == 4
    told = {one.warehouse: one for one in inventory.GetStock(sku=[own]).stock}
    assert {name: one.onHand._value_1 for name, one in told.items()} == {
        "WH-NB1": Decimal("6.1"),
        "WH-HAM": Decimal("3.9"),
    }
    assert {one.available.unit for one in told.values()} == {"KGM"}


def test_a_declared_fault_comes_with_its_detail(purchasing: Any, inventory: Any, own: str) -> None:
    with pytest.raises(zeep.exceptions.Fault) as refused:
        purchasing.GetPurchaseOrder(purchaseOrder={"requestId": own})
    assert detail(refused, f"{{{FAULTS}}}NotFound//{{{FAULTS}}}identifier") == own
    assert "exist" in refused.value.message

    receipt = {
        "sku": own,
        "quantity": {"_value_1": 1, "unit": "H87"},
        "receipt": {"warehouse": "WH-NB1", "reason": "opening"},
    }
    inventory.UpdateStock(requestId=own, movement=[receipt])
    issue = {
        "sku": own,
        "quantity": {"_value_1": 5, "unit": "H87"},
        "issue": {"warehouse": "WH-NB1", "reason": "sale"},
    }
    with pytest.raises(zeep.exceptions.Fault) as refused:
        inventory.UpdateStock(requestId=f"{own}-2", movement=[issue])
    assert detail(refused, f"{{{FAULTS}}}InsufficientStock//{{{FAULTS}}}sku") == own
    assert inventory.GetStock(sku=[own]).stock[0].onHand._value_1 == 1


def test_a_bad_order_is_told_every_violation(purchasing: Any, own: str) -> None:
    bad = order(currency="euro", line=[line(10, "no such form", "0", "1"), line(20, "A", "1", "-1")])
    with pytest.raises(zeep.exceptions.Fault) as refused:
        purchasing.CreatePurchaseOrder(requestId=own, order=bad)
    told = [path.text for path in refused.value.detail.iter(f"{{{VIOLATIONS}}}path")]
    assert told == [
        "/CreatePurchaseOrder/order/currency",
        "/CreatePurchaseOrder/order/line[1]/item/sku",
        "/CreatePurchaseOrder/order/line[1]/quantity",
        "/CreatePurchaseOrder/order/line[2]/unitPrice",
    ]
    with pytest.raises(zeep.exceptions.Fault):  # and nothing of it was kept
        purchasing.GetPurchaseOrder(purchaseOrder={"requestId": own})


def detail(refused: pytest.ExceptionInfo[zeep.exceptions.Fault], path: str) -> str | None:
    """Text at a path below the fault's detail."""
    found = refused.value.detail.find(f"./{path}")
    return None if found is None else found.text
