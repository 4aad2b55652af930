"""Tables of receivables, in the store's metadata; figures, moments and days as in `bridge/erp/tables.py`.

Amounts are scaled by ten thousand (`figures.py`). The sums that rows keep beside their parts are CHECKed against each other, and
change only while the customer's account in that currency is locked.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from bridge.store.tables import RowId, metadata

_SOME_IS_OPEN = text("open > 0")

customer_account = Table(
    "customer_account",
    metadata,
    Column("customer", Text, primary_key=True),
    Column("currency", Text, primary_key=True),
    Column("open", BigInteger, nullable=False),
    Column("on_account", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    CheckConstraint("open BETWEEN 0 AND 999999999999999999", name="open"),
    CheckConstraint("on_account BETWEEN 0 AND 999999999999999999", name="on_account"),
    sqlite_with_rowid=False,
)
"""What a customer owes in a currency, and what of its payments no invoice has: sums of `invoice.open` and `payment.on_account`.
`revision` is one more for everything that happens here."""

invoice = Table(
    "invoice",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("partner", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("customer", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("invoice_date", Text, nullable=False),
    Column("due_date", Text, nullable=False),
    Column("order_reference", Text),
    Column("net", BigInteger, nullable=False),
    Column("tax", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("paid", BigInteger, nullable=False),
    Column("credited", BigInteger, nullable=False),
    Column("open", BigInteger, nullable=False),
    # Parties, references, terms and notes as the contract's elements, JSON: read whole, never searched.
    Column("details", Text, nullable=False),
    Column("exchange_id", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    UniqueConstraint("partner", "request_id"),
    CheckConstraint("state IN ('open', 'partiallyPaid', 'paid', 'cancelled')", name="state"),
    CheckConstraint("total BETWEEN 0 AND 999999999999999999", name="total"),
    CheckConstraint("net >= 0 AND tax >= 0 AND total = net + tax", name="parts"),
    CheckConstraint("paid >= 0 AND credited >= 0 AND open >= 0", name="figures"),
    CheckConstraint("total = paid + credited + open", name="whole"),
    Index(
        "ix_invoice_open",
        "customer",
        "currency",
        "due_date",
        sqlite_where=_SOME_IS_OPEN,
        postgresql_where=_SOME_IS_OPEN,
    ),
    Index("ix_invoice_changed_at", "changed_at"),
)
"""`paid` is the sum of what payments put to it."""

invoice_line = Table(
    "invoice_line",
    metadata,
    Column("invoice_id", BigInteger, ForeignKey("invoice.id"), primary_key=True),
    Column("line_number", Integer, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("sku", Text, nullable=False),
    # The item as the contract's element, JSON.
    Column("item", Text, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("unit", Text, nullable=False),
    Column("unit_price", BigInteger, nullable=False),
    Column("tax_rate", Integer),
    Column("amount", BigInteger, nullable=False),
    CheckConstraint("quantity BETWEEN 1 AND 999999999999999999", name="quantity"),
    CheckConstraint("unit_price BETWEEN 0 AND 999999999999999999", name="unit_price"),
    CheckConstraint("tax_rate BETWEEN 0 AND 10000", name="tax_rate"),
    CheckConstraint("amount BETWEEN 0 AND 999999999999999999", name="amount"),
    sqlite_with_rowid=False,
)
"""Append-only, as an invoice that is issued does not change. `tax_rate` is in hundredths of a percent."""

credit_note = Table(
    "credit_note",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("invoice_id", BigInteger, ForeignKey("invoice.id"), nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("reason_language", Text),
    Column("exchange_id", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("invoice_id"),
)
"""Takes back a whole invoice: append-only."""

payment = Table(
    "payment",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("partner", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("customer", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("received_on", Text, nullable=False),
    Column("reference", Text),
    Column("amount", BigInteger, nullable=False),
    Column("allocated", BigInteger, nullable=False),
    Column("on_account", BigInteger, nullable=False),
    # What else was sent, as the contract's elements, JSON: read whole, never searched.
    Column("details", Text, nullable=False),
    Column("exchange_id", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    UniqueConstraint("partner", "request_id"),
    CheckConstraint("amount BETWEEN 1 AND 999999999999999999", name="amount"),
    CheckConstraint("allocated >= 0 AND on_account >= 0", name="parts"),
    CheckConstraint("amount = allocated + on_account", name="whole"),
    CheckConstraint("revision >= 1", name="revision"),
    Index("ix_payment_customer_id", "customer", "id"),
    Index("ix_payment_changed_at", "changed_at"),
)

payment_allocation = Table(
    "payment_allocation",
    metadata,
    Column("payment_id", BigInteger, ForeignKey("payment.id"), primary_key=True),
    Column("entry", Integer, primary_key=True),
    Column("invoice_id", BigInteger, ForeignKey("invoice.id"), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("exchange_id", Text, nullable=False),
    Column("allocated_at", BigInteger, nullable=False),
    CheckConstraint("amount <> 0", name="amount"),
    Index("ix_payment_allocation_invoice_id", "invoice_id"),
    sqlite_with_rowid=False,
)
"""What was put to an invoice, and below zero what was taken off again: append-only. Their sum is `payment.allocated`, and of an
invoice `invoice.paid`."""
