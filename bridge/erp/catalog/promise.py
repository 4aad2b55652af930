"""GetAvailability, and what other modules ask can be promised: the rows that `promising.py` counts.

Incoming are purchase orders that may still be received, by the day that the line or else the order asks for, in the warehouse that
the order is shipped to; one that is shipped to another address brings no stock. Outgoing are open sales orders.

A sales order names no warehouse. So what one warehouse can promise is what it has and gets, and never more than the whole company can.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from bridge.erp.call import Call
from bridge.erp.catalog.promising import Day, available_on, days
from bridge.erp.documents import day_of, unpacked
from bridge.erp.figures import quantity
from bridge.erp.holds import due
from bridge.erp.references import known_units, known_warehouses
from bridge.erp.sales.open_orders import open_quantities
from bridge.store import Session
from bridge.store.clock import stored
from bridge.store.statements import ByKeys

Reply = dict[str, Any]


class Stock(NamedTuple):
    """What is there of an item, and what of it is reserved."""

    on_hand: int
    reserved: int


_BALANCES = ByKeys(
    "SELECT sku, warehouse, on_hand, reserved FROM stock_balance WHERE sku IN (VALUES {keys})", width=1
)
# Keys may repeat, and an order line must be counted once. A line in another unit than stock's cannot be received.
_INCOMING = ByKeys(
    "SELECT line.sku, placed.details, COALESCE(line.requested_delivery, placed.requested_delivery), "
    "line.quantity - COALESCE((SELECT CAST(SUM(receipt.quantity) AS BIGINT) FROM goods_receipt_line AS receipt "
    "WHERE receipt.order_id = line.order_id AND receipt.line_number = line.line_number), 0) "
    "FROM purchase_order_line AS line JOIN purchase_order AS placed ON placed.id = line.order_id "
    "JOIN item ON item.sku = line.sku AND item.unit = line.unit "
    "WHERE line.sku IN (VALUES {keys}) AND placed.state IN ('open', 'confirmed', 'partiallyReceived')",
    width=1,
)


def available_to_promise(
    session: Session,
    sku: str,
    *,
    warehouse: str | None = None,
    on: date,
    now: datetime,
    today: date | None = None,
) -> int:
    """How much of an item can be promised for a day (scaled), nothing that a later promise needs; 0 of one that is not known.

    Args:
        warehouse: only what is and comes there.
        on: the day; for one that has passed nothing can be promised.
        now: the moment of the request: reservations that have run out by then hold nothing.
        today: where the business is; that of `now` where it is not said.
    """
    return available_on(_days(session, [sku], warehouse, now, today or now.date())[sku], on)


def get_availability(request: Any, call: Call) -> Reply:
    """From which day on how much can be promised. Fault: NotFound (item, warehouse)."""
    session, warehouse = call.reading, request.warehouse
    skus = list(dict.fromkeys(request.sku))
    units = known_units(session, skus)
    missing = [{"kind": "item", "identifier": sku} for sku in skus if sku not in units]
    if warehouse is not None and not known_warehouses(session, [warehouse]):
        missing.append({"kind": "warehouse", "identifier": warehouse})
    if missing:
        raise call.fault("NotFound", missing=missing)
    stock = _stock(session, skus, warehouse, call.now)
    found = _days(session, skus, warehouse, call.now, call.today)
    return {
        "asOf": call.now,
        "item": [_item(sku, units[sku], stock[sku], found[sku], request.until) for sku in skus],
    }


def _days(
    session: Session, skus: Sequence[str], warehouse: str | None, now: datetime, today: date
) -> dict[str, list[Day]]:
    """The days of each item."""
    everywhere = _stock(session, skus, None, now)
    incoming = _incoming(session, skus)
    outgoing = {sku: open_quantities(session, sku, now=now) for sku in skus}
    company = {
        sku: days(
            _free(everywhere[sku]),
            [(day, amount) for _, day, amount in incoming[sku]],
            outgoing[sku],
            today,
        )
        for sku in skus
    }
    if warehouse is None:
        return company
    there = _stock(session, skus, warehouse, now)
    return {
        sku: _within(
            days(
                _free(there[sku]),
                [(day, amount) for place, day, amount in incoming[sku] if place == warehouse],
                (),
                today,
            ),
            company[sku],
        )
        for sku in skus
    }


def _within(place: Sequence[Day], company: Sequence[Day]) -> list[Day]:
    """The days of one warehouse, with no more available than the whole company has."""
    found = []
    for day in sorted({one.day for one in [*place, *company]}):
        here = next(one for one in reversed(place) if one.day <= day)
        incoming = here.incoming if here.day == day else 0
        available = min(here.available, available_on(company, day))
        found.append(Day(day, incoming, 0, here.projected, available))
    return found


def _stock(session: Session, skus: Sequence[str], warehouse: str | None, now: datetime) -> dict[str, Stock]:
    """What is there, without what reservations hold whose time has run out."""
    rows = [
        row
        for row in session.rows_for(_BALANCES, [(sku,) for sku in sorted(skus)])
        if warehouse in (None, row[1])
    ]
    held = [(sku, place) for sku, place, _, reserved in rows if reserved]
    expired: dict[tuple[str, str], int] = {}
    for line in due(session, held, stored(now)):
        place = line.sku, line.warehouse
        expired[place] = expired.get(place, 0) + line.reserved
    found = dict.fromkeys(skus, Stock(0, 0))
    for sku, place, on_hand, reserved in rows:
        before = found[sku]
        found[sku] = Stock(
            before.on_hand + on_hand, before.reserved + reserved - expired.get((sku, place), 0)
        )
    return found


def _incoming(session: Session, skus: Sequence[str]) -> Mapping[str, list[tuple[str, date | None, int]]]:
    """What suppliers owe of each item: (warehouse, day, quantity)."""
    found: dict[str, list[tuple[str, date | None, int]]] = {sku: [] for sku in skus}
    for sku, details, day, missing in session.rows_for(_INCOMING, [(sku,) for sku in sorted(skus)]):
        warehouse = unpacked(details)["shipTo"].get("warehouse")
        if warehouse is not None and missing > 0:
            found[sku].append((warehouse, day_of(day), int(missing)))
    return found


def _free(stock: Stock) -> int:
    return stock.on_hand - stock.reserved


def _item(sku: str, unit: str, stock: Stock, moving: Iterable[Day], until: date | None) -> Reply:
    def figure(amount: int) -> Reply:
        return {"value": quantity(amount), "unit": unit}

    told = [one for index, one in enumerate(moving) if not index or until is None or one.day <= until]
    return {
        "sku": sku,
        "onHand": figure(stock.on_hand),
        "reserved": figure(stock.reserved),
        "day": [
            {
                "day": one.day,
                **{
                    name: figure(getattr(one, name))
                    for name in ("incoming", "outgoing", "projected", "available")
                },
            }
            for one in told
        ],
    }
