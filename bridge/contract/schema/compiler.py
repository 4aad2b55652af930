"""libxml2 compiles the schemas, and what it dislikes is traced back to the user's own nodes.

It is handed one driver that imports each namespace, and per namespace a driver that includes each document: so it
reads every document exactly once and skips none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, cast

from lxml import etree

from bridge.contract.model import XSD
from bridge.contract.schema.schemas import SchemaDocument
from bridge.contract.sources.document import line_of

_SCHEME = "bundle:/"
_DRIVER_NAMESPACE = "urn:soapbridge:driver"
_ATTRIBUTE = re.compile(r"The attribute '([^']+)' is not allowed")


@dataclass(frozen=True, slots=True, eq=False)
class Mistake:
    """One complaint of libxml2 and the user's node it is about.

    `attribute` is set when the node has an attribute that XML Schema does not know there, and nothing worse.
    """

    message: str
    node: etree._Element
    document: SchemaDocument
    attribute: str | None

    @property
    def line(self) -> int:
        return line_of(self.node) + self.document.base_line


def text_of(document: SchemaDocument) -> bytes:
    """The normalised document. lxml writes the prefixes that an inline schema inherits from its WSDL on its root."""
    # Not lxml's own ASCII: it writes names that are not as character references, which no parser reads.
    return etree.tostring(document.root, encoding="utf-8", with_tail=False)


def compile_schemas(documents: Sequence[tuple[str, bytes]]) -> etree.XMLSchema:
    """Compile all documents together, each given by its namespace and its normalised text.

    Raises XMLSchemaParseError; `mistakes` reads it.
    """
    texts = {f"{_SCHEME}{number}.xsd": text for number, (_, text) in enumerate(documents)}
    members: dict[str, list[int]] = {}
    for number, (namespace, _) in enumerate(documents):
        members.setdefault(namespace, []).append(number)
    imports = []
    for index, (namespace, numbers) in enumerate(members.items()):
        includes = "".join(f'<xs:include schemaLocation="{_SCHEME}{number}.xsd"/>' for number in numbers)
        location = f"{_SCHEME}namespace/{index}.xsd"
        texts[location] = _schema(namespace, includes)
        named = f' namespace="{escape(namespace)}"' if namespace else ""
        imports.append(f'<xs:import{named} schemaLocation="{location}"/>')
    parser = etree.XMLParser(no_network=True, resolve_entities=False, huge_tree=True)
    parser.resolvers.add(_InMemory(texts))
    driver = etree.fromstring(
        _schema(_DRIVER_NAMESPACE, "".join(imports)), parser, base_url=f"{_SCHEME}driver.xsd"
    )
    return etree.XMLSchema(driver)


def mistakes(error: etree.XMLSchemaParseError, documents: Sequence[SchemaDocument]) -> Iterator[Mistake]:
    """What libxml2 complained about, as far as a place is known."""
    trees: dict[int, etree._Element] = {}
    for entry in error.error_log:
        number = (entry.filename or "").removeprefix(_SCHEME).removesuffix(".xsd")
        if entry.level < etree.ErrorLevels.ERROR or not number.isdigit():
            continue
        document = documents[int(number)]
        if int(number) not in trees:
            trees[int(number)] = etree.fromstring(text_of(document), etree.XMLParser(huge_tree=True))
        node = _original(entry, trees[int(number)], document)
        if node is not None:
            attribute = None
            if entry.type_name == "SCHEMAP_S4S_ATTR_NOT_ALLOWED" and (
                found := _ATTRIBUTE.search(entry.message)
            ):
                attribute = found[1]
            yield Mistake(entry.message.strip(), node, document, attribute)


def _schema(namespace: str, content: str) -> bytes:
    target = f' targetNamespace="{escape(namespace)}"' if namespace else ""
    return f'<xs:schema xmlns:xs="{XSD}"{target}>{content}</xs:schema>'.encode()


def _original(
    entry: etree._LogEntry, normalised: etree._Element, document: SchemaDocument
) -> etree._Element | None:
    """The user's node: the normalised tree has the same elements in the same order."""
    wanted = _by_path(entry.path, normalised)
    found = None
    for theirs, original in zip(
        normalised.iter(etree.Element), document.root.iter(etree.Element), strict=True
    ):
        if theirs is wanted:
            return original
        # Without a path the line must do; of several elements on one line the first is the outermost.
        if wanted is None and line_of(theirs) == entry.line and found is None:
            found = original
    return found


def _by_path(path: str | None, normalised: etree._Element) -> etree._Element | None:
    prefixes = {prefix: uri for prefix, uri in normalised.nsmap.items() if prefix}
    try:
        found = normalised.xpath(path, namespaces=prefixes) if path else []
    except etree.XPathEvalError:  # a prefix declared further in
        return None
    return cast("etree._Element", found[0]) if isinstance(found, list) and found else None


class _InMemory(etree.Resolver):
    """Gives libxml2 the bundle's documents and nothing else."""

    def __init__(self, texts: dict[str, bytes]) -> None:
        self._texts = texts

    def resolve(self, system_url: str, public_id: str, context: Any) -> Any:  # type: ignore[override]
        return self.resolve_string(self._texts.get(system_url, b""), context, base_url=system_url)
