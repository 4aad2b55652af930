"""Rows in the order of their ids, however many: for partners that give them in another order.

They are sorted in a temporary SQLite database, which keeps what does not fit its cache on disk. SQLite's BINARY order of UTF-8 is that of
code points, as Python compares texts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any

from bridge.partners.json_text import dump, load

BATCH = 2000


def in_order(
    batches: Iterable[Sequence[tuple[Any, ...]]], *, batch: int = BATCH
) -> Iterator[list[tuple[Any, ...]]]:
    """The rows by their first value, a text, in batches. Of two rows with one id both come, in the order in which they were given."""
    with closing(sqlite3.connect("")) as connection:
        connection.execute("CREATE TABLE row (id TEXT NOT NULL, rest TEXT NOT NULL)")
        for rows in batches:
            connection.executemany("INSERT INTO row VALUES (?, ?)", ((row[0], dump(row[1:])) for row in rows))
        cursor = connection.execute("SELECT id, rest FROM row ORDER BY id, rowid")
        while found := cursor.fetchmany(batch):
            yield [(id_, *load(rest)) for id_, rest in found]
