"""What credit a customer has, as the other modules ask for it."""

from __future__ import annotations

from typing import NamedTuple

from bridge.store import Session


class Money(NamedTuple):
    """A scaled amount (`figures.MONEY_DIGITS`) with its currency."""

    amount: int
    currency: str


class Credit(NamedTuple):
    """What credit a customer has."""

    grade: str | None
    limit: Money | None
    blocked: bool
    name: str


def credit_of(session: Session, customer_code: str) -> Credit | None:
    """The credit of a customer as it stands; None where there is no such customer."""
    return None
