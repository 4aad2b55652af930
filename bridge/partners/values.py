"""Whether values fit an entity: looked at before anything is accepted for a partner, and when a partner's records come in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from bridge.errors import Unpresentable
from bridge.mapping.shapes import Field, Shape
from bridge.partners.entities import Entity

MOST = 20
"""Mistakes that are told at once."""


def fitting(entity: Entity, values: Any, *, whole: bool) -> dict[str, Any]:
    """The values as they are kept: those that are None and not said to be there are left as None.

    Args:
        whole: everything that is required must be there, as the record is made.

    Raises:
        Unpresentable: with every mistake, by path.
    """
    if not isinstance(values, Mapping):
        raise Unpresentable(
            f"{entity.name}: values are a dict by field, not {type(values).__name__}. Nothing was accepted.",
            advice="Correct the mapping.",
        )
    mistakes = list(_object(entity.shape, values, entity.name, whole=whole))
    if not whole and values.get(entity.id) in (None, ""):
        mistakes.append(f"{entity.name}/{entity.id}: names the record and is missing")
    if mistakes:
        shown = "; ".join(mistakes[:MOST]) + ("; and more" if len(mistakes) > MOST else "")
        raise Unpresentable(
            f"{shown}. Nothing was accepted.", advice=f"The entity is described at {entity.place}."
        )
    return dict(values)


def misfits(shape: Shape, values: Mapping[str, Any], *, whole: bool = True) -> list[str]:
    """A sentence for each value that does not fit, with its path; where it is `whole`, every required field must be there."""
    return list(_object(shape, values, shape.name, whole=whole))


def _object(shape: Shape, values: Mapping[str, Any], path: str, *, whole: bool) -> Iterator[str]:
    fields = shape.fields
    for name in values:
        if name not in fields:
            yield f"{path}/{name}: there is no such field"
    for name, field in fields.items():
        value = values.get(name)
        if value is None:
            if field.required and whole:
                yield f"{path}/{name}: is required and missing"
            continue
        if not field.repeats:
            yield from _value(field, value, f"{path}/{name}")
        elif not isinstance(value, list | tuple):
            yield f"{path}/{name}: is a list, not {type(value).__name__}"
        else:
            for number, one in enumerate(value, 1):
                yield from _value(field, one, f"{path}/{name}[{number}]")


def _value(field: Field, value: Any, path: str) -> Iterator[str]:
    if value is None:
        return
    if field.kind == "object":
        if not isinstance(value, Mapping):
            yield f"{path}: is an object, not {type(value).__name__}"
        elif field.shape is not None:
            yield from _object(field.shape, value, path, whole=True)
        return
    if (expected := _unexpected(field, value)) is not None:
        yield f"{path}: {expected} is expected, not {_shown(value)}"
    elif field.one_of and str(value) not in field.one_of:
        yield f"{path}: {_shown(value)} is none of {', '.join(field.one_of)}"
    elif isinstance(value, str):
        if field.longest is not None and len(value) > field.longest:
            yield f"{path}: has {len(value)} characters, {field.longest} are the most"
        if field.shortest is not None and len(value) < field.shortest:
            yield f"{path}: has {len(value)} characters, {field.shortest} are the least"
    elif isinstance(value, Decimal | int) and not isinstance(value, bool):
        yield from _number(field, Decimal(value), path)


def _unexpected(field: Field, value: Any) -> str | None:
    """What was expected in the value's place; None where it is of the right type."""
    match field.kind:
        case "text":
            return None if isinstance(value, str) else "a text"
        case "integer":
            return None if isinstance(value, int) and not isinstance(value, bool) else "a whole number"
        case "decimal":
            fits = (
                isinstance(value, Decimal | int)
                and not isinstance(value, bool)
                and Decimal(value).is_finite()
            )
            return None if fits else "a decimal number"
        case "boolean":
            return None if isinstance(value, bool) else "true or false"
        case "date":
            return None if isinstance(value, date) and not isinstance(value, datetime) else "a date"
        case "datetime":
            fits = isinstance(value, datetime) and value.tzinfo is not None
            return None if fits else "a moment with its zone"
    return None


def _number(field: Field, value: Decimal, path: str) -> Iterator[str]:
    if field.least is not None and value < field.least:
        yield f"{path}: {value} is less than {field.least}"
    if field.most is not None and value > field.most:
        yield f"{path}: {value} is more than {field.most}"
    _, digits, exponent = value.normalize().as_tuple()
    assert isinstance(exponent, int)
    behind = max(0, -exponent)
    if field.fraction is not None and behind > field.fraction:
        yield f"{path}: {value} has {behind} digits behind the point, {field.fraction} are the most"
    if field.digits is not None and max(len(digits) + max(0, exponent), behind) > field.digits:
        yield f"{path}: {value} has too many digits, {field.digits} are the most"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
