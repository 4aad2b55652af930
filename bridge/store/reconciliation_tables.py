"""Tables of reconciliation: its runs, and the differences they found."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Table, Text, text

from bridge.store.tables import RowId, metadata

reconciliation = Table(
    "reconciliation",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("first_day", Text),
    Column("last_day", Text),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("outcome", Text),
    Column("reason", Text),
    # Counts of both sides, sums by currency, differences by cause: JSON, read whole.
    Column("figures", Text),
    CheckConstraint("outcome IN ('same', 'different', 'failed')", name="outcome"),
    CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name="ended"),
    Index("ix_reconciliation_rule", "rule", "id"),
    sqlite_autoincrement=True,
)
"""A run of a rule. One that has not ended is running, or its process died."""

difference = Table(
    "difference",
    metadata,
    Column("id", RowId, primary_key=True),
    Column(
        "reconciliation_id", BigInteger, ForeignKey("reconciliation.id", ondelete="CASCADE"), nullable=False
    ),
    Column("kind", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("record_key", Text, nullable=False),
    Column("source_id", Text),
    Column("target_id", Text),
    Column("state", Text, nullable=False),
    Column("delivery", Text),
    Column("repair", Text),
    Column("decided_at", BigInteger),
    Column("decided_by", Text),
    Column("decided_why", Text),
    # What differs, and what both sides have: JSON.
    Column("content", Text, nullable=False),
    CheckConstraint("kind IN ('missing', 'extra', 'fields', 'duplicate')", name="kind"),
    CheckConstraint("state IN ('open', 'repaired', 'dismissed')", name="state"),
    CheckConstraint("(state = 'open') = (decided_at IS NULL)", name="decided"),
    Index("ix_difference_reconciliation_id", "reconciliation_id", "id"),
    Index(
        "ix_difference_open",
        "reconciliation_id",
        "id",
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
    sqlite_autoincrement=True,
)
"""A difference and what was done about it. `delivery` is the last entry of the outbox that spoke of it, `repair` the one that mends it."""

__all__ = ["difference", "reconciliation"]
