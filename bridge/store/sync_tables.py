"""Tables of what moves between partners: flows, links, what could not go through. In the same `metadata` as `bridge.store.tables`."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    text,
)

from bridge.store.tables import RowId, metadata

flow_state = Table(
    "flow_state",
    metadata,
    Column("flow", Text, primary_key=True),
    Column("watermark", BigInteger),
    Column("back_watermark", BigInteger),
    Column("full_number", BigInteger, nullable=False),
    Column("full_after", Text),
    Column("paused_because", Text),
    Column("lease_owner", Text),
    Column("lease_no", BigInteger, nullable=False),
    Column("lease_until", BigInteger),
    Column("began_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("caught_up_at", BigInteger),
    Column("outcome", Text),
    Column("reason", Text),
    sqlite_with_rowid=False,
)
"""How far a flow has read, and who runs it now. `full_number` counts full resyncs, `full_after` is the cursor of the one that runs.
All that was changed before `caught_up_at` has been moved, or is a problem."""

flow_link = Table(
    "flow_link",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("name", Text, nullable=False),
    Column("flow", Text, nullable=False),
    Column("source_id", Text),
    Column("target_id", Text),
    Column("revision", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("source_hash", LargeBinary),
    Column("target_hash", LargeBinary),
    Column("there_hash", LargeBinary),
    Column("back_hash", LargeBinary),
    Column("bounces", SmallInteger, nullable=False),
    Column("entry_id", Text),
    Column("again", SmallInteger, nullable=False),
    Column("seen", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("source_known", Text),
    Column("target_known", Text),
    Column("sent", Text),
    Column("read", Text),
    CheckConstraint("state IN ('moving', 'moved', 'failed', 'conflict')", name="state"),
    CheckConstraint("source_id IS NOT NULL OR target_id IS NOT NULL", name="named"),
    Index("ix_flow_link_source", "flow", "source_id", unique=True),
    Index("ix_flow_link_target", "flow", "target_id", unique=True),
    Index("ix_flow_link_seen", "flow", "seen"),
    Index(
        "ix_flow_link_again",
        "flow",
        "id",
        sqlite_where=text("again <> 0"),
        postgresql_where=text("again <> 0"),
    ),
    sqlite_autoincrement=True,
)
"""Which source record became which target record.

The hashes are over each side's record as it was decided about last; `source_known` and `target_known` its values as both sides agreed
on them (JSON). `there_hash` and `back_hash` are over what was sent last each way, and `bounces` counts how often that was the same
again: two systems that undo each other's form. `sent` is what was sent last, `read` the record that it was made of, which is known once that is delivered. `entry_id`
is the document on its way. `again`: a side was changed meanwhile and has still to be looked at (1 the source, 2 the target). `seen` is
the number of the full resync that saw it last. `name` tells the row's sealed contents from others'."""

flow_sent = Table(
    "flow_sent",
    metadata,
    Column("entry_id", Text, primary_key=True),
    Column("flow", Text, nullable=False),
    Column("link_id", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("made", Text),
    CheckConstraint("kind IN ('there', 'back', 'delete')", name="kind"),
    Index("ix_flow_sent_flow", "flow", "entry_id"),
    sqlite_with_rowid=False,
)
"""Documents of flows whose end has not been noted yet. `made` is the id that the partner gave to what it made of one."""

flow_problem = Table(
    "flow_problem",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("name", Text, nullable=False),
    Column("flow", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("record_id", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("times", Integer, nullable=False),
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("settled_at", BigInteger),
    Column("entry_id", Text),
    Column("who", Text),
    Column("why", Text),
    Column("explanation", Text, nullable=False),
    Column("repair", Text, nullable=False),
    Column("record", Text),
    CheckConstraint("side IN ('source', 'target')", name="side"),
    CheckConstraint("stage IN ('read', 'map', 'validate', 'conflict', 'duplicate', 'refused')", name="stage"),
    CheckConstraint("state IN ('open', 'solved', 'dismissed')", name="state"),
    CheckConstraint("(settled_at IS NULL) = (state = 'open')", name="settled"),
    # One open problem for a record: a newer one takes its place.
    Index(
        "uq_flow_problem_open",
        "flow",
        "side",
        "record_id",
        unique=True,
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
    Index("ix_flow_problem_settled_at", "settled_at"),
    sqlite_autoincrement=True,
)
"""Records that could not go through, with why and what to do. `record_id` is empty where a whole page could not be read."""
