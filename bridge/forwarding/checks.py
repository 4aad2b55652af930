"""What can be known to be wrong with a forward when it is bound: names, elements, faults, headers, the ordering key."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lxml import etree

from bridge.contract import Contract, Operation
from bridge.contract.codec.values import Payload
from bridge.contract.example import example
from bridge.contract.model import ComplexType
from bridge.errors import ContractError, EncodeError, HandlerError, InvalidMessage
from bridge.handlers import Service, named_or_nearest
from bridge.idempotency import KeyPath
from bridge.soap.xml import read_own

if TYPE_CHECKING:
    from bridge.partners.soap import SoapPartner

Function = Callable[[Any], Any]
Fault = str | tuple[str, Function]
"""The fault of ours that one of the partner's becomes, with a function for its detail; without one the same fields."""


@dataclass(frozen=True, slots=True)
class FaultRule:
    """What one of the partner's declared faults becomes: ours, and its detail out of theirs."""

    name: str
    detail: Function


def find(service: Service, name: str) -> Operation:
    found = service.contract.operations.get(name)
    if found is None:
        raise HandlerError(
            f"{service.contract.file} has no operation {name!r}.",
            advice=named_or_nearest(name, service.contract.operations),
        )
    return found


def offered(to: SoapPartner, name: str) -> Operation:
    if not to.claims:
        raise HandlerError(
            f"The partner {to.name} is of no bridge: whoever repeats a request would have it called again.",
            advice="Take it from the bridge: bridge.partner(NAME).",
        )
    known = set(to.target.operations)
    if name not in known:
        raise HandlerError(
            f"The partner {to.name} ({to.target.named}) has no operation {name!r}.",
            advice=named_or_nearest(name, known),
        )
    found = to.contract.operation(name)
    if found.problem is not None:
        raise found.problem
    return found


def check_headers(
    service: Service, ours: Operation, to: SoapPartner, theirs: Operation, *, given: bool
) -> None:
    wanted = [header.name for header in theirs.input_headers if header.required]
    if wanted and not given:
        raise HandlerError(
            f"{theirs.name} of {to.name} must have the header {', '.join(wanted)}, and headers are not forwarded by "
            "themselves.",
            advice="Say where it comes from: headers=lambda headers: {…}.",
        )
    promised = [header.name for header in ours.output_headers if header.required]
    if promised:
        raise HandlerError(
            f"{ours.name} of {service.name} promises the reply header {', '.join(promised)}, which a forward does not set.",
            advice="Write a handler that calls the partner and sets call.reply_headers.",
        )


def fault_rules(
    contract: Contract, ours: Operation, to: SoapPartner, theirs: Operation, given: Mapping[str, Fault]
) -> dict[str, FaultRule]:
    """By the partner's name: those given, and those that both sides have under one name and element."""
    rules = {
        name: FaultRule(name, _same_element(to.contract, element))
        for name, element in theirs.faults.items()
        if ours.faults.get(name) == element
    }
    for their_name, fault in given.items():
        our_name, function = (fault, None) if isinstance(fault, str) else fault
        for one, name, whose in ((theirs, their_name, to.name), (ours, our_name, contract.name)):
            if name not in one.faults:
                raise HandlerError(
                    f"{one.name} of {whose} declares no fault {name!r}.",
                    advice=named_or_nearest(name, one.faults),
                )
        if function is None:
            function = _same_fields(
                contract, ours.faults[our_name], to.contract, theirs.faults[their_name], their_name
            )
        rules[their_name] = FaultRule(our_name, function)
    return rules


def _same_element(theirs: Contract, element: str) -> Function:
    return lambda value: Payload(theirs.codec.encode(element, value))


def _same_fields(ours: Contract, element: str, theirs: Contract, their_element: str, name: str) -> Function:
    """Their detail as ours with the same fields, tried with an example. Raises HandlerError where that does not fit."""
    if element == their_element:
        return _same_element(theirs, element)

    def convert(value: Any) -> Any:
        return ours.codec.json.values(element, theirs.codec.json.document(their_element, value))

    try:
        made = theirs.codec.decode(their_element, etree.fromstring(example(theirs.model, their_element)))
        text = ours.codec.encode(element, convert(made))
        ours.guard.check(element, read_own(text.encode()))
    except (EncodeError, InvalidMessage, ContractError) as error:
        raise HandlerError(
            f"The detail of the partner's fault {name} has other fields than {element}: {error.message}",
            advice=f'Say how one becomes the other: faults={{"{name}": (…, lambda detail: {{…}})}}.',
        ) from error
    return convert


def ordering_key_of(contract: Contract, ours: Operation, given: str | Function | None) -> Any:
    if not isinstance(given, str):
        return given
    try:
        path = KeyPath.read(given)
    except ValueError as error:
        raise HandlerError(f"The ordering key of {ours.name}: {error}.") from None
    if ours.input is not None:
        _check_path(contract, ours, path)
    return path


def _check_path(contract: Contract, ours: Operation, path: KeyPath) -> None:
    """Whether the schema has such an element or attribute: of a misspelt path every document would have no key.

    Where the schema leaves it open (a wildcard, types derived from the declared one) any name is taken.
    """
    assert ours.input is not None
    ref = contract.model.element(ours.input).type
    for name in (*path.steps, *([] if path.attribute is None else [f"@{path.attribute}"])):
        found = contract.model.type(ref)
        if isinstance(found, ComplexType) and found.name and contract.model.derived(found.name):
            return
        fields = contract.codec.layout_of(found).fields if isinstance(found, ComplexType) else ()
        if any(one.wildcards or one.kind == "any_attribute" for one in fields):
            return
        declared = {one.name: one for field in fields for one in field.items.values()}
        declared |= {field.xml_name: field.declaration for field in fields if field.declaration is not None}
        known = {clark.rpartition("}")[2]: one.type for clark, one in declared.items()}
        known |= {f"@{f.use.name.rpartition('}')[2]}": f.use.type for f in fields if f.use is not None}
        if name not in known:
            raise HandlerError(
                f"The ordering key of {ours.name} leads nowhere: {ours.input} has no {name!r} there.",
                advice=named_or_nearest(name, known),
            )
        ref = known[name]
    found = contract.model.type(ref)
    if isinstance(found, ComplexType) and found.content not in ("simple", "mixed"):
        raise HandlerError(
            f"The ordering key of {ours.name} leads to an element that has no text of its own.",
            advice="Go on to one of its elements or attributes.",
        )


def says_nothing(contract: Contract, element: str | None) -> bool:
    """Whether an answer with this element has nothing to say."""
    if element is None:
        return True
    found = contract.model.type(contract.model.element(element).type)
    return isinstance(found, ComplexType) and not contract.codec.layout_of(found).fields


def takes(function: Callable[..., Any], arguments: int) -> bool:
    """Whether it can be called with so many; of a builtin without a signature its first call will tell."""
    try:
        inspect.signature(function).bind(*range(arguments))
    except TypeError:
        return False
    except ValueError:
        return True
    return True
