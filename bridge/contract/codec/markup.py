"""Values as markup: escaping, qualified names, and elements cut out of a document whole.

Source: XML 1.0 section 2.4 (character data), 2.11 (line ends), 3.3.3 (attribute values); Namespaces in XML 1.0.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping

from lxml import etree

from bridge.contract.model import XSI


class _References(dict[str, str]):
    """Character → how it is written; asked for any other that the searches find, it cannot be written at all."""

    def __missing__(self, character: str) -> str:
        raise ValueError(f"the character U+{ord(character):04X} cannot stand in XML")


_IMPOSSIBLE = "\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff"
_TEXT = _References({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_ATTRIBUTE = _References({**_TEXT, '"': "&quot;", "\n": "&#10;", "\t": "&#9;"})
_IN_TEXT = re.compile(f"[&<>\r{_IMPOSSIBLE}]")
_IN_ATTRIBUTE = re.compile(f'[&<>"\r\n\t{_IMPOSSIBLE}]')
_find_in_text, _replace_in_text = _IN_TEXT.search, _IN_TEXT.sub
_find_in_attribute, _replace_in_attribute = _IN_ATTRIBUTE.search, _IN_ATTRIBUTE.sub


def escape(text: str) -> str:
    """Character data. A carriage return is written as a reference, or the reader would make it a line feed.

    ValueError for a character that no XML document can hold.
    """
    if text.isalnum() or _find_in_text(text) is None:
        return text
    return _replace_in_text(lambda match: _TEXT[match[0]], text)


def escape_attribute(text: str) -> str:
    """An attribute's value between double quotes; white space other than blanks is written as references.

    ValueError for a character that no XML document can hold.
    """
    if text.isalnum() or _find_in_attribute(text) is None:
        return text
    return _replace_in_attribute(lambda match: _ATTRIBUTE[match[0]], text)


_TAKEN = frozenset(
    {"xsi", "xml", "xmlns", "xs", "xsd", "soap", "soapenv", "soap12", "env", "wsse", "wsu", "wsa"}
)


class Prefixes:
    """One prefix for each namespace of a contract: its own where it is usable, else `n1`, `n2` …

    Default namespaces are never written: an unqualified child would fall into them.
    """

    def __init__(self, suggested: Mapping[str, str]) -> None:
        self._known: dict[str, str] = {XSI: "xsi"}
        self._suggested = {ns: p for ns, p in suggested.items() if p not in _TAKEN and not _GENERATED(p)}
        self._lock = threading.Lock()

    def of(self, namespace: str) -> str:
        known = self._known.get(namespace)
        if known is None:
            with self._lock:  # two namespaces at once would get the same number
                prefix = self._suggested.get(namespace) or f"n{len(self._known)}"
                known = self._known.setdefault(namespace, prefix)
        return known

    def qualified(self, name: str) -> str:
        """A Clark name as `prefix:local`; a name of no namespace as it is."""
        namespace, brace, local = name.rpartition("}")
        return f"{self.of(namespace[1:])}:{local}" if brace else local

    def declarations(self, namespaces: Iterable[str]) -> str:
        """` xmlns:prefix="…"` for each, in a fixed order."""
        return "".join(
            f' xmlns:{self.of(namespace)}="{escape_attribute(namespace)}"'
            for namespace in sorted(namespaces)
            if namespace
        )


_GENERATED = re.compile(r"[nq]\d+").fullmatch


def detach(element: etree._Element) -> etree._Element:
    """A copy with every prefix that was in scope, so that values holding QNames keep their meaning.

    `copy.deepcopy` would drop the prefixes that only values use.
    """
    return etree.fromstring(etree.tostring(element, with_tail=False, encoding="utf-8"), _PARSER)


_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)


def text_of(element: etree._Element) -> str:
    """The text of an element without its comments; lxml's `.text` ends at the first of them."""
    if not len(element):
        return element.text or ""
    return "".join([element.text or "", *(child.tail or "" for child in element)])
