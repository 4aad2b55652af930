"""Statements compiled once: what the bridge runs for every message.

SQLAlchemy's `execute` costs about 20 µs a statement, the drivers' own 2–5 µs; an accepted message runs several.
So the bridge's own statements are written as Core (or as text where Core cannot say it), compiled once per
database, and handed to the driver with a plain tuple. A handler of a user's has no need for this:
`session.execute` takes anything SQLAlchemy knows, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Executable, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

DialectName = Literal["sqlite", "postgresql"]
Parameters = Sequence[Any]

# Positional parameters on both: a tuple is the cheapest thing to build and to bind.
_DIALECTS: dict[DialectName, Callable[[], Dialect]] = {
    "sqlite": lambda: sqlite.dialect(paramstyle="qmark"),
    "postgresql": lambda: psycopg.dialect(paramstyle="format"),  # type: ignore[no-untyped-call]
}


class Prepared:
    """A statement with its parameters' names in order; its text per database is made on first use.

    Args:
        statement: a Core statement, or a function that makes one for a database.
        names: its parameters, in the order in which `rows` and `run` are given their values.
    """

    __slots__ = ("_names", "_statement", "_texts")

    def __init__(self, statement: Executable | Callable[[DialectName], Executable], *names: str) -> None:
        self._statement = statement
        self._names = names
        self._texts: dict[DialectName, str] = {}

    def text(self, dialect: DialectName) -> str:
        """The SQL as the driver of this database wants it."""
        text = self._texts.get(dialect)
        if text is None:
            text = self._texts[dialect] = self._compile(dialect)
        return text

    def _compile(self, dialect: DialectName) -> str:
        made = self._statement if isinstance(self._statement, Executable) else self._statement(dialect)
        assert isinstance(made, ClauseElement)
        compiled = made.compile(dialect=_DIALECTS[dialect](), column_keys=list(self._names))
        assert isinstance(compiled, SQLCompiler)
        order = tuple(compiled.positiontup or ())
        # A tuple in the wrong order would be stored without complaint, a supplier as a currency.
        assert order == self._names, f"parameters are bound as {order}, given as {self._names}"
        return str(compiled)


def insertion(
    table: Table,
    row: type[NamedTuple],
    *,
    returning: ColumnElement[Any] | None = None,
    unless_there: Sequence[str] = (),
) -> Prepared:
    """INSERT of one `row`, a NamedTuple whose fields are the table's columns in the table's order.

    Args:
        returning: column whose value comes back.
        unless_there: columns of a unique key; a row that has them already stays as it is, and then
            nothing comes back.
    """

    def make(dialect: DialectName) -> Executable:
        # One class for each database, with the same methods and no common base for them.
        if dialect == "sqlite":
            for_sqlite = sqlite.insert(table)
            if unless_there:
                for_sqlite = for_sqlite.on_conflict_do_nothing(index_elements=list(unless_there))
            return for_sqlite if returning is None else for_sqlite.returning(returning)
        for_postgresql = postgresql.insert(table)
        if unless_there:
            for_postgresql = for_postgresql.on_conflict_do_nothing(index_elements=list(unless_there))
        return for_postgresql if returning is None else for_postgresql.returning(returning)

    return Prepared(make, *row._fields)


class ByKeys:
    """A SELECT for many keys at once, given as text with `{keys}` and, where rows are locked, `{lock}`.

    `... WHERE (sku, warehouse) IN (VALUES {keys}) ORDER BY sku, warehouse{lock}`: Core cannot write a row value
    in a VALUES list for SQLite. The number of keys is rounded up (the last one repeats), so that a handful of
    texts serves any number of keys and both drivers can keep them prepared.

    Args:
        template: the text; it never holds anything that came from a message.
        width: number of columns in a key.
    """

    __slots__ = ("_template", "_texts", "_width")

    SIZES = (1, 4, 16, 64, 256, 1024)

    def __init__(self, template: str, *, width: int) -> None:
        self._template = template
        self._width = width
        self._texts: dict[tuple[DialectName, int], str] = {}

    def batches(
        self, dialect: DialectName, keys: Sequence[Parameters]
    ) -> Iterable[tuple[str, tuple[Any, ...]]]:
        """(text, parameters) until every key was asked for; no keys, no batch."""
        most = self.SIZES[-1]
        for start in range(0, len(keys), most):
            batch = list(keys[start : start + most])
            size = next(size for size in self.SIZES if size >= len(batch))
            batch.extend(batch[-1:] * (size - len(batch)))
            yield self._text(dialect, size), tuple(value for key in batch for value in key)

    def _text(self, dialect: DialectName, size: int) -> str:
        text = self._texts.get((dialect, size))
        if text is None:
            mark = "?" if dialect == "sqlite" else "%s"
            one = "(" + ", ".join([mark] * self._width) + ")"
            text = self._template.format(
                keys=", ".join([one] * size), lock=" FOR UPDATE" if dialect == "postgresql" else ""
            )
            self._texts[dialect, size] = text
        return text
