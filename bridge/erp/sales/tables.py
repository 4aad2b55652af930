"""Tables of sales, in the store's metadata; figures, moments and days as in `bridge/erp/tables.py`."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)

from bridge.erp.tables import stock_document
from bridge.store.tables import RowId, metadata

sales_account = Table(
    "sales_account",
    metadata,
    Column("customer", Text, primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""A row to lock: whoever judges or approves an order of a customer does so alone."""

sales_order = Table(
    "sales_order",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("partner", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("customer_reference", Text),
    Column("order_date", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("customer", Text, nullable=False),
    Column("requested_delivery", Text),
    Column("total", BigInteger, nullable=False),
    # Parties, places, terms and notes as the contract's elements, JSON: read whole, never searched.
    Column("details", Text, nullable=False),
    # The credit of all returns.
    Column("credited", BigInteger, nullable=False),
    Column("exchange_id", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    UniqueConstraint("partner", "request_id"),
    CheckConstraint(
        "state IN ('waiting', 'approved', 'refused', 'partiallyDelivered', 'completed', 'cancelled')",
        name="state",
    ),
    CheckConstraint("total BETWEEN 0 AND 999999999999999999", name="total"),
    CheckConstraint("credited BETWEEN 0 AND total", name="credited"),
    CheckConstraint("revision >= 1", name="revision"),
    Index("ix_sales_order_state_id", "state", "id"),
    Index("ix_sales_order_customer_id", "customer", "id"),
    Index("ix_sales_order_customer_reference_id", "customer_reference", "id"),
    Index("ix_sales_order_changed_at", "changed_at"),
)

sales_order_line = Table(
    "sales_order_line",
    metadata,
    Column("order_id", BigInteger, ForeignKey("sales_order.id"), primary_key=True),
    Column("line_number", Integer, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("sku", Text, nullable=False),
    # The contract's Item, JSON.
    Column("item", Text, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("unit", Text, nullable=False),
    Column("unit_price", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("requested_delivery", Text),
    Column("due_date", Text, nullable=False),
    Column("note", Text),
    Column("note_language", Text),
    Column("returned", BigInteger, nullable=False),
    Column("credited", BigInteger, nullable=False),
    CheckConstraint("quantity BETWEEN 1 AND 999999999999999999", name="quantity"),
    CheckConstraint("unit_price BETWEEN 0 AND 999999999999999999", name="unit_price"),
    CheckConstraint("amount BETWEEN 0 AND 999999999999999999", name="amount"),
    CheckConstraint("returned BETWEEN 0 AND quantity", name="returned"),
    CheckConstraint("credited BETWEEN 0 AND amount", name="credited"),
    Index("ix_sales_order_line_sku", "sku"),
    sqlite_with_rowid=False,
)
"""`returned` and `credited` are the sums of the line's returns, which the database itself keeps within the line."""

sales_order_revision = Table(
    "sales_order_revision",
    metadata,
    Column("order_id", BigInteger, ForeignKey("sales_order.id"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("customer_reference", Text),
    Column("order_date", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("customer", Text, nullable=False),
    Column("requested_delivery", Text),
    Column("total", BigInteger, nullable=False),
    Column("details", Text, nullable=False),
    Column("exchange_id", Text, nullable=False),
    Column("replaced_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""What an order was before a change: append-only. The revision that holds is in `sales_order` itself."""

sales_order_revision_line = Table(
    "sales_order_revision_line",
    metadata,
    Column("order_id", BigInteger, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("line_number", Integer, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("sku", Text, nullable=False),
    Column("item", Text, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("unit", Text, nullable=False),
    Column("unit_price", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("requested_delivery", Text),
    Column("due_date", Text, nullable=False),
    Column("note", Text),
    Column("note_language", Text),
    ForeignKeyConstraint(
        ["order_id", "revision"], ["sales_order_revision.order_id", "sales_order_revision.revision"]
    ),
    sqlite_with_rowid=False,
)

sales_order_cancellation = Table(
    "sales_order_cancellation",
    metadata,
    Column("order_id", BigInteger, ForeignKey("sales_order.id"), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("reason_language", Text),
    Column("exchange_id", Text, nullable=False),
    Column("cancelled_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

sales_order_decision = Table(
    "sales_order_decision",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("order_id", BigInteger, ForeignKey("sales_order.id"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("person", Text),
    Column("partner", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("reason_language", Text),
    # What the rules found, as the contract's Finding, JSON.
    Column("findings", Text, nullable=False),
    Column("exchange_id", Text, nullable=False),
    Column("decided_at", BigInteger, nullable=False),
    CheckConstraint("outcome IN ('approved', 'waiting', 'refused')", name="outcome"),
    Index("ix_sales_order_decision_order_id_id", "order_id", "id"),
)
"""What was decided on an order, by whom and why: append-only. `person` is empty where the rules decided."""

sales_return = Table(
    "sales_return",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("partner", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("order_id", BigInteger, ForeignKey("sales_order.id"), nullable=False),
    Column("reason", Text, nullable=False),
    Column("reason_language", Text),
    Column("reference", Text),
    Column("credit", BigInteger, nullable=False),
    Column("document_id", BigInteger, ForeignKey(stock_document.c.id)),
    Column("exchange_id", Text, nullable=False),
    Column("returned_at", BigInteger, nullable=False),
    UniqueConstraint("partner", "request_id"),
    Index("ix_sales_return_order_id_id", "order_id", "id"),
)
"""Goods that came back: append-only. `document_id` has put them into stock, where they were."""

sales_return_line = Table(
    "sales_return_line",
    metadata,
    Column("return_id", BigInteger, ForeignKey("sales_return.id"), primary_key=True),
    Column("line_number", Integer, primary_key=True),
    Column("quantity", BigInteger, nullable=False),
    Column("unit", Text, nullable=False),
    Column("credit", BigInteger, nullable=False),
    CheckConstraint("quantity > 0", name="quantity"),
    CheckConstraint("credit >= 0", name="credit"),
    sqlite_with_rowid=False,
)
"""Append-only. The line of the order keeps the sums."""
