"""Example values of simple types: a few guesses by the kind of value, the first that libxml2 admits."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from decimal import Decimal

from bridge.contract.example.regex_sample import UnreadablePattern, matching
from bridge.contract.explain.messages import INTEGER_RANGES, effective
from bridge.contract.model import SimpleType
from bridge.contract.schema.facets import Leaves, Prefixes, normalise
from bridge.errors import ContractError

QNames = Callable[[str, str], str]
"""(namespace, local name) → the QName as text, with a prefix that the document declares."""

_TRIES = 400
_LONGEST = 300
_MANY = 100_000_000

_FIXED_GUESSES = {
    "boolean": ("true", "false", "1", "0"),
    "dateTime": ("2024-01-{day:02}T12:00:00", "2024-01-{day:02}T12:00:00Z"),
    "date": ("2024-01-{day:02}", "2024-01-{day:02}Z"),
    "time": ("12:{day:02}:00", "12:{day:02}:00Z"),
    "gYear": ("{year}",),
    "gYearMonth": ("{year}-01",),
    "gMonthDay": ("--01-{day:02}",),
    "gDay": ("---{day:02}",),
    "gMonth": ("--01", "--12"),
    "duration": ("P{n}D", "PT{n}H", "P{n}M", "P{n}Y"),
    "anyURI": ("http://example.com/{n}", "urn:{n}", "a{n}", "a"),
    "language": ("en", "zh", "de", "en-GB"),
}
_NAMES = ("NCName", "ID", "IDREF", "ENTITY", "Name")


class ValueSamples:
    """Makes values. `seed` varies what patterns and enumerations give; equal arguments give equal values."""

    def __init__(self, leaves: Leaves, seed: int = 0) -> None:
        self._leaves = leaves
        self._seed = seed

    def value(self, simple: SimpleType, word: str, number: int, qname: QNames, prefixes: Prefixes) -> str:
        """A value of the type. `word` is what a text may start with, `number` (1 and up) tells values apart.

        `prefixes` is what `qname` has declared, and is read after it was called.
        Raises ContractError when no value is found.
        """
        for text in self._guesses(simple, word, number, qname, prefixes):
            if self._leaves.valid(simple, text, prefixes):
                return text
        name = simple.name or f"the type of {word}"
        raise ContractError(
            f"No example value was found for {name}.",
            advice="Its patterns and limits may contradict each other.",
        )

    def _guesses(
        self, simple: SimpleType, word: str, number: int, qname: QNames, prefixes: Prefixes
    ) -> Iterator[str]:
        values = simple.enumeration
        if values:
            first = (number - 1 + self._seed) % len(values)
            yield from (_with_prefix(simple, text, qname) for text in (*values[first:], *values[:first]))
            return
        if simple.variety == "list" and simple.item is not None:
            length = max(int(effective(simple, "length") or effective(simple, "min_length") or 1), 0)
            for count in (length, length + 1):
                items = range(number, number + min(count, _LONGEST))
                yield " ".join(self.value(simple.item, word, n, qname, prefixes) for n in items)
            return
        if simple.variety == "union":
            for turn in range(len(simple.members)):
                member = simple.members[(turn + self._seed) % len(simple.members)]
                yield self.value(member, word, number, qname, prefixes)
        patterns = [step.patterns for step in simple.steps if step.patterns]
        # For people a text that says what it is, where a pattern lets it be one; other seeds show what a pattern admits.
        readable = not patterns or self._seed == 0 or simple.builtin in _FIXED_GUESSES
        if readable or simple.builtin in INTEGER_RANGES:
            yield from self._plain(simple, word, number, qname)
        for alternatives in reversed(patterns):
            for pattern in alternatives:
                yield from _by_pattern(simple, pattern, number + self._seed * 1_000)
        if patterns:
            yield from self._plain(simple, word, number, qname)

    def _plain(self, simple: SimpleType, word: str, number: int, qname: QNames) -> Iterator[str]:
        builtin = simple.builtin
        if builtin in ("QName", "NOTATION"):
            yield qname("urn:example", f"name{number}")
        elif builtin in INTEGER_RANGES or builtin in ("decimal", "float", "double"):
            yield from _numbers(simple, number)
        elif builtin in ("base64Binary", "hexBinary"):
            yield from _binary(simple, number)
        elif builtin in _FIXED_GUESSES:
            yield from _by_form(simple, number)
        else:
            yield from _texts(simple, word, number)


def _with_prefix(simple: SimpleType, text: str, qname: QNames) -> str:
    if simple.builtin not in ("QName", "NOTATION"):
        return text
    prefix, _, local = text.strip().rpartition(":")
    namespace = dict(simple.namespaces).get(prefix, "")
    return qname(namespace, local) if namespace else local


def _bounds(simple: SimpleType) -> list[str]:
    facets = ("min_inclusive", "max_inclusive", "min_exclusive", "max_exclusive")
    return [str(value) for facet in facets if (value := effective(simple, facet)) is not None]


def _by_form(simple: SimpleType, number: int) -> Iterator[str]:
    parts = {"n": number, "day": (number - 1) % 28 + 1, "year": 2000 + (number + 23) % 1000}
    yield from (form.format(**parts) for form in _FIXED_GUESSES[simple.builtin])
    for bound in _bounds(simple):
        yield bound
        for year in (1, -1, 10, -10):  # beside an exclusive bound
            head, dash, rest = bound.partition("-")
            if head.isdigit():
                yield f"{int(head) + year:04}{dash}{rest}"
    if simple.builtin == "anyURI":
        yield from _texts(simple, "u", number)


def _numbers(simple: SimpleType, number: int) -> Iterator[str]:
    digits = effective(simple, "fraction_digits")
    whole = simple.builtin in INTEGER_RANGES
    unit = Decimal(1) if whole else Decimal(1).scaleb(-min(int(digits if digits is not None else 2), 18))
    low, high = INTEGER_RANGES.get(simple.builtin, (None, None))
    ends = [Decimal(end) for end in (low, high) if end is not None]
    for bound in _bounds(simple):
        try:
            ends.append(Decimal(bound))
        except ArithmeticError:
            continue
    yield str(number)
    yield from (_plain_number(end + unit * step * number) for end in reversed(ends) for step in (1, -1))
    for end in ends:
        yield from (_plain_number(end + unit * step) for step in (0, 1, -1))
    if len(ends) > 1:
        yield _plain_number(((ends[-1] + ends[-2]) / 2).quantize(unit))
    yield from ("0", "1", "-1")
    total = effective(simple, "total_digits")
    if total is not None:
        yield "1" * int(total)


def _plain_number(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _lengths(simple: SimpleType) -> tuple[int, int | None]:
    exact = effective(simple, "length")
    if exact is not None:
        return int(exact), int(exact)
    high = effective(simple, "max_length")
    return int(effective(simple, "min_length") or 0), None if high is None else int(high)


def _binary(simple: SimpleType, number: int) -> Iterator[str]:
    low, high = _lengths(simple)
    wanted = min(max(low, 3 if high is None else min(3, high)), _MANY)
    data = (number.to_bytes(4, "big") * (wanted // 4 + 1))[-wanted:] if wanted else b""
    yield data.hex().upper() if simple.builtin == "hexBinary" else base64.b64encode(data).decode()


def _texts(simple: SimpleType, word: str, number: int) -> Iterator[str]:
    low, high = _lengths(simple)
    name = "".join(c for c in word if c.isascii() and c.isalnum()) or "text"
    if simple.builtin in _NAMES or simple.builtin == "NMTOKEN":
        forms = [f"{name}{number}", f"a{number}", f"{chr(96 + (number - 1) % 26 + 1)}"]
        if simple.builtin != "NMTOKEN":
            forms[0] = f"id{number}" if simple.builtin in ("ID", "IDREF") else forms[0].lstrip("0123456789")
    else:
        forms = [
            f"{word} {number}",
            f"{name}{number}",
            f"{name.upper()}{number}",
            f"{name[:3].upper()}{number}",
        ]
        forms.extend((str(number), chr(65 + (number - 1) % 26)))
    for form in forms:
        text = form
        if len(text) < low:
            text += "x" * min(low - len(text), _MANY)
        if high is None or len(text) <= high:
            yield text
    if high is not None:
        yield normalise(simple, str(number).rjust(max(low, 1), "a")[-high:] if high else "")
    yield ""


def _by_pattern(simple: SimpleType, pattern: str, seed: int) -> Iterator[str]:
    low, high = _lengths(simple)
    longest = max(low, min(high if high is not None else low + 8, _LONGEST), 8)
    try:
        for count, text in enumerate(matching(pattern, longest=longest, seed=seed)):
            if count > _TRIES:
                return
            if len(text) >= low and (high is None or len(text) <= high):
                yield text
    except UnreadablePattern:
        return
