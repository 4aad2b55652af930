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
    ForeignKey,
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

ordering_key = Table(
    "ordering_key",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("ordering_key", Text, primary_key=True),
    Column("next_seq", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("held_because", Text),
    Column("lease_owner", Text),
    Column("lease_no", BigInteger, nullable=False),
    Column("lease_until", BigInteger),
    CheckConstraint("state IN ('idle', 'active', 'held')", name="state"),
    CheckConstraint("(lease_owner IS NULL) = (lease_until IS NULL)", name="lease"),
    CheckConstraint("(state = 'held') = (held_because IS NOT NULL)", name="held"),
    Index(
        "ix_ordering_key_active",
        "partner",
        "due_at",
        sqlite_where=text("state = 'active'"),
        postgresql_where=text("state = 'active'"),
    ),
    Index(
        "ix_ordering_key_held",
        "partner",
        sqlite_where=text("state = 'held'"),
        postgresql_where=text("state = 'held'"),
    ),
    Index(
        "ix_ordering_key_leased",
        "lease_owner",
        sqlite_where=text("lease_owner IS NOT NULL"),
        postgresql_where=text("lease_owner IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)
"""What is sent to a partner one after the other. A document without an ordering key has one of its own, its entry's id.

`idle`: nothing is open. `active`: something is, and may be looked at from `due_at` on. `held`: something is, and waits for
a person; `held_because` tells why. Whoever drains the key holds its lease; every taking of it counts `lease_no` up, and
who comes with an older number is fenced off. Times are microseconds since 1970 UTC, by the database's clock on PostgreSQL.
"""

outbox = Table(
    "outbox",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("entry_id", Text, nullable=False, unique=True),
    Column("partner", Text, nullable=False),
    Column("ordering_key", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("operation", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("aside", SmallInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("asked", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("settled_at", BigInteger),
    Column("cause", Text),
    Column("reason", Text),
    Column("exchange_id", Text),
    Column("reference", Text),
    # Last: SQLite then reads the columns before them without touching the pages of a large payload.
    Column("headers", Text),
    Column("payload", Text, nullable=False),
    UniqueConstraint("partner", "ordering_key", "seq"),
    CheckConstraint(
        "state IN ('waiting', 'sending', 'in_doubt', 'held', 'delivered', 'refused', 'unreadable', 'expired')",
        name="state",
    ),
    CheckConstraint(
        "(settled_at IS NULL) = (state IN ('waiting', 'sending', 'in_doubt', 'held'))", name="settled"
    ),
    Index(
        "ix_outbox_open",
        "partner",
        "ordering_key",
        "seq",
        sqlite_where=text("settled_at IS NULL"),
        postgresql_where=text("settled_at IS NULL"),
    ),
    Index("ix_outbox_created_at", "created_at"),
    Index(
        "ix_outbox_settled_at",
        "settled_at",
        sqlite_where=text("settled_at IS NOT NULL"),
        postgresql_where=text("settled_at IS NOT NULL"),
    ),
    # Nearly all are delivered: an index of the others costs nothing where all is well.
    Index(
        "ix_outbox_not_delivered",
        "state",
        "id",
        sqlite_where=text("state <> 'delivered'"),
        postgresql_where=text("state <> 'delivered'"),
    ),
    Index(
        "ix_outbox_reference",
        "reference",
        sqlite_where=text("reference IS NOT NULL"),
        postgresql_where=text("reference IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)
"""What must still leave, and what has left. `seq` is the order within its key.

`aside`: open, and the rest of its key does not wait for it. `attempts` are those of all time, `tries` and `asked` (how often
the partner was asked what became of it) those since `since`, from which its age counts: when it was put here or a person let
it go again. `cause` groups what failed alike (`Refused NotFound`); `reason` is for people. `exchange_id` is the request that
it came from. `payload` is the text that every attempt sends.
"""

attempt = Table(
    "attempt",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("outbox_id", BigInteger, ForeignKey("outbox.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("exchange_id", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("decision", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("outcome", Text),
    Column("reason", Text),
    UniqueConstraint("outbox_id", "number"),
)
"""One try at sending an entry, committed before its first byte leaves. `decision` tells why it was made: `first`, or the rule
or the act that allowed it. `owner` is the process. Without `ended_at` it is on its way, or its process has died."""

partner_gate = Table(
    "partner_gate",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("circuit", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("blocked_until", BigInteger, nullable=False),
    Column("reason", Text),
    Column("held_because", Text),
    Column("next_slot_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    CheckConstraint("circuit IN ('closed', 'open', 'half_open')", name="circuit"),
)
"""Whether anything leaves for a partner, the same for all processes. `failures` in a row open the circuit until
`blocked_until`; then one attempt tries. `held_because`: nothing leaves until a person lets it. `next_slot_at`: when the rate
limit lets the next one go."""

act = Table(
    "act",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("verb", Text, nullable=False),
    Column("partner", Text),
    Column("ordering_key", Text),
    Column("entry_id", Text),
    Column("exchange_id", Text),
    Column("before", Text),
    Column("after", Text),
    Index(
        "ix_act_entry_id",
        "entry_id",
        sqlite_where=text("entry_id IS NOT NULL"),
        postgresql_where=text("entry_id IS NOT NULL"),
    ),
    Index("ix_act_at", "at"),
)
"""What people did by hand: to an entry, a key, a partner or a journaled exchange; who and why. `before` and `after` are its
states. Never changed, and removed with nothing."""

schedule = Table(
    "schedule",
    metadata,
    Column("name", Text, primary_key=True),
    Column("due_at", BigInteger, nullable=False),
    Column("rule", Text, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
)
"""What runs by the clock, and when next. `rule` is what `due_at` was worked out by: another rule is worked out anew."""

firing = Table(
    "firing",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("schedule", Text, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("owner", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("outcome", Text),
    Column("reason", Text),
    Column("lease_until", BigInteger),
    UniqueConstraint("schedule", "due_at"),
    CheckConstraint("outcome IN ('done', 'failed')", name="outcome"),
    CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name="ended"),
    Index("ix_firing_started_at", "started_at"),
    Index(
        "ix_firing_not_ended",
        "schedule",
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
)
"""One run of a schedule: each (schedule, due_at) is there once, so that it runs once, however many processes look. Without
`ended_at` it is running until `lease_until`, which its process moves on; after that the process has died."""

credential = Table(
    "credential",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("caller", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("lookup", LargeBinary, unique=True),
    Column("secret", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    CheckConstraint("kind IN ('api_key', 'password', 'wss_password')", name="kind"),
    CheckConstraint("(kind = 'api_key') = (secret IS NULL)", name="secret"),
    CheckConstraint("(kind = 'api_key') = (lookup IS NOT NULL)", name="lookup"),
    Index("ix_credential_caller", "caller"),
    sqlite_autoincrement=True,  # a number that was told to an operator is never given to another credential
)
"""How callers prove who they are. `lookup` is the SHA-256 of an API key, which is random and needs no more; `secret` the argon2
hash of a password, or a password that a digest is checked with, encrypted by `store.cipher`."""

nonce = Table(
    "nonce",
    metadata,
    Column("nonce", LargeBinary, primary_key=True),
    Column("until", BigInteger, nullable=False),
    Index("ix_nonce_until", "until"),
    sqlite_with_rowid=False,
)
"""What was used once and may not be used again before `until`, when it is too old anyway: digests of what came."""

data_key = Table(
    "data_key",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    Column("retired_at", BigInteger),
    sqlite_autoincrement=True,
)
"""The keys that contents are encrypted with. One that is retired encrypts nothing new."""

data_key_wrap = Table(
    "data_key_wrap",
    metadata,
    Column("data_key_id", BigInteger, ForeignKey("data_key.id", ondelete="CASCADE"), primary_key=True),
    Column("wrapped_by", Text, primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
"""A data key, encrypted by the wrapping key of this name, which the settings give. While one replaces another, both have wrapped it."""

audit_entry = Table(
    "audit_entry",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("event", Text, nullable=False),
    Column("who", Text),
    Column("subject", Text),
    Column("outcome", Text),
    Column("about", Text),
    Column("salt", LargeBinary),
    Column("digest", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("signature", LargeBinary),
    Index("ix_audit_entry_at", "at"),
    Index(
        "ix_audit_entry_who",
        "who",
        "at",
        sqlite_where=text("who IS NOT NULL"),
        postgresql_where=text("who IS NOT NULL"),
    ),
    Index(
        "ix_audit_entry_subject",
        "subject",
        sqlite_where=text("subject IS NOT NULL"),
        postgresql_where=text("subject IS NOT NULL"),
    ),
    # Each journaled exchange once, whoever enters it: its own process, or one that finds what that left.
    Index(
        "uq_audit_entry_exchange",
        "subject",
        unique=True,
        sqlite_where=text("event = 'exchange'"),
        postgresql_where=text("event = 'exchange'"),
    ),
    sqlite_with_rowid=False,
)
"""Who did what, when, and how it ended; one chain for each process. `digest` is over `salt` and what can be read, `hash` over the
digest, what is never erased and the hash before it: what a person is erased from keeps its place. `signature` is that of the
hash, in the last entry of each transaction. `about` is JSON, never content."""

audit_checkpoint = Table(
    "audit_checkpoint",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("heads", Text, nullable=False),
    Column("previous", LargeBinary),
    Column("signed_by", Text, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)
"""The last entry of the chains at a moment, as JSON, signed; `previous` is the digest of the checkpoint before. `id` counts without
gaps."""

notification = Table(
    "notification",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("notification_id", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Index("ix_notification_at", "at"),
    sqlite_with_rowid=False,
)
"""What a partner told of its own accord, by the partner's id: so that what is told twice is acted upon once."""

notified_record = Table(
    "notified_record",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("record_id", Text, primary_key=True),
    Column("changed_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""When the newest state of a record that was told of was made: what is older comes too late."""
