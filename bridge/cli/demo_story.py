"""What happens in `soapbridge demo`, told once: orders from the CRM, goods at the ERP, events back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from bridge import contract as contracts
from bridge.errors import InDoubt, Refused
from bridge.mock import Mock
from bridge.partners.soap import SoapPartner
from bridge.shipped import contracts as shipped

WAREHOUSE = "WH-NB1"
SUPPLIER = "SUP-DEMO"
IN = "CRM → ERP"
OUT = "ERP → CRM"

Deed = Callable[[], tuple[str, bool]]


class Story:
    """One run. `tell(way, operation, what, deed=…)` does each step and writes down what became of it.

    Args:
        urls: of the bridge's services, by name.
        crm: the mock that the ERP's events are told to.
    """

    def __init__(self, urls: dict[str, str], crm: Mock, tell: Callable[..., None]) -> None:
        erp = shipped("erp")
        self.erp = {name: SoapPartner(erp[name], endpoint=url) for name, url in urls.items()}
        self.crm_mock = crm
        self.crm = SoapPartner(shipped("crm")["events"], endpoint=crm.url, deadline=5.0)
        self.tell = tell
        self.violations: list[tuple[str, str]] = []
        self.order_number = ""
        self.state = ""
        self.available = Decimal(0)
        self.received: list[str] = []

    def close(self) -> None:
        for partner in (*self.erp.values(), self.crm):
            partner.close()

    def run(self) -> None:
        """Everything, in order."""
        self.tell(IN, "UpsertSupplier", SUPPLIER, deed=self._supplier)
        self.tell(IN, "CreatePurchaseOrder", "2 lines", deed=self._order)
        self.tell(IN, "CreatePurchaseOrder", "the same, sent again", deed=self._order_again)
        self.tell(IN, "CreatePurchaseOrder", "with three mistakes", deed=self._wrong_order)
        self.tell(IN, "ReceiveGoods", "the first line", deed=lambda: self._receive("demo-gr-1", 10, 120))
        self.tell(OUT, "GoodsReceived", "to the CRM", deed=self._tell_goods)
        self.tell(OUT, "GoodsReceived", "the same event again", deed=self._tell_goods)
        self.tell(IN, "ReceiveGoods", "the second line", deed=lambda: self._receive("demo-gr-2", 20, 60))
        self.tell(IN, "CancelPurchaseOrder", "too late", deed=self._cancel)
        self.tell(IN, "GetStock", "what is there now", deed=self._stock)
        self.tell(IN, "ReserveStock", "more than is there", deed=self._reserve)
        self.tell(OUT, "StockLevelChanged", "a CRM that answers too late", deed=self._tell_stock)

    @property
    def consistent(self) -> bool:
        """Whether the figures at the end are those that the steps add up to."""
        return self.state == "received" and self.available == 120 and len(set(self.received)) == 2

    @property
    def summary(self) -> str:
        events = len(self.crm_mock.received)
        return (
            f"Order {self.order_number} is {self.state}; {self.available} pieces of DEMO-A are available in {WAREHOUSE}. "
            f"The CRM got {events} messages."
        )

    # The ERP is called

    def _supplier(self) -> tuple[str, bool]:
        supplier = {"code": SUPPLIER, "name": "Demonstration Supplies Ltd"}
        self.erp["suppliers"].call("UpsertSupplier", {"requestId": "demo-sup-1", "supplier": supplier})
        return "stored", True

    def _order(self) -> tuple[str, bool]:
        made = self.erp["purchasing"].call("CreatePurchaseOrder", _order_request())
        self.order_number, self.state = made.orderNumber, made.state
        return f"{made.orderNumber}, {made.total.value} {made.total.currency}", True

    def _order_again(self) -> tuple[str, bool]:
        made = self.erp["purchasing"].call("CreatePurchaseOrder", _order_request())
        same: bool = made.orderNumber == self.order_number
        return (
            f"{made.orderNumber}: {'its first answer, no second order' if same else 'a second order'}",
            same,
        )

    def _wrong_order(self) -> tuple[str, bool]:
        """As a careless client sends it. A partner of ours would refuse to, so it goes by plain HTTP."""
        import requests
        from lxml import etree

        from bridge.soap.envelope import seal

        contract = contracts.load(shipped("erp")["purchasing"])
        element = contract.operation("CreatePurchaseOrder").input
        assert element is not None
        payload = contract.codec.encode(element, _order_request("demo-po-2"))
        for right, wrong in ((">EUR<", ">Euro<"), (">120<", ">-120<"), ("2027-03-01", "01.03.2027")):
            payload = payload.replace(right, wrong, 1)
        answer = requests.post(
            self.erp["purchasing"].target.address,
            data=seal("1.1", payload, ""),
            headers={"Content-Type": "text/xml; charset=utf-8"},
            timeout=20,
        )
        found = etree.fromstring(answer.content).iter("{urn:soapbridge:violations:1}violation")
        self.violations = [(one.findtext("{*}path") or "", one.findtext("{*}message") or "") for one in found]
        return f"refused, {len(self.violations)} violations listed", len(self.violations) == 3

    def _receive(self, request_id: str, line: int, quantity: int) -> tuple[str, bool]:
        arrived = {"lineNumber": line, "quantity": {"value": quantity, "unit": "H87"}}
        got = self.erp["purchasing"].call(
            "ReceiveGoods", {"requestId": request_id, "orderNumber": self.order_number, "line": [arrived]}
        )
        self.state = got.state
        self.received.append(got.documentNumber)
        return f"{got.documentNumber}, the order is {got.state}", True

    def _cancel(self) -> tuple[str, bool]:
        request = {
            "requestId": "demo-can-1",
            "orderNumber": self.order_number,
            "reason": {"value": "No longer needed"},
        }
        try:
            self.erp["purchasing"].call("CancelPurchaseOrder", request)
        except Refused as error:
            return f"declared fault {error.name}: nothing was done", error.name == "InvalidState"
        return "cancelled", False

    def _stock(self) -> tuple[str, bool]:
        (found,) = self.erp["inventory"].call("GetStock", {"sku": ["DEMO-A"], "warehouse": [WAREHOUSE]}).stock
        self.available = found.available.value
        return f"DEMO-A: {found.onHand.value} on hand, {found.available.value} available", True

    def _reserve(self) -> tuple[str, bool]:
        wanted = {
            "lineNumber": 1,
            "sku": "DEMO-A",
            "warehouse": WAREHOUSE,
            "quantity": {"value": 500, "unit": "H87"},
        }
        request = {"requestId": "demo-rs-1", "reference": "SO-1", "line": [wanted]}
        try:
            self.erp["inventory"].call("ReserveStock", request)
        except Refused as error:
            return f"declared fault {error.name}: nothing was reserved", error.name == "InsufficientStock"
        return "reserved", False

    # The CRM is told

    def _tell_goods(self) -> tuple[str, bool]:
        event = {
            "eventId": f"goods-received:{self.received[0]}",
            "occurredAt": datetime(2027, 3, 1, 8, tzinfo=UTC),
            "sequence": 1,
            "orderNumber": self.order_number,
            "orderState": "partiallyReceived",
            "documentNumber": self.received[0],
            "postingDate": date(2027, 3, 1),
            "warehouse": WAREHOUSE,
            "line": [
                {
                    "lineNumber": 10,
                    "sku": "DEMO-A",
                    "quantity": {"value": 120, "unit": "H87"},
                    "received": {"value": 120, "unit": "H87"},
                }
            ],
        }
        again = sum(one.operation == "GoodsReceived" for one in self.crm_mock.received) > 0
        answer = {"eventId": event["eventId"], "outcome": "alreadyKnown" if again else "accepted"}
        self.crm_mock.expect("GoodsReceived").then_reply(answer)
        got = self.crm.call("GoodsReceived", event)
        return f"the CRM says {got.outcome}", got.outcome == answer["outcome"]

    def _tell_stock(self) -> tuple[str, bool]:
        level = {"value": self.available, "unit": "H87"}
        event = {
            "eventId": "stock-level:demo:1",
            "occurredAt": datetime(2027, 3, 1, 9, tzinfo=UTC),
            "sequence": 1,
            "sku": "DEMO-A",
            "warehouse": WAREHOUSE,
            "onHand": level,
            "reserved": {"value": 0, "unit": "H87"},
            "available": level,
        }
        self.crm_mock.expect("StockLevelChanged").times_out()
        try:
            self.crm.call("StockLevelChanged", event, deadline=0.5)
        except InDoubt:
            return "in doubt: taken in or not, nobody knows yet", True
        return "delivered", False


def _order_request(request_id: str = "demo-po-1") -> dict[str, Any]:
    def line(number: int, sku: str, quantity: int, price: str) -> dict[str, Any]:
        return {
            "lineNumber": number,
            "item": {"sku": sku},
            "quantity": {"value": quantity, "unit": "H87"},
            "unitPrice": Decimal(price),
        }

    return {
        "requestId": request_id,
        "order": {
            "orderDate": date(2027, 2, 15),
            "currency": "EUR",
            "buyer": {"code": "CO-DEMO", "name": "Demonstration Exports"},
            "supplier": {"code": SUPPLIER, "name": "Demonstration Supplies Ltd"},
            "shipTo": {"warehouse": WAREHOUSE},
            "requestedDelivery": date(2027, 3, 1),
            "line": [line(10, "DEMO-A", 120, "4.50"), line(20, "DEMO-B", 60, "12.25")],
        },
    }
