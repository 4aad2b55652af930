"""What open sales orders still need."""

from __future__ import annotations

from datetime import date, datetime

from bridge.store import Session


def open_quantities(session: Session, sku: str, *, now: datetime | None = None) -> list[tuple[date, int]]:
    """(day, scaled quantity) of what is still to be delivered of an item, without what is reserved for it."""
    return []
