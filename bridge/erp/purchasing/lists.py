"""ListPurchaseOrders: page by page in the order in which the orders were made, which nothing changes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, select

from bridge.erp.call import Call, sender
from bridge.erp.documents import day_of, without_none
from bridge.erp.figures import money
from bridge.erp.instants import instant
from bridge.erp.numbers import PURCHASE_ORDER, number
from bridge.erp.pages import page
from bridge.erp.tables import purchase_order
from bridge.store.clock import moment

Reply = dict[str, Any]

_orders = purchase_order.c
_SUMMARY = (
    _orders.id,
    _orders.state,
    _orders.revision,
    _orders.buyer_reference,
    _orders.order_date,
    _orders.currency,
    _orders.supplier,
    _orders.requested_delivery,
    _orders.total,
    _orders.created_at,
    _orders.changed_at,
)


def list_purchase_orders(request: Any, call: Call) -> Reply:
    """One page. Fault: InvalidPageToken."""
    states = sorted(set(request.state))
    since = None if request.changedSince is None else instant(request.changedSince)
    ordered_from, ordered_to = request.orderedFrom, request.orderedTo
    this_list = (
        "ListPurchaseOrders",
        states,
        request.supplier,
        request.buyerReference,
        str(ordered_from),
        str(ordered_to),
        since,
    )
    wanted: list[ColumnElement[bool]] = []
    if call.own_only:
        wanted.append(_orders.partner == sender(call))
    if states:
        wanted.append(_orders.state.in_(states))
    if request.supplier is not None:
        wanted.append(_orders.supplier == request.supplier)
    if request.buyerReference is not None:
        wanted.append(_orders.buyer_reference == request.buyerReference)
    if ordered_from is not None:
        wanted.append(_orders.order_date >= str(ordered_from))
    if ordered_to is not None:
        wanted.append(_orders.order_date <= str(ordered_to))
    if since is not None:
        wanted.append(_orders.changed_at >= since)
    rows, next_page = page(request, call, select(*_SUMMARY).where(*wanted), _orders.id, *this_list)
    return without_none({"asOf": call.now, "order": [_summary(row) for row in rows], "nextPage": next_page})


def _summary(row: Any) -> Reply:
    created_at = moment(row.created_at)
    return without_none(
        {
            "orderNumber": number(PURCHASE_ORDER, row.id, created_at),
            "state": row.state,
            "revision": row.revision,
            "buyerReference": row.buyer_reference,
            "orderDate": day_of(row.order_date),
            "supplier": row.supplier,
            "requestedDelivery": day_of(row.requested_delivery),
            "total": {"value": money(row.total, row.currency), "currency": row.currency},
            "createdAt": created_at,
            "changedAt": moment(row.changed_at),
        }
    )
