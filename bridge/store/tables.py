"""Tables of the store. Those of the ERP are in `bridge.erp.tables`, in the same `metadata`.

What makes them is `migrations/versions`; a test compares the two.

Only integers, texts and bytes are kept: SQLAlchemy's Numeric is a float on SQLite, and each database has its own
idea of a timestamp.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts by itself only in a column that is exactly INTEGER; BIGINT is what it means on PostgreSQL.
RowId = BigInteger().with_variant(Integer(), "sqlite")

journal = Table(
    "journal",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("exchange_id", Text, nullable=False),
    Column("direction", Text, nullable=False),
    Column("contract", Text),
    Column("operation", Text),
    Column("soap_version", Text),
    Column("partner", Text),
    Column("remote", Text),
    Column("received_at", BigInteger, nullable=False),
    Column("duration", BigInteger, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("http_status", SmallInteger),
    Column("fault_code", Text),
    Column("fault_reason", Text),
    Column("violation_count", Integer, nullable=False),
    Column("violations", Text),
    Column("reference", Text),
    # Last: SQLite then reads the columns before them without touching the pages of a large envelope.
    Column("request", LargeBinary),
    Column("reply", LargeBinary),
    # The exchange whose answer was given again. After the envelopes, as it was added to tables that had them.
    Column("duplicate_of", Text),
    CheckConstraint("direction IN ('in', 'out')", name="direction"),
    CheckConstraint(
        "verdict IN ('accepted', 'refused', 'invalid_request', 'invalid_reply', 'failed', 'fault')",
        name="verdict",
    ),
    Index("ix_journal_exchange_id", "exchange_id", unique=True),
    Index("ix_journal_received_at", "received_at"),
    Index(
        "ix_journal_reference",
        "reference",
        sqlite_where=text("reference IS NOT NULL"),
        postgresql_where=text("reference IS NOT NULL"),
    ),
    # Nearly all are accepted: an index of the others costs nothing where all is well.
    Index(
        "ix_journal_not_accepted",
        "verdict",
        "id",
        sqlite_where=text("verdict <> 'accepted'"),
        postgresql_where=text("verdict <> 'accepted'"),
    ),
)
"""Every envelope in and out with its verdict, in the order of commits. `received_at` is microseconds since 1970
UTC, `duration` microseconds. Envelopes are kept as they came: compressing 7 kB takes 43 µs, storing it 15."""

idempotency = Table(
    "idempotency",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("partner", Text, nullable=False),
    Column("contract", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("idempotency_key", Text, nullable=False),
    Column("payload_hash", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("exchange_id", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("lease_until", BigInteger),
    Column("reference", Text),
    Column("fault", Text),
    Column("headers", Text),
    Column("answer", Text),
    UniqueConstraint("partner", "contract", "operation", "idempotency_key"),
    CheckConstraint("state IN ('running', 'answered', 'in_doubt')", name="state"),
    Index("ix_idempotency_created_at", "created_at"),
    Index(
        "ix_idempotency_not_answered",
        "state",
        sqlite_where=text("state <> 'answered'"),
        postgresql_where=text("state <> 'answered'"),
    ),
    sqlite_autoincrement=True,  # a number that was told to an operator is never given to another request
)
"""What was answered to each writing request, so that a repeat gets the same. Empty `partner`: callers are not told apart.

`answer` is the reply's payload, or with `fault` that declared fault's detail; `headers` the declared SOAP headers of the
reply; None where there are none. A row is `running` inside the transaction that makes it, and is seen by others in that
state only where its handler calls another system; then `lease_until` tells when it counts as dead. Times are microseconds
since 1970 UTC.
"""
