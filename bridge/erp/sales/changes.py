"""ChangeSalesOrder, CancelSalesOrder and CompleteSalesOrder.

A change replaces header and lines, on the basis of the revision that its sender has read: of two changes based on the same revision one
wins, and the other's sender is told to read again. What was approved before is judged anew.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, update

from bridge.erp.call import Call
from bridge.erp.currencies import known_currency
from bridge.erp.orders import CancellationRow, changed_at, same_revision, total_fits
from bridge.erp.references import Rules
from bridge.erp.sales.asking import list_prices, refuse_blocked
from bridge.erp.sales.content import Header, content, total_of
from bridge.erp.sales.decisions import decide_by_rules, reason_told, told
from bridge.erp.sales.events import tell_order
from bridge.erp.sales.revisions import keep
from bridge.erp.sales.rows import KIND, Order, locked, moved, set_state, write_lines
from bridge.erp.sales.states import State
from bridge.erp.sales.tables import sales_order, sales_order_cancellation
from bridge.erp.telling import Tell
from bridge.store.clock import moment
from bridge.store.statements import Prepared, insertion

Reply = dict[str, Any]

_WRITTEN = ("state", "revision", *Header._fields, "exchange_id", "changed_at")
_UPDATE_ORDER = Prepared(
    update(sales_order)
    .where(sales_order.c.id == bindparam("of_order"))
    .values({name: bindparam(f"new_{name}") for name in _WRITTEN}),
    *(f"new_{name}" for name in _WRITTEN),
    "of_order",
)
_INSERT_CANCELLATION = insertion(sales_order_cancellation, CancellationRow)


def change_sales_order(
    request: Any,
    call: Call,
    rules: Rules = Rules(),  # noqa: B008 - frozen
    tell: Tell | None = None,
) -> Reply:
    """Replace header and lines, and judge the order anew.

    Faults: UnknownCurrency, NotFound, InvalidState, RevisionMismatch, InvalidReference (customer, price), LimitExceeded (total).
    """
    known_currency(request.order.currency, "/ChangeSalesOrder/order/currency", call)
    found = locked(call, request.orderNumber)
    state = moved(found, "change", call)
    same_revision(KIND, found, request.revision, call)
    listed = list_prices("ChangeSalesOrder", request.order, call, rules)
    header, lines = content(request.order, listed)
    total_fits(header.total, "/ChangeSalesOrder/order", call)
    refuse_blocked(header.customer, "/ChangeSalesOrder/order/customer/code", call, rules)
    keep(found, call)
    waiting = _replace(found, state, header, call)
    write_lines(found.id, lines, call.session, replace=True)
    order, decision = decide_by_rules(waiting, lines, listed, call, rules)
    if tell is not None:
        tell_order(tell, order, before=found.state, reason=reason_told(decision))
    return {
        "orderNumber": order.number,
        "state": order.state,
        "revision": order.row.revision,
        "total": total_of(header),
        "changedAt": moment(waiting.row.changed_at),
        "decision": told(decision),
    }


def cancel_sales_order(request: Any, call: Call, tell: Tell | None = None) -> Reply:
    """Call the order off. Faults: NotFound, InvalidState, RevisionMismatch."""
    found = locked(call, request.orderNumber)
    state = moved(found, "cancel", call)
    same_revision(KIND, found, request.revision, call)
    at = changed_at(found, call)
    reason = request.reason
    call.session.run(
        _INSERT_CANCELLATION, CancellationRow(found.id, reason.value, reason.language, call.exchange_id, at)
    )
    _move(found, state, call, tell)
    return {"orderNumber": found.number, "state": state, "cancelledAt": moment(at)}


def complete_sales_order(request: Any, call: Call, tell: Tell | None = None) -> Reply:
    """The order is delivered and invoiced. Faults: NotFound, InvalidState, RevisionMismatch."""
    found = locked(call, request.orderNumber)
    state = moved(found, "complete", call)
    same_revision(KIND, found, request.revision, call)
    changed = _move(found, state, call, tell)
    return {"orderNumber": found.number, "state": state, "completedAt": moment(changed.row.changed_at)}


def _move(found: Order, state: State, call: Call, tell: Tell | None) -> Order:
    changed = set_state(found, state, call)
    if tell is not None:
        tell_order(tell, changed, before=found.state)
    return changed


def _replace(found: Order, state: State, header: Header, call: Call) -> Order:
    """Write what the order is now. The order as it is then."""
    written = (state, found.row.revision + 1, *header, call.exchange_id, changed_at(found, call))
    call.session.run(_UPDATE_ORDER, (*written, found.id))
    return found._replace(row=found.row._replace(**dict[str, Any](zip(_WRITTEN, written, strict=True))))
