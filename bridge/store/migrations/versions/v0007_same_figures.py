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
    op.create_table(
        "flow_state",
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("watermark", sa.BigInteger(), nullable=True),
        sa.Column("back_watermark", sa.BigInteger(), nullable=True),
        sa.Column("full_number", sa.BigInteger(), nullable=False),
        sa.Column("full_after", sa.Text(), nullable=True),
        sa.Column("paused_because", sa.Text(), nullable=True),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_no", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("began_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("caught_up_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("flow", name=op.f("pk_flow_state")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "flow_link",
        _row_id(),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=True),
        sa.Column("target_id", sa.Text(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("source_hash", sa.LargeBinary(), nullable=True),
        sa.Column("target_hash", sa.LargeBinary(), nullable=True),
        sa.Column("there_hash", sa.LargeBinary(), nullable=True),
        sa.Column("back_hash", sa.LargeBinary(), nullable=True),
        sa.Column("bounces", sa.SmallInteger(), nullable=False),
        sa.Column("entry_id", sa.Text(), nullable=True),
        sa.Column("again", sa.SmallInteger(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("source_known", sa.Text(), nullable=True),
        sa.Column("target_known", sa.Text(), nullable=True),
        sa.Column("sent", sa.Text(), nullable=True),
        sa.Column("read", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('moving', 'moved', 'failed', 'conflict')", name=op.f("ck_flow_link_state")
        ),
        sa.CheckConstraint("source_id IS NOT NULL OR target_id IS NOT NULL", name=op.f("ck_flow_link_named")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flow_link")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_flow_link_source", "flow_link", ["flow", "source_id"], unique=True)
    op.create_index("ix_flow_link_target", "flow_link", ["flow", "target_id"], unique=True)
    op.create_index("ix_flow_link_seen", "flow_link", ["flow", "seen"])
    op.create_index(
        "ix_flow_link_again",
        "flow_link",
        ["flow", "id"],
        sqlite_where=sa.text("again <> 0"),
        postgresql_where=sa.text("again <> 0"),
    )
    op.create_table(
        "flow_sent",
        sa.Column("entry_id", sa.Text(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("link_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("made", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('there', 'back', 'delete')", name=op.f("ck_flow_sent_kind")),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_flow_sent")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_flow_sent_flow", "flow_sent", ["flow", "entry_id"])
    _flow_problem()


def _flow_problem() -> None:
    op.create_table(
        "flow_problem",
        _row_id(),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("entry_id", sa.Text(), nullable=True),
        sa.Column("who", sa.Text(), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("explanation", sa.Text(), nullable=False),
        sa.Column("repair", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=True),
        sa.CheckConstraint("side IN ('source', 'target')", name=op.f("ck_flow_problem_side")),
        sa.CheckConstraint(
            "stage IN ('read', 'map', 'validate', 'conflict', 'duplicate', 'refused')",
            name=op.f("ck_flow_problem_stage"),
        ),
        sa.CheckConstraint("state IN ('open', 'solved', 'dismissed')", name=op.f("ck_flow_problem_state")),
        sa.CheckConstraint("(settled_at IS NULL) = (state = 'open')", name=op.f("ck_flow_problem_settled")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flow_problem")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_flow_problem_open",
        "flow_problem",
        ["flow", "side", "record_id"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index("ix_flow_problem_settled_at", "flow_problem", ["settled_at"])


def _tokens() -> None:
    op.create_table(
        "partner_token",
        _row_id(),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("credentials", sa.Text(), nullable=False),
        sa.Column("content", sa.Text()),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("requested", sa.Text(), nullable=False),
        sa.Column("blocked_until", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("lease_no", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partner_token")),
        sa.UniqueConstraint("partner", name=op.f("uq_partner_token_partner")),
        sqlite_autoincrement=True,
    )


def _reconciliation() -> None:
    op.create_table(
        "reconciliation",
        _row_id(),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("first_day", sa.Text(), nullable=True),
        sa.Column("last_day", sa.Text(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("figures", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('same', 'different', 'failed')", name=op.f("ck_reconciliation_outcome")
        ),
        sa.CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name=op.f("ck_reconciliation_ended")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_reconciliation_rule", "reconciliation", ["rule", "id"])
    op.create_table(
        "difference",
        _row_id(),
        sa.Column("reconciliation_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("record_key", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=True),
        sa.Column("target_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("delivery", sa.Text(), nullable=True),
        sa.Column("repair", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_why", sa.Text(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('missing', 'extra', 'fields', 'duplicate')", name=op.f("ck_difference_kind")
        ),
        sa.CheckConstraint("state IN ('open', 'repaired', 'dismissed')", name=op.f("ck_difference_state")),
        sa.CheckConstraint("(state = 'open') = (decided_at IS NULL)", name=op.f("ck_difference_decided")),
        sa.ForeignKeyConstraint(
            ["reconciliation_id"],
            ["reconciliation.id"],
            name=op.f("fk_difference_reconciliation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_difference")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_difference_reconciliation_id", "difference", ["reconciliation_id", "id"])
    _index_where("state = 'open'", "ix_difference_open", "difference", ["reconciliation_id", "id"])


def _customers() -> None:
    op.create_table(
        "customer",
        _row_id(),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("external_reference", sa.Text(), nullable=True),
        sa.Column("blocked", sa.SmallInteger(), nullable=False),
        sa.Column("merged_into", sa.Text(), nullable=True),
        sa.Column("credit_grade", sa.Text(), nullable=True),
        sa.Column("credit_limit", sa.BigInteger(), nullable=True),
        sa.Column("credit_currency", sa.Text(), nullable=True),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("normal", sa.Text(), nullable=False),
        sa.Column("exchange_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("blocked IN (0, 1)", name=op.f("ck_customer_blocked")),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_customer_revision")),
        sa.CheckConstraint(
            "credit_limit BETWEEN 0 AND 999999999999999999", name=op.f("ck_customer_credit_limit")
        ),
        sa.CheckConstraint(
            "(credit_limit IS NULL) = (credit_currency IS NULL)", name=op.f("ck_customer_credit")
        ),
        sa.CheckConstraint("merged_into <> code", name=op.f("ck_customer_merged_into")),
        sa.ForeignKeyConstraint(["merged_into"], ["customer.code"], name=op.f("fk_customer_merged_into")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer")),
        sa.UniqueConstraint("code", name=op.f("uq_customer_code")),
    )
    op.create_index(op.f("ix_customer_changed_at"), "customer", ["changed_at"])
    op.create_index(op.f("ix_customer_external_reference"), "customer", ["external_reference"])
    op.create_table(
        "customer_match",
        sa.Column("match_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_customer_match_customer_id")),
        sa.PrimaryKeyConstraint("match_key", "customer_id", name=op.f("pk_customer_match")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_customer_match_customer_id"), "customer_match", ["customer_id"])


def _catalog() -> None:
    # What can be promised asks which orders bring an item.
    op.create_index("ix_purchase_order_line_sku", "purchase_order_line", ["sku"])
    op.create_table(
        "price_list",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("exchange_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("revision >= 0", name=op.f("ck_price_list_revision")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_price_list")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "catalog_item",
        _row_id(),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("exchange_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "status IN ('active', 'phasingOut', 'discontinued')", name=op.f("ck_catalog_item_status")
        ),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_catalog_item_revision")),
        sa.ForeignKeyConstraint(["sku"], ["item.sku"], name=op.f("fk_catalog_item_sku")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_item")),
        sa.UniqueConstraint("sku", name=op.f("uq_catalog_item_sku")),
    )
    op.create_index("ix_catalog_item_changed_at", "catalog_item", ["changed_at"])
    op.create_table(
        "standard_price_list",
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("price_list", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["price_list"], ["price_list.code"], name=op.f("fk_standard_price_list_price_list")
        ),
        sa.PrimaryKeyConstraint("currency", name=op.f("pk_standard_price_list")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "catalog_gtin",
        sa.Column("gtin", sa.Text(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["sku"], ["catalog_item.sku"], name=op.f("fk_catalog_gtin_sku")),
        sa.PrimaryKeyConstraint("gtin", name=op.f("pk_catalog_gtin")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_catalog_gtin_sku", "catalog_gtin", ["sku"])
    op.create_table(
        "price",
        _row_id(),
        sa.Column("price_list", sa.Text(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("quantity_from", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.Text(), nullable=False),
        sa.Column("valid_until", sa.Text(), nullable=True),
        sa.Column("unit_price", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn", sa.SmallInteger(), nullable=False),
        sa.Column("exchange_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "quantity_from BETWEEN 1 AND 999999999999999999", name=op.f("ck_price_quantity_from")
        ),
        sa.CheckConstraint("unit_price BETWEEN 0 AND 999999999999999999", name=op.f("ck_price_unit_price")),
        sa.CheckConstraint("valid_until IS NULL OR valid_until >= valid_from", name=op.f("ck_price_period")),
        sa.CheckConstraint("withdrawn IN (0, 1)", name=op.f("ck_price_withdrawn")),
        sa.ForeignKeyConstraint(["price_list"], ["price_list.code"], name=op.f("fk_price_price_list")),
        sa.ForeignKeyConstraint(["sku"], ["catalog_item.sku"], name=op.f("fk_price_sku")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price")),
        sa.UniqueConstraint(
            "price_list",
            "sku",
            "quantity_from",
            "valid_from",
            name=op.f("uq_price_price_list_sku_quantity_from_valid_from"),
        ),
    )
    op.create_index("ix_price_changed_at", "price", ["changed_at"])
    op.create_index("ix_price_sku", "price", ["sku"])


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
    op.create_table(
        "customer_account",
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("open", sa.BigInteger(), nullable=False),
        sa.Column("on_account", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "on_account BETWEEN 0 AND 999999999999999999", name=op.f("ck_customer_account_on_account")
        ),
        sa.CheckConstraint("open BETWEEN 0 AND 999999999999999999", name=op.f("ck_customer_account_open")),
        sa.PrimaryKeyConstraint("customer", "currency", name=op.f("pk_customer_account")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "invoice",
        _row_id(),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("invoice_date", sa.Text(), nullable=False),
        sa.Column("due_date", sa.Text(), nullable=False),
        sa.Column("order_reference", sa.Text(), nullable=True),
        sa.Column("net", sa.BigInteger(), nullable=False),
        sa.Column("tax", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("paid", sa.BigInteger(), nullable=False),
        sa.Column("credited", sa.BigInteger(), nullable=False),
        sa.Column("open", sa.BigInteger(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("exchange_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'partiallyPaid', 'paid', 'cancelled')", name=op.f("ck_invoice_state")
        ),
        sa.CheckConstraint("net >= 0 AND tax >= 0 AND total = net + tax", name=op.f("ck_invoice_parts")),
        sa.CheckConstraint("paid >= 0 AND credited >= 0 AND open >= 0", name=op.f("ck_invoice_figures")),
        sa.CheckConstraint("total = paid + credited + open", name=op.f("ck_invoice_whole")),
        sa.CheckConstraint("total BETWEEN 0 AND 999999999999999999", name=op.f("ck_invoice_total")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice")),
        sa.UniqueConstraint("partner", "request_id", name=op.f("uq_invoice_partner_request_id")),
    )
    op.create_index("ix_invoice_changed_at", "invoice", ["changed_at"])
    op.create_index(
        "ix_invoice_open",
        "invoice",
        ["customer", "currency", "due_date"],
        sqlite_where=sa.text("open > 0"),
        postgresql_where=sa.text("open > 0"),
    )
    op.create_table(
        "payment",
        _row_id(),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("received_on", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("allocated", sa.BigInteger(), nullable=False),
        sa.Column("on_account", sa.BigInteger(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("exchange_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("allocated >= 0 AND on_account >= 0", name=op.f("ck_payment_parts")),
        sa.CheckConstraint("amount = allocated + on_account", name=op.f("ck_payment_whole")),
        sa.CheckConstraint("amount BETWEEN 1 AND 999999999999999999", name=op.f("ck_payment_amount")),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_payment_revision")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment")),
        sa.UniqueConstraint("partner", "request_id", name=op.f("uq_payment_partner_request_id")),
    )
    op.create_index("ix_payment_changed_at", "payment", ["changed_at"])
    op.create_index("ix_payment_customer_id", "payment", ["customer", "id"])
    op.create_table(
        "credit_note",
        _row_id(),
        sa.Column("invoice_id", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reason_language", sa.Text(), nullable=True),
        sa.Column("exchange_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"], name=op.f("fk_credit_note_invoice_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_note")),
        sa.UniqueConstraint("invoice_id", name=op.f("uq_credit_note_invoice_id")),
    )
    op.create_table(
        "invoice_line",
        sa.Column("invoice_id", sa.BigInteger(), nullable=False),
        sa.Column("line_number", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("unit_price", sa.BigInteger(), nullable=False),
        sa.Column("tax_rate", sa.Integer(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount BETWEEN 0 AND 999999999999999999", name=op.f("ck_invoice_line_amount")),
        sa.CheckConstraint(
            "quantity BETWEEN 1 AND 999999999999999999", name=op.f("ck_invoice_line_quantity")
        ),
        sa.CheckConstraint("tax_rate BETWEEN 0 AND 10000", name=op.f("ck_invoice_line_tax_rate")),
        sa.CheckConstraint(
            "unit_price BETWEEN 0 AND 999999999999999999", name=op.f("ck_invoice_line_unit_price")
        ),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"], name=op.f("fk_invoice_line_invoice_id")),
        sa.PrimaryKeyConstraint("invoice_id", "line_number", name=op.f("pk_invoice_line")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "payment_allocation",
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("entry", sa.Integer(), nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("exchange_id", sa.Text(), nullable=False),
        sa.Column("allocated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_payment_allocation_amount")),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoice.id"], name=op.f("fk_payment_allocation_invoice_id")
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payment.id"], name=op.f("fk_payment_allocation_payment_id")
        ),
        sa.PrimaryKeyConstraint("payment_id", "entry", name=op.f("pk_payment_allocation")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_payment_allocation_invoice_id", "payment_allocation", ["invoice_id"])
    for table in ("invoice_line", "credit_note", "payment_allocation"):
        _refuse_changes(table)


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


def _notifications() -> None:
    op.create_table(
        "notification",
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("notification_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("partner", "notification_id", name=op.f("pk_notification")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_notification_at", "notification", ["at"])
    op.create_table(
        "notified_record",
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("partner", "record_id", name=op.f("pk_notified_record")),
        sqlite_with_rowid=False,
    )


def _row_id() -> sa.Column[int]:
    """An integer that the database gives out; no number comes twice."""
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)


def _index_where(condition: str, name: str, table: str, columns: list[str]) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


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
