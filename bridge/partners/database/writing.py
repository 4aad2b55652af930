"""Writing by declared statements: one record, one transaction, one row.

A statement that touches no row, or more than one, is undone. Where the entity has a version, the state that was read is the one
that is changed: somebody else's change in between refuses ours. A value's version is that of the record as it was fetched; where none is
given, it is read in the same transaction.

An `upsert` without a statement of its own is `update`, and `create` where that finds no row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

from bridge.errors import Refused, Unpresentable
from bridge.partners.database.declared import DOCUMENT_ID, Declared, parameters_of
from bridge.partners.partner import Verb
from bridge.partners.sql.database import Database
from bridge.partners.sql.statements import Source, Statements
from bridge.partners.sql.values import Unfit, dumping, loading


class Writer:
    """Writes one record of one entity, inside the caller's transaction."""

    def __init__(self, database: Database, declared: Declared, source: Source) -> None:
        self._database = database
        self._declared = declared
        self._source = source

    def write(self, connection: Connection, verb: Verb, values: Mapping[str, Any], document_id: str) -> None:
        """
        Raises:
            Refused: no such row, it is there already, or it was changed by somebody else.
            Unpresentable: the verb is not declared, or a value does not fit its column.
        """
        statements = self._declared.write
        if verb in statements:
            self._run(connection, verb, values, document_id)
        elif verb == "upsert" and {"create", "update"} <= statements.keys():
            there = self._is_there(connection, values)
            self._run(connection, "update" if there else "create", values, document_id)
        else:
            raise Unpresentable(
                f"{self._declared.entity.name} has no statement for {verb}. Nothing was done.",
                advice=f"Declare one under [entities.{self._declared.entity.name}.write].",
            )

    def _run(self, connection: Connection, verb: Verb, values: Mapping[str, Any], document_id: str) -> None:
        statement = self._declared.write[verb]
        parameters = self._parameters(connection, statement, values) | {DOCUMENT_ID: document_id}
        used = parameters_of(statement)
        touched = connection.execute(text(statement), {name: parameters[name] for name in used}).rowcount
        # MySQL says 2 where ON DUPLICATE KEY UPDATE changed one row, 0 where it found it so.
        replaced = self._database.dialect == "mysql" and verb == "upsert"
        if touched == 1 or touched < 0 or (replaced and touched in (0, 2)):
            return
        raise self._refused(connection, verb, values, touched)

    def _refused(
        self, connection: Connection, verb: Verb, values: Mapping[str, Any], touched: int
    ) -> Refused:
        entity, version = self._declared.entity, self._declared.version
        record = f"{entity.name} {values[entity.id]}"
        if touched > 1:
            return Refused(
                f"The statement for {verb} touched {touched} rows for one record ({record}). Nothing was done.",
                advice=f"Name the row by :{entity.id} in its WHERE ({entity.place}).",
            )
        if verb in ("update", "delete") and not self._is_there(connection, values):
            return Refused(
                f"There is no {record}. Nothing was done.", advice="Create it, or see where it went."
            )
        if version:
            return Refused(
                f"{record} was changed by somebody else since its {version} was read. Nothing was done.",
                advice="Fetch it again, decide what holds, and send that.",
            )
        return Refused(
            f"The statement for {verb} touched no row for {record}. Nothing was done.",
            advice=f"See its WHERE ({entity.place}).",
        )

    def _parameters(
        self, connection: Connection, statement: str, values: Mapping[str, Any]
    ) -> dict[str, Any]:
        version = self._declared.version
        given = dict(values)
        if version and version in parameters_of(statement) and given.get(version) is None:
            given[version] = self._current(connection, version, values)
        found: dict[str, Any] = {}
        for name, column in self._source.columns.items():
            value = given.get(name)
            try:
                found[name] = None if value is None else dumping(column, self._database.dialect)(value)
            except Unfit as error:
                raise Unpresentable(
                    f"{self._declared.entity.name}/{name}: {error}. Nothing was done.",
                    advice="Correct the mapping.",
                ) from None
        return found

    def _is_there(self, connection: Connection, values: Mapping[str, Any]) -> bool:
        return self._row(connection, "1", values) is not None

    def _current(self, connection: Connection, field: str, values: Mapping[str, Any]) -> Any:
        """A field of the record as it is now, as a record's value; None where there is none."""
        column = self._source.columns[field]
        row = self._row(connection, Statements(self._database, self._source).value(field), values)
        if row is None or row[0] is None:
            return None
        load = loading(column, self._database.dialect)
        return row[0] if load is None else load(row[0])

    def _row(self, connection: Connection, value: str, values: Mapping[str, Any]) -> Any:
        sql = Statements(self._database, self._source)
        name = self._declared.entity.id
        found = dumping(sql.id, self._database.dialect)(values[name])
        statement = sql.select([value], [f"{sql.named(name)} = :id"])
        return connection.execute(text(statement), {"id": found}).first()
