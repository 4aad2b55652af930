"""Values in the form that a pattern asks for.

`[0-9]{6}` over xs:integer wants 000042 for 42, `.*\\.\\d{3}Z` over xs:dateTime wants milliseconds: values that the Python type
does not tell apart, and one of them is refused. So where a type has patterns, the usual form is tried first, then others of
the same value. Whether one fits is libxml2's judgement.

Source: XML Schema 1.0 Part 2, 2.3 (one value, several literals), 4.3.4 (pattern).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from bridge.contract.model import Facets, SimpleType
from bridge.contract.schema.facets import Leaves

_MOST_DIGITS = 40
_MOST_FRACTION = 12


def fitting(simple: SimpleType, encode: Callable[[Any], str]) -> Callable[[Any], str]:
    """`encode`, made to prefer a form that the type's patterns admit; itself where they admit the usual ones."""
    kind = "integer" if simple.builtin.lower().endswith(_WHOLE) else simple.builtin
    patterns = tuple(Facets(patterns=step.patterns) for step in simple.steps if step.patterns)
    if kind not in _FORMS or not patterns:
        return encode
    usual, others = _FORMS[kind]
    leaves = Leaves()
    free = replace(simple, steps=patterns)
    if all(leaves.valid(free, text) for text in usual):
        return encode  # a look at every value would cost as much as writing ten

    def encode_fitting(value: Any) -> str:
        text = encode(value)
        if leaves.valid(free, text):
            return text
        return next((form for form in others(text) if leaves.valid(free, form)), text)

    return encode_fitting


_WHOLE = ("integer", "long", "int", "short", "byte")


def _numbers(text: str) -> Iterator[str]:
    """With leading zeros, and with a plus."""
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    for width in range(len(digits) + 1, _MOST_DIGITS + 1):
        yield sign + digits.zfill(width)
    if not sign:
        yield f"+{digits}"


def _decimals(text: str) -> Iterator[str]:
    """With more zeros behind the point, or fewer, then with leading ones."""
    whole, _, fraction = text.partition(".")
    shortest = fraction.rstrip("0")
    for width in range(len(shortest), _MOST_FRACTION + 1):
        yield f"{whole}.{shortest.ljust(width, '0')}" if width else whole
    for form in _numbers(whole):
        yield f"{form}.{fraction}" if fraction else form


def _floats(text: str) -> Iterator[str]:
    yield text.removesuffix(".0")
    yield text.replace("e", "E").replace("E+", "E")


def _booleans(text: str) -> Iterator[str]:
    yield "1" if text == "true" else "0"


_MOMENT = re.compile(r"(?P<start>[^.Z+]*T?\d\d:\d\d:\d\d)(?P<fraction>\.\d+)?(?P<zone>Z|[+-]\d\d:\d\d)?")


def _moments(text: str) -> Iterator[str]:
    """With other numbers of digits behind the second, and UTC as an offset."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        return
    fraction = (match["fraction"] or ".")[1:].rstrip("0")
    zones = (match["zone"] or "", "+00:00") if match["zone"] == "Z" else (match["zone"] or "",)
    for zone in zones:
        for width in range(len(fraction), _MOST_FRACTION + 1):
            yield match["start"] + (f".{fraction.ljust(width, '0')}" if width else "") + zone


_TIMES = ("12:00:00Z", "12:00:00.123456Z", "12:00:00+08:00")
_FORMS: dict[str, tuple[tuple[str, ...], Callable[[str], Iterator[str]]]] = {
    "integer": (("1", "10", "12345"), _numbers),
    "decimal": (("1", "10.5", "0.25", "1.5000"), _decimals),
    "float": (("1.5", "1000.0", "1e+16"), _floats),
    "double": (("1.5", "1000.0", "1e+16"), _floats),
    "boolean": (("true", "false"), _booleans),
    "dateTime": (tuple(f"2024-01-31T{time}" for time in _TIMES), _moments),
    "time": (_TIMES, _moments),
    "hexBinary": (("0A",), lambda text: iter((text.lower(),))),
}
"""For each built-in type the usual forms, and what gives the others of one."""
