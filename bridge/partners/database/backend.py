"""The backend of the kind `database`: records out of a partner's own tables, by declared tables, queries and statements.

Read only unless the file says otherwise: the database is told so, at every connection. Each page, each scan and each set of totals is one
snapshot, so that a row that is changed meanwhile is read before or after its change, never half; with its later moment of change the next
run reads it again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from bridge.delivery.sender import Document
from bridge.errors import PartnerError, SettingsError, Unavailable
from bridge.partners.database.declared import declarations
from bridge.partners.database.sources import Sources
from bridge.partners.database.writing import Writer
from bridge.partners.entities import Entity
from bridge.partners.json_text import load
from bridge.partners.kinds import Setting
from bridge.partners.partner import Page, Pong, Query, Totals, Verb, Written
from bridge.partners.sql.database import Database
from bridge.partners.sql.reader import Reader


class DatabaseBackend:
    """A partner's database. Safe to use from several threads; connects at the first use."""

    def __init__(self, setting: Setting) -> None:
        self._declared = declarations(setting.file, connect_timeout=setting.options.connect_timeout)
        self._entities = setting.file.entities
        self.database = Database(
            setting.options.database,
            setting=f"partners.{setting.name}.database",
            writable=self._declared.writable,
            bounds=self._declared.bounds,
        )
        self.sources = Sources(self.database, self._declared.entities)

    @property
    def declared(self) -> Mapping[str, Any]:
        """What the file says of each entity."""
        return self._declared.entities

    def check(self) -> list[str]:
        """A sentence for each mistake in the file; asks nobody."""
        return list(self._declared.mistakes)

    def inspect(self) -> list[str]:
        """A sentence for each entity whose columns are not as they are to be, or one where the database cannot be reached."""
        found = []
        for name in self._entities:
            try:
                with self.database.reading() as connection:
                    self.sources.of(connection, name, run=True)
            except SettingsError as error:
                found.append(str(error))
            except PartnerError as error:
                return [str(error)]
        return found

    def fetch(self, entity: Entity, query: Query) -> Page:
        """A page of records, of one snapshot. Raises as `Database.reading`."""
        run = query.after is None and not query.ids
        with self._told(entity), self.database.reading() as connection:
            source = self.sources.of(connection, entity.name, run=run)
            return Reader(self.database, source).page(connection, query)

    def scan(self, entity: Entity, fields: Sequence[str], query: Query) -> Iterator[list[tuple[Any, ...]]]:
        """Batches of (id, *fields) by id, of one snapshot. Raises as `Database.reading`."""
        timeout = self._declared.bounds.scan_timeout
        with self._told(entity), self.database.reading(timeout=timeout) as connection:
            source = self.sources.of(connection, entity.name, run=True)
            yield from Reader(self.database, source).scan(connection, fields, query)

    def totals(self, entity: Entity, query: Query, sums: Mapping[str, str | None]) -> Totals:
        """Count and sums, worked out by the database. Raises as `Database.reading`."""
        timeout = self._declared.bounds.scan_timeout
        with self._told(entity), self.database.reading(timeout=timeout) as connection:
            source = self.sources.of(connection, entity.name, run=True)
            return Reader(self.database, source).totals(connection, query, sums)

    def write(self, entity: Entity, verb: Verb, values: Mapping[str, Any], document: Document) -> Written:
        """One record by its declared statement. Raises as `Database.writing` and `Writer.write`.

        Where the tables are not as the file says, the document waits until they are: Unavailable.
        """
        declared = self._declared.entities[entity.name]
        with self._waiting(entity), self.database.writing() as connection:
            source = self.sources.of(connection, entity.name, run=False)
            Writer(self.database, declared, source).write(connection, verb, values, document.id)
        return Written(str(values[entity.id]))

    def find(self, document: Document) -> bool | None:
        """Whether the record is as the document would have it: None where it is there and is not so, which somebody else may
        have brought about since."""
        name, _, verb = document.operation.rpartition(".")
        entity = self._entities.get(name)
        if entity is None:
            return None
        values = load(document.payload)
        records = self.fetch(entity, Query(ids=(str(values[entity.id]),), deleted=True)).records
        gone = not records or records[0].deleted
        if verb == "delete":
            return gone
        if gone:
            return False
        there = records[0].values
        skipped = self._declared.entities[name].version
        same = all(there.get(field) == value for field, value in values.items() if field != skipped)
        return True if same else None

    @property
    def can_find(self) -> bool:
        return self._declared.writable

    def ping(self) -> Pong:
        """What the database calls itself."""
        begun = time.perf_counter()
        return Pong(self.database.ping(), time.perf_counter() - begun)

    def address(self) -> str:
        return self.database.shown

    def close(self) -> None:
        self.database.close()

    @contextmanager
    def _told(self, entity: Entity) -> Iterator[None]:
        """A statement that fails by a column that has just vanished has the columns looked at before the next."""
        try:
            yield
        except SettingsError:
            self.sources.forget(entity.name)
            raise

    @contextmanager
    def _waiting(self, entity: Entity) -> Iterator[None]:
        try:
            with self._told(entity):
                yield
        except SettingsError as error:
            raise Unavailable(f"{error.message} Nothing was done.", advice=error.advice) from error
