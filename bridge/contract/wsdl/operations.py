"""What a service can be asked: the operations of a WSDL, each as one Body element in and one out.

Bindings of one portType that say the same for SOAP 1.1 and 1.2 are one operation. What WSDL 1.1 can describe and
nobody can host here (rpc/encoded, attachments, HTTP bindings …) is kept as an operation with its `problem`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Literal

from bridge.contract.model import Documentation, Source
from bridge.contract.schema.components import local_part
from bridge.contract.wsdl import definitions as wsdl
from bridge.contract.wsdl.definitions import Definitions, Part
from bridge.contract.wsdl.wrappers import Wrappers
from bridge.errors import ContractError, OperationUnavailable

SoapVersion = Literal["1.1", "1.2"]

_VERSIONS: dict[wsdl.Protocol, SoapVersion] = {"soap11": "1.1", "soap12": "1.2"}


@dataclass(frozen=True, slots=True)
class Header:
    """A declared header block: the Clark name of its element, and whether WSDL calls it required."""

    name: str
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operation:
    """One operation, the same for all the bindings in `bindings`.

    `input` and `output` are the Clark names of the Body's only child (for rpc the wrapper); None is an empty Body,
    and for a one-way operation there is no reply at all. `faults` maps the fault's name to its detail element.
    `key` is unique in the contract: the name, or `PortType.name` where the name alone is not.
    `soap_versions` is empty when no binding says how it travels: document/literal in either version then.
    `elements` are those it cannot do without; a fault or optional header that is broken is left out instead.
    `problem` says why it cannot be served or called; everything else is still as far as it could be read.
    """

    name: str
    key: str
    port_type: str
    bindings: tuple[str, ...]
    style: Literal["document", "rpc"]
    soap_actions: frozenset[str]
    soap_versions: frozenset[SoapVersion]
    one_way: bool
    input: str | None
    output: str | None
    input_headers: tuple[Header, ...]
    output_headers: tuple[Header, ...]
    faults: Mapping[str, str]
    documentation: tuple[Documentation, ...]
    source: Source
    problem: ContractError | None = None

    @property
    def bound(self) -> bool:
        """Whether a SOAP binding exists for it."""
        return bool(self.soap_versions)

    @property
    def elements(self) -> tuple[str, ...]:
        named = [self.input, self.output]
        named += [header.name for header in (*self.input_headers, *self.output_headers) if header.required]
        return tuple(name for name in named if name is not None)

    @property
    def optional_elements(self) -> tuple[str, ...]:
        """The elements of declared faults, and of headers that are not required."""
        headers = (*self.input_headers, *self.output_headers)
        return (*self.faults.values(), *(header.name for header in headers if not header.required))


@dataclass(frozen=True, slots=True)
class Port:
    """A port of a service and the keys of the operations it offers; `soap_version` None for other protocols."""

    service: str
    name: str
    address: str
    soap_version: SoapVersion | None
    binding: str
    operations: tuple[str, ...]


@dataclass(slots=True)
class Description:
    """What `describe` found."""

    operations: list[Operation]
    ports: list[Port]
    problems: list[ContractError]


def describe(definitions: Definitions, wrappers: Wrappers) -> Description:
    """Read the operations of all bindings, and of portTypes that no binding mentions.

    Never raises for a single operation: its mistake becomes its `problem`.
    """
    reader = _Describer(definitions, wrappers)
    operations = _with_keys(_merged(reader.operations()))
    by_binding: dict[str, list[str]] = {}
    for operation in operations:
        for binding in operation.bindings:
            by_binding.setdefault(binding, []).append(operation.key)
    ports = []
    for port in definitions.ports:
        binding_ = definitions.bindings.get(port.binding)
        if binding_ is None:
            reader.problems.append(_missing("binding", port.binding, f"The port {port.name}", port.source))
            continue
        keys = tuple(by_binding.get(port.binding, ()))
        version = _VERSIONS.get(binding_.protocol)
        ports.append(Port(port.service, port.name, port.address, version, port.binding, keys))
    return Description(operations, ports, reader.problems)


class _Describer:
    def __init__(self, definitions: Definitions, wrappers: Wrappers) -> None:
        self._definitions = definitions
        self._wrappers = wrappers
        self.problems: list[ContractError] = []

    def operations(self) -> Iterator[Operation]:
        spoken: set[str] = set()
        # Those of SOAP first: a portType that has one needs no word about its HTTP bindings.
        for binding in sorted(
            self._definitions.bindings.values(), key=lambda found: found.protocol not in _VERSIONS
        ):
            port_type = self._definitions.port_types.get(binding.port_type)
            if port_type is None:
                self.problems.append(_missing("portType", binding.port_type, "The binding", binding.source))
                continue
            if binding.protocol not in _VERSIONS and port_type.name in spoken:
                continue
            spoken.add(port_type.name)
            declared = _by_name(port_type)
            for bound in binding.operations:
                found = _pick(declared.get(bound.name, ()), bound)
                if found is None:
                    name = f"{port_type.name}'s {bound.name}"
                    self.problems.append(_missing("operation", name, "The binding", bound.source))
                    continue
                yield self._operation(port_type, found, binding, bound)
        for port_type in self._definitions.port_types.values():
            if port_type.name not in spoken:
                for found in port_type.operations:
                    yield self._operation(port_type, found, None, _unbound(found))

    def _operation(
        self,
        port_type: wsdl.PortType,
        declared: wsdl.PortTypeOperation,
        binding: wsdl.Binding | None,
        bound: wsdl.BindingOperation,
    ) -> Operation:
        operation = Operation(
            name=declared.name,
            key=declared.name,
            port_type=port_type.name,
            bindings=(binding.name,) if binding else (),
            style=bound.style,
            soap_actions=frozenset({bound.soap_action} - {""}),
            soap_versions=frozenset({_VERSIONS[binding.protocol]})
            if binding and binding.protocol in _VERSIONS
            else frozenset(),
            one_way=declared.output is None,
            input=None,
            output=None,
            input_headers=(),
            output_headers=(),
            faults={},
            documentation=declared.documentation,
            source=declared.source,
        )
        if any(message is not None and message.attachments for message in (bound.input, bound.output)):
            self.problems.append(
                ContractError(
                    f"{declared.name} travels with attachments, which are not supported yet.",
                    file=bound.source.file,
                    line=bound.source.line,
                    advice="It is served without them: the Body alone.",
                )
            )
        try:
            _check_hostable(declared, binding, bound)
            return replace(
                operation,
                input=self._body(declared, declared.input, bound, bound.input, ""),
                output=self._body(declared, declared.output, bound, bound.output, "Response"),
                input_headers=self._headers(bound.input),
                output_headers=self._headers(bound.output),
                faults=self._faults(declared),
            )
        except ContractError as error:
            return replace(operation, problem=error)

    def _body(
        self,
        declared: wsdl.PortTypeOperation,
        reference: wsdl.MessageRef | None,
        bound: wsdl.BindingOperation,
        binding: wsdl.BindingMessage | None,
        suffix: str,
    ) -> str | None:
        if reference is None:
            return None
        message = self._message(reference.message, reference.source)
        binding = binding or _PLAIN
        parts = _body_parts(message, reference.message, binding)
        if bound.style == "rpc":
            namespace = binding.body.namespace
            if namespace is None:
                namespace = self._definitions.target_namespace
            return self._wrappers.add(
                namespace, declared.name + suffix, parts, declared.documentation, message.source
            )
        if not parts:
            return None
        if len(parts) > 1:
            raise OperationUnavailable(
                f"The Body of {declared.name} would have {len(parts)} children "
                f"({', '.join(part.name for part in parts)}).",
                file=message.source.file,
                line=message.source.line,
                advice="Name the one part of the Body with parts= in soap:body (WS-I BP R2201).",
            )
        return _element(parts[0], "the Body of a document/literal operation")

    def _headers(self, binding: wsdl.BindingMessage | None) -> tuple[Header, ...]:
        headers = []
        for header in binding.headers if binding else ():
            try:
                part = self._message(header.message, header.source).part(header.part)
                if part is None:
                    raise _missing("part", f"{header.message}'s {header.part}", "soap:header", header.source)
                headers.append(Header(_element(part, "soap:header"), header.required))
            except ContractError as error:
                if header.required:
                    raise
                self.problems.append(error)
        return tuple(headers)

    def _faults(self, declared: wsdl.PortTypeOperation) -> dict[str, str]:
        faults = {}
        for fault in declared.faults:
            try:
                message = self._message(fault.message, fault.source)
                if len(message.parts) != 1:
                    raise OperationUnavailable(
                        f"The fault {fault.name} has {len(message.parts)} parts.",
                        file=message.source.file,
                        line=message.source.line,
                        advice="A fault's message has exactly one part (WSDL 1.1, 3.6); this fault cannot be sent.",
                    )
                faults[fault.name or local_part(fault.message)] = _element(
                    message.parts[0], "a fault's detail"
                )
            except ContractError as error:
                self.problems.append(error)
        return faults

    def _message(self, name: str, source: Source) -> wsdl.Message:
        message = self._definitions.messages.get(name)
        if message is None:
            raise _missing("message", name, "The operation", source)
        return message


_PLAIN = wsdl.BindingMessage(wsdl.Body("literal", None, None), (), False)


def _unbound(declared: wsdl.PortTypeOperation) -> wsdl.BindingOperation:
    return wsdl.BindingOperation(declared.name, "document", "", "", _PLAIN, _PLAIN, declared.source)


def _by_name(port_type: wsdl.PortType) -> dict[str, list[wsdl.PortTypeOperation]]:
    found: dict[str, list[wsdl.PortTypeOperation]] = {}
    for operation in port_type.operations:
        found.setdefault(operation.name, []).append(operation)
    return found


def _pick(
    overloads: Iterable[wsdl.PortTypeOperation], bound: wsdl.BindingOperation
) -> wsdl.PortTypeOperation | None:
    """Overloaded operations are told apart by the name of their input (WSDL 1.1, section 2.5)."""
    candidates = list(overloads)
    for candidate in candidates:
        if candidate.input is not None and candidate.input.name == bound.input_name:
            return candidate
    return candidates[0] if candidates else None


def _check_hostable(
    declared: wsdl.PortTypeOperation, binding: wsdl.Binding | None, bound: wsdl.BindingOperation
) -> None:
    reason, advice = "", ""
    if binding is not None and binding.protocol not in _VERSIONS:
        reason, advice = "has no SOAP binding", "Ask the publisher for a SOAP binding."
    elif declared.pattern in ("notification", "solicit-response"):
        reason = f"is a {declared.pattern}: the service would speak first"
        advice = "Only request-response and one-way operations are supported (WS-I BP R2303)."
    elif any(
        message is not None and message.body.use == "encoded" for message in (bound.input, bound.output)
    ):
        reason = f"is {bound.style}/encoded, which is not supported yet"
        advice = "Ask the publisher for a literal binding."
    if reason:
        source = bound.source
        raise OperationUnavailable(
            f"{declared.name} {reason}.", file=source.file, line=source.line, advice=advice
        )


def _body_parts(message: wsdl.Message, name: str, binding: wsdl.BindingMessage) -> list[Part]:
    if binding.body.parts is not None:
        # The message's order counts, not that of the list (WS-I BP R2301).
        return [part for part in message.parts if part.name in binding.body.parts]
    in_headers = {header.part for header in binding.headers if header.message == name}
    return [part for part in message.parts if part.name not in in_headers]


def _element(part: Part, where: str) -> str:
    if part.element is None:
        raise OperationUnavailable(
            f"The part {part.name} stands for {where}, but has no element.",
            file=part.source.file,
            line=part.source.line,
            advice="Give it element= (WS-I BP R2204, R2205).",
        )
    return part.element


def _missing(kind: str, name: str, who: str, source: Source) -> OperationUnavailable:
    return OperationUnavailable(
        f"{who} refers to the {kind} {name}, which does not exist.",
        file=source.file,
        line=source.line,
        advice="Correct the name or its prefix, or import the WSDL that has it.",
    )


def _merged(operations: Iterable[Operation]) -> list[Operation]:
    """One operation for the bindings that agree on everything but version and action."""
    merged: dict[object, Operation] = {}
    for operation in operations:
        same = (
            operation.port_type,
            operation.source,
            operation.style,
            operation.input,
            operation.output,
            operation.input_headers,
            operation.output_headers,
            operation.problem is None or operation.bindings,
        )
        known = merged.get(same)
        if known is not None:
            operation = replace(
                known,
                bindings=known.bindings + operation.bindings,
                soap_actions=known.soap_actions | operation.soap_actions,
                soap_versions=known.soap_versions | operation.soap_versions,
            )
        merged[same] = operation
    return list(merged.values())


def _with_keys(operations: list[Operation]) -> list[Operation]:
    """Give each its unique key. One that can be hosted keeps its plain name before those that cannot."""
    hostable = Counter(operation.name for operation in operations if operation.problem is None)
    keys: dict[str, Operation] = {}
    for operation in sorted(operations, key=lambda found: found.problem is not None):
        wanted = 1 if operation.problem is None else 0
        plain = hostable[operation.name] <= wanted
        keys[next(key for key in _candidates(operation, plain) if key not in keys)] = operation
    named = {id(operation): key for key, operation in keys.items()}
    return [replace(operation, key=named[id(operation)]) for operation in operations]


def _candidates(operation: Operation, plain: bool) -> Iterator[str]:
    if plain:
        yield operation.name
    qualified = f"{local_part(operation.port_type)}.{operation.name}"
    yield qualified
    for binding in operation.bindings:
        yield f"{local_part(binding)}.{operation.name}"
    for number in count(2):
        yield f"{qualified}.{number}"
