"""Holds rules against the shapes of both sides: what can be known to go wrong before the first record does.

A mistake is what stops a bridge from starting: a field that is not there, a required one that nothing fills, types that do not meet, an
enumeration with a value that has no row. A doubt is what fits mostly (a text of 200 characters in a field of 80): each value is looked
at as it goes through, and `soapbridge map --check` names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

from bridge.mapping.converters import nearest
from bridge.mapping.fits import doubts, misfit
from bridge.mapping.rules import HERE, Asking, ListRule, Path, Rule, Rules, Way
from bridge.mapping.running import sources_of
from bridge.mapping.shapes import Alternatives, Field, Shape
from bridge.mapping.steps import Facts


@dataclass(slots=True)
class Proof:
    """
    Args:
        mistakes, doubts: each `file:line: what`.
        sure: target fields whose values fit. `certain`: those that are always there.
        unused: source fields that no rule reads.
        facts: what is known of each target field's value, as it arrives.
    """

    mistakes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    sure: set[str] = field(default_factory=set)
    certain: set[str] = field(default_factory=set)
    unused: list[str] = field(default_factory=list)
    facts: dict[str, Facts] = field(default_factory=dict)


_ONE: Final = Decimal(1)


@dataclass(frozen=True, slots=True)
class Element:
    """What paths begin in: its shape (None: nothing is known of it), what it is itself, and its path in the record."""

    shape: Shape | None
    facts: Facts
    path: str = ""


Around = tuple[Element, ...]
"""From the record to the element of the innermost list."""


def prove(rules: Rules, source: Shape | None, target: Shape | None, *, partial: bool = False) -> Proof:
    """What is known where a shape is None is little: only the rest is looked at.

    Args:
        partial: what the target requires may be left out, as it is there already.
    """
    prover = _Prover(rules)
    prover.body(rules.body, (Element(source, Facts(kind="object", certain=True)),), target, "")
    if target is not None and not partial:
        prover.whole(target)
    if source is not None:
        prover.proof.unused = [name for name in _leaves(source, ()) if name not in prover.read]
    return prover.proof


class _Prover:
    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.proof = Proof()
        self.read: set[str] = set()
        self._unknown: set[str] = set()
        self._given = {"/".join(path): rule for path, rule in rules.each()}

    def _mistake(self, place: str, what: str) -> None:
        self.proof.mistakes.append(f"{place}: {what}")

    def body(
        self, body: tuple[Rule | ListRule, ...], around: Around, target: Shape | None, path: str
    ) -> None:
        for rule in body:
            name = path + "/".join(rule.target)
            found = self._target(rule, target, name)
            if isinstance(rule, ListRule):
                self._list(rule, around, found, name)
            elif found is None or found.shape is None or found.kind == "any":
                self._rule(rule, around, found, name)
            else:
                self._mistake(
                    rule.place,
                    f"{name} is an object there: map its fields ({', '.join(list(found.shape.fields)[:6])}, …)",
                )

    def _target(self, rule: Rule | ListRule, target: Shape | None, name: str) -> Field | None:
        """The target's field; None where nothing is known of it, and where there is none, which is a mistake."""
        shape, found = target, None
        for number, part in enumerate(rule.target):
            if shape is None:
                return None
            found = shape.fields.get(part)
            if found is None:
                known = nearest(part, shape.fields)
                self._mistake(rule.place, f"{name}: {shape.name} has no field {part} there{known}")
                return None
            if number + 1 < len(rule.target):
                if found.repeats:
                    self._mistake(
                        rule.place,
                        f'{name}: {part} is a list there: write [lists."{"/".join(rule.target[: number + 1])}"]',
                    )
                    return None
                shape = found.shape
                if shape is None and found.kind != "any":
                    self._mistake(rule.place, f"{name}: {part} is a {found.kind} there, and has no fields")
                    return None
        listed = isinstance(rule, ListRule) and found is not None and found.kind != "any"
        if listed and found is not None and not (found.repeats and found.shape is not None):
            self._mistake(rule.place, f"{name} is no list of objects there: write it under fields")
            return None
        return found

    def _list(self, rule: ListRule, around: Around, target: Field | None, name: str) -> None:
        facts, shape = self._source(rule.each, around, rule.place)
        if facts.kind == "any":
            self._unknown.add(name)
        start = around[rule.each.depth].path
        element = Element(
            shape, replace(facts, many=False, certain=True), f"{start}{'/'.join(rule.each.names)}/"
        )
        inner = (*around, element)
        if rule.when is not None:
            self._asks(rule.when, inner, rule.place)
        if rule.required or (facts.certain and rule.when is None):
            self.proof.certain.add(name)
        self.body(rule.body, inner, None if target is None else target.shape, f"{name}/")

    def _rule(self, rule: Rule, around: Around, target: Field | None, name: str) -> None:
        self.proof.sure.add(name)  # until a way says otherwise
        known = [self._way(way, around, target, name) for way in rule.ways]
        if all(one.certain for one in known) and rule.ways[-1].when is None:
            self.proof.certain.add(name)
        self.proof.facts[name] = known[0]

    def _way(self, way: Way, around: Around, target: Field | None, name: str) -> Facts:
        if way.when is not None:
            self._asks(way.when, around, way.place)
        if not way.sources:
            if target is not None and (wrong := misfit(target, way.constant)) is not None:
                self._mistake(
                    way.place, f"{name}: the constant {way.constant!r} does not fit: expected {wrong}"
                )
            return Facts(certain=True)
        facts = self._through(way, around, name)
        wrong = None if way.default is None or target is None else misfit(target, way.default)
        if wrong is not None:
            self._mistake(way.place, f"{name}: the default {way.default!r} does not fit: expected {wrong}")
        if way.default is not None or way.required:
            facts = replace(facts, certain=True)
        if target is not None:
            self._held(way, facts, target, name)
        return facts

    def _held(self, way: Way, facts: Facts, target: Field, name: str) -> None:
        found = list(doubts(target, facts))
        for doubt in found:
            told = f"{way.place}: {name} {doubt.what}"
            (self.proof.mistakes if doubt.surely else self.proof.doubts).append(told)
        if found:
            self.proof.sure.discard(name)

    def _through(self, way: Way, around: Around, name: str) -> Facts:
        """What is known after all steps; each must take what the one before gives."""
        known = [self._source(path, around, way.place)[0] for path in way.sources]
        facts = known[0]
        if any(one.kind == "any" and not one.certain for one in known):
            self._unknown.add(name)
        if way.several:
            kinds = {one.kind for one in known}
            facts = Facts(
                kind=kinds.pop() if len(kinds) == 1 else "any",
                many=True,
                certain=any(one.certain for one in known),
            )
        for step, further in zip(way.steps, way.further, strict=True):
            for path in further:
                self._source(path, around, way.place)
            if facts.kind != "any" and step.takes and facts.kind not in step.takes:
                self._mistake(
                    way.place, f"{name}: {step.name} takes {' or '.join(step.takes)}, and gets {facts.kind}"
                )
                return Facts(many=facts.many, certain=facts.certain)
            if step.needs is not None:
                lost = [one for one in facts.one_of if one not in step.needs]
                if lost:
                    self._mistake(
                        way.place,
                        f"{name}: {step.says} has nothing for {', '.join(lost)}, which {way.sources[0].text} may be",
                    )
                elif not facts.one_of:
                    self.proof.doubts.append(
                        f"{way.place}: {name}: {way.sources[0].text} may be anything, and {step.says} knows "
                        f"{len(step.needs)} values: others are refused"
                    )
            before = facts
            facts = step.after(facts)
            if (
                step.whole
                and not step.listed
                and not before.many
                and before.kind != "any"
                and step.name != "function"
            ):
                facts = replace(facts, many=False)
        return facts

    def _source(self, path: Path, around: Around, place: str) -> tuple[Facts, Shape | None]:
        """What is known of a value at its source, and the shape of its object."""
        begin = around[path.depth]
        shape, facts = begin.shape, begin.facts
        if path.names == ("#",):
            return Facts(kind="integer", certain=True, fraction=0, least=_ONE), None
        if path.names == HERE:
            return facts, shape
        if shape is None:
            if facts.kind not in ("any", "object"):
                self._mistake(
                    place,
                    f'{path.text}: the elements are {facts.kind} and have no fields: "." is the element',
                )
            return Facts(), None
        many, certain = False, True
        found: Field | None = None
        for name in path.names:
            if shape is None:
                if found is not None and found.kind == "any":
                    return Facts(many=many), None
                self._mistake(place, f"{path.text}: {found.name if found else ''} is no object in the source")
                return Facts(), None
            around_shape, found = shape, shape.fields.get(name)
            if found is None:
                known = nearest(name, around_shape.fields)
                self._mistake(
                    place, f"{path.text}: {around_shape.name} has no field {name} in the source{known}"
                )
                return Facts(), None
            many, certain = many or found.repeats, certain and found.required
            shape = found.shape
        assert found is not None
        self.read.add(begin.path + "/".join(path.names))
        return Facts.of(found, many=many, certain=certain), shape

    def _asks(self, asking: Asking, around: Around, place: str) -> None:
        for path, compared in zip(asking.paths, asking.condition.compared, strict=True):
            facts, _ = self._source(path, around, place)
            never = [
                one for one in compared if isinstance(one, str) and facts.one_of and one not in facts.one_of
            ]
            if never:
                self._mistake(
                    place,
                    f"the condition {asking.condition.text!r}: {path.text} is never {', '.join(never)}, only "
                    f"{', '.join(facts.one_of)}",
                )

    # -- the target as a whole

    def whole(self, target: Shape) -> None:
        """Whether everything that must be there is."""
        for place, what in self._unfilled(target, ""):
            self._mistake(place, what)

    def _unfilled(self, shape: Shape, path: str) -> Iterator[tuple[str, str]]:
        alternatives = {name for choice in shape.choices for part in choice.parts for name in part}
        for choice in shape.choices:
            yield from self._of_choice(choice, shape, path)
        for name, found in shape.fields.items():
            here = f"{path}{name}"
            rule = self._given.get(here)
            below = any(one.startswith(f"{here}/") for one in self._given)
            if rule is None and not below:
                if found.required and name not in alternatives:
                    yield self._rules.place, f"{here} is required there, and no rule fills it{_needs(found)}"
                continue
            if found.shape is not None and isinstance(rule, Rule):
                continue  # a rule for an object: that is told already
            if found.shape is not None:
                yield from self._unfilled(found.shape, f"{here}/")
            if rule is None or not found.required or here in self.proof.certain or not self._matters(here):
                continue
            sources = ", ".join(sources_of(rule)) or "its condition"
            if here in self._unknown:
                self.proof.doubts.append(
                    f"{rule.place}: {here} is required there, and nothing is known of {sources} here"
                )
            elif isinstance(rule, ListRule):
                yield (
                    rule.place,
                    f"{here} is required there, and {sources} may be empty here: write required = true where a record "
                    "without it is to be refused",
                )
            else:
                yield (
                    rule.place,
                    f"{here} is required there, and {sources} may give nothing here: give a default, or required = true "
                    "where a record without it is to be refused",
                )

    def _matters(self, path: str) -> bool:
        """Whether the object around a required field may be there without it: all its rules may fail together, by one condition."""
        around, _, _ = path.rpartition("/")
        rule = self._given[path]
        if not around or not isinstance(rule, Rule) or len(rule.ways) != 1 or rule.ways[0].when is None:
            return True
        text = rule.ways[0].when.condition.text
        siblings = [
            one
            for name, one in self._given.items()
            if name.startswith(f"{around}/") and isinstance(one, Rule)
        ]
        same = all(
            way.when is not None and way.when.condition.text == text for one in siblings for way in one.ways
        )
        # `x is set` in the condition says that x is there.
        is_set = all(f"{path.text} is set" in text for way in rule.ways for path in way.sources)
        return not (same and is_set)

    def _of_choice(self, choice: Alternatives, shape: Shape, path: str) -> Iterator[tuple[str, str]]:
        written = [
            part
            for part in choice.parts
            if any(
                one == f"{path}{name}" or one.startswith(f"{path}{name}/")
                for name in part
                for one in self._given
            )
        ]
        names = " or ".join("+".join(part) for part in choice.parts)
        if choice.needed and not written:
            yield (
                self._rules.place,
                f"{path.rstrip('/') or shape.name} needs one of {names} there, and no rule fills any",
            )
        always = [
            "+".join(part)
            for part in written
            if any(
                one == f"{path}{name}" or one.startswith(f"{path}{name}/")
                for name in part
                for one in self.proof.certain
            )
        ]
        if len(always) > 1:
            yield (
                self._rules.place,
                f"{path.rstrip('/') or shape.name} may have only one of {names} there, and rules fill {' and '.join(always)}",
            )


def _needs(found: Field) -> str:
    if found.one_of:
        return f"; it is one of {', '.join(found.one_of[:8])}"
    return f"; it is a {found.kind}" if found.kind not in ("object", "any") else ""


def _leaves(shape: Shape, seen: tuple[int, ...], path: str = "") -> Iterator[str]:
    """The paths of all fields that are no objects; of a type that holds itself, once."""
    for name, found in shape.fields.items():
        if found.shape is None:
            yield f"{path}{name}"
        elif id(found.shape) not in seen:
            yield from _leaves(found.shape, (*seen, id(found.shape)), f"{path}{name}/")
