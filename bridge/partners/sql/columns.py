"""Which columns a table, a view or a query has, of which types, and whether they may be NULL.

What is read is held against what the partner's file says of its fields, and against what was there before: a column that has
vanished or changed is named, before a value of it is misread.

Amounts are never read from binary floating point. SQLite keeps everything but TEXT and INTEGER columns that way, so that there a
decimal is a TEXT, or an INTEGER that is scaled: 1250 for 12.50.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Connection, inspect, text, types
from sqlalchemy.exc import NoSuchTableError

from bridge.mapping.shapes import Field
from bridge.partners.sql import Dialect

Family = Literal[
    "text",
    "integer",
    "decimal",
    "float",
    "boolean",
    "bit",
    "date",
    "datetime",
    "moment",
    "time",
    "json",
    "binary",
    "other",
]
"""`datetime` comes without a zone, `moment` with one; `other` is compared and shown as text."""


@dataclass(frozen=True, slots=True)
class Found:
    """A column as it is there. `nullable` is None where that cannot be known: of a query."""

    name: str
    type: str
    family: Family
    nullable: bool | None = None

    def __str__(self) -> str:
        return self.type if self.nullable is not False else f"{self.type} NOT NULL"


def of_table(connection: Connection, name: str) -> dict[str, Found] | None:
    """The columns of a table or view, `name` or `schema.name`; None where there is none of that name."""
    schema, _, table = name.rpartition(".")
    try:
        reflected = inspect(connection).get_columns(table, schema=schema or None)
    except NoSuchTableError:
        return None
    dialect: Dialect = "mysql" if connection.dialect.name in ("mysql", "mariadb") else connection.dialect.name  # type: ignore[assignment]
    return {
        one["name"]: Found(
            one["name"],
            _type_text(one["type"], connection),
            _family(one["type"], dialect, _type_text(one["type"], connection)),
            bool(one.get("nullable", True)),
        )
        for one in reflected
    }


def of_query(connection: Connection, query: str) -> dict[str, Found]:
    """The columns of a SELECT, which is not run for a row."""
    result = connection.execute(text(f"SELECT * FROM ({query}) source WHERE 1 = 0"))  # noqa: S608 - declared by the operator
    cursor = result.cursor
    assert cursor is not None
    described = list(cursor.description)
    result.close()
    return {one[0]: _described(one, connection) for one in described}


def _type_text(kind: types.TypeEngine[Any], connection: Connection) -> str:
    if isinstance(kind, types.NullType):
        return "?"
    return kind.compile(connection.dialect)


def _family(kind: types.TypeEngine[Any], dialect: Dialect, shown: str) -> Family:
    if dialect == "sqlite":
        return _sqlite_family(shown)
    name = shown.split("(")[0].upper()
    if name in ("JSON", "JSONB"):
        return "json"
    if name in ("BIT", "YEAR"):
        return "bit" if name == "BIT" else "integer"
    if isinstance(kind, types.Boolean):
        return "boolean"
    if isinstance(kind, types.Integer):
        return "integer"
    if isinstance(kind, types.Float):
        return "float"
    if isinstance(kind, types.Numeric):
        return "decimal"
    if isinstance(kind, types.DateTime):
        zoned = kind.timezone or (dialect == "mysql" and name == "TIMESTAMP")
        return "moment" if zoned else "datetime"
    if isinstance(kind, types.Date):
        return "date"
    if isinstance(kind, types.Time):
        return "time"
    if isinstance(kind, types._Binary) or name == "BYTEA":
        return "binary"
    return "text" if isinstance(kind, types.String) and name != "CHAR" else "other"


def _sqlite_family(shown: str) -> Family:
    """By SQLite's rules for affinity (datatype3.html, section 3.1), apart from dates and times, which are texts there."""
    name = shown.upper()
    if re.search("DATE|TIME", name):
        return "text"
    if "INT" in name or "BOOL" in name:
        return "integer"
    if re.search("CHAR|CLOB|TEXT|JSON", name):
        return "text"
    if name == "?":
        return "other"
    return "binary" if "BLOB" in name else "float"


_MYSQL_CODES: Final[tuple[tuple[tuple[int, ...], Family], ...]] = (
    ((1, 2, 3, 8, 9, 13), "integer"),
    ((0, 246), "decimal"),
    ((4, 5), "float"),
    ((7,), "moment"),
    ((10,), "date"),
    ((11,), "time"),
    ((12,), "datetime"),
    ((16,), "bit"),
    ((245,), "json"),
    ((15, 249, 250, 251, 252, 253, 254), "text"),
)
"""The protocol's numbers of types."""

_POSTGRESQL_NAMES: Final[Mapping[str, Family]] = {
    "int2": "integer",
    "int4": "integer",
    "int8": "integer",
    "numeric": "decimal",
    "float4": "float",
    "float8": "float",
    "bool": "boolean",
    "date": "date",
    "timestamp": "datetime",
    "timestamptz": "moment",
    "time": "time",
    "json": "json",
    "jsonb": "json",
    "bytea": "binary",
    "text": "text",
    "varchar": "text",
}


def _described(one: Any, connection: Connection) -> Found:
    name, code = one[0], one[1]
    if connection.dialect.name == "sqlite":
        return Found(name, "?", "other")
    if connection.dialect.name == "postgresql":
        from psycopg import postgres

        known = postgres.types.get(code)
        type_name = known.name if known is not None else f"type {code}"
        return Found(name, type_name, _POSTGRESQL_NAMES.get(type_name, "other"))
    from pymysql.constants import FIELD_TYPE

    names = {value: key for key, value in vars(FIELD_TYPE).items() if isinstance(value, int)}
    return Found(
        name,
        names.get(code, f"type {code}"),
        next((family for codes, family in _MYSQL_CODES if code in codes), "other"),
    )


_FITTING: Final[Mapping[str, frozenset[Family]]] = {
    "text": frozenset({"text", "integer", "decimal", "date", "other"}),
    "integer": frozenset({"integer", "decimal", "other"}),
    "decimal": frozenset({"decimal", "integer"}),
    "boolean": frozenset({"boolean", "integer", "bit", "other"}),
    "date": frozenset({"date"}),
    "datetime": frozenset({"datetime", "moment"}),
    "object": frozenset({"json", "text", "other"}),
    "any": frozenset({"text", "integer", "decimal", "date", "json", "other"}),
}
_FITTING_SQLITE: Final[Mapping[str, frozenset[Family]]] = {
    **_FITTING,
    "decimal": frozenset({"text", "integer", "other"}),
    "date": frozenset({"text", "other"}),
    "datetime": frozenset({"text", "other"}),
    "boolean": frozenset({"integer", "other"}),
}


def misfit(field: Field, found: Found, dialect: Dialect, *, scaled: bool) -> str | None:
    """Why this column cannot be read as that field; None where it can."""
    if found.family == "float" and field.kind in ("decimal", "integer", "text", "any"):
        if dialect == "sqlite":
            return f"SQLite keeps {found.type} as binary floating point; make it TEXT, or INTEGER and list the field in `scaled`"
        return f"{found.type} is binary floating point, which loses cents; read it through a view or query that casts it to DECIMAL"
    if scaled:
        fits = found.family in ("integer", "other")
        return None if fits else f"{found.type} is no integer, and `scaled` lists the field"
    if field.repeats or field.kind == "object":
        allowed = _FITTING["object"]
    else:
        allowed = (_FITTING_SQLITE if dialect == "sqlite" else _FITTING)[field.kind]
    return None if found.family in allowed else f"{found.type} cannot be read as {field.kind}"


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What has changed, a phrase for each column."""
    gone = [
        f"the column {name} has vanished (it was {shown})"
        for name, shown in before.items()
        if name not in now
    ]
    other = [
        f"the column {name} is {now[name]} now and was {shown}"
        for name, shown in before.items()
        if name in now and now[name] != shown
    ]
    return gone + other
