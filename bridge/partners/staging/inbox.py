"""The inbox of one entity: rows that the partner writes are claimed, looked at, and acknowledged.

A claim is one short transaction. It takes the oldest rows that are new, at most one for each record, and none of a record of which an
older row is still open: so the rows of one record are moved in their order, however many claim. Rows that another claimer is just taking are
passed over (FOR UPDATE SKIP LOCKED; on SQLite writers follow each other). A claim holds for `lease` seconds; what its claimer has not
acknowledged by then is new again, and is rejected when that has happened `attempts` times.

Before rows are given out, the claim settles those that need not or must not be moved:

A row has the whole record, whatever its operation; for a delete the id is enough.

| row | becomes | reason |
|---|---|---|
| of the same content as the last row of its record that was done | done | `duplicate` |
| of the same message_id as another row of its record, with the same content | done | `duplicate` |
| of the same message_id as another row, with other content | rejected | `message_id` |
| older than a row of its record that was done: somebody set it to new again | rejected | `superseded` |
| with values that are not what their fields say, or a required one missing | rejected | `values` |
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, CursorResult, bindparam, text

from bridge.once import made_once
from bridge.partners.partner import Claim, Record, Rejection, Verb
from bridge.partners.sql.database import Database
from bridge.partners.sql.values import Loader, Unfit, parsed_moment
from bridge.partners.staging.ddl import NOW
from bridge.partners.staging.layout import Layout
from bridge.partners.values import misfits

LONGEST_REASON: Final = 100
LONGEST_EXPLANATION: Final = 2000
# Statements. {table} and {id} are quoted names, {seqs} are numbers, {now} and {until} the database's clock, {skipping} is FOR UPDATE SKIP LOCKED.

_LATE: Final = """
SELECT seq, attempts FROM {table} WHERE state = 'claimed' AND state <> 'done' AND claimed_until < {now}
ORDER BY seq LIMIT 1000{skipping}
"""
_BRING_BACK: Final = """
UPDATE {table} SET state = 'new', claimed_by = NULL, claimed_until = NULL WHERE seq IN ({seqs})
"""
_NEW: Final = """
SELECT seq, {id} FROM {table} WHERE state = 'new' AND state <> 'done' AND seq > :after ORDER BY seq LIMIT {limit}{skipping}
"""
_OLDEST: Final = """
SELECT MIN({id}), MIN(seq) FROM {table} WHERE {id} IN :names AND state IN ('new', 'claimed') AND state <> 'done' GROUP BY {exact}
"""
_TAKE: Final = """
UPDATE {table} SET state = 'claimed', claimed_by = :owner, claimed_until = {until}, attempts = attempts + 1 WHERE seq IN ({seqs})
"""
_ROWS: Final = """
SELECT seq, operation, message_id, attempts, created_at, {id}, {columns} FROM {table} WHERE seq IN ({seqs}) ORDER BY seq
"""
_LAST_DONE: Final = """
SELECT MIN({id}), MAX(seq) FROM {table} WHERE {id} IN :names AND state = 'done' GROUP BY {exact}
"""
_FIRST_OF_MESSAGE: Final = """
SELECT MIN(message_id), MIN(seq) FROM {table} WHERE message_id IN :names AND state <> 'rejected' GROUP BY {exact_message}
"""
_SAME: Final = """
SELECT t.seq, p.seq FROM {table} t JOIN {table} p ON p.{id} = t.{id} WHERE t.seq IN ({seqs}) AND p.seq IN ({others}) AND p.state = 'done'
    AND {same}
"""
_SETTLE: Final = """
UPDATE {table} SET state = :state, done_at = {now}, claimed_until = NULL, reason = :reason, explanation = :explanation
WHERE seq IN ({seqs})
"""
_OURS: Final = " AND state = 'claimed' AND state <> 'done' AND claimed_by = :owner"


class _Row(NamedTuple):
    """A row that was taken. `id` is as the column has it."""

    seq: int
    operation: str
    message_id: str | None
    attempts: int
    created_at: datetime
    id: Any
    values: tuple[Any, ...]


class _Others(NamedTuple):
    """Rows that a row is looked at beside: the last of its record that is done, the first other of its message_id."""

    done: int | None
    message: int | None


def claimer() -> str:
    """A name for this process, unlike any other's."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"[:200]


class Inbox:
    """
    Args:
        owner: by which name rows are claimed.
        lease: seconds for which they are.
        attempts: how often a row is claimed at most.
    """

    def __init__(
        self, database: Database, layout: Layout, *, owner: str, lease: float, attempts: int
    ) -> None:
        self._database = database
        self._dialect = database.dialect
        self._layout = layout
        self._owner = owner
        self._lease = lease
        self._attempts = attempts
        self._table = database.quoted(layout.inbox)
        self._id = database.quoted(layout.columns[layout.entity.id].name)
        self._fields = list(layout.columns)
        self._loader = Loader(list(layout.columns.values()), self._dialect)

    def claim(self, connection: Connection, limit: int) -> list[Claim]:
        """At most `limit` rows that are to be moved, oldest first; empty where nothing waits. The caller commits.

        Where all that was taken had to be settled at once, the next rows are taken.
        """
        self._bring_back(connection)
        while taken := self._take(connection, limit):
            claims: list[Claim] = []
            for some in _batches(taken):
                rows = self._rows(connection, some)
                claims += self._read(connection, self._unsettled(connection, rows))
            if claims:
                return claims
        return []

    def acknowledge(
        self, connection: Connection, done: Sequence[int], rejected: Sequence[Rejection] = ()
    ) -> int:
        """Rows of ours that are done, and those that are not to be: by `seq`. The caller commits.

        How many were still ours: a row whose lease had run out was taken by somebody else, who will find that it was moved.
        """
        count = 0
        for some in _batches(done):
            settled = {"state": "done", "reason": None, "explanation": None, "owner": self._owner}
            count += self._run(connection, _SETTLE + _OURS, some, settled).rowcount
        for one in rejected:
            count += self._settle(connection, one, "rejected", ours=True)
        return count

    # -- the steps of a claim

    def _bring_back(self, connection: Connection) -> None:
        """What a claimer left behind is new again; a row that outlives no claimer is rejected."""
        late = self._run(connection, _LATE).all()
        for some in _batches([seq for seq, attempts in late if attempts < self._attempts]):
            self._run(connection, _BRING_BACK, some)
        for seq, attempts in late:
            if attempts >= self._attempts:
                words = f"Claimed {attempts} times, and whoever claimed it never came to an end. See the log of the bridge."
                self._settle(connection, Rejection(seq, "attempts", words), "rejected")

    def _take(self, connection: Connection, limit: int) -> list[int]:
        """Rows of which no older one of their record is open. A record with many of them does not keep the others waiting."""
        after = 0
        while found := self._run(connection, _NEW, parameters={"after": after}, limit=limit).all():
            oldest = self._by_name(connection, _OLDEST, [name for _, name in found])
            taken = [int(seq) for seq, name in found if oldest.get(name) == seq]
            for some in _batches(taken):
                self._run(connection, _TAKE, some, {"owner": self._owner})
            if taken:
                return taken
            after = found[-1][0]
        return []

    def _rows(self, connection: Connection, some: Sequence[int]) -> list[_Row]:
        columns = ", ".join(self._selected(name) for name in self._fields)
        return [
            _Row(row[0], row[1], row[2], row[3], moment_of(row[4]), row[5], tuple(row[6:]))
            for row in self._run(connection, _ROWS, some, columns=columns)
        ]

    def _selected(self, name: str) -> str:
        column = self._layout.columns[name]
        quoted = self._database.quoted(column.name)
        return f"CAST({quoted} AS TEXT)" if column.found.family == "json" else quoted

    def _unsettled(self, connection: Connection, rows: Sequence[_Row]) -> list[_Row]:
        """Without rows that were written twice, or set to new after a later one was done: those are settled here."""
        beside = self._beside(connection, rows)
        twins = self._twins(connection, beside)
        left = []
        for row in rows:
            verdict = _verdict(row.seq, beside[row.seq], twins)
            if verdict is None:
                left.append(row)
            else:
                self._settle(connection, Rejection(row.seq, *verdict[1:]), verdict[0])
        return left

    def _beside(self, connection: Connection, rows: Sequence[_Row]) -> dict[int, _Others]:
        done = self._by_name(connection, _LAST_DONE, [row.id for row in rows])
        given = [row.message_id for row in rows if row.message_id is not None]
        first = self._by_name(connection, _FIRST_OF_MESSAGE, given)
        found = {}
        for row in rows:
            message = None if row.message_id is None else first.get(row.message_id)
            found[row.seq] = _Others(done.get(row.id), message if message != row.seq else None)
        return found

    def _twins(self, connection: Connection, beside: Mapping[int, _Others]) -> set[tuple[int, int]]:
        """(row, other row of its record that is done) that say the same, of those that may."""
        pairs = [(seq, other) for seq, found in beside.items() for other in found if other is not None]
        if not pairs:
            return set()
        seqs = sorted({seq for seq, _ in pairs})
        others = ", ".join(f"{other:d}" for other in sorted({other for _, other in pairs}))
        found = self._run(connection, _SAME, seqs, others=others, same=self._same)
        return {(int(seq), int(other)) for seq, other in found}

    def _read(self, connection: Connection, rows: Sequence[_Row]) -> list[Claim]:
        """The rows as records; those whose values do not fit are rejected."""
        claims: list[Claim] = []
        try:
            loaded: Iterable[tuple[Any, ...] | Unfit] = self._loader.load([row.values for row in rows])
        except Unfit:
            loaded = [self._one(row.values) for row in rows]
        for row, values in zip(rows, loaded, strict=True):
            wrong = [str(values)] if isinstance(values, Unfit) else self._misfits(row, values)
            if wrong:
                words = "; ".join(wrong[:20])
                self._settle(connection, Rejection(row.seq, "values", f"{words}."), "rejected")
            elif not isinstance(values, Unfit):
                claims.append(self._claim(row, values))
        return claims

    def _one(self, values: tuple[Any, ...]) -> tuple[Any, ...] | Unfit:
        try:
            return self._loader.load([values])[0]
        except Unfit as error:
            return error

    def _misfits(self, row: _Row, values: tuple[Any, ...]) -> list[str]:
        """What does not fit the entity; of what is deleted, the id is enough."""
        record = dict(zip(self._fields, values, strict=True))
        return misfits(self._layout.entity.shape, record, whole=row.operation != "delete")

    def _claim(self, row: _Row, values: tuple[Any, ...]) -> Claim:
        entity = self._layout.entity
        record = dict(zip(self._fields, values, strict=True))
        verb: Verb = row.operation  # type: ignore[assignment] # the column is checked
        found = Record(
            str(record[entity.id]), record, row.created_at, deleted=verb == "delete", version=str(row.seq)
        )
        return Claim(row.seq, verb, found, row.message_id, row.attempts)

    # -- pieces of SQL

    def _settle(self, connection: Connection, one: Rejection, state: str, *, ours: bool = False) -> int:
        settled = {
            "state": state,
            "reason": one.reason[:LONGEST_REASON],
            "explanation": one.explanation[:LONGEST_EXPLANATION],
        }
        if ours:
            return self._run(
                connection, _SETTLE + _OURS, [one.seq], settled | {"owner": self._owner}
            ).rowcount
        return self._run(connection, _SETTLE, [one.seq], settled).rowcount

    def _by_name(self, connection: Connection, statement: str, names: Sequence[Any]) -> dict[Any, int]:
        """A row's `seq` by the name it goes by; a list of names, so that each is looked up in the index whatever is known of the table."""
        if not names:
            return {}
        listed = text(self._whole(statement)).bindparams(bindparam("names", expanding=True))
        found = connection.execute(listed, {"names": sorted(set(names))})
        return {name: int(seq) for name, seq in found}

    def _run(
        self,
        connection: Connection,
        statement: str,
        seqs: Sequence[int] = (),
        parameters: Mapping[str, Any] | None = None,
        **pieces: object,
    ) -> CursorResult[*tuple[Any, ...]]:
        # Each list of rows is a text of its own: to keep what was made of it helps nobody.
        whole = text(self._whole(statement, seqs, **pieces))
        return connection.execute(whole, parameters or {}, execution_options={"compiled_cache": None})

    def _whole(self, statement: str, seqs: Sequence[int] = (), **pieces: object) -> str:
        # A collation of MySQL's takes blanks at the end for nothing.
        exact = "CAST({} AS BINARY)" if self._dialect == "mysql" else "{}"
        return statement.format(
            table=self._table,
            id=self._id,
            exact=exact.format(self._id),
            exact_message=exact.format("message_id"),
            seqs=", ".join(f"{seq:d}" for seq in seqs),
            now=NOW[self._dialect],
            until=self._until,
            skipping="" if self._dialect == "sqlite" else " FOR UPDATE SKIP LOCKED",
            **pieces,
        )

    @made_once
    def _same(self) -> str:
        """Whether the rows t and p say the same, in every field and in what is to be done."""
        parts = ["t.operation = p.operation"]
        for column in self._layout.own.values():
            name = self._database.quoted(column.name)
            if self._dialect == "postgresql":
                parts.append(f"t.{name} IS NOT DISTINCT FROM p.{name}")
            elif self._dialect == "sqlite":
                parts.append(f"t.{name} IS p.{name}")
            elif (
                column.found.family == "text"
            ):  # a collation may take no notice of case, or of blanks at the end
                parts.append(f"CAST(t.{name} AS BINARY) <=> CAST(p.{name} AS BINARY)")
            else:
                parts.append(f"t.{name} <=> p.{name}")
        return f"({' AND '.join(parts)})"

    @property
    def _until(self) -> str:
        seconds = f"{self._lease:.3f}"
        return {
            "postgresql": f"now() + make_interval(secs => {seconds})",
            "mysql": f"TIMESTAMPADD(MICROSECOND, {self._lease * 1e6:.0f}, CURRENT_TIMESTAMP(6))",
            "sqlite": NOW["sqlite"].replace("'now')", f"'now', '+{seconds} seconds')"),
        }[self._dialect]


def _verdict(seq: int, beside: _Others, twins: set[tuple[int, int]]) -> tuple[str, str, str] | None:
    """State, reason and explanation of a row that is not to be moved; None where it is."""
    if beside.done is not None:
        if (seq, beside.done) in twins:
            return "done", "duplicate", f"The same as row {beside.done}, which was done."
        if beside.done > seq:
            words = f"Row {beside.done} of the same record was written later and is done. To change the record again, write a new row."
            return "rejected", "superseded", words
    if beside.message is not None:
        if (seq, beside.message) in twins:
            return "done", "duplicate", f"The same message as row {beside.message}."
        words = f"Row {beside.message} has the same message_id and other content. Give each message an id of its own."
        return "rejected", "message_id", words
    return None


def _batches(seqs: Sequence[int], size: int = 1000) -> Iterable[Sequence[int]]:
    return (seqs[start : start + size] for start in range(0, len(seqs), size))


def moment_of(value: Any) -> datetime:
    """A moment of a control column, as the driver gives it."""
    if isinstance(value, str):
        return parsed_moment(value, UTC)
    found: datetime = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    return found
