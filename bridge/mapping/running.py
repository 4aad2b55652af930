"""Puts a record through the rules, step by step, and remembers each: slow, and with an answer to every question.

What usually runs is `generated`, which does the same and gives up at the first mistake; then this says what is wrong, all of it. Both
are held against each other in tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from bridge.contract.codec.values import Nil
from bridge.mapping.fits import misfit, missing
from bridge.mapping.rules import ListRule, Rule, Rules, Scope, Way
from bridge.mapping.shapes import Field, Shape
from bridge.mapping.steps import Step, Unfit


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """Why a value could not go through.

    Args:
        target: the field that it was for: `order/line[2]/quantity/value`.
        sources: the record's fields that it came from, as the rule names them.
        found: the value.
        expected: ends "expected …".
        advice: what to do.
        place: the rule's `file:line`.
    """

    target: str
    sources: tuple[str, ...]
    found: Any
    expected: str
    advice: str
    place: str

    def __str__(self) -> str:
        source = f" from {', '.join(self.sources)}" if self.sources else ""
        found = "nothing was found" if self.found is None else f"{_shown(self.found)} was found"
        advice = f" Then: {self.advice}." if self.advice else ""
        return f"{self.place}: {self.target}{source}: {found}, expected {self.expected}.{advice}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Where a target field's value came from. `steps` are those that were done, in words, with the value after each."""

    target: str
    value: Any
    sources: tuple[tuple[str, Any], ...] = ()
    steps: tuple[tuple[str, Any], ...] = ()
    why: str = ""
    place: str = ""


@dataclass(slots=True)
class Run:
    """One record's way through: `values` for the target, where each came from, and what is wrong."""

    values: dict[str, Any] = field(default_factory=dict)
    traces: list[Trace] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)


def run(rules: Rules, target: Shape | None, record: Any) -> Run:
    """Every rule, whatever is wrong with others."""
    found = Run()
    runner = _Runner(found)
    found.values = runner.body(rules.body, ((record, 1),), target, "")
    if target is not None:
        broken = {mistake.target for mistake in found.mistakes}
        by_path = {"/".join(path): rule for path, rule in rules.each()}
        for path in missing(target, found.values):
            if path not in broken:
                found.mistakes.append(_missing(path, by_path, rules))
    return found


def absent(value: Any, *, keep_empty: bool = False) -> bool:
    """Whether there is no value: None, nil, an empty list or object, an empty text unless it is kept."""
    return not value and value != 0 and not (keep_empty and value == "")


class _Runner:
    def __init__(self, found: Run) -> None:
        self._found = found

    def body(
        self, rules: tuple[Rule | ListRule, ...], scope: Scope, shape: Shape | None, path: str
    ) -> dict[str, Any]:
        """The object that the rules make; those that give nothing are not in it."""
        made: dict[str, Any] = {}
        for rule in rules:
            target = None if shape is None else shape.find("/".join(rule.target))
            here = path + "/".join(rule.target)
            if isinstance(rule, ListRule):
                value: Any = self._list(rule, scope, None if target is None else target.shape, here)
                null = False
            else:
                value, null = self._value(rule, scope, target, here)
            if value is not None or null:
                inner = made
                for name in rule.target[:-1]:
                    inner = inner.setdefault(name, {})
                inner[rule.target[-1]] = value
        return made

    def _list(self, rule: ListRule, scope: Scope, shape: Shape | None, path: str) -> list[Any] | None:
        elements = rule.each.read(scope)
        if elements is None:
            elements = []
        elif not isinstance(elements, list | tuple):
            elements = [elements]
        made: list[dict[str, Any]] = []
        for position, element in enumerate(elements, 1):
            inner = (*scope, (element, position))
            if rule.when is not None and not rule.when.holds(inner):
                continue
            if one := self.body(rule.body, inner, shape, f"{path}[{len(made) + 1}]/"):
                made.append(one)
        if rule.required and not made:
            self._mistake(path, (rule.each.text,), None, "at least one", "", rule.place)
        return made or None

    def _value(self, rule: Rule, scope: Scope, target: Field | None, path: str) -> tuple[Any, bool]:
        """The value, None where there is none; and whether None is then written."""
        way = next((way for way in rule.ways if way.when is None or way.when.holds(scope)), None)
        if way is None:
            self._trace(path, None, why="left out: no condition holds", place=rule.place)
            return None, False
        sources = tuple((source.text, source.read(scope)) for source in way.sources)
        steps: list[tuple[str, Any]] = []
        try:
            value = deepcopy(way.constant) if not way.sources else self._through(way, scope, sources, steps)
        except Unfit as error:
            found = steps[-1][1] if steps else _given(way, sources)
            names = tuple(name for name, _ in sources)
            self._mistake(path, names, found, error.expected, error.advice, way.place)
            return None, False
        why = "" if way.sources else "constant"
        if value is None and way.default is not None:
            value, why = deepcopy(way.default), "default"
        names = tuple(name for name, _ in sources)
        if value is None and way.required:
            self._mistake(
                path,
                names,
                None,
                "a value, which the rule requires",
                "complete the record, or give a default",
                way.place,
            )
        elif value is not None and target is not None and (expected := misfit(target, value)) is not None:
            self._mistake(
                path, names, value, expected, "correct the record, or add a step to the rule", way.place
            )
        if value is None:
            why = "left out: no value" if not way.null else "empty: no value"
        self._trace(path, value, sources, tuple(steps), why, way.place)
        return value, way.null

    def _through(
        self, way: Way, scope: Scope, sources: tuple[tuple[str, Any], ...], steps: list[tuple[str, Any]]
    ) -> Any:
        """The sources' value after all steps; None where there is none, at any of them."""
        value = _given(way, sources)
        if way.several and all(absent(one) for one in value):
            return None
        for step, further in zip(way.steps, way.further, strict=True):
            if absent(value, keep_empty=way.keep_empty):
                return None
            value = done(step, value, [path.read(scope) for path in further])
            steps.append((step.says, value))
        return None if absent(value, keep_empty=way.keep_empty) else value

    def _trace(
        self,
        target: str,
        value: Any,
        sources: tuple[tuple[str, Any], ...] = (),
        steps: tuple[tuple[str, Any], ...] = (),
        why: str = "",
        place: str = "",
    ) -> None:
        self._found.traces.append(
            Trace(target=target, value=value, sources=sources, steps=steps, why=why, place=place)
        )

    def _mistake(
        self, target: str, sources: tuple[str, ...], found: Any, expected: str, advice: str, place: str
    ) -> None:
        self._found.mistakes.append(
            Mistake(
                target=target, sources=sources, found=found, expected=expected, advice=advice, place=place
            )
        )


def done(step: Step, value: Any, further: list[Any]) -> Any:
    """A step over a value, or over each of a list. Raises Unfit."""
    if step.whole or not isinstance(value, list | tuple):
        return step.run(value, *further)
    return [step.run(one, *further) for one in value if not absent(one)]


def _given(way: Way, sources: tuple[tuple[str, Any], ...]) -> Any:
    values = [None if isinstance(value, Nil) else value for _, value in sources]
    if not way.several:
        return values[0]
    return [deep for one in values for deep in (one if isinstance(one, list) else [one])]


def _missing(path: str, by_path: Mapping[str, Rule | ListRule], rules: Rules) -> Mistake:
    """What the target requires and no rule gave."""
    plain = "".join(part.partition("]")[2] if number else part for number, part in enumerate(path.split("[")))
    rule = by_path.get(plain)
    sources = () if rule is None else sources_of(rule)
    return Mistake(
        target=path,
        sources=sources,
        found=None,
        expected="a value, which the target requires",
        advice="complete the record, or give the rule a default" if rule else "add a rule for it",
        place=rule.place if rule else rules.place,
    )


def sources_of(rule: Rule | ListRule) -> tuple[str, ...]:
    """The source fields that a rule reads, as it names them."""
    if isinstance(rule, ListRule):
        return (rule.each.text,)
    return tuple(dict.fromkeys(source.text for way in rule.ways for source in way.sources))


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str | list | dict) else str(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
