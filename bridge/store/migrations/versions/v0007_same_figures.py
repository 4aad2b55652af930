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
        sa.CheckConstraint(
            "(settled_at IS NULL) = (state = 'open')", name=op.f("ck_flow_problem_settled")
        ),
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
