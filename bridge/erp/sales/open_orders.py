"""What open sales orders come to, as the other modules ask for it.

Open is what was approved and is not yet completed: an order that waits uses no credit, and nothing is promised by it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final

from sqlalchemy import bindparam, func, literal_column, select

from bridge.erp.numbers import SALES_ORDER, number
from bridge.erp.sales.states import PROMISED
from bridge.erp.sales.tables import sales_order, sales_order_line
from bridge.store import Session
from bridge.store.clock import moment, stored
from bridge.store.statements import ByKeys, Prepared

_orders, _lines = sales_order.c, sales_order_line.c

# Text, not parameters: `Prepared` binds single values.
_IS_PROMISED: Final = _orders.state.in_([literal_column(f"'{state}'") for state in PROMISED])
_VALUES = Prepared(
    select(_orders.currency, func.sum(_orders.total - _orders.credited))
    .where(_orders.customer == bindparam("customer"), _IS_PROMISED)
    .group_by(_orders.currency)
    .order_by(_orders.currency),
    "customer",
)
_LINES = Prepared(
    select(_orders.id, _orders.created_at, _lines.due_date, _lines.quantity - _lines.returned)
    .join(sales_order, _orders.id == _lines.order_id)
    .where(_lines.sku == bindparam("sku"), _IS_PROMISED, _lines.quantity > _lines.returned)
    .order_by(_lines.due_date, _orders.id, _lines.position),
    "sku",
)
# What is held for an order is no longer free, and what was issued from it has gone: neither is due a second time.
_COVERED = ByKeys(
    "SELECT reservation.reference, line.issued, line.reserved, reservation.expires_at FROM reservation "
    "JOIN reservation_line AS line ON line.reservation_id = reservation.id "
    "WHERE (reservation.reference, line.sku) IN (VALUES {keys})",
    width=2,
)


def open_value(session: Session, customer_code: str, currency: str) -> int:
    """What the customer's open orders in this currency come to, less what returns have credited (scaled, `figures.MONEY_DIGITS`)."""
    return open_values(session, customer_code).get(currency, 0)


def open_values(session: Session, customer_code: str) -> dict[str, int]:
    """The same by currency, of those in which something is open."""
    # PostgreSQL adds BIGINTs up to a NUMERIC.
    return {currency: int(value) for currency, value in session.rows(_VALUES, (customer_code,))}


def open_quantities(session: Session, sku: str, *, now: datetime | None = None) -> list[tuple[date, int]]:
    """(day on which it is due, scaled quantity) of what is still to be delivered of the item, the earliest first; without what
    reservations in the order's name hold, or have given out.

    A line without a day of its own is due on that of its order, and an order without one on the day it was placed.

    Args:
        now: reservations that have run out by then hold nothing; the present where it is not said.
    """
    lines = [
        (number(SALES_ORDER, order_id, moment(created_at)), date.fromisoformat(day), int(amount))
        for order_id, created_at, day, amount in session.rows(_LINES, (sku,))
    ]
    covered = _covered(session, sku, {order for order, _, _ in lines}, stored(now or datetime.now(UTC)))
    due: dict[date, int] = {}
    for order, day, amount in lines:
        part = min(covered.get(order, 0), amount)
        if part:
            covered[order] -= part
        if amount > part:
            due[day] = due.get(day, 0) + amount - part
    return list(due.items())


def _covered(session: Session, sku: str, orders: set[str], now: int) -> dict[str, int]:
    """What reservations hold of the item or have given out, by the order that they name."""
    found: dict[str, int] = {}
    for order, issued, reserved, expires_at in session.rows_for(
        _COVERED, [(one, sku) for one in sorted(orders)]
    ):
        held = reserved if expires_at is None or expires_at > now else 0
        found[order] = found.get(order, 0) + issued + held
    return found
