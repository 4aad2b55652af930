"""Fields that a caller may not see, taken out of a message that leaves."""

from __future__ import annotations

from collections.abc import Iterable

from lxml import etree

from bridge.contract.model import XSI
from bridge.fields.places import Place
from bridge.soap.xml import read_own

_NIL = f"{{{XSI}}}nil"
_TYPE = f"{{{XSI}}}type"


def hide(text: str, places: Iterable[Place]) -> str:
    """The payload without these fields; the very text where it has none of them.

    Args:
        text: of the payload alone, as we wrote it.
        places: with a `how`: what cannot be left out was refused when the settings were checked.
    """
    root = read_own(text.encode())
    changed = [_hide(root, place) for place in places]
    return etree.tostring(root, encoding="unicode") if any(changed) else text


def _hide(root: etree._Element, place: Place) -> bool:
    found = [root]
    for names in place.steps:
        found = [child for node in found for child in node.iterchildren(*names)]
    changed = False
    for node in found:
        if place.attributes is not None:
            for name in place.attributes & set(map(str, node.attrib)):
                del node.attrib[name]
                changed = True
        elif place.how == "nil":
            _make_nil(node)
            changed = True
        else:
            _leave_out(node)
            changed = True
    return changed


def _leave_out(node: etree._Element) -> None:
    """Removes an element; the text behind it, which is its parent's, stays."""
    parent, before, tail = node.getparent(), node.getprevious(), node.tail
    assert parent is not None
    if tail and before is not None:
        before.tail = (before.tail or "") + tail
    elif tail:
        parent.text = (parent.text or "") + tail
    node.tail = None
    parent.remove(node)


def _make_nil(node: etree._Element) -> None:
    kind, tail = node.get(_TYPE), node.tail
    node.clear()  # keeps the prefixes that it declares, which the type may need
    node.tail = tail
    if kind is not None:
        node.set(_TYPE, kind)  # an abstract type is valid with it only
    node.set(_NIL, "true")
