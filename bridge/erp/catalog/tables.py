"""Tables of the catalog, in the store's metadata; figures, moments and days as in `bridge/erp/tables.py`.

An item's unit is that of `item`, the row that stock knows it by: it is written in one place.
"""

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

from bridge.erp.tables import item
from bridge.store.tables import RowId, metadata

catalog_item = Table(
    "catalog_item",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("sku", Text, ForeignKey(item.c.sku), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("status", Text, nullable=False),
    # Descriptions and codes as the contract's element, JSON: read whole, never searched.
    Column("details", Text, nullable=False),
    Column("exchange_id", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    UniqueConstraint("sku"),
    CheckConstraint("status IN ('active', 'phasingOut', 'discontinued')", name="status"),
    CheckConstraint("revision >= 1", name="revision"),
    Index("ix_catalog_item_changed_at", "changed_at"),
)

catalog_gtin = Table(
    "catalog_gtin",
    metadata,
    Column("gtin", Text, primary_key=True),
    Column("sku", Text, ForeignKey(catalog_item.c.sku), nullable=False),
    Index("ix_catalog_gtin_sku", "sku"),
    sqlite_with_rowid=False,
)
"""Which item has a bar code: no two have the same, whoever writes at the same time."""

price_list = Table(
    "price_list",
    metadata,
    Column("code", Text, primary_key=True),
    Column("currency", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("exchange_id", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    CheckConstraint("revision >= 0", name="revision"),
    sqlite_with_rowid=False,
)
"""Whoever writes prices locks their list; `revision` is one more for every request that changed something."""

standard_price_list = Table(
    "standard_price_list",
    metadata,
    Column("currency", Text, primary_key=True),
    Column("price_list", Text, ForeignKey(price_list.c.code), nullable=False),
    sqlite_with_rowid=False,
)
"""The list that answers for a currency where none is named: at most one, whoever writes at the same time."""

price = Table(
    "price",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("price_list", Text, ForeignKey(price_list.c.code), nullable=False),
    Column("sku", Text, ForeignKey(catalog_item.c.sku), nullable=False),
    Column("quantity_from", BigInteger, nullable=False),
    Column("valid_from", Text, nullable=False),
    Column("valid_until", Text),
    Column("unit_price", BigInteger, nullable=False),
    Column("withdrawn", SmallInteger, nullable=False),
    Column("exchange_id", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    UniqueConstraint("price_list", "sku", "quantity_from", "valid_from"),
    CheckConstraint("quantity_from BETWEEN 1 AND 999999999999999999", name="quantity_from"),
    CheckConstraint("unit_price BETWEEN 0 AND 999999999999999999", name="unit_price"),
    CheckConstraint("valid_until IS NULL OR valid_until >= valid_from", name="period"),
    CheckConstraint("withdrawn IN (0, 1)", name="withdrawn"),
    Index("ix_price_sku", "sku"),
    Index("ix_price_changed_at", "changed_at"),
)
"""Of one list, item and break no two that are not withdrawn hold on the same day: checked under the list's lock."""
