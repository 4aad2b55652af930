"""Reading single XSD nodes: names, occurrence, forms, wildcards, facets, documentation.

Source: XML Schema 1.0 Part 1 section 3 (the XML representation of each component), Part 2 section 4.3 (facets).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, Protocol, cast

from lxml import etree

from bridge.contract.model import (
    XSD,
    AttributeUse,
    ComplexType,
    Documentation,
    Facets,
    SimpleType,
    Source,
    WhiteSpace,
    Wildcard,
)
from bridge.contract.schema.builtins import ANY_TYPE_DEFINITION
from bridge.errors import ContractError

XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace"
XSD_CHILDREN = f"{{{XSD}}}*"
"""For `iterchildren`: the schema's own elements, not comments nor foreign ones."""


class Document(Protocol):
    """One normalised schema document, as `bundle.SchemaDocument` gives it."""

    @property
    def root(self) -> etree._Element: ...
    @property
    def namespace(self) -> str: ...
    @property
    def chameleon(self) -> bool: ...
    @property
    def file(self) -> str: ...
    @property
    def base_line(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Node:
    """An XSD element with the document it stands in."""

    element: etree._Element
    document: Document

    def get(self, name: str) -> str | None:
        return self.element.get(name)

    def children(self, *locals_: str) -> Iterator[Node]:
        for child in self.element.iterchildren(XSD_CHILDREN):
            if not locals_ or local_name(child) in locals_:
                yield Node(child, self.document)

    def child(self, *locals_: str) -> Node | None:
        return next(self.children(*locals_), None)

    @property
    def kind(self) -> str:
        return local_name(self.element)

    def qname(self, text: str) -> str:
        """A QName in an attribute of this element as a Clark name."""
        prefix, _, local = text.strip().rpartition(":")
        namespace = self.element.nsmap.get(prefix or None)
        if namespace is None:
            if prefix == "xml":
                namespace = XML_NAMESPACE
            elif prefix:
                raise self.error(
                    f"The prefix {prefix!r} of {text!r} is not declared.", "Declare it with xmlns."
                )
            else:
                namespace = self.document.namespace if self.document.chameleon else ""
        return f"{{{namespace}}}{local}" if namespace else local

    def reference(self, attribute: str) -> str | None:
        text = self.element.get(attribute)
        return None if text is None else self.qname(text)

    def global_name(self) -> str:
        return clark(self.document.namespace, self.element.get("name", ""))

    @property
    def source(self) -> Source:
        return Source(
            self.document.file, self.document.base_line + (cast("int | None", self.element.sourceline) or 0)
        )

    def error(self, message: str, advice: str) -> ContractError:
        return ContractError(message, file=self.source.file, line=self.source.line, advice=advice)


def restrict(base: SimpleType, step: Node, name: str | None) -> SimpleType:
    facets, white_space, documented = facets_of(step)
    has_facets = facets != Facets()
    namespaces = (
        tuple((prefix or "", uri) for prefix, uri in step.element.nsmap.items()) if facets.enumeration else ()
    )
    return replace(
        base,
        name=name,
        white_space=white_space or base.white_space,
        steps=(*base.steps, facets) if has_facets else base.steps,
        documentation=(),
        enumeration_documentation=documented if facets.enumeration else base.enumeration_documentation,
        namespaces=namespaces or base.namespaces,
    )


def facets_of(
    step: Node,
) -> tuple[Facets, WhiteSpace | None, tuple[tuple[str, tuple[Documentation, ...]], ...]]:
    values: dict[str, list[str]] = {}
    documented = []
    for child in step.children():
        value = child.get("value")
        if value is not None:
            values.setdefault(child.kind, []).append(value)
            words = documentation_of(child) if child.kind == "enumeration" else ()
            if words:
                documented.append((value, words))

    def number(kind: str) -> int | None:
        return int(values[kind][0]) if kind in values else None

    def text(kind: str) -> str | None:
        return values[kind][0] if kind in values else None

    facets = Facets(
        enumeration=tuple(values.get("enumeration", ())),
        patterns=tuple(values.get("pattern", ())),
        length=number("length"),
        min_length=number("minLength"),
        max_length=number("maxLength"),
        total_digits=number("totalDigits"),
        fraction_digits=number("fractionDigits"),
        min_inclusive=text("minInclusive"),
        min_exclusive=text("minExclusive"),
        max_inclusive=text("maxInclusive"),
        max_exclusive=text("maxExclusive"),
    )
    return facets, cast("WhiteSpace | None", text("whiteSpace")), tuple(documented)


def inherit_attributes(
    base: SimpleType | ComplexType,
    derivation: str,
    own: tuple[AttributeUse, ...],
    own_wildcard: Wildcard | None,
    prohibited: frozenset[str],
) -> tuple[tuple[AttributeUse, ...], Wildcard | None]:
    """The attributes of a derived type (Part 1, 3.4.2): the base's, restated or prohibited by its own."""
    if not isinstance(base, ComplexType) or (base is ANY_TYPE_DEFINITION and derivation == "restriction"):
        return own, own_wildcard
    uses = {use.name: use for use in base.attributes if use.name not in prohibited}
    uses.update((use.name, use) for use in own)
    if derivation == "restriction":
        return tuple(uses.values()), own_wildcard
    if base.any_attribute is not None and own_wildcard is not None:
        widest = base.any_attribute if base.any_attribute.namespaces is None else own_wildcard
        return tuple(uses.values()), widest
    return tuple(uses.values()), own_wildcard or base.any_attribute


def prohibited_attributes(step: Node) -> frozenset[str]:
    return frozenset(
        child.reference("ref") or local_declaration_name(child, "attributeFormDefault")
        for child in step.children("attribute")
        if child.get("use") == "prohibited"
    )


def local_declaration_name(node: Node, form_default: str) -> str:
    form = node.get("form") or node.document.root.get(form_default) or "unqualified"
    return clark(node.document.namespace if form == "qualified" else "", node.get("name") or "")


def wildcard_of(node: Node) -> Wildcard:
    process = cast('Literal["strict", "lax", "skip"]', node.get("processContents") or "strict")
    text = (node.get("namespace") or "##any").split()
    documentation = documentation_of(node)
    own = node.document.namespace
    if text == ["##any"]:
        return Wildcard(process=process, documentation=documentation)
    if text == ["##other"]:
        return Wildcard(namespaces=(own, ""), negated=True, process=process, documentation=documentation)
    words = {"##targetNamespace": own, "##local": ""}
    namespaces = tuple(words.get(word, word) for word in text)
    return Wildcard(namespaces=namespaces, process=process, documentation=documentation)


def documentation_of(node: Node) -> tuple[Documentation, ...]:
    annotation = node.child("annotation")
    if annotation is None:
        return ()
    found = []
    for words in annotation.children("documentation"):
        text = " ".join("".join(cast("Iterator[str]", words.element.itertext())).split())
        if text:
            found.append(Documentation(words.element.get(f"{{{XML_NAMESPACE}}}lang", ""), text))
    return tuple(found)


def blocks(node: Node, what: str) -> bool:
    block = node.get("block")
    if block is None:
        block = node.document.root.get("blockDefault") or ""
    return "#all" in block.split() or what in block.split()


def occurs(node: Node) -> tuple[int, int | None]:
    high = node.get("maxOccurs") or "1"
    return int(node.get("minOccurs") or "1"), None if high == "unbounded" else int(high)


def is_true(text: str | None) -> bool:
    return text is not None and text.strip() in ("true", "1")


def local_name(element: etree._Element) -> str:
    return element.tag.rpartition("}")[2]


def clark(namespace: str, local: str) -> str:
    return f"{{{namespace}}}{local}" if namespace else local
