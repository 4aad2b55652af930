"""What waits in the tables, for how long, and what was rejected: for people and for alerts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from bridge.partners.sql.database import Database
from bridge.partners.sql.values import parsed_moment
from bridge.partners.staging.ddl import SQLITE_NOW
from bridge.partners.staging.inbox import NOT_DONE
from bridge.partners.staging.layout import Layout, Way

SHOWN = 5
"""Rejected rows that are shown."""


class Rejected(NamedTuple):
    """A row that was not taken: the newest come first."""

    seq: int
    record_id: str
    reason: str | None
    explanation: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One table. `lag` is the age of the oldest row that is new or claimed, in seconds; None where nothing waits. `late` are
    claimed rows whose claimer has let its time run out."""

    entity: str
    way: Way
    table: str
    new: int
    claimed: int
    late: int
    rejected: int
    lag: float | None
    examples: tuple[Rejected, ...]


def standing(database: Database, connection: Connection, layout: Layout, way: Way) -> Standing:
    """Raises as `Database.reading` does."""
    table = database.quoted(layout.table(way))
    now = {"postgresql": "now()", "mysql": "CURRENT_TIMESTAMP(6)", "sqlite": SQLITE_NOW}[database.dialect]
    late = f"SUM(CASE WHEN state = 'claimed' AND claimed_until < {now} THEN 1 ELSE 0 END)"
    rows = connection.execute(
        text(f"SELECT state, COUNT(*), MIN(created_at), {late}, {now} FROM {table} WHERE {NOT_DONE} GROUP BY state")
    ).all()
    counts = {state: int(count) for state, count, *_ in rows}
    ages = [
        (_moment(moment) - _moment(oldest)).total_seconds()
        for state, _, oldest, _, moment in rows
        if state in ("new", "claimed")
    ]
    return Standing(
        entity=layout.entity.name,
        way=way,
        table=layout.table(way),
        new=counts.get("new", 0),
        claimed=counts.get("claimed", 0),
        late=sum(int(late) for *_, late, _ in rows),
        rejected=counts.get("rejected", 0),
        lag=max(0.0, *ages) if ages else None,
        examples=_examples(connection, table, layout, database.quoted) if counts.get("rejected") else (),
    )


def _examples(
    connection: Connection, table: str, layout: Layout, quoted: Callable[[str], str]
) -> tuple[Rejected, ...]:
    name = quoted(layout.columns[layout.entity.id].name)
    rows = connection.execute(
        text(
            f"SELECT seq, {name}, reason, explanation FROM {table} WHERE state = 'rejected' AND {NOT_DONE} ORDER BY seq DESC LIMIT {SHOWN}"
        )
    )
    return tuple(Rejected(int(seq), str(found), reason, words) for seq, found, reason, words in rows)


def _moment(value: Any) -> datetime:
    if isinstance(value, str):
        return parsed_moment(value, UTC)
    found: datetime = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    return found
