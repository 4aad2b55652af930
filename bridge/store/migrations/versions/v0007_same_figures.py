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
    pass


def _sales() -> None:
    pass


def _receivables() -> None:
    pass


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
