"""The shipped ERP asked by envelopes: requests and replies are those of the contracts, validated both ways."""

from __future__ import annotations

import itertools
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from lxml import etree
from sqlalchemy import text

from bridge import shipped
from bridge.app import Bridge
from bridge.cli.bridges import apply_shipped_rules, shipped_bridge
from bridge.contract import load
from bridge.settings import Erp, Partner, Settings
from bridge.settings import Store as StoreSettings
from bridge.store import Store
from bridge.testing import Answer, ask

EVENTS = load(shipped.contracts("crm")["events"])
_requests = itertools.count(1)


class Told(NamedTuple):
    operation: str
    ordering_key: str
    event: Any
    """The document that will leave, decoded."""


class Refusal(NamedTuple):
    """A declared fault."""

    name: str
    detail: etree._Element

    def texts(self, element: str) -> list[str]:
        """Of every element with this local name."""
        return [found.text or "" for found in self.detail.iter(f"{{*}}{element}")]


class Desk:
    """Somebody who asks the shipped ERP."""

    def __init__(self, url: str, *, told: bool = False, settings: Settings | None = None) -> None:
        crm = {"crm": Partner(wsdl="events", endpoint="http://127.0.0.1:9/")}
        self.bridge: Bridge = shipped_bridge(
            settings
            or Settings(
                store=StoreSettings(url=url),
                erp=Erp(events_to="crm" if told else ""),
                partners=crm if told else {},
            )
        )
        apply_shipped_rules(self.bridge)

    @property
    def store(self) -> Store:
        assert self.bridge.store is not None
        return self.bridge.store

    def ask(self, contract: str, operation: str, values: dict[str, Any]) -> Answer:
        service = self.bridge.services[f"/services/{contract}"]
        element = service.contract.operation(operation).input
        assert element is not None
        if not operation.startswith(("Get", "List")):
            values = {"requestId": f"R-{next(_requests)}", **values}
        payload = service.contract.codec.encode(element, values)
        return ask(
            self.bridge,
            f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{payload}</s:Body></s:Envelope>'.encode(),
        )

    def do(self, contract: str, operation: str, **values: Any) -> Any:
        """What is answered, decoded; a fault fails the test."""
        answer = self.ask(contract, operation, values)
        assert answer.fault is None, answer.reply.decode()
        return answer.value

    def refused(self, contract: str, operation: str, **values: Any) -> Refusal:
        """The declared fault that is answered."""
        answer = self.ask(contract, operation, values)
        assert answer.fault_name is not None, answer.reply.decode()
        (detail,) = etree.fromstring(answer.reply).iter("{*}detail")
        return Refusal(answer.fault_name, detail)

    def told(self) -> list[Told]:
        """What was put into the outbox since the last look."""
        with self.store.transaction() as transaction:
            rows = transaction.session.execute(
                text("SELECT operation, ordering_key, payload FROM outbox ORDER BY id")
            ).all()
            transaction.session.execute(text("DELETE FROM outbox"))
        return [Told(one.operation, one.ordering_key, _decoded(one.operation, one.payload)) for one in rows]

    def count(self, query: str) -> int:
        """What a SELECT of one figure gives."""
        with self.store.reading() as session:
            return int(session.execute(text(query)).scalar_one() or 0)

    def close(self) -> None:
        for partner in self.bridge.partners.values():
            partner.close()
        self.store.close()


def _decoded(operation: str, payload: str) -> Any:
    element = EVENTS.operation(operation).input
    assert element is not None
    return EVENTS.codec.decode(element, etree.fromstring(payload))


def pieces(amount: object, unit: str = "H87") -> dict[str, Any]:
    return {"value": Decimal(str(amount)), "unit": unit}


def money(amount: object, currency: str = "EUR") -> dict[str, Any]:
    return {"value": Decimal(str(amount)), "currency": currency}


# -- catalog


def item(sku: str = "BRG-1", **fields: Any) -> dict[str, Any]:
    return {
        "sku": sku,
        "unit": "H87",
        "status": "active",
        "description": [{"value": "Bearing", "language": "en"}],
        **fields,
    }


def price(
    unit_price: object,
    first: str = "2026-01-01",
    until: str | None = None,
    *,
    sku: str = "BRG-1",
    at: object = 1,
    **fields: Any,
) -> dict[str, Any]:
    told = {
        "sku": sku,
        "quantityFrom": pieces(at),
        "validFrom": date.fromisoformat(first),
        "unitPrice": Decimal(str(unit_price)),
        **fields,
    }
    return told if until is None else told | {"validUntil": date.fromisoformat(until)}


def price_list(code: str = "STD", currency: str = "EUR", **fields: Any) -> dict[str, Any]:
    return {"code": code, "currency": currency, **fields}


# -- receivables


def invoice(*lines: tuple[object, object, object], customer: str = "CU-1", **fields: Any) -> dict[str, Any]:
    """An invoice of lines (quantity, unit price, tax rate or None)."""
    return {
        "customer": {"code": customer, "name": "Customer"},
        "invoiceDate": date(2026, 3, 2),
        "currency": "EUR",
        "line": [
            {
                "lineNumber": 10 * number,
                "item": {"sku": f"S-{number}"},
                "quantity": pieces(quantity),
                "unitPrice": Decimal(str(unit_price)),
                **({} if rate is None else {"taxRate": Decimal(str(rate))}),
            }
            for number, (quantity, unit_price, rate) in enumerate(lines, 1)
        ],
        **fields,
    }


def payment(
    amount: object, *, customer: str = "CU-1", currency: str = "EUR", **fields: Any
) -> dict[str, Any]:
    return {
        "customer": customer,
        "amount": money(amount, currency),
        "receivedOn": date(2026, 3, 20),
        **fields,
    }


def to(invoice_number: str, amount: object | None = None) -> dict[str, Any]:
    """An allocation."""
    asked: dict[str, Any] = {"invoiceNumber": invoice_number}
    return asked if amount is None else asked | {"amount": Decimal(str(amount))}
