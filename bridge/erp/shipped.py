"""The shipped ERP as one thing: its handlers bound to the services of its contracts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

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
from bridge.erp.references import Rules, apply_rules
from bridge.erp.suppliers import get_supplier, upsert_supplier
from bridge.erp.telling import Tell

__all__ = ["Rules", "Tell", "apply_rules", "bind", "handlers"]

Handler = Callable[[Any, Any], Any]


class Service(Protocol):
    """What `Bridge.serve` returns, as far as it is needed here."""

    def operation(self, name: str, /) -> Callable[[Handler], object]: ...


def handlers(rules: Rules, tell: Tell | None = None) -> Mapping[str, Mapping[str, Handler]]:
    """What answers each operation, by contract and operation."""
    return {
        "purchasing": {
            "CreatePurchaseOrder": partial(create_purchase_order, rules=rules, tell=tell),
            "GetPurchaseOrder": get_purchase_order,
            "ChangePurchaseOrder": partial(change_purchase_order, rules=rules, tell=tell),
            "CancelPurchaseOrder": partial(cancel_purchase_order, tell=tell),
            "ListPurchaseOrders": list_purchase_orders,
            "ReceiveGoods": partial(receive_goods, rules=rules, tell=tell),
        },
        "suppliers": {
            "UpsertSupplier": upsert_supplier,
            "GetSupplier": get_supplier,
        },
        "inventory": {
            "UpdateStock": partial(update_stock, rules=rules, tell=tell),
            "GetStock": get_stock,
            "ReserveStock": partial(reserve_stock, rules=rules, tell=tell),
            "ReleaseStock": partial(release_stock, tell=tell),
            "GetReservation": get_reservation,
            "CountStock": partial(count_stock, rules=rules, tell=tell),
            "ListStockMovements": list_stock_movements,
        },
    }


def bind(
    services: Mapping[str, Service],
    rules: Rules = Rules(),  # noqa: B008 - frozen
    tell: Tell | None = None,
) -> None:
    """Bind a handler to every operation of every shipped contract. `rules` go to `apply_rules` too, once at start.

    Args:
        services: the service of each shipped contract, by the contract's name.
        tell: has what happened told to a CRM; None: nobody is told.
    """
    for contract, operations in handlers(rules, tell).items():
        for name, handler in operations.items():
            services[contract].operation(name)(handler)
