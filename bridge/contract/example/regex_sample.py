r"""Texts that match a regular expression of XML Schema: for examples only, and always checked by libxml2 afterwards.

The language differs from Python's `re`: no anchors, `\i` and `\c` for names, `\p{L}`, subtraction `[a-z-[aeiou]]`.

Source: XML Schema 1.0 Part 2, Appendix F.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

_ALPHABET = (
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefghijklmnopqrstuvwxyz"
    "-_.:/@ ,;!?+*=()[]{}<>|~#$%&'\"^`\\"
    "éßñ中文Ωж\t\n"
)
_SINGLE = {"n": "\n", "r": "\r", "t": "\t"}
_BLOCKS = {
    "BasicLatin": (0x00, 0x7F),
    "Latin-1Supplement": (0x80, 0xFF),
    "LatinExtended-A": (0x100, 0x17F),
    "Greek": (0x370, 0x3FF),
    "Cyrillic": (0x400, 0x4FF),
    "CJKUnifiedIdeographs": (0x4E00, 0x9FFF),
}
_LONGEST_RANGE = 100
_LONGEST_REPEAT = 2_000

Admits: TypeAlias = "Callable[[str], bool]"


class UnreadablePattern(ValueError):
    """Not a regular expression that this module can read; its author's, or our own limit."""


@dataclass(eq=False, slots=True)
class _Class:
    """A set of characters: some of it by example, all of it by test."""

    tests: list[Admits] = field(default_factory=list)
    samples: list[str] = field(default_factory=list)
    negated: bool = False
    minus: _Class | None = None

    def admits(self, character: str) -> bool:
        inside = any(test(character) for test in self.tests) is not self.negated
        return inside and not (self.minus is not None and self.minus.admits(character))

    def characters(self) -> list[str]:
        return [c for c in dict.fromkeys((*self.samples, *_ALPHABET)) if self.admits(c)]


@dataclass(eq=False, slots=True)
class _Piece:
    """An atom, with how often it may come: `most` None is unbounded."""

    atom: _Class | list[list[_Piece]]
    least: int = 1
    most: int | None = 1
    choices: list[str] | None = None


def matching(pattern: str, *, longest: int, seed: int) -> Iterator[str]:
    """Texts that should match, the shortest first, then at random; `longest` bounds how far repetitions are drawn out.

    Raises UnreadablePattern when the pattern cannot be read.
    """
    branches = _read(pattern)
    dice = random.Random(seed)  # noqa: S311 - examples must be repeatable, not secret
    for extra in range(min(longest, 300) + 1):
        yield _draw(branches, dice, _all_by(extra))
    for _ in range(60):
        yield _draw(
            branches, dice, lambda least, most: dice.randint(least, _most(least, most, least + longest))
        )


@lru_cache(maxsize=256)
def _read(pattern: str) -> list[list[_Piece]]:
    """Kept, with the characters that its pieces have found: a type's pattern is asked for at each element of the type."""
    return _Parser(pattern).expression()


def _all_by(extra: int) -> Callable[[int, int | None], int]:
    return lambda least, most: _most(least, most, least + extra)


def _most(least: int, most: int | None, wanted: int) -> int:
    return max(least, min(wanted, wanted if most is None else most, _LONGEST_REPEAT))


def _draw(branches: list[list[_Piece]], dice: random.Random, times: Callable[[int, int | None], int]) -> str:
    parts = []
    for piece in dice.choice(branches):
        for _ in range(times(piece.least, piece.most)):
            if isinstance(piece.atom, list):
                parts.append(_draw(piece.atom, dice, times))
                continue
            if piece.choices is None:
                piece.choices = piece.atom.characters()
            if not piece.choices:
                raise UnreadablePattern("a class of characters without any that we know")
            parts.append(dice.choice(piece.choices[:62]))
    return "".join(parts)


class _Parser:
    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0

    def expression(self) -> list[list[_Piece]]:
        branches = self._branches()
        if self._at < len(self._text):
            raise UnreadablePattern(f"unexpected {self._text[self._at]!r} at {self._at}")
        return branches

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        if self._at >= len(self._text):
            raise UnreadablePattern("the pattern ends too soon")
        self._at += 1
        return self._text[self._at - 1]

    def _takes(self, text: str) -> bool:
        if self._text.startswith(text, self._at):
            self._at += len(text)
            return True
        return False

    def _branches(self) -> list[list[_Piece]]:
        branches: list[list[_Piece]] = [[]]
        while self._peek() not in ("", ")"):
            if self._takes("|"):
                branches.append([])
            else:
                branches[-1].append(self._piece())
        return branches

    def _piece(self) -> _Piece:
        atom: _Class | list[list[_Piece]]
        if self._takes("("):
            atom = self._branches()
            if not self._takes(")"):
                raise UnreadablePattern("a bracket is not closed")
        elif self._takes("["):
            atom = self._class()
        elif self._takes("\\"):
            atom = _escaped(self._escape())
        elif self._takes("."):
            atom = _Class(tests=[lambda c: c not in "\r\n"])
        else:
            atom = _just(self._take())
        return _Piece(atom, *self._quantity())

    def _quantity(self) -> tuple[int, int | None]:
        if self._takes("?"):
            return 0, 1
        if self._takes("*"):
            return 0, None
        if self._takes("+"):
            return 1, None
        if not self._takes("{"):
            return 1, 1
        inside, closed, rest = self._text[self._at :].partition("}")
        low, comma, high = inside.partition(",")
        if not closed or not low.isdigit() or not (high or "0").isdigit():
            raise UnreadablePattern(f"not a quantity: {{{inside}}}")
        self._at = len(self._text) - len(rest)
        return int(low), (int(high) if high else None) if comma else int(low)

    def _escape(self) -> str:
        """What follows a backslash: one character, or `p{…}` whole."""
        letter = self._take()
        if letter not in "pP" or not self._takes("{"):
            return letter
        name, closed, rest = self._text[self._at :].partition("}")
        if not closed:
            raise UnreadablePattern("a property is not closed")
        self._at = len(self._text) - len(rest)
        return f"{letter}{name}"

    def _class(self) -> _Class:
        found = _Class(negated=self._takes("^"))
        while not self._takes("]"):
            if self._takes("-["):
                found.minus = self._class()
                continue
            if self._takes("\\"):
                escaped = _escaped(self._escape())
                if len(escaped.samples) != 1 or len(escaped.tests) != 1 or escaped.negated:
                    found.tests.append(escaped.admits)
                    found.samples.extend(escaped.samples)
                    continue
                first = escaped.samples[0]
            else:
                first = self._take()
            self._range(found, first)
        return found

    def _range(self, found: _Class, first: str) -> None:
        last = first
        following = self._text[self._at + 1 : self._at + 2]
        if self._peek() == "-" and following not in ("]", "[", ""):
            self._at += 1
            last = self._take()
            if last == "\\":
                letter = self._escape()
                last = _SINGLE.get(letter, letter)
        found.tests.append(lambda c: first <= c <= last)
        found.samples.extend(map(chr, range(ord(first), min(ord(last), ord(first) + _LONGEST_RANGE) + 1)))


def _just(character: str) -> _Class:
    return _Class(tests=[lambda c: c == character], samples=[character])


def _name_start(character: str) -> bool:
    return character in "_:" or unicodedata.category(character) in ("Lu", "Ll", "Lo", "Lt", "Nl")


def _name(character: str) -> bool:
    return _name_start(character) or character in "-." or unicodedata.category(character)[0] in "MN"


def _word(character: str) -> bool:
    return unicodedata.category(character)[0] not in "PZC"


_CLASSES: dict[str, Admits] = {
    "d": lambda c: unicodedata.category(c) == "Nd",
    "w": _word,
    "s": lambda c: c in " \t\n\r",
    "i": _name_start,
    "c": _name,
}


def _escaped(letter: str) -> _Class:
    if letter[0] in "pP" and len(letter) > 1:
        return _Class(
            tests=[_property(letter[1:])], samples=_block_samples(letter[1:]), negated=letter[0] == "P"
        )
    test = _CLASSES.get(letter.lower()) if letter in "dDwWsSiIcC" else None
    if test is not None:
        return _Class(tests=[test], negated=letter.isupper())
    return _just(_SINGLE.get(letter, letter))


def _property(name: str) -> Admits:
    if not name.startswith("Is"):
        return lambda c: unicodedata.category(c).startswith(name)
    low, high = _BLOCKS.get(name[2:], (0x110000, 0))
    return lambda c: low <= ord(c) <= high


def _block_samples(name: str) -> list[str]:
    low, high = _BLOCKS.get(name[2:], (0, 0)) if name.startswith("Is") else (0, 0)
    return [chr(code) for code in range(max(low, 0x21), min(high, low + _LONGEST_RANGE) + 1)]
