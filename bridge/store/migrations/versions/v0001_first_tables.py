"""The first tables: journal, stock ledger, purchase orders."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPEND_ONLY = ("stock_document", "stock_movement")
"""What was posted stays posted; a mistake is mended by another movement."""


def upgrade() -> None:
    op.create_table(
        "item",
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sku", name=op.f("pk_item")),
    )
    op.create_table(
        "journal",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("exchange_id", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("contract", sa.Text(), nullable=True),
        sa.Column("operation", sa.Text(), nullable=True),
        sa.Column("soap_version", sa.Text(), nullable=True),
        sa.Column("partner", sa.Text(), nullable=True),
        sa.Column("remote", sa.Text(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("duration", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("http_status", sa.SmallInteger(), nullable=True),
        sa.Column("fault_code", sa.Text(), nullable=True),
        sa.Column("fault_reason", sa.Text(), nullable=True),
        sa.Column("violation_count", sa.Integer(), nullable=False),
        sa.Column("violations", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("request", sa.LargeBinary(), nullable=True),
        sa.Column("reply", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("direction IN ('in', 'out')", name=op.f("ck_journal_direction")),
        sa.CheckConstraint(
            "verdict IN ('accepted', 'refused', 'invalid_request', 'invalid_reply', 'failed', 'fault')",
            name=op.f("ck_journal_verdict"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal")),
    )
    op.create_index("ix_journal_exchange_id", "journal", ["exchange_id"], unique=True)
    op.create_index(
        "ix_journal_not_accepted",
        "journal",
        ["verdict", "id"],
        unique=False,
        sqlite_where=sa.text("verdict <> 'accepted'"),
        postgresql_where=sa.text("verdict <> 'accepted'"),
    )
    op.create_index("ix_journal_received_at", "journal", ["received_at"], unique=False)
    op.create_index(
        "ix_journal_reference",
        "journal",
        ["reference"],
        unique=False,
        sqlite_where=sa.text("reference IS NOT NULL"),
        postgresql_where=sa.text("reference IS NOT NULL"),
    )
    op.create_table(
        "purchase_order",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("buyer_reference", sa.Text(), nullable=True),
        sa.Column("order_date", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("requested_delivery", sa.Text(), nullable=True),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("exchange_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'confirmed', 'partiallyReceived', 'received', 'closed', 'cancelled')",
            name=op.f("ck_purchase_order_state"),
        ),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_purchase_order_revision")),
        sa.CheckConstraint("total BETWEEN 0 AND 999999999999999999", name=op.f("ck_purchase_order_total")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_purchase_order")),
        sa.UniqueConstraint("partner", "request_id", name=op.f("uq_purchase_order_partner_request_id")),
    )
    op.create_table(
        "stock_document",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("posting_date", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("movement_count", sa.Integer(), nullable=False),
        sa.Column("exchange_id", sa.Text(), nullable=False),
        sa.Column("posted_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_document")),
        sa.UniqueConstraint("partner", "request_id", name=op.f("uq_stock_document_partner_request_id")),
    )
    op.create_table(
        "warehouse",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("may_be_negative", sa.SmallInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("may_be_negative IN (0, 1)", name=op.f("ck_warehouse_may_be_negative")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_warehouse")),
        sa.UniqueConstraint("code", "may_be_negative", name=op.f("uq_warehouse_code_may_be_negative")),
    )
    op.create_table(
        "purchase_order_line",
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("line_number", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("supplier_sku", sa.Text(), nullable=True),
        sa.Column("gtin", sa.Text(), nullable=True),
        sa.Column("hs_code", sa.Text(), nullable=True),
        sa.Column("origin_country", sa.Text(), nullable=True),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("unit_price", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("requested_delivery", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("note_language", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "amount BETWEEN 0 AND 999999999999999999", name=op.f("ck_purchase_order_line_amount")
        ),
        sa.CheckConstraint(
            "quantity BETWEEN 1 AND 999999999999999999", name=op.f("ck_purchase_order_line_quantity")
        ),
        sa.CheckConstraint(
            "unit_price BETWEEN 0 AND 999999999999999999", name=op.f("ck_purchase_order_line_unit_price")
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["purchase_order.id"], name=op.f("fk_purchase_order_line_order_id")
        ),
        sa.PrimaryKeyConstraint("order_id", "line_number", name=op.f("pk_purchase_order_line")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "stock_balance",
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("warehouse", sa.Text(), nullable=False),
        sa.Column("may_be_negative", sa.SmallInteger(), nullable=False),
        sa.Column("on_hand", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "may_be_negative = 1 OR on_hand >= reserved", name=op.f("ck_stock_balance_covered")
        ),
        sa.CheckConstraint(
            "on_hand BETWEEN -999999999999999999 AND 999999999999999999",
            name=op.f("ck_stock_balance_on_hand"),
        ),
        sa.CheckConstraint("reserved >= 0", name=op.f("ck_stock_balance_reserved")),
        sa.ForeignKeyConstraint(["sku"], ["item.sku"], name=op.f("fk_stock_balance_sku")),
        sa.ForeignKeyConstraint(
            ["warehouse", "may_be_negative"],
            ["warehouse.code", "warehouse.may_be_negative"],
            name=op.f("fk_stock_balance_warehouse_may_be_negative"),
            onupdate="CASCADE",
        ),
        sa.PrimaryKeyConstraint("sku", "warehouse", name=op.f("pk_stock_balance")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "stock_movement",
        sa.Column("document_id", sa.BigInteger(), nullable=False),
        sa.Column("entry", sa.Integer(), nullable=False),
        sa.Column("movement", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("warehouse", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("on_hand_after", sa.BigInteger(), nullable=False),
        sa.Column("lot", sa.Text(), nullable=True),
        sa.Column("order_number", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("note_language", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('receipt', 'issue', 'adjustment', 'transfer')", name=op.f("ck_stock_movement_kind")
        ),
        sa.CheckConstraint("quantity <> 0", name=op.f("ck_stock_movement_quantity")),
        sa.ForeignKeyConstraint(
            ["document_id"], ["stock_document.id"], name=op.f("fk_stock_movement_document_id")
        ),
        sa.ForeignKeyConstraint(
            ["sku", "warehouse"],
            ["stock_balance.sku", "stock_balance.warehouse"],
            name=op.f("fk_stock_movement_sku_warehouse"),
        ),
        sa.PrimaryKeyConstraint("document_id", "entry", name=op.f("pk_stock_movement")),
        sqlite_with_rowid=False,
    )
    for table in APPEND_ONLY:
        refuse_changes(table)


def refuse_changes(table: str) -> None:
    """Triggers that refuse UPDATE and DELETE."""
    words = f"{table} is append-only"
    if op.get_bind().dialect.name == "sqlite":
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{words}'); END"
            )
    else:
        op.execute(
            f"CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{words}'; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {table}_refuse()"
        )
