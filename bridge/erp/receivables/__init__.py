"""Receivables: what the operations of wsdl/erp/receivables-1.wsdl do.

    invoices.py     CreateInvoice, GetInvoice
    cancelling.py   CancelInvoice
    payments.py     RecordPayment, AllocatePayment, GetPayment
    lists.py        ListOpenItems, ListPayments
    open_items.py   what other modules ask
    content.py      pure: the contract's invoice as rows, and back
    allocating.py   pure: what of a payment goes to which invoice
    rows.py         invoices, payments and accounts in the store: found, locked, written
    events.py       pure: what is told to a CRM
    tables.py       its tables

Whoever writes locks the customer's account in that currency first: so no two payments see the same open amount.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from bridge.erp.receivables.cancelling import cancel_invoice
from bridge.erp.receivables.invoices import create_invoice, get_invoice
from bridge.erp.receivables.lists import list_open_items, list_payments
from bridge.erp.receivables.payments import allocate_payment, get_payment, record_payment
from bridge.erp.references import Rules
from bridge.erp.telling import Tell

__all__ = [
    "allocate_payment",
    "cancel_invoice",
    "create_invoice",
    "get_invoice",
    "get_payment",
    "handlers",
    "list_open_items",
    "list_payments",
    "record_payment",
]


def handlers(rules: Rules, tell: Tell | None) -> Mapping[str, Callable[[Any, Any], Any]]:
    """What answers each operation of wsdl/erp/receivables-1.wsdl. Receivables have no rules of their own."""
    return {
        "CreateInvoice": partial(create_invoice, tell=tell),
        "GetInvoice": get_invoice,
        "CancelInvoice": partial(cancel_invoice, tell=tell),
        "ListOpenItems": list_open_items,
        "RecordPayment": partial(record_payment, tell=tell),
        "AllocatePayment": partial(allocate_payment, tell=tell),
        "GetPayment": get_payment,
        "ListPayments": list_payments,
    }
