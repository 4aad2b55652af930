"""Reads one source of records: pages, bulk, totals. The connection is the caller's, and with it the snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text

from bridge.errors import SettingsError
from bridge.partners.partner import Page, Query, Record, Totals
from bridge.partners.sorting import in_order, text_of
from bridge.partners.sql.bulk import batches
from bridge.partners.sql.database import Database
from bridge.partners.sql.statements import Source, Statements
from bridge.partners.sql.values import Loader, Unfit, unscaled


class Reader:
    """
    Args:
        database: whose SQL is written.
        source: what is read.
    """

    def __init__(self, database: Database, source: Source) -> None:
        self._database = database
        self._source = source
        self._sql = Statements(database, source)

    def page(self, connection: Connection, query: Query) -> Page:
        """A page of whole records; one row more than is asked for tells whether there is another page.

        Raises:
            SettingsError: a row has no id, or a value that its field cannot have.
        """
        sql, entity = self._sql, self._source.entity
        fields = list(self._source.columns)
        values = [sql.value(name) for name in fields]
        order = [sql.id_order()]
        clauses, parameters = sql.conditions(query)
        values.append(f"CASE WHEN {gone} THEN 1 ELSE 0 END" if (gone := sql.is_deleted()) else "0")
        by_change = query.order == "changed"
        if by_change:
            order.insert(0, sql.moment(entity.changed))
            values.append(order[0])
            clauses.append(f"{sql.named(entity.changed)} IS NOT NULL")
        if query.after is not None:
            clauses.append(sql.beyond(query.after, parameters, by_change=by_change))
        statement = sql.select(values, clauses, order, limit=query.limit + 1)
        rows = [tuple(row) for row in connection.execute(text(statement), parameters)]
        more, rows = len(rows) > query.limit, rows[: query.limit]
        try:
            loaded = self._loader(fields).load([row[: len(fields)] for row in rows])
        except Unfit as error:
            raise self._misread(str(error)) from None
        records = [
            self._record(dict(zip(fields, values, strict=True)), deleted=row[len(fields)] == 1)
            for row, values in zip(rows, loaded, strict=True)
        ]
        following = None
        if more:
            following = sql.cursor(records[-1].id, rows[-1][-1] if by_change else None)
        if query.ids:  # a collation may find A-1 where a-1 was asked for
            wanted = set(query.ids)
            records = [one for one in records if one.id in wanted]
        return Page(records, following)

    def _record(self, values: dict[str, Any], *, deleted: bool) -> Record:
        source, entity = self._source, self._source.entity
        found = values[entity.id]
        if found is None:
            raise self._without_id()
        version = values[source.version] if source.version else None
        return Record(
            str(found),
            values,
            values[entity.changed] if entity.changed else None,
            deleted,
            None if version is None else str(version),
        )

    def scan(
        self, connection: Connection, fields: Sequence[str], query: Query
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Batches of (id, *fields) by id, or of (`query.by`, *fields) by that, as the database gives them: one statement, one snapshot.
        Raises as `page`."""
        if query.by and self._source.columns[query.by].field.kind not in ("text", "integer"):
            yield from self._sorted_here(connection, fields, query)
            return
        sql = self._sql
        clauses, parameters = sql.conditions(query)
        first, order = sql.text_order(query.by) if query.by else (sql.as_text(sql.id), sql.id_order())
        values = [first, *(sql.value(name) for name in fields)]
        statement = sql.select(values, clauses, [order])
        loader = self._loader([None, *fields])
        with closing(batches(connection, statement, parameters)) as found:
            for rows in found:
                if rows[0][0] is None or rows[-1][0] is None:  # they stand at one of the ends
                    raise self._without_id()
                try:
                    loaded = loader.load(rows)
                except Unfit as error:
                    raise self._misread(str(error)) from None
                yield loaded

    def _sorted_here(
        self, connection: Connection, fields: Sequence[str], query: Query
    ) -> Iterator[list[tuple[Any, ...]]]:
        """By a field whose text databases write in ways of their own: dates, moments, amounts."""
        found = self.scan(connection, (query.by, *fields), replace(query, by=""))
        return in_order([(text_of(row[1]), *row[2:]) for row in batch] for batch in found)

    def totals(self, connection: Connection, query: Query, sums: Mapping[str, str | None]) -> Totals:
        """Counted and summed by the database; what SQLite keeps as text by an exact sum of ours."""
        clauses, parameters = self._sql.conditions(query)
        count = connection.execute(text(self._sql.select(["COUNT(*)"], clauses)), parameters).scalar_one()
        found: dict[tuple[str, str], Decimal] = {}
        for amount, currency in sums.items():
            found |= self._sum(connection, amount, currency, clauses, parameters)
        return Totals(int(count), found)

    def _sum(
        self,
        connection: Connection,
        amount: str,
        currency: str | None,
        clauses: Sequence[str],
        parameters: Mapping[str, Any],
    ) -> dict[tuple[str, str], Decimal]:
        sql, column = self._sql, self._source.columns[amount]
        exact = self._database.dialect == "sqlite" and not column.scaled
        values = [f"{'soapbridge_sum' if exact else 'SUM'}({sql.named(amount)})"]
        group = ""
        if currency is not None:
            group = f"COALESCE({sql.as_text(self._source.columns[currency])}, '')"
            values.append(group)
        statement = sql.select(values, [*clauses, f"{sql.named(amount)} IS NOT NULL"], group=group)
        found = {}
        for total, *code in connection.execute(text(statement), dict(parameters)):
            if total is not None:
                whole = column.field.fraction or 0
                value = unscaled(int(total), whole) if column.scaled else Decimal(total)
                found[amount, str(code[0]) if code else ""] = value
        return found

    def _loader(self, fields: Sequence[str | None]) -> Loader:
        columns = [None if name is None else self._source.columns[name] for name in fields]
        return Loader(columns, self._database.dialect)

    def _without_id(self) -> SettingsError:
        return self._misread(f"a row has no {self._sql.id.name}, which names the record")

    def _misread(self, what: str) -> SettingsError:
        entity = self._source.entity
        return SettingsError(
            f"{entity.name}: {what}.", advice=f"Correct the row there, or the field at {entity.place}."
        )
