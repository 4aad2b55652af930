"""What customers owe: what other modules ask, and the list that ListOpenItems gives."""

from __future__ import annotations

from datetime import date
from typing import Final

from sqlalchemy import ColumnElement, bindparam, literal_column, select

from bridge.erp.receivables.tables import customer_account, invoice
from bridge.store import Session
from bridge.store.statements import Prepared

_accounts, _invoices = customer_account.c, invoice.c

# Without it SQLite's compiler binds the offset of a limit.
_NONE: Final[ColumnElement[int]] = literal_column("0")
_OWED = Prepared(
    select(_accounts.open - _accounts.on_account).where(
        _accounts.customer == bindparam("customer"), _accounts.currency == bindparam("currency")
    ),
    "customer",
    "currency",
)
_OVERDUE = Prepared(
    select(_invoices.id)
    .where(
        _invoices.customer == bindparam("customer"),
        _invoices.open > literal_column("0"),
        _invoices.due_date < bindparam("today"),
    )
    .limit(literal_column("1"))
    .offset(_NONE),
    "customer",
    "today",
)


def open_amount(session: Session, customer_code: str, currency: str) -> int:
    """What the customer owes in this currency (scaled, `figures.MONEY_DIGITS`): what is open of its invoices, less what it has paid
    that no invoice has. Below zero where it has paid in advance."""
    rows = session.rows(_OWED, (customer_code, currency))
    return int(rows[0][0]) if rows else 0


def overdue(session: Session, customer_code: str, today: date) -> bool:
    """Whether something is still open of an invoice, in any currency, that was due before `today`."""
    return bool(session.rows(_OVERDUE, (customer_code, str(today))))
