"""The rules as one Python function: what runs for each record.

It does what `running` does and gives up, by whatever exception, at the first thing that is not as it mostly is: a value that is
missing or does not fit, a text where a list was thought of. `running` then goes through the record again and knows what to say; where
nothing is wrong after all its result is taken. So this may be quick and careless, as long as what it does give is the same.

Records are dicts, or objects of the codec: a function for each.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from copy import deepcopy
from decimal import Decimal
from typing import Any, Final, Literal

from bridge.mapping import conditions
from bridge.mapping.fits import misfit
from bridge.mapping.rules import HERE, Asking, ListRule, Path, Rule, Rules, Scope, Way, one_of
from bridge.mapping.running import Run, _Runner
from bridge.mapping.shapes import Field, Shape

Records = Literal["dicts", "objects"]
Made = Callable[[Any], dict[str, Any]]

_CLASSES: Final = {"text": "str", "integer": "int", "boolean": "bool"}


class Careful(Exception):
    """Something is not as it mostly is."""


def _give_up(*_: object) -> Any:
    raise Careful


def function(
    rules: Rules, target: Shape | None, records: Records, sure: AbstractSet[str], certain: AbstractSet[str]
) -> Made:
    """
    Args:
        sure: target fields (`order/line/sku`) whose values fit, as has been proved.
        certain: target fields that are always there.
    """
    source, names = _Writer(records, sure, certain).write(rules, target)
    file = f"<mapping {rules.file.name}, {records}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    exec(compile(source, file, "exec"), names)  # noqa: S102 - of our own making; texts of the file come in by repr
    made: Made = names["mapped"]
    return made


class _Writer:
    def __init__(self, records: Records, sure: AbstractSet[str], certain: AbstractSet[str]) -> None:
        self._records = records
        self._sure = sure
        self._certain = certain
        self._lines: list[str] = []
        self._count = 0
        self._reads: dict[tuple[int, tuple[str, ...]], str] = {}
        self.names: dict[str, Any] = {
            **conditions.NAMES,
            "misfit": _give_up,
            "wrong": misfit,
            "one_of": one_of,
            "by_rule": _by_rule,
            "Decimal": Decimal,
            "deepcopy": deepcopy,
        }

    def write(self, rules: Rules, target: Shape | None) -> tuple[str, dict[str, Any]]:
        """Source, and the names it uses."""
        self._line(0, "def mapped(r0):")
        made = self._body(1, rules.body, 0, target, "", needed=True)
        self._line(1, f"return {made}")
        return "\n".join(self._lines) + "\n", self.names

    def _line(self, indent: int, text: str) -> None:
        self._lines.append("    " * indent + text)

    def _new(self, letter: str) -> str:
        self._count += 1
        return f"{letter}{self._count}"

    def _name(self, value: Any) -> str:
        """A name by which the function has this object."""
        name = self._new("k")
        self.names[name] = value
        return name

    # -- reading

    def _read_all(
        self, indent: int, body: tuple[Rule | ListRule, ...], depth: int, shape: Shape | None
    ) -> None:
        """All that is read from the element at `depth`, before any condition."""
        for path in dict.fromkeys(_paths(body, shape)):
            if path.depth == depth:
                self._read(indent, depth, path.names)

    def _read(self, indent: int, depth: int, names: tuple[str, ...]) -> str:
        if names == ("#",):
            return f"n{depth}"
        if names in ((), HERE):
            return f"r{depth}"
        known = self._reads.get((depth, names))
        if known is not None:
            return known
        around = self._read(indent, depth, names[:-1])
        name = names[-1]
        if self._records == "dicts":
            found = f"{around}.get({name!r})"
        elif name.isidentifier():
            found = f"{around}.{name}"
        else:
            found = f"one_of({around}, {name!r})"
        variable = self._new("x")
        self._line(
            indent,
            f"{variable} = {found}" + (f" if {around} is not None else None" if len(names) > 1 else ""),
        )
        self._reads[depth, names] = variable
        return variable

    def _at(self, path: Path) -> str:
        return self._read(0, path.depth, path.names)  # read before: nothing is written

    def _condition(self, asking: Asking) -> str:
        places = {f"p{number}": self._at(path) for number, path in enumerate(asking.paths)}
        return asking.condition.code.format(**places)

    # -- objects

    def _body(
        self,
        indent: int,
        body: tuple[Rule | ListRule, ...],
        depth: int,
        shape: Shape | None,
        path: str,
        *,
        needed: bool,
        outer: int = -1,
        unless: Asking | None = None,
    ) -> str:
        """The variable of the object that the rules make. `needed`: it must have what its shape requires, even if it is empty."""
        self._read_all(indent, body, depth, shape)
        if unless is not None:
            self._line(indent, f"if not ({self._condition(unless)}): continue")
        objects: dict[tuple[str, ...], str] = {}
        for rule in body:
            for length in range(len(rule.target)):
                if rule.target[:length] not in objects:
                    objects[rule.target[:length]] = self._new("o")
        for variable in objects.values():
            self._line(indent, f"{variable} = {{}}")
        for rule in body:
            target = None if shape is None else shape.find("/".join(rule.target))
            place = f"{objects[rule.target[:-1]]}[{rule.target[-1]!r}]"
            here = path + "/".join(rule.target)
            if isinstance(rule, ListRule):
                self._list(indent, rule, depth, target, here, place)
            else:
                self._rule(indent, rule, depth, target, here, place)
        for inner in sorted(objects, key=len, reverse=True):
            self._close(indent, inner, objects, shape, path, needed=needed)
        return objects[()]

    def _close(
        self,
        indent: int,
        inner: tuple[str, ...],
        objects: Mapping[tuple[str, ...], str],
        shape: Shape | None,
        path: str,
        *,
        needed: bool,
    ) -> None:
        """Looks at what an object must have, and puts it where it belongs; one without anything is left out."""
        found = None if shape is None or not inner else shape.find("/".join(inner))
        own = shape if not inner else None if found is None else found.shape
        required = [
            f"{name!r} not in {objects[inner]}"
            for name, field in (own.fields.items() if own is not None else ())
            if field.required
            and "/".join([*([path.rstrip("/")] if path else []), *inner, name]) not in self._certain
        ]
        if inner:
            self._line(indent, f"if {objects[inner]}:")
            for one in required:
                self._line(indent + 1, f"if {one}: misfit()")
            self._line(indent + 1, f"{objects[inner[:-1]]}[{inner[-1]!r}] = {objects[inner]}")
        else:
            for one in required:
                self._line(indent, f"if {one}{'' if needed else f' and {objects[inner]}'}: misfit()")

    def _list(
        self, indent: int, rule: ListRule, depth: int, target: Field | None, path: str, place: str
    ) -> None:
        elements, made = self._at(rule.each), self._new("l")
        inner = depth + 1
        self._line(indent, f"{made} = []  # {path}  {rule.place}")
        self._line(indent, f"if {elements}.__class__ is not list and {elements} is not None: misfit()")
        self._line(indent, f"for n{inner}, r{inner} in enumerate({elements} or (), 1):")
        known = dict(self._reads)
        one = self._body(
            indent + 1,
            rule.body,
            inner,
            None if target is None else target.shape,
            f"{path}/",
            needed=False,
            unless=rule.when,
        )
        self._reads = known
        self._line(indent + 1, f"if {one}: {made}.append({one})")
        self._line(indent, f"if {made}: {place} = {made}")
        if rule.required or self._needs(target, path):
            self._line(indent, "else: misfit()")

    # -- values

    def _rule(self, indent: int, rule: Rule, depth: int, target: Field | None, path: str, place: str) -> None:
        self._line(indent, f"# {path}  {rule.place}")
        if _is_odd(rule, target):
            scope = (
                "("
                + "".join(f"(r{level}, {f'n{level}' if level else 1})," for level in range(depth + 1))
                + ")"
            )
            value = self._new("v")
            self._line(indent, f"{value} = by_rule({self._name(rule)}, {scope}, {self._name(target)})")
            null = any(way.null for way in rule.ways)
            self._line(indent, f"{place} = {value}" if null else f"if {value} is not None: {place} = {value}")
            if self._needs(target, path) and not null:
                self._line(indent, "else: misfit()")
            return
        for number, way in enumerate(rule.ways):
            word = "if" if number == 0 else "elif"
            if way.when is not None:
                self._line(indent, f"{word} {self._condition(way.when)}:")
            elif number:
                self._line(indent, "else:")
            inside = indent + (way.when is not None or number > 0)
            self._way(inside, way, target, path, place)

    def _way(self, indent: int, way: Way, target: Field | None, path: str, place: str) -> None:
        if not way.sources:
            if target is not None and misfit(target, way.constant) is not None:
                self._line(indent, "misfit()")
            self._line(indent, f"{place} = {self._constant(way.constant)}")
            return
        value = self._at(way.sources[0])
        must = way.required or self._needs(target, path)
        must = must or (way.null and target is not None and target.required)
        # Where something happens without a value, a value that steps have emptied is left to the slow path.
        always = must or way.null or way.default is not None
        self._line(indent, f"if {value} or {value} == 0:")
        if way.steps:
            result = self._new("v")
            for number, (step, further) in enumerate(zip(way.steps, way.further, strict=True)):
                if number:
                    self._line(indent + 1, f"if not {result} and {result} != 0: misfit()")
                given = value if number == 0 else result
                if step.code:
                    code = step.code.replace("{v}", given)
                    for name, known in step.names.items():
                        code = code.replace(name, self._name(known))
                else:
                    code = f"{self._name(step.run)}({', '.join([given, *map(self._at, further)])})"
                self._line(indent + 1, f"{result} = {code}")
            value = result
            if always:
                self._line(indent + 1, f"if not {value} and {value} != 0: misfit()")
            else:
                self._line(indent + 1, f"if {value} or {value} == 0:")
                indent += 1
            self._fit(indent + 1, value, way, target, path)
            self._line(indent + 1, f"{place} = {value}")
            indent -= not always
        else:
            self._fit(indent + 1, value, way, target, path)
            self._line(indent + 1, f"{place} = {value}")
        if way.default is not None:
            wrong = target is not None and misfit(target, way.default) is not None
            self._line(indent, f"else: {'misfit()' if wrong else f'{place} = {self._constant(way.default)}'}")
        elif must:
            self._line(indent, "else: misfit()")
        elif way.null:
            self._line(indent, f"else: {place} = None")

    def _needs(self, target: Field | None, path: str) -> bool:
        """Whether a value is required and, as has been proved, there: where it is not the record is odd, and nothing else looks."""
        return target is not None and target.required and path in self._certain

    def _constant(self, value: Any) -> str:
        if isinstance(value, str | bool | int):
            return repr(value)
        return f"deepcopy({self._name(value)})" if isinstance(value, list) else self._name(value)

    def _fit(self, indent: int, value: str, way: Way, target: Field | None, path: str) -> None:
        """Gives up where the value does not fit: as little as the proof leaves open."""
        if target is None or target.kind == "any":
            return
        sure = path in self._sure
        if sure and way.steps:
            return
        if target.kind == "decimal":
            kind = f"{value}.__class__ is not Decimal and {value}.__class__ is not int"
        elif target.kind in _CLASSES:
            kind = f"{value}.__class__ is not {_CLASSES[target.kind]}"
        else:
            self._line(indent, f"if wrong({self._name(target)}, {value}) is not None: misfit()")
            return
        if sure:
            self._line(indent, f"if {kind}: misfit()")
        else:
            of_kind = self._of_text if target.kind == "text" else self._of_number
            self._line(indent, f"if {kind}{of_kind(value, target)}: misfit()")

    def _of_number(self, value: str, target: Field) -> str:
        open_ = ""
        if target.least is not None:
            open_ += f" or {value} < {self._name(target.least)}"
        if target.most is not None:
            open_ += f" or {value} > {self._name(target.most)}"
        if target.digits is not None:
            open_ += f" or wrong({self._name(target)}, {value}) is not None"
        elif target.fraction is not None and target.kind == "decimal":
            # Zeros at the end may make more of them than there are: then the slow path says so.
            open_ += f" or ({value}.__class__ is Decimal and {value}.as_tuple()[2] < {-target.fraction})"
        return open_

    def _of_text(self, value: str, target: Field) -> str:
        open_ = ""
        if target.longest is not None:
            open_ += f" or len({value}) > {target.longest}"
        if target.shortest is not None and target.shortest > 1:
            open_ += f" or len({value}) < {target.shortest}"
        if target.one_of:
            open_ += f" or {value} not in {self._name(frozenset(target.one_of))}"
        return open_


def _is_odd(rule: Rule, target: Field | None) -> bool:
    """Whether a rule is left to `running`: lists of values, and what is rare."""
    return (target is not None and target.repeats) or any(
        way.several or way.keep_empty or any(step.whole or step.listed for step in way.steps)
        for way in rule.ways
    )


def _by_rule(rule: Rule, scope: Scope, target: Field | None) -> Any:
    found = Run()
    value, null = _Runner(found)._value(rule, scope, target, "")
    odd = value is None and (
        (target is not None and target.required) or null is not any(way.null for way in rule.ways)
    )
    if found.mistakes or odd:
        raise Careful
    return value


def _paths(body: tuple[Rule | ListRule, ...], shape: Shape | None) -> Iterator[Path]:
    """Every path that rules read here, those of inner lists too; what is left to `running` it reads itself."""
    for rule in body:
        target = None if shape is None else shape.find("/".join(rule.target))
        if isinstance(rule, ListRule):
            yield rule.each
            if rule.when is not None:
                yield from rule.when.paths
            yield from _paths(rule.body, None if target is None else target.shape)
            continue
        if _is_odd(rule, target):
            continue
        for way in rule.ways:
            yield from way.sources
            if way.when is not None:
                yield from way.when.paths
            for further in way.further:
                yield from further
