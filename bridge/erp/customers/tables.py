"""Tables of the customers, in the store's metadata. What makes them is the store's migrations."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from bridge.store.tables import RowId, metadata

customer = Table(
    "customer",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("code", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("country", Text, nullable=False),
    Column("external_reference", Text),
    Column("blocked", SmallInteger, nullable=False),
    Column("merged_into", Text, ForeignKey("customer.code")),
    Column("credit_grade", Text),
    Column("credit_limit", BigInteger),
    Column("credit_currency", Text),
    # The customer as the contract's element, as it was sent, and what cleansing made of it: JSON, read whole.
    Column("details", Text, nullable=False),
    Column("normal", Text, nullable=False),
    Column("exchange_id", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    UniqueConstraint("code"),
    CheckConstraint("blocked IN (0, 1)", name="blocked"),
    CheckConstraint("revision >= 1", name="revision"),
    CheckConstraint("credit_limit BETWEEN 0 AND 999999999999999999", name="credit_limit"),
    CheckConstraint("(credit_limit IS NULL) = (credit_currency IS NULL)", name="credit"),
    CheckConstraint("merged_into <> code", name="merged_into"),
)
"""Nothing is ever deleted: what is no longer used is blocked, or merged into another. `credit_limit` is scaled."""

Index("ix_customer_changed_at", customer.c.changed_at)
Index("ix_customer_external_reference", customer.c.external_reference)

customer_match = Table(
    "customer_match",
    metadata,
    Column("match_key", BigInteger, primary_key=True, autoincrement=False),
    Column("customer_id", BigInteger, ForeignKey("customer.id"), primary_key=True, autoincrement=False),
    Index("ix_customer_match_customer_id", "customer_id"),
    sqlite_with_rowid=False,
)
"""By what a customer is found: digests of its names, numbers and addresses in normal form (`duplicates.py`)."""
