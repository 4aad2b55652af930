"""Values as records have them and as they stand in a partner's JSON: dates, moments, amounts, names.

JSON has no word for a date, an amount or a moment, and every API writes them its own way. `Forms` says how one does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from bridge.errors import DeliveredUnreadable
from bridge.mapping.shapes import Field, Shape
from bridge.partners.http.json_body import at, put

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TRUE: Final = ("true", "1", "yes")
_FALSE: Final = ("false", "0", "no", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forms:
    """How an API writes what JSON has no form for.

    Args:
        datetime: ISO 8601 with its zone, or milliseconds or seconds since 1970 in UTC.
        date: ISO 8601, or milliseconds since 1970 of its midnight in the field's zone (UTC without one).
        number: as a number, or as a text.
        names: where a field stands, when not by its own name: `{"name": "attributes/Name"}`.
        nothing: what is written for None: null, nothing at all, or an empty text.
    """

    datetime: Literal["iso", "milliseconds", "seconds"] = "iso"
    date: Literal["iso", "milliseconds"] = "iso"
    number: Literal["number", "text"] = "number"
    names: Mapping[str, str] = field(default_factory=dict)
    nothing: Literal["null", "omit", "empty"] = "null"


class Conversion:
    """Between the records of a shape and JSON."""

    def __init__(self, shape: Shape, forms: Forms = Forms()) -> None:
        self.shape = shape
        self.forms = forms

    def place(self, name: str) -> str:
        """Where a field stands in JSON."""
        return self.forms.names.get(name, name)

    def read(self, found: Any) -> dict[str, Any]:
        """A record's values: every field of the shape, None where there is nothing. What is not of its field's type is left as it
        came: `values.misfits` tells of it, and the records beside it are as good as ever.

        Raises:
            DeliveredUnreadable: it is no object.
        """
        if not isinstance(found, Mapping):
            raise DeliveredUnreadable(
                f"{self.shape.name}: a record is an object, and {type(found).__name__} came.",
                advice="Correct `records` in the partner's file, or tell the partner.",
            )
        return {name: self._read(one, at(found, self.place(name))) for name, one in self.shape.fields.items()}

    def write(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """JSON of those fields that are given."""
        made: dict[str, Any] = {}
        for name, value in values.items():
            written = self.written(self.shape.fields[name], value)
            if written is None and self.forms.nothing == "omit":
                continue
            put(made, self.place(name), "" if written is None and self.forms.nothing == "empty" else written)
        return made

    def written(self, one: Field, value: Any) -> Any:
        """One value as it stands in JSON."""
        if value is None:
            return None
        if one.repeats and isinstance(value, list | tuple):
            return [self._written(one, part) for part in value]
        return self._written(one, value)

    def _written(self, one: Field, value: Any) -> Any:
        if one.shape is not None and isinstance(value, Mapping):
            return {
                name: self.written(inner, value[name])
                for name, inner in one.shape.fields.items()
                if name in value
            }
        return written(value, self.forms, one.zone)

    def _read(self, one: Field, found: Any) -> Any:
        if one.repeats and isinstance(found, list):
            return [self._one(one, part) for part in found]
        return found if one.repeats else self._one(one, found)

    def _one(self, one: Field, found: Any) -> Any:
        if found is None:
            return None
        try:
            match one.kind:
                case "text":
                    return _text(found)
                case "integer":
                    return _whole(found)
                case "decimal":
                    return _number(found)
                case "boolean":
                    return _truth(found)
                case "date":
                    return _date(found, self.forms, one.zone)
                case "datetime":
                    return moment(found, self.forms, one.zone)
                case "object" if isinstance(found, Mapping) and one.shape is not None:
                    return {
                        name: self._read(inner, found.get(name)) for name, inner in one.shape.fields.items()
                    }
                case _:
                    return found
        except (ValueError, ArithmeticError, TypeError):
            return found


def written(value: Any, forms: Forms, zone: str = "") -> Any:
    """A value without a field: as it stands in JSON, or in a query."""
    if isinstance(value, datetime):
        if forms.datetime == "iso":
            return iso(value.astimezone(ZoneInfo(zone)) if zone else value)
        milliseconds = (value - _EPOCH) // timedelta(milliseconds=1)
        return milliseconds if forms.datetime == "milliseconds" else milliseconds // 1000
    if isinstance(value, date):
        if forms.date == "iso":
            return value.isoformat()
        midnight = datetime(value.year, value.month, value.day, tzinfo=ZoneInfo(zone or "UTC"))
        return (midnight - _EPOCH) // timedelta(milliseconds=1)
    if isinstance(value, Decimal | int) and not isinstance(value, bool) and forms.number == "text":
        return format(value, "f") if isinstance(value, Decimal) else str(value)
    return value


def iso(value: datetime) -> str:
    """A moment as APIs take it: to the second unless there is more."""
    return value.isoformat(timespec="auto" if value.microsecond else "seconds")


def moment(found: Any, forms: Forms, zone: str = "") -> datetime | None:
    """A moment with its zone. Raises ValueError for what is none."""
    if found == "":
        return None
    if forms.datetime != "iso":
        number = _number(found)
        if number is None:
            return None
        microseconds = int(number * (1000 if forms.datetime == "milliseconds" else 1_000_000))
        return _EPOCH + timedelta(microseconds=microseconds)
    if not isinstance(found, str):
        raise ValueError
    value = datetime.fromisoformat(found)
    return value if value.tzinfo is not None else value.replace(tzinfo=ZoneInfo(zone or "UTC"))


def _text(found: Any) -> str:
    if isinstance(found, str):
        return found
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, int | Decimal):
        return format(found, "f") if isinstance(found, Decimal) else str(found)
    raise ValueError


def _number(found: Any) -> Decimal | None:
    if found == "":
        return None
    if isinstance(found, bool) or not isinstance(found, int | Decimal | str):
        raise ValueError
    try:
        value = Decimal(found.strip()) if isinstance(found, str) else Decimal(found)
    except InvalidOperation:
        raise ValueError from None
    if not value.is_finite() or abs(value.adjusted()) > 400:
        raise ValueError
    return value


def _whole(found: Any) -> int | None:
    value = _number(found)
    if value is None:
        return None
    if value != value.to_integral_value():
        raise ValueError
    return int(value)


def _truth(found: Any) -> bool | None:
    if isinstance(found, bool):
        return found
    text = str(found).lower() if isinstance(found, str | int) else "?"
    if text in _TRUE:
        return True
    if text in _FALSE:
        return None if text == "" else False
    raise ValueError


def _date(found: Any, forms: Forms, zone: str) -> date | None:
    if found == "":
        return None
    if forms.date == "milliseconds":
        number = _number(found) or Decimal()
        return (_EPOCH + timedelta(milliseconds=int(number))).astimezone(ZoneInfo(zone or "UTC")).date()
    if not isinstance(found, str):
        raise ValueError
    return date.fromisoformat(found[:10])
