"""What a handler gets and gives beside numbers, strings and dates: the values XML has and Python does not.

Source: XML Schema 1.0 Part 1 section 2.6 (xsi:nil, xsi:type), Part 2 section 3.2 (datatypes).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

if TYPE_CHECKING:
    from lxml import etree

XmlElement: TypeAlias = "etree._Element"
"""What a wildcard holds."""


class Nil:
    """An element sent as `xsi:nil="true"`: there, and empty on purpose. Falsy, like None, and not None.

    `NIL` is the usual one; a nil element of a type with attributes keeps them in `attributes`
    (Clark name → value), and in `xsi_type` the Clark name that an xsi:type beside the nil gave.
    """

    __slots__ = ("attributes", "xsi_type")

    def __init__(
        self, attributes: Mapping[str, Any] = MappingProxyType({}), xsi_type: str | None = None
    ) -> None:
        self.attributes = attributes
        self.xsi_type = xsi_type

    def __bool__(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Nil):
            return NotImplemented
        return self.xsi_type == other.xsi_type and dict(self.attributes) == dict(other.attributes)

    def __hash__(self) -> int:
        return hash(Nil)

    def __repr__(self) -> str:
        if self.xsi_type is not None:
            return f"Nil({dict(self.attributes)!r}, {self.xsi_type!r})"
        return f"Nil({dict(self.attributes)!r})" if self.attributes else "NIL"


NIL = Nil()


@dataclass(frozen=True, slots=True)
class Element:
    """A value sent under another name than the declared one: a member of a substitution group."""

    name: str
    value: Any


@dataclass(frozen=True, slots=True)
class TypedValue:
    """A simple value whose `xsi:type` names another type than the declared one. `type` is a Clark name."""

    type: str
    value: Any


class Payload(str):
    """An element as XML text, in the place of its values: it goes out as it is, once the guard has admitted it.

    Prefixes are declared in it, and it has no XML declaration.
    """

    __slots__ = ()


class ComplexValue:
    """Base of the class made for every complex type: fields by their Python names, or by their XML names.

    `value["{namespace}local"]` and `value["local"]` are the element, `value["@name"]` is the attribute,
    whatever Python name the field had to take.
    """

    __slots__ = ()

    xml_type: ClassVar[str] = ""
    """Clark name of the type; for an anonymous one, a path of declarations."""
    xml_names: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """XML name → field name."""

    def __getitem__(self, name: str) -> Any:
        return getattr(self, self._field(name))

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self, self._field(name), value)

    def _field(self, name: str) -> str:
        try:
            return self.xml_names[name]
        except KeyError:
            known = ", ".join(sorted(self.xml_names))
            raise KeyError(f"{type(self).__name__} has no {name}; it has: {known}") from None

    def __iter__(self) -> Iterator[str]:
        raise TypeError(f"{type(self).__name__} is one value, not a list; ask for a field of it")


_ZONE = r"(?P<zone>Z|[+-]\d\d:\d\d)?"
_DATE = r"(?P<year>-?\d{4,})-(?P<month>\d\d)-(?P<day>\d\d)"
_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d(?:\.\d+)?)"


class Lexical(str):
    """A value kept as it was written, because Python's own type would drop part of it."""

    __slots__ = ()
    _pattern: ClassVar[re.Pattern[str]] = re.compile("")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str.__repr__(self)})"

    def _part(self, name: str) -> str | None:
        match = self._pattern.fullmatch(self.strip())
        if match is None:
            raise ValueError(f"{str(self)!r} is not written as a {type(self).__name__}")
        return match[name]

    def _number(self, name: str) -> int:
        return int(self._part(name) or 0)

    @property
    def offset(self) -> timedelta | None:
        """The zone as an offset from UTC; None where none was written."""
        zone = self._part("zone")
        if zone is None:
            return None
        if zone == "Z":
            return timedelta(0)
        hours, minutes = zone[1:].split(":")
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        return -offset if zone[0] == "-" else offset


class _Dated(Lexical):
    __slots__ = ()

    @property
    def year(self) -> int:
        return self._number("year")

    @property
    def month(self) -> int:
        return self._number("month")

    @property
    def day(self) -> int:
        return self._number("day")

    def date(self) -> date:
        """The day without its zone. ValueError outside the years 1–9999."""
        return date(self.year, self.month, self.day)


class _Timed(Lexical):
    __slots__ = ()

    @property
    def hour(self) -> int:
        return self._number("hour")

    @property
    def minute(self) -> int:
        return self._number("minute")

    @property
    def second(self) -> Decimal:
        return Decimal(self._part("second") or 0)


class XsdDate(_Dated):
    """An xs:date with a zone, or outside the years 1–9999."""

    __slots__ = ()
    _pattern = re.compile(_DATE + _ZONE)


class XsdTime(_Timed):
    """An xs:time of 24:00:00, or finer than microseconds."""

    __slots__ = ()
    _pattern = re.compile(_TIME + _ZONE)


class XsdDateTime(_Dated, _Timed):
    """An xs:dateTime at 24:00:00, finer than microseconds, or outside the years 1–9999."""

    __slots__ = ()
    _pattern = re.compile(f"{_DATE}T{_TIME}{_ZONE}")

    def datetime(self) -> datetime:
        """The nearest earlier microsecond. ValueError outside the years 1–9999."""
        whole = int(self.second)
        fraction = int((self.second - whole) * 1_000_000)
        midnight = datetime(self.year, self.month, self.day)  # noqa: DTZ001 - the zone follows below
        moment = midnight + timedelta(
            hours=self.hour, minutes=self.minute, seconds=whole, microseconds=fraction
        )
        offset = self.offset
        return moment if offset is None else moment.replace(tzinfo=timezone(offset))


class XsdDuration(Lexical):
    """An xs:duration: months and seconds, which no single Python type holds."""

    __slots__ = ()
    _pattern = re.compile(
        r"(?P<sign>-?)P(?:(?P<year>\d+)Y)?(?:(?P<month>\d+)M)?(?:(?P<day>\d+)D)?"
        r"(?:T(?:(?P<hour>\d+)H)?(?:(?P<minute>\d+)M)?(?:(?P<second>\d+(?:\.\d+)?)S)?)?"
    )

    @property
    def _sign(self) -> int:
        return -1 if self._part("sign") else 1

    @property
    def months(self) -> int:
        """Years and months, in months."""
        return self._sign * (self._number("year") * 12 + self._number("month"))

    @property
    def seconds(self) -> Decimal:
        """Days, hours, minutes and seconds, in seconds."""
        hours = self._number("day") * 24 + self._number("hour")
        return self._sign * ((hours * 60 + self._number("minute")) * 60 + Decimal(self._part("second") or 0))

    def timedelta(self) -> timedelta:
        """The duration as a timedelta. ValueError where it has months, which have no fixed length."""
        if self.months:
            raise ValueError(f"{str(self)!r} has months or years, whose length depends on the calendar")
        return timedelta(microseconds=int(self.seconds * 1_000_000))


class XsdGYear(_Dated):
    """An xs:gYear."""

    __slots__ = ()
    _pattern = re.compile(r"(?P<year>-?\d{4,})" + _ZONE)


class XsdGYearMonth(_Dated):
    """An xs:gYearMonth."""

    __slots__ = ()
    _pattern = re.compile(r"(?P<year>-?\d{4,})-(?P<month>\d\d)" + _ZONE)


class XsdGMonth(_Dated):
    """An xs:gMonth (`--05`; `--05--` is how some older writers wrote it)."""

    __slots__ = ()
    _pattern = re.compile(r"--(?P<month>\d\d)(?:--)?" + _ZONE)


class XsdGMonthDay(_Dated):
    """An xs:gMonthDay."""

    __slots__ = ()
    _pattern = re.compile(r"--(?P<month>\d\d)-(?P<day>\d\d)" + _ZONE)


class XsdGDay(_Dated):
    """An xs:gDay."""

    __slots__ = ()
    _pattern = re.compile(r"---(?P<day>\d\d)" + _ZONE)
