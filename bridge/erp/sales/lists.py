"""ListOpenOrders and ListApprovals: page by page in the order in which the orders were made, which nothing changes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, select

from bridge.erp.call import Call, sender
from bridge.erp.documents import day_of, unpacked, without_none
from bridge.erp.instants import instant
from bridge.erp.numbers import SALES_ORDER, number
from bridge.erp.pages import page
from bridge.erp.sales.content import amount_of
from bridge.erp.sales.decisions import latest_of, told
from bridge.erp.sales.states import OPEN
from bridge.erp.sales.tables import sales_order
from bridge.store.clock import moment

Reply = dict[str, Any]

_orders = sales_order.c
_SUMMARY = (
    _orders.id,
    _orders.state,
    _orders.revision,
    _orders.customer_reference,
    _orders.order_date,
    _orders.currency,
    _orders.customer,
    _orders.requested_delivery,
    _orders.total,
    _orders.created_at,
    _orders.changed_at,
)


def list_open_orders(request: Any, call: Call) -> Reply:
    """One page. Fault: InvalidPageToken."""
    states = sorted(set(request.state)) or list(OPEN)
    since = None if request.changedSince is None else instant(request.changedSince)
    this_list = ("ListOpenOrders", states, request.customer, request.customerReference, since)
    wanted = [_orders.state.in_(states), *_of(request.customer, call)]
    if request.customerReference is not None:
        wanted.append(_orders.customer_reference == request.customerReference)
    if since is not None:
        wanted.append(_orders.changed_at >= since)
    rows, next_page = page(request, call, select(*_SUMMARY).where(*wanted), _orders.id, *this_list)
    return without_none({"asOf": call.now, "order": [_summary(row) for row in rows], "nextPage": next_page})


def list_approvals(request: Any, call: Call) -> Reply:
    """One page. Fault: InvalidPageToken."""
    query = select(*_SUMMARY, _orders.details).where(_orders.state == "waiting", *_of(request.customer, call))
    rows, next_page = page(request, call, query, _orders.id, "ListApprovals", request.customer)
    latest = latest_of(call.reading, [row.id for row in rows])
    approvals = [
        {
            "order": _summary(row),
            "customerName": unpacked(row.details)["customer"]["name"],
            "decision": told(latest[row.id]),
        }
        for row in rows
    ]
    return without_none({"asOf": call.now, "approval": approvals, "nextPage": next_page})


def _of(customer: str | None, call: Call) -> list[ColumnElement[bool]]:
    """Of the customer, where one is named, and only what the caller may see."""
    wanted: list[ColumnElement[bool]] = []
    if call.own_only:
        wanted.append(_orders.partner == sender(call))
    if customer is not None:
        wanted.append(_orders.customer == customer)
    return wanted


def _summary(row: Any) -> Reply:
    created_at = moment(row.created_at)
    return without_none(
        {
            "orderNumber": number(SALES_ORDER, row.id, created_at),
            "state": row.state,
            "revision": row.revision,
            "customerReference": row.customer_reference,
            "orderDate": day_of(row.order_date),
            "customer": row.customer,
            "requestedDelivery": day_of(row.requested_delivery),
            "total": amount_of(row.total, row.currency),
            "createdAt": created_at,
            "changedAt": moment(row.changed_at),
        }
    )
