"""States of a purchase order, as the contract names them."""

from __future__ import annotations

from collections.abc import Mapping

PURCHASE_ORDER_STATES: Mapping[str, str] = {
    "open": "stored; nothing received yet",
    "confirmed": "the supplier has confirmed it",
    "partiallyReceived": "some of the goods have arrived",
    "received": "all goods have arrived",
    "closed": "finished; no more goods are expected",
    "cancelled": "called off before anything arrived",
}
"""Every state with its meaning; the table's CHECK and the contract's enumeration hold the same words."""

NEW_PURCHASE_ORDER = "open"
