"""What happens in receivables, as events of wsdl/crm/events-1.wsdl: from rows to values. Pure.

Events of one customer in one currency have one ordering key, and their sequence is the revision of that account: an invoice is
told before the payment that pays it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bridge.erp.documents import day_of, without_none
from bridge.erp.receivables.content import amount_of, totals_of
from bridge.erp.receivables.rows import Account, Invoice, Payment
from bridge.erp.telling import Tell
from bridge.store.clock import moment

Event = dict[str, Any]


def tell_invoice(tell: Tell, found: Invoice, account: Account) -> None:
    """InvoiceIssued, of a new invoice."""
    event = _issued(found, account, "invoice", found.number, found.row.invoice_date, found.row.created_at)
    tell("InvoiceIssued", event, ordering_key(account))


def tell_credit_note(tell: Tell, found: Invoice, account: Account, credit_note: str, day: str) -> None:
    """InvoiceIssued, of the credit note `credit_note` of this day, by which the invoice is cancelled now."""
    event = _issued(found, account, "creditNote", credit_note, day, found.row.changed_at)
    tell("InvoiceIssued", event | {"creditNoteNumber": credit_note}, ordering_key(account))


def tell_payment(
    tell: Tell, found: Payment, account: Account, invoices: Iterable[tuple[Invoice, int]]
) -> None:
    """PaymentRecorded. `invoices` is what it is put to now, and how much of it; all as they are now."""
    row = found.row
    event = without_none(
        {
            "eventId": f"payment:{found.number}:{row.revision}",
            "occurredAt": moment(row.changed_at),
            "sequence": account.next_sequence(),
            "paymentNumber": found.number,
            "revision": row.revision,
            "customer": row.customer,
            "receivedOn": day_of(row.received_on),
            "reference": row.reference,
            "amount": amount_of(row.amount, row.currency),
            "onAccount": amount_of(row.on_account, row.currency),
            "invoice": [
                {
                    "invoiceNumber": one.number,
                    "amount": amount_of(amount, row.currency),
                    "open": amount_of(one.row.open, row.currency),
                    "state": one.state,
                }
                for one, amount in invoices
            ],
        }
    )
    tell("PaymentRecorded", event, ordering_key(account))


def ordering_key(account: Account) -> str:
    """Under which everything of an account is told. Neither has a blank in it."""
    return f"{account.customer} {account.currency}"


def _issued(
    found: Invoice, account: Account, document: str, number: str, day: str, occurred_at: int
) -> Event:
    return without_none(
        {
            "eventId": f"issued:{number}",
            "occurredAt": moment(occurred_at),
            "sequence": account.next_sequence(),
            "document": document,
            "invoiceNumber": found.number,
            "customer": found.row.customer,
            "orderReference": found.row.order_reference,
            "documentDate": day_of(day),
            "dueDate": day_of(found.row.due_date),
            **totals_of(found.header),
            "state": found.state,
        }
    )
