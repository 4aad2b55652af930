"""What the database says: entries with their attempts and what was done by hand, read as anybody could."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, NullPool, create_engine, func, select

from bridge.store.tables import act, attempt, ordering_key, outbox, partner_gate
from tests.crash.judge import Attempt, Entry


@contextmanager
def looking(url: str) -> Iterator[Connection]:
    """A connection for one look."""
    engine = create_engine(url, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def entries(url: str) -> list[Entry]:
    """Everything that was ever put into the outbox."""
    attempts: dict[int, list[Attempt]] = defaultdict(list)
    acts: dict[str, list[str]] = defaultdict(list)
    with looking(url) as connection:
        for row in connection.execute(select(attempt).order_by(attempt.c.outbox_id, attempt.c.number)):
            attempts[row.outbox_id].append(Attempt(row.number, row.exchange_id, row.decision, row.outcome))
        for row in connection.execute(select(act.c.entry_id, act.c.verb).order_by(act.c.id)):
            acts[row.entry_id or ""].append(row.verb)
        rows = connection.execute(select(outbox).order_by(outbox.c.id)).all()
    return [
        Entry(
            row.entry_id,
            row.reference or "",
            row.ordering_key,
            row.seq,
            row.state,
            tuple(attempts[row.id]),
            tuple(acts[row.entry_id]),
        )
        for row in rows
    ]


def states(url: str) -> dict[str, int]:
    """How many entries are in which state."""
    with looking(url) as connection:
        found = connection.execute(select(outbox.c.state, func.count()).group_by(outbox.c.state))
        return {row[0]: row[1] for row in found}


def dump(url: str, file: Path) -> None:
    """What the tables of delivery hold, without payloads: a line of JSON for each row, for who looks into a failed run."""
    left_out = {"payload", "headers"}
    with looking(url) as connection, file.open("w") as lines:
        for table in (ordering_key, outbox, attempt, partner_gate, act):
            columns = [column for column in table.c if column.name not in left_out]
            for row in connection.execute(select(*columns)).mappings():
                lines.write(json.dumps({"table": table.name, **row}) + "\n")
