"""Purchase orders in the store: finding, locking, and what every handler that writes one asks first."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from sqlalchemy import bindparam, func, select, update

from bridge.erp.call import Call, sees
from bridge.erp.figures import LARGEST, MONEY_DIGITS, plain
from bridge.erp.numbers import PURCHASE_ORDER, number, row_id
from bridge.erp.purchasing.content import Header, Line
from bridge.erp.states import Event, NoMove, State, after
from bridge.erp.tables import goods_receipt_line, purchase_order, purchase_order_line
from bridge.store import Session
from bridge.store.clock import moment, stored
from bridge.store.statements import ByKeys, Prepared, insertion


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
        return number(PURCHASE_ORDER, self.id, moment(self.row.created_at))

    @property
    def state(self) -> State:
        return cast("State", self.row.state)  # the table's CHECK admits no other

    @property
    def header(self) -> Header:
        return Header(*(getattr(self.row, name) for name in Header._fields))


_orders, _lines, _receipts = purchase_order.c, purchase_order_line.c, goods_receipt_line.c
_ORDER = (_orders.id, *(_orders[name] for name in OrderRow._fields))

INSERT_LINE = insertion(purchase_order_line, LineRow)
_BY_ID = Prepared(select(*_ORDER).where(_orders.id == bindparam("id")), "id")
_BY_REQUEST = Prepared(
    select(*_ORDER).where(
        _orders.partner == bindparam("partner"), _orders.request_id == bindparam("request_id")
    ),
    "partner",
    "request_id",
)
_LOCKED = ByKeys(
    f"SELECT {', '.join(column.name for column in _ORDER)} FROM purchase_order WHERE id IN ({{keys}}){{lock}}",  # noqa: S608 - names of columns
    width=1,
)
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


def by_number(call: Call, order_number: str) -> Order | None:
    """The order of this number, where the caller may see it; another year with the same digits is another number, and
    nobody's."""
    return _named(call, call.reading.rows(_BY_ID, (row_id(order_number),)), order_number)


def by_request(session: Session, partner: str, request_id: str) -> Order | None:
    """The order that this sender's request made."""
    rows = session.rows(_BY_REQUEST, (partner, request_id))
    return _order(rows[0]) if rows else None


def locked(call: Call, order_number: str) -> Order:
    """The order, which nobody else changes until this transaction ends; its state may be judged only now.

    Raises:
        the fault NotFound.
    """
    # SQLite has one writer at a time; PostgreSQL locks the row, before any balance is locked.
    found = _named(call, call.session.rows_for(_LOCKED, [(row_id(order_number),)]), order_number)
    if found is None:
        raise not_found(call, "purchaseOrder", order_number)
    call.reference = found.number
    return found


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
    try:
        return after(found.state, event)
    except NoMove as error:
        raise call.fault(
            "InvalidState",
            kind="purchaseOrder",
            identifier=found.number,
            state=error.state,
            allowed=list(error.allowed),
        ) from None


def same_revision(found: Order, given: int | None, call: Call) -> None:
    """Refuse a request that is based on another revision than the one that is there.

    Raises:
        the fault RevisionMismatch.
    """
    if given is not None and given != found.row.revision:
        raise call.fault(
            "RevisionMismatch",
            kind="purchaseOrder",
            identifier=found.number,
            given=given,
            current=found.row.revision,
            changedAt=moment(found.row.changed_at),
        )


def changed_at(found: Order, call: Call) -> int:
    """The time of what this request does to the order, as it is stored: later than all that was done before, also where
    an earlier request waited for this one, or a clock was set back."""
    return max(stored(call.now), found.row.changed_at + 1)


def set_state(found: Order, state: State, call: Call) -> Order:
    """Write the state; the order counts as changed. The order as it is then."""
    now = changed_at(found, call)
    call.session.run(_MOVE, (state, now, found.id))
    return found._replace(row=found.row._replace(state=state, changed_at=now))


def total_fits(header: Header, path: str, call: Call) -> None:
    """Refuse a total that cannot be kept.

    Raises:
        the fault LimitExceeded.
    """
    if header.total > LARGEST:
        raise call.fault(
            "LimitExceeded",
            limit="documentTotal",
            allowed=plain(LARGEST, MONEY_DIGITS),
            actual=plain(header.total, MONEY_DIGITS),
            path=path,
        )


def not_found(call: Call, kind: str, identifier: str) -> Exception:
    return call.fault("NotFound", missing=[{"kind": kind, "identifier": identifier}])


def _named(call: Call, rows: list[tuple[Any, ...]], order_number: str) -> Order | None:
    found = _order(rows[0]) if rows else None
    if found is None or found.number != order_number or not sees(call, found.row.partner):
        return None
    return found


def _order(row: tuple[Any, ...]) -> Order:
    return Order(row[0], OrderRow(*row[1:]))
