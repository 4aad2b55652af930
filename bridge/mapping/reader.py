"""Reads a mapping file into rules, and tells every mistake in it at once, with its line.

    [mapping]                          # what it is about: title, source, target, two_way, direction, frequency, trigger, owner
    [fields]                           # target = source
    number = "order_no"
    grade = { from = "level", lookup = "grades" }
    [lists."order/line"]               # a list: an object for each element at `each`
    each = "items"
    [lists."order/line".fields]
    sku = "article"
    [lookups.grades]  [rates.NAME]  [units]  [functions]

docs/mapping.md has all of it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path as FilePath
from typing import Any, Final

from bridge.errors import SettingsError
from bridge.mapping import conditions, tables
from bridge.mapping.converters import NAMES, Tools, imported, nearest
from bridge.mapping.lines import Lines
from bridge.mapping.lines import Path as Key
from bridge.mapping.numbers import as_decimal
from bridge.mapping.rules import Asking, ListRule, Path, Rule, Rules, Way
from bridge.mapping.steps import Step

FACTS: Final = ("direction", "frequency", "trigger", "owner")
_SECTIONS: Final = ("mapping", "fields", "lists", "lookups", "rates", "units", "functions")
_ABOUT: Final = ("title", "source", "target", "two_way", "empty", "absent", *FACTS)
_CHOICES: Final = {"empty": ("absent", "keep"), "absent": ("leave_out", "null")}
"""What is said of a rule, or of all, first what holds where nothing is said."""
_WAY: Final = ("from", "value", "default", "when", "do", "required", "empty", "absent", "owner", "note")
_LIST: Final = ("each", "when", "fields", "lists", "required")
_LOOKUP: Final = ("rows", "csv", "partner", "entity", "from", "to", "otherwise")


def mistaken(file: FilePath, mistakes: Iterable[str]) -> SettingsError:
    """One error for all mistakes of a mapping."""
    found = tuple(dict.fromkeys(mistakes))
    count = "One mistake" if len(found) == 1 else f"{len(found)} mistakes"
    lines = "".join(f"\n  {one}" for one in found)
    return SettingsError(f"{count} in the mapping {file}:{lines}", mistakes=found)


def read(file: FilePath, rows: tables.Rows | None = None) -> Rules:
    """
    Args:
        rows: reads the rows of lookups that a partner has; None: there is nobody to ask.

    Raises:
        SettingsError: with every mistake.
    """
    try:
        text = file.read_text("utf-8")
        table = tomllib.loads(text, parse_float=Decimal)
    except FileNotFoundError:
        raise SettingsError(
            f"There is no mapping {file}.",
            advice="Name an existing file; docs/mapping.md says what is in it.",
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise mistaken(file, [f"{file}: {error}"]) from error
    reader = _Reader(file, text, rows)
    rules = reader.rules(table)
    if reader.mistakes:
        raise mistaken(file, reader.mistakes)
    return rules


class _Reader:
    def __init__(self, file: FilePath, text: str, rows: tables.Rows | None) -> None:
        self._file = file
        self._lines = Lines(text)
        self._rows = rows
        self._tools = Tools()
        self._defaults = {name: choices[0] for name, choices in _CHOICES.items()}
        self.mistakes: list[str] = []

    def _place(self, at: Key) -> str:
        return f"{self._file}:{self._lines.of(at)}"

    def _mistake(self, at: Key, what: str) -> None:
        self.mistakes.append(f"{self._place(at)}: {what}")

    def _table(self, given: Any, at: Key, known: Iterable[str] = ()) -> Mapping[str, Any]:
        """A table, without what is not known in it."""
        if not isinstance(given, dict):
            self._mistake(at, f"{_dotted(at)} is a section: write [{_dotted(at)}] and its keys below")
            return {}
        known = tuple(known)
        for name in given:
            if known and name not in known:
                self._mistake(
                    (*at, name),
                    f"there is no key {name} in {_dotted(at) or 'a mapping'}{nearest(name, known)}",
                )
        return given

    def rules(self, table: Mapping[str, Any]) -> Rules:
        self._table(table, (), _SECTIONS)
        about = self._table(table.get("mapping", {}), ("mapping",), _ABOUT)
        self._tools = Tools(
            lookups=self._each(table, "lookups", self._lookup),
            rates=self._each(
                table, "rates", lambda name, given, at: tables.rates_of(name, given, self._place(at))
            ),
            units=self._each(table, "units", lambda _, given, __: _own_unit(given)),
            functions=self._each(table, "functions", lambda _, given, __: imported(given)),
        )
        self._defaults |= self._said(about, ("mapping",))
        body = self._body(table, (), 0)
        if not body and not self.mistakes:
            self._mistake((), "the mapping has no rules: write [fields] and below it target = source")
        return Rules(
            file=self._file,
            title=self._title(about),
            facts={name: str(about[name]) for name in FACTS if self._is(about, ("mapping",), name, str)},
            source=about["source"] if self._is(about, ("mapping",), "source", str) else "",
            target=about["target"] if self._is(about, ("mapping",), "target", str) else "",
            two_way=self._is(about, ("mapping",), "two_way", bool) and about["two_way"],
            body=body,
            lookups=self._tools.lookups,
            rates=self._tools.rates,
            place=self._place(("mapping",)),
        )

    def _said(self, table: Mapping[str, Any], at: Key) -> dict[str, str]:
        """What is said of values that are empty or absent."""
        found = {name: table[name] for name in _CHOICES if name in table}
        for name, given in found.items():
            if given not in _CHOICES[name]:
                self._mistake((*at, name), f"{name} is one of {', '.join(_CHOICES[name])}, not {given!r}")
        return found

    def _title(self, about: Mapping[str, Any]) -> dict[str, str]:
        given = about.get("title", {})
        if isinstance(given, str):
            return {"en": given}
        if isinstance(given, dict) and all(isinstance(one, str) for one in given.values()):
            return given
        self._mistake(("mapping", "title"), 'title must be a text, or like { en = "…", zh = "…" }')
        return {}

    def _is(self, table: Mapping[str, Any], at: Key, name: str, kind: type) -> bool:
        """Whether it is there, and of its type; another type is a mistake."""
        if name not in table:
            return False
        if isinstance(table[name], kind):
            return True
        form = {str: "text in quotes", bool: "true or false", list: "a list"}[kind]
        self._mistake((*at, name), f"{name} must be {form}, not {table[name]!r}")
        return False

    def _each(self, table: Mapping[str, Any], section: str, make: Any) -> dict[str, Any]:
        """What a section declares by names; those with mistakes are left out."""
        made = {}
        for name, given in self._table(table.get(section, {}), (section,)).items():
            try:
                made[name] = make(name, given, (section, name))
            except ValueError as error:
                self._mistake((section, name), f"{section}.{name} {error}")
        return made

    # -- lookups

    def _lookup(self, name: str, given: Any, at: Key) -> tables.Lookup:
        if not isinstance(given, dict):
            raise ValueError('is a section with rows = { A = "1" }, csv = "file.csv", or partner and entity')
        for key in given:
            if key not in _LOOKUP:
                self._mistake((*at, key), f"a lookup has no {key}{nearest(key, _LOOKUP)}")
        if sum(kind in given for kind in ("rows", "csv", "partner")) != 1:
            raise ValueError("needs its rows from one place: rows, csv or partner")
        if "rows" in given:
            if not isinstance(given["rows"], dict) or not given["rows"]:
                raise ValueError('needs rows like { A = "1", B = "2" }')
            pairs: Iterable[tuple[Any, Any]] = given["rows"].items()
        else:
            pairs = self._far_rows(given)
        rows = tables.rows_of(pairs)
        if not rows:
            raise ValueError("has no rows")
        return tables.Lookup(name, rows, given.get("otherwise"), self._place(at))

    def _far_rows(self, given: Mapping[str, Any]) -> Iterable[tuple[Any, Any]]:
        source, target = given.get("from"), given.get("to")
        if not isinstance(source, str) or not isinstance(target, str):
            raise ValueError("needs from and to: the columns of the value and of what it becomes")
        if "csv" in given:
            return tables.read_csv(self._file.parent / str(given["csv"]), source, target)
        partner, entity = given["partner"], given.get("entity")
        if not isinstance(partner, str) or not isinstance(entity, str):
            raise ValueError('needs partner = "erp" and entity = "grades"')
        if self._rows is None:
            raise ValueError(f"has its rows with the partner {partner}: give the settings that name it")
        try:
            return list(self._rows(tables.Asked(partner, entity, source, target)))
        except Exception as error:
            raise ValueError(f"cannot be read from {partner}.{entity}: {error}") from error

    # -- rules

    def _body(self, table: Mapping[str, Any], at: Key, depth: int) -> tuple[Rule | ListRule, ...]:
        """The rules of `fields` and `lists` in a table; `depth` is that of the element they read from."""
        fields = self._table(table.get("fields", {}), (*at, "fields"))
        lists = self._table(table.get("lists", {}), (*at, "lists"))
        self._refuse_inside(
            [(name, (*at, "fields", name)) for name in fields]
            + [(name, (*at, "lists", name)) for name in lists]
        )
        rules: list[Rule | ListRule] = [
            found
            for name, given in fields.items()
            if (found := self._rule(name, given, (*at, "fields", name), depth))
        ]
        for name, given in lists.items():
            if found_list := self._list(name, given, (*at, "lists", name), depth):
                rules.append(found_list)
        return tuple(rules)

    def _refuse_inside(self, targets: list[tuple[str, Key]]) -> None:
        """No target may be written twice, or be inside another."""
        names = {name for name, _ in targets}
        seen: set[str] = set()
        for name, at in targets:
            if name in seen:
                self._mistake(at, f"{name} is written twice")
            seen.add(name)
            parts = name.split("/")
            for end in range(1, len(parts)):
                around = "/".join(parts[:end])
                if around in names:
                    self._mistake(at, f"{name} and {around} are both written: one is inside the other")

    def _list(self, name: str, given: Any, at: Key, depth: int) -> ListRule | None:
        found = self._table(given, at, _LIST)
        if not isinstance(found.get("each"), str):
            self._mistake(at, f'the list {name} needs each = "…": the list of the source that it is made of')
            return None
        each = self._path(found["each"], (*at, "each"), depth)
        body = self._body(found, at, depth + 1)
        if not body:
            self._mistake(at, f"the list {name} has no rules: write [{_dotted((*at, 'fields'))}]")
        when = self._when(found, at, depth + 1)
        if each is None:
            return None
        return ListRule(
            target=self._target(name, at),
            each=each,
            when=when,
            body=body,
            required=self._is(found, at, "required", bool) and found["required"],
            place=self._place(at),
        )

    def _target(self, name: str, at: Key) -> tuple[str, ...]:
        parts = tuple(name.split("/"))
        if not all(parts):
            self._mistake(at, f"{name!r} is no path: write it like order/line")
        return parts

    def _rule(self, name: str, given: Any, at: Key, depth: int) -> Rule | None:
        several = isinstance(given, list)
        ways, owner, note = [], "", ""
        for number, one in enumerate(given if several else [given]):
            place: Key = (*at, number) if several else at
            table = {"from": one} if isinstance(one, str) else one
            if not isinstance(table, dict):
                self._mistake(
                    place, f'{name} must be a source ("order_no") or a table ({{ from = … }}), not {one!r}'
                )
                continue
            ways.append(self._way(name, table, place, depth))
            owner = str(table.get("owner", owner)) if self._is(table, place, "owner", str) else owner
            note = str(table.get("note", note)) if self._is(table, place, "note", str) else note
        if several and not given:
            self._mistake(at, f"{name} has no way to a value")
        for number, way in enumerate(ways[:-1]):
            if way.when is None:
                self._mistake(
                    (*at, number + 1), f"{name}: this is never reached, as the way before has no `when`"
                )
        return Rule(target=self._target(name, at), ways=tuple(ways), owner=owner, note=note) if ways else None

    def _way(self, name: str, table: Mapping[str, Any], at: Key, depth: int) -> Way:
        for key in table:
            if key not in _WAY and key not in NAMES:
                self._mistake((*at, key), f"{name}: there is no {key}{nearest(key, (*_WAY, *NAMES))}")
        if ("from" in table) == ("value" in table):
            self._mistake(at, f"{name} needs either from (a source) or value (a constant)")
        sources, several = self._sources(table, at, depth)
        steps = self._steps(name, table, at)
        if "value" in table and steps:
            self._mistake(at, f"{name}: a constant is written as the target takes it, without steps")
        said = {**self._defaults, **self._said(table, at)}
        for key in ("value", "default"):
            if isinstance(table.get(key), dict):
                self._mistake((*at, key), f"{name}: {key} cannot be a table: map its fields one by one")
        further = tuple(
            tuple(path for text in step.reads if (path := self._path(text, at, depth))) for step in steps
        )
        return Way(
            sources=sources,
            several=several,
            constant=table.get("value"),
            default=table.get("default"),
            when=self._when(table, at, depth),
            steps=steps,
            further=further,
            required=self._is(table, at, "required", bool) and table["required"],
            keep_empty=said["empty"] == "keep",
            null=said["absent"] == "null",
            place=self._place(at),
        )

    def _sources(self, table: Mapping[str, Any], at: Key, depth: int) -> tuple[tuple[Path, ...], bool]:
        if "from" not in table:
            return (), False
        given = table["from"]
        several = isinstance(given, list)
        paths = [self._path(one, (*at, "from"), depth) for one in (given if several else [given])]
        if several and not given:
            self._mistake((*at, "from"), "from names no source")
        return tuple(path for path in paths if path is not None), several

    def _path(self, text: Any, at: Key, depth: int) -> Path | None:
        """A source's path, from the element at `depth`."""
        if not isinstance(text, str) or not text:
            self._mistake(at, f"a source is a path in quotes, like vendor/code, not {text!r}")
            return None
        rest, level = text, depth
        if rest.startswith("/"):
            rest, level = rest[1:], 0
        while rest.startswith("../"):
            rest, level = rest[3:], level - 1
        names = tuple(rest.split("/"))
        if level < 0 or not all(names) or ("#" in names and len(names) > 1) or (rest == "#" and level == 0):
            why = "there is no list around it" if level < 0 or rest == "#" else "write it like vendor/code"
            self._mistake(at, f"{text!r} is no path: {why}")
            return None
        return Path(text, level, names)

    def _when(self, table: Mapping[str, Any], at: Key, depth: int) -> Asking | None:
        if not self._is(table, at, "when", str):
            return None
        try:
            condition = conditions.read(table["when"])
        except ValueError as error:
            self._mistake((*at, "when"), f"the condition {table['when']!r}: {error}")
            return None
        paths = [self._path(text, (*at, "when"), depth) for text in condition.paths]
        return Asking(condition, tuple(path for path in paths if path)) if all(paths) else None

    def _steps(self, name: str, table: Mapping[str, Any], at: Key) -> tuple[Step, ...]:
        own = [key for key in table if key in NAMES]
        given = table.get("do", [])
        listed = given if isinstance(given, list) else [given]
        if len(own) > 1 or (own and "do" in table):
            self._mistake(
                at,
                f"{name} has several steps ({', '.join(own)}): write them in their order, do = [{{ {own[0]} = … }}, …]",
            )
        wanted: list[tuple[str, Any, Key]] = [(key, table[key], (*at, key)) for key in own]
        for number, one in enumerate(listed):
            place = (*at, "do", number)
            if isinstance(one, str):
                wanted.append((one, True, place))
            elif isinstance(one, dict) and len(one) == 1:
                wanted.append((*next(iter(one.items())), place))
            else:
                self._mistake(
                    place, f'{name}: a step is a word ("trim") or has one ({{ cut = 40 }}), not {one!r}'
                )
        steps = []
        for step, argument, place in wanted:
            try:
                steps.append(self._tools.step(step, argument))
            except ValueError as error:
                self._mistake(place, f"{name}: {error}")
        return tuple(steps)


def _own_unit(given: Any) -> tuple[str, Decimal]:
    """`box = "12 pc"`."""
    size, _, name = given.partition(" ") if isinstance(given, str) else ("", "", "")
    if name not in tables.UNITS:
        raise ValueError(f'must be like "12 pc", not {given!r}; there are {", ".join(tables.UNITS)}')
    found = as_decimal(size, "how many")
    if found <= 0:
        raise ValueError("must be more than 0")
    quantity, base = tables.UNITS[name]
    return quantity, found * base


def _dotted(at: Key) -> str:
    """As the head of a section has it."""
    return ".".join(
        name if str(name).replace("_", "").replace("-", "").isalnum() else f'"{name}"'
        for name in map(str, at)
    )
