"""As much of COQL as the simulator of Zoho CRM answers: select, where, group by, order by, limit, offset; COUNT and SUM.

It holds queries to Zoho's rules: conditions stand in pairs in brackets, `in` has 100 values at most, a limit is 2,000 at most.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

Row = Mapping[str, Any]
Test = Callable[[Row], bool]

_TOKEN: Final = re.compile(r"\s*('(?:[^']|'')*'|>=|<=|!=|[=<>(),]|[\w.+:-]+)")
_COMPARATORS: Final = ("=", "!=", ">", "<", ">=", "<=")
MOST_ROWS: Final = 2000
MOST_IN: Final = 100


class Wrong(Exception):
    """The query breaks a rule; `code` is Zoho's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True)
class Select:
    """A query as it was read. `columns` are (function or "", field, alias)."""

    columns: list[tuple[str, str, str]]
    module: str
    test: Test
    group: list[str]
    order: list[tuple[str, bool]]
    limit: int
    offset: int

    def run(self, rows: Iterable[Row]) -> tuple[list[dict[str, Any]], bool]:
        """What it finds, and whether there is more."""
        found = [row for row in rows if self.test(row)]
        if any(function for function, _, _ in self.columns):
            made = self._grouped(found)
            return made, False
        for name, ascending in reversed(self.order or [("id", True)]):
            found.sort(key=lambda row: sortable(row.get(name)), reverse=not ascending)
        page = found[self.offset : self.offset + self.limit]
        names = dict.fromkeys(["id", *(name for _, name, _ in self.columns)])
        return [{name: row.get(name) for name in names} for row in page], len(
            found
        ) > self.offset + self.limit

    def _grouped(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        groups: dict[tuple[Any, ...], list[Row]] = {}
        for row in rows:
            groups.setdefault(tuple(row.get(name) for name in self.group), []).append(row)
        if not self.group and not groups:
            groups[()] = []
        made = []
        for key, members in groups.items():
            one: dict[str, Any] = dict(zip(self.group, key, strict=True))
            for function, name, alias in self.columns:
                values = [row[name] for row in members if row.get(name) is not None]
                if function == "COUNT":
                    one[alias] = len(values)
                elif function == "SUM":
                    one[alias] = sum((Decimal(value) for value in values), Decimal())
            made.append(one)
        return made


def sortable(value: Any) -> tuple[bool, Any]:
    """A value as it is put in order: an id as the number that it is, a moment as a moment."""
    if isinstance(value, str) and value.isdecimal():
        return True, (0, int(value), "")
    if isinstance(value, str):
        try:
            return True, (1, int(datetime.fromisoformat(value).timestamp()), value)
        except ValueError:
            return True, (2, 0, value)
    return value is not None, (0, value or 0, "")


def read(text: str) -> Select:
    """
    Raises:
        Wrong: it is no query that Zoho takes.
    """
    return _Reader(text).select()


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0

    def select(self) -> Select:
        self._word("select")
        columns = [self._column()]
        while self._is(","):
            columns.append(self._column())
        self._word("from")
        module = self._next()
        self._word("where")
        test = self._condition()
        if not self._ends() and self._peek() not in ("group", "order", "limit"):
            raise Wrong("SYNTAX_ERROR", f"more than two criteria want brackets, near {self._peek()}")
        group, order, limit, offset = self._group(), self._order(), 200, 0
        if self._is("limit"):
            limit = int(self._next())
        if self._is("offset"):
            offset = int(self._next())
        if not self._ends():
            raise Wrong("SYNTAX_ERROR", f"error near {self._peek()}")
        if not 0 < limit <= MOST_ROWS:
            raise Wrong("INVALID_QUERY", "the limit is beyond what is allowed")
        return Select(columns, module, test, group, order, limit, offset)

    def _column(self) -> tuple[str, str, str]:
        name = self._next()
        if name.upper() not in ("COUNT", "SUM") or not self._is("("):
            return "", name, name
        field = self._next()
        self._word(")")
        self._word("as")
        return name.upper(), field, self._next()

    def _condition(self) -> Test:
        """One comparison, or two conditions with a word between."""
        first = self._one()
        word = self._peek()
        if word not in ("and", "or"):
            return first
        self._next()
        second = self._one()
        if word == "and":
            return lambda row: first(row) and second(row)
        return lambda row: first(row) or second(row)

    def _one(self) -> Test:
        if self._is("("):
            found = self._condition()
            self._word(")")
            return found
        name = self._next()
        if self._is("is"):
            wanted = not self._is("not")
            self._word("null")
            return lambda row: (row.get(name) is None) is wanted
        if self._is("in"):
            values = self._values()
            return lambda row: any(_compare("=", row.get(name), value) for value in values)
        operator = self._next()
        if operator not in _COMPARATORS:
            raise Wrong("SYNTAX_ERROR", f"error near {operator}")
        value = _value(self._next())
        return lambda row: _compare(operator, row.get(name), value)

    def _values(self) -> list[Any]:
        self._word("(")
        found = [_value(self._next())]
        while self._is(","):
            found.append(_value(self._next()))
        self._word(")")
        if len(found) > MOST_IN:
            raise Wrong("INVALID_QUERY", f"in takes {MOST_IN} values")
        return found

    def _group(self) -> list[str]:
        if not self._is("group"):
            return []
        self._word("by")
        found = [self._next()]
        while self._is(","):
            found.append(self._next())
        return found

    def _order(self) -> list[tuple[str, bool]]:
        if not self._is("order"):
            return []
        self._word("by")
        found = [(self._next(), self._direction())]
        while self._is(","):
            found.append((self._next(), self._direction()))
        return found

    def _direction(self) -> bool:
        return not self._is("desc") and (self._is("asc") or True)

    def _ends(self) -> bool:
        return self._at >= len(self._tokens)

    def _peek(self) -> str:
        return "" if self._ends() else self._tokens[self._at].lower()

    def _next(self) -> str:
        if self._ends():
            raise Wrong("SYNTAX_ERROR", "the query ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _is(self, word: str) -> bool:
        if self._peek() != word:
            return False
        self._at += 1
        return True

    def _word(self, word: str) -> None:
        if not self._is(word):
            raise Wrong("SYNTAX_ERROR", f"{word} missing near {self._peek() or 'the end'}")


def _tokens(text: str) -> list[str]:
    found, at = [], 0
    text = text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Wrong("SYNTAX_ERROR", f"error near {text[at : at + 20]}")
        found.append(match[1])
        at = match.end()
    return found


def _value(word: str) -> Any:
    if word.startswith("'"):
        return word[1:-1].replace("''", "'")
    if word in ("true", "false"):
        return word == "true"
    try:
        return Decimal(word)
    except ArithmeticError:
        raise Wrong("INVALID_QUERY", f"{word} is no value") from None


def _compare(operator: str, found: Any, value: Any) -> bool:
    if found is None:
        return operator == "!="
    left, right = sortable(found), sortable(value)
    if isinstance(found, bool) or isinstance(value, bool):
        left, right = (True, found), (True, value)
    return {
        "=": left == right, "!=": left != right, ">": left > right, "<": left < right, ">=": left >= right, "<=": left <= right,
    }[operator]  # fmt: skip
