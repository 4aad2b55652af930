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

from lxml import etree

from bridge.contract.model import XSD
from bridge.contract.schema.compiler import Mistake, compile_schemas, mistakes, text_of
from bridge.contract.schema.components import (
    BUILT_IN,
    UNDECLARED,
    Component,
    Key,
    components,
    dependents,
    local_part,
    namespace_of,
)
from bridge.contract.schema.schemas import BUILT_IN as BUILT_IN_NAMESPACES
from bridge.contract.schema.schemas import Gathering, SchemaDocument
from bridge.contract.sources.document import line_of
from bridge.errors import ContractError

__all__ = ["Bundle", "SchemaDocument", "build"]

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
            used.update(
                namespace_of(name) for _, name in component.references if ("type", name) not in BUILT_IN
            )
        missing = used - gathering.namespaces - {"", *BUILT_IN_NAMESPACES}
        if any(name == f"{{{XSD}}}schema" for component in found for _, name in component.references):
            missing |= {XSD} - gathering.namespaces
        if not [namespace for namespace in sorted(missing) if gathering.add_standard(namespace)]:
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
        self,
        documents: Iterable[SchemaDocument],
        found: Iterable[Component],
        problems: Iterable[ContractError],
    ) -> None:
        self._lock = threading.RLock()
        self._schema: etree.XMLSchema | None = None
        self._texts: list[tuple[str, bytes]] | None = None
        self._mentions_references = False
        self._components: dict[Key, Component] = {}
        found = list(found)
        filled = {component.document for component in found}
        # A document that only imports others has said all it has to say.
        self.documents: tuple[SchemaDocument, ...] = tuple(
            document
            for document in documents
            if document in filled or next(document.root.iterchildren(*_NOT_OURS), None) is not None
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

    def fault_of(self, element: str) -> ContractError | None:
        """Why a global element cannot be used; None when it can."""
        key: Key = ("element", element)
        if key in self.faults:
            return self.faults[key]
        if key in self._components:
            return None
        return ContractError(
            f"The element {element} is not declared.", advice=self._where_it_should_be(element)
        )

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
                    texts = self.texts()
                    self._mentions_references = any(b"IDREF" in text for _, text in texts)
                    schema = compile_schemas(texts)
                    self._texts = (
                        None  # as large as the files; needed again only to explain a refused message
                    )
                    return schema
                except etree.XMLSchemaParseError as error:
                    if not self._mend(error):
                        advice = "The schemas cannot be used together; correct what is named here."
                        raise ContractError(_first(error), advice=advice) from error

    @property
    def mentions_references(self) -> bool:
        """Whether the schemas speak of IDREF at all: a quick no for nearly all contracts."""
        self.compile()
        return self._mentions_references

    @property
    def digest(self) -> str:
        """Of the normalised schemas, wherever their files are."""
        digest = hashlib.sha256()
        for namespace, text in self.texts():
            digest.update(namespace.encode() + b"\0" + text + b"\0")
        return digest.hexdigest()

    def texts(self) -> list[tuple[str, bytes]]:
        """Namespace and normalised text of each document."""
        if self._texts is None:
            self._texts = [(document.namespace, text_of(document)) for document in self.documents]
        return self._texts

    def surviving(self) -> Iterable[Component]:
        """The components that can be used."""
        return self._components.values()

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
                    line=line_of(node) + component.document.base_line,
                    advice=self._where_it_should_be(key[1]),
                )
        return None

    def _where_it_should_be(self, name: str) -> str:
        namespace = namespace_of(name)
        if namespace.startswith(UNDECLARED):
            prefix = namespace.removeprefix(UNDECLARED)
            return f"The prefix {prefix} is not declared: declare it with xmlns:{prefix}."
        if namespace == XSD:
            return "XML Schema 1.0 has no such component."
        if any(document.namespace == namespace for document in self.documents):
            return f"The schemas of {namespace or 'no namespace'} are there but do not declare it: correct the name."
        if not namespace:
            return "It is in no namespace: add the missing prefix, or a schema without a target namespace."
        return f"No schema was found for {namespace}: import one with a schemaLocation, or name a file in the catalog."

    def _mend(self, error: etree.XMLSchemaParseError) -> bool:
        """Take out what libxml2 complains about; False when nothing could be."""
        faults: dict[Key, ContractError] = {}
        ignored = []
        around = {component.node: component for component in self._components.values()}
        for mistake in list(mistakes(error, self.documents)):
            node = mistake.node
            if mistake.attribute is not None and mistake.attribute in node.attrib:
                del node.attrib[mistake.attribute]
                ignored.append(_ignored(mistake))
                continue
            component = next((around[up] for up in (node, *node.iterancestors()) if up in around), None)
            if component is not None:
                faults.setdefault(component.key, _refused(mistake))
        self.problems.extend(ignored)
        self._withdraw(faults)
        self._normalise()
        return bool(faults or ignored)

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
        self._texts = None
        needs: dict[SchemaDocument, set[str]] = {document: set() for document in self.documents}
        provided = {document.namespace for document in self.documents}
        for component in self._components.values():
            if component.document in needs:
                needs[component.document].update(namespace_of(name) for _, name in component.references)
        for document, namespaces in needs.items():
            _rewrite_links(document, sorted((namespaces & provided) - {document.namespace}))


_Shape: TypeAlias = "tuple[str, list[tuple[str, str]], list[_Shape]]"


def _shape(node: etree._Element) -> _Shape:
    """What a declaration says, apart from its documentation and layout."""
    children = [child for child in node.iterchildren(f"{{{XSD}}}*") if child.tag != f"{{{XSD}}}annotation"]
    return (
        node.tag,
        sorted((str(name), str(value)) for name, value in node.attrib.items()),
        [_shape(child) for child in children],
    )


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


def _refused(mistake: Mistake) -> ContractError:
    advice = "Correct the schema."
    if "not determinist" in mistake.message:
        advice = (
            "At some element a reader cannot tell which declaration it belongs to (Unique Particle Attribution). "
            "Such schemas are not supported yet; ask the publisher to make the content model unambiguous."
        )
    message = f"The schema is not valid: {mistake.message}"
    return ContractError(message, file=mistake.document.file, line=mistake.line, advice=advice)


def _ignored(mistake: Mistake) -> ContractError:
    kind = etree.QName(mistake.node).localname
    return ContractError(
        f"XML Schema has no attribute '{mistake.attribute}' for xs:{kind}; it was ignored.",
        file=mistake.document.file,
        line=mistake.line,
        advice="Remove it.",
    )


def _first(error: etree.XMLSchemaParseError) -> str:
    return next((entry.message.strip() for entry in error.error_log), str(error))


def _shown(name: str) -> str:
    """A name as an error shows it: one whose prefix is not declared as it was written."""
    namespace = namespace_of(name)
    return f"{namespace[1:]}:{local_part(name)}" if namespace.startswith(UNDECLARED) else name
