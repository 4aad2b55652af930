"""Stock: what the operations of wsdl/erp/inventory-1.wsdl do.

    stock.py          UpdateStock, GetStock
    reservations.py   ReserveStock, ReleaseStock, GetReservation
    counts.py         CountStock
    movements.py      ListStockMovements
    reserving.py      pure: how much of what is wanted can be promised

What moves stock is posted by `bridge/erp/ledger.py`; what reservations hold is kept by `bridge/erp/holds.py`.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from bridge.erp.inventory.counts import count_stock
from bridge.erp.inventory.movements import list_stock_movements
from bridge.erp.inventory.reservations import get_reservation, release_stock, reserve_stock
from bridge.erp.inventory.stock import get_stock, update_stock
from bridge.erp.references import Rules
from bridge.erp.telling import Tell

__all__ = [
    "count_stock",
    "get_reservation",
    "get_stock",
    "handlers",
    "list_stock_movements",
    "release_stock",
    "reserve_stock",
    "update_stock",
]


def handlers(rules: Rules, tell: Tell | None) -> Mapping[str, Callable[[Any, Any], Any]]:
    """What answers each operation of wsdl/erp/inventory-1.wsdl."""
    return {
        "UpdateStock": partial(update_stock, rules=rules, tell=tell),
        "GetStock": get_stock,
        "ReserveStock": partial(reserve_stock, rules=rules, tell=tell),
        "ReleaseStock": partial(release_stock, tell=tell),
        "GetReservation": get_reservation,
        "CountStock": partial(count_stock, rules=rules, tell=tell),
        "ListStockMovements": list_stock_movements,
    }
