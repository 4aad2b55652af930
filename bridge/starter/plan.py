"""Which operations a new project answers, what each handler is called and answers with; and what is left out, and why."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from lxml import etree

from bridge.contract import Contract, Operation, SoapVersion
from bridge.contract.example import example
from bridge.contract.stubs import module_name
from bridge.contract.stubs.spelling import HOMES
from bridge.errors import BridgeError, ContractError, InvalidMessage

_LONGEST_SAMPLE = 60
"""Elements of a reply that a handler shows whole; of a longer one it shows only what must be there."""

REASONS_TOLD = 10
"""Why nothing can be answered is told of so many operations; of the others `contract check` tells it."""

RESERVED = frozenset(HOMES) | {
    "Bridge", "NIL", "TYPE_CHECKING", "UTC", "Path", "annotations", "ask", "bridge", "etree", "pytest", "service", "types",
}  # fmt: skip
"""Names that the project's files use themselves."""


@dataclass(frozen=True, slots=True)
class Answerable:
    """An operation with its handler, and what that answers until somebody edits it."""

    operation: Operation
    handler: str
    file: str
    """Name of its sample, without the ending."""
    sample: str
    """A request in its envelope."""
    value: Any
    """The reply decoded."""
    headers: dict[str, Any]
    """The header blocks that the reply must have, decoded, by Clark name."""
    action: str | None
    """The SOAPAction, where only it tells the operation from another with the same input."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A project: `service` is the variable of the service, `module` the stub.

    `left_out`: operation → why it cannot be answered. `problems`: what else is wrong with the contract. `unwanted`: not asked for.
    """

    contract: Contract
    module: str
    service: str
    operations: tuple[Answerable, ...]
    left_out: dict[str, str]
    problems: tuple[str, ...]
    unwanted: tuple[str, ...]


def plan(
    contract: Contract, sample: Callable[[Operation], str], wanted: Collection[str] = (), *, root: str = ""
) -> Plan:
    """Plan a project for the operations `wanted` (keys), or for all.

    `sample` gives a valid request in its envelope, or raises ContractError.
    `root` is where the project's files lie, with a slash behind it: reasons name files from there.

    Raises:
        ContractError: none of them can be answered, or one of them does not exist; with every reason.
    """
    contract.compile()
    unknown = [key for key in wanted if key not in contract.operations]
    if unknown:
        raise ContractError(
            f"There is no operation {', '.join(unknown)}.",
            file=contract.file,
            advice=f"There are: {', '.join(contract.operations)}.",
        )
    taken = set(RESERVED)
    service = _free(_snake(module_name(contract)), taken)
    files: set[str] = set()
    operations, left_out = [], {}
    for key, operation in contract.operations.items():
        if wanted and key not in wanted:
            continue
        if operation.problem is not None:
            left_out[key] = str(operation.problem).removeprefix(root)
            continue
        action = _telling_action(contract, operation)
        if action is None and contract.dispatch(operation.input, _version(operation)) is not operation:
            left_out[key] = "another operation has the same input, and no action tells them apart."
            continue
        try:
            request = sample(operation)
            value = _sample(contract, None if operation.one_way else operation.output)
            required = [header.name for header in operation.output_headers if header.required]
            headers = {} if operation.one_way else {name: _sample(contract, name) for name in required}
        except BridgeError as error:
            left_out[key] = f"no sample of it can be made up: {error}"
            continue
        handler, file = _free(_snake(key), taken), _free_file(key, files)
        operations.append(Answerable(operation, handler, file, request, value, headers, action))
    if not operations:
        told = list(left_out.values())
        reasons = "".join(f"\n- {reason}" for reason in told[:REASONS_TOLD])
        if len(told) > REASONS_TOLD:
            reasons += f"\nand {len(told) - REASONS_TOLD} more: soapbridge contract check {contract.file}\n"
        raise ContractError(
            f"None of its operations can be answered{':' if reasons else ', it has none.'}{reasons}",
            file=contract.file,
            advice="Mend the contract, or ask its publisher.",
        )
    known = {str(operation.problem) for operation in contract.operations.values()}
    problems = tuple(str(one).removeprefix(root) for one in contract.problems if str(one) not in known)
    unwanted = tuple(key for key in contract.operations if wanted and key not in wanted)
    return Plan(contract, module_name(contract), service, tuple(operations), left_out, problems, unwanted)


def _telling_action(contract: Contract, operation: Operation) -> str | None:
    """The action that leads to the operation where its Body alone does not."""
    version = _version(operation)
    if contract.dispatch(operation.input, version) is operation:
        return None
    actions = sorted(operation.soap_actions)
    return next(
        (one for one in actions if contract.dispatch(operation.input, version, one) is operation), None
    )


def _version(operation: Operation) -> SoapVersion:
    return "1.2" if operation.soap_versions == {"1.2"} else "1.1"


def _sample(contract: Contract, element: str | None) -> Any:
    """The value of a valid message; proved to be encoded to a valid one again."""
    if element is None:
        return None
    text = example(contract.model, element)
    if text.count("</") + text.count("/>") > _LONGEST_SAMPLE:
        text = example(contract.model, element, optional=False)
    value = contract.codec.decode(element, _checked(contract, element, text))
    _checked(contract, element, contract.codec.encode(element, value))
    return value


def _checked(contract: Contract, element: str, text: str) -> etree._Element:
    source = text.encode()
    tree = etree.fromstring(source)
    contract.guard.check(element, tree, source=source, error=InvalidMessage, what="sample")
    return tree


def _snake(name: str) -> str:
    """`GetStock` as `get_stock`, `PortType.DoHTTPCall` as `port_type_do_http_call`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    name = re.sub(r"\W+", "_", spaced).strip("_").lower()
    return f"operation_{name}" if not name or name[0].isdigit() else name


def _free(name: str, taken: set[str]) -> str:
    while name in taken or keyword.iskeyword(name):
        name += "_"
    taken.add(name)
    return name


def _free_file(key: str, taken: set[str]) -> str:
    """A file name for the operation that differs from the others by more than its case."""
    name = wanted = re.sub(r"[^\w.-]+", "_", key)
    number = 1
    while name.lower() in taken:
        number += 1
        name = f"{wanted}-{number}"
    taken.add(name.lower())
    return name


def listed(names: Iterable[str]) -> str:
    """`a, b, c`, or the first of many."""
    every = list(names)
    return ", ".join(every[:8]) + (f" and {len(every) - 8} more" if len(every) > 8 else "")
