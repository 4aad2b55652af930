"""Flows, what they could not move, differences, tokens; customers, catalog, sales, receivables."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _flows()
    _tokens()
    _reconciliation()
    _customers()
    _catalog()
    _sales()
    _receivables()
    _notifications()


def _flows() -> None:
    pass


def _tokens() -> None:
    pass


def _reconciliation() -> None:
    pass


def _customers() -> None:
    pass


def _catalog() -> None:
    pass


def _sales() -> None:
    # What is due of an order asks which reservations name it.
    op.create_index("ix_reservation_reference", "reservation", ["reference"])
    op.create_table(
        "sales_account",
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("customer", name=op.f("pk_sales_account")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sales_order",
        _row_id(),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("customer_reference", sa.Text(), nullable=True),
        sa.Column("order_date", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("requested_delivery", sa.Text(), nullable=True),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("credited", sa.BigInteger(), nullable=False),
        sa.Column("exchange_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("credited BETWEEN 0 AND total", name=op.f("ck_sales_order_credited")),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_sales_order_revision")),
        sa.CheckConstraint(
            "state IN ('waiting', 'approved', 'refused', 'partiallyDelivered', 'completed', 'cancelled')",
            name=op.f("ck_sales_order_state"),
        ),
        sa.CheckConstraint("total BETWEEN 0 AND 999999999999999999", name=op.f("ck_sales_order_total")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sales_order")),
        sa.UniqueConstraint("partner", "request_id", name=op.f("uq_sales_order_partner_request_id")),
    )
    op.create_index("ix_sales_order_changed_at", "sales_order", ["changed_at"])
    op.create_index("ix_sales_order_customer_id", "sales_order", ["customer", "id"])
    op.create_index("ix_sales_order_customer_reference_id", "sales_order", ["customer_reference", "id"])
    op.create_index("ix_sales_order_state_id", "sales_order", ["state", "id"])
    op.create_table(
        "sales_order_line",
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("line_number", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("unit_price", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("requested_delivery", sa.Text(), nullable=True),
        sa.Column("due_date", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("note_language", sa.Text(), nullable=True),
        sa.Column("returned", sa.BigInteger(), nullable=False),
        sa.Column("credited", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "amount BETWEEN 0 AND 999999999999999999", name=op.f("ck_sales_order_line_amount")
        ),
        sa.CheckConstraint("credited BETWEEN 0 AND amount", name=op.f("ck_sales_order_line_credited")),
        sa.CheckConstraint(
            "quantity BETWEEN 1 AND 999999999999999999", name=op.f("ck_sales_order_line_quantity")
        ),
        sa.CheckConstraint("returned BETWEEN 0 AND quantity", name=op.f("ck_sales_order_line_returned")),
        sa.CheckConstraint(
            "unit_price BETWEEN 0 AND 999999999999999999", name=op.f("ck_sales_order_line_unit_price")
        ),
        sa.ForeignKeyConstraint(["order_id"], ["sales_order.id"], name=op.f("fk_sales_order_line_order_id")),
        sa.PrimaryKeyConstraint("order_id", "line_number", name=op.f("pk_sales_order_line")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_sales_order_line_sku", "sales_order_line", ["sku"])
    op.create_table(
        "sales_order_revision",
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("customer_reference", sa.Text(), nullable=True),
        sa.Column("order_date", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("requested_delivery", sa.Text(), nullable=True),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("exchange_id", sa.Text(), nullable=False),
        sa.Column("replaced_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["sales_order.id"], name=op.f("fk_sales_order_revision_order_id")
        ),
        sa.PrimaryKeyConstraint("order_id", "revision", name=op.f("pk_sales_order_revision")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sales_order_revision_line",
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("line_number", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("unit_price", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("requested_delivery", sa.Text(), nullable=True),
        sa.Column("due_date", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("note_language", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["order_id", "revision"],
            ["sales_order_revision.order_id", "sales_order_revision.revision"],
            name=op.f("fk_sales_order_revision_line_order_id_revision"),
        ),
        sa.PrimaryKeyConstraint(
            "order_id", "revision", "line_number", name=op.f("pk_sales_order_revision_line")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sales_order_cancellation",
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reason_language", sa.Text(), nullable=True),
        sa.Column("exchange_id", sa.Text(), nullable=False),
        sa.Column("cancelled_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["sales_order.id"], name=op.f("fk_sales_order_cancellation_order_id")
        ),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_sales_order_cancellation")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sales_order_decision",
        _row_id(),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=True),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reason_language", sa.Text(), nullable=True),
        sa.Column("findings", sa.Text(), nullable=False),
        sa.Column("exchange_id", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('approved', 'waiting', 'refused')", name=op.f("ck_sales_order_decision_outcome")
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["sales_order.id"], name=op.f("fk_sales_order_decision_order_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sales_order_decision")),
    )
    op.create_index("ix_sales_order_decision_order_id_id", "sales_order_decision", ["order_id", "id"])
    op.create_table(
        "sales_return",
        _row_id(),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reason_language", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("credit", sa.BigInteger(), nullable=False),
        sa.Column("document_id", sa.BigInteger(), nullable=True),
        sa.Column("exchange_id", sa.Text(), nullable=False),
        sa.Column("returned_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id"], ["stock_document.id"], name=op.f("fk_sales_return_document_id")
        ),
        sa.ForeignKeyConstraint(["order_id"], ["sales_order.id"], name=op.f("fk_sales_return_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sales_return")),
        sa.UniqueConstraint("partner", "request_id", name=op.f("uq_sales_return_partner_request_id")),
    )
    op.create_index("ix_sales_return_order_id_id", "sales_return", ["order_id", "id"])
    op.create_table(
        "sales_return_line",
        sa.Column("return_id", sa.BigInteger(), nullable=False),
        sa.Column("line_number", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("credit", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("credit >= 0", name=op.f("ck_sales_return_line_credit")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_sales_return_line_quantity")),
        sa.ForeignKeyConstraint(
            ["return_id"], ["sales_return.id"], name=op.f("fk_sales_return_line_return_id")
        ),
        sa.PrimaryKeyConstraint("return_id", "line_number", name=op.f("pk_sales_return_line")),
        sqlite_with_rowid=False,
    )
    for table in (
        "sales_order_revision",
        "sales_order_revision_line",
        "sales_order_cancellation",
        "sales_order_decision",
        "sales_return",
        "sales_return_line",
    ):
        _refuse_changes(table)


def _receivables() -> None:
    pass


def _notifications() -> None:
    pass


def _row_id() -> sa.Column[int]:
    """An integer that the database gives out; no number comes twice."""
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)


def _refuse_changes(table: str) -> None:
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
