"""Stock: what the operations of wsdl/erp/inventory-1.wsdl do.

    stock.py          UpdateStock, GetStock
    reservations.py   ReserveStock, ReleaseStock, GetReservation
    counts.py         CountStock
    movements.py      ListStockMovements
    reserving.py      pure: how much of what is wanted can be promised

What moves stock is posted by `bridge/erp/ledger.py`; what reservations hold is kept by `bridge/erp/holds.py`.
"""

from bridge.erp.inventory.counts import count_stock
from bridge.erp.inventory.movements import list_stock_movements
from bridge.erp.inventory.reservations import get_reservation, release_stock, reserve_stock
from bridge.erp.inventory.stock import get_stock, update_stock

__all__ = [
    "count_stock",
    "get_reservation",
    "get_stock",
    "list_stock_movements",
    "release_stock",
    "reserve_stock",
    "update_stock",
]
