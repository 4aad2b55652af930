"""Which price holds."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from bridge.store import Session


class Price(NamedTuple):
    """What one stock unit of an item costs."""

    price_list: str
    currency: str
    sku: str
    quantity_from: int
    valid_from: str
    valid_until: str | None
    unit_price: int


def price_of(
    session: Session, sku: str, *, currency: str, quantity: int, on: date, price_list: str | None = None
) -> Price | None:
    """The price of a unit when `quantity` of the item is bought; None where there is none."""
    return None
