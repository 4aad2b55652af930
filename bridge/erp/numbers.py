"""Document numbers: `PO-2026-000123` is the row 123, made in 2026 (UTC). Nothing is ever deleted, so none is used twice.

They count up over the years. PostgreSQL leaves gaps: it gives a number once, also to what is then rolled back.
"""

from __future__ import annotations

from datetime import datetime

PURCHASE_ORDER = "PO"
STOCK_DOCUMENT = "SM"
RESERVATION = "SR"
STOCK_COUNT = "SC"
INVOICE = "IN"
CREDIT_NOTE = "CN"
PAYMENT = "PY"
SALES_ORDER = "SO"
SALES_RETURN = "RT"


def number(kind: str, row_id: int, created_at: datetime) -> str:
    """The number of a row."""
    return f"{kind}-{created_at.year:04d}-{row_id:06d}"


def row_id(document_number: str) -> int:
    """The row that a number points to. Whether the number is really that row's, its year tells: make it again."""
    return int(document_number.rpartition("-")[2])
