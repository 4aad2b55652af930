"""Purchase orders are changed, cancelled, received and listed; suppliers become known."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

APPEND_ONLY = ("purchase_order_revision", "purchase_order_revision_line", "goods_receipt_line")
"""What an order was, and what has come in, stays written."""


def upgrade() -> None:
    for columns in (["state", "id"], ["supplier", "id"], ["buyer_reference", "id"], ["changed_at"]):
        op.create_index(op.f(f"ix_purchase_order_{'_'.join(columns)}"), "purchase_order", columns)
    op.create_table(
        "purchase_order_revision",
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("buyer_reference", sa.Text(), nullable=True),
        sa.Column("order_date", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("requested_delivery", sa.Text(), nullable=True),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("exchange_id", sa.Text(), nullable=False),
        sa.Column("replaced_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["purchase_order.id"], name=op.f("fk_purchase_order_revision_order_id")
        ),
        sa.PrimaryKeyConstraint("order_id", "revision", name=op.f("pk_purchase_order_revision")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "purchase_order_revision_line",
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
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
        sa.ForeignKeyConstraint(
            ["order_id", "revision"],
            ["purchase_order_revision.order_id", "purchase_order_revision.revision"],
            name=op.f("fk_purchase_order_revision_line_order_id_revision"),
        ),
        sa.PrimaryKeyConstraint(
            "order_id", "revision", "line_number", name=op.f("pk_purchase_order_revision_line")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "purchase_order_cancellation",
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reason_language", sa.Text(), nullable=True),
        sa.Column("exchange_id", sa.Text(), nullable=False),
        sa.Column("cancelled_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["purchase_order.id"], name=op.f("fk_purchase_order_cancellation_order_id")
        ),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_purchase_order_cancellation")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "goods_receipt_line",
        sa.Column("document_id", sa.BigInteger(), nullable=False),
        sa.Column("entry", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("line_number", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_goods_receipt_line_quantity")),
        sa.ForeignKeyConstraint(
            ["document_id", "entry"],
            ["stock_movement.document_id", "stock_movement.entry"],
            name=op.f("fk_goods_receipt_line_document_id_entry"),
        ),
        sa.ForeignKeyConstraint(
            ["order_id", "line_number"],
            ["purchase_order_line.order_id", "purchase_order_line.line_number"],
            name=op.f("fk_goods_receipt_line_order_id_line_number"),
        ),
        sa.PrimaryKeyConstraint("document_id", "entry", name=op.f("pk_goods_receipt_line")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_goods_receipt_line_order_id_line_number"), "goods_receipt_line", ["order_id", "line_number"]
    )
    op.create_table(
        "supplier",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("blocked", sa.SmallInteger(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("exchange_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("blocked IN (0, 1)", name=op.f("ck_supplier_blocked")),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_supplier_revision")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_supplier")),
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
