"""What credit a customer has, as the other modules ask for it."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import bindparam, select

from bridge.erp.customers.tables import customer
from bridge.erp.documents import unpacked
from bridge.store import Session
from bridge.store.statements import Prepared


class Money(NamedTuple):
    """A scaled amount (`figures.MONEY_DIGITS`) with its currency."""

    amount: int
    currency: str


class Credit(NamedTuple):
    """What credit a customer has.

    Args:
        grade: A (very good) to D (only in advance); None where nobody has decided.
        limit: the most that may be open, at least 0; None where no limit was agreed, which is not the same as 0.
        blocked: it gets no new documents, because it is blocked or was merged into another.
        name: its legal name, as it was sent.
    """

    grade: str | None
    limit: Money | None
    blocked: bool
    name: str


_customers = customer.c
_CREDIT = Prepared(
    select(
        _customers.credit_grade,
        _customers.credit_limit,
        _customers.credit_currency,
        _customers.blocked,
        _customers.merged_into,
        _customers.details,
    ).where(_customers.code == bindparam("code")),
    "code",
)


def credit_of(session: Session, customer_code: str) -> Credit | None:
    """The credit of a customer as it stands; None where there is no such customer."""
    found = session.rows(_CREDIT, (customer_code,))
    if not found:
        return None
    grade, limit, currency, blocked, merged_into, details = found[0]
    return Credit(
        grade,
        None if limit is None else Money(limit, currency),
        bool(blocked) or merged_into is not None,
        unpacked(details)["name"],
    )
