"""The statements that make the tables between us, for whoever owns the database to read and to run.

Fields are as wide as the database lets them be, and may be NULL: what does not fit is rejected with a reason beside it, which a row
that was cut, or could not be written, does not have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from bridge.mapping.shapes import Field
from bridge.partners.sql import Dialect
from bridge.partners.staging.layout import WAYS, Layout, Layouts, Way

_STATES = "'new', 'claimed', 'done', 'rejected'"
_OPERATIONS = "'create', 'update', 'upsert', 'delete'"
NOW: Final[dict[Dialect, str]] = {
    "postgresql": "now()",
    "mysql": "CURRENT_TIMESTAMP(6)",
    "sqlite": "strftime('%Y-%m-%dT%H:%M:%f000+00:00', 'now')",
}
"""The database's clock."""

_LONG = 16_000
"""Characters of which a TEXT of MySQL (64 kB) holds as many as can be, at four bytes each."""


def ddl(layouts: Layouts, dialect: Dialect, quoted: Callable[[str], str]) -> str:
    """All tables of a partner, as a script. `quoted` writes an identifier, `schema.table` too."""
    return "\n".join(
        _table(layout, way, dialect, quoted) for layout in layouts.entities.values() for way in WAYS
    )


def statements(layouts: Layouts, dialect: Dialect, quoted: Callable[[str], str]) -> list[str]:
    """The same, one statement each."""
    script = ddl(layouts, dialect, quoted)
    lines = [line for line in script.splitlines() if not line.startswith("--")]
    return [one.strip() for one in "\n".join(lines).split(";\n") if one.strip(" ;\n")]


def _table(layout: Layout, way: Way, dialect: Dialect, quoted: Callable[[str], str]) -> str:
    table = layout.table(way)
    who = (
        "the partner writes, the bridge claims" if way == "inbox" else "the bridge writes, the partner claims"
    )
    rows = [*_control(way, dialect), *_fields(layout, dialect, quoted)]
    width = max(len(name) for name, _ in rows)
    body = ",\n".join(f"    {name:<{width}} {rest}" for name, rest in rows)
    return "\n".join(
        [
            f"-- {layout.entity.name}, {way}: {who} and acknowledges.",
            f"CREATE TABLE {quoted(table)} (",
            body,
            f"){_END[dialect]};",
            *_indexes(layout, way, dialect, quoted),
            "",
        ]
    )


def _control(way: Way, dialect: Dialect) -> Iterator[tuple[str, str]]:
    short = {"postgresql": "TEXT", "mysql": "VARCHAR({0})", "sqlite": "TEXT"}[dialect]
    text = {"postgresql": "TEXT", "mysql": "TEXT", "sqlite": "TEXT"}[dialect]
    moment = {"postgresql": "TIMESTAMPTZ", "mysql": "TIMESTAMP(6) NULL", "sqlite": "TEXT"}[dialect]
    now = f"({NOW[dialect]})" if dialect == "sqlite" else NOW[dialect]
    yield (
        "seq",
        {
            "postgresql": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
            "mysql": "BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY",
            "sqlite": "INTEGER PRIMARY KEY AUTOINCREMENT",
        }[dialect],
    )
    unique = " NOT NULL UNIQUE" if way == "outbox" else ""
    yield "message_id", f"{short.format(100)}{unique}"
    yield "operation", f"{short.format(10)} DEFAULT 'upsert' NOT NULL CHECK (operation IN ({_OPERATIONS}))"
    yield "state", f"{short.format(10)} DEFAULT 'new' NOT NULL CHECK (state IN ({_STATES}))"
    yield "reason", short.format(100)
    yield "explanation", text
    yield "claimed_by", short.format(200)
    yield "claimed_until", moment
    yield "attempts", "INTEGER DEFAULT 0 NOT NULL"
    yield "created_at", f"{moment.removesuffix(' NULL')} DEFAULT {now} NOT NULL"
    yield "done_at", moment


def _fields(layout: Layout, dialect: Dialect, quoted: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    for name, column in layout.own.items():
        if name == layout.entity.id:
            yield quoted(column.name), f"{_id_type(column.field, dialect)} NOT NULL"
        else:
            yield quoted(column.name), _type(column.field, dialect)


def _id_type(field: Field, dialect: Dialect) -> str:
    if field.kind == "integer":
        return "BIGINT" if dialect != "sqlite" else "INTEGER"
    return f"VARCHAR({min(field.longest or 190, 190)})" if dialect == "mysql" else "TEXT"


def _type(field: Field, dialect: Dialect) -> str:
    if field.repeats or field.kind == "object":
        return {
            "postgresql": "JSONB",
            "mysql": "LONGTEXT",  # its JSON makes floats of decimals
            "sqlite": "TEXT",
        }[dialect]
    match field.kind:
        case "integer":
            return "INTEGER" if dialect == "sqlite" else "BIGINT"
        case "decimal":
            return _decimal(field, dialect)
        case "boolean":
            return {"postgresql": "BOOLEAN", "mysql": "TINYINT(1)", "sqlite": "INTEGER"}[dialect]
        case "date":
            return "TEXT" if dialect == "sqlite" else "DATE"
        case "datetime":
            return {"postgresql": "TIMESTAMPTZ", "mysql": "DATETIME(6)", "sqlite": "TEXT"}[dialect]
    return "LONGTEXT" if dialect == "mysql" and (field.longest or 0) > _LONG else "TEXT"


def _decimal(field: Field, dialect: Dialect) -> str:
    if dialect == "sqlite":
        return "TEXT"  # everything else of SQLite's is binary floating point
    if dialect == "postgresql":
        return "NUMERIC"  # as precise as what is written; what does not fit is rejected with its reason
    return f"DECIMAL({field.digits or 38},{field.fraction or 0})"


_END: Final[dict[Dialect, str]] = {
    "postgresql": "",
    "mysql": " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
    "sqlite": "",
}


def _indexes(layout: Layout, way: Way, dialect: Dialect, quoted: Callable[[str], str]) -> Iterator[str]:
    table = layout.table(way)
    bare = table.rpartition(".")[2]
    identity = quoted(layout.columns[layout.entity.id].name)
    partial = "" if dialect == "mysql" else " WHERE state <> 'done'"
    yield f"CREATE INDEX {quoted(f'{bare}_open')} ON {quoted(table)} (state, seq){partial};"
    yield f"CREATE INDEX {quoted(f'{bare}_record')} ON {quoted(table)} ({identity}, seq);"
    if way == "inbox":
        partial = "" if dialect == "mysql" else " WHERE message_id IS NOT NULL"
        yield f"CREATE INDEX {quoted(f'{bare}_message')} ON {quoted(table)} (message_id){partial};"
