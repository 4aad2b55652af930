"""Tables of the shipped ERP, in the store's metadata. What makes them is the store's migrations.

Figures are scaled integers (`figures.py`), moments microseconds since 1970 UTC, dates ISO 8601. `partner` is the
sender's name, empty where callers are not told apart; with `request_id` it finds what a request made.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from bridge.store.tables import RowId, metadata

warehouse = Table(
    "warehouse",
    metadata,
    Column("code", Text, primary_key=True),
    Column("may_be_negative", SmallInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    CheckConstraint("may_be_negative IN (0, 1)", name="may_be_negative"),
    UniqueConstraint("code", "may_be_negative"),
)

item = Table(
    "item",
    metadata,
    Column("sku", Text, primary_key=True),
    Column("unit", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

stock_balance = Table(
    "stock_balance",
    metadata,
    Column("sku", Text, ForeignKey("item.sku"), primary_key=True),
    Column("warehouse", Text, primary_key=True),
    Column("may_be_negative", SmallInteger, nullable=False),
    Column("on_hand", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False, server_default=text("0")),
    # The permission is a copy that the foreign key keeps true, so that the database itself can refuse.
    ForeignKeyConstraint(
        ["warehouse", "may_be_negative"],
        ["warehouse.code", "warehouse.may_be_negative"],
        onupdate="CASCADE",
    ),
    CheckConstraint("may_be_negative = 1 OR on_hand >= reserved", name="covered"),
    CheckConstraint("reserved >= 0", name="reserved"),
    CheckConstraint("on_hand BETWEEN -999999999999999999 AND 999999999999999999", name="on_hand"),
    sqlite_with_rowid=False,
)
"""What is where, now. Always the sum of the movements. `revision` is one more whenever the row is written."""

stock_document = Table(
    "stock_document",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("partner", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("posting_date", Text, nullable=False),
    Column("reference", Text),
    Column("movement_count", Integer, nullable=False),
    Column("exchange_id", Text, nullable=False),
    Column("posted_at", BigInteger, nullable=False),
    UniqueConstraint("partner", "request_id"),
    Index("ix_stock_document_posting_date", "posting_date"),
)

stock_movement = Table(
    "stock_movement",
    metadata,
    Column("document_id", BigInteger, ForeignKey("stock_document.id"), primary_key=True),
    Column("entry", Integer, primary_key=True),
    Column("movement", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("reason", Text),
    Column("sku", Text, nullable=False),
    Column("warehouse", Text, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("on_hand_after", BigInteger, nullable=False),
    Column("lot", Text),
    Column("order_number", Text),
    Column("note", Text),
    Column("note_language", Text),
    Column("reservation_id", BigInteger, ForeignKey("reservation.id")),
    ForeignKeyConstraint(["sku", "warehouse"], ["stock_balance.sku", "stock_balance.warehouse"]),
    CheckConstraint("quantity <> 0", name="quantity"),
    CheckConstraint("kind IN ('receipt', 'issue', 'adjustment', 'transfer')", name="kind"),
    # In the order of the list, so that a page of an item's movements costs the same wherever it is. A warehouse has a
    # good share of all movements: going through them in order finds a page of its own soon.
    Index("ix_stock_movement_sku_document_id_entry", "sku", "document_id", "entry"),
    Index(
        "ix_stock_movement_order_number",
        "order_number",
        sqlite_where=text("order_number IS NOT NULL"),
        postgresql_where=text("order_number IS NOT NULL"),
    ),
    Index(
        "ix_stock_movement_reservation_id",
        "reservation_id",
        sqlite_where=text("reservation_id IS NOT NULL"),
        postgresql_where=text("reservation_id IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)
"""Append-only: triggers refuse UPDATE and DELETE. `quantity` is signed; a transfer is two entries of one movement."""

reservation = Table(
    "reservation",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("partner", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("expires_at", BigInteger),
    Column("note", Text),
    Column("note_language", Text),
    Column("exchange_id", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    UniqueConstraint("partner", "request_id"),
    CheckConstraint("state IN ('open', 'fulfilled', 'released', 'expired')", name="state"),
    Index("ix_reservation_reference", "reference"),
)
"""Stock that is promised. One whose time ran out is `expired` whatever its row still says; what it held is given back
when its balances are next written to."""

reservation_line = Table(
    "reservation_line",
    metadata,
    Column("reservation_id", BigInteger, ForeignKey("reservation.id"), primary_key=True),
    Column("line_number", Integer, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("sku", Text, nullable=False),
    Column("warehouse", Text, nullable=False),
    Column("wanted", BigInteger, nullable=False),
    Column("granted", BigInteger, nullable=False),
    Column("issued", BigInteger, nullable=False),
    Column("released", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    ForeignKeyConstraint(["sku", "warehouse"], ["stock_balance.sku", "stock_balance.warehouse"]),
    CheckConstraint("wanted BETWEEN 1 AND 999999999999999999", name="wanted"),
    CheckConstraint("granted BETWEEN 0 AND wanted", name="granted"),
    CheckConstraint("issued >= 0 AND released >= 0 AND reserved >= 0", name="parts"),
    CheckConstraint("granted = issued + released + reserved", name="whole"),
    Index(
        "ix_reservation_line_held",
        "sku",
        "warehouse",
        sqlite_where=text("reserved > 0"),
        postgresql_where=text("reserved > 0"),
    ),
    sqlite_with_rowid=False,
)
"""What a balance has as `reserved` is the sum of its lines' `reserved`; both change under the balance's lock."""

reservation_release = Table(
    "reservation_release",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("reservation_id", BigInteger, ForeignKey("reservation.id"), nullable=False),
    Column("partner", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("note", Text),
    Column("note_language", Text),
    Column("exchange_id", Text, nullable=False),
    Column("released_at", BigInteger, nullable=False),
    UniqueConstraint("partner", "request_id"),
)
"""Why reserved stock was given back: append-only."""

stock_count = Table(
    "stock_count",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("partner", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("reference", Text),
    Column("document_id", BigInteger, ForeignKey("stock_document.id")),
    Column("exchange_id", Text, nullable=False),
    Column("posted_at", BigInteger, nullable=False),
    UniqueConstraint("partner", "request_id"),
    UniqueConstraint("document_id"),
)
"""A count, also one that found nothing wrong: append-only evidence. `document_id` has posted its differences."""

stock_count_line = Table(
    "stock_count_line",
    metadata,
    Column("count_id", BigInteger, ForeignKey("stock_count.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("sku", Text, nullable=False),
    Column("warehouse", Text, nullable=False),
    Column("counted", BigInteger, nullable=False),
    Column("book", BigInteger, nullable=False),
    Column("counted_at", BigInteger, nullable=False),
    ForeignKeyConstraint(["sku", "warehouse"], ["stock_balance.sku", "stock_balance.warehouse"]),
    CheckConstraint("counted BETWEEN 0 AND 999999999999999999", name="counted"),
    Index("ix_stock_count_line_place", "sku", "warehouse", "counted_at"),
    sqlite_with_rowid=False,
)
"""`book` is what the books said of `counted_at`, with the corrections of earlier counts."""

purchase_order = Table(
    "purchase_order",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("partner", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("buyer_reference", Text),
    Column("order_date", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("supplier", Text, nullable=False),
    Column("requested_delivery", Text),
    Column("total", BigInteger, nullable=False),
    # Parties, place, terms and notes as the contract's elements, JSON: read whole, never searched.
    Column("details", Text, nullable=False),
    Column("exchange_id", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    UniqueConstraint("partner", "request_id"),
    CheckConstraint(
        "state IN ('open', 'confirmed', 'partiallyReceived', 'received', 'closed', 'cancelled')", name="state"
    ),
    CheckConstraint("total BETWEEN 0 AND 999999999999999999", name="total"),
    CheckConstraint("revision >= 1", name="revision"),
)

purchase_order_line = Table(
    "purchase_order_line",
    metadata,
    Column("order_id", BigInteger, ForeignKey("purchase_order.id"), primary_key=True),
    Column("line_number", Integer, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("sku", Text, nullable=False),
    Column("description", Text),
    Column("supplier_sku", Text),
    Column("gtin", Text),
    Column("hs_code", Text),
    Column("origin_country", Text),
    Column("quantity", BigInteger, nullable=False),
    Column("unit", Text, nullable=False),
    Column("unit_price", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("requested_delivery", Text),
    Column("note", Text),
    Column("note_language", Text),
    CheckConstraint("quantity BETWEEN 1 AND 999999999999999999", name="quantity"),
    CheckConstraint("unit_price BETWEEN 0 AND 999999999999999999", name="unit_price"),
    CheckConstraint("amount BETWEEN 0 AND 999999999999999999", name="amount"),
    Index("ix_purchase_order_line_sku", "sku"),
    sqlite_with_rowid=False,
)
"""`position` is the line's place in the caller's document, which its number need not follow."""

Index("ix_purchase_order_state_id", purchase_order.c.state, purchase_order.c.id)
Index("ix_purchase_order_supplier_id", purchase_order.c.supplier, purchase_order.c.id)
Index("ix_purchase_order_buyer_reference_id", purchase_order.c.buyer_reference, purchase_order.c.id)
Index("ix_purchase_order_changed_at", purchase_order.c.changed_at)

purchase_order_revision = Table(
    "purchase_order_revision",
    metadata,
    Column("order_id", BigInteger, ForeignKey("purchase_order.id"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("buyer_reference", Text),
    Column("order_date", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("supplier", Text, nullable=False),
    Column("requested_delivery", Text),
    Column("total", BigInteger, nullable=False),
    Column("details", Text, nullable=False),
    Column("exchange_id", Text, nullable=False),
    Column("replaced_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""What an order was before a change: append-only. The revision that holds is in `purchase_order` itself."""

purchase_order_revision_line = Table(
    "purchase_order_revision_line",
    metadata,
    Column("order_id", BigInteger, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("line_number", Integer, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("sku", Text, nullable=False),
    Column("description", Text),
    Column("supplier_sku", Text),
    Column("gtin", Text),
    Column("hs_code", Text),
    Column("origin_country", Text),
    Column("quantity", BigInteger, nullable=False),
    Column("unit", Text, nullable=False),
    Column("unit_price", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("requested_delivery", Text),
    Column("note", Text),
    Column("note_language", Text),
    ForeignKeyConstraint(
        ["order_id", "revision"], ["purchase_order_revision.order_id", "purchase_order_revision.revision"]
    ),
    sqlite_with_rowid=False,
)

purchase_order_cancellation = Table(
    "purchase_order_cancellation",
    metadata,
    Column("order_id", BigInteger, ForeignKey("purchase_order.id"), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("reason_language", Text),
    Column("exchange_id", Text, nullable=False),
    Column("cancelled_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

goods_receipt_line = Table(
    "goods_receipt_line",
    metadata,
    Column("document_id", BigInteger, primary_key=True),
    Column("entry", Integer, primary_key=True),
    Column("order_id", BigInteger, nullable=False),
    Column("line_number", Integer, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    ForeignKeyConstraint(["document_id", "entry"], ["stock_movement.document_id", "stock_movement.entry"]),
    # Keeps a line of which goods have come in from being taken out of its order.
    ForeignKeyConstraint(
        ["order_id", "line_number"], ["purchase_order_line.order_id", "purchase_order_line.line_number"]
    ),
    CheckConstraint("quantity > 0", name="quantity"),
    Index("ix_goods_receipt_line_order_id_line_number", "order_id", "line_number"),
    sqlite_with_rowid=False,
)
"""Which movements are receipts of which line of an order: append-only. What has come in of a line is their sum."""

supplier = Table(
    "supplier",
    metadata,
    Column("code", Text, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("blocked", SmallInteger, nullable=False),
    # The supplier as the contract's element, JSON: read whole, never searched.
    Column("details", Text, nullable=False),
    Column("exchange_id", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    CheckConstraint("blocked IN (0, 1)", name="blocked"),
    CheckConstraint("revision >= 1", name="revision"),
    sqlite_with_rowid=False,
)
"""An order may name a supplier that is not here, unless the settings say otherwise; so no foreign key leads here."""
