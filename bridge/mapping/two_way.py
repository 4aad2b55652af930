"""A mapping turned round, and the proof that what goes there and comes back is the same.

Each rule of one source is turned: its target is read, its steps run backwards, its source is written. What only cleans (trim, upper) does
nothing on the way back; constants and positions are left out. Then both directions run over records that are made for it: no value may
come back as another, and what was cleaned must stay as it is from then on, or two systems would correct each other for ever.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from bridge.mapping.proof import Proof, prove
from bridge.mapping.rules import HERE, ListRule, Path, Rule, Rules, Way
from bridge.mapping.running import absent, done, run
from bridge.mapping.shapes import Field, Kind, Shape
from bridge.mapping.steps import Facts, Step, Unfit

RECORDS: Final = 60
"""Made for the proof: enough that every value of an enumeration and both ends of a range come up."""
_TRIES: Final = 8
_LETTERS: Final = "abcXYZ 0123456789-,./&é阿里"


def turned(rules: Rules) -> tuple[Rules, list[str]]:
    """The rules of the way back, and what cannot be turned round."""
    mistakes: list[str] = []
    body = tuple(_turned(rules.body, 0, mistakes))
    return replace(rules, body=body, source=rules.target, target=rules.source), mistakes


def _turned(body: tuple[Rule | ListRule, ...], depth: int, mistakes: list[str]) -> Iterator[Rule | ListRule]:
    written: set[tuple[str, ...]] = set()
    for rule in body:
        name = "/".join(rule.target)
        if isinstance(rule, ListRule):
            if rule.when is not None or rule.each.depth != depth:
                mistakes.append(
                    f"{rule.place}: {name} goes both ways, so that every element of its own list must go"
                )
                continue
            yield replace(
                rule,
                target=rule.each.names,
                each=Path(name, depth, rule.target),
                body=tuple(_turned(rule.body, depth + 1, mistakes)),
                required=False,
            )
            continue
        way = rule.ways[0]
        if len(rule.ways) == 1 and (not way.sources or way.sources[0].names == ("#",)):
            continue
        if (wrong := _one_way(rule, depth)) is not None:
            mistakes.append(f"{rule.place}: {name} goes both ways, and {wrong}")
            continue
        source = way.sources[0].names
        if source not in written:  # else it comes back from the first that reads it
            written.add(source)
            yield replace(rule, target=source, ways=(_back(way, name, rule.target, depth),))


def _one_way(rule: Rule, depth: int) -> str | None:
    """Why a rule has only one direction; None where it has both."""
    way = rule.ways[0]
    if len(rule.ways) > 1 or way.when is not None:
        return "nothing says on the way back which condition held: a lookup can go both ways"
    if way.several:
        return "has several sources: only one can be written on the way back"
    if way.sources[0].depth != depth or way.sources[0].names == HERE:
        return f"{way.sources[0].text} does not belong to the same element"
    lost = next((step for step in way.steps if step.back is None and not step.cleans), None)
    if lost is None:
        return None
    if lost.name == "lookup":
        return f"{lost.says} has a result that stands twice, or an `otherwise`"
    return f"{lost.says} cannot be turned round"


def _back(way: Way, name: str, target: tuple[str, ...], depth: int) -> Way:
    steps = tuple(step.back() for step in reversed(way.steps) if step.back is not None)
    return Way(
        sources=(Path(name, depth, target),),
        steps=steps,
        further=((),) * len(steps),
        keep_empty=way.keep_empty,
        null=way.null,
        place=way.place,
    )


def prove_both(rules: Rules, source: Shape | None, target: Shape | None, proof: Proof) -> list[str]:
    """What speaks against going both ways."""
    back, mistakes = turned(rules)
    if mistakes:
        return mistakes
    # What the way back leaves out stays as it is over there: only what it does write has to meet.
    for told in prove(back, target, source, partial=True).mistakes:
        place, _, what = told.partition(": ")
        mistakes.append(f"{place}: on the way back, {what}")
    return mistakes or list(_round_trips(rules, back, source, proof))


def _round_trips(rules: Rules, back: Rules, source: Shape | None, proof: Proof) -> Iterator[str]:
    maker = _Maker(random.Random(len(rules.body)), source, proof)  # noqa: S311 - values to try, the same each time
    told: set[str] = set()
    for _ in range(RECORDS):
        record = maker.record(rules.body, source, "")
        there = run(rules, None, record).values
        again = run(back, None, there).values
        once_more = run(rules, None, again).values
        for rule, path, before, after in _differences(rules.body, record, again, there, once_more):
            if path not in told:
                told.add(path)
                yield f"{rule.place}: {path} goes both ways, and {before!r} came back as {after!r}"


def _differences(
    body: tuple[Rule | ListRule, ...], record: Any, again: Any, there: Any, once_more: Any
) -> Iterator[tuple[Rule | ListRule, str, Any, Any]]:
    """Rules whose value is another after the way there and back."""
    for rule in body:
        path = "/".join(rule.target)
        before, after = _at(there, rule.target), _at(once_more, rule.target)
        if isinstance(rule, ListRule):
            elements = rule.each.read(((record, 1),) * (rule.each.depth + 1)) or []
            back = _at(again, rule.each.names) or []
            if len(elements) != len(back):
                yield rule, path, elements, back
                continue
            for four in zip(elements, back, before or [], after or [], strict=False):
                for inner, name, one, other in _differences(rule.body, *four):
                    yield inner, f"{path}/{name}", one, other
            continue
        if before != after:
            yield rule, path, before, after
        way = rule.ways[0]
        if way.sources and way.sources[0].names != ("#",) and not any(step.cleans for step in way.steps):
            sent, came = _at(record, way.sources[0].names), _at(again, way.sources[0].names)
            if sent != came and not absent(sent):
                yield rule, path, sent, came


def _at(values: Any, names: tuple[str, ...]) -> Any:
    for name in names:
        values = values.get(name) if isinstance(values, Mapping) else None
    return values


class _Maker:
    """Makes records that a mapping takes."""

    def __init__(self, chance: random.Random, source: Shape | None, proof: Proof) -> None:
        self._chance = chance
        self._source = source
        self._proof = proof

    def record(self, body: tuple[Rule | ListRule, ...], shape: Shape | None, path: str) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for rule in body:
            name = f"{path}{'/'.join(rule.target)}"
            if isinstance(rule, ListRule):
                inner = None if shape is None else shape.find("/".join(rule.each.names))
                around = None if inner is None else inner.shape
                count = self._chance.randrange(4)
                elements = [self.record(rule.body, around, f"{name}/") for _ in range(count)]
                _put(made, rule.each.names, [one for one in elements if one])
                continue
            way = rule.ways[0]
            if (
                not way.sources
                or way.sources[0].names == ("#",)
                or _at(made, way.sources[0].names) is not None
            ):
                continue
            field = None if shape is None else shape.find("/".join(way.sources[0].names))
            value = self._value(way, field, self._proof.facts.get(name, Facts()))
            if value is not None:
                _put(made, way.sources[0].names, value)
        return made

    def _value(self, way: Way, field: Field | None, after: Facts) -> Any:
        """One that goes through the steps: of the source's kind, or else one of the target's, brought back."""
        before = Facts() if field is None else Facts.of(field, many=field.repeats, certain=True)
        backwards = tuple(step.back() for step in reversed(way.steps) if step.back is not None)
        known = before.kind != "any" or not backwards or way.steps[0].needs is not None
        # A text that is read (a number, a date) may be written in several ways: the one that the way back writes is meant.
        is_read = before.kind == "text" and bool(backwards) and way.steps[0].gives not in (None, "text")
        if is_read and way.steps[0].needs is None:
            known = False
        for attempt in range(_TRIES):
            try:
                # Of a source that nothing is known of, the way back knows best what it may be.
                if not backwards or known is (attempt < _TRIES // 2):
                    value = self._of(before, way.steps)
                else:
                    value = _through(backwards, self._of(after, ()))
                _through(way.steps, value)
            except Unfit:
                continue
            return value
        return None

    def _of(self, facts: Facts, steps: tuple[Step, ...]) -> Any:
        if facts.many:
            one = replace(facts, many=False)
            return [self._of(one, steps) for _ in range(self._chance.randrange(1, 4))]
        chance = self._chance
        if steps and steps[0].needs is not None and not facts.one_of:
            return chance.choice(sorted(steps[0].needs))
        if facts.one_of:
            return chance.choice(facts.one_of)
        kind: Kind = "text" if facts.kind == "any" else facts.kind
        if kind == "text":
            shortest = facts.shortest or 1
            longest = max(shortest, min(facts.longest or 12, 40))
            return "".join(chance.choice(_LETTERS) for _ in range(chance.randint(shortest, longest)))
        if kind in ("integer", "decimal"):
            return self._number(facts)
        if kind == "boolean":
            return chance.random() < 0.5
        day = date(2000, 1, 1) + timedelta(days=chance.randrange(20_000))
        if kind == "date":
            return day
        if kind == "datetime":
            return datetime(
                day.year,
                day.month,
                day.day,
                chance.randrange(24),
                chance.randrange(60),
                chance.randrange(60),
                tzinfo=UTC,
            )
        return None

    def _number(self, facts: Facts) -> Any:
        fraction = (
            0 if facts.kind == "integer" else min(facts.fraction if facts.fraction is not None else 4, 8)
        )
        unit = 10**fraction
        most = 10 ** min(max(1, (facts.digits or 9) - fraction), 12) - 1
        low = int((Decimal(0) if facts.least is None else max(facts.least, Decimal(-most))) * unit)
        high = int((Decimal(most) if facts.most is None else min(facts.most, Decimal(most))) * unit)
        scaled = self._chance.choice((low, high, self._chance.randint(min(low, high), max(low, high))))
        return scaled if facts.kind == "integer" else Decimal(scaled).scaleb(-fraction)


def _through(steps: tuple[Step, ...], value: Any) -> Any:
    for step in steps:
        if absent(value):
            return None
        value = done(step, value, [])
    return value


def _put(record: dict[str, Any], names: tuple[str, ...], value: Any) -> None:
    for name in names[:-1]:
        record = record.setdefault(name, {})
    record[names[-1]] = value
