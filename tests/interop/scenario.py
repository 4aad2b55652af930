"""What every client has to do with a contract, described once: scenarios/<contract>.json.

A step calls an operation and says what must come back: `reply`, a declared `fault`, or the `violations` of a request
that the contract refuses. Texts may name what came before: "{own}" is an id of this run's own, "{place.orderNumber}" a
field of the reply to the step `place`, "{place.request}" the request it sent. Expectations are a path to a value;
numbers are compared as numbers, {"pattern": …} as a regular expression.

An operation that no step calls is called with a request made up from its schema, so that a new one is never left out: a
reply will do, and a declared fault too.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any

from lxml import etree

from bridge import shipped
from bridge.contract import Contract, Operation
from bridge.contract import load as load_contract
from bridge.contract.example import example
from tests.interop.driver import Answer, nested

FOLDER = Path(__file__).parent / "scenarios"

_REFERENCE = re.compile(r"\{([A-Za-z][^{}]*)\}")
_MISSING = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call. `expected` has paths into the reply or the fault's detail; empty where any reply will do."""

    name: str
    operation: str
    request: Any
    kind: str  # "reply", "fault", "violations"; "answer" is a reply or a declared fault
    expected: dict[str, Any] = field(default_factory=dict)
    violations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    contract: str
    steps: tuple[Step, ...]

    @property
    def rows(self) -> list[str]:
        """What the table tells of this contract: each operation, then the kinds of fault."""
        operations = dict.fromkeys(step.operation for step in self.steps if row_of(step) == step.operation)
        kinds = [kind for kind in ("fault", "violations") if any(step.kind == kind for step in self.steps)]
        return [*operations, *kinds]


def row_of(step: Step) -> str:
    """The row of the table that a step counts for."""
    return step.kind if step.kind in ("fault", "violations") else step.operation


@cache
def scenarios() -> tuple[Scenario, ...]:
    """One for each shipped contract that is served, complete with every operation."""
    return tuple(_scenario(name, path) for name, path in shipped.contracts("erp").items())


def _scenario(name: str, wsdl: Path) -> Scenario:
    file = FOLDER / f"{name}.json"
    written = json.loads(file.read_text("utf-8"))["steps"] if file.exists() else []
    steps = [_step(one) for one in written]
    called = {step.operation for step in steps if step.kind == "reply"}
    contract = load_contract(wsdl)
    steps += [_made_up(contract, one) for one in contract.operations.values() if one.name not in called]
    return Scenario(contract=name, steps=tuple(steps))


def _step(written: dict[str, Any]) -> Step:
    (kind,) = {"reply", "fault", "violations"} & set(written)
    expected = written[kind]
    return Step(
        name=written["name"],
        operation=written["operation"],
        request=written["request"],
        kind=kind,
        expected=expected if isinstance(expected, dict) else {},
        violations=tuple(expected) if kind == "violations" else (),
    )


def _made_up(contract: Contract, operation: Operation) -> Step:
    assert operation.input is not None
    request = nested(etree.fromstring(example(contract.model, operation.input, optional=False)))
    return Step(
        name=f"{operation.name}, made up", operation=operation.name, request=request or {}, kind="answer"
    )


# -- what came before ----------------------------------------------------------------------------------------


def resolved(value: Any, known: dict[str, Any]) -> Any:
    """`value` with its references replaced; one that stands alone keeps the type of what it names."""
    if isinstance(value, list):
        return [resolved(one, known) for one in value]
    if isinstance(value, dict):
        return {name: resolved(one, known) for name, one in value.items()}
    if not isinstance(value, str):
        return value
    alone = _REFERENCE.fullmatch(value)
    if alone is not None:
        return find(known, alone[1])
    return _REFERENCE.sub(lambda match: str(find(known, match[1])), value)


def find(value: Any, path: str) -> Any:
    """The value at `a.0.b`; a single value is a list of one, and a list of one is its value. None where there is none."""
    for name in path.split("."):
        value = _child(value, name)
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return None if value is _MISSING else value


def _child(value: Any, name: str) -> Any:
    if name.isdigit():
        items = value if isinstance(value, list) else [value]
        return items[int(name)] if int(name) < len(items) else _MISSING
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else _MISSING
    return value.get(name, _MISSING) if isinstance(value, dict) else _MISSING


# -- the judgement -------------------------------------------------------------------------------------------


def judge(step: Step, answer: Answer, known: dict[str, Any]) -> str:
    """What is wrong with an answer; "" where nothing is."""
    if "error" in answer:
        return str(answer["error"])
    if step.kind == "answer":
        refused = find(answer.get("fault", {}).get("detail") or {}, "violations.violation")
        return "" if refused is None else f"refused: {json.dumps(refused, ensure_ascii=False)[:600]}"
    if step.kind == "reply":
        if "fault" in answer:
            return f"fault: {json.dumps(answer['fault'], ensure_ascii=False)[:600]}"
        return _differences(answer["reply"], resolved(step.expected, known))
    if "fault" not in answer:
        return f"no fault, but {json.dumps(answer.get('reply'), ensure_ascii=False)[:200]}"
    detail = answer["fault"].get("detail")
    if step.kind == "fault":
        return _differences(detail, resolved(step.expected, known))
    told = find(detail, "violations.violation")
    paths = [find(one, "path") for one in (told if isinstance(told, list) else [told])]
    return "" if tuple(paths) == step.violations else f"violations at {paths}"


def _differences(value: Any, expected: dict[str, Any]) -> str:
    wrong = []
    for path, wanted in expected.items():
        found = find(value, path)
        if isinstance(wanted, dict):
            same = isinstance(found, str) and re.fullmatch(wanted["pattern"], found) is not None
        else:
            same = _same(found, wanted)
        if not same:
            wrong.append(f"{path} is {found!r}, not {wanted!r}")
    return "; ".join(wrong)


def _same(found: Any, wanted: Any) -> bool:
    if found is None or isinstance(found, list | dict):
        return False
    if isinstance(found, bool):
        found = str(found).lower()
    if str(found) == str(wanted):
        return True
    try:
        return Decimal(str(found)) == Decimal(str(wanted))
    except InvalidOperation:
        return False
