"""Reading the small elements of a Security header strictly: one of each, text alone in it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Container

from lxml import etree

from bridge.soap.refusals import refuse
from bridge.soap.text import local_name

LONGEST = 1000
"""Characters of one value: names, moments, passwords, nonces."""

_XML_SPACE = " \t\r\n"


def only(parent: etree._Element, known: Container[str]) -> dict[str, etree._Element]:
    """The children of `parent` by their Clark names. Raises Refusal for one that is not `known`, or comes twice."""
    found: dict[str, etree._Element] = {}
    for child in parent.iterchildren("*"):
        name = str(child.tag)
        if name not in known:
            raise refuse("security_unknown", found=local_name(name))
        if name in found:
            raise refuse("security_repeated", found=local_name(name))
        found[name] = child
    return found


def leaf(element: etree._Element, *, strip: bool = True) -> str:
    """The text of an element that has nothing else in it. Raises Refusal for children, comments, and too much text.

    A comment is refused, not passed over: a signature without comments holds whether one stands there or not, and who reads the
    text before it alone reads another name.
    """
    text = element.text or ""
    if len(element) or len(text) > LONGEST:
        raise refuse("security_value", found=local_name(str(element.tag)))
    return text.strip(_XML_SPACE) if strip else text


def octets(element: etree._Element) -> bytes:
    """What base64 text stands for. Raises Refusal."""
    try:
        return base64.b64decode("".join(leaf(element).split()), validate=True)
    except (binascii.Error, ValueError):
        raise refuse("security_value", found=local_name(str(element.tag))) from None
