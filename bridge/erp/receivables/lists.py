"""ListOpenItems and ListPayments: page by page in the order in which they were made, which nothing changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Table, select

from bridge.erp.call import Call, sender
from bridge.erp.documents import day_of, without_none
from bridge.erp.instants import instant
from bridge.erp.numbers import INVOICE, PAYMENT, number
from bridge.erp.paging import BadToken, position, token
from bridge.erp.receivables.content import amount_of
from bridge.erp.receivables.tables import invoice, payment
from bridge.store.clock import moment

Reply = dict[str, Any]

PAGE = 100
"""Entries on a page whose size the caller does not say."""

_invoices, _payments = invoice.c, payment.c


def list_open_items(request: Any, call: Call) -> Reply:
    """One page of what customers owe. Fault: InvalidPageToken.

    With `changedSince` also what is settled: whoever keeps a copy must learn that nothing is open any more.
    """
    since = None if request.changedSince is None else instant(request.changedSince)
    overdue = bool(request.overdue)
    this_list = ("ListOpenItems", request.customer, request.currency, overdue, since)

    def wanted() -> Iterator[ColumnElement[bool]]:
        yield from _of_account(invoice, request, call)
        if since is None or overdue:
            yield _invoices.open > 0
        if since is not None:
            yield _invoices.changed_at >= since
        if overdue:
            yield _invoices.due_date < str(call.today)

    rows, following = _page(invoice, wanted(), this_list, request, call)
    return {"asOf": call.now, "item": [_open_item(row, call.today) for row in rows], **following}


def list_payments(request: Any, call: Call) -> Reply:
    """One page of payments. Fault: InvalidPageToken."""
    since = None if request.changedSince is None else instant(request.changedSince)
    received_from, received_to = request.receivedFrom, request.receivedTo
    on_account = bool(request.onAccount)
    this_list = (
        "ListPayments",
        request.customer,
        request.currency,
        str(received_from),
        str(received_to),
        on_account,
        since,
    )

    def wanted() -> Iterator[ColumnElement[bool]]:
        yield from _of_account(payment, request, call)
        if received_from is not None:
            yield _payments.received_on >= str(received_from)
        if received_to is not None:
            yield _payments.received_on <= str(received_to)
        if on_account:
            yield _payments.on_account > 0
        if since is not None:
            yield _payments.changed_at >= since

    rows, following = _page(payment, wanted(), this_list, request, call)
    return {"asOf": call.now, "payment": [_payment(row) for row in rows], **following}


def _of_account(table: Table, request: Any, call: Call) -> Iterator[ColumnElement[bool]]:
    if call.own_only:
        yield table.c.partner == sender(call)
    if request.customer is not None:
        yield table.c.customer == request.customer
    if request.currency is not None:
        yield table.c.currency == request.currency


def _page(
    table: Table,
    wanted: Iterator[ColumnElement[bool]],
    this_list: tuple[object, ...],
    request: Any,
    call: Call,
) -> tuple[list[Any], Reply]:
    """The rows of the page that the request asks for, and `nextPage` where there is another one. Fault: InvalidPageToken."""
    try:
        last = 0 if request.pageToken is None else position(request.pageToken, *this_list)
    except BadToken as error:
        raise call.fault("InvalidPageToken", pageToken=request.pageToken, reason=error.reason) from None
    size = request.pageSize or PAGE
    # One more than asked for tells whether there is another page.
    query = select(table).where(table.c.id > last, *wanted).order_by(table.c.id).limit(size + 1)
    rows = list(call.reading.execute(query).all())
    if len(rows) <= size:
        return rows, {}
    return rows[:size], {"nextPage": token(rows[size - 1].id, *this_list)}


def _open_item(row: Any, today: date) -> Reply:
    due, created_at = date.fromisoformat(row.due_date), moment(row.created_at)
    return without_none(
        {
            "invoiceNumber": number(INVOICE, row.id, created_at),
            "state": row.state,
            "customer": row.customer,
            "orderReference": row.order_reference,
            "invoiceDate": day_of(row.invoice_date),
            "dueDate": due,
            "daysOverdue": max((today - due).days, 0) if row.open else 0,
            "total": amount_of(row.total, row.currency),
            "open": amount_of(row.open, row.currency),
            "createdAt": created_at,
            "changedAt": moment(row.changed_at),
        }
    )


def _payment(row: Any) -> Reply:
    created_at = moment(row.created_at)
    return without_none(
        {
            "paymentNumber": number(PAYMENT, row.id, created_at),
            "revision": row.revision,
            "customer": row.customer,
            "receivedOn": day_of(row.received_on),
            "reference": row.reference,
            "amount": amount_of(row.amount, row.currency),
            "allocated": amount_of(row.allocated, row.currency),
            "onAccount": amount_of(row.on_account, row.currency),
            "createdAt": created_at,
            "changedAt": moment(row.changed_at),
        }
    )
