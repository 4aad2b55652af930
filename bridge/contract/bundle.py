"""The schemas of a contract as libxml2 needs them: complete, one namespace at a time, nothing skipped.

Each document loses its includes and imports and gets the imports it really needs, added where the publisher forgot
them. One including driver per namespace and one importing driver for all then give libxml2 every document exactly
once (XML Schema Part 1, sections 4.2.1 and 4.2.3).
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from typing import TypeAlias
from xml.sax.saxutils import quoteattr

from lxml import etree

from bridge.contract.components import (
    BUILT_IN,
    UNDECLARED_PREFIX,
    Component,
    Key,
    components,
    dependents,
    namespace_of,
)
from bridge.contract.model import XSD
from bridge.contract.schemas import BUILT_IN as BUILT_IN_NAMESPACES
from bridge.contract.schemas import Gathering, SchemaDocument
from bridge.errors import ContractError

__all__ = ["Bundle", "SchemaDocument", "build"]

_SCHEME = "bundle:/"
_DRIVER_NAMESPACE = "urn:soapbridge:driver"
_NOT_OURS = tuple(f"{{{XSD}}}{name}" for name in ("redefine", "override"))
_LINKS = (f"{{{XSD}}}include", f"{{{XSD}}}import", *_NOT_OURS)


def build(gathering: Gathering, needed: Iterable[str]) -> Bundle:
    """Complete what was gathered from the catalog and normalise it.

    `needed` are the namespaces that the WSDL's messages speak of: they count as used even when no schema imports them.
    """
    used = set(needed)
    seen = 0
    found: list[Component] = []
    while True:
        for document in gathering.documents[seen:]:
            found.extend(components(document))
        seen = len(gathering.documents)
        for component in found:
            used.update(namespace_of(name) for _, name in component.references if ("type", name) not in BUILT_IN)
        missing = used - gathering.namespaces - {"", UNDECLARED_PREFIX, *BUILT_IN_NAMESPACES}
        if any(name == f"{{{XSD}}}schema" for component in found for _, name in component.references):
            missing |= {XSD} - gathering.namespaces
        if not any([gathering.add_standard(namespace) for namespace in sorted(missing)]):
            break
    gathering.settle()
    return Bundle(gathering.documents, found, gathering.problems)


class Bundle:
    """The normalised schemas of one contract.

    `documents` hold what is usable; `faults` says for each withdrawn component which mistake it comes down to;
    `problems` lists each mistake once. All three may change with the first `compile()`, which is when libxml2 finds
    what only a validator finds.
    """

    def __init__(
        self, documents: Iterable[SchemaDocument], found: Iterable[Component], problems: Iterable[ContractError]
    ) -> None:
        self._lock = threading.RLock()
        self._schema: etree.XMLSchema | None = None
        self._components: dict[Key, Component] = {}
        self.documents: tuple[SchemaDocument, ...] = tuple(
            document for document in documents if next(document.root.iterchildren(f"{{{XSD}}}*"), None) is not None
        )
        self.problems: list[ContractError] = list(problems)
        self.faults: dict[Key, ContractError] = {}
        faults = self._index(found)
        faults.update(self._redefined())
        for component in self._components.values():
            fault = self._dangling(component)
            if fault is not None:
                faults.setdefault(component.key, fault)
        self._withdraw(faults)
        self._normalise()
        self.digest = self._digest()

    def fault_of(self, element: str) -> ContractError | None:
        """Why a global element cannot be used; None when it can."""
        key: Key = ("element", element)
        if key in self.faults:
            return self.faults[key]
        if key in self._components:
            return None
        return ContractError(f"The element {element} is not declared.", advice=self._where_it_should_be(element))

    def compile(self) -> etree.XMLSchema:
        """The compiled schemas, made on first use and kept: for verdicts only, its error_log belongs to one thread.

        Components that libxml2 refuses are withdrawn with all that needs them, and end up in `faults`.
        Raises ContractError when nothing can be compiled.
        """
        with self._lock:
            if self._schema is None:
                self._schema = self.compile_anew()
            return self._schema

    def compile_anew(self) -> etree.XMLSchema:
        """Another instance, for who needs an error_log of their own."""
        with self._lock:
            while True:
                try:
                    return _compile(self.documents)
                except etree.XMLSchemaParseError as error:
                    blamed = self._blame(error)
                    if not blamed:
                        advice = "The schemas cannot be used together; correct what is named here."
                        raise ContractError(_first(error), advice=advice) from error
                    self._withdraw(blamed)
                    self._normalise()

    # -- finding mistakes -----------------------------------------------------------------------------------------

    def _index(self, found: Iterable[Component]) -> dict[Key, ContractError]:
        faults: dict[Key, ContractError] = {}
        for component in found:
            first = self._components.setdefault(component.key, component)
            if first is component:
                continue
            _remove(component.node)
            if _shape(first.node) != _shape(component.node):
                kind, name = component.key
                faults[component.key] = ContractError(
                    f"The {kind} {name} is declared twice, and differently; first at {first.document.file}:{first.line}.",
                    file=component.document.file,
                    line=component.line,
                    advice="Keep one of the two declarations.",
                )
        return faults

    def _redefined(self) -> dict[Key, ContractError]:
        faults: dict[Key, ContractError] = {}
        for document in self.documents:
            for node in document.root.iterchildren(*_NOT_OURS):
                what = etree.QName(node).localname
                copy = SchemaDocument(node, document.namespace, document.chameleon, document.file)
                for component in components(copy):
                    faults[component.key] = ContractError(
                        f"xs:{what} is not supported yet.",
                        file=document.file,
                        line=component.line,
                        advice="Declare the changed component under a name of its own.",
                    )
        return faults

    def _dangling(self, component: Component) -> ContractError | None:
        for key, node in component.references.items():
            if key not in self._components and key not in BUILT_IN:
                return ContractError(
                    f"The {key[0]} {_shown(key[1])} is not declared.",
                    file=component.document.file,
                    line=(node.sourceline or 0) + component.document.base_line,
                    advice=self._where_it_should_be(key[1]),
                )
        return None

    def _where_it_should_be(self, name: str) -> str:
        namespace = namespace_of(name)
        if namespace == UNDECLARED_PREFIX:
            return "Its prefix is not declared: declare it with xmlns."
        if namespace == XSD:
            return "XML Schema 1.0 has no such component."
        if any(document.namespace == namespace for document in self.documents):
            return f"The schemas of {namespace or 'no namespace'} are there but do not declare it: correct the name."
        if not namespace:
            return "It is in no namespace: add the missing prefix, or a schema without a target namespace."
        return f"No schema was found for {namespace}: import one with a schemaLocation, or name a file in the catalog."

    def _blame(self, error: etree.XMLSchemaParseError) -> dict[Key, ContractError]:
        """Which components libxml2's messages are about."""
        blamed: dict[Key, ContractError] = {}
        around = {component.node: component for component in self._components.values()}
        for entry in error.error_log:
            number = (entry.filename or "").removeprefix(_SCHEME).removesuffix(".xsd")
            if entry.level < etree.ErrorLevels.ERROR or not number.isdigit() or entry.line < 1:
                continue
            document = self.documents[int(number)]
            node = _node_at(document, entry.line)
            component = next((around[up] for up in (node, *node.iterancestors()) if up in around), None)
            if component is not None:
                blamed.setdefault(component.key, _refused(entry.message, node, document))
        return blamed

    # -- mending --------------------------------------------------------------------------------------------------

    def _withdraw(self, faults: dict[Key, ContractError]) -> None:
        if not faults:
            return
        self.problems.extend(faults.values())
        for key, cause in dependents(faults, self._components.values()).items():
            self.faults[key] = faults[cause]
            component = self._components.pop(key, None)
            if component is not None:
                _remove(component.node)

    def _normalise(self) -> None:
        """Rewrite each document's imports to those it needs; put every global component on a line of its own."""
        needs: dict[SchemaDocument, set[str]] = {document: set() for document in self.documents}
        provided = {document.namespace for document in self.documents}
        for component in self._components.values():
            if component.document in needs:
                needs[component.document].update(namespace_of(name) for _, name in component.references)
        for document, namespaces in needs.items():
            _rewrite_links(document, sorted((namespaces & provided) - {document.namespace}))

    def _digest(self) -> str:
        digest = hashlib.sha256()
        for document in self.documents:
            digest.update(document.namespace.encode() + b"\0" + _text(document) + b"\0")
        return digest.hexdigest()


_Shape: TypeAlias = "tuple[str, list[tuple[str, str]], list[_Shape]]"


def _shape(node: etree._Element) -> _Shape:
    """What a declaration says, apart from its documentation and layout."""
    children = [child for child in node.iterchildren(f"{{{XSD}}}*") if child.tag != f"{{{XSD}}}annotation"]
    return node.tag, sorted(node.attrib.items()), [_shape(child) for child in children]


def _remove(node: etree._Element) -> None:
    parent = node.getparent()
    if parent is not None:
        parent.remove(node)


def _rewrite_links(document: SchemaDocument, namespaces: list[str]) -> None:
    root = document.root
    for link in list(root.iterchildren(*_LINKS)):
        root.remove(link)
    for namespace in reversed(namespaces):
        link = etree.Element(f"{{{XSD}}}import")
        if namespace:
            link.set("namespace", namespace)
        root.insert(0, link)
    root.text = "\n"
    for child in root:
        child.tail = "\n"


def _text(document: SchemaDocument) -> bytes:
    # lxml writes the prefixes that an inline schema inherits from its WSDL on the root it serialises.
    return etree.tostring(document.root, with_tail=False)


def _compile(documents: tuple[SchemaDocument, ...]) -> etree.XMLSchema:
    texts = {f"{_SCHEME}{number}.xsd": _text(document) for number, document in enumerate(documents)}
    numbers: dict[str, list[int]] = {}
    for number, document in enumerate(documents):
        numbers.setdefault(document.namespace, []).append(number)
    imports = []
    for index, (namespace, members) in enumerate(numbers.items()):
        includes = "".join(f'<xs:include schemaLocation="{_SCHEME}{number}.xsd"/>' for number in members)
        target = f" targetNamespace={quoteattr(namespace)}" if namespace else ""
        location = f"{_SCHEME}namespace/{index}.xsd"
        texts[location] = f'<xs:schema xmlns:xs="{XSD}"{target}>{includes}</xs:schema>'.encode()
        named = f" namespace={quoteattr(namespace)}" if namespace else ""
        imports.append(f'<xs:import{named} schemaLocation="{location}"/>')
    driver = f'<xs:schema xmlns:xs="{XSD}" targetNamespace="{_DRIVER_NAMESPACE}">{"".join(imports)}</xs:schema>'
    parser = etree.XMLParser(no_network=True, resolve_entities=False, huge_tree=True)
    parser.resolvers.add(_InMemory(texts))
    return etree.XMLSchema(etree.fromstring(driver.encode(), parser, base_url=f"{_SCHEME}driver.xsd"))


class _InMemory(etree.Resolver):
    """Gives libxml2 the bundle's documents and nothing else."""

    def __init__(self, texts: dict[str, bytes]) -> None:
        self._texts = texts

    def resolve(self, system_url: str, public_id: str, context: object) -> object:
        return self.resolve_string(self._texts.get(system_url, b""), context, base_url=system_url)


def _node_at(document: SchemaDocument, line: int) -> etree._Element:
    """The user's node for a line of the normalised text: both trees have the same elements in the same order."""
    normalised = etree.fromstring(_text(document), etree.XMLParser(huge_tree=True))
    found, found_line = document.root, 0
    for ours, theirs in zip(normalised.iter(etree.Element), document.root.iter(etree.Element), strict=True):
        here = ours.sourceline or 0
        if here > line:
            break
        if here > found_line:  # of several on one line the first, the outermost
            found, found_line = theirs, here
    return found


def _refused(message: str, node: etree._Element, document: SchemaDocument) -> ContractError:
    advice = "Correct the schema."
    if "not determinist" in message:
        advice = (
            "After some element a reader could not tell which declaration comes next (Unique Particle Attribution). "
            "Such schemas are not supported yet; ask the publisher to make the content model unambiguous."
        )
    return ContractError(
        f"The schema is not valid: {message.strip()}",
        file=document.file,
        line=(node.sourceline or 0) + document.base_line,
        advice=advice,
    )


def _first(error: etree.XMLSchemaParseError) -> str:
    return next((entry.message.strip() for entry in error.error_log), str(error))


def _shown(name: str) -> str:
    """A name as an error shows it: one whose prefix is unknown by its local part."""
    return name.removeprefix(f"{{{UNDECLARED_PREFIX}}}")
