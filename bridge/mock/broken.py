"""Replies that break their contract in a named way, made from one that keeps it."""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from bridge.contract import Contract, Operation
from bridge.contract.model import XSI
from bridge.errors import HandlerError

IN_THE_PAYLOAD = ("missing-element", "wrong-type", "unknown-element", "wrong-namespace")
"""The ways that need a payload to break; the others are about bytes."""

FOREIGN = "urn:example:somebody-else"
_WRONG = ("not a value", "")
_MOST_TRIED = 500

PAGE = b"""<!DOCTYPE html>
<html><head><title>502 Bad Gateway</title></head>
<body><h1>Bad Gateway</h1><p>The application did not answer in time.</body></html>
"""


def broken(contract: Contract, text: str, way: str) -> str:
    """The payload `text`, which the contract admits, broken in `way`: one of IN_THE_PAYLOAD.

    Raises:
        HandlerError: the contract is so loose that nothing of this kind breaks it.
    """
    tree = etree.fromstring(text.encode())
    if way == "wrong-namespace":
        _rename(tree)
    elif way == "unknown-element":
        etree.SubElement(tree, f"{{{FOREIGN}}}unexpected").text = "unexpected"
        _refuse_valid(contract, tree, way)
    else:
        tries = _without_one(tree) if way == "missing-element" else _with_one_wrong(tree)
        schema = contract.compile()
        if not any(not schema.validate(tree) for _ in tries):
            _refuse_valid(contract, tree, way)
    return etree.tostring(tree, encoding="unicode")


def require_payload(operation: Operation, way: str) -> None:
    """Raises HandlerError when the operation's reply has no payload that could be broken."""
    if operation.output is None:
        raise HandlerError(
            f"{operation.name} has no payload in its reply, so nothing of it can be {way}.",
            advice='Choose a way that is about bytes, as "html" or "empty".',
        )


def _refuse_valid(contract: Contract, tree: etree._Element, way: str) -> None:
    if contract.compile().validate(tree):
        raise HandlerError(
            f"{etree.QName(tree).localname} cannot be broken by {way}: the contract admits all of it.",
            advice='Choose another way, or give the reply as a file, with off_contract = "as-given".',
        )


def _without_one(tree: etree._Element) -> Iterator[None]:
    """Yields with one element taken out, one after the other; whoever stops leaves it so."""
    for element in list(tree.iterdescendants(etree.Element))[:_MOST_TRIED]:
        parent = element.getparent()
        assert parent is not None
        place = parent.index(element)
        parent.remove(element)
        yield
        parent.insert(place, element)


def _with_one_wrong(tree: etree._Element) -> Iterator[None]:
    """Likewise with one value, of an element or an attribute, made wrong."""
    for element in list(tree.iter(etree.Element))[:_MOST_TRIED]:
        for name in [name for name in element.attrib if XSI not in name]:
            before = element.attrib[name]
            for wrong in _WRONG:
                element.set(name, wrong)
                yield
            element.set(name, before)
        if len(element) == 0:
            text = element.text
            for wrong in _WRONG:
                element.text = wrong
                yield
            element.text = text


def _rename(tree: etree._Element) -> None:
    for element in tree.iter(etree.Element):
        element.tag = f"{{{FOREIGN}}}{etree.QName(element).localname}"
    etree.cleanup_namespaces(tree)


def inflated(envelope: bytes, size: int) -> bytes:
    """The envelope with a comment in its Body, so that it has at least `size` bytes and says the same."""
    end = envelope.rindex(b"</soap:Body>")
    padding = b"<!--" + b"x" * max(0, size - len(envelope) - 7) + b"-->"
    return envelope[:end] + padding + envelope[end:]
