"""What happens in `soapbridge demo`, told once: orders from the CRM, goods at the ERP, events back."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from bridge import contract as contracts
from bridge.errors import Refused
from bridge.mock import Mock, Received
from bridge.partners.soap import SoapPartner
from bridge.shipped import contracts as shipped

WAREHOUSE = "WH-NB1"
SUPPLIER = "SUP-DEMO"
IN = "CRM → ERP"
OUT = "ERP → CRM"

_WAIT = 20.0
"""Seconds after which an event that has not come is missing."""

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
        self.tell = tell
        self.violations: list[tuple[str, str]] = []
        self.order_number = ""
        self.state = ""
        self.available = Decimal(0)
        self.received: list[str] = []

    def close(self) -> None:
        for partner in self.erp.values():
            partner.close()

    def run(self) -> None:
        """Everything, in order."""
        self.tell(IN, "UpsertSupplier", SUPPLIER, deed=self._supplier)
        self.tell(IN, "CreatePurchaseOrder", "2 lines", deed=self._order)
        self.tell(IN, "CreatePurchaseOrder", "the same, sent again", deed=self._order_again)
        self.tell(IN, "CreatePurchaseOrder", "with three mistakes", deed=self._wrong_order)
        self.crm_mock.expect("StockLevelChanged").times_out()
        self.tell(IN, "ReceiveGoods", "the first line", deed=lambda: self._receive("demo-gr-1", 10, 120))
        self.tell(OUT, "GoodsReceived", "by itself", deed=lambda: self._told("GoodsReceived"))
        self.tell(IN, "ReceiveGoods", "the second line", deed=lambda: self._receive("demo-gr-2", 20, 60))
        self.tell(IN, "CancelPurchaseOrder", "too late", deed=self._cancel)
        self.tell(IN, "GetStock", "what is there now", deed=self._stock)
        self.tell(IN, "ReserveStock", "more than is there", deed=self._reserve)
        self.tell(OUT, "GoodsReceived", "by itself", deed=lambda: self._told("GoodsReceived", 2))
        states = "PurchaseOrderStatusChanged"
        self.tell(OUT, states, "open, partly received, received", deed=lambda: self._told(states, 3))
        self.tell(OUT, "StockLevelChanged", "to a CRM that answers too late", deed=self._told_late)

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

    # The CRM is told, by the bridge itself

    def _told(self, operation: str, times: int = 1) -> tuple[str, bool]:
        """Waits until the CRM has got that many of these events."""
        got = self._events(operation, times)
        return f"the CRM has {len(got)}", len(got) == times

    def _told_late(self) -> tuple[str, bool]:
        """The first of these was taken in and never answered."""
        again = self._events("StockLevelChanged", 3)[:3]
        first = again[0] if again else None
        same = [one for one in again if first is not None and one.value.eventId == first.value.eventId]
        ids = {one.header("Idempotency-Key") for one in same}
        well = len(again) == 3 and len(same) == 2 and len(ids) == 1
        return "in doubt, and sent again under the same id" if well else f"it got {len(again)} of 3", well

    def _events(self, operation: str, times: int) -> list[Received]:
        until = time.monotonic() + _WAIT
        while True:
            got = [one for one in self.crm_mock.received if one.operation == operation]
            if len(got) >= times or time.monotonic() >= until:
                return got
            time.sleep(0.02)


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
