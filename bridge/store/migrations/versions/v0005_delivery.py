"""Delivery: what must leave, in which order, what became of it, and what people did about it; schedules."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "act",
        _row_id(),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("verb", sa.Text(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=True),
        sa.Column("ordering_key", sa.Text(), nullable=True),
        sa.Column("entry_id", sa.Text(), nullable=True),
        sa.Column("exchange_id", sa.Text(), nullable=True),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_act")),
    )
    op.create_index("ix_act_at", "act", ["at"])
    _index_where("entry_id IS NOT NULL", "ix_act_entry_id", "act", ["entry_id"])
    op.create_table(
        "firing",
        _row_id(),
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name=op.f("ck_firing_ended")),
        sa.CheckConstraint("outcome IN ('done', 'failed')", name=op.f("ck_firing_outcome")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_firing")),
        sa.UniqueConstraint("schedule", "due_at", name=op.f("uq_firing_schedule_due_at")),
    )
    _index_where("ended_at IS NULL", "ix_firing_not_ended", "firing", ["schedule"])
    op.create_index("ix_firing_started_at", "firing", ["started_at"])
    op.create_table(
        "ordering_key",
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("ordering_key", sa.Text(), nullable=False),
        sa.Column("next_seq", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("held_because", sa.Text(), nullable=True),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_no", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(state = 'held') = (held_because IS NOT NULL)", name=op.f("ck_ordering_key_held")
        ),
        sa.CheckConstraint("state IN ('idle', 'active', 'held')", name=op.f("ck_ordering_key_state")),
        sa.CheckConstraint(
            "(lease_owner IS NULL) = (lease_until IS NULL)", name=op.f("ck_ordering_key_lease")
        ),
        sa.PrimaryKeyConstraint("partner", "ordering_key", name=op.f("pk_ordering_key")),
        sqlite_with_rowid=False,
    )
    _index_where("state = 'active'", "ix_ordering_key_active", "ordering_key", ["partner", "due_at"])
    _index_where("state = 'held'", "ix_ordering_key_held", "ordering_key", ["partner"])
    _index_where("lease_owner IS NOT NULL", "ix_ordering_key_leased", "ordering_key", ["lease_owner"])
    op.create_table(
        "outbox",
        _row_id(),
        sa.Column("entry_id", sa.Text(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("ordering_key", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("aside", sa.SmallInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("exchange_id", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("headers", sa.Text(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(settled_at IS NULL) = (state IN ('waiting', 'sending', 'in_doubt', 'held'))",
            name=op.f("ck_outbox_settled"),
        ),
        sa.CheckConstraint(
            "state IN ('waiting', 'sending', 'in_doubt', 'held', 'delivered', 'refused', 'unreadable', 'expired')",
            name=op.f("ck_outbox_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_outbox_entry_id")),
        sa.UniqueConstraint(
            "partner", "ordering_key", "seq", name=op.f("uq_outbox_partner_ordering_key_seq")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_created_at", "outbox", ["created_at"])
    _index_where("state <> 'delivered'", "ix_outbox_not_delivered", "outbox", ["state", "id"])
    _index_where("settled_at IS NULL", "ix_outbox_open", "outbox", ["partner", "ordering_key", "seq"])
    _index_where("reference IS NOT NULL", "ix_outbox_reference", "outbox", ["reference"])
    _index_where("settled_at IS NOT NULL", "ix_outbox_settled_at", "outbox", ["settled_at"])
    op.create_table(
        "partner_gate",
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("circuit", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("blocked_until", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("held_because", sa.Text(), nullable=True),
        sa.Column("next_slot_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "circuit IN ('closed', 'open', 'half_open')", name=op.f("ck_partner_gate_circuit")
        ),
        sa.PrimaryKeyConstraint("partner", name=op.f("pk_partner_gate")),
    )
    op.create_table(
        "schedule",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_schedule")),
    )
    op.create_table(
        "attempt",
        _row_id(),
        sa.Column("outbox_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("exchange_id", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["outbox_id"], ["outbox.id"], name=op.f("fk_attempt_outbox_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
        sa.UniqueConstraint("outbox_id", "number", name=op.f("uq_attempt_outbox_id_number")),
    )


def _row_id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)


def _index_where(condition: str, name: str, table: str, columns: list[str]) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
