"""The text of service.py: the bridge, its service, and a handler for each operation."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from bridge.contract import Operation
from bridge.contract.model import ANY_TYPE, ComplexType
from bridge.contract.stubs import Stub, TypeNames
from bridge.contract.stubs.annotations import Annotations, is_certain
from bridge.contract.stubs.documentation import english
from bridge.contract.stubs.spelling import HOMES
from bridge.starter.literals import WIDTH, Literals, quoted
from bridge.starter.plan import Answerable, Plan, listed

_FROM_BRIDGE = ("NIL", "Call", "Element", "TypedValue")


def service_text(plan: Plan, stub: Stub, wsdl: str) -> str:
    """service.py. `wsdl` is the path of the contract from the project's folder."""
    writer = _Writer(plan)
    handlers = [line for found in plan.operations for line in writer.handler(found)]
    lines = [
        f'"""Answers the contract {wsdl}. `soapbridge check service:bridge`, then `soapbridge serve service:bridge`.',
        "",
        "Each handler answers with made-up values that the contract admits. Put your own in their place.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        *writer.imports(),
        "if TYPE_CHECKING:",
        f"    from stubs import {plan.module} as types  # what handlers get and give, for editors and mypy",
        "",
        "bridge = Bridge.load()  # bridge.toml, the environment, defaults",
        f"{plan.service}: types.{stub.service} = bridge.serve({quoted(wsdl)})",
        *handlers,
    ]
    return "\n".join(lines) + "\n"


class _Writer:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._model = plan.contract.model
        names = TypeNames(plan.contract)
        self._annotations = Annotations(plan.contract, names)
        self._literals = Literals(plan.contract, names, plan.service)
        self._used = self._literals.used
        self._used.add("Call")

    def imports(self) -> Iterator[str]:
        """The import lines for all that the handlers use."""
        homes: dict[str, set[str]] = {"typing": {"TYPE_CHECKING"}, "bridge": {"Bridge"}}
        for name in self._used - {"etree"}:
            home = "datetime" if name == "UTC" else "bridge" if name in _FROM_BRIDGE else HOMES[name]
            if home != "builtins":
                homes.setdefault(home, set()).add(name)
        ours = [home for home in homes if home.partition(".")[0] == "bridge"]
        for home in sorted(set(homes) - set(ours)):
            yield f"from {home} import {', '.join(sorted(homes[home]))}"
        yield ""
        if "etree" in self._used:
            yield from ("from lxml import etree", "")
        for home in sorted(ours):
            yield f"from {home} import {', '.join(sorted(homes[home]))}"
        yield ""

    def handler(self, found: Answerable) -> Iterator[str]:
        """One handler, with the blank lines before it."""
        operation = found.operation
        got = self._annotations.payload(operation.input, self._spell)
        gives = "None" if operation.one_way else self._gives(operation.output)
        yield from ("", "", f"@{self._plan.service}.operation({quoted(operation.key)})")
        head = f"def {found.handler}(request: {got}, call: Call) -> {gives}:"
        if len(head) <= WIDTH + 20:
            yield head
        else:
            yield from (f"def {found.handler}(", f"    request: {got}, call: Call", f") -> {gives}:")
        yield from self._docstring(found)
        for name, value in found.headers.items():
            yield from self._literals.payload(name, value).lines(
                "    ", before=f"call.reply_headers[{quoted(name)}] = "
            )
        if operation.one_way or operation.output is None:
            why = "one-way: nobody waits for a reply" if operation.one_way else "the reply is empty"
            yield f"    # Do here what is asked for; {why}."
            return
        yield "    # Made up, but valid by the contract: put here what is so."
        source = self._literals.payload(operation.output, found.value)
        yield from source.lines("    ", before="return ")

    def _gives(self, element: str | None) -> str:
        """What the handler returns: the dict alone, where it may be one."""
        if element is None:
            return "None"
        declared = self._model.type(self._model.element(element).type)
        annotation = self._annotations.payload(element, self._spell, given=True)
        if isinstance(declared, ComplexType):
            dicts = re.findall(r"types\.\w+Dict\b", annotation)
            return dicts[0] if dicts and not declared.abstract else annotation
        return annotation

    def _docstring(self, found: Answerable) -> Iterator[str]:
        operation = found.operation
        text = english(operation.documentation) or f"Answers {operation.key}."
        lines = textwrap.wrap(text.replace("\\", "\\\\").replace('"', "'"), WIDTH - 10)
        if operation.faults:
            lines += [
                "",
                f"Declared faults: {listed(operation.faults)}. For example:",
                f"    {self._fault(operation)}",
            ]
        yield f'    """{lines[0]}' + ('"""' if len(lines) == 1 else "")
        yield from (f"    {line}".rstrip() for line in lines[1:])
        if len(lines) > 1:
            yield '    """'

    def _fault(self, operation: Operation) -> str:
        """A line that raises its first declared fault, with the fields that must be there."""
        name, element = next(iter(operation.faults.items()))
        declared = self._model.type(self._model.element(element).type)
        fields = "..."
        if isinstance(declared, ComplexType) and declared.name != ANY_TYPE:
            layout = self._plan.contract.codec.layout_of(declared)
            certain = [field.name for field in layout.fields if is_certain(field, declared)]
            fields = ", ".join(f"{field}=..." for field in certain[:4]) + (
                ", ..." if len(certain) > 4 else ""
            )
        return f"raise {self._plan.service}.fault('{name}'{f', {fields}' if fields else ''})"

    def _spell(self, name: str, *, own: bool = False) -> str:
        """Names of the stub by its alias; others as they are imported."""
        if own:
            return f"types.{name}"
        self._used.add(name)
        return name
