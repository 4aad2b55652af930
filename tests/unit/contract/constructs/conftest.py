"""What every construct must survive: one document through guard, both readers and both writers, and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from bridge.contract import Contract, load
from bridge.contract.codec.values import ComplexValue, Element, Nil, TypedValue
from bridge.contract.compare import differences

CONTRACTS = Path(__file__).resolve().parents[3] / "contracts"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
XSD = "http://www.w3.org/2001/XMLSchema"

loaded = cache(lambda name: load(CONTRACTS / f"{name}.wsdl"))


@dataclass(frozen=True)
class Raw:
    """A detached lxml element, as the canonical text it must have."""

    text: str


class Construct:
    """One contract of tests/contracts, its payload `Message` (or another element of its namespace)."""

    def __init__(self, name: str, element: str = "Message") -> None:
        self.namespace = f"urn:test:{name}"
        self.contract: Contract = loaded(name)
        self.element = f"{{{self.namespace}}}{element}"

    def parse(self, document: str) -> etree._Element:
        """`<Message>…` with the contract's namespace as the default one, and `t`, `xs` and `xsi` declared."""
        declared = f' xmlns="{self.namespace}" xmlns:t="{self.namespace}" xmlns:xs="{XSD}" xmlns:xsi="{XSI}"'
        name = self.element.rpartition("}")[2]
        return etree.fromstring(document.replace(f"<{name}", f"<{name}{declared}", 1))

    def decode(self, document: str, *, plain: bool | None = None) -> Any:
        return self.contract.codec.decode(self.element, self.valid(self.parse(document)), plain=plain)

    def encode(self, value: Any) -> etree._Element:
        return self.valid(etree.fromstring(self.contract.codec.encode(self.element, value)))

    def valid(self, element: etree._Element) -> etree._Element:
        self.contract.guard.check(self.element, element)
        return element

    def type(self, name: str) -> type[ComplexValue]:
        return self.contract.codec.type(f"{{{self.namespace}}}{name}")

    def prove(self, document: str, expected: Any, again: str | None = None) -> None:
        """Decode to `expected`, by both readers and with comments; encode, also as dicts, to the same document.

        `again` is the document that comes out where lexical forms are not kept (`+5`, `1` for true).
        """
        original = self.parse(document)
        value = self.decode(document, plain=False)
        assert_same(flat(value), expected)
        if is_plain(original):
            assert_same(flat(self.decode(document, plain=True)), expected)
        assert_same(flat(self.decode(with_comments(original))), expected)
        wanted = canonical(self.parse(again or document))
        encoded = self.encode(value)
        if "qnames" not in self.namespace:  # canonical XML knows nothing of prefixes inside values
            assert canonical(encoded) == wanted
        assert_same(flat(self.contract.codec.decode(self.element, encoded)), expected)
        assert differences(self.contract.model, self.element, original, encoded) == []
        if "xsi:type" not in document:  # a dict has no way to name its type
            assert canonical(self.encode(as_dict(value))) == canonical(encoded)


@pytest.fixture
def construct() -> Callable[..., Construct]:
    return Construct


def canonical(element: etree._Element) -> str:
    """Canonical text whatever the prefixes, without comments and the white space between elements."""
    text = etree.tostring(element, encoding="unicode", with_tail=False)
    mixed = element.xpath("boolean(//*[local-name()='Phrase' or local-name()='Letter'])")
    return etree.canonicalize(
        text, rewrite_prefixes=True, strip_text=not mixed, qname_aware_attrs={f"{{{XSI}}}type"}
    )


def is_plain(element: etree._Element) -> bool:
    return not element.xpath("boolean(//@xsi:* | //comment())", namespaces={"xsi": XSI})


def with_comments(element: etree._Element) -> str:
    """The document with a comment inside every text of two characters or more, and before every element.

    What wildcards took in is left alone: it is handed on whole, comments included.
    """
    text = etree.tostring(element, encoding="unicode")
    root = etree.fromstring(text)
    for found in list(root.iter()):
        own = etree.QName(found).namespace in (etree.QName(root).namespace, None)
        if not own or found.xpath(
            "ancestor-or-self::*[local-name()='Data' or local-name()='Skip' or local-name()='raw']"
        ):
            continue
        if found.text and len(found.text) > 1 and not len(found):
            comment = etree.Comment("&")
            found.text, comment.tail = found.text[:1], found.text[1:]
            found.insert(0, comment)
        elif len(found):
            comment = etree.Comment("between")
            found.insert(0, comment)
            found.text, comment.tail = None, found.text
    out = etree.tostring(root, encoding="unicode")
    for declaration in (
        f' xmlns="{root.nsmap[None]}"',
        f' xmlns:t="{root.nsmap["t"]}"',
        f' xmlns:xs="{XSD}"',
        f' xmlns:xsi="{XSI}"',
    ):
        out = out.replace(declaration, "", 1)
    return out


def flat(value: Any) -> Any:
    """Values as dicts of the fields that are there, for comparison."""
    match value:
        case ComplexValue():
            named = ((f.name, getattr(value, f.name)) for f in fields(value))  # type: ignore[arg-type]
            return {
                name: flat(item) for name, item in named if item is not None and item != [] and item != {}
            }
        case list():
            return [flat(item) for item in value]
        case tuple():
            return tuple(flat(item) for item in value)
        case Element():
            return Element(value.name, flat(value.value))
        case TypedValue():
            return TypedValue(value.type, flat(value.value))
        case etree._Element():
            return Raw(
                etree.canonicalize(
                    etree.tostring(value, encoding="unicode"), rewrite_prefixes=False, strip_text=True
                )
            )
        case _:
            return value


def as_dict(value: Any) -> Any:
    """The same value with every instance replaced by a dict."""
    match value:
        case ComplexValue():
            return {f.name: as_dict(getattr(value, f.name)) for f in fields(value)}  # type: ignore[arg-type]
        case list():
            return [as_dict(item) for item in value]
        case tuple():
            return (value[0], as_dict(value[1]))
        case Element():
            return Element(value.name, as_dict(value.value))
        case _:
            return value


def assert_same(left: Any, right: Any, path: str = "value") -> None:
    """Equal and of the same Python types, all the way down: 1, True and Decimal(1) are three things."""
    assert type(left) is type(right), f"{path}: {left!r} is not {right!r}"
    if isinstance(left, dict):
        assert left.keys() == right.keys(), f"{path}: {list(left)} are not {list(right)}"
        for name in left:
            assert_same(left[name], right[name], f"{path}.{name}")
    elif isinstance(left, list | tuple):
        assert len(left) == len(right), f"{path}: {left!r} is not {right!r}"
        for number, pair in enumerate(zip(left, right, strict=True)):
            assert_same(*pair, f"{path}[{number}]")
    elif isinstance(left, Element | TypedValue):
        assert_same(
            (left.name if isinstance(left, Element) else left.type, left.value),
            (right.name if isinstance(right, Element) else right.type, right.value),
            path,
        )
    elif isinstance(left, Nil):
        assert left == right, path
        assert_same(dict(left.attributes), dict(right.attributes), path)
    elif isinstance(left, float) and left != left:
        assert right != right, path
    else:
        assert left == right, f"{path}: {left!r} is not {right!r}"
        assert str(left) == str(right), f"{path}: {left} is not {right}"
