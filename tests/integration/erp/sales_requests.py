"""Requests of the contract sales as handlers get them, made by hand. A plain module: the tests get it as the fixture `sales`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from erp_requests import Call, Fault, Given, request_id

from bridge.erp import sales
from bridge.erp.shipped import Rules
from bridge.store import Store

__all__ = ["Fault", "Given"]

EVERY_MODULE = ("purchasing", "inventory", "suppliers", "customers", "catalog", "sales", "receivables")
ALONE = Rules(modules=("sales",))


def order(
    *lines: tuple[str, str | None], currency: str = "EUR", customer: str = "CUS-1", **header: Any
) -> Given:
    """An order of lines (quantity, unit price or None)."""
    return Given(
        **{
            "orderDate": date(2026, 3, 2),
            "currency": currency,
            "customer": Given(code=customer, name="Customer Ltd"),
            "note": [Given(value="urgent", language="en")],
            "line": [line(10 * n, quantity, price) for n, (quantity, price) in enumerate(lines, 1)],
            **header,
        }
    )


def line(number: int, quantity: str, price: str | None, **fields: Any) -> Given:
    return Given(
        **{
            "lineNumber": number,
            "item": Given(sku=f"SKU-{number}", description="A thing"),
            "quantity": Given(value=Decimal(quantity), unit="H87"),
            "unitPrice": None if price is None else Decimal(price),
            **fields,
        }
    )


def sent_again(value: Any) -> Any:
    """What was read, as it is sent."""
    if isinstance(value, dict):
        return Given(**{name: sent_again(part) for name, part in value.items()})
    return [sent_again(part) for part in value] if isinstance(value, list) else value


def _ask(store: Store, handler: Callable[..., Any], *rest: Any, **given: Any) -> Any:
    partner, now = given.pop("partner", None), given.pop("now", None)
    own_only = given.pop("own_only", False)
    request = Given(**given)

    def work(transaction: Any) -> Any:
        return handler(request, Call(transaction, partner=partner, now=now, own_only=own_only), *rest)

    return store.run(work)


def create(
    store: Store, wanted: Given, *, rules: Rules = ALONE, request: str | None = None, **more: Any
) -> Any:
    return _ask(
        store, sales.create_sales_order, rules, requestId=request or request_id(), order=wanted, **more
    )


def get(
    store: Store,
    *,
    revision: int | None = None,
    partner: str | None = None,
    own_only: bool = False,
    **by: str,
) -> Any:
    return _ask(
        store,
        sales.get_sales_order,
        salesOrder=Given(**by),
        revision=revision,
        partner=partner,
        own_only=own_only,
    )


def change(
    store: Store,
    number: str,
    revision: int,
    wanted: Given,
    *,
    rules: Rules = ALONE,
    now: datetime | None = None,
) -> Any:
    return _ask(
        store,
        sales.change_sales_order,
        rules,
        requestId=request_id(),
        orderNumber=number,
        revision=revision,
        order=wanted,
        now=now,
    )


def cancel(store: Store, number: str, revision: int | None = None) -> Any:
    reason = Given(value="not needed", language="en")
    return _ask(store, sales.cancel_sales_order, orderNumber=number, revision=revision, reason=reason)


def complete(store: Store, number: str, revision: int | None = None) -> Any:
    return _ask(store, sales.complete_sales_order, orderNumber=number, revision=revision)


def decide(
    store: Store,
    number: str,
    outcome: str = "approved",
    *,
    revision: int = 1,
    rules: Rules = ALONE,
    partner: str | None = None,
) -> Any:
    return _ask(
        store,
        sales.decide_sales_order,
        rules,
        orderNumber=number,
        revision=revision,
        outcome=outcome,
        person="Chen Wei",
        reason=Given(value="knows them well", language="en"),
        partner=partner,
    )


def back(
    store: Store,
    number: str,
    *lines: tuple[int, str],
    rules: Rules = ALONE,
    request: str | None = None,
    unit: str = "H87",
    **header: Any,
) -> Any:
    """ReturnGoods of lines (number, quantity)."""
    return _ask(
        store,
        sales.return_goods,
        rules,
        requestId=request or request_id(),
        orderNumber=number,
        reason=Given(value="broken", language="en"),
        line=[
            Given(lineNumber=one, quantity=Given(value=Decimal(amount), unit=unit)) for one, amount in lines
        ],
        **header,
    )


def orders(store: Store, **wanted: Any) -> Any:
    """A page of ListOpenOrders."""
    return _ask(store, sales.list_open_orders, **{"state": [], **wanted})


def approvals(store: Store, **wanted: Any) -> Any:
    """A page of ListApprovals."""
    return _ask(store, sales.list_approvals, **wanted)
