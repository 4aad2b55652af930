"""A WSDL 1.1 description as it stands, in dataclasses named as WSDL names things.

xmlschema has a WSDL reader too; it builds every schema before it answers the first question, and a contract of
300 operations must open in milliseconds, so this one reads nothing but the WSDL itself.

Names are Clark names. Section numbers refer to WSDL 1.1 (W3C Note, 15 March 2001).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from lxml import etree

from bridge.contract.model import XSD, Documentation, Source
from bridge.contract.schema.xsd import clark
from bridge.contract.sources.document import Document, Library, is_schema, line_of
from bridge.errors import ContractError

WSDL = "http://schemas.xmlsoap.org/wsdl/"
WSDL20 = "http://www.w3.org/ns/wsdl"
SOAP11 = "http://schemas.xmlsoap.org/wsdl/soap/"
SOAP12 = "http://schemas.xmlsoap.org/wsdl/soap12/"
HTTP = "http://schemas.xmlsoap.org/wsdl/http/"
MIME = "http://schemas.xmlsoap.org/wsdl/mime/"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"

Protocol = Literal["soap11", "soap12", "http", "other"]
Pattern = Literal["request-response", "one-way", "solicit-response", "notification"]

_PROTOCOLS: dict[str, Protocol] = {SOAP11: "soap11", SOAP12: "soap12", HTTP: "http"}


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a WSDL message: `element` or `type`, the other is None (section 2.3.1)."""

    name: str
    element: str | None
    type: str | None
    documentation: tuple[Documentation, ...]
    source: Source


@dataclass(frozen=True, slots=True)
class Message:
    name: str
    parts: tuple[Part, ...]
    source: Source

    def part(self, name: str) -> Part | None:
        return next((part for part in self.parts if part.name == name), None)


@dataclass(frozen=True, slots=True)
class MessageRef:
    """input, output or fault of a portType's operation; `name` is "" where none was given."""

    name: str
    message: str
    source: Source


@dataclass(frozen=True, slots=True)
class PortTypeOperation:
    """An operation as the portType declares it (section 2.4)."""

    name: str
    pattern: Pattern
    input: MessageRef | None
    output: MessageRef | None
    faults: tuple[MessageRef, ...]
    documentation: tuple[Documentation, ...]
    source: Source


@dataclass(frozen=True, slots=True)
class PortType:
    name: str
    operations: tuple[PortTypeOperation, ...]
    source: Source


@dataclass(frozen=True, slots=True)
class Body:
    """soap:body (section 3.5): `parts` is None where all parts belong to the Body."""

    use: Literal["literal", "encoded"]
    namespace: str | None
    parts: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Header:
    """soap:header (section 3.7); its message may be any message of the WSDL."""

    message: str
    part: str
    use: Literal["literal", "encoded"]
    required: bool
    source: Source


@dataclass(frozen=True, slots=True)
class BindingMessage:
    """What a binding says about an input or output; `attachments` when it is MIME multipart (section 5)."""

    body: Body
    headers: tuple[Header, ...]
    attachments: bool


@dataclass(frozen=True, slots=True)
class BindingOperation:
    """An operation as a binding puts it on the wire (section 2.5)."""

    name: str
    style: Literal["document", "rpc"]
    soap_action: str
    input_name: str
    input: BindingMessage | None
    output: BindingMessage | None
    source: Source


@dataclass(frozen=True, slots=True)
class Binding:
    name: str
    port_type: str
    protocol: Protocol
    operations: tuple[BindingOperation, ...]
    source: Source


@dataclass(frozen=True, slots=True)
class Port:
    """A port; `address` is "" where the WSDL gives none."""

    service: str
    name: str
    binding: str
    address: str
    source: Source


@dataclass(slots=True)
class Definitions:
    """Everything the WSDL and those it imports declare; of two with the same name the first read is kept.

    `schemas` are the inline schemas (and schemas reached by wsdl:import) with the document they stand in, and any
    wsdl:types that imports schemas without one around it; `documents` the WSDLs in the order they were read. `problems` are what could not be read; the rest is usable.
    """

    target_namespace: str
    documentation: tuple[Documentation, ...]
    messages: dict[str, Message] = field(default_factory=dict)
    port_types: dict[str, PortType] = field(default_factory=dict)
    bindings: dict[str, Binding] = field(default_factory=dict)
    services: dict[str, tuple[Port, ...]] = field(default_factory=dict)
    schemas: list[tuple[etree._Element, Document]] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    references: dict[tuple[str, str], Document] = field(default_factory=dict)
    """(location of the WSDL, reference as written) → the document that wsdl:import led to."""
    problems: list[ContractError] = field(default_factory=list)

    @property
    def ports(self) -> Iterator[Port]:
        for ports in self.services.values():
            yield from ports


def read(document: Document, library: Library) -> Definitions:
    """Read a WSDL and what it imports.

    Raises ContractError when the document is no WSDL 1.1, or a document it imports cannot be had or read.
    """
    root = document.root
    if root.tag != f"{{{WSDL}}}definitions":
        raise _not_wsdl(document)
    definitions = Definitions(root.get("targetNamespace", ""), documentation(root))
    _read_document(document, library, definitions)
    return definitions


def documentation(element: etree._Element) -> tuple[Documentation, ...]:
    """The words of wsdl:documentation, one for each language.

    WSDL 1.1 allows one such element, so two languages can only stand inside it, as children with an xml:lang of their
    own (XHTML's `p`, say). Otherwise xml:lang counts where it stands, or inherited.
    """
    found: list[Documentation] = []
    for words in element.iterchildren(f"{{{WSDL}}}documentation"):
        marked = [child for child in words.iterchildren("*") if _XML_LANG in child.attrib]
        found.extend(Documentation(_language(child), _text(child)) for child in marked or [words])
    return tuple(note for note in found if note.text)


def _text(element: etree._Element) -> str:
    return " ".join("".join(map(str, element.itertext())).split())


def _language(element: etree._Element) -> str:
    here: etree._Element | None = element
    while here is not None:
        if (language := here.get(_XML_LANG)) is not None:
            return language
        here = here.getparent()
    return ""


def _not_wsdl(document: Document) -> ContractError:
    tag = document.root.tag
    advice = "Name the WSDL that describes the service."
    if tag == f"{{{WSDL20}}}description":
        advice = "This is WSDL 2.0; ask the publisher for WSDL 1.1."
    return ContractError(
        f"The document is not a WSDL 1.1: its root is {tag}.", file=document.file, advice=advice
    )


def _read_document(document: Document, library: Library, into: Definitions) -> None:
    if document in into.documents:
        return
    into.documents.append(document)
    for child in document.root.iterchildren(f"{{{WSDL}}}import"):
        _follow(child, document, library, into)
    for types in document.root.iterchildren(f"{{{WSDL}}}types"):
        into.schemas.extend((child, document) for child in types.iterchildren() if is_schema(child))
        if next(types.iterchildren(f"{{{XSD}}}import"), None) is not None:
            into.schemas.append((types, document))
    _Reader(document, into).read()


def _follow(child: etree._Element, document: Document, library: Library, into: Definitions) -> None:
    reference = child.get("location")
    if not reference:
        return
    try:
        target = library.follow(reference, document)
    except ContractError as error:
        if error.file in ("", document.file) and error.line is None:
            error.file, error.line = document.file, line_of(child)
        raise
    into.references[document.location, reference] = target
    if is_schema(target.root):
        into.schemas.append((target.root, target))
    elif target.root.tag == f"{{{WSDL}}}definitions":
        _read_document(target, library, into)
    else:
        raise _not_wsdl(target)


class _Reader:
    """Reads the components of one WSDL document."""

    def __init__(self, document: Document, into: Definitions) -> None:
        self._file = document.file
        self._root = document.root
        self._into = into
        self._namespace = document.root.get("targetNamespace", "")

    def read(self) -> None:
        for child in self._root.iterchildren(f"{{{WSDL}}}*"):
            read = self._readers.get(etree.QName(child).localname)
            if read is None:
                continue
            try:
                read(self, child)
            except ContractError as error:
                self._into.problems.append(error)

    def _message(self, element: etree._Element) -> None:
        name = self._name(element)
        parts = tuple(self._part(child) for child in element.iterchildren(f"{{{WSDL}}}part"))
        self._into.messages.setdefault(name, Message(name, parts, self._source(element)))

    def _part(self, element: etree._Element) -> Part:
        return Part(
            element.get("name", ""),
            self._qname(element, "element") if element.get("element") else None,
            self._qname(element, "type") if element.get("type") else None,
            documentation(element),
            self._source(element),
        )

    def _port_type(self, element: etree._Element) -> None:
        name = self._name(element)
        operations = []
        for child in element.iterchildren(f"{{{WSDL}}}operation"):
            try:
                operations.append(self._operation(child))
            except ContractError as error:
                self._into.problems.append(error)
        self._into.port_types.setdefault(name, PortType(name, tuple(operations), self._source(element)))

    def _operation(self, element: etree._Element) -> PortTypeOperation:
        found: dict[str, MessageRef] = {}
        faults = []
        for child in element.iterchildren(f"{{{WSDL}}}input", f"{{{WSDL}}}output", f"{{{WSDL}}}fault"):
            local = etree.QName(child).localname
            reference = MessageRef(child.get("name", ""), self._qname(child, "message"), self._source(child))
            if local == "fault":
                faults.append(reference)
            else:
                found[local] = reference
        return PortTypeOperation(
            element.get("name", ""),
            _pattern(tuple(found)),
            found.get("input"),
            found.get("output"),
            tuple(faults),
            documentation(element),
            self._source(element),
        )

    def _binding(self, element: etree._Element) -> None:
        name = self._name(element)
        protocol: Protocol = "other"
        style = "document"
        for child in element.iterchildren(
            f"{{{SOAP11}}}binding", f"{{{SOAP12}}}binding", f"{{{HTTP}}}binding"
        ):
            protocol = _PROTOCOLS[etree.QName(child).namespace or ""]
            style = child.get("style", "document")
        operations = []
        for child in element.iterchildren(f"{{{WSDL}}}operation"):
            try:
                operations.append(self._binding_operation(child, style))
            except ContractError as error:
                self._into.problems.append(error)
        binding = Binding(
            name, self._qname(element, "type"), protocol, tuple(operations), self._source(element)
        )
        self._into.bindings.setdefault(name, binding)

    def _binding_operation(self, element: etree._Element, style: str) -> BindingOperation:
        action = ""
        for child in element.iterchildren(f"{{{SOAP11}}}operation", f"{{{SOAP12}}}operation"):
            action = child.get("soapAction", "")
            style = child.get("style", style)
        input_element = element.find(f"{{{WSDL}}}input")
        output_element = element.find(f"{{{WSDL}}}output")
        return BindingOperation(
            element.get("name", ""),
            "rpc" if style == "rpc" else "document",
            action,
            input_element.get("name", "") if input_element is not None else "",
            self._binding_message(input_element) if input_element is not None else None,
            self._binding_message(output_element) if output_element is not None else None,
            self._source(element),
        )

    def _binding_message(self, element: etree._Element) -> BindingMessage:
        # In a MIME binding soap:body and soap:header stand in the root part of multipart/related (section 5.4).
        attachments = element.find(f"{{{MIME}}}multipartRelated") is not None
        body = Body("literal", None, None)
        for child in element.iter(f"{{{SOAP11}}}body", f"{{{SOAP12}}}body"):
            parts = child.get("parts")
            body = Body(_use(child), child.get("namespace"), None if parts is None else tuple(parts.split()))
        headers = tuple(
            Header(
                self._qname(child, "message"),
                child.get("part", ""),
                _use(child),
                child.get(f"{{{WSDL}}}required") in ("true", "1"),
                self._source(child),
            )
            for child in element.iter(f"{{{SOAP11}}}header", f"{{{SOAP12}}}header")
        )
        return BindingMessage(body, headers, attachments)

    def _service(self, element: etree._Element) -> None:
        name = self._name(element)
        ports = []
        for child in element.iterchildren(f"{{{WSDL}}}port"):
            address = next(
                child.iterchildren(f"{{{SOAP11}}}address", f"{{{SOAP12}}}address", f"{{{HTTP}}}address"), None
            )
            ports.append(
                Port(
                    element.get("name", ""),
                    child.get("name", ""),
                    self._qname(child, "binding"),
                    address.get("location", "") if address is not None else "",
                    self._source(child),
                )
            )
        self._into.services.setdefault(name, tuple(ports))

    _readers: ClassVar = {
        "message": _message,
        "portType": _port_type,
        "binding": _binding,
        "service": _service,
    }

    def _name(self, element: etree._Element) -> str:
        return clark(self._namespace, element.get("name", ""))

    def _source(self, element: etree._Element) -> Source:
        return Source(self._file, line_of(element))

    def _qname(self, element: etree._Element, attribute: str) -> str:
        value = (element.get(attribute) or "").strip()
        prefix, _, local = value.rpartition(":")
        namespace = element.nsmap.get(prefix or None)
        if not local or (prefix and namespace is None):
            kind = etree.QName(element).localname
            raise ContractError(
                f"wsdl:{kind} has no {attribute}."
                if not value
                else f"wsdl:{kind}/@{attribute} is '{value}', and the prefix '{prefix}' is not declared.",
                file=self._file,
                line=line_of(element),
                advice=f"Name the {attribute} as a QName."
                if not value
                else f"Declare it with xmlns:{prefix}=….",
            )
        return clark(namespace or "", local)


def _use(element: etree._Element) -> Literal["literal", "encoded"]:
    return "encoded" if element.get("use") == "encoded" else "literal"


def _pattern(order: tuple[str, ...]) -> Pattern:
    match order:
        case ("input",):
            return "one-way"
        case ("output",):
            return "notification"
        case ("output", "input"):
            return "solicit-response"
        case _:
            return "request-response"
