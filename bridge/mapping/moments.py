"""Steps over dates and moments, with the forms that people write: `DD.MM.YYYY HH:mm`.

A moment always has a zone when it leaves here: one that was written without needs it said.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bridge.mapping.shapes import Kind
from bridge.mapping.steps import TEXT, Facts, Step, Unfit, option, options

_PARTS: Final = {
    "YYYY": ("year", r"\d{4}"),
    "MM": ("month", r"\d\d"),
    "DD": ("day", r"\d\d"),
    "HH": ("hour", r"\d\d"),
    "mm": ("minute", r"\d\d"),
    "ss": ("second", r"\d\d"),
    "SSS": ("millisecond", r"\d{3}"),
}
_SPLIT: Final = re.compile("(" + "|".join(sorted(_PARTS, key=len, reverse=True)) + ")")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SINCE: Final = {"seconds": 1_000_000, "milliseconds": 1_000}
"""Microseconds of a unit."""


class Form:
    """A form like `DD.MM.YYYY`.

    Raises:
        ValueError: a part comes twice, or year, month and day are not all there.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._parts = _SPLIT.split(text)
        names = [_PARTS[part][0] for part in self._parts if part in _PARTS]
        if len(set(names)) != len(names) or not {"year", "month", "day"} <= set(names):
            raise ValueError(
                f"{text!r} must have {', '.join(_PARTS)}, each once, and a year, a month and a day"
            )
        self.exact = {"hour", "minute", "second", "millisecond"} & set(names)
        pattern = "".join(
            f"(?P<{_PARTS[part][0]}>{_PARTS[part][1]})" if part in _PARTS else re.escape(part)
            for part in self._parts
        )
        self._pattern = re.compile(rf"\s*{pattern}\s*", re.ASCII)

    def read(self, value: Any) -> datetime:
        """Without a zone. Raises Unfit."""
        match = self._pattern.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise Unfit(f"a date like {self.text}")
        found = {name: int(digits) for name, digits in match.groupdict().items()}
        try:
            return datetime(**_of(found))  # noqa: DTZ001 - the zone is added by who calls
        except ValueError:
            raise Unfit(f"a day that there is, like {self.text}") from None

    def write(self, value: date) -> str:
        moment = value if isinstance(value, datetime) else datetime.combine(value, time())
        shown = {
            "YYYY": f"{moment.year:04}",
            "MM": f"{moment.month:02}",
            "DD": f"{moment.day:02}",
            "HH": f"{moment.hour:02}",
            "mm": f"{moment.minute:02}",
            "ss": f"{moment.second:02}",
            "SSS": f"{moment.microsecond // 1000:03}",
        }
        return "".join(shown.get(part, part) for part in self._parts)


def _of(found: dict[str, int]) -> dict[str, Any]:
    milliseconds = found.pop("millisecond", 0)
    return {**found, "microsecond": milliseconds * 1000}


def zone_of(name: Any) -> ZoneInfo:
    """
    Raises:
        ValueError: there is no such zone.
    """
    try:
        return ZoneInfo(option(name, str, 'a time zone: "Asia/Shanghai"'))
    except (ZoneInfoNotFoundError, OSError):
        raise ValueError(f'there is no time zone {name!r}; write it like "Asia/Shanghai"') from None


def _day(value: Any) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise Unfit("a date")


def _moment(value: Any) -> datetime:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value
    raise Unfit("a moment with a zone")


def _gives(kind: Kind) -> Callable[[Facts], Facts]:
    return lambda before: before.plain(kind)


def date_from(given: Any) -> Step:
    """A date written as a text; turned round: `date_text`."""
    form = Form(option(given, str, 'a form: date = "DD.MM.YYYY"'))

    def run(value: Any) -> date:
        return value if type(value) is date else form.read(value).date()

    return Step(
        name="date",
        says=f"date like {form.text}",
        run=run,
        takes=(*TEXT, "date"),
        gives="date",
        facts=_gives("date"),
        back=None if form.exact else lambda: date_text(given),
    )


def date_text(given: Any) -> Step:
    """A date as a text; turned round: `date`."""
    form = Form(option(given, str, 'a form: date_text = "DD.MM.YYYY"'))
    if form.exact:
        raise ValueError(f"{form.text!r} has a time, and a date has none: `moment_text` writes a moment")
    return Step(
        name="date_text",
        says=f"date_text {form.text}",
        run=lambda value: form.write(_day(value)),
        takes=("date",),
        gives="text",
        facts=lambda before: replace(before.plain("text"), shortest=len(form.text), longest=len(form.text)),
        back=lambda: date_from(given),
    )


def moment_from(given: Any) -> Step:
    """A moment: from seconds or milliseconds since 1970, or from a text in a zone; turned round: `moment_text`."""
    if isinstance(given, str) and given in _SINCE:
        return _since_1970(given)
    expected = '"milliseconds", or { form = "DD.MM.YYYY HH:mm", zone = "Asia/Shanghai" }'
    found = options(given, {"form": str, "zone": str}, expected)
    if "form" not in found or "zone" not in found:
        raise ValueError(f"must be like {expected}")
    form, zone = Form(found["form"]), zone_of(found["zone"])

    def run(value: Any) -> datetime:
        if isinstance(value, datetime):
            return _moment(value)
        written = form.read(value).replace(tzinfo=zone)
        if written.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != written.replace(tzinfo=None):
            raise Unfit(f"a moment that there is in {zone.key}", "clocks were put forward over it")
        return written

    return Step(
        name="moment",
        says=f"moment like {form.text} in {zone.key}",
        run=run,
        takes=(*TEXT, "datetime"),
        gives="datetime",
        facts=_gives("datetime"),
        back=lambda: moment_text(given),
    )


def _since_1970(unit: str) -> Step:
    microseconds = _SINCE[unit]

    def run(value: Any) -> datetime:
        try:
            count = int(value) if not isinstance(value, bool | float | Decimal) else None
            if count is None:
                raise ValueError
            return _EPOCH + timedelta(microseconds=count * microseconds)
        except (ValueError, TypeError, OverflowError):
            raise Unfit(f"{unit} since 1970") from None

    return Step(
        name="moment",
        says=f"moment from {unit} since 1970",
        run=run,
        takes=(*TEXT, "integer"),
        gives="datetime",
        facts=_gives("datetime"),
        back=lambda: moment_text(unit),
    )


def moment_text(given: Any) -> Step:
    """A moment as a text in a zone, or as an integer: seconds or milliseconds since 1970."""
    if isinstance(given, str) and given in _SINCE:
        return Step(
            name="moment_text",
            says=f"moment_text: {given} since 1970",
            run=lambda value: (_moment(value) - _EPOCH) // timedelta(microseconds=_SINCE[given]),
            takes=("datetime",),
            gives="integer",
            facts=lambda before: replace(before.plain("integer"), fraction=0),
            back=lambda: moment_from(given),
        )
    expected = '"milliseconds", or { form = "DD.MM.YYYY HH:mm", zone = "Asia/Shanghai" }'
    found = options(given, {"form": str, "zone": str}, expected)
    if "form" not in found or "zone" not in found:
        raise ValueError(f"must be like {expected}")
    form, zone = Form(found["form"]), zone_of(found["zone"])
    return Step(
        name="moment_text",
        says=f"moment_text {form.text} in {zone.key}",
        run=lambda value: form.write(_moment(value).astimezone(zone)),
        takes=("datetime",),
        gives="text",
        facts=lambda before: replace(before.plain("text"), shortest=len(form.text), longest=len(form.text)),
        back=lambda: moment_from(given),
    )


def in_zone(given: Any) -> Step:
    """The same moment, on the clocks of a zone."""
    zone = zone_of(given)
    return Step(
        name="zone",
        says=f"zone {zone.key}",
        run=lambda value: _moment(value).astimezone(zone),
        takes=("datetime",),
        gives="datetime",
        facts=_gives("datetime"),
        cleans=True,
    )


def day_in(given: Any) -> Step:
    """The day of a moment, in a zone."""
    zone = zone_of(given)
    return Step(
        name="day",
        says=f"day in {zone.key}",
        run=lambda value: _moment(value).astimezone(zone).date(),
        takes=("datetime",),
        gives="date",
        facts=_gives("date"),
    )


def start_of_day(given: Any) -> Step:
    """The moment at which a day begins in a zone; turned round: `day`."""
    zone = zone_of(given)
    return Step(
        name="start_of_day",
        says=f"start_of_day in {zone.key}",
        run=lambda value: datetime.combine(_day(value), time(), zone),
        takes=("date",),
        gives="datetime",
        facts=_gives("datetime"),
        back=lambda: day_in(given),
    )
