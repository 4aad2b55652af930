"""What a partner tells of its own accord: taken once, and never an older state after a newer one.

Functions take the session of the transaction that acts upon it: what is rolled back was not taken.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Executable
from sqlalchemy.dialects import postgresql, sqlite

from bridge.store.session import Session
from bridge.store.statements import DialectName, Prepared, insertion
from bridge.store.tables import notification, notified_record


class _Row(NamedTuple):
    partner: str
    notification_id: str
    at: int


class _RecordRow(NamedTuple):
    partner: str
    record_id: str
    changed_at: int


_INSERT = insertion(
    notification, _Row, returning=notification.c.at, unless_there=("partner", "notification_id")
)


def _newest(dialect: DialectName) -> Executable:
    insert = sqlite.insert(notified_record) if dialect == "sqlite" else postgresql.insert(notified_record)
    placed = insert.on_conflict_do_update(
        index_elements=["partner", "record_id"],
        set_={"changed_at": insert.excluded.changed_at},
        where=notified_record.c.changed_at <= insert.excluded.changed_at,
    )
    made: Executable = placed.returning(notified_record.c.changed_at)
    return made


_NEWEST = Prepared(_newest, *_RecordRow._fields)


def take(session: Session, partner: str, notification_id: str, now: int) -> bool:
    """Whether this is told for the first time."""
    return bool(session.rows(_INSERT, _Row(partner, notification_id, now)))


def is_newest(session: Session, partner: str, record_id: str, changed_at: int) -> bool:
    """Whether nothing newer was told of this record. Others that tell of it wait until this transaction ends."""
    return bool(session.rows(_NEWEST, _RecordRow(partner, record_id, changed_at)))
