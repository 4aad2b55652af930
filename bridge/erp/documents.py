"""Parts of documents on their way into the store and back, as JSON with the contract's names. Pure.

What is absent is left out, so that what comes back is what was sent.
"""

from __future__ import annotations

import json
from datetime import date
from typing import Any

Json = dict[str, Any]


def packed(details: Json) -> str:
    """As it is kept: equal details give equal text."""
    return json.dumps(details, ensure_ascii=False, separators=(",", ":"))


def unpacked(text: str) -> Json:
    """What `packed` was given."""
    details: Json = json.loads(text)
    return details


def given(value: Any, *names: str) -> Json:
    """These fields of a decoded value, as far as they were sent."""
    return {name: part for name in names if (part := getattr(value, name)) is not None}


def party(value: Any) -> Json:
    kept = given(value, "code", "name", "taxNumber")
    if value.address is not None:
        kept["address"] = address(value.address)
    if value.contact is not None:
        kept["contact"] = contact(value.contact)
    return kept


def address(value: Any) -> Json:
    kept = given(value, "addressee", "city", "region", "postalCode", "country")
    kept["street"] = list(value.street)
    return kept


def contact(value: Any) -> Json:
    return given(value, "name", "phone", "email")


def note(value: Any) -> Json:
    return given(value, "value", "language")


def note_of(text: str, language: str | None) -> Json:
    """A note that is kept in two columns."""
    return without_none({"value": text, "language": language})


def text_of(day: object) -> str | None:
    """A calendar day as it is kept."""
    return None if day is None else str(day)


def day_of(text: str | None) -> date | None:
    """What `text_of` was given."""
    return None if text is None else date.fromisoformat(text)


def without_none(values: Json) -> Json:
    return {name: value for name, value in values.items() if value is not None}
