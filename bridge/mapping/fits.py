"""Whether a value fits a target field: what is looked at before a mapping's result leaves it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final

from bridge.mapping.shapes import Field, Kind, Shape
from bridge.mapping.steps import Facts

_PLAIN: Final = (str, bool, int, float, Decimal, dict, list, date, datetime, time)
"""Values of other types are the codec's own, which have more in them than Python's."""
_TYPES: Final[Mapping[Kind, tuple[type, ...]]] = {
    "text": (str,),
    "integer": (int,),
    "decimal": (Decimal, int),
    "boolean": (bool,),
    "date": (date,),
    "datetime": (datetime,),
    "time": (time,),
    "binary": (bytes,),
    "object": (dict,),
}
HOW: Final[Mapping[Kind, str]] = {
    "text": "`text` or `number_text` makes one",
    "integer": "`integer` makes one",
    "decimal": "`number` makes one of a text",
    "boolean": "`boolean` makes one of a text",
    "date": "`date` makes one of a text, `day` of a moment",
    "datetime": "`moment` makes one of a text or an integer, `start_of_day` of a date",
}
"""Which step gives a kind of value."""


def misfit(field: Field, value: Any) -> str | None:
    """What was expected instead; None where the value fits. A list is that of a field that repeats."""
    if field.repeats:
        if not isinstance(value, list | tuple):
            return f"a list of {field.kind}"
        return next((wrong for one in value if (wrong := _misfit(field, one)) is not None), None)
    return _misfit(field, value)


def _misfit(field: Field, value: Any) -> str | None:
    if value is None or field.kind == "any":
        return None
    if not _is(field.kind, value):
        return f"{_article(field.kind)} ({HOW[field.kind]})" if field.kind in HOW else _article(field.kind)
    if field.one_of and isinstance(value, str) and value not in field.one_of:
        return f"one of {', '.join(field.one_of)}"
    if isinstance(value, str):
        if field.longest is not None and len(value) > field.longest:
            return f"at most {field.longest} characters; these are {len(value)}"
        if field.shortest is not None and len(value) < field.shortest:
            return f"at least {field.shortest} characters"
    elif isinstance(value, Decimal | int) and not isinstance(value, bool):
        return _number(field, Decimal(value))
    return None


def _is(kind: Kind, value: Any) -> bool:
    if isinstance(value, bool) and kind in ("integer", "decimal"):
        return False
    if kind == "date" and isinstance(value, datetime):
        return False
    wanted = _TYPES.get(kind)
    return wanted is None or isinstance(value, wanted) or not isinstance(value, _PLAIN)


def _number(field: Field, value: Decimal) -> str | None:
    if not value.is_finite():
        return "a number"
    if field.least is not None and value < field.least:
        return f"at least {field.least:f}"
    if field.most is not None and value > field.most:
        return f"at most {field.most:f}"
    _, digits, exponent = value.normalize().as_tuple()
    behind = max(0, -int(exponent))
    before = max(0, len(digits) + int(exponent)) if any(digits) else 0
    if field.fraction is not None and behind > field.fraction:
        return f"at most {field.fraction} digits behind the point (`round` makes them)"
    if field.digits is not None and before + behind > field.digits:
        return f"at most {field.digits} digits"
    return None


def _article(kind: Kind) -> str:
    names: dict[str, str] = {
        "datetime": "a moment with a zone",
        "integer": "a whole number",
        "decimal": "a number",
    }
    return names.get(kind, f"{'an' if kind == 'object' else 'a'} {kind}")


def missing(shape: Shape, values: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """The paths of what is required in an object, and not there."""
    for name, field in shape.fields.items():
        value = values.get(name)
        here = f"{path}{name}"
        if value is None or value == []:
            if field.required:
                yield here
        elif field.shape is not None:
            for number, one in enumerate(value if field.repeats else [value], 1):
                if isinstance(one, dict):
                    yield from missing(
                        field.shape, one, f"{here}[{number}]/" if field.repeats else f"{here}/"
                    )


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something that may not fit. `surely` where no value could."""

    what: str
    surely: bool = False


def doubts(field: Field, facts: Facts) -> Iterator[Doubt]:
    """What is known of a value held against the field that it is for."""
    if field.repeats is not facts.many and facts.kind != "any":
        if field.repeats:
            yield Doubt("is a list there, and one value here: `split` makes a list", surely=True)
        else:
            yield Doubt(
                "is one value there, and a list here: `join`, `first`, `last` or `sum` makes one", surely=True
            )
        return
    if field.kind == "any":
        return
    if facts.kind == "any":
        yield Doubt(f"is {_article(field.kind)} there, and nothing is known of the value here")
        facts = replace(facts, kind=field.kind)
    if facts.kind != field.kind and (facts.kind, field.kind) != ("integer", "decimal"):
        how = f": {HOW[field.kind]}" if field.kind in HOW else ""
        yield Doubt(f"is {_article(field.kind)} there, and {_article(facts.kind)} here{how}", surely=True)
        return
    if field.kind == "text":
        yield from _of_text(field, facts)
    elif field.kind in ("integer", "decimal"):
        yield from _of_number(field, facts)


def _of_text(field: Field, facts: Facts) -> Iterator[Doubt]:
    if field.one_of:
        wrong = [one for one in facts.one_of if one not in field.one_of]
        if wrong:
            yield Doubt(
                f"would be {', '.join(wrong)}, and is only {', '.join(field.one_of)} there", surely=True
            )
        elif not facts.one_of:
            yield Doubt(
                f"is one of {', '.join(field.one_of)} there, and any text here: a lookup makes them sure"
            )
        return
    longest = max(map(len, facts.one_of)) if facts.one_of else facts.longest
    shortest = min(map(len, facts.one_of)) if facts.one_of else facts.shortest
    if field.longest is not None and (longest is None or longest > field.longest):
        here = "any number" if longest is None else f"up to {longest}"
        yield Doubt(f"may have {field.longest} characters there, and {here} here: `cut` makes them fit")
    # An empty text counts as absent, so that there is always one character.
    if field.shortest is not None and (shortest or 1) < field.shortest:
        yield Doubt(f"must have {field.shortest} characters there, and may have fewer here")


def _of_number(field: Field, facts: Facts) -> Iterator[Doubt]:
    most = field.fraction if field.kind == "decimal" else None
    if most is not None and (facts.fraction is None or facts.fraction > most):
        here = "any number" if facts.fraction is None else f"up to {facts.fraction}"
        yield Doubt(f"has {most} digits behind the point there, and {here} here: `round` makes them fit")
    if field.digits is not None and not _digits_fit(field, facts):
        here = "any number" if facts.digits is None else f"up to {facts.digits}"
        yield Doubt(f"has {field.digits} digits there, and {here} here")
    if field.least is not None and (facts.least is None or facts.least < field.least):
        yield Doubt(f"is at least {field.least:f} there, and may be {_bound(facts.least)} here")
    if field.most is not None and (facts.most is None or facts.most > field.most):
        yield Doubt(f"is at most {field.most:f} there, and may be {_bound(facts.most)} here")


def _bound(known: Decimal | None) -> str:
    return "anything" if known is None else f"{known:f}"


def _digits_fit(field: Field, facts: Facts) -> bool:
    assert field.digits is not None
    if facts.digits is not None:
        before = facts.digits - (facts.fraction or 0)
    elif facts.least is not None and facts.most is not None:
        before = len(str(int(max(abs(facts.least), abs(facts.most)))))
    else:
        return False
    return facts.fraction is not None and before + facts.fraction <= field.digits
