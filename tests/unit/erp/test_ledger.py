"""The head of a stock document: which day it belongs to in the books."""

from __future__ import annotations

from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

from bridge.erp.ledger import heading


def test_without_a_posting_date_it_is_the_day_where_the_business_is() -> None:
    call: Any = SimpleNamespace(
        now=datetime(2025, 12, 31, 23, 0, tzinfo=UTC),
        today=date(2026, 1, 1),  # as it is in Shanghai at that time
        partner=None,
        exchange_id="E-1",
    )
    assert heading(call, "R-1", movement_count=1).posting_date == "2026-01-01"
    assert (
        heading(call, "R-1", movement_count=1, posting_date=date(2025, 12, 30)).posting_date == "2025-12-30"
    )
