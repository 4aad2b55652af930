"""Queries in COQL, Zoho's query language. Pure text.

Conditions stand in pairs, each pair in brackets: `((a and b) and c)`. A text is in single quotes; one in it is doubled.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from bridge.errors import HandlerError
from bridge.partners.http.conversion import iso

MOST_ROWS: Final = 2000
MOST_IN: Final = 100
"""Values of one `in (…)`."""
MOST_COLUMNS: Final = 500


def literal(value: Any) -> str:
    """A value as a query has it.

    Raises:
        HandlerError: it has no form there.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime):
        return f"'{iso(value.replace(microsecond=0))}'"
    if isinstance(value, date):
        return f"'{value.isoformat()}'"
    if isinstance(value, str) and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    raise HandlerError(
        f"Zoho cannot be asked for {value!r}."[:200], advice="Ask by text, number, date or truth."
    )


def compared(column: str, operator: str, value: Any) -> str:
    """`column = 'value'`; None is compared with `is null`."""
    return f"{column} is null" if value is None else f"{column} {operator} {literal(value)}"


def any_of(column: str, values: Sequence[Any]) -> str:
    """`column in ('a','b')`: at most MOST_IN."""
    return f"{column} in ({','.join(literal(one) for one in values)})"


def together(conditions: Sequence[str], word: str = "and") -> str:
    """All conditions in pairs."""
    found = conditions[0]
    for one in conditions[1:]:
        found = f"({found} {word} {one})"
    return found


def after(changed: str, moment: datetime, id_: str) -> str:
    """What comes after a record in the order of changes."""
    at = literal(moment)
    return f"({changed} > {at} or ({changed} = {at} and id > {literal(id_)}))"


def select(
    columns: Sequence[str],
    module: str,
    conditions: Sequence[str],
    *,
    order: Sequence[str] = (),
    group: Sequence[str] = (),
    limit: int | None = None,
) -> str:
    """The query. Zoho wants a condition where there is none: `id is not null`."""
    found = [
        "select",
        ", ".join(columns),
        "from",
        module,
        "where",
        together(conditions or ["id is not null"]),
    ]
    if group:
        found += ["group by", ", ".join(group)]
    if order:
        found += ["order by", ", ".join(f"{one} asc" for one in order)]
    if limit is not None:
        found += ["limit", str(limit)]
    return " ".join(found)
