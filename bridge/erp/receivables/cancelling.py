"""CancelInvoice: a credit note over the whole invoice.

An invoice that is issued is never changed or removed. The credit note takes back its total; what payments had put to it goes back to
them, and so to the customer's account.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import bindparam, select

from bridge.erp.call import Call
from bridge.erp.documents import note_of
from bridge.erp.numbers import CREDIT_NOTE, number
from bridge.erp.receivables.content import amount_of
from bridge.erp.receivables.events import tell_credit_note, tell_payment
from bridge.erp.receivables.rows import (
    Account,
    Invoice,
    Payment,
    amounts_of_invoice,
    amounts_of_payment,
    invoice_by_number,
    invoices_by_id,
    later,
    lock_account,
    not_found,
    payment_by_id,
    put,
    write_account,
    write_invoice,
)
from bridge.erp.receivables.tables import credit_note
from bridge.erp.telling import Tell
from bridge.store import Session
from bridge.store.clock import moment
from bridge.store.statements import Prepared, insertion

Reply = dict[str, Any]


class CreditNoteRow(NamedTuple):
    """A row of `credit_note`, without the id that the database gives."""

    invoice_id: int
    total: int
    reason: str
    reason_language: str | None
    exchange_id: str
    created_at: int


_notes = credit_note.c
_INSERT_NOTE = insertion(credit_note, CreditNoteRow, returning=_notes.id)
_NOTE_OF = Prepared(
    select(_notes.id, _notes.reason, _notes.reason_language, _notes.created_at).where(
        _notes.invoice_id == bindparam("invoice_id")
    ),
    "invoice_id",
)


def cancel_invoice(request: Any, call: Call, tell: Tell | None = None) -> Reply:
    """Take an invoice back. Faults: NotFound, InvalidState (it was taken back before)."""
    session = call.session
    seen = invoice_by_number(session, call, request.invoiceNumber)
    if seen is None:
        raise not_found(call, "invoice", request.invoiceNumber)
    account = lock_account(session, seen.row.customer, seen.row.currency)
    found = invoices_by_id(session, [seen.id])[seen.id]
    if found.state == "cancelled":
        raise call.fault(
            "InvalidState",
            kind="invoice",
            identifier=found.number,
            state=found.state,
            allowed=["open", "partiallyPaid", "paid"],
        )
    freed = _freed(found, session, call)
    account.open -= found.row.open
    account.on_account += found.row.paid
    cancelled = write_invoice(
        session, found, call, state="cancelled", paid=0, credited=found.row.total, open=0
    )
    at = cancelled.row.changed_at
    reason = request.reason
    note_id: int = session.rows(
        _INSERT_NOTE,
        CreditNoteRow(found.id, found.row.total, reason.value, reason.language, call.exchange_id, at),
    )[0][0]
    note_number = number(CREDIT_NOTE, note_id, moment(at))
    if tell is None:
        account.next_sequence()
    else:
        tell_credit_note(tell, cancelled, account, note_number, str(call.today))
        _tell_freed(tell, freed, account, session)
    write_account(session, account)
    call.reference = found.number
    currency = found.row.currency
    return {
        "invoiceNumber": found.number,
        "state": cancelled.state,
        "creditNoteNumber": note_number,
        "credited": amount_of(found.row.total, currency),
        "onAccount": amount_of(found.row.paid, currency),
        "cancelledAt": moment(at),
    }


def cancellation_of(found: Invoice, session: Session) -> Reply | None:
    """The contract's Cancellation; None of an invoice that was not taken back."""
    if found.state != "cancelled":
        return None
    note_id, reason, language, created_at = session.rows(_NOTE_OF, (found.id,))[0]
    return {
        "creditNoteNumber": number(CREDIT_NOTE, note_id, moment(created_at)),
        "cancelledAt": moment(created_at),
        "reason": note_of(reason, language),
    }


def _freed(found: Invoice, session: Session, call: Call) -> list[Payment]:
    """The payments that were put to the invoice, as they are without it."""
    freed = []
    for payment_id, amount in amounts_of_invoice(session, found.id).items():
        paid = payment_by_id(session, payment_id)
        at = later(paid.row.changed_at, call)
        freed.append(put(session, paid, {found.id: -amount}, call, at=at, revision=paid.row.revision + 1))
    return freed


def _tell_freed(tell: Tell, freed: list[Payment], account: Account, session: Session) -> None:
    for one in freed:
        amounts = amounts_of_payment(session, one.id)
        invoices = invoices_by_id(session, amounts)
        tell_payment(tell, one, account, [(invoices[invoice], amount) for invoice, amount in amounts.items()])
