"""Whether two elements say the same, whatever prefixes they were written with.

Canonical XML keeps prefixes (Exclusive XML Canonicalization 1.0, section 2.2), and some clients make up new ones for
each message.
"""

from __future__ import annotations

from lxml import etree

_XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


def same(one: etree._Element, other: etree._Element) -> bool:
    """Names, attributes and texts are equal, in the same order; comments do not count. Prefixes in xsi:type are
    resolved, in other values they are text."""
    pending = [(one, other)]
    while pending:
        left, right = pending.pop()
        if left.tag != right.tag or _attributes(left) != _attributes(right):
            return False
        mine, theirs = _content(left), _content(right)
        if len(mine) != len(theirs):
            return False
        for a, b in zip(mine, theirs, strict=True):
            if isinstance(a, str) or isinstance(b, str):
                if a != b:
                    return False
            else:
                pending.append((a, b))
    return True


def _attributes(element: etree._Element) -> dict[str, str]:
    found = {str(name): str(value) for name, value in element.attrib.items()}
    if _XSI_TYPE in found:
        prefix, _, local = found[_XSI_TYPE].strip().rpartition(":")
        found[_XSI_TYPE] = f"{{{element.nsmap.get(prefix or None, '')}}}{local}"
    return found


def _content(element: etree._Element) -> list[str | etree._Element]:
    """Child elements with the texts between them; what a comment parts is one text."""
    content: list[str | etree._Element] = []
    text = element.text or ""
    for child in element:
        tag: object = child.tag  # a comment's is a function
        if isinstance(tag, str):
            content += [text, child]
            text = child.tail or ""
        else:
            text += child.tail or ""
    return [*content, text]
