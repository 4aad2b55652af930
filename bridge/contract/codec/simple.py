"""Simple types: lexical text ⇄ Python value, losing nothing.

`decode` gets text that the schema has already admitted; `encode` gets a value and refuses one of the wrong Python type
with TypeError (a float for a decimal would silently change the amount). Both are plain functions, one pair a type,
so that generated code can call them by name.

Source: XML Schema 1.0 Part 2 section 3 (lexical and canonical forms), 4.1.2 (lists and unions), 4.3.6 (whiteSpace).
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from bridge.contract.codec import values
from bridge.contract.codec.forms import fitting
from bridge.contract.model import SimpleType
from bridge.contract.schema.facets import Leaves
from bridge.errors import DecodeError

Decode = Callable[[str], Any]
Encode = Callable[[Any], str]
Scope = Mapping["str | None", str]

XML_SPACE = " \t\n\r"
"""The only white space XML knows: `str.split()` would also split at U+3000, which Chinese text uses."""


# -- text -----------------------------------------------------------------------------------------------------


def collapse(text: str) -> str:
    """whiteSpace=collapse."""
    if text.isalnum():
        return text
    text = text.strip(XML_SPACE)
    if "  " in text or "\n" in text or "\t" in text or "\r" in text:
        return " ".join(part for part in re.split("[ \t\n\r]+", text) if part)
    return text


def replace_space(text: str) -> str:
    """whiteSpace=replace."""
    return text.replace("\t", " ").replace("\n", " ").replace("\r", " ")


def keep(text: str) -> str:
    """whiteSpace=preserve."""
    return text


def put_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise TypeError(f"expected str, got {type(value).__name__}")


# -- numbers --------------------------------------------------------------------------------------------------


def put_integer(value: Any) -> str:
    if value.__class__ is int:
        return str(value)
    return _put_whole(value, "int")


def put_decimal(value: Any) -> str:
    """Plain digits, never an exponent: `1E+3` is no xs:decimal."""
    if value.__class__ is Decimal:
        text = str(value)
        if "E" in text or text[-1] in "Ny":  # 1E+3, NaN, Infinity
            if not value.is_finite():
                raise TypeError(f"{text} is no decimal number")
            return format(value, "f")
        return text
    if isinstance(value, float):
        raise TypeError("expected Decimal, got float; Decimal(str(value)) says which digits are meant")
    return _put_whole(value, "Decimal")


def _put_whole(value: Any, expected: str) -> str:
    """An int where another number is usual."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(int(value))
    raise TypeError(f"expected {expected}, got {type(value).__name__}")


class _Booleans(dict[str, bool]):
    def __missing__(self, text: str) -> bool:
        stripped = text.strip(XML_SPACE)
        if stripped == text:
            raise ValueError(f"{text!r} is no boolean")
        return self[stripped]


BOOLEANS = _Booleans({"true": True, "false": False, "1": True, "0": False})


def put_boolean(value: Any) -> str:
    if value is True:
        return "true"
    if value is False:
        return "false"
    raise TypeError(f"expected bool, got {type(value).__name__}")


_SPECIAL_FLOATS = {"INF": math.inf, "-INF": -math.inf, "NaN": math.nan}


def get_float(text: str) -> float:
    text = text.strip(XML_SPACE)
    special = _SPECIAL_FLOATS.get(text)
    return float(text) if special is None else special


def put_float(value: Any) -> str:
    if not isinstance(value, float):
        return _put_whole(value, "float")
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "INF" if value > 0 else "-INF"
    return repr(value)


# -- dates and times ------------------------------------------------------------------------------------------


def get_date(text: str) -> date | values.XsdDate:
    if len(text) != 10:
        text = text.strip(XML_SPACE)
    if len(text) == 10:
        try:
            return date.fromisoformat(text)
        except ValueError:  # year 0000
            pass
    return values.XsdDate(text)


def put_date(value: Any) -> str:
    if value.__class__ is date or value.__class__ is values.XsdDate:
        return str(value)
    if isinstance(value, datetime) or not isinstance(value, date):
        raise TypeError(f"expected date, got {type(value).__name__}")
    return value.isoformat()


_TOO_FINE = re.compile(r"\.\d{6}\d*[1-9]")


def _fits(text: str, hour_at: int) -> bool:
    """Whether Python's own type keeps everything: not the hour 24, not finer than microseconds."""
    return text[hour_at : hour_at + 2] != "24" and ("." not in text or _TOO_FINE.search(text) is None)


def get_datetime(text: str) -> datetime | values.XsdDateTime:
    if text[:1] in XML_SPACE or text[-1:] in XML_SPACE:
        text = text.strip(XML_SPACE)
    if text[10:11] == "T" and _fits(text, 11):
        try:
            return datetime.fromisoformat(text)
        except ValueError:  # year 0000
            pass
    return values.XsdDateTime(text)


def put_datetime(value: Any) -> str:
    if isinstance(value, datetime):
        text = value.isoformat()
        return f"{text[:-6]}Z" if text.endswith("+00:00") else text
    if isinstance(value, values.XsdDateTime):
        return str(value)
    raise TypeError(f"expected datetime, got {type(value).__name__}")


def get_time(text: str) -> time | values.XsdTime:
    text = text.strip(XML_SPACE)
    return time.fromisoformat(text) if _fits(text, 0) else values.XsdTime(text)


def put_time(value: Any) -> str:
    if isinstance(value, time):
        text = value.isoformat()
        return f"{text[:-6]}Z" if text.endswith("+00:00") else text
    if isinstance(value, values.XsdTime):
        return str(value)
    raise TypeError(f"expected time, got {type(value).__name__}")


def put_duration(value: Any) -> str:
    if isinstance(value, timedelta):
        sign = "-" if value < timedelta(0) else ""
        value = abs(value)
        fraction = f".{value.microseconds:06d}" if value.microseconds else ""
        return f"{sign}P{value.days}DT{value.seconds}{fraction}S"
    return put_text(value)


# -- bytes ----------------------------------------------------------------------------------------------------


def get_base64(text: str) -> bytes:
    return base64.b64decode(text)


def put_base64(value: Any) -> str:
    if not isinstance(value, bytes | bytearray):
        raise TypeError(f"expected bytes, got {type(value).__name__}")
    return base64.b64encode(value).decode("ascii")


def get_hex(text: str) -> bytes:
    return bytes.fromhex(text)


def put_hex(value: Any) -> str:
    if not isinstance(value, bytes | bytearray):
        raise TypeError(f"expected bytes, got {type(value).__name__}")
    return value.hex().upper()


# -- types ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scalar:
    """How values of one simple type are read and written.

    `scoped` says that the value is a QName (or holds some): reading and writing need the prefixes in scope, and
    go through `decode_scoped` and `encode_scoped`. `item` is a list's; `choose` gives the member of a union that admits a text.
    """

    type: SimpleType
    decode: Decode
    encode: Encode
    python: str
    """The Python type as an annotation spells it."""
    scoped: bool = False
    item: Scalar | None = None
    choose: Callable[[str, Scope | None], Scalar | None] | None = None


def _lexical(kind: type[values.Lexical]) -> Decode:
    return lambda text: kind(text.strip(XML_SPACE))


_INTEGERS = (
    "integer nonPositiveInteger negativeInteger long int short byte nonNegativeInteger unsignedLong unsignedInt "
    "unsignedShort unsignedByte positiveInteger"
)
_ATOMIC: dict[str, tuple[Decode, Encode, str]] = {
    "boolean": (BOOLEANS.__getitem__, put_boolean, "bool"),
    "decimal": (Decimal, put_decimal, "Decimal"),
    "float": (get_float, put_float, "float"),
    "double": (get_float, put_float, "float"),
    "date": (get_date, put_date, "date | XsdDate"),
    "dateTime": (get_datetime, put_datetime, "datetime | XsdDateTime"),
    "time": (get_time, put_time, "time | XsdTime"),
    "duration": (_lexical(values.XsdDuration), put_duration, "XsdDuration"),
    "gYear": (_lexical(values.XsdGYear), put_text, "XsdGYear"),
    "gYearMonth": (_lexical(values.XsdGYearMonth), put_text, "XsdGYearMonth"),
    "gMonth": (_lexical(values.XsdGMonth), put_text, "XsdGMonth"),
    "gMonthDay": (_lexical(values.XsdGMonthDay), put_text, "XsdGMonthDay"),
    "gDay": (_lexical(values.XsdGDay), put_text, "XsdGDay"),
    "base64Binary": (get_base64, put_base64, "bytes"),
    "hexBinary": (get_hex, put_hex, "bytes"),
    **dict.fromkeys(_INTEGERS.split(), (int, put_integer, "int")),
}
_SPACE: dict[str, Callable[[str], str]] = {"preserve": keep, "replace": replace_space, "collapse": collapse}


def in_white_space(simple: SimpleType, text: str) -> str:
    """The text as the type's whiteSpace leaves it."""
    return _SPACE[simple.white_space](text)


def scalar(simple: SimpleType) -> Scalar:
    """The reading and writing functions of a simple type."""
    if simple.variety == "list":
        return _list(simple)
    if simple.variety == "union":
        return _union(simple)
    if simple.builtin in ("QName", "NOTATION"):
        return Scalar(simple, keep, put_text, "str", scoped=True)
    if simple.builtin in _ATOMIC:
        decode, encode, python = _ATOMIC[simple.builtin]
        return Scalar(simple, decode, fitting(simple, encode), python)
    return Scalar(simple, _SPACE[simple.white_space], put_text, "str")


class Scalars:
    """The reading and writing functions of every simple type of one contract, made on first use and kept.

    By identity: hashing a type with 300 enumerations would cost more than reading a value of it.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[SimpleType, Scalar]] = {}

    def of(self, simple: SimpleType) -> Scalar:
        known = self._known.get(id(simple))
        if known is None:
            # The type is kept with it, so that its id is not given to another.
            known = self._known.setdefault(id(simple), (simple, scalar(simple)))
        return known[1]


_is_item = re.compile("[^ \t\n\r]+").fullmatch


def _list(simple: SimpleType) -> Scalar:
    assert simple.item is not None
    item = scalar(simple.item)

    def decode(text: str) -> list[Any]:
        return [item.decode(part) for part in collapse(text).split(" ") if part]

    def encode(value: Any) -> str:
        return " ".join([_item(item.encode(part)) for part in _parts(value)])

    return Scalar(simple, decode, encode, f"list[{item.python}]", item.scoped, item)


def _parts(value: Any) -> Iterable[Any]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"expected list, got {type(value).__name__}")
    return value


def _item(text: str) -> str:
    if _is_item(text) is None:
        raise ValueError(f"an item of a list can neither be empty nor hold white space: {text!r}")
    return text


def _union(simple: SimpleType) -> Scalar:
    """The first member that admits the text gives the value."""
    members = [scalar(member) for member in simple.members]
    leaves = Leaves()

    def choose(text: str, scope: Scope | None) -> Scalar | None:
        return next((member for member in members if leaves.valid(member.type, text, scope)), None)

    def decode(text: str) -> Any:
        member = choose(text, None)
        return text if member is None else member.decode(_SPACE[member.type.white_space](text))

    def encode(value: Any) -> str:
        for member in members:
            try:
                return member.encode(value)
            except (TypeError, AttributeError):
                continue
        expected = ", ".join(dict.fromkeys(member.python for member in members))
        raise TypeError(f"expected one of {expected}, got {type(value).__name__}")

    python = " | ".join(dict.fromkeys(member.python for member in members)) or "str"
    scoped = any(member.scoped for member in members)
    return Scalar(simple, decode, encode, python, scoped, choose=choose)


# -- QNames ---------------------------------------------------------------------------------------------------


def decode_scoped(reader: Scalar, text: str, scope: Scope) -> Any:
    """A value that is or holds QNames: each becomes a Clark name by the prefixes in scope."""
    if reader.item is not None:
        return [decode_scoped(reader.item, part, scope) for part in collapse(text).split(" ") if part]
    if reader.choose is not None:
        member = reader.choose(text, scope)
        return text if member is None else decode_scoped(member, text, scope)
    return clark_name(collapse(text), scope) if reader.scoped else reader.decode(text)


def clark_name(text: str, scope: Scope) -> str:
    """`prefix:local` as `{namespace}local`; an unprefixed name takes the default namespace."""
    prefix, _, local = text.strip(XML_SPACE).rpartition(":")
    namespace = scope.get(prefix or None)
    if namespace is None and prefix:
        raise DecodeError(f"The prefix {prefix!r} is not declared.", advice="Declare it with xmlns.")
    return f"{{{namespace}}}{local}" if namespace else local


def encode_scoped(writer: Scalar, value: Any, declarations: dict[str, str]) -> str:
    """The text of a value that is or holds Clark names; adds namespace → prefix to `declarations`."""
    if writer.item is not None:
        return " ".join([_item(encode_scoped(writer.item, part, declarations)) for part in _parts(value)])
    if not isinstance(value, str):
        return writer.encode(value)
    namespace, brace, local = value.rpartition("}")
    if not brace:
        return value
    prefix = declarations.setdefault(namespace[1:], f"q{len(declarations)}")
    return f"{prefix}:{local}"
