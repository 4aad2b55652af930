"""The global components of a contract's schemas and what each refers to.

This is how one broken declaration costs the operations that need it and no others: a component that refers to
something missing is withdrawn with everything that depends on it, and the rest still compiles.

XML Schema Part 1: section 2.2 for the components, 3.15.3 for how a QName finds its component.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from lxml import etree

from bridge.contract.model import XSD, XSI
from bridge.contract.schema.schemas import SchemaDocument
from bridge.contract.schema.xsd import XML_NAMESPACE, clark
from bridge.contract.sources.document import line_of

Kind = Literal["element", "attribute", "type", "group", "attributeGroup", "notation"]
Key: TypeAlias = "tuple[Kind, str]"
"""Symbol space and Clark name: what a reference refers to."""

_DECLARES: dict[str, Kind] = {
    f"{{{XSD}}}element": "element",
    f"{{{XSD}}}attribute": "attribute",
    f"{{{XSD}}}complexType": "type",
    f"{{{XSD}}}simpleType": "type",
    f"{{{XSD}}}group": "group",
    f"{{{XSD}}}attributeGroup": "attributeGroup",
    f"{{{XSD}}}notation": "notation",
}

_REFERS: dict[str, tuple[tuple[str, Kind], ...]] = {
    f"{{{XSD}}}element": (("type", "type"), ("ref", "element"), ("substitutionGroup", "element")),
    f"{{{XSD}}}attribute": (("type", "type"), ("ref", "attribute")),
    f"{{{XSD}}}group": (("ref", "group"),),
    f"{{{XSD}}}attributeGroup": (("ref", "attributeGroup"),),
    f"{{{XSD}}}extension": (("base", "type"),),
    f"{{{XSD}}}restriction": (("base", "type"),),
    f"{{{XSD}}}list": (("itemType", "type"),),
    f"{{{XSD}}}union": (("memberTypes", "type"),),
}

_BUILT_IN_TYPES = (
    "anyType anySimpleType string boolean decimal float double duration dateTime time date gYearMonth gYear gMonthDay "
    "gDay gMonth hexBinary base64Binary anyURI QName NOTATION normalizedString token language NMTOKEN NMTOKENS Name "
    "NCName ID IDREF IDREFS ENTITY ENTITIES integer nonPositiveInteger negativeInteger long int short byte "
    "nonNegativeInteger unsignedLong unsignedInt unsignedShort unsignedByte positiveInteger"
).split()

BUILT_IN: frozenset[tuple[str, str]] = frozenset(
    {("type", f"{{{XSD}}}{name}") for name in _BUILT_IN_TYPES}
    | {
        ("attribute", f"{{{XSI}}}{name}")
        for name in ("type", "nil", "schemaLocation", "noNamespaceSchemaLocation")
    }
)
"""What every validator has."""

UNDECLARED = "?"
"""With the prefix behind it, stands for the namespace of a prefix that is not declared: no component has it."""


@dataclass(slots=True, eq=False)
class Component:
    """A global declaration or definition; `references` gives for each thing it needs the first node that says so.

    `position` is its number among the children that the document's root had at first, comments counted.
    """

    key: Key
    node: etree._Element
    position: int
    document: SchemaDocument
    references: dict[Key, etree._Element]

    @property
    def line(self) -> int:
        return line_of(self.node) + self.document.base_line


def components(document: SchemaDocument) -> Iterator[Component]:
    """The global components of one document, in its order."""
    resolve = _Resolver(document)
    for position, node in enumerate(document.root):
        kind, name = _DECLARES.get(node.tag), node.get("name")
        if kind is not None and name is not None:
            key: Key = (kind, clark(document.namespace, name.strip()))
            yield Component(key, node, position, document, resolve.references(node))


class _Resolver:
    """Resolves the QNames of one document."""

    def __init__(self, document: SchemaDocument) -> None:
        self._default = document.namespace if document.chameleon else ""

    def references(self, component: etree._Element) -> dict[Key, etree._Element]:
        found: dict[Key, etree._Element] = {}
        for node in component.iter(*_REFERS):
            for attribute, kind in _REFERS[node.tag]:
                value = node.get(attribute)
                if value is not None:
                    for name in value.split():
                        found.setdefault((kind, self._clark(name, node.nsmap)), node)
        return found

    def _clark(self, name: str, nsmap: dict[str | None, str]) -> str:
        prefix, colon, local = name.rpartition(":")
        if colon:
            known = XML_NAMESPACE if prefix == "xml" else UNDECLARED + prefix
            return clark(nsmap.get(prefix, known), local)
        return clark(nsmap.get(None, "") or self._default, name)


def dependents(of: Iterable[Key], among: Iterable[Component]) -> dict[Key, Key]:
    """Everything that needs one of the given components, directly or not, each with the one it comes down to."""
    users: dict[Key, list[Key]] = {}
    for component in among:
        for key in component.references:
            users.setdefault(key, []).append(component.key)
    found = {key: key for key in of}
    waiting = list(found)
    while waiting:
        key = waiting.pop()
        for user in users.get(key, ()):
            if user not in found:
                found[user] = found[key]
                waiting.append(user)
    return found


def namespace_of(name: str) -> str:
    """The namespace of a Clark name."""
    return name[1:].partition("}")[0] if name.startswith("{") else ""


def local_part(name: str) -> str:
    """The local part of a Clark name."""
    return name.rpartition("}")[2]
