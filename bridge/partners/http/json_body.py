"""JSON of partners: read within bounds and without floats, written exactly.

`bridge.partners.json_text` is the form in which we keep records; this is the one that others speak.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

MOST_VALUES: Final = 2_000_000
"""Values of one reply: small ones cost far more memory than their bytes."""
MOST_DEPTH: Final = 100
_MOST_EXPONENT: Final = 400
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_CHARSET: Final = re.compile(r""";\s*charset\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE)
_CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii", "iso-8859-1", "gbk", "gb2312", "gb18030", "big5"})


def read(content: bytes, content_type: str = "") -> Any:
    """What a reply holds: dict, list, str, int, Decimal, bool, None.

    Args:
        content_type: its header; a charset in it is believed, UTF-8 without one (RFC 8259, section 8.1).

    Raises:
        ValueError: it is no JSON, or beyond the bounds; the text says which.
    """
    if content.count(b",") + content.count(b"[") + content.count(b"{") > MOST_VALUES:
        raise ValueError(f"it has more than {MOST_VALUES} values")
    try:
        found = json.loads(
            _text(content, content_type), parse_float=_decimal, parse_int=_integer, parse_constant=_constant
        )
    except RecursionError:
        raise ValueError(f"it is nested deeper than {MOST_DEPTH}") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    _check(found)
    return found


def _text(content: bytes, content_type: str) -> str:
    declared = _CHARSET.search(content_type)
    charset = declared[1].lower() if declared else "utf-8"
    if charset not in _CHARSETS:
        raise ValueError(f"its charset {charset[:40]} is not known")
    try:
        return content.decode("utf-8-sig" if charset in ("utf-8", "utf8") else charset)
    except UnicodeDecodeError:
        raise ValueError(f"it is not in {charset}") from None


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError("a number in it cannot be read") from None
    if abs(value.adjusted()) > _MOST_EXPONENT or len(text) > 2 * _MOST_EXPONENT:
        raise ValueError("a number in it is larger or smaller than any amount")
    return value


def _integer(text: str) -> int:
    if len(text) > _MOST_EXPONENT:
        raise ValueError("a number in it is larger or smaller than any amount")
    return int(text)


def _constant(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def _check(found: Any) -> None:
    """Raises ValueError for what is nested too deep, and for texts that are none."""
    level, depth = [found], 0
    while level:
        depth += 1
        if depth > MOST_DEPTH:
            raise ValueError(f"it is nested deeper than {MOST_DEPTH}")
        following: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                following.extend(value.values())
                texts = "".join(value)
            elif isinstance(value, list):
                following.extend(value)
                continue
            elif isinstance(value, str):
                texts = value
            else:
                continue
            if not texts.isascii() and _SURROGATE.search(texts):
                raise ValueError("a text in it has half a surrogate pair")
        level = following


def write(value: Any) -> bytes:
    """JSON in UTF-8; a Decimal is a number with all its digits.

    Raises:
        TypeError: a value that JSON has no form for, such as a date: `conversion` gives it one.
    """
    return "".join(_pieces(value)).encode()


def _pieces(value: Any) -> list[str]:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise TypeError(f"{value} is no number of JSON")
        return [format(value, "f")]
    if value is None or isinstance(value, str | bool | int):
        return [json.dumps(value, ensure_ascii=False)]
    pieces: list[str] = []
    if isinstance(value, Mapping):
        for name, one in value.items():
            pieces += [",", json.dumps(str(name), ensure_ascii=False), ":", *_pieces(one)]
        return ["{", *pieces[1:], "}"]
    if isinstance(value, list | tuple):
        for one in value:
            pieces += [",", *_pieces(one)]
        return ["[", *pieces[1:], "]"]
    raise TypeError(f"JSON has no form for {type(value).__name__}")


def at(value: Any, path: str) -> Any:
    """What stands at `data/items/0/id`; None where there is nothing. "" is the value itself."""
    for name in path.split("/") if path else ():
        if isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal():
            value = value[int(name)] if int(name) < len(value) else None
        else:
            return None
    return value


def put(values: dict[str, Any], path: str, value: Any) -> None:
    """Set what stands at a path; objects on the way are made."""
    *outer, last = path.split("/")
    for name in outer:
        values = values.setdefault(name, {})
    values[last] = value
