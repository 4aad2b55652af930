"""Records as JSON text and back, losing nothing: how documents for partners other than SOAP are kept.

A decimal, a date and a moment are texts with a sign of what they are, since JSON has no word for them: `{"$decimal": "12.50"}`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any


def dump(values: Any) -> str:
    """
    Raises:
        TypeError: a value is of a type that records do not have (a float, a naive datetime).
    """
    return json.dumps(_plain(values), ensure_ascii=False, separators=(",", ":"))


def load(text: str) -> Any:
    """What `dump` was given. Raises ValueError for what `dump` has not made."""
    return json.loads(text, object_hook=_whole)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, Decimal):
        return {"$decimal": str(value)}
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise TypeError(f"{value!r} has no zone")
        return {"$datetime": value.isoformat()}
    if isinstance(value, date):
        return {"$date": value.isoformat()}
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    raise TypeError(f"a record holds no {type(value).__name__}: {value!r}"[:200])


def _whole(found: dict[str, Any]) -> Any:
    if len(found) == 1:
        ((name, value),) = found.items()
        if name == "$decimal":
            return Decimal(value)
        if name == "$datetime":
            return datetime.fromisoformat(value)
        if name == "$date":
            return date.fromisoformat(value)
    return found
