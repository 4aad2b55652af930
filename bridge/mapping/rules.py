"""What a mapping file says, read: which target field comes from where. `reader` makes it, everything else works on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, Final

from bridge.contract.codec.values import ComplexValue, Nil
from bridge.mapping.conditions import Condition
from bridge.mapping.steps import Step
from bridge.mapping.tables import Lookup, Rates

Scope = tuple[tuple[Any, int], ...]
"""Where paths begin: the record, then the elements of the lists that are gone through, each with its position from 1."""


@dataclass(frozen=True, slots=True)
class Path:
    """A place in the source: `vendor/code`; `/currency` from the record, `../unit` from the element around; `#` the position.

    `depth` says in which element of a scope it begins, `text` is as written.
    """

    text: str
    depth: int
    names: tuple[str, ...]

    def read(self, scope: Scope) -> Any:
        """The value; None where there is none, a list where the path goes through one."""
        item, position = scope[self.depth]
        return position if self.names == ("#",) else _walk(item, self.names)


@dataclass(frozen=True, slots=True)
class Asking:
    """A condition with the places that it reads."""

    condition: Condition
    paths: tuple[Path, ...]

    def holds(self, scope: Scope) -> bool:
        return self.condition.holds([path.read(scope) for path in self.paths])


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to a target field's value: from sources by steps, or a constant.

    Args:
        several: the sources are a list, whatever their number.
        further: the places that steps read beside, as `Step.reads` has them.
        default: where there is no value; None: none.
        required: a record without it is refused.
        keep_empty: an empty text is a value.
        null: where there is no value, None is written instead of nothing.
        place: `file:line`.
    """

    sources: tuple[Path, ...] = ()
    several: bool = False
    constant: Any = None
    default: Any = None
    when: Asking | None = None
    steps: tuple[Step, ...] = ()
    further: tuple[tuple[Path, ...], ...] = ()
    required: bool = False
    keep_empty: bool = False
    null: bool = False
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A target field, by its path in the object around, with its ways: the first whose condition holds is gone."""

    target: tuple[str, ...]
    ways: tuple[Way, ...]
    owner: str = ""
    note: str = ""

    @property
    def place(self) -> str:
        return self.ways[0].place


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRule:
    """A target list: an object for each element at `each` for which the condition holds."""

    target: tuple[str, ...]
    each: Path
    when: Asking | None
    body: tuple[Rule | ListRule, ...]
    required: bool
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """A mapping file.

    Args:
        title: by language.
        facts: direction, frequency, trigger and owner, as the file says.
        source, target: what it says that it goes between: `crm.toml#accounts`.
    """

    file: FilePath
    title: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    target: str = ""
    two_way: bool = False
    body: tuple[Rule | ListRule, ...] = ()
    lookups: Mapping[str, Lookup] = field(default_factory=dict)
    rates: Mapping[str, Rates] = field(default_factory=dict)
    place: str = ""

    def each(self) -> Iterator[tuple[tuple[str, ...], Rule | ListRule]]:
        """Every rule with the whole path of its target, outer before inner."""
        yield from _each(self.body, ())


def _each(
    body: tuple[Rule | ListRule, ...], around: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Rule | ListRule]]:
    for rule in body:
        path = (*around, *rule.target)
        yield path, rule
        if isinstance(rule, ListRule):
            yield from _each(rule.body, path)


HERE: Final = (".",)
"""The names of a path that is the element itself."""


def _walk(item: Any, names: tuple[str, ...]) -> Any:
    if names == HERE:
        return item
    for number, name in enumerate(names):
        if item is None or isinstance(item, Nil):
            return None
        if isinstance(item, list | tuple):
            found = [_walk(one, names[number:]) for one in item]
            return [deep for one in found for deep in (one if isinstance(one, list) else [one])]
        item = one_of(item, name)
    return None if isinstance(item, Nil) else item


def one_of(item: Any, name: str) -> Any:
    """A field of a record or of an object of the codec; None where there is none."""
    if isinstance(item, Mapping):
        return item.get(name)
    if not isinstance(item, ComplexValue):
        return None
    if name.startswith(("{", "@")):
        try:
            return item[name]
        except KeyError:
            return None
    return getattr(item, name, None)
