"""SELECTs over one source of records, as text with parameters.

The order of ids is that of code points, whatever collation the partner's columns have: "C" on PostgreSQL, the bytes of UTF-8 on MySQL
(whose utf8mb4_bin takes no notice of blanks at the end), BINARY on SQLite. Two sides that are merged have to agree.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bridge.errors import SettingsError
from bridge.partners.entities import Entity
from bridge.partners.partner import Query
from bridge.partners.sql.database import Database
from bridge.partners.sql.values import Column, dumping, moment_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the records of an entity are read.

    Args:
        rows: what stands after FROM.
        columns: by field, those that are read.
        condition: what holds for each row that is a record; "" where all are.
        deleted: the field that says that a record is no longer there; "" where none does.
        deleted_when: the same as a condition, where no field says it.
        version: the field that tells one state of a record from another; "" where none does.
    """

    entity: Entity
    rows: str
    columns: Mapping[str, Column] = field(default_factory=dict)
    condition: str = ""
    deleted: str = ""
    deleted_when: str = ""
    version: str = ""


class Statements:
    """SQL for one source on one database."""

    def __init__(self, database: Database, source: Source) -> None:
        self._database = database
        self._dialect = database.dialect
        self.source = source
        self.id = source.columns[source.entity.id]

    def select(
        self,
        values: Sequence[str],
        clauses: Sequence[str],
        order: Sequence[str] = (),
        *,
        group: str = "",
        limit: int | None = None,
    ) -> str:
        parts = [f"SELECT {', '.join(values)} FROM {self.source.rows}"]  # noqa: S608 - names are quoted, values are parameters
        if clauses:
            parts.append(f"WHERE {' AND '.join(clauses)}")
        if group:
            parts.append(f"GROUP BY {group}")
        if order:
            parts.append(f"ORDER BY {', '.join(order)}")
        if limit is not None:
            parts.append(f"LIMIT {limit:d}")
        return " ".join(parts)

    def named(self, name: str) -> str:
        """The column of a field."""
        return self._database.quoted(self.source.columns[name].name)

    def value(self, name: str) -> str:
        """A field as it is selected: what a driver would make floats of, or has no type for, as text."""
        column = self.source.columns[name]
        json_here = column.found.family == "json" and self._dialect == "postgresql"
        other = column.field.kind in ("text", "any") and column.found.family == "other"
        return self.as_text(column) if json_here or other else self.named(name)

    def as_text(self, column: Column) -> str:
        named = self._database.quoted(column.name)
        if column.found.family == "text":
            return named
        return f"CAST({named} AS {'CHAR' if self._dialect == 'mysql' else 'TEXT'})"

    def id_order(self) -> str:
        """The id as it is ordered by."""
        return self._in_code_points(self.as_text(self.id))

    def text_order(self, name: str) -> tuple[str, str]:
        """The text of a field, "" where it has none, as it is selected and as it is ordered by."""
        column = self.source.columns[name]
        text = self.as_text(column)
        if column.found.nullable is not False:  # else an index on it would not be used
            text = f"COALESCE({text}, '')"
        return text, self._in_code_points(text)

    def _in_code_points(self, text: str) -> str:
        match self._dialect:
            case "postgresql":
                return f'{text} COLLATE "C"'
            case "mysql":
                return f"CAST(CONVERT({text} USING utf8mb4) AS BINARY)"
            case _:
                return f"{text} COLLATE BINARY"

    def moment(self, name: str) -> str:
        """What moments are compared by: themselves; on SQLite a text of one form, in UTC."""
        if self._dialect != "sqlite":
            return self.named(name)
        zone = self.source.columns[name].field.zone or "UTC"  # a name that zoneinfo knows
        return f"soapbridge_moment({self.named(name)}, '{zone}')"

    def conditions(self, query: Query) -> tuple[list[str], dict[str, Any]]:
        """The clauses that a query means, without its page, and their parameters."""
        source = self.source
        clauses = [source.condition] if source.condition else []
        parameters: dict[str, Any] = {}
        for name, sign, moment in (("since", ">=", query.since), ("until", "<", query.until)):
            if moment is not None:
                clauses.append(f"{self.moment(source.entity.changed)} {sign} :{name}")
                parameters[name] = self._moment_parameter(moment)
        if query.ids:
            dump = dumping(self.id, self._dialect)
            given = {f"id_{number}": dump(one) for number, one in enumerate(query.ids)}
            clauses.append(
                f"{self._database.quoted(self.id.name)} IN ({', '.join(f':{name}' for name in given)})"
            )
            parameters |= given
        for number, (name, value) in enumerate((query.where or {}).items()):
            clauses.append(self._equal(name, value, f"where_{number}", parameters))
        if query.among is not None:
            name, values = query.among
            equals = [
                self._equal(name, value, f"among_{number}", parameters) for number, value in enumerate(values)
            ]
            clauses.append(f"({' OR '.join(equals) or '1 = 0'})")
        if (gone := self.is_deleted()) and not query.deleted:
            clauses.append(f"NOT {gone}")
        return clauses, parameters

    def beyond(self, after: str, parameters: dict[str, Any], *, by_change: bool) -> str:
        """What comes after a cursor."""
        *moments, last = json.loads(after)
        parameters["after_id"] = last
        beyond = f"{self.id_order()} > {self._in_code_points(':after_id')}"
        if self._dialect == "postgresql":
            beyond = f"{self.id_order()} > CAST(:after_id AS TEXT)"
        if not by_change:
            return beyond
        moment = self.moment(self.source.entity.changed)
        parameters["after_moment"] = (
            moments[0] if self._dialect == "sqlite" else datetime.fromisoformat(moments[0])
        )
        # The first part is for an index.
        return f"{moment} >= :after_moment AND ({moment} > :after_moment OR {beyond})"

    @staticmethod
    def cursor(last_id: str, moment: Any = None) -> str:
        """Where a page ends, for `beyond`."""
        if moment is None:
            return json.dumps([last_id])
        return json.dumps([moment.isoformat() if isinstance(moment, datetime) else moment, last_id])

    def _moment_parameter(self, value: datetime) -> Any:
        if self._dialect == "sqlite":
            return moment_text(value)
        return dumping(self.source.columns[self.source.entity.changed], self._dialect)(value)

    def _equal(self, name: str, value: Any, parameter: str, parameters: dict[str, Any]) -> str:
        column = self.source.columns.get(name)
        if column is None:
            entity = self.source.entity
            raise SettingsError(
                f"{entity.name} has no field {name} to be asked for.", advice=f"See {entity.place}."
            )
        if value is None:
            return f"{self.named(name)} IS NULL"
        parameters[parameter] = dumping(column, self._dialect)(value)
        return f"{self.named(name)} = :{parameter}"

    def is_deleted(self) -> str:
        """When a record is no longer there; "" where nothing says it."""
        name = self.source.deleted
        if not name:
            return f"({self.source.deleted_when})" if self.source.deleted_when else ""
        if self.source.columns[name].found.family == "boolean":
            return f"COALESCE({self.named(name)}, FALSE)"
        return f"(COALESCE({self.named(name)}, 0) <> 0)"
