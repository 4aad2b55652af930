"""Steps over texts: cleaning, cutting, splitting, joining."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bridge.mapping.steps import TEXT, Facts, Step, Unfit, option, options, text


def _shorter(before: Facts) -> Facts:
    """A text that may have lost characters."""
    return replace(before, shortest=None, one_of=())


def _cleaning(
    name: str,
    clean: Callable[[str], str],
    code: str = "",
    *,
    grows: bool = False,
) -> Callable[[Any], Step]:
    def make(_: Any) -> Step:
        def facts(before: Facts) -> Facts:
            values = tuple(dict.fromkeys(clean(one) for one in before.one_of))
            # Of those that are known it is known how long they are.
            longest = None if grows else before.longest
            return replace(_shorter(before), kind="text", longest=longest, one_of=values)

        return Step(
            name=name,
            says=name,
            run=lambda value: clean(text(value)),
            takes=TEXT,
            gives="text",
            code=code,
            facts=facts,
            cleans=True,
        )

    return make


def _collapse(value: str) -> str:
    return " ".join(value.split())


trim = _cleaning("trim", str.strip, "{v}.strip()")
collapse = _cleaning("collapse", _collapse, "' '.join({v}.split())")
no_spaces = _cleaning("no_spaces", lambda value: "".join(value.split()), "''.join({v}.split())")
# A capital sharp s, a ligature: upper and lower may make two characters of one.
upper = _cleaning("upper", str.upper, "{v}.upper()", grows=True)
lower = _cleaning("lower", str.lower, "{v}.lower()", grows=True)


def _half_width(value: str) -> str:
    return unicodedata.normalize("NFKC", value)


half_width = _cleaning("half_width", _half_width, grows=True)


def cut(given: Any) -> Step:
    """The first so many characters."""
    longest = option(given, int, "a number of characters: cut = 40")
    if longest < 1:
        raise ValueError(f"must be at least 1 character, not {longest}")

    def facts(before: Facts) -> Facts:
        known = longest if before.longest is None else min(longest, before.longest)
        values = tuple(dict.fromkeys(one[:longest].rstrip() for one in before.one_of))
        return replace(_shorter(before), longest=known, one_of=values)

    return Step(
        name="cut",
        says=f"cut {longest}",
        run=lambda value: value[:longest].rstrip() if len(text(value)) > longest else value,
        code=f"({{v}} if len({{v}}) <= {longest} else {{v}}[:{longest}].rstrip())",
        takes=TEXT,
        gives="text",
        facts=facts,
    )


def part_from(given: Any) -> Step:
    """What comes behind the first so many characters."""
    start = option(given, int, "a number of characters: part_from = 40")
    if start < 0:
        raise ValueError(f"must be at least 0 characters, not {start}")

    def facts(before: Facts) -> Facts:
        longest = None if before.longest is None else max(0, before.longest - start)
        return replace(_shorter(before), longest=longest)

    return Step(
        name="part_from",
        says=f"part_from {start}",
        run=lambda value: text(value)[start:].lstrip(),
        code=f"{{v}}[{start}:].lstrip()",
        takes=TEXT,
        gives="text",
        facts=facts,
    )


def keep(given: Any) -> Step:
    """Of the characters only those."""
    kept = option(given, str, 'characters: keep = "0123456789"')
    return Step(
        name="keep",
        says=f"keep {kept}",
        run=lambda value: "".join(one for one in text(value) if one in kept),
        takes=TEXT,
        gives="text",
        facts=_shorter,
        cleans=True,
    )


def without(given: Any) -> Step:
    """Of the characters all but those."""
    dropped = option(given, str, 'characters: without = "-/"')
    table = str.maketrans("", "", dropped)
    return Step(
        name="without",
        says=f"without {dropped}",
        run=lambda value: text(value).translate(table),
        takes=TEXT,
        gives="text",
        facts=_shorter,
        cleans=True,
    )


def replaced(given: Any) -> Step:
    """One text for another, wherever it stands; in the order of the file."""
    if not isinstance(given, dict) or not given or not all(isinstance(one, str) for one in given.values()):
        raise ValueError('must be like { "Strasse" = "Str." }')
    pairs = tuple(given.items())

    def run(value: Any) -> str:
        changed = text(value)
        for old, new in pairs:
            changed = changed.replace(old, new)
        return changed

    return Step(
        name="replace",
        says="replace " + ", ".join(f"{old!r} by {new!r}" for old, new in pairs),
        run=run,
        takes=TEXT,
        gives="text",
    )


def prefix(given: Any) -> Step:
    """Put in front; turned round: taken away."""
    start = option(given, str, 'a text: prefix = "crm-"')

    def facts(before: Facts) -> Facts:
        return replace(
            before,
            one_of=tuple(start + one for one in before.one_of),
            shortest=len(start) + (before.shortest or 0),
            longest=None if before.longest is None else before.longest + len(start),
        )

    return Step(
        name="prefix",
        says=f"prefix {start!r}",
        run=lambda value: start + text(value),
        code=f"{start!r} + {{v}}",
        takes=TEXT,
        gives="text",
        facts=facts,
        back=lambda: without_prefix(start),
    )


def without_prefix(given: Any) -> Step:
    """Taken away from the front, where it must stand; turned round: put there."""
    start = option(given, str, 'a text: without_prefix = "crm-"')

    def run(value: Any) -> str:
        if not text(value).startswith(start):
            raise Unfit(f"a text that begins with {start!r}")
        return str(value)[len(start) :]

    def facts(before: Facts) -> Facts:
        longest = None if before.longest is None else max(0, before.longest - len(start))
        return replace(_shorter(before), longest=longest)

    return Step(
        name="without_prefix",
        says=f"without_prefix {start!r}",
        run=run,
        takes=TEXT,
        gives="text",
        facts=facts,
        back=lambda: prefix(start),
    )


def pad(given: Any) -> Step:
    """Filled up in front to a length: item numbers of an ERP with their zeros."""
    form = '{ to = 10, with = "0" }'
    found = options(given, {"to": int, "with": str}, form)
    length, filler = found.get("to", 0), found.get("with", "0")
    if length < 1 or len(filler) != 1:
        raise ValueError(f"must be like {form}: a length, and one character")

    def facts(before: Facts) -> Facts:
        longest = None if before.longest is None else max(before.longest, length)
        return replace(before, one_of=(), shortest=max(before.shortest or 0, length), longest=longest)

    return Step(
        name="pad",
        says=f"pad to {length} with {filler!r}",
        run=lambda value: text(value).rjust(length, filler),
        code=f"{{v}}.rjust({length}, {filler!r})",
        takes=TEXT,
        gives="text",
        facts=facts,
        back=lambda: unpad(filler),
    )


def unpad(given: Any) -> Step:
    """Without the fillers in front, of which the last stays where there is nothing else: `unpad = "0"`."""
    filler = option(given, str, 'one character: unpad = "0"')
    if len(filler) != 1:
        raise ValueError(f'must be one character: unpad = "0", not {filler!r}')
    return Step(
        name="unpad",
        says=f"unpad {filler!r}",
        run=lambda value: text(value).lstrip(filler) or filler,
        code=f"({{v}}.lstrip({filler!r}) or {filler!r})",
        takes=TEXT,
        gives="text",
        facts=_shorter,
        cleans=True,
    )


def split(given: Any) -> Step:
    """The parts between separators, all of them as a list, or one (from 1, or from the end: -1)."""
    found = options(given, {"by": str, "part": int}, '{ by = "-", part = 1 }')
    by, part = found.get("by", ""), found.get("part")
    if not by or part == 0:
        raise ValueError('must be like { by = "-", part = 1 }: a separator, and the first part is 1')

    def run(value: Any) -> Any:
        parts = [one.strip() for one in text(value).split(by)]
        if part is None:
            return [one for one in parts if one]
        place = part - 1 if part > 0 else part
        return parts[place] if -len(parts) <= place < len(parts) else None

    return Step(
        name="split",
        says=f"split by {by!r}" + ("" if part is None else f", part {part}"),
        run=run,
        takes=TEXT,
        gives="text",
        listed=part is None,
        facts=lambda before: replace(_shorter(before), certain=part in (1, -1) and before.certain),
        back=(lambda: join(by)) if part is None else None,
    )


def join(given: Any) -> Step:
    """The texts of a list in one, without those that are empty."""
    by = option(given, str, 'a text that stands between: join = ", "')

    def run(value: Any) -> str | None:
        parts = value if isinstance(value, list | tuple) else [value]
        return by.join(text(one) for one in parts if one not in (None, "")) or None

    return Step(
        name="join",
        says=f"join by {by!r}",
        run=run,
        takes=TEXT,
        gives="text",
        whole=True,
        facts=lambda before: Facts(kind="text", certain=before.certain, shortest=before.shortest),
        back=lambda: split({"by": by}),
    )
