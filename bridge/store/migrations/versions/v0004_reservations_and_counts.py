"""Stock is reserved, released and counted; movements are listed."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

APPEND_ONLY = ("reservation_release", "stock_count", "stock_count_line")
"""What a count found, and why stock was given back, stays written."""


def upgrade() -> None:
    op.create_table(
        "reservation",
        _row_id(),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("note_language", sa.Text(), nullable=True),
        sa.Column("exchange_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'fulfilled', 'released', 'expired')", name=op.f("ck_reservation_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reservation")),
        sa.UniqueConstraint("partner", "request_id", name=op.f("uq_reservation_partner_request_id")),
    )
    op.create_table(
        "reservation_line",
        sa.Column("reservation_id", sa.BigInteger(), nullable=False),
        sa.Column("line_number", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("warehouse", sa.Text(), nullable=False),
        sa.Column("wanted", sa.BigInteger(), nullable=False),
        sa.Column("granted", sa.BigInteger(), nullable=False),
        sa.Column("issued", sa.BigInteger(), nullable=False),
        sa.Column("released", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "wanted BETWEEN 1 AND 999999999999999999", name=op.f("ck_reservation_line_wanted")
        ),
        sa.CheckConstraint("granted BETWEEN 0 AND wanted", name=op.f("ck_reservation_line_granted")),
        sa.CheckConstraint(
            "issued >= 0 AND released >= 0 AND reserved >= 0", name=op.f("ck_reservation_line_parts")
        ),
        sa.CheckConstraint("granted = issued + released + reserved", name=op.f("ck_reservation_line_whole")),
        sa.ForeignKeyConstraint(
            ["reservation_id"], ["reservation.id"], name=op.f("fk_reservation_line_reservation_id")
        ),
        _to_balance("reservation_line"),
        sa.PrimaryKeyConstraint("reservation_id", "line_number", name=op.f("pk_reservation_line")),
        sqlite_with_rowid=False,
    )
    _index_where("reserved > 0", "ix_reservation_line_held", "reservation_line", ["sku", "warehouse"])
    op.create_table(
        "reservation_release",
        _row_id(),
        sa.Column("reservation_id", sa.BigInteger(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("note_language", sa.Text(), nullable=True),
        sa.Column("exchange_id", sa.Text(), nullable=False),
        sa.Column("released_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["reservation_id"], ["reservation.id"], name=op.f("fk_reservation_release_reservation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reservation_release")),
        sa.UniqueConstraint("partner", "request_id", name=op.f("uq_reservation_release_partner_request_id")),
    )
    op.create_table(
        "stock_count",
        _row_id(),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("document_id", sa.BigInteger(), nullable=True),
        sa.Column("exchange_id", sa.Text(), nullable=False),
        sa.Column("posted_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id"], ["stock_document.id"], name=op.f("fk_stock_count_document_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_count")),
        sa.UniqueConstraint("document_id", name=op.f("uq_stock_count_document_id")),
        sa.UniqueConstraint("partner", "request_id", name=op.f("uq_stock_count_partner_request_id")),
    )
    op.create_table(
        "stock_count_line",
        sa.Column("count_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("warehouse", sa.Text(), nullable=False),
        sa.Column("counted", sa.BigInteger(), nullable=False),
        sa.Column("book", sa.BigInteger(), nullable=False),
        sa.Column("counted_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "counted BETWEEN 0 AND 999999999999999999", name=op.f("ck_stock_count_line_counted")
        ),
        sa.ForeignKeyConstraint(["count_id"], ["stock_count.id"], name=op.f("fk_stock_count_line_count_id")),
        _to_balance("stock_count_line"),
        sa.PrimaryKeyConstraint("count_id", "position", name=op.f("pk_stock_count_line")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_stock_count_line_place", "stock_count_line", ["sku", "warehouse", "counted_at"])
    for table in APPEND_ONLY:
        refuse_changes(table)
    # Text, because Alembic adds a foreign key to an existing table in a second statement, which SQLite does not know.
    op.execute(
        "ALTER TABLE stock_movement ADD COLUMN reservation_id BIGINT "
        "CONSTRAINT fk_stock_movement_reservation_id REFERENCES reservation (id)"
    )
    op.add_column(
        "stock_balance",
        sa.Column("revision", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
    )
    op.create_index(
        "ix_stock_movement_sku_document_id_entry", "stock_movement", ["sku", "document_id", "entry"]
    )
    _index_where(
        "order_number IS NOT NULL", "ix_stock_movement_order_number", "stock_movement", ["order_number"]
    )
    _index_where(
        "reservation_id IS NOT NULL", "ix_stock_movement_reservation_id", "stock_movement", ["reservation_id"]
    )
    op.create_index("ix_stock_document_posting_date", "stock_document", ["posting_date"])


def _row_id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)


def _to_balance(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["sku", "warehouse"],
        ["stock_balance.sku", "stock_balance.warehouse"],
        name=op.f(f"fk_{table}_sku_warehouse"),
    )


def _index_where(condition: str, name: str, table: str, columns: list[str]) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


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
