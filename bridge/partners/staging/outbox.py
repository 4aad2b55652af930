"""The outbox of one entity: a row for each document, written once however often it is delivered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, text

from bridge.errors import Unpresentable
from bridge.partners.partner import Verb
from bridge.partners.sql.database import Database
from bridge.partners.sql.values import Unfit, dumping
from bridge.partners.staging.layout import Layout

_PUT: Final = """
INSERT INTO {table} ({names}) VALUES ({places}) {known}
"""
_STANDING: Final = """
SELECT state, reason, explanation FROM {table} WHERE message_id = :message_id
"""


class Standing(NamedTuple):
    """What the partner made of a row."""

    state: str
    reason: str | None
    explanation: str | None


class Outbox:
    """Writes the rows of one entity. The caller commits."""

    def __init__(self, database: Database, layout: Layout) -> None:
        self._database = database
        self._layout = layout
        self._table = database.quoted(layout.outbox)

    def put(self, connection: Connection, verb: Verb, values: Mapping[str, Any], message_id: str) -> bool:
        """Whether a row was written: False where there is one with this message_id already.

        Raises:
            Unpresentable: a value does not fit its column.
        """
        parameters: dict[str, Any] = {"message_id": message_id, "operation": verb}
        names, places = ["message_id", "operation"], [":message_id", ":operation"]
        for number, (name, column) in enumerate(self._layout.own.items()):
            value = values.get(name)
            if value is None:
                continue
            try:
                parameters[f"f{number}"] = dumping(column, self._database.dialect)(value)
            except (Unfit, ArithmeticError) as error:
                raise Unpresentable(
                    f"{self._layout.entity.name}/{name}: {error}. Nothing was done.",
                    advice="Correct the mapping.",
                ) from None
            names.append(self._database.quoted(column.name))
            places.append(f"CAST(:f{number} AS JSONB)" if column.found.family == "json" else f":f{number}")
        known = (
            "ON DUPLICATE KEY UPDATE seq = seq"
            if self._database.dialect == "mysql"
            else "ON CONFLICT (message_id) DO NOTHING"
        )
        statement = _PUT.format(
            table=self._table, names=", ".join(names), places=", ".join(places), known=known
        )
        if self._database.dialect == "mysql":
            # FOUND_ROWS is on: 1 says that there is a row, not that it was written now.
            there = self.standing(connection, message_id) is not None
            connection.execute(text(statement), parameters)
            return not there
        return connection.execute(text(statement), parameters).rowcount == 1

    def standing(self, connection: Connection, message_id: str) -> Standing | None:
        """What became of a document's row; None where there is none."""
        statement = _STANDING.format(table=self._table)
        row = connection.execute(text(statement), {"message_id": message_id}).first()
        return None if row is None else Standing(*row)
