"""Requests of the shipped contracts as handlers get them, made by hand, and a stand-in for the host's `call`.

A plain module: the tests get it as the fixture `erp`, the scripts they start import it.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from bridge.erp.customers import find_customers, get_customer, upsert_customer
from bridge.erp.inventory import (
    count_stock,
    get_reservation,
    get_stock,
    list_stock_movements,
    release_stock,
    reserve_stock,
    update_stock,
)
from bridge.erp.purchasing import (
    cancel_purchase_order,
    change_purchase_order,
    create_purchase_order,
    get_purchase_order,
    list_purchase_orders,
    receive_goods,
)
from bridge.erp.shipped import Rules
from bridge.erp.suppliers import get_supplier, upsert_supplier
from bridge.store import Session, Store, Transaction

_serial = itertools.count(1)
ANY_WAREHOUSE = Rules()


class Given(SimpleNamespace):
    """A decoded value: what was not given is None."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)


class Fault(Exception):
    """A declared fault, as the host would raise it."""

    def __init__(self, name: str, fields: Mapping[str, Any]) -> None:
        super().__init__(name, fields)
        self.name = name
        self.fields = fields


class Call:
    """What a handler's second argument has."""

    def __init__(
        self,
        transaction: Transaction,
        *,
        partner: str | None = None,
        now: datetime | None = None,
        own_only: bool = False,
    ) -> None:
        self._transaction = transaction
        self.exchange_id = uuid.uuid4().hex
        self.now = now or datetime.now(UTC)
        self.today = self.now.date()
        self.reference: str | None = None
        self.partner = partner
        self.own_only = own_only

    @property
    def session(self) -> Session:
        return self._transaction.session

    @property
    def reading(self) -> Session:
        return self._transaction.reading

    def fault(self, name: str, /, **fields: Any) -> Exception:
        return Fault(name, fields)


def request_id() -> str:
    return f"test-{uuid.uuid4().hex[:12]}-{next(_serial)}"


# -- purchasing


def order(*lines: tuple[str, str], currency: str = "EUR", **header: Any) -> Given:
    """An order of lines (quantity, unit price)."""
    return Given(
        **{
            "orderDate": date(2026, 3, 2),
            "currency": currency,
            "buyer": Given(code="CO-NB01", name="Buyer", address=None, contact=None),
            "supplier": Given(
                code="SUP-1",
                name="Supplier",
                address=Given(street=["Kai 1", "Hof"], city="Hamburg", country="DE"),
                contact=Given(name="Sales", phone="+49 40 5550"),
            ),
            "shipTo": Given(warehouse="WH-NB1"),
            "note": [Given(value="urgent", language="en")],
            "line": [line(10 * n, quantity, price) for n, (quantity, price) in enumerate(lines, 1)],
            **header,
        }
    )


def line(number: int, quantity: str, price: str, **fields: Any) -> Given:
    return Given(
        lineNumber=number,
        item=Given(sku=f"SKU-{number}", description="A thing"),
        quantity=Given(value=Decimal(quantity), unit="H87"),
        unitPrice=Decimal(price),
        **fields,
    )


def create(
    store: Store,
    wanted: Given,
    *,
    request: str | None = None,
    partner: str | None = None,
    rules: Rules = ANY_WAREHOUSE,
) -> Any:
    given = Given(requestId=request or request_id(), order=wanted)
    return store.run(
        lambda transaction: create_purchase_order(given, Call(transaction, partner=partner), rules)
    )


def get_order(store: Store, *, partner: str | None = None, revision: int | None = None, **by: str) -> Any:
    request = Given(purchaseOrder=Given(**by), revision=revision)
    return store.run(lambda transaction: get_purchase_order(request, Call(transaction, partner=partner)))


def change(store: Store, number: str, revision: int, wanted: Given, *, rules: Rules = ANY_WAREHOUSE) -> Any:
    given = Given(requestId=request_id(), orderNumber=number, revision=revision, order=wanted)
    return store.run(lambda transaction: change_purchase_order(given, Call(transaction), rules))


def cancel(store: Store, number: str, revision: int | None = None, reason: str = "not needed") -> Any:
    given = Given(
        requestId=request_id(),
        orderNumber=number,
        revision=revision,
        reason=Given(value=reason, language="en"),
    )
    return store.run(lambda transaction: cancel_purchase_order(given, Call(transaction)))


def arrived(line_number: int, quantity: str, unit: str = "H87", **more: Any) -> Given:
    """One line of a receipt."""
    return Given(lineNumber=line_number, quantity=Given(value=Decimal(quantity), unit=unit), **more)


def receive(
    store: Store,
    number: str,
    *lines: Given,
    rules: Rules = ANY_WAREHOUSE,
    request: str | None = None,
    **header: Any,
) -> Any:
    given = Given(requestId=request or request_id(), orderNumber=number, line=list(lines), **header)
    return store.run(lambda transaction: receive_goods(given, Call(transaction), rules))


def orders(store: Store, **wanted: Any) -> Any:
    """A page of the list."""
    given = Given(**{"state": [], **wanted})
    return store.run(lambda transaction: list_purchase_orders(given, Call(transaction)))


# -- suppliers


def supplier(code: str = "SUP-1", **fields: Any) -> Given:
    return Given(**{"code": code, "name": "Supplier", "otherName": [], "contact": [], **fields})


def upsert(store: Store, wanted: Given, revision: int | None = None) -> Any:
    given = Given(requestId=request_id(), supplier=wanted, revision=revision)
    return store.run(lambda transaction: upsert_supplier(given, Call(transaction)))


def read_supplier(store: Store, code: str) -> Any:
    return store.run(lambda transaction: get_supplier(Given(code=code), Call(transaction)))


# -- inventory


def receipt(sku: str, warehouse: str, quantity: str, **more: Any) -> Given:
    return _movement(
        sku,
        quantity,
        receipt=Given(warehouse=warehouse, reason="purchase", orderNumber=more.pop("order", None)),
        **more,
    )


def issue(sku: str, warehouse: str, quantity: str, *, reservation: str | None = None, **more: Any) -> Given:
    what = Given(warehouse=warehouse, reason="sale", reservationNumber=reservation)
    return _movement(sku, quantity, issue=what, **more)


def adjustment(sku: str, warehouse: str, direction: str, quantity: str) -> Given:
    what = Given(warehouse=warehouse, direction=direction, reason="count")
    return _movement(sku, quantity, adjustment=what)


def transfer(sku: str, source: str, target: str, quantity: str) -> Given:
    return _movement(sku, quantity, transfer=Given(fromWarehouse=source, toWarehouse=target))


def _movement(sku: str, quantity: str, unit: str = "H87", **kind: Any) -> Given:
    return Given(sku=sku, quantity=Given(value=Decimal(quantity), unit=unit), **kind)


def update(
    store: Store,
    *movements: Given,
    request: str | None = None,
    rules: Rules = ANY_WAREHOUSE,
    partner: str | None = None,
    now: datetime | None = None,
    **header: Any,
) -> Any:
    given = Given(requestId=request or request_id(), movement=list(movements), **header)
    return store.run(
        lambda transaction: update_stock(given, Call(transaction, partner=partner, now=now), rules)
    )


def stock(
    store: Store, *skus: str, warehouses: tuple[str, ...] = (), now: datetime | None = None
) -> dict[tuple[str, str], Decimal]:
    """What is on hand, by (sku, warehouse)."""
    return {
        place: figures[0] for place, figures in levels(store, *skus, warehouses=warehouses, now=now).items()
    }


def levels(
    store: Store, *skus: str, warehouses: tuple[str, ...] = (), now: datetime | None = None
) -> dict[tuple[str, str], tuple[Decimal, Decimal, Decimal]]:
    """(on hand, reserved, available) by (sku, warehouse)."""
    request = Given(sku=list(skus), warehouse=list(warehouses))
    reply = store.run(lambda transaction: get_stock(request, Call(transaction, now=now)))
    return {
        (level["sku"], level["warehouse"]): (
            level["onHand"]["value"],
            level["reserved"]["value"],
            level["available"]["value"],
        )
        for level in reply["stock"]
    }


def wanted(number: int, sku: str, warehouse: str, quantity: str, unit: str = "H87") -> Given:
    """A line to reserve."""
    return Given(
        lineNumber=number, sku=sku, warehouse=warehouse, quantity=Given(value=Decimal(quantity), unit=unit)
    )


def reserve(
    store: Store,
    *lines: Given,
    request: str | None = None,
    rules: Rules = ANY_WAREHOUSE,
    partner: str | None = None,
    now: datetime | None = None,
    **header: Any,
) -> Any:
    given = Given(
        requestId=request or request_id(), **{"reference": "SO-1001", "line": list(lines), **header}
    )
    return store.run(
        lambda transaction: reserve_stock(given, Call(transaction, partner=partner, now=now), rules)
    )


def release(
    store: Store,
    number: str,
    *lines: tuple[int, str | None],
    request: str | None = None,
    unit: str = "H87",
    now: datetime | None = None,
    **header: Any,
) -> Any:
    """Give back lines (number, quantity; None for all of it), or the whole reservation."""
    given = Given(
        requestId=request or request_id(),
        reservationNumber=number,
        reason="cancelled",
        line=[
            Given(lineNumber=line, quantity=part and Given(value=Decimal(part), unit=unit))
            for line, part in lines
        ],
        **header,
    )
    return store.run(lambda transaction: release_stock(given, Call(transaction, now=now)))


def reservation(store: Store, *, partner: str | None = None, now: datetime | None = None, **by: str) -> Any:
    request = Given(reservation=Given(**by))
    return store.run(
        lambda transaction: get_reservation(request, Call(transaction, partner=partner, now=now))
    )


def counted(sku: str, warehouse: str, quantity: str, unit: str = "H87", **more: Any) -> Given:
    """A line of a count."""
    return Given(sku=sku, warehouse=warehouse, counted=Given(value=Decimal(quantity), unit=unit), **more)


def count(
    store: Store,
    *lines: Given,
    request: str | None = None,
    rules: Rules = ANY_WAREHOUSE,
    now: datetime | None = None,
    **header: Any,
) -> Any:
    given = Given(requestId=request or request_id(), line=list(lines), **header)
    return store.run(lambda transaction: count_stock(given, Call(transaction, now=now), rules))


def movements(store: Store, **filters: Any) -> Any:
    """One page."""
    request = Given(**filters)
    return store.run(lambda transaction: list_stock_movements(request, Call(transaction)))


def all_movements(store: Store, **filters: Any) -> list[dict[str, Any]]:
    """Every page, one after the other."""
    listed: list[dict[str, Any]] = []
    page = movements(store, **filters)
    while True:
        listed += page["movement"]
        if "nextPage" not in page:
            return listed
        page = movements(store, **filters, pageToken=page["nextPage"])


# -- customers


def customer(code: str = "CUST-1", name: str = "Nordwind Maschinenbau GmbH", **fields: Any) -> Given:
    empty: dict[str, Any] = {"otherName": [], "address": [], "contact": []}
    return Given(**{"code": code, "name": name, "country": "DE", **empty, **fields})


def upsert_one(
    store: Store, wanted: Given, *accepted: str, revision: int | None = None, now: datetime | None = None
) -> Any:
    """UpsertCustomer; `accepted` are the codes that somebody has looked at."""
    given = Given(requestId=request_id(), customer=wanted, revision=revision, acceptDuplicates=list(accepted))
    return store.run(lambda transaction: upsert_customer(given, Call(transaction, now=now)))


def read_customer(store: Store, code: str) -> Any:
    return store.run(lambda transaction: get_customer(Given(code=code), Call(transaction)))


def found_customers(store: Store, **wanted: Any) -> Any:
    """A page of FindCustomers."""
    return store.run(lambda transaction: find_customers(Given(**wanted), Call(transaction)))
