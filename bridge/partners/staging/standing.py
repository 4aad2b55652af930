"""What waits in the tables, for how long, and what was rejected: for people and for alerts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import Connection, text

from bridge.partners.sql.database import Database
from bridge.partners.staging.ddl import NOW
from bridge.partners.staging.inbox import moment_of
from bridge.partners.staging.layout import Layout, Way

SHOWN: Final = 5
"""Rejected rows that are shown."""

_COUNTS: Final = """
SELECT state, COUNT(*), MIN(created_at), SUM(CASE WHEN state = 'claimed' AND claimed_until < {now} THEN 1 ELSE 0 END), {now}
FROM {table} WHERE state <> 'done' GROUP BY state
"""
_REJECTED: Final = """
SELECT seq, {id}, reason, explanation FROM {table} WHERE state = 'rejected' AND state <> 'done' ORDER BY seq DESC LIMIT {shown}
"""


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
    rows = connection.execute(text(_COUNTS.format(table=table, now=NOW[database.dialect]))).all()
    counts = {state: int(count) for state, count, *_ in rows}
    ages = [
        (moment_of(moment) - moment_of(oldest)).total_seconds()
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
    rows = connection.execute(text(_REJECTED.format(table=table, id=name, shown=SHOWN)))
    return tuple(Rejected(int(seq), str(found), reason, words) for seq, found, reason, words in rows)
