"""Conditions of a mapping: `when = "status = 'open' and total > 100"`, read once and made Python of.

    comparison   PATH = VALUE, != < <= > >=, PATH in (VALUE, …), PATH is set, PATH is empty, PATH starts with TEXT
                 length(PATH) in the place of PATH; a PATH alone is true where it holds true
    between      and, or, not, ( )

A value is a text in quotes, a number, true or false. A path that leads nowhere equals nothing and is less than nothing: only `is
empty`, `!=` and `not` hold for it.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<text>'[^']*'|\"[^\"]*\")|(?P<number>-?\d+(?:\.\d+)?)(?![\w/])"
    r"|(?P<word>[^\s'\"()=!<>,]+)|(?P<sign>!=|<=|>=|[=<>(),]))"
)
_SIGNS: Final = ("=", "!=", "<", "<=", ">", ">=")
_WORDS: Final = ("and", "or", "not", "in", "is", "set", "empty", "starts", "with", "true", "false")


@dataclass(frozen=True, slots=True)
class Condition:
    """`text` as it was written; `code`, Python over `{p0}`, `{p1}` … for the values at `paths`, and NAMES.

    `compared` has, for each path, the values that it is held against.
    """

    text: str
    code: str
    paths: tuple[str, ...]
    compared: tuple[tuple[Any, ...], ...]
    holds: Callable[[Sequence[Any]], bool]
    """Whether it holds for the values at `paths`."""


def read(text: str) -> Condition:
    """
    Raises:
        ValueError: it cannot be read; the message says what was expected.
    """
    reader = _Reader(text)
    code = reader.either()
    if reader.token is not None:
        raise ValueError(f"{reader.token[1]} was not expected there: join conditions by and, or")
    over = code.format(**{f"p{number}": f"values[{number}]" for number in range(len(reader.paths))})
    holds = eval(f"lambda values: bool({over})", dict(NAMES))  # noqa: S307 - of our own making, texts by repr
    return Condition(text, code, tuple(reader.paths), tuple(reader.compared), holds)


class _Reader:
    def __init__(self, text: str) -> None:
        self.paths: list[str] = []
        self.compared: list[tuple[Any, ...]] = []
        self._tokens: list[tuple[str, str]] = []
        at = 0
        while at < len(text.rstrip()):
            found = _TOKEN.match(text, at)
            if found is None:
                raise ValueError(f"{text[at:].strip()!r} cannot be read")
            assert found.lastgroup is not None
            self._tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()
        self._at = 0
        if not self._tokens:
            raise ValueError("is empty")

    @property
    def token(self) -> tuple[str, str] | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _takes(self, *words: str) -> bool:
        """Goes on where the next ones are these."""
        following = [word for kind, word in self._tokens[self._at : self._at + len(words)] if kind != "text"]
        if following != list(words):
            return False
        self._at += len(words)
        return True

    def _needs(self, word: str) -> None:
        if not self._takes(word):
            found = "the end" if self.token is None else self.token[1]
            raise ValueError(f"{word} is expected, not {found}")

    def either(self) -> str:
        parts = [self._both()]
        while self._takes("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else f"({' or '.join(parts)})"

    def _both(self) -> str:
        parts = [self._one()]
        while self._takes("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else f"({' and '.join(parts)})"

    def _one(self) -> str:
        if self._takes("not"):
            return f"(not {self._one()})"
        if self._takes("("):
            inner = self.either()
            self._needs(")")
            return inner
        return self._comparison()

    def _comparison(self) -> str:
        of_length = self._takes("length", "(")
        kind, path = self.token or ("", "the end")
        if kind != "word" or path in _WORDS:
            raise ValueError(f"a field is expected, not {path}")
        self._at += 1
        if of_length:
            self._needs(")")
        value = f"{{p{len(self.paths)}}}"
        self.paths.append(path)
        take = f"length({value})" if of_length else value
        compared: tuple[Any, ...] = ()
        if self._takes("is"):
            negated = "not " if self._takes("empty") else ""
            if not negated:
                self._needs("set")
            code = f"({negated}({take} or {take} == 0))"
        elif self._takes("in"):
            compared = self._values()
            code = f"among({take}, {_written(compared)})"
        elif self._takes("starts", "with"):
            code = f"starts({take}, {_written(str(self._value()))})"
        elif sign := next((sign for sign in _SIGNS if self._takes(sign)), None):
            other = self._value()
            compared = (other,)
            code = _compared(take, sign, other)
        else:
            code = f"({take} is True)"
        self.compared.append(() if of_length else compared)
        return code

    def _values(self) -> tuple[Any, ...]:
        self._needs("(")
        values = [self._value()]
        while self._takes(","):
            values.append(self._value())
        self._needs(")")
        return tuple(values)

    def _value(self) -> Any:
        if self.token is None:
            raise ValueError("a value is expected at the end")
        kind, text = self.token
        self._at += 1
        if kind == "text":
            return text[1:-1]
        if kind == "number":
            return Decimal(text)
        if text in ("true", "false"):
            return text == "true"
        raise ValueError(f"a value is expected, not {text}: write texts in quotes, '{text}'")


def _written(value: Any) -> str:
    """As Python; braces twice, as it is formatted later."""
    return repr(value).replace("{", "{{").replace("}", "}}")


def _compared(take: str, sign: str, other: Any) -> str:
    if sign in ("=", "!="):
        # A text equals only a text; True would equal 1.
        equal = (
            f"({take} == {_written(other)})"
            if isinstance(other, str)
            else f"equal({take}, {_written(other)})"
        )
        return equal if sign == "=" else f"(not {equal})"
    return f"ordered({sign!r}, {take}, {_written(other)})"


def length(value: Any) -> int:
    return len(value) if isinstance(value, str | list | tuple) else 0


def equal(value: Any, other: Any) -> bool:
    """True is not 1 here, and "1" is not 1."""
    return bool(value == other) and isinstance(value, bool) is isinstance(other, bool)


_ORDER: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def ordered(sign: str, value: Any, other: Any) -> bool:
    try:
        return _ORDER[sign](value, other)
    except TypeError:  # nothing there, or of another kind
        return False


NAMES: Final[dict[str, Any]] = {
    "Decimal": Decimal,
    "length": length,
    "equal": equal,
    "ordered": ordered,
    "among": lambda value, others: any(equal(value, other) for other in others),
    "starts": lambda value, start: isinstance(value, str) and value.startswith(start),
}
"""What conditions use, beside the values."""
