"""What customers owe."""

from __future__ import annotations

from datetime import date

from bridge.store import Session


def open_amount(session: Session, customer_code: str, currency: str) -> int:
    """What the customer owes in this currency, scaled."""
    return 0


def overdue(session: Session, customer_code: str, today: date) -> bool:
    """Whether anything is overdue."""
    return False
