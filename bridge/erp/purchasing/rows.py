"""Purchase orders in the store: found, locked, moved (`bridge/erp/orders.py`), with their lines and what has come in of them."""

from __future__ import annotations

from typing import Final, NamedTuple, cast

from sqlalchemy import bindparam, func, select, update

from bridge.erp import numbers, orders
from bridge.erp.call import Call
from bridge.erp.orders import Finder, changed_at
from bridge.erp.purchasing.content import Header, Line
from bridge.erp.states import PURCHASE_ORDER, Event, State
from bridge.erp.tables import goods_receipt_line, purchase_order, purchase_order_line
from bridge.store import Session
from bridge.store.clock import moment
from bridge.store.statements import Prepared, insertion

KIND: Final = "purchaseOrder"


class OrderRow(NamedTuple):
    """A row of `purchase_order`, without the id that the database gives."""

    partner: str
    request_id: str
    state: str
    revision: int
    buyer_reference: str | None
    order_date: str
    currency: str
    supplier: str
    requested_delivery: str | None
    total: int
    details: str
    exchange_id: str
    created_at: int
    changed_at: int


class LineRow(NamedTuple):
    """A row of `purchase_order_line`: the order's id, then a `Line`."""

    order_id: int
    line_number: int
    position: int
    sku: str
    description: str | None
    supplier_sku: str | None
    gtin: str | None
    hs_code: str | None
    origin_country: str | None
    quantity: int
    unit: str
    unit_price: int
    amount: int
    requested_delivery: str | None
    note: str | None
    note_language: str | None


class Order(NamedTuple):
    """An order as it is stored, without its lines."""

    id: int
    row: OrderRow

    @property
    def number(self) -> str:
        return numbers.number(numbers.PURCHASE_ORDER, self.id, moment(self.row.created_at))

    @property
    def state(self) -> State:
        return cast("State", self.row.state)  # the table's CHECK admits no other

    @property
    def header(self) -> Header:
        return Header(*(getattr(self.row, name) for name in Header._fields))


_orders, _lines, _receipts = purchase_order.c, purchase_order_line.c, goods_receipt_line.c
INSERT_LINE = insertion(purchase_order_line, LineRow)
_LINES_OF = Prepared(
    select(*(_lines[name] for name in Line._fields))
    .where(_lines.order_id == bindparam("order_id"))
    .order_by(_lines.position),
    "order_id",
)
_RECEIVED = Prepared(
    select(_receipts.line_number, func.sum(_receipts.quantity))
    .where(_receipts.order_id == bindparam("order_id"))
    .group_by(_receipts.line_number),
    "order_id",
)
_MOVE = Prepared(
    update(purchase_order)
    .where(_orders.id == bindparam("of_order"))
    .values(state=bindparam("new_state"), changed_at=bindparam("new_changed_at")),
    "new_state",
    "new_changed_at",
    "of_order",
)


_orders_found = Finder(purchase_order, KIND, OrderRow, Order)
by_number = _orders_found.by_number
by_request = _orders_found.by_request
locked = _orders_found.locked


def lines_of(session: Session, order_id: int) -> list[Line]:
    """The order's lines, as the caller's document had them."""
    return [Line(*row) for row in session.rows(_LINES_OF, (order_id,))]


def received_of(session: Session, order_id: int) -> dict[int, int]:
    """What has come in, by line number; a line of which nothing has is not there."""
    # PostgreSQL adds BIGINTs up to a NUMERIC.
    return {line_number: int(total) for line_number, total in session.rows(_RECEIVED, (order_id,))}


def moved(found: Order, event: Event, call: Call) -> State:
    """The state that the event leads to.

    Raises:
        the fault InvalidState: with the states that would have allowed it.
    """
    return orders.moved(PURCHASE_ORDER, KIND, found.number, found.state, event, call)


def set_state(found: Order, state: State, call: Call) -> Order:
    """Write the state; the order counts as changed. The order as it is then."""
    now = changed_at(found, call)
    call.session.run(_MOVE, (state, now, found.id))
    return found._replace(row=found.row._replace(state=state, changed_at=now))
