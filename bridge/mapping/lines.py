"""At which line of a TOML file a key, a section or an element of an array stands: tomllib does not say, and people ask.

`Lines(text).of(("fields", "LOCKED", 1, "value"))` is the line of that key; of the nearest thing around it where it hides. What
tomllib refuses is not asked here.
"""

from __future__ import annotations

import re
import tomllib
from typing import Final

Path = tuple[str | int, ...]

_TOKEN: Final = re.compile(
    r'"""(?:\\.|"{0,2}[^"\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|[\[\]{},=.\n]"
    r"|[^\s\[\]{},=.\"'#]+",
    re.DOTALL,
)


class Lines:
    """Lines (1-based) of a text that tomllib has read."""

    def __init__(self, text: str) -> None:
        self._known: dict[Path, int] = {}
        self._tokens: list[tuple[str, int]] = []
        line, end = 1, 0
        for found in _TOKEN.finditer(text):
            line += text.count("\n", end, found.start())
            if not found[0].startswith("#"):
                self._tokens.append((found[0], line))
            line += found[0].count("\n")
            end = found.end()
        self._at = 0
        self._read()

    def of(self, path: Path) -> int:
        """The line of a path; of the nearest around it that is known, else 1."""
        for length in range(len(path), 0, -1):
            if (found := self._known.get(path[:length])) is not None:
                return found
        return 1

    def _peek(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def _note(self, path: Path, line: int) -> None:
        for length in range(1, len(path) + 1):
            self._known.setdefault(path[:length], line)

    def _read(self) -> None:
        section: Path = ()
        numbers: dict[Path, int] = {}
        while self._at < len(self._tokens):
            piece, line = self._tokens[self._at]
            if piece == "\n":
                self._at += 1
            elif piece == "[":
                depth = 2 if self._tokens[self._at + 1][0] == "[" else 1
                self._at += depth
                section = self._key()
                self._at += depth
                if depth == 2:
                    numbers[section] = numbers.get(section, -1) + 1
                    section = (*section, numbers[section])
                self._note(section, line)
            else:
                self._assignment(section)

    def _key(self) -> Path:
        """A dotted key."""
        names: list[str] = [_unquoted(self._tokens[self._at][0])]
        self._at += 1
        while self._peek() == ".":
            names.append(_unquoted(self._tokens[self._at + 1][0]))
            self._at += 2
        return tuple(names)

    def _assignment(self, around: Path) -> None:
        line = self._tokens[self._at][1]
        path = (*around, *self._key())
        self._note(path, line)
        self._at += 1  # the sign of equality
        self._value(path)

    def _value(self, path: Path) -> None:
        piece = self._peek()
        if piece == "{":
            self._at += 1
            while self._peek() != "}":
                if self._peek() in (",", "\n"):
                    self._at += 1
                else:
                    self._assignment(path)
            self._at += 1
        elif piece == "[":
            self._at += 1
            number = 0
            while self._peek() != "]":
                if self._peek() in (",", "\n"):
                    self._at += 1
                    continue
                self._known.setdefault((*path, number), self._tokens[self._at][1])
                self._value((*path, number))
                number += 1
            self._at += 1
        else:  # a number, a date, a word or a text: pieces of one line
            while self._peek() not in (",", "\n", "]", "}", ""):
                self._at += 1


def _unquoted(piece: str) -> str:
    return str(next(iter(tomllib.loads(f"{piece} = 0")))) if piece.startswith('"') else piece.strip("'")
