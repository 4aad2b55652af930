"""Credentials, nonces, data keys, audit."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "credential",
        _row_id(),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("lookup", sa.LargeBinary(), nullable=True),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('api_key', 'password', 'wss_password')", name=op.f("ck_credential_kind")
        ),
        sa.CheckConstraint("(kind = 'api_key') = (secret IS NULL)", name=op.f("ck_credential_secret")),
        sa.CheckConstraint("(kind = 'api_key') = (lookup IS NOT NULL)", name=op.f("ck_credential_lookup")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credential")),
        sa.UniqueConstraint("lookup", name=op.f("uq_credential_lookup")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_credential_caller", "credential", ["caller"])
    op.create_table(
        "nonce",
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("nonce", name=op.f("pk_nonce")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_nonce_until", "nonce", ["until"])
    op.create_table(
        "data_key",
        _row_id(),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("retired_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_key")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "data_key_wrap",
        sa.Column("data_key_id", sa.BigInteger(), nullable=False),
        sa.Column("wrapped_by", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["data_key_id"], ["data_key.id"], name=op.f("fk_data_key_wrap_data_key_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("data_key_id", "wrapped_by", name=op.f("pk_data_key_wrap")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "audit_entry",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("about", sa.Text(), nullable=True),
        sa.Column("salt", sa.LargeBinary(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("chain", "seq", name=op.f("pk_audit_entry")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_audit_entry_at", "audit_entry", ["at"])
    _index_where("who IS NOT NULL", "ix_audit_entry_who", "audit_entry", ["who", "at"])
    _index_where("subject IS NOT NULL", "ix_audit_entry_subject", "audit_entry", ["subject"])
    op.create_table(
        "audit_checkpoint",
        _row_id(),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("heads", sa.Text(), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=True),
        sa.Column("signed_by", sa.Text(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_checkpoint")),
        sqlite_autoincrement=True,
    )


def _row_id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)


def _index_where(condition: str, name: str, table: str, columns: list[str]) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
