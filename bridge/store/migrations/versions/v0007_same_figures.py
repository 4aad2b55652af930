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
    pass


def _row_id() -> sa.Column[int]:
    """An integer that the database gives out; no number comes twice."""
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)
