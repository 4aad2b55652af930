"""The shipped ERP as one thing: its handlers bound to the services of its contracts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from bridge.erp.call import Call
from bridge.erp.inventory import get_stock, update_stock
from bridge.erp.purchasing import create_purchase_order, get_purchase_order
from bridge.erp.references import Rules, apply_rules

__all__ = ["Rules", "apply_rules", "bind"]

Handler = Callable[[Any, Any], Any]


class Service(Protocol):
    """What `Bridge.serve` returns, as far as it is needed here."""

    def operation(self, name: str, /) -> Callable[[Handler], object]: ...


def bind(purchasing: Service, inventory: Service, rules: Rules = Rules()) -> None:  # noqa: B008 - frozen
    """Bind a handler to every operation of both contracts. `rules` go to `apply_rules` too, once at start."""

    def update_stock_by_rules(request: Any, call: Call) -> dict[str, Any]:
        return update_stock(request, call, rules)

    purchasing.operation("CreatePurchaseOrder")(create_purchase_order)
    purchasing.operation("GetPurchaseOrder")(get_purchase_order)
    inventory.operation("UpdateStock")(update_stock_by_rules)
    inventory.operation("GetStock")(get_stock)
