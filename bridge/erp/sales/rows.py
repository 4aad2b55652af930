"""Sales orders in the store: found, locked, moved (`bridge/erp/orders.py`), with their lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, cast

from sqlalchemy import bindparam, delete, select, update

from bridge.erp import numbers, orders
from bridge.erp.call import Call
from bridge.erp.orders import Finder, changed_at
from bridge.erp.sales.content import Header, Line
from bridge.erp.sales.states import SALES_ORDER, Event, State
from bridge.erp.sales.tables import sales_account, sales_order, sales_order_line
from bridge.store import Session
from bridge.store.clock import moment, stored
from bridge.store.statements import ByKeys, Prepared, insertion

KIND: Final = "salesOrder"


class OrderRow(NamedTuple):
    """A row of `sales_order`, without the id that the database gives."""

    partner: str
    request_id: str
    state: str
    revision: int
    customer_reference: str | None
    order_date: str
    currency: str
    customer: str
    requested_delivery: str | None
    total: int
    details: str
    credited: int
    exchange_id: str
    created_at: int
    changed_at: int


class LineRow(NamedTuple):
    """A row of `sales_order_line`: the order's id, then a `Line`, then what has come back of it."""

    order_id: int
    line_number: int
    position: int
    sku: str
    item: str
    quantity: int
    unit: str
    unit_price: int
    amount: int
    requested_delivery: str | None
    due_date: str
    note: str | None
    note_language: str | None
    returned: int
    credited: int


class Order(NamedTuple):
    """An order as it is stored, without its lines."""

    id: int
    row: OrderRow

    @property
    def number(self) -> str:
        return numbers.number(numbers.SALES_ORDER, self.id, moment(self.row.created_at))

    @property
    def state(self) -> State:
        return cast("State", self.row.state)  # the table's CHECK admits no other

    @property
    def header(self) -> Header:
        return Header(*(getattr(self.row, name) for name in Header._fields))


class AccountRow(NamedTuple):
    """A row of `sales_account`."""

    customer: str
    created_at: int


class ReturnedLine(NamedTuple):
    """A line with what has come back of it and what that credited, both scaled."""

    line: Line
    returned: int
    credited: int


_orders, _lines = sales_order.c, sales_order_line.c

_INSERT_LINE = insertion(sales_order_line, LineRow)
_DELETE_LINES = Prepared(delete(sales_order_line).where(_lines.order_id == bindparam("order_id")), "order_id")
_LINES_OF = Prepared(
    select(*(_lines[name] for name in Line._fields))
    .where(_lines.order_id == bindparam("order_id"))
    .order_by(_lines.position),
    "order_id",
)
_RETURNED_OF = Prepared(
    select(*(_lines[name] for name in Line._fields), _lines.returned, _lines.credited)
    .where(_lines.order_id == bindparam("order_id"))
    .order_by(_lines.position),
    "order_id",
)
_MOVE = Prepared(
    update(sales_order)
    .where(_orders.id == bindparam("of_order"))
    .values(state=bindparam("new_state"), changed_at=bindparam("new_changed_at")),
    "new_state",
    "new_changed_at",
    "of_order",
)
_CREDIT = Prepared(
    update(sales_order)
    .where(_orders.id == bindparam("of_order"))
    .values(credited=_orders.credited + bindparam("more")),
    "more",
    "of_order",
)
_INSERT_ACCOUNT = insertion(sales_account, AccountRow, unless_there=("customer",))
_LOCKED_ACCOUNT = ByKeys("SELECT customer FROM sales_account WHERE customer IN ({keys}){lock}", width=1)

_found = Finder(sales_order, KIND, OrderRow, Order)
by_number = _found.by_number
by_request = _found.by_request
locked = _found.locked


def lock_account(customer: str, call: Call) -> None:
    """Whoever judges an order of this customer after this does so alone, until this transaction ends.

    Always after the order itself: so nobody waits for another in a ring.
    """
    session = call.session
    session.run(_INSERT_ACCOUNT, AccountRow(customer, stored(call.now)))
    session.rows_for(_LOCKED_ACCOUNT, [(customer,)])


def lines_of(session: Session, order_id: int) -> list[Line]:
    """The order's lines, as the caller's document had them."""
    return [Line(*row) for row in session.rows(_LINES_OF, (order_id,))]


def returned_of(session: Session, order_id: int) -> list[ReturnedLine]:
    """The order's lines with what has come back of each."""
    return [ReturnedLine(Line(*row[:-2]), *row[-2:]) for row in session.rows(_RETURNED_OF, (order_id,))]


def write_lines(order_id: int, lines: Sequence[Line], session: Session, *, replace: bool = False) -> None:
    """Write the lines of an order of which nothing has come back."""
    if replace:
        session.run(_DELETE_LINES, (order_id,))
    session.run_many(_INSERT_LINE, [LineRow(order_id, *line, 0, 0) for line in lines])


def moved(found: Order, event: Event, call: Call) -> State:
    """The state that the event leads to.

    Raises:
        the fault InvalidState: with the states that would have allowed it.
    """
    return orders.moved(SALES_ORDER, KIND, found.number, found.state, event, call)


def set_state(found: Order, state: State, call: Call) -> Order:
    """Write the state; the order counts as changed. The order as it is then."""
    now = changed_at(found, call)
    call.session.run(_MOVE, (state, now, found.id))
    return found._replace(row=found.row._replace(state=state, changed_at=now))


def add_credit(found: Order, credit: int, call: Call) -> Order:
    """Write that a return credits so much more. The order as it is then."""
    call.session.run(_CREDIT, (credit, found.id))
    return found._replace(row=found.row._replace(credited=found.row.credited + credit))
