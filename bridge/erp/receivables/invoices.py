"""CreateInvoice and GetInvoice.

A request id makes one invoice, whatever happens: it is unique per sender in the database.
"""

from __future__ import annotations

from typing import Any

from bridge.erp.call import Call, sender
from bridge.erp.currencies import known_currency
from bridge.erp.documents import day_of
from bridge.erp.figures import LARGEST, MONEY_DIGITS, plain
from bridge.erp.numbers import PAYMENT, number
from bridge.erp.receivables.allocating import state_of
from bridge.erp.receivables.cancelling import cancellation_of
from bridge.erp.receivables.content import (
    Header,
    amount_of,
    by_rate,
    content,
    invoice_of,
    rates_told,
    totals_of,
)
from bridge.erp.receivables.events import tell_invoice
from bridge.erp.receivables.rows import (
    INSERT_INVOICE,
    INSERT_LINE,
    Account,
    Invoice,
    InvoiceRow,
    amounts_of_invoice,
    invoice_by_number,
    invoice_by_request,
    lines_of,
    lock_account,
    not_found,
    payment_by_id,
    write_account,
)
from bridge.erp.telling import Tell
from bridge.store import Session
from bridge.store.clock import moment, stored

Reply = dict[str, Any]

_PATH = "/CreateInvoice/invoice"


def create_invoice(request: Any, call: Call, tell: Tell | None = None) -> Reply:
    """Issue an invoice. Faults: UnknownCurrency, LimitExceeded (total, or what the customer owes), KeyReused."""
    known_currency(request.invoice.currency, f"{_PATH}/currency", call)
    header, lines = content(request.invoice)
    _fits(header.total, LARGEST, call)
    session = call.session
    account = lock_account(session, header.customer, header.currency)
    now = stored(call.now)
    row = InvoiceRow(
        sender(call),
        request.requestId,
        state_of(header.total, 0),
        *header[:-1],
        paid=0,
        credited=0,
        open=header.total,
        details=header.details,
        exchange_id=call.exchange_id,
        created_at=now,
        changed_at=now,
    )
    made = session.rows(INSERT_INVOICE, row)
    if not made:
        first = invoice_by_request(session, row.partner, row.request_id)
        assert first is not None
        raise call.fault("KeyReused", requestId=row.request_id, firstUsedAt=moment(first.row.created_at))
    _fits(header.total, LARGEST - account.open, call)
    issued = Invoice(made[0][0], row)
    session.run_many(INSERT_LINE, [(issued.id, *line) for line in lines])
    account.open += header.total
    _told(tell, issued, account)
    write_account(session, account)
    call.reference = issued.number
    return {
        "invoiceNumber": issued.number,
        "state": issued.state,
        **totals_of(header),
        "dueDate": day_of(header.due_date),
        "createdAt": moment(now),
    }


def get_invoice(request: Any, call: Call) -> Reply:
    """The invoice as it stands. Fault: NotFound."""
    wanted, session = request.invoice, call.reading
    if wanted.invoiceNumber is not None:
        found = invoice_by_number(session, call, wanted.invoiceNumber)
        missing = ("invoice", wanted.invoiceNumber)
    else:
        found = invoice_by_request(session, sender(call), wanted.requestId)
        missing = ("request", wanted.requestId)
    if found is None:
        raise not_found(call, *missing)
    call.reference = found.number
    header: Header = found.header
    lines = lines_of(session, found.id)
    currency = header.currency
    return {
        "invoiceNumber": found.number,
        "state": found.state,
        "createdAt": moment(found.row.created_at),
        "changedAt": moment(found.row.changed_at),
        **totals_of(header),
        "taxOfRate": rates_told(by_rate(lines, currency), currency),
        "dueDate": day_of(header.due_date),
        "paid": amount_of(found.row.paid, currency),
        "open": amount_of(found.row.open, currency),
        "invoice": invoice_of(header, lines),
        "payment": _payments(found, session),
        "cancellation": cancellation_of(found, session),
    }


def _payments(found: Invoice, session: Session) -> list[Reply]:
    return [
        {
            "paymentNumber": number(
                PAYMENT, payment_id, moment(payment_by_id(session, payment_id).row.created_at)
            ),
            "amount": amount_of(amount, found.row.currency),
        }
        for payment_id, amount in amounts_of_invoice(session, found.id).items()
    ]


def _fits(total: int, most: int, call: Call) -> None:
    if total > most:
        raise call.fault(
            "LimitExceeded",
            limit="documentTotal",
            allowed=plain(most, MONEY_DIGITS),
            actual=plain(total, MONEY_DIGITS),
            path=_PATH,
        )


def _told(tell: Tell | None, issued: Invoice, account: Account) -> None:
    if tell is None:
        account.next_sequence()
    else:
        tell_invoice(tell, issued, account)
