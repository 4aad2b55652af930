"""A contract: a WSDL with its schemas, read once, then asked for operations, model, codec and guard."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lxml import etree

from bridge.contract.copies import Copies, copies
from bridge.contract.loaded import Loaded, SavedBundle
from bridge.contract.saved import freeze, key_of, thaw
from bridge.contract.schema.bundle import Bundle, build
from bridge.contract.schema.components import namespace_of
from bridge.contract.schema.schemas import Gathering
from bridge.contract.sources.catalog import Catalog, CatalogSource
from bridge.contract.sources.document import Library
from bridge.contract.sources.inputs import Cache
from bridge.contract.wsdl import definitions as wsdl
from bridge.contract.wsdl.definitions import Definitions
from bridge.contract.wsdl.operations import Header, Operation, Port, SoapVersion, describe
from bridge.contract.wsdl.served import Address, Served
from bridge.contract.wsdl.wrappers import Wrappers
from bridge.errors import ContractError, OperationUnavailable
from bridge.once import made_once

if TYPE_CHECKING:
    from bridge.contract.codec import Codec
    from bridge.contract.guard import Guard
    from bridge.contract.schema.reader import SchemaModel
    from bridge.contract.stubs import Types

__all__ = [
    "Cache",
    "Catalog",
    "Contract",
    "Copies",
    "Definitions",
    "Header",
    "Operation",
    "Port",
    "SoapVersion",
    "load",
]

_VERSIONED = re.compile(r"(?P<name>.+)-(?P<major>[0-9]+)")


def load(
    location: str | os.PathLike[str],
    *,
    catalog: CatalogSource = None,
    remote: bool = False,
    cache: Cache | None = None,
) -> Contract:
    """Read a WSDL 1.1 with everything it imports; nothing is compiled yet.

    `catalog` names local files for namespaces or absolute locations: a Catalog, a mapping, or a folder of schemas.
    With `remote` documents are fetched that neither a file nor the catalog provides. A `cache` keeps what was worked
    out, once the schemas have compiled, for the next load of the same files; and what was fetched, for good.

    Raises ContractError, with file and line, when the WSDL itself cannot be read. What is wrong with single
    operations or schemas is in `Contract.problems` and in each operation's `problem`.
    """
    catalog = Catalog.of(catalog)
    library = Library(catalog, remote=remote, cache=cache)
    if cache is None:
        return _read(location, library)
    key = key_of(os.fspath(location), catalog.entries, remote=remote)
    saved = cache.get(key)
    loaded = thaw(saved, cache) if saved is not None else None
    if loaded is not None:
        return Contract(loaded, lambda: wsdl.read(library.start(location), library))
    contract = _read(location, library)

    def keep(loaded: Loaded, bundle: Bundle) -> None:
        if library.trace.complete:
            cache.put(key, freeze(loaded, bundle, library.trace))

    contract.keep = keep
    return contract


def _read(location: str | os.PathLike[str], library: Library) -> Contract:
    document = library.start(location)
    definitions = wsdl.read(document, library)
    wrappers = Wrappers()
    description = describe(definitions, wrappers)
    gathering = Gathering(library)
    gathering.add_inline(definitions.schemas)
    for root, file in wrappers.schemas():
        gathering.add_synthesised(root, file)
    needed = {
        namespace_of(element)
        for found in description.operations
        for element in (*found.elements, *found.optional_elements)
    }
    bundle = build(gathering, needed)
    judged = [_judged(found, bundle) for found in description.operations]
    losses = [loss for _, found in judged for loss in found]
    loaded = Loaded(
        file=document.file,
        documentation=definitions.documentation,
        operations=[operation for operation, _ in judged],
        ports=description.ports,
        problems=[*definitions.problems, *description.problems, *losses],
        served=Served.of(document, definitions, gathering.references),
        bundle=bundle,
    )
    return Contract(loaded, lambda: definitions)


class Contract:
    """One contract. Everything here may be used by several threads.

    `operations` by key, `ports` as the WSDL lists them. `file` is the WSDL as the user named it; `name` and `major`
    come from it: `purchasing-1.wsdl` is ('purchasing', 1), a name without a number is major 1. `documentation` is
    what the WSDL says of itself.
    """

    def __init__(self, loaded: Loaded, definitions: Callable[[], Definitions]) -> None:
        stem = Path(loaded.file).stem
        versioned = _VERSIONED.fullmatch(stem)
        self.file = loaded.file
        self.name = versioned["name"] if versioned else stem
        self.major = int(versioned["major"]) if versioned else 1
        self.documentation = loaded.documentation
        self.bundle = loaded.bundle
        self.operations: dict[str, Operation] = {found.key: found for found in loaded.operations}
        self.ports = tuple(loaded.ports)
        self.keep: Callable[[Loaded, Bundle], None] | None = None
        """Called once, with what is known when the schemas have compiled."""
        self._loaded = loaded
        self._definitions = definitions
        self._served = loaded.served
        self._problems = loaded.problems
        self._by_body: dict[str | None, list[str]] = {}
        for found in loaded.operations:
            self._by_body.setdefault(found.input, []).append(found.key)

    @made_once
    def definitions(self) -> Definitions:
        """The WSDL as it stands; read again where the contract came from a cache."""
        return self._definitions()

    @property
    def problems(self) -> tuple[ContractError, ...]:
        """Every mistake found so far: the WSDL's, the schemas', and of the operations what is not one of those."""
        found = [*self._problems, *self.bundle.problems]
        known = {id(error) for error in found}
        for operation in self.operations.values():
            problem = operation.problem
            if problem is not None and id(problem.__cause__) not in known:
                found.append(problem)
        return tuple({(error.message, error.file, error.line): error for error in found}.values())

    def compile(self) -> etree.XMLSchema:
        """Compile the schemas (once). What libxml2 refuses becomes the `problem` of the operations that need it.

        Raises ContractError when nothing can be compiled.
        """
        if isinstance(self.bundle, SavedBundle):
            return self.bundle.compile()
        known = len(self.bundle.faults)
        schema = self.bundle.compile()
        if len(self.bundle.faults) != known:
            judged = {key: _judged(found, self.bundle) for key, found in self.operations.items()}
            self.operations = {key: found for key, (found, _) in judged.items()}
            self._problems.extend(loss for _, losses in judged.values() for loss in losses)
        if self.keep is not None:
            keep, self.keep = self.keep, None
            operations = list(self.operations.values())
            problems = [*self._problems, *self.bundle.problems]
            keep(replace(self._loaded, operations=operations, problems=problems), self.bundle)
        return schema

    @made_once
    def model(self) -> SchemaModel:
        """The schemas' components, read lazily."""
        return self._loaded.model()

    @made_once
    def codec(self) -> Codec:
        """Payload ⇄ values."""
        from bridge.contract.codec import Codec

        return Codec(self.model)

    @made_once
    def types(self) -> Types:
        """The codec's classes by the names that the contract's stubs give them."""
        from bridge.contract.stubs import Types

        return Types(self)

    @made_once
    def guard(self) -> Guard:
        """The validator; compiles the schemas."""
        from bridge.contract.guard import Guard

        self.compile()
        return Guard(self.bundle, self.model)

    def operation(self, name: str) -> Operation:
        """The operation with this key. Raises OperationUnavailable when it does not exist or cannot be used."""
        found = self.operations.get(name)
        if found is None:
            known = ", ".join(sorted(self.operations)) or "none"
            raise OperationUnavailable(
                f"There is no operation {name}.", file=self.file, advice=f"There are: {known}."
            )
        if (problem := found.problem) is not None:
            raise OperationUnavailable(
                problem.message, file=problem.file, line=problem.line, advice=problem.advice
            )
        return found

    def dispatch(
        self, body: str | None, soap_version: SoapVersion | None = None, soap_action: str | None = None
    ) -> Operation | None:
        """The operation whose input is this Body child (None: an empty Body); None when there is none.

        The action is looked at only where several operations have the same input (WS-I BP R2710 forbids that), and
        never says otherwise than the Body; where it does not decide either, the answer is None.
        """
        found = [self.operations[key] for key in self._by_body.get(body, ())]
        if len(found) <= 1:
            return found[0] if found else None
        for narrower in (
            [operation for operation in found if operation.problem is None],
            [operation for operation in found if operation.bound],
        ):
            found = narrower or found
        if soap_version is not None:
            found = [operation for operation in found if soap_version in operation.soap_versions] or found
        if len(found) > 1 and soap_action:
            found = [operation for operation in found if soap_action in operation.soap_actions]
        return found[0] if len(found) == 1 else None

    def copies(self) -> Copies:
        """The documents as they can be copied into one folder and loaded from there."""
        return copies(self._served, self.bundle)

    # -- serving the contract -----------------------------------------------------------------------------------

    @property
    def documents(self) -> dict[str, bytes]:
        """The user's own bytes under the fixed names that `?wsdl=` and `?xsd=` know; the WSDL itself comes first."""
        return self._served.documents

    def served_wsdl(self, addresses: Address, base_url: str) -> bytes:
        """The WSDL with our addresses and locations in it; everything else is the user's own, byte for byte.

        `addresses` gives the URL for (service, port): a mapping or a function; a port it does not know keeps its own.
        `base_url` is what `?wsdl=` and `?xsd=` are appended to.
        """
        return self._served.document(next(iter(self.documents)), base_url, addresses)

    def served_document(self, name: str, base_url: str, addresses: Address | None = None) -> bytes:
        """Another document of the contract with our locations in it. KeyError for a name that is not in `documents`."""
        return self._served.document(name, base_url, addresses or {})


def _judged(operation: Operation, bundle: Bundle) -> tuple[Operation, list[ContractError]]:
    """The operation in the light of its schemas, and what it lost: broken faults and optional headers."""
    if operation.problem is not None:
        return operation, []
    for element in operation.elements:
        fault = bundle.fault_of(element)
        if fault is not None:
            return replace(operation, problem=_unavailable(operation, "cannot be used", fault)), []
    broken = {
        name: fault for name in operation.optional_elements if (fault := bundle.fault_of(name)) is not None
    }
    if not broken:
        return operation, []
    kept = replace(
        operation,
        faults={name: element for name, element in operation.faults.items() if element not in broken},
        input_headers=tuple(header for header in operation.input_headers if header.name not in broken),
        output_headers=tuple(header for header in operation.output_headers if header.name not in broken),
    )
    return kept, [_unavailable(operation, f"goes without {name}", fault) for name, fault in broken.items()]


def _unavailable(operation: Operation, what: str, fault: ContractError) -> OperationUnavailable:
    file, line = (fault.file, fault.line) if fault.file else (operation.source.file, operation.source.line)
    message = f"{operation.key} {what}: {fault.message}"
    error = OperationUnavailable(message, file=file, line=line, advice=fault.advice)
    error.__cause__ = fault
    return error
