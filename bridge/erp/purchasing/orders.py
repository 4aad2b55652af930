"""CreatePurchaseOrder and GetPurchaseOrder.

A request id makes one order, whatever happens: it is unique per sender in the database, also where no record of the first
answer is left (docs/duplicates.md).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, select

from bridge.erp.call import Call, sender
from bridge.erp.documents import note_of
from bridge.erp.figures import quantity
from bridge.erp.orders import not_found, total_fits
from bridge.erp.purchasing.content import content, order_of, total_of
from bridge.erp.purchasing.revisions import revision_of
from bridge.erp.purchasing.rows import (
    INSERT_LINE,
    Order,
    OrderRow,
    by_number,
    by_request,
    lines_of,
    received_of,
)
from bridge.erp.references import Rules
from bridge.erp.states import NEW_PURCHASE_ORDER
from bridge.erp.suppliers import broken_supplier
from bridge.erp.tables import purchase_order, purchase_order_cancellation
from bridge.erp.telling import Tell, tell_order
from bridge.store import Session
from bridge.store.clock import moment, stored
from bridge.store.statements import Prepared, insertion

Reply = dict[str, Any]

_INSERT_ORDER = insertion(
    purchase_order, OrderRow, returning=purchase_order.c.id, unless_there=("partner", "request_id")
)
_cancelled = purchase_order_cancellation.c
_CANCELLATION = Prepared(
    select(_cancelled.reason, _cancelled.reason_language, _cancelled.cancelled_at).where(
        _cancelled.order_id == bindparam("order_id")
    ),
    "order_id",
)


def create_purchase_order(
    request: Any,
    call: Call,
    rules: Rules = Rules(),  # noqa: B008 - frozen
    tell: Tell | None = None,
) -> Reply:
    """Store a new order. Faults: LimitExceeded (total), InvalidReference (supplier), KeyReused."""
    header, lines = content(request.order)
    total_fits(header.total, "/CreatePurchaseOrder/order", call)
    now = stored(call.now)
    row = OrderRow(
        sender(call), request.requestId, NEW_PURCHASE_ORDER, 1, *header, call.exchange_id, now, now
    )
    session = call.session
    made = session.rows(_INSERT_ORDER, row)
    if not made:
        first = by_request(session, row.partner, row.request_id)
        assert first is not None
        raise call.fault("KeyReused", requestId=row.request_id, firstUsedAt=moment(first.row.created_at))
    broken = broken_supplier(session, header.supplier, "/CreatePurchaseOrder/order/supplier/code", rules)
    if broken:
        raise call.fault("InvalidReference", reference=broken)
    order_id: int = made[0][0]
    session.run_many(INSERT_LINE, [(order_id, *line) for line in lines])
    order = Order(order_id, row)
    if tell is not None:
        tell_order(tell, order, lines, {}, before=None)
    return _created(order, call)


def get_purchase_order(request: Any, call: Call) -> Reply:
    """The order as it stands, or as a revision had it. Fault: NotFound."""
    wanted = request.purchaseOrder
    session = call.reading
    if wanted.orderNumber is not None:
        found = by_number(call, wanted.orderNumber)
        missing = ("purchaseOrder", wanted.orderNumber)
    else:
        found = by_request(session, sender(call), wanted.requestId)
        missing = ("request", wanted.requestId)
    if found is None:
        raise not_found(call, *missing)
    call.reference = found.number
    revision = revision_of(found, request.revision, session, call)
    return {
        "orderNumber": found.number,
        "state": found.state,
        "revision": revision.number,
        "createdAt": moment(found.row.created_at),
        "changedAt": moment(revision.made_at),
        "total": total_of(revision.header),
        "order": order_of(revision.header, revision.lines),
        "received": _received(found, session),
        "cancellation": _cancellation(found, session),
    }


def _received(found: Order, session: Session) -> list[Reply]:
    received = received_of(session, found.id)
    if not received:
        return []
    return [
        {
            "lineNumber": line.line_number,
            "quantity": {"value": quantity(received[line.line_number]), "unit": line.unit},
        }
        for line in lines_of(session, found.id)
        if line.line_number in received
    ]


def _cancellation(found: Order, session: Session) -> Reply | None:
    if found.state != "cancelled":
        return None
    reason, language, cancelled_at = session.rows(_CANCELLATION, (found.id,))[0]
    return {"cancelledAt": moment(cancelled_at), "reason": note_of(reason, language)}


def _created(order: Order, call: Call) -> Reply:
    call.reference = order.number
    return {
        "orderNumber": order.number,
        "state": NEW_PURCHASE_ORDER,
        "total": total_of(order.header),
        "createdAt": moment(order.row.created_at),
    }
