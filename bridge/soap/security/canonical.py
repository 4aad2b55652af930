"""The octets that digests and signatures are taken of: Canonical XML 1.0 and 1.1, Exclusive Canonical XML 1.0.

An element is canonicalised where it stands, so that the namespaces in force around it count as its author meant them to.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
DEFAULT_PREFIX = "#default"
"""What a list of prefixes calls the default namespace (Exclusive Canonical XML 1.0, section 4)."""
_XSI = b"http://www.w3.org/2001/XMLSchema-instance"
_XSI_TYPE = f"{{{_XSI.decode()}}}type"
_XSD = "http://www.w3.org/2001/XMLSchema"
_XML = "{http://www.w3.org/XML/1998/namespace}"


@dataclass(frozen=True, slots=True)
class Canonical:
    """One way to canonicalise. `prefixes` are those that count although only values may use them."""

    exclusive: bool
    comments: bool
    prefixes: tuple[str, ...] = ()

    def octets(self, element: etree._Element) -> bytes:
        """The element with all that is in it, as canonical UTF-8.

        Raises:
            etree.C14NError: a namespace in it has a relative name, for which there is no canonical form.
        """
        if self.exclusive and DEFAULT_PREFIX in self.prefixes:
            element = _knowing_default(element)
        return etree.tostring(
            element,
            method="c14n",
            exclusive=self.exclusive,
            with_comments=self.comments,
            inclusive_ns_prefixes=self.prefixes or None,
            with_tail=False,
        )

    def binds(self, element: etree._Element, octets: bytes) -> bool:
        """Whether a change of any prefix in an xsi:type within `element` would change its `octets`.

        Exclusive canonicalisation leaves out namespaces that only values use; by such a prefix a document could be made to mean
        another type although its signature holds. XML Schema's own types, which have no others in their place, may pass.
        """
        return (
            not self.exclusive
            or _XSI not in octets
            or all(
                prefix in self.prefixes or _is_used(element, typed, prefix) or _meaning(typed, prefix) == _XSD
                for typed, prefix in _typed(element)
            )
        )

    def fits(self, element: etree._Element) -> bool:
        """Whether `octets` is right for this element. Inclusive canonicalisation takes over xml: attributes of the elements
        around it, which 1.0 and 1.1 do differently; nobody has them around a Body, and they are not handled."""
        if self.exclusive:
            return True
        return not any(
            str(name).startswith(_XML) for above in element.iterancestors() for name in above.attrib
        )


_INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
_INCLUSIVE_11 = "http://www.w3.org/2006/12/xml-c14n11"
FORMS: dict[str, Canonical] = {
    EXCLUSIVE: Canonical(exclusive=True, comments=False),
    f"{EXCLUSIVE}WithComments": Canonical(exclusive=True, comments=True),
    _INCLUSIVE: Canonical(exclusive=False, comments=False),
    f"{_INCLUSIVE}#WithComments": Canonical(exclusive=False, comments=True),
    _INCLUSIVE_11: Canonical(exclusive=False, comments=False),
    f"{_INCLUSIVE_11}#WithComments": Canonical(exclusive=False, comments=True),
}
"""By identifier."""


def type_prefixes(element: etree._Element) -> tuple[str, ...]:
    """The prefixes that xsi:type attributes within `element` use, as a list of prefixes names them."""
    return tuple(sorted({prefix for _, prefix in _typed(element)}))


def _typed(element: etree._Element) -> Iterator[tuple[etree._Element, str]]:
    """Elements with an xsi:type, and its prefix."""
    found = _types.path(element)
    assert isinstance(found, list)
    for typed in found:
        assert isinstance(typed, etree._Element)
        yield typed, typed.get(_XSI_TYPE, "").strip().rpartition(":")[0] or DEFAULT_PREFIX


def _is_used(apex: etree._Element, element: etree._Element, prefix: str) -> bool:
    """Whether the prefix is that of `element`'s name, or one around it up to `apex`, and means the same there."""
    meaning = _meaning(element, prefix)
    name = None if prefix == DEFAULT_PREFIX else prefix
    one: etree._Element | None = element
    while one is not None:
        if one.prefix == name and _meaning(one, prefix) == meaning:
            return True
        one = one.getparent() if one is not apex else None
    return False


def _meaning(element: etree._Element, prefix: str) -> str | None:
    return element.nsmap.get(None if prefix == DEFAULT_PREFIX else prefix)


class _Types(threading.local):
    """The compiled expression, one for each thread: an expression is locked while it is used."""

    def __init__(self) -> None:
        self.path = etree.XPath(
            "descendant-or-self::*[@xsi:type]",
            namespaces={"xsi": _XSI.decode()},
        )


_types = _Types()


def _knowing_default(element: etree._Element) -> etree._Element:
    """A copy, the namespaces around it declared on it, of which lxml canonicalises `#default` as it should.

    lxml hands libxml2 only those prefixes that the document's dictionary of names holds. This one no document can bring in,
    and the tag that iterparse waits for is put there.
    """
    source = etree.tostring(element, encoding="utf-8", with_tail=False)
    reading = etree.iterparse(
        io.BytesIO(source), tag=DEFAULT_PREFIX, resolve_entities=False, no_network=True, huge_tree=True
    )
    for _ in reading:
        pass
    copy: etree._Element = reading.root
    return copy
