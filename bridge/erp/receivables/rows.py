"""Invoices, payments and customers' accounts in the store: found, locked, written.

Every handler that writes locks the account first (`lock_account`), and so reads figures that nobody else changes until its reply is
stored. That is the only lock: nobody waits for another in a ring.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from sqlalchemy import bindparam, func, literal_column, select, update

from bridge.erp.call import Call, sees
from bridge.erp.numbers import INVOICE, PAYMENT, number, row_id
from bridge.erp.receivables.allocating import State, state_of
from bridge.erp.receivables.content import Header, Line
from bridge.erp.receivables.tables import (
    customer_account,
    invoice,
    invoice_line,
    payment,
    payment_allocation,
)
from bridge.store import Session
from bridge.store.clock import moment, stored
from bridge.store.statements import ByKeys, Prepared, insertion


class InvoiceRow(NamedTuple):
    """A row of `invoice`, without the id that the database gives."""

    partner: str
    request_id: str
    state: str
    customer: str
    currency: str
    invoice_date: str
    due_date: str
    order_reference: str | None
    net: int
    tax: int
    total: int
    paid: int
    credited: int
    open: int
    details: str
    exchange_id: str
    created_at: int
    changed_at: int


class Invoice(NamedTuple):
    """An invoice as it is stored, without its lines."""

    id: int
    row: InvoiceRow

    @property
    def number(self) -> str:
        return number(INVOICE, self.id, moment(self.row.created_at))

    @property
    def state(self) -> State:
        return cast("State", self.row.state)  # the table's CHECK admits no other

    @property
    def header(self) -> Header:
        return Header(*(getattr(self.row, name) for name in Header._fields))


class PaymentRow(NamedTuple):
    """A row of `payment`, without the id that the database gives."""

    partner: str
    request_id: str
    revision: int
    customer: str
    currency: str
    received_on: str
    reference: str | None
    amount: int
    allocated: int
    on_account: int
    details: str
    exchange_id: str
    created_at: int
    changed_at: int


class Payment(NamedTuple):
    """A payment as it is stored."""

    id: int
    row: PaymentRow

    @property
    def number(self) -> str:
        return number(PAYMENT, self.id, moment(self.row.created_at))


class LineRow(NamedTuple):
    """A row of `invoice_line`: the invoice's id, then a `Line`."""

    invoice_id: int
    line_number: int
    position: int
    sku: str
    item: str
    quantity: int
    unit: str
    unit_price: int
    tax_rate: int | None
    amount: int


class AllocationRow(NamedTuple):
    """A row of `payment_allocation`."""

    payment_id: int
    entry: int
    invoice_id: int
    amount: int
    exchange_id: str
    allocated_at: int


class AccountRow(NamedTuple):
    """A row of `customer_account`."""

    customer: str
    currency: str
    open: int
    on_account: int
    revision: int


@dataclass(slots=True)
class Account:
    """A customer's account in a currency, locked; what is changed in it, `write_account` has to write."""

    customer: str
    currency: str
    open: int
    on_account: int
    revision: int

    def next_sequence(self) -> int:
        """The place of what has just happened among all that happens here."""
        self.revision += 1
        return self.revision


_accounts, _invoices, _lines = customer_account.c, invoice.c, invoice_line.c
_payments, _allocations = payment.c, payment_allocation.c
_INVOICE = (_invoices.id, *(_invoices[name] for name in InvoiceRow._fields))
_PAYMENT = (_payments.id, *(_payments[name] for name in PaymentRow._fields))

INSERT_INVOICE = insertion(
    invoice, InvoiceRow, returning=_invoices.id, unless_there=("partner", "request_id")
)
INSERT_LINE = insertion(invoice_line, LineRow)
INSERT_PAYMENT = insertion(
    payment, PaymentRow, returning=_payments.id, unless_there=("partner", "request_id")
)
INSERT_ALLOCATION = insertion(payment_allocation, AllocationRow)

_INSERT_ACCOUNT = insertion(customer_account, AccountRow, unless_there=("customer", "currency"))
_LOCKED_ACCOUNT = ByKeys(
    "SELECT customer, currency, open, on_account, revision FROM customer_account "
    "WHERE (customer, currency) IN (VALUES {keys}){lock}",
    width=2,
)
_WRITE_ACCOUNT = Prepared(
    update(customer_account)
    .where(_accounts.customer == bindparam("of_customer"), _accounts.currency == bindparam("of_currency"))
    .values(
        open=bindparam("new_open"), on_account=bindparam("new_on_account"), revision=bindparam("new_revision")
    ),
    "new_open",
    "new_on_account",
    "new_revision",
    "of_customer",
    "of_currency",
)
_INVOICE_BY_ID = Prepared(select(*_INVOICE).where(_invoices.id == bindparam("id")), "id")
_INVOICE_BY_REQUEST = Prepared(
    select(*_INVOICE).where(
        _invoices.partner == bindparam("partner"), _invoices.request_id == bindparam("request_id")
    ),
    "partner",
    "request_id",
)
_INVOICES_BY_ID = ByKeys(
    f"SELECT {', '.join(column.name for column in _INVOICE)} FROM invoice WHERE id IN ({{keys}})",  # noqa: S608 - names of columns
    width=1,
)
_OPEN_OF_ACCOUNT = Prepared(
    select(*_INVOICE)
    .where(
        _invoices.customer == bindparam("customer"),
        _invoices.currency == bindparam("currency"),
        _invoices.open > literal_column("0"),
    )
    .order_by(_invoices.due_date, _invoices.id),
    "customer",
    "currency",
)
_LINES_OF = Prepared(
    select(*(_lines[name] for name in Line._fields))
    .where(_lines.invoice_id == bindparam("invoice_id"))
    .order_by(_lines.position),
    "invoice_id",
)
_WRITE_INVOICE = Prepared(
    update(invoice)
    .where(_invoices.id == bindparam("of_id"))
    .values({name: bindparam(f"new_{name}") for name in ("state", "paid", "credited", "open", "changed_at")}),
    "new_state",
    "new_paid",
    "new_credited",
    "new_open",
    "new_changed_at",
    "of_id",
)
_PAYMENT_BY_ID = Prepared(select(*_PAYMENT).where(_payments.id == bindparam("id")), "id")
_PAYMENT_BY_REQUEST = Prepared(
    select(*_PAYMENT).where(
        _payments.partner == bindparam("partner"), _payments.request_id == bindparam("request_id")
    ),
    "partner",
    "request_id",
)
_WRITE_PAYMENT = Prepared(
    update(payment)
    .where(_payments.id == bindparam("of_id"))
    .values(
        {name: bindparam(f"new_{name}") for name in ("revision", "allocated", "on_account", "changed_at")}
    ),
    "new_revision",
    "new_allocated",
    "new_on_account",
    "new_changed_at",
    "of_id",
)
_BY_INVOICE = Prepared(
    select(_allocations.invoice_id, func.sum(_allocations.amount))
    .where(_allocations.payment_id == bindparam("payment_id"))
    .group_by(_allocations.invoice_id)
    .having(func.sum(_allocations.amount) != literal_column("0"))
    .order_by(_allocations.invoice_id),
    "payment_id",
)
_BY_PAYMENT = Prepared(
    select(_allocations.payment_id, func.sum(_allocations.amount))
    .where(_allocations.invoice_id == bindparam("invoice_id"))
    .group_by(_allocations.payment_id)
    .having(func.sum(_allocations.amount) != literal_column("0"))
    .order_by(_allocations.payment_id),
    "invoice_id",
)
_LAST_ENTRY = Prepared(
    select(func.coalesce(func.max(_allocations.entry), literal_column("0"))).where(
        _allocations.payment_id == bindparam("payment_id")
    ),
    "payment_id",
)


# -- accounts


def lock_account(session: Session, customer: str, currency: str) -> Account:
    """The account, which nobody else writes to until this transaction ends; one that was not there begins at zero."""
    session.run(_INSERT_ACCOUNT, AccountRow(customer, currency, 0, 0, 0))
    return Account(*session.rows_for(_LOCKED_ACCOUNT, [(customer, currency)])[0])


def write_account(session: Session, account: Account) -> None:
    """Write a locked account as it is now."""
    session.run(
        _WRITE_ACCOUNT,
        (account.open, account.on_account, account.revision, account.customer, account.currency),
    )


# -- invoices


def invoice_by_number(session: Session, call: Call, invoice_number: str) -> Invoice | None:
    """The invoice of this number, where the caller may see it; another year with the same digits is nobody's."""
    rows = session.rows(_INVOICE_BY_ID, (row_id(invoice_number),))
    found = Invoice(rows[0][0], InvoiceRow(*rows[0][1:])) if rows else None
    if found is None or found.number != invoice_number or not sees(call, found.row.partner):
        return None
    return found


def invoice_by_request(session: Session, partner: str, request_id: str) -> Invoice | None:
    """The invoice that this sender's request issued."""
    rows = session.rows(_INVOICE_BY_REQUEST, (partner, request_id))
    return Invoice(rows[0][0], InvoiceRow(*rows[0][1:])) if rows else None


def invoices_by_id(session: Session, ids: Iterable[int]) -> dict[int, Invoice]:
    """Invoices by their row."""
    rows = session.rows_for(_INVOICES_BY_ID, [(one,) for one in sorted(set(ids))])
    return {row[0]: Invoice(row[0], InvoiceRow(*row[1:])) for row in rows}


def open_invoices(session: Session, account: Account) -> list[Invoice]:
    """The account's invoices of which something is open, the earliest due first."""
    rows = session.rows(_OPEN_OF_ACCOUNT, (account.customer, account.currency))
    return [Invoice(row[0], InvoiceRow(*row[1:])) for row in rows]


def lines_of(session: Session, invoice_id: int) -> list[Line]:
    """The invoice's lines, as they were sent."""
    return [Line(*row) for row in session.rows(_LINES_OF, (invoice_id,))]


def write_invoice(session: Session, found: Invoice, call: Call, **figures: Any) -> Invoice:
    """Write `paid`, `credited`, `open`, `state` of an invoice whose account is locked. The invoice as it is then."""
    row = found.row._replace(**figures, changed_at=later(found.row.changed_at, call))
    session.run(_WRITE_INVOICE, (row.state, row.paid, row.credited, row.open, row.changed_at, found.id))
    return found._replace(row=row)


def pay(session: Session, found: Invoice, amount: int, call: Call) -> Invoice:
    """Put `amount` (at most what is open) to an invoice, or below zero take it off. The invoice as it is then."""
    paid = found.row.paid + amount
    return write_invoice(
        session, found, call, paid=paid, open=found.row.open - amount, state=state_of(found.row.total, paid)
    )


# -- payments


def payment_by_number(session: Session, call: Call, payment_number: str) -> Payment | None:
    """The payment of this number, where the caller may see it."""
    rows = session.rows(_PAYMENT_BY_ID, (row_id(payment_number),))
    found = Payment(rows[0][0], PaymentRow(*rows[0][1:])) if rows else None
    if found is None or found.number != payment_number or not sees(call, found.row.partner):
        return None
    return found


def payment_by_request(session: Session, partner: str, request_id: str) -> Payment | None:
    """The payment that this sender's request recorded."""
    rows = session.rows(_PAYMENT_BY_REQUEST, (partner, request_id))
    return Payment(rows[0][0], PaymentRow(*rows[0][1:])) if rows else None


def payment_by_id(session: Session, payment_id: int) -> Payment:
    """A payment that is there, by its row."""
    row = session.rows(_PAYMENT_BY_ID, (payment_id,))[0]
    return Payment(row[0], PaymentRow(*row[1:]))


def put(
    session: Session, found: Payment, amounts: Mapping[int, int], call: Call, *, at: int, revision: int
) -> Payment:
    """Write that a payment, whose account is locked, is put to invoices. The payment as it is then.

    Args:
        amounts: by the invoice's row; below zero: taken off again.
        at: when, as it is stored.
        revision: of the payment from now on.
    """
    moved = sum(amounts.values())
    ((last,),) = session.rows(_LAST_ENTRY, (found.id,))
    session.run_many(
        INSERT_ALLOCATION,
        [
            AllocationRow(found.id, entry, invoice_id, amount, call.exchange_id, at)
            for entry, (invoice_id, amount) in enumerate(amounts.items(), last + 1)
        ],
    )
    row = found.row._replace(
        allocated=found.row.allocated + moved,
        on_account=found.row.on_account - moved,
        revision=revision,
        changed_at=at,
    )
    session.run(_WRITE_PAYMENT, (row.revision, row.allocated, row.on_account, row.changed_at, found.id))
    return found._replace(row=row)


def amounts_of_payment(session: Session, payment_id: int) -> dict[int, int]:
    """What a payment is put to now: amount by the invoice's row."""
    # PostgreSQL adds BIGINTs up to a NUMERIC.
    return {one: int(amount) for one, amount in session.rows(_BY_INVOICE, (payment_id,))}


def amounts_of_invoice(session: Session, invoice_id: int) -> dict[int, int]:
    """What is put to an invoice now: amount by the payment's row."""
    return {one: int(amount) for one, amount in session.rows(_BY_PAYMENT, (invoice_id,))}


def later(changed_at: int, call: Call) -> int:
    """The time of what this request does, as it is stored: later than all that was done before, also where an earlier request waited
    for this one, or a clock was set back."""
    return max(stored(call.now), changed_at + 1)


def not_found(call: Call, kind: str, identifier: str) -> Exception:
    return call.fault("NotFound", missing=[{"kind": kind, "identifier": identifier}])
