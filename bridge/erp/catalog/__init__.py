"""The catalog: what the operations of wsdl/erp/catalog-1.wsdl do.

items.py      UpsertItem, GetItem, ListItems
pricing.py    SetPrices, ListPrices
prices.py     GetPrice, and what other modules ask for a price
validity.py   pure: prices of one list that would hold at the same time
promise.py    GetAvailability, and what other modules ask can be promised
promising.py  pure: what can be promised, from what comes in and goes out
tables.py     its tables
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from bridge.erp.catalog.items import get_item, list_items, upsert_item
from bridge.erp.catalog.prices import get_price
from bridge.erp.catalog.pricing import list_prices, set_prices
from bridge.erp.catalog.promise import get_availability
from bridge.erp.references import Rules
from bridge.erp.telling import Tell

__all__ = [
    "get_availability",
    "get_item",
    "get_price",
    "handlers",
    "list_items",
    "list_prices",
    "set_prices",
    "upsert_item",
]


def handlers(rules: Rules, tell: Tell | None) -> Mapping[str, Callable[[Any, Any], Any]]:
    """What answers each operation of wsdl/erp/catalog-1.wsdl. The catalog has no rules of its own."""
    return {
        "UpsertItem": upsert_item,
        "GetItem": get_item,
        "ListItems": list_items,
        "SetPrices": partial(set_prices, tell=tell),
        "GetPrice": get_price,
        "ListPrices": list_prices,
        "GetAvailability": get_availability,
    }
