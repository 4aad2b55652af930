"""The backend of the kind `staging`: records by tables between the partner and us.

Rows that the partner writes are claimed and acknowledged:

    claims = crm.backend.claim(accounts, limit=500)
    …                                                   # move them, and commit
    crm.backend.acknowledge(accounts, done=[…], rejected=[…])

Who claims and does not come back loses nothing: the rows are new again when the claim has run out, and what was moved before is found to
be. `fetch`, `scan` and `totals` read the same table without claiming: of each record the newest row that was not rejected.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from bridge.delivery.sender import Document
from bridge.errors import PartnerError, SettingsError, Unavailable
from bridge.partners.entities import Entity
from bridge.partners.kinds import Setting
from bridge.partners.partner import Claim, Page, Pong, Query, Rejection, Totals, Verb, Written
from bridge.partners.sql.columns import of_table
from bridge.partners.sql.database import Database, dialect_of
from bridge.partners.sql.reader import Reader
from bridge.partners.sql.statements import Source
from bridge.partners.staging.inbox import Inbox, claimer
from bridge.partners.staging.layout import CONTROL, WAYS, Layout, Layouts, Way, layouts
from bridge.partners.staging.outbox import Outbox
from bridge.partners.staging.standing import Standing, standing

_OLDEST = {False: (8, 0, 1), True: (10, 6, 0)}
"""The first versions with SKIP LOCKED, of MySQL and of MariaDB."""


class StagingBackend:
    """Tables between a partner and us. Safe to use from several threads; connects at the first use."""

    def __init__(self, setting: Setting) -> None:
        place = f"partners.{setting.name}.database"
        url = setting.options.database
        self._layouts = layouts(
            setting.file, dialect_of(url, place), connect_timeout=setting.options.connect_timeout
        )
        self.database = Database(url, setting=place, writable=True, bounds=self._layouts.bounds)
        self._owner = claimer()

    @property
    def layouts(self) -> Layouts:
        """Names and columns of the tables."""
        return self._layouts

    def check(self) -> list[str]:
        """A sentence for each mistake in the file; asks nobody."""
        return list(self._layouts.mistakes)

    def inspect(self) -> list[str]:
        """A sentence for each table that is not as it is to be, or one where the database cannot be reached."""
        try:
            self.ping()
        except (PartnerError, SettingsError) as error:
            return [str(error)]
        wrong = [self._wrong(layout, way) for layout in self._layouts.entities.values() for way in WAYS]
        return [
            f"{one} in {self.database.shown}: `soapbridge staging ddl` prints the tables as they are to be."
            for one in wrong
            if one
        ]

    # -- the inbox

    def claim(self, entity: Entity, *, limit: int = 500) -> list[Claim]:
        """The oldest rows that are to be moved, ours for `lease` seconds; of each record one at most.

        Raises:
            SettingsError: the tables are not there, or not as they are to be.
            NotSent, Unauthorised, Unavailable: as `Database.writing`.
        """
        with self._tables(entity, "inbox"), self.database.writing() as connection:
            self._require_skip_locked(connection)
            return self._inbox(entity).claim(connection, limit)

    def acknowledge(
        self, entity: Entity, done: Sequence[int] = (), rejected: Sequence[Rejection] = ()
    ) -> int:
        """What became of claimed rows, by their `seq`. How many were still ours. Raises as `claim`."""
        with self._tables(entity, "inbox"), self.database.writing() as connection:
            return self._inbox(entity).acknowledge(connection, done, rejected)

    def fetch(self, entity: Entity, query: Query) -> Page:
        """A page of records as their newest rows have them; nothing is claimed. Raises as `Database.reading`."""
        with self._tables(entity, "inbox"), self.database.reading() as connection:
            return self._reader(entity).page(connection, query)

    def scan(self, entity: Entity, fields: Sequence[str], query: Query) -> Iterator[list[tuple[Any, ...]]]:
        """Batches of (id, *fields) by id, of one snapshot. Raises as `Database.reading`."""
        timeout = self._layouts.bounds.scan_timeout
        with self._tables(entity, "inbox"), self.database.reading(timeout=timeout) as connection:
            yield from self._reader(entity).scan(connection, fields, query)

    def totals(self, entity: Entity, query: Query, sums: Mapping[str, str | None]) -> Totals:
        """Count and sums over the newest rows. Raises as `Database.reading`."""
        timeout = self._layouts.bounds.scan_timeout
        with self._tables(entity, "inbox"), self.database.reading(timeout=timeout) as connection:
            return self._reader(entity).totals(connection, query, sums)

    # -- the outbox

    def write(self, entity: Entity, verb: Verb, values: Mapping[str, Any], document: Document) -> Written:
        """A row in the outbox; the same document twice is one row. Raises as `Database.writing`."""
        with self._tables(entity, "outbox", writing=True), self.database.writing() as connection:
            layout = self._layouts.entities[entity.name]
            fresh = Outbox(self.database, layout).put(connection, verb, values, document.id)
        reply = b"written" if fresh else b"was there already"
        return Written(str(values[entity.id]), reply=reply)

    def find(self, document: Document) -> bool | None:
        """Whether the document has its row."""
        name = document.operation.rpartition(".")[0]
        layout = self._layouts.entities.get(name)
        if layout is None:
            return None
        with self.database.reading() as connection:
            return Outbox(self.database, layout).standing(connection, document.id) is not None

    @property
    def can_find(self) -> bool:
        return True

    # -- all tables

    def standing(self) -> list[Standing]:
        """What waits in each table, for how long, and what was rejected. Raises as `Database.reading`."""
        found = []
        for layout in self._layouts.entities.values():
            for way in WAYS:
                with self._tables(layout.entity, way), self.database.reading() as connection:
                    found.append(standing(self.database, connection, layout, way))
        return found

    def ping(self) -> Pong:
        """What the database calls itself."""
        begun = time.perf_counter()
        return Pong(self.database.ping(), time.perf_counter() - begun)

    def address(self) -> str:
        return self.database.shown

    def close(self) -> None:
        self.database.close()

    def _inbox(self, entity: Entity) -> Inbox:
        found = self._layouts
        return Inbox(
            self.database,
            found.entities[entity.name],
            owner=self._owner,
            lease=found.lease,
            attempts=found.attempts,
        )

    def _reader(self, entity: Entity) -> Reader:
        layout = self._layouts.entities[entity.name]
        table, quoted = self.database.quoted(layout.inbox), self.database.quoted
        identity = quoted(layout.columns[entity.id].name)
        newest = (
            f"t.state <> 'rejected' AND NOT EXISTS (SELECT 1 FROM {table} later WHERE later.{identity} = t.{identity} "  # noqa: S608 - quoted
            "AND later.seq > t.seq AND later.state <> 'rejected')"
        )
        source = Source(
            entity=entity,
            rows=f"{table} t",
            columns=layout.columns,
            condition=newest,
            deleted_when="t.operation = 'delete'",
        )
        return Reader(self.database, source)

    @contextmanager
    def _tables(self, entity: Entity, way: Way, *, writing: bool = False) -> Iterator[None]:
        """Names what is wrong with a table when a statement has failed by it."""
        try:
            yield
        except (SettingsError, Unavailable) as error:
            wrong = self._wrong(self._layouts.entities[entity.name], way)
            if not wrong:
                raise
            kind = Unavailable if writing else SettingsError
            raise kind(
                f"{entity.name}: {wrong} in {self.database.shown}. {'Nothing was done.' if writing else 'It is not read.'}",
                advice="`soapbridge staging ddl` prints the tables as they are to be.",
            ) from error

    def _wrong(self, layout: Layout, way: Way) -> str:
        try:
            with self.database.reading() as connection:
                there = of_table(connection, layout.table(way))
        except Exception:  # noqa: BLE001 - whatever it is, the first error tells more
            return ""
        if there is None:
            return f"there is no table {layout.table(way)}"
        known = {name.lower() for name in there}
        wanted = [*CONTROL, *(column.name for column in layout.columns.values())]
        missing = [name for name in wanted if name.lower() not in known]
        return f"the column {', '.join(missing)} is missing from {layout.table(way)}" if missing else ""

    def _require_skip_locked(self, connection: Any) -> None:
        dialect = connection.dialect
        if self.database.dialect != "mysql":
            return
        oldest = _OLDEST[bool(dialect.is_mariadb)]
        if tuple(dialect.server_version_info[:3]) < oldest:
            raise SettingsError(
                f"{self.database.shown} runs a version without SKIP LOCKED.",
                advice="Claiming wants MySQL 8.0.1 or MariaDB 10.6 at least.",
            )
