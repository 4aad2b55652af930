"""Which price holds: what other modules ask, and GetPrice.

The list that is named goes before the standard list of the currency. In the first of them that has one for the item on the
day, the price of the largest break counts that the quantity reaches.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, bindparam, literal_column, or_, select

from bridge.erp.call import Call
from bridge.erp.catalog.tables import catalog_item, price, price_list, standard_price_list
from bridge.erp.documents import day_of, without_none
from bridge.erp.figures import (
    PRICE_DIGITS,
    QUANTITY_DIGITS,
    line_amount,
    minor_unit_digits,
    money,
    plain,
    quantity,
    scaled,
)
from bridge.erp.references import known_units
from bridge.store import Session
from bridge.store.statements import Prepared

Reply = dict[str, Any]


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
_LIST = Prepared(select(_lists.currency).where(_lists.code == bindparam("code")), "code")
_STATUS = Prepared(select(_items.status).where(_items.sku == bindparam("sku")), "sku")
_STANDARD = Prepared(
    select(_standard.price_list).where(_standard.currency == bindparam("currency")), "currency"
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


def get_price(request: Any, call: Call) -> Reply:
    """What a quantity costs on a day. Faults: NotFound (item, price list, or no price in it), InvalidReference (unit, currency of the
    list), InvalidState (the item is no longer sold)."""
    session, currency, code = call.reading, request.currency, request.priceList
    call.reference = request.sku
    unit = _sold(request.sku, session, call)
    broken = []
    if unit != request.quantity.unit:
        broken.append(_mismatch("unit", request.quantity.unit, "/GetPrice/quantity/@unit"))
    if code is not None:
        rows = session.rows(_LIST, (code,))
        if not rows:
            raise _no_list(code, call)
        if rows[0][0] != currency:
            broken.append(_mismatch("priceList", code, "/GetPrice/priceList"))
    if broken:
        raise call.fault("InvalidReference", reference=broken)
    day = request.on or call.today
    wanted = scaled(request.quantity.value, QUANTITY_DIGITS)
    found = price_of(session, request.sku, currency=currency, quantity=wanted, on=day, price_list=code)
    if found is None:
        standard = session.rows(_STANDARD, (currency,))
        raise _no_list(code or (standard[0][0] if standard else currency), call)
    amount = line_amount(wanted, found.unit_price, minor_unit_digits(currency))
    return {
        "on": day,
        "priceList": found.price_list,
        "currency": currency,
        "price": price_told(
            found.sku,
            found.quantity_from,
            unit,
            found.valid_from,
            found.valid_until,
            found.unit_price,
            currency,
        ),
        "amount": {"value": money(amount, currency), "currency": currency},
    }


def price_told(
    sku: str,
    quantity_from: int,
    unit: str,
    valid_from: str,
    valid_until: str | None,
    unit_price: int,
    currency: str,
) -> Reply:
    """The contract's Price."""
    return without_none(
        {
            "sku": sku,
            "quantityFrom": {"value": quantity(quantity_from), "unit": unit},
            "validFrom": day_of(valid_from),
            "validUntil": day_of(valid_until),
            "unitPrice": plain(unit_price, PRICE_DIGITS, at_least=minor_unit_digits(currency)),
        }
    )


def _sold(sku: str, session: Session, call: Call) -> str:
    """The unit of an item that is sold. Faults: NotFound, InvalidState."""
    rows = session.rows(_STATUS, (sku,))
    if not rows:
        raise call.fault("NotFound", missing=[{"kind": "item", "identifier": sku}])
    if rows[0][0] == "discontinued":
        raise call.fault(
            "InvalidState",
            kind="item",
            identifier=sku,
            state="discontinued",
            allowed=["active", "phasingOut"],
        )
    return known_units(session, [sku])[sku]


def _no_list(code: str, call: Call) -> Exception:
    return call.fault("NotFound", missing=[{"kind": "priceList", "identifier": code}])


def _mismatch(kind: str, identifier: str, path: str) -> dict[str, str]:
    return {"kind": kind, "identifier": identifier, "reason": "mismatch", "path": path}
