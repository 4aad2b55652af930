"""A record's values as columns keep them, and back.

| field | PostgreSQL | MySQL, MariaDB | SQLite |
|---|---|---|---|
| text | text | text | text |
| integer | an integer | an integer | INTEGER |
| decimal | NUMERIC | DECIMAL | TEXT, or a scaled INTEGER |
| boolean | boolean, 0 or 1 | 0 or 1, BIT | 0 or 1 |
| date | date | DATE | text: 2026-03-31 |
| datetime | with a zone, or in the field's | TIMESTAMP, or DATETIME in the field's zone | text: ISO 8601, with an offset or in the field's zone |
| object, list | json, or text with JSON | text with JSON | text with JSON |

A field without `zone` has UTC. In JSON decimals, dates and moments are texts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from bridge.mapping.shapes import Field
from bridge.partners.sql import Dialect
from bridge.partners.sql.columns import Family, Found

Change = Callable[[Any], Any]


class Column(NamedTuple):
    """A field and the column that keeps it."""

    field: Field
    name: str
    found: Found
    scaled: bool = False


class Unfit(ValueError):
    """A value that cannot be what its field says."""


class Loader:
    """Rows of a driver as rows of records' values, in one pass; where no column wants it, as they are.

    Args:
        columns: in the order of the rows' values; None for what is taken as it comes.
    """

    def __init__(self, columns: Sequence[Column | None], dialect: Dialect) -> None:
        self._columns = columns
        self._changes = [None if column is None else loading(column, dialect) for column in columns]
        self._as_they_are = not any(self._changes)

    def load(self, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """
        Raises:
            Unfit: a value cannot be what its field says; the message names the column.
        """
        if self._as_they_are:
            return rows
        try:
            return list(
                zip(*(self._column(number, rows) for number in range(len(self._columns))), strict=True)
            )
        except (ArithmeticError, LookupError, ValueError, TypeError) as error:
            raise self._told(rows, error) from None

    def _column(self, number: int, rows: list[tuple[Any, ...]]) -> Iterator[Any]:
        values = map(itemgetter(number), rows)
        change = self._changes[number]
        return values if change is None else map(change, values)

    def _told(self, rows: list[tuple[Any, ...]], error: Exception) -> Unfit:
        for number, column in enumerate(self._columns):
            try:
                for _ in self._column(number, rows):
                    pass
            except (ArithmeticError, LookupError, ValueError, TypeError) as found:
                assert column is not None
                return Unfit(f"{column.name} holds what is no {column.field.kind}: {found}")
        return Unfit(str(error))


def loading(column: Column, dialect: Dialect) -> Change | None:
    """What makes a record's value of what the driver gives, None included; None where it is one already."""
    field = column.field
    if field.kind == "boolean" and not field.repeats and column.found.family != "boolean":
        return _FLAGS.__getitem__
    if field.kind == "decimal" and not field.repeats and dialect == "sqlite" and not column.scaled:
        return _sqlite_decimal
    if column.scaled:
        # To multiply is the quickest, and what is neither a whole number nor a decimal cannot be.
        unit = unscaled(1, field.fraction or 0)
        return lambda value: None if value is None else value * unit
    change = _loading_one(column, dialect)
    if change is None:
        return None
    return lambda value: None if value is None else change(value)


def _loading_one(column: Column, dialect: Dialect) -> Change | None:
    field, family = column.field, column.found.family
    if field.repeats or field.kind == "object":
        return lambda value: from_json(field, json.loads(value, parse_float=Decimal))
    match field.kind:
        case "integer":
            return None if family == "integer" else _whole
        case "date":
            return date.fromisoformat if dialect == "sqlite" else _date if dialect == "mysql" else None
        case "datetime":
            return _moment_loader(field, family, dialect)
        case "text" | "any":
            return None if family == "text" else str
    return None


def dumping(column: Column, dialect: Dialect) -> Change:
    """What makes a statement's parameter of a record's value that is not None."""
    field, family = column.field, column.found.family
    if field.repeats or field.kind == "object":
        return lambda value: json.dumps(to_json(value), ensure_ascii=False, separators=(",", ":"))
    match field.kind:
        case "decimal":
            if column.scaled:
                return lambda value: scaled(Decimal(value), field.fraction or 0)
            return (lambda value: f"{Decimal(value):f}") if dialect == "sqlite" else Decimal
        case "boolean":
            return bool if family == "boolean" else int
        case "date":
            return (lambda value: value.isoformat()) if dialect == "sqlite" else _same
        case "datetime":
            return _moment_dumper(field, family, dialect)
        case "text" | "any":
            return (lambda value: int(value)) if family == "integer" else _same
    return _same


def scaled(value: Decimal, fraction: int) -> int:
    """12.50 with 2 is 1250. Raises Unfit where digits would be lost."""
    moved = value.scaleb(fraction)
    if moved != moved.to_integral_value():
        raise Unfit(f"{value} has more than {fraction} digits behind the point")
    return int(moved)


def unscaled(value: int, fraction: int) -> Decimal:
    """1250 with 2 is 12.50."""
    return Decimal(value).scaleb(-fraction)


# -- moments


def zone_of(field: Field) -> Any:
    return ZoneInfo(field.zone) if field.zone else UTC


def _moment_loader(field: Field, family: Family, dialect: Dialect) -> Change | None:
    zone = zone_of(field)
    if dialect == "sqlite":
        return lambda value: parsed_moment(value, zone)
    if family == "moment":
        return None if dialect == "postgresql" else lambda value: _naive(value).replace(tzinfo=UTC)
    return lambda value: _naive(value).replace(tzinfo=zone)


def _moment_dumper(field: Field, family: Family, dialect: Dialect) -> Change:
    zone = zone_of(field)
    if dialect == "sqlite":
        return moment_text
    if family == "moment":
        return _same if dialect == "postgresql" else lambda value: value.astimezone(UTC).replace(tzinfo=None)
    return lambda value: value.astimezone(zone).replace(tzinfo=None)


def moment_text(value: datetime) -> str:
    """As SQLite keeps it: of one width, so that the order of texts is that of moments."""
    return value.astimezone(UTC).isoformat(timespec="microseconds")


def parsed_moment(value: str, zone: Any) -> datetime:
    found = datetime.fromisoformat(value)
    return found if found.tzinfo is not None else found.replace(tzinfo=zone)


def _naive(value: Any) -> datetime:
    if not isinstance(value, datetime):  # PyMySQL gives 0000-00-00 00:00:00 as it is
        raise Unfit(f"{value!r} is no moment")
    return value


# -- what drivers give for the other types


def _same(value: Any) -> Any:
    return value


def _sqlite_decimal(value: Any) -> Decimal | None:
    if value.__class__ is str or value.__class__ is int:
        return Decimal(value)
    if value is None:
        return None
    # In a column without a type each row has its own.
    raise Unfit(f"{value!r} is binary floating point; keep amounts as TEXT or as scaled integers")


_FLAGS: Final[Mapping[Any, bool | None]] = {0: False, 1: True, b"\0": False, b"\1": True, None: None}


def _whole(value: Any) -> int:
    found = int(value)
    if found != value and str(found) != value:
        raise Unfit(f"{value!r} is no whole number")
    return found


def _date(value: Any) -> date:
    if not isinstance(value, date):
        raise Unfit(f"{value!r} is no date")
    return value


# -- objects and lists, as JSON


def to_json(value: Any) -> Any:
    """What JSON can hold: decimals, dates and moments as texts."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): to_json(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(one) for one in value]
    return value


def from_json(field: Field, value: Any) -> Any:
    """A value of `field` out of JSON. Raises ValueError or TypeError where it cannot be one."""
    if not field.repeats:
        return _one(field, value)
    if not isinstance(value, list):
        raise Unfit(f"{field.name} is no list")
    return [_one(field, one) for one in value]


def _one(field: Field, value: Any) -> Any:
    if value is None:
        return None
    match field.kind:
        case "object":
            if not isinstance(value, dict):
                raise Unfit(f"{field.name} is no object")
            fields = {} if field.shape is None else field.shape.fields
            return {
                name: from_json(fields[name], one) if name in fields else one for name, one in value.items()
            }
        case "decimal":
            return Decimal(value)
        case "date":
            return date.fromisoformat(value)
        case "datetime":
            return parsed_moment(value, zone_of(field))
        case "text":
            return value if isinstance(value, str) else str(value)
    return value
