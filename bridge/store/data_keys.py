"""Data keys as rows: each wrapped by one key or, while that is being replaced, by two.

Functions take the session of the transaction they belong to.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import delete, func, insert, select, update

from bridge.store.clock import Clock
from bridge.store.session import Session
from bridge.store.tables import data_key, data_key_wrap


class DataKey(NamedTuple):
    """One data key. Times are microseconds since 1970 UTC. `wraps` are its encrypted forms by the names of wrapping keys."""

    id: int
    created_at: int
    retired_at: int | None
    wraps: dict[str, bytes]


def all_keys(session: Session) -> list[DataKey]:
    """Every data key, oldest first."""
    rows = session.execute(
        select(
            data_key.c.id,
            data_key.c.created_at,
            data_key.c.retired_at,
            data_key_wrap.c.wrapped_by,
            data_key_wrap.c.wrapped,
        )
        .select_from(data_key.outerjoin(data_key_wrap))
        .order_by(data_key.c.id)
    )
    found: dict[int, DataKey] = {}
    for key_id, created_at, retired_at, name, wrapped in rows:
        key = found.setdefault(key_id, DataKey(key_id, created_at, retired_at, {}))
        if name is not None:
            key.wraps[name] = wrapped
    return list(found.values())


def clock(session: Session) -> int:
    """Now, by the database's clock where several hosts share it."""
    now: int = session.execute(select(Clock())).scalar_one()
    return now


def add(session: Session, wraps: dict[str, bytes]) -> int:
    """A new data key, whose wraps were made before; the others are retired. Its number."""
    now = clock(session)
    session.execute(update(data_key).where(data_key.c.retired_at.is_(None)).values(retired_at=now))
    key_id: int = session.execute(
        insert(data_key).values(created_at=now).returning(data_key.c.id)
    ).scalar_one()
    for name, wrapped in wraps.items():
        wrap(session, key_id, name, wrapped)
    return key_id


def wrap(session: Session, key_id: int, name: str, wrapped: bytes) -> None:
    """Add the form of a data key that the wrapping key of this name has encrypted."""
    session.execute(insert(data_key_wrap).values(data_key_id=key_id, wrapped_by=name, wrapped=wrapped))


def forget_wraps(session: Session, name: str) -> int:
    """Remove what the wrapping key of this name has encrypted; how many data keys it opened."""
    found: int = session.execute(
        select(func.count()).select_from(data_key_wrap).where(data_key_wrap.c.wrapped_by == name)
    ).scalar_one()
    session.execute(delete(data_key_wrap).where(data_key_wrap.c.wrapped_by == name))
    return found


def names(keys: list[DataKey]) -> Iterator[str]:
    """The names of the wrapping keys that have wrapped one of these, each once."""
    yield from dict.fromkeys(name for key in keys for name in key.wraps)
