"""Which price holds: what other modules ask, and GetPrice.

The list that is named goes before the standard list of the currency. In the first of them that has one for the item on the
day, the price of the largest break counts that the quantity reaches.
"""

from __future__ import annotations

from datetime import date
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, bindparam, literal_column, or_, select

from bridge.erp.catalog.tables import catalog_item, price, price_list, standard_price_list
from bridge.store import Session
from bridge.store.statements import Prepared


class Price(NamedTuple):
    """What one stock unit of an item costs. Figures are scaled (`figures.py`); days are ISO 8601."""

    price_list: str
    currency: str
    sku: str
    quantity_from: int
    valid_from: str
    valid_until: str | None
    unit_price: int


# Without it SQLite's compiler binds the offset of a limit.
_NONE: Final[ColumnElement[int]] = literal_column("0")
_prices, _lists, _items, _standard = price.c, price_list.c, catalog_item.c, standard_price_list.c

_HOLDING = Prepared(
    select(*((_lists if name == "currency" else _prices)[name] for name in Price._fields))
    .join(price_list, _lists.code == _prices.price_list)
    .join(catalog_item, _items.sku == _prices.sku)
    .outerjoin(standard_price_list, _standard.currency == _lists.currency)
    .where(
        _prices.sku == bindparam("sku"),
        _lists.currency == bindparam("currency"),
        or_(_lists.code == bindparam("named"), _lists.code == _standard.price_list),
        _prices.quantity_from <= bindparam("quantity"),
        _prices.valid_from <= bindparam("from_day"),
        or_(_prices.valid_until.is_(None), _prices.valid_until >= bindparam("until_day")),
        _prices.withdrawn == literal_column("0"),
        _items.status != literal_column("'discontinued'"),
    )
    # The list that is named is the one that is not standard, unless it is both.
    .order_by((_lists.code == bindparam("first")).desc(), _prices.quantity_from.desc())
    .limit(literal_column("1"))
    .offset(_NONE),
    "sku",
    "currency",
    "named",
    "quantity",
    "from_day",
    "until_day",
    "first",
)


def price_of(
    session: Session, sku: str, *, currency: str, quantity: int, on: date, price_list: str | None = None
) -> Price | None:
    """The price of a unit when `quantity` of the item is bought; None where there is none, or the item is no longer sold.

    Args:
        quantity: scaled, in the item's stock unit.
        on: the day on which the price must hold.
        price_list: goes before the standard list of the currency; one of another currency, or that is not there, has no price.
    """
    named, day = price_list or "", str(on)
    rows = session.rows(_HOLDING, (sku, currency, named, quantity, day, day, named))
    return Price(*rows[0]) if rows else None
