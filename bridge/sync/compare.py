"""What has changed, and what is to be sent of it: values compared, and merged where both sides changed. Touches nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Literal

from bridge.partners.json_text import dump, load

Values = Mapping[str, Any]
Winner = Literal["ours", "theirs", "nobody"]
"""Whose value goes where both sides changed one: that of the side that is read, the other's, or a person is to be asked."""

_HASH_BYTES = 16


def digest(values: Values, *, without: Collection[str] = ()) -> bytes:
    """A hash of values that are alike whatever their order, their notation of numbers and moments, and what is None.

    Args:
        without: fields that do not count: the moment of the last change.

    Raises:
        TypeError: a value is of a type that records do not have.
    """
    plain = {name: value for name, value in values.items() if value is not None and name not in without}
    text = json.dumps(plain, sort_keys=True, default=_plain, separators=(",", ":"))
    return blake2b(text.encode(), digest_size=_HASH_BYTES).digest()


def same(one: Any, other: Any) -> bool:
    """Whether two values are alike. None and nothing are; so are 5 and 5.00, and a moment in two zones."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return all(same(one.get(name), other.get(name)) for name in one.keys() | other.keys())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, bool) != isinstance(other, bool):
        return False
    return bool(one == other)


def differing(one: Values, other: Values) -> list[str]:
    """The fields that are not alike, in the order of `one`."""
    names = [*one, *(name for name in other if name not in one)]
    return [name for name in names if not same(one.get(name), other.get(name))]


def as_text(values: Values | None) -> str | None:
    """Values as a link keeps them. Raises TypeError as `digest`."""
    return None if values is None else dump(dict(values))


def from_text(text: str | None) -> dict[str, Any] | None:
    """What `as_text` was given."""
    return None if text is None else load(text)


def plainly(value: Any) -> Any:
    """Values with what records do not have (a contract's own types) as text: to be kept and compared, never to be sent."""
    if isinstance(value, Mapping):
        return {str(name): plainly(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plainly(one) for one in value]
    if value is None or isinstance(value, str | bool | int | Decimal):
        return value
    if isinstance(value, datetime):
        return value if value.tzinfo is not None else value.isoformat()
    return value if isinstance(value, date) else str(value)


@dataclass(frozen=True, slots=True)
class Merged:
    """What is to be sent.

    `values` are all of it; `ours` those among them that come from the record that was read, and are known over there once this is
    delivered. `open` names the fields that both sides changed and nobody may decide about.
    """

    values: dict[str, Any] = field(default_factory=dict)
    ours: dict[str, Any] = field(default_factory=dict)
    open: tuple[str, ...] = ()


def merge(
    mapped: Values,
    before: Values | None,
    there: Values | None,
    known: Values | None,
    *,
    is_theirs: Callable[[str], bool],
    winner: Winner,
) -> Merged:
    """What goes over of a record: what was changed here, and of everything else what is there.

    Args:
        mapped: what the mapping makes of the record.
        before: what it makes of the record as both sides knew it; None: that is not known, and every value counts as changed.
        there: what the other side has now; None: it is not read, or has nothing yet.
        known: what it had when both sides agreed.
        is_theirs: whether a field belongs to the other side.
        winner: whose value goes where a field does not, and both changed it.
    """
    if there is None:
        if (
            known is None
        ):  # of what is new there is nothing to be cleared, and somebody may just be making it there too
            values = {name: value for name, value in mapped.items() if value is not None}
        else:
            values = {name: value for name, value in mapped.items() if not is_theirs(name)}
        return Merged(values, dict(values))
    merged, undecided = Merged(), []
    for name, value in mapped.items():
        has = there.get(name)
        # Of what was never moved a value says something, and nothing says nothing.
        moved_here = value is not None if before is None else not same(value, before.get(name))
        was = None if known is None else known.get(name)
        there_is = has is not None or was is not None  # a field that was cleared there is a value too
        take_ours = moved_here or not there_is
        if is_theirs(name) and there_is:
            take_ours = False
        elif moved_here and there_is and not same(has, was) and not same(value, has):
            take_ours = winner == "ours"
            if winner == "nobody":
                undecided.append(name)
        merged.values[name] = value if take_ours else has
        if take_ours:
            merged.ours[name] = value
    return Merged(merged.values, merged.ours, tuple(undecided))


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"decimal {value.normalize():f}"
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise TypeError(f"{value!r} has no zone")
        return f"moment {value.astimezone(UTC).isoformat()}"
    if isinstance(value, date):
        return f"date {value.isoformat()}"
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a record holds no {type(value).__name__}: {value!r}"[:200])
