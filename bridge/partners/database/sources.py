"""What is there, held against the partner's file: at the first look, and again at the beginning of each run.

The columns of what is read are compared with the fields (types that cannot be read as what they are to be), with what `expects`
says, and with what they were when this process looked first. Whatever does not agree stops that entity, by name, before a value of it
is misread; the others go on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from bridge.errors import SettingsError
from bridge.partners.database.declared import Declared
from bridge.partners.sql.columns import Found, changes, misfit, of_query, of_table
from bridge.partners.sql.database import Database
from bridge.partners.sql.statements import Source
from bridge.partners.sql.values import Column

FRESH_SECONDS: Final = 60.0
"""For so long, what was found is taken as it was, where a record is looked up in passing."""


@dataclass(slots=True)
class _Known:
    fingerprint: Mapping[str, str]
    source: Source
    looked: float


class Sources:
    """Where the entities of one partner are read. Safe to use from several threads."""

    def __init__(self, database: Database, declared: Mapping[str, Declared]) -> None:
        self._database = database
        self._declared = declared
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()

    def of(self, connection: Connection, name: str, *, run: bool) -> Source:
        """The source of an entity.

        Args:
            run: a run begins: the columns are looked at.

        Raises:
            SettingsError: a table or column has vanished or changed, or cannot be read as its field.
        """
        with self._lock:
            known = self._known.get(name)
        if known is not None and not run and time.monotonic() - known.looked < FRESH_SECONDS:
            return known.source
        declared = self._declared[name]
        columns = found_columns(connection, declared)
        fingerprint = fingerprint_of(declared, columns)
        before = declared.expects or (known.fingerprint if known is not None else {})
        changed = changes(before, fingerprint)
        if changed:
            raise SettingsError(
                f"{name}: {'; '.join(changed)} in {declared.where}. {name} is not read.",
                advice=f"See whether the fields still fit ({declared.entity.place}), then restart, or correct "
                "`expects` where it is written: `soapbridge columns` prints it.",
            )
        source = source_of(self._database, declared, columns)
        with self._lock:
            first = known.fingerprint if known is not None else fingerprint
            self._known[name] = _Known(first, source, time.monotonic())
        return source

    def forget(self, name: str) -> None:
        """Look again before the next statement: one has just failed. What it was is not forgotten."""
        with self._lock:
            if name in self._known:
                self._known[name].looked = -FRESH_SECONDS


def found_columns(connection: Connection, declared: Declared) -> dict[str, Found]:
    """The columns that are there. Raises SettingsError where there is no such table."""
    if declared.query:
        return of_query(connection, declared.query)
    found = of_table(connection, declared.table)
    if found is None:
        raise SettingsError(
            f"{declared.entity.name}: there is no table or view {declared.table}. {declared.entity.name} is not read.",
            advice=f"Correct `table` at {declared.entity.place}, or let our user see it.",
        )
    return found


def source_of(database: Database, declared: Declared, columns: Mapping[str, Found]) -> Source:
    """The source, where every field has a column that can be read as it. Raises SettingsError with every mistake."""
    entity = declared.entity
    made: dict[str, Column] = {}
    wrong = []
    for field in entity.shape.fields.values():
        name = declared.columns.get(field.name, field.name)
        found = columns.get(name) or _folded(columns, name)
        if found is None:
            wrong.append(f"the column {name} (field {field.name}) is not there")
            continue
        scaled = field.name in declared.scaled
        if (why := misfit(field, found, database.dialect, scaled=scaled)) is not None:
            wrong.append(f"the column {name}: {why}")
        made[field.name] = Column(field, found.name, found, scaled)
    if wrong:
        raise SettingsError(
            f"{entity.name}: {'; '.join(wrong)}, in {declared.where}. {entity.name} is not read.",
            advice=f"It is described at {entity.place}; there are the columns {', '.join(columns)}.",
        )
    rows = database.quoted(declared.table) if declared.table else f"({declared.query}) source"
    return Source(entity=entity, rows=rows, columns=made, deleted=declared.deleted, version=declared.version)


def fingerprint_of(declared: Declared, columns: Mapping[str, Found]) -> dict[str, str]:
    """The columns that are read, as `expects` writes them."""
    read = {declared.columns.get(name, name).lower() for name in declared.entity.shape.fields}
    return {name: str(found) for name, found in columns.items() if name.lower() in read}


def _folded(columns: Mapping[str, Found], name: str) -> Found | None:
    """The one column that differs in upper and lower case alone: databases fold names each in their own way."""
    near = [found for found in columns.values() if found.name.lower() == name.lower()]
    return near[0] if len(near) == 1 else None
