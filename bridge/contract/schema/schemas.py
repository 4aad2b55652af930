"""Every schema document of a contract, gathered: inline ones, what they include and import, what the catalog adds.

libxml2 skips a second document for a namespace without a word, and an import it cannot reach as well. So the
documents are gathered here first, and later handed to it one namespace at a time (`bundle`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lxml import etree

from bridge.contract.model import XSD, XSI
from bridge.contract.sources.document import Document, Library, is_schema, line_of, parse
from bridge.errors import ContractError

BUILT_IN = frozenset({XSD, XSI})
"""Namespaces whose components every validator has."""

_WSDL_SCHEMAS = f"{{http://schemas.xmlsoap.org/wsdl/}}types/{{{XSD}}}schema"
_LINKS = tuple(f"{{{XSD}}}{name}" for name in ("include", "import", "redefine", "override"))

# .NET's DataSets carry their schema in the message (`ref="xs:schema"`). libxml2 does not compile the schema of
# schemas; what is inside is not the contract's, so anything well-formed will do.
_SCHEMA_OF_SCHEMAS = f"""\
<xs:schema xmlns:xs="{XSD}" targetNamespace="{XSD}" elementFormDefault="qualified">
  <xs:element name="schema"><xs:complexType>
    <xs:sequence><xs:any namespace="##any" processContents="skip" minOccurs="0" maxOccurs="unbounded"/></xs:sequence>
    <xs:anyAttribute namespace="##any" processContents="skip"/>
  </xs:complexType></xs:element>
</xs:schema>""".encode()


@dataclass(frozen=True, slots=True, eq=False)
class SchemaDocument:
    """One schema document, its includes and imports rewritten; its nodes are those of the user's document.

    `namespace` is the effective target namespace ("" none). `chameleon`: the document has none of its own and took
    that of the including one, so its names without a prefix belong there (XML Schema Part 1, section 4.2.1).
    `sourceline` + `base_line` is the line in `file`. `document` is where it was read; None: we wrote it ourselves.
    """

    root: etree._Element
    namespace: str
    chameleon: bool
    file: str
    base_line: int = 0
    document: Document | None = None


class Gathering:
    """Collects schema documents. `problems` are what could not be had; `references` what each link led to."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._waiting: list[tuple[etree._Element, Document, str]] = []
        self._loaded: set[tuple[str, str]] = set()
        self._roots: set[etree._Element] = set()
        self._missing: list[tuple[str, ContractError]] = []
        self.documents: list[SchemaDocument] = []
        self.references: dict[tuple[str, str], Document] = {}
        self.problems: list[ContractError] = []

    @property
    def namespaces(self) -> set[str]:
        """Those that at least one document provides."""
        return {document.namespace for document in self.documents}

    def add_inline(self, schemas: Iterable[tuple[etree._Element, Document]]) -> None:
        """Add schemas that stand in a WSDL, or are a document of their own, and all they lead to.

        A wsdl:types with xs:import directly inside (against the WSDL's rules, and seen) may be given as it is.
        """
        for root, document in schemas:
            namespace = root.get("targetNamespace", "")
            if root is document.root:
                self._load(document, namespace)
            else:
                self._waiting.append((root, document, namespace))
        self._drain()

    def add_synthesised(self, root: etree._Element, file: str) -> None:
        """Add a schema that we wrote ourselves."""
        self.documents.append(SchemaDocument(root, root.get("targetNamespace", ""), False, file))

    def add_standard(self, namespace: str) -> bool:
        """Add the catalog's document for a namespace; False when there is none."""
        if namespace == XSD:
            root = parse(_SCHEMA_OF_SCHEMAS, file="XMLSchema.xsd")
            self.documents.append(SchemaDocument(root, XSD, False, "XMLSchema.xsd"))
            return True
        document = self._library.standard(namespace)
        if document is None or not is_schema(document.root):
            return False
        self._load(document, document.root.get("targetNamespace", ""))
        self._drain()
        return namespace in self.namespaces

    def settle(self) -> None:
        """Report the imports that led nowhere and whose namespace nothing else provides."""
        provided = self.namespaces
        self.problems.extend(error for namespace, error in self._missing if namespace not in provided)
        self._missing.clear()

    def _load(self, document: Document, namespace: str) -> None:
        if (document.location, namespace) in self._loaded:
            return
        self._loaded.add((document.location, namespace))
        root = document.root
        if root in self._roots:
            # A chameleon taken into a second namespace needs nodes of its own.
            root = parse(document.content, file=document.file)
        self._waiting.append((root, document, namespace))

    def _drain(self) -> None:
        while self._waiting:
            root, document, namespace = self._waiting.pop(0)
            self._roots.add(root)
            for link in root.iterchildren(*_LINKS):
                if etree.QName(link).localname == "import":
                    self._import(link, document)
                else:
                    self._include(link, document, namespace)
            if not is_schema(root):
                continue
            chameleon = namespace != "" and not root.get("targetNamespace")
            self.documents.append(
                SchemaDocument(root, namespace, chameleon, document.file, document=document)
            )

    def _include(self, link: etree._Element, document: Document, namespace: str) -> None:
        location = (link.get("schemaLocation") or "").strip()
        try:
            target = self._library.follow(location, document)
        except ContractError as error:
            self.problems.append(_placed(error, link, document))
            return
        self.references[document.location, location] = target
        if not is_schema(target.root):
            self.problems.append(_no_schema(link, location, document))
            return
        theirs = target.root.get("targetNamespace", "")
        if theirs not in ("", namespace):
            self.problems.append(
                ContractError(
                    f"'{location}' is included but has another target namespace, {theirs}.",
                    file=document.file,
                    line=line_of(link),
                    advice="Use xs:import for another namespace. It was taken as imported.",
                )
            )
            namespace = theirs
        self._load(target, namespace)

    def _import(self, link: etree._Element, document: Document) -> None:
        namespace = link.get("namespace", "")
        location = (link.get("schemaLocation") or "").strip()
        if namespace in BUILT_IN or not location:
            return
        try:
            target = self._library.follow(location, document, namespace)
        except ContractError as error:
            self._missing.append((namespace, _placed(error, link, document)))
            return
        self.references[document.location, location] = target
        if is_schema(target.root):
            theirs = target.root.get("targetNamespace", "")
            if theirs != namespace:
                self.problems.append(
                    ContractError(
                        f"'{location}' is imported as {namespace or 'no namespace'}, "
                        f"but its target namespace is {theirs or 'none'}.",
                        file=document.file,
                        line=line_of(link),
                        advice="Correct the namespace of the import. The schema was taken under its own.",
                    )
                )
            self._load(target, theirs)
            return
        # Some publishers import a WSDL for the schemas inside.
        inline = [
            (schema, target) for schema in target.root.iterfind(_WSDL_SCHEMAS) if schema not in self._roots
        ]
        if not inline:
            self.problems.append(_no_schema(link, location, document))
        self._waiting.extend((schema, target, schema.get("targetNamespace", "")) for schema, _ in inline)


def _no_schema(link: etree._Element, location: str, document: Document) -> ContractError:
    return ContractError(
        f"'{location}' is not an XML schema.",
        file=document.file,
        line=line_of(link),
        advice="Correct the location: it must lead to a document whose root is xs:schema.",
    )


def _placed(error: ContractError, link: etree._Element, document: Document) -> ContractError:
    """The error with the place of the link, unless it already names a line of another document."""
    if error.line is None and error.file in ("", document.file):
        error.file, error.line = document.file, line_of(link)
    return error
