"""Flows, what they could not move, differences, tokens; customers, catalog, sales, receivables."""

import sqlalchemy as sa

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
    pass


def _receivables() -> None:
    pass


def _notifications() -> None:
    pass


def _row_id() -> sa.Column[int]:
    """An integer that the database gives out; no number comes twice."""
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)
