"""When two texts are the same value of a simple type: `1.0` and `1.00`, `true` and `1`, two names of one instant.

The keys made here compare equal exactly when the values are. For dates and times the presence of a time zone is part
of the value, because a time without one is no instant.

Source: XML Schema 1.0 Part 2, section 3.2 (value spaces), 3.2.7.4 and Appendix E (dates and time zones).
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Hashable, Mapping
from decimal import Decimal

from bridge.contract.explain.messages import INTEGER_RANGES
from bridge.contract.model import SimpleType
from bridge.contract.schema.facets import Leaves, Prefixes, normalise

_DATE_TIME = re.compile(
    r"(?:(?P<year>-?\d{4,})-(?P<month>\d\d)-(?P<day>\d\d))?T?"
    r"(?:(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d(?:\.\d+)?))?(?P<zone>Z|[+-]\d\d:\d\d)?"
)
_PARTIAL = re.compile(r"(?P<body>.*?)(?P<zone>Z|[+-]\d\d:\d\d)?")
_DURATION = re.compile(
    r"(?P<sign>-)?P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d*)?)S)?)?"
)


def value_key(simple: SimpleType, text: str, prefixes: Prefixes, leaves: Leaves) -> Hashable:
    """The value of `text`, comparable. A text that is no value of the type is its own key."""
    text = normalise(simple, text)
    if simple.variety == "list" and simple.item is not None:
        return tuple(value_key(simple.item, part, prefixes, leaves) for part in text.split(" ") if part)
    if simple.variety == "union":
        for number, member in enumerate(simple.members):
            if leaves.valid(member, text, prefixes):
                return number, value_key(member, text, prefixes, leaves)
        return text
    if simple.builtin in ("QName", "NOTATION"):
        return _qname(text, prefixes)
    reader = _READERS.get(simple.builtin)
    try:
        return text if reader is None else reader(text)
    except (ValueError, ArithmeticError):
        return text


def _float(text: str) -> Hashable:
    number = float({"INF": "inf", "-INF": "-inf", "NaN": "nan"}.get(text, text))
    # NaN equals itself here; the sign of a zero is kept, because it is written.
    return "NaN" if math.isnan(number) else (number, math.copysign(1.0, number))


def _boolean(text: str) -> Hashable:
    return {"true": True, "1": True, "false": False, "0": False}.get(text, text)


def _qname(text: str, prefixes: Prefixes) -> Hashable:
    prefix, _, local = text.rpartition(":")
    return prefixes.get(prefix or None, ""), local


def _zone_minutes(zone: str | None) -> int | None:
    if zone is None:
        return None
    if zone == "Z":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[4:6])
    return -minutes if zone[0] == "-" else minutes


def _date_time(text: str) -> Hashable:
    """Seconds on the time line and whether a zone was given; dates count from their midnight."""
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        return text
    days = 0
    if match["year"] is not None:
        days = _days(int(match["year"]), int(match["month"]), int(match["day"]))
    seconds = Decimal(days * 86_400)
    if match["hour"] is not None:
        seconds += int(match["hour"]) * 3_600 + int(match["minute"]) * 60 + Decimal(match["second"])
    zone = _zone_minutes(match["zone"])
    if match["year"] is None:  # a time of day: 24:00:00 is midnight, and it recurs in every zone
        shifted = (
            seconds - (zone or 0) * 60 + 2 * 86_400
        )  # kept positive: % of a Decimal takes the sign of what it divides
        return shifted % 86_400, zone is not None
    return seconds if zone is None else seconds - zone * 60, zone is not None


def _days(year: int, month: int, day: int) -> int:
    """Days of the proleptic Gregorian calendar, for any year; XML Schema 1.0 has no year 0."""
    year += year < 0
    year, month = (year - 1, month + 9) if month <= 2 else (year, month - 3)
    return year * 365 + year // 4 - year // 100 + year // 400 + (month * 153 + 2) // 5 + day


def _partial(text: str) -> Hashable:
    match = _PARTIAL.fullmatch(text)
    return text if match is None else (match["body"], _zone_minutes(match["zone"]))


def _duration(text: str) -> Hashable:
    match = _DURATION.fullmatch(text)
    if match is None:
        return text
    part = {name: Decimal(value or 0) for name, value in match.groupdict().items() if name != "sign"}
    sign = -1 if match["sign"] else 1
    months = part["years"] * 12 + part["months"]
    seconds = part["days"] * 86_400 + part["hours"] * 3_600 + part["minutes"] * 60 + part["seconds"]
    return sign * months, sign * seconds


def _base64(text: str) -> Hashable:
    return base64.b64decode(text.replace(" ", ""))


_READERS: Mapping[str, Callable[[str], Hashable]] = {
    "boolean": _boolean,
    "decimal": Decimal,
    "float": _float,
    "double": _float,
    "dateTime": _date_time,
    "date": _date_time,
    "time": _date_time,
    "gYear": _partial,
    "gYearMonth": _partial,
    "gMonth": _partial,
    "gMonthDay": _partial,
    "gDay": _partial,
    "duration": _duration,
    "base64Binary": _base64,
    "hexBinary": bytes.fromhex,
    **dict.fromkeys(INTEGER_RANGES, Decimal),
}
