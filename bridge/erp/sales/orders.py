"""CreateSalesOrder and GetSalesOrder.

A request id makes one order, whatever happens: it is unique per sender in the database, also where no record of the first
answer is left (docs/duplicates.md).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, select

from bridge.erp.call import Call, sender
from bridge.erp.currencies import known_currency
from bridge.erp.documents import note_of, without_none
from bridge.erp.orders import not_found, total_fits
from bridge.erp.references import Rules
from bridge.erp.sales.asking import list_prices, refuse_blocked
from bridge.erp.sales.content import amount_of, content, order_of, total_of
from bridge.erp.sales.decisions import decide_by_rules, decisions_of, reason_told, told
from bridge.erp.sales.events import tell_order
from bridge.erp.sales.returns import returns_of
from bridge.erp.sales.revisions import revision_of
from bridge.erp.sales.rows import KIND, Order, OrderRow, by_number, by_request, write_lines
from bridge.erp.sales.states import SALES_ORDER
from bridge.erp.sales.tables import sales_order, sales_order_cancellation
from bridge.erp.telling import Tell
from bridge.store import Session
from bridge.store.clock import moment, stored
from bridge.store.statements import Prepared, insertion

Reply = dict[str, Any]

_INSERT_ORDER = insertion(
    sales_order, OrderRow, returning=sales_order.c.id, unless_there=("partner", "request_id")
)
_cancelled = sales_order_cancellation.c
_CANCELLATION = Prepared(
    select(_cancelled.reason, _cancelled.reason_language, _cancelled.cancelled_at).where(
        _cancelled.order_id == bindparam("order_id")
    ),
    "order_id",
)


def create_sales_order(
    request: Any,
    call: Call,
    rules: Rules = Rules(),  # noqa: B008 - frozen
    tell: Tell | None = None,
) -> Reply:
    """Store a new order, and judge it. Faults: UnknownCurrency, LimitExceeded (total), InvalidReference (customer, price),
    KeyReused."""
    known_currency(request.order.currency, "/CreateSalesOrder/order/currency", call)
    listed = list_prices("CreateSalesOrder", request.order, call, rules)
    header, lines = content(request.order, listed)
    total_fits(header.total, "/CreateSalesOrder/order", call)
    now = stored(call.now)
    row = OrderRow(
        sender(call), request.requestId, SALES_ORDER.new, 1, *header, 0, call.exchange_id, now, now
    )
    session = call.session
    made = session.rows(_INSERT_ORDER, row)
    if not made:
        first = by_request(session, row.partner, row.request_id)
        assert first is not None
        raise call.fault("KeyReused", requestId=row.request_id, firstUsedAt=moment(first.row.created_at))
    refuse_blocked(header.customer, "/CreateSalesOrder/order/customer/code", call, rules)
    order = Order(made[0][0], row)
    write_lines(order.id, lines, session)
    decided = decide_by_rules(order, lines, listed, call, rules)
    if tell is not None:
        tell_order(tell, decided.order, before=None, reason=reason_told(decided.decision))
    call.reference = order.number
    return {
        "orderNumber": order.number,
        "state": decided.order.state,
        "total": total_of(header),
        "createdAt": moment(now),
        "decision": told(decided.decision),
    }


def get_sales_order(request: Any, call: Call) -> Reply:
    """The order as it stands, or as a revision had it. Fault: NotFound."""
    wanted = request.salesOrder
    session = call.reading
    if wanted.orderNumber is not None:
        found = by_number(call, wanted.orderNumber)
        missing = (KIND, wanted.orderNumber)
    else:
        found = by_request(session, sender(call), wanted.requestId)
        missing = ("request", wanted.requestId)
    if found is None:
        raise not_found(call, *missing)
    call.reference = found.number
    revision = revision_of(found, request.revision, session, call)
    credited = found.row.credited
    return without_none(
        {
            "orderNumber": found.number,
            "state": found.state,
            "revision": revision.number,
            "createdAt": moment(found.row.created_at),
            "changedAt": moment(revision.made_at),
            "total": total_of(revision.header),
            "order": order_of(revision.header, revision.lines),
            "decision": [told(one) for one in decisions_of(session, found.id)],
            "returned": returns_of(session, found),
            "credited": amount_of(credited, found.row.currency) if credited else None,
            "cancellation": _cancellation(found, session),
        }
    )


def _cancellation(found: Order, session: Session) -> Reply | None:
    if found.state != "cancelled":
        return None
    reason, language, cancelled_at = session.rows(_CANCELLATION, (found.id,))[0]
    return {"cancelledAt": moment(cancelled_at), "reason": note_of(reason, language)}
