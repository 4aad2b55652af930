"""What can be promised."""

from __future__ import annotations

from datetime import date, datetime

from bridge.store import Session


def available_to_promise(
    session: Session, sku: str, *, warehouse: str | None = None, on: date, now: datetime
) -> int:
    """How much of the item can be promised for the day, scaled."""
    return 0
