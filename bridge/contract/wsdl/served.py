"""The contract as it is given out: the user's own bytes, with only addresses and locations changed.

Names are fixed when the contract is loaded, so that whatever else is asked for does not exist.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote, urlsplit
from xml.parsers import expat

from bridge.contract.model import XSD
from bridge.contract.sources.document import Document, encoding_of, is_schema, is_url
from bridge.contract.wsdl.definitions import SOAP11, SOAP12, WSDL, Definitions

Address: TypeAlias = "Mapping[tuple[str, str], str] | Callable[[str, str], str | None]"
"""(service, port) → URL: both local names as the WSDL has them."""

_ADDRESSES = frozenset({f"{SOAP11} address", f"{SOAP12} address"})
_LINKS = {
    f"{WSDL} import": "location",
    f"{XSD} import": "schemaLocation",
    f"{XSD} include": "schemaLocation",
    f"{XSD} redefine": "schemaLocation",
}
_ATTRIBUTE = re.compile(rb"""\s([^\s=<>"'/]+)\s*=\s*("[^"]*"|'[^']*')""")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Published:
    """A document under its public name; `location` is where it was read."""

    name: str
    location: str
    content: bytes
    is_schema: bool


class Served:
    """The documents of a contract under their public names, the WSDL first.

    `links` lead from (location of a document, reference as written) to the location of another.
    """

    def __init__(self, published: Iterable[Published], links: Mapping[tuple[str, str], str]) -> None:
        self.published = tuple(published)
        self.links = dict(links)
        self.documents: dict[str, bytes] = {found.name: found.content for found in self.published}
        self._by_name = {found.name: found for found in self.published}
        self._by_location = {found.location: found for found in self.published}

    @classmethod
    def of(
        cls, start: Document, definitions: Definitions, references: Mapping[tuple[str, str], Document]
    ) -> Served:
        """What was read, each document under a name of its own."""
        links = {**references, **definitions.references}
        found: dict[str, Published] = {}
        names: set[str] = set()
        for document in (start, *definitions.documents, *links.values()):
            if document.location not in found:
                name = _free_name(document, names)
                names.add(name)
                found[document.location] = Published(
                    name, document.location, document.content, is_schema(document.root)
                )
        return cls(found.values(), {link: target.location for link, target in links.items()})

    def document(self, name: str, base_url: str, addresses: Address) -> bytes:
        """One document, rewritten. KeyError when there is no such name."""
        document = self._by_name[name]

        def public(reference: str) -> str | None:
            target = self._target(document, reference)
            if target is None:
                return None
            return f"{base_url}?{'xsd' if target.is_schema else 'wsdl'}={quote(target.name)}"

        return _rewritten(document.content, public, addresses)

    def beside(self, name: str) -> bytes:
        """One document for a folder that holds all of them by their names. KeyError when there is no such name."""
        document = self._by_name[name]

        def neighbour(reference: str) -> str | None:
            target = self._target(document, reference)
            return None if target is None else quote(target.name)

        return _rewritten(document.content, neighbour, {})

    def _target(self, document: Published, reference: str) -> Published | None:
        location = self.links.get((document.location, reference.strip()))
        return None if location is None else self._by_location[location]


def _rewritten(content: bytes, link: Callable[[str], str | None], addresses: Address) -> bytes:
    encoding = encoding_of(content)
    text = content.decode(encoding).encode("utf-8")
    return _Rewriter(text, link, addresses).run().decode("utf-8").encode(encoding)


def _free_name(document: Document, taken: Container[str]) -> str:
    path = urlsplit(document.location).path if is_url(document.location) else document.location
    stem, ending = Path(path).stem, Path(path).suffix
    ending = ending if ending in (".xsd", ".wsdl") else (".xsd" if is_schema(document.root) else ".wsdl")
    stem = _UNSAFE.sub("-", stem).strip(".-") or "document"
    name, number = f"{stem}{ending}", 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}{ending}"
    return name


class _Rewriter:
    """Finds the attribute values to change by their place in the text, so that nothing else is touched."""

    def __init__(self, text: bytes, link: Callable[[str], str | None], addresses: Address) -> None:
        self._text = text
        self._link = link
        self._address = addresses if callable(addresses) else lambda *port: addresses.get(port)
        self._edits: list[tuple[int, int, bytes]] = []
        self._service = self._port = ""
        # The text is UTF-8 by now, whatever its declaration says.
        self._expat = expat.ParserCreate("utf-8", " ")
        self._expat.StartElementHandler = self._start
        self._expat.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)

    def run(self) -> bytes:
        self._expat.Parse(self._text, True)
        pieces, at = [], 0
        for start, end, value in self._edits:
            pieces += [self._text[at:start], value]
            at = end
        return b"".join([*pieces, self._text[at:]])

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == f"{WSDL} service":
            self._service = attributes.get("name", "")
        elif name == f"{WSDL} port":
            self._port = attributes.get("name", "")
        elif name in _ADDRESSES:
            self._replace("location", self._address(self._service, self._port))
        elif name in _LINKS and _LINKS[name] in attributes:
            self._replace(_LINKS[name], self._link(attributes[_LINKS[name]]))

    def _replace(self, attribute: str, value: str | None) -> None:
        start = self._expat.CurrentByteIndex
        if value is None or self._text[start : start + 1] != b"<":  # an element out of an entity has no place
            return
        at = start + 1
        while (found := _ATTRIBUTE.search(self._text, at)) is not None:
            if found[1] == attribute.encode():
                quoted = b'"' + escape(value).encode() + b'"'
                self._edits.append((found.start(2), found.end(2), quoted))
                return
            at = found.end()
