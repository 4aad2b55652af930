"""Whether two elements say the same under a contract, leaf by leaf in the value space of each type.

Not compared: comments, processing instructions, prefixes, white space between elements, order of attributes,
xsi:schemaLocation, and whether an empty element's default value is written out. Mixed text is compared as it stands;
what a wildcard took in, as exclusive canonical XML.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from lxml import etree

from bridge.contract.explain.content import Contents
from bridge.contract.explain.notes import SPACE, bounded, clark_name, own_text
from bridge.contract.explain.places import Paths
from bridge.contract.model import ANY_TYPE, XSI, AttributeUse, ComplexType, ElementDecl, Model, SimpleType
from bridge.contract.schema.facets import Leaves
from bridge.contract.schema.value_space import value_key

_XSI_TYPE, _XSI_NIL = f"{{{XSI}}}type", f"{{{XSI}}}nil"
_IGNORED = frozenset({f"{{{XSI}}}schemaLocation", f"{{{XSI}}}noNamespaceSchemaLocation"})
_SHOWN = 60


def differences(model: Model, element_name: str, left: etree._Element, right: etree._Element) -> list[str]:
    """What differs between two valid documents of one element (Clark name); empty when they are equal.

    Each difference starts with its path in `left`, then says both sides.
    """
    return list(_Comparison(model, left).elements(model.element(element_name), left, right))


class _Comparison:
    def __init__(self, model: Model, top: etree._Element) -> None:
        self._model = model
        self._contents = Contents(model)
        self._leaves = Leaves()
        self._paths = Paths(top)

    def elements(
        self, declaration: ElementDecl, left: etree._Element, right: etree._Element
    ) -> Iterator[str]:
        if left.tag != right.tag:
            yield self._said(left, "", f"<{left.tag}>", f"<{right.tag}>")
            return
        types = self._actual_type(declaration, left), self._actual_type(declaration, right)
        if types[0] is not types[1]:
            yield self._said(left, "/@xsi:type", left.get(_XSI_TYPE), right.get(_XSI_TYPE))
            return
        actual = types[0]
        nils = _is_nil(left), _is_nil(right)
        if nils[0] is not nils[1]:
            yield self._said(left, "/@xsi:nil", left.get(_XSI_NIL), right.get(_XSI_NIL))
            return
        uses = actual.attributes if isinstance(actual, ComplexType) else ()
        yield from self._attributes({use.name: use for use in uses}, left, right)
        if nils[0]:
            return
        simple = actual.simple if isinstance(actual, ComplexType) else actual
        if simple is not None:
            yield from self._values(declaration, simple, left, right)
        elif isinstance(actual, ComplexType):
            yield from self._children(actual, left, right)

    def _actual_type(self, declaration: ElementDecl, element: etree._Element) -> SimpleType | ComplexType:
        text = element.get(_XSI_TYPE)
        name = clark_name(text, element) if text is not None else None
        return self._model.type(name if name is not None and self._model.has_type(name) else declaration.type)

    def _attributes(
        self, uses: dict[str, AttributeUse], left: etree._Element, right: etree._Element
    ) -> Iterator[str]:
        names = dict.fromkeys((*left.attrib, *right.attrib))
        for name in cast("dict[str, None]", names):
            if name in _IGNORED or name in (_XSI_TYPE, _XSI_NIL):
                continue
            texts = left.get(name), right.get(name)
            use = uses.get(name)
            same = texts[0] == texts[1]
            if not same and use is not None and texts[0] is not None and texts[1] is not None:
                keys = [
                    value_key(use.type, text, element.nsmap, self._leaves)
                    for text, element in ((texts[0], left), (texts[1], right))
                ]
                same = keys[0] == keys[1]
            if not same:
                yield self._said(left, f"/@{name}", texts[0], texts[1])

    def _values(
        self, declaration: ElementDecl, simple: SimpleType, left: etree._Element, right: etree._Element
    ) -> Iterator[str]:
        implied = declaration.fixed if declaration.fixed is not None else declaration.default
        texts = [own_text(element) or implied or "" for element in (left, right)]
        keys = [
            value_key(simple, text, element.nsmap, self._leaves)
            for text, element in zip(texts, (left, right), strict=True)
        ]
        if keys[0] != keys[1]:
            yield self._said(left, "", texts[0], texts[1])

    def _children(self, actual: ComplexType, left: etree._Element, right: etree._Element) -> Iterator[str]:
        mixed = actual.content == "mixed"
        lefts, rights = list(left.iterchildren("*")), list(right.iterchildren("*"))
        if mixed and _texts(left) != _texts(right):
            yield self._said(left, "/text()", "|".join(_texts(left)), "|".join(_texts(right)))
        content = self._contents.of(actual)
        for one, other in zip(lefts, rights, strict=False):
            reader = content.reads(str(one.tag))
            if one.tag != other.tag:
                yield self._said(one, "", f"<{one.tag}>", f"<{other.tag}>")
            elif actual.name != ANY_TYPE and isinstance(reader, ElementDecl):
                yield from self.elements(reader, one, other)
            elif _canonical(one) != _canonical(other):
                yield self._said(one, "", _canonical(one), _canonical(other))
        common = min(len(lefts), len(rights))
        for extra in lefts[common:]:
            yield self._said(extra, "", f"<{extra.tag}>", None)
        for extra in rights[common:]:
            yield self._said(left, "", None, f"<{extra.tag}>")

    def _said(self, element: etree._Element, suffix: str, left: str | None, right: str | None) -> str:
        shown = ["nothing" if text is None else repr(bounded(text, _SHOWN)) for text in (left, right)]
        return f"{self._paths.of(element)}{suffix}: {shown[0]} and {shown[1]}"


def _is_nil(element: etree._Element) -> bool:
    return (element.get(_XSI_NIL) or "").strip(SPACE) in ("true", "1")


def _texts(element: etree._Element) -> list[str]:
    """The texts before, between and after the child elements; comments do not part them."""
    texts = [element.text or ""]
    for child in element:
        if isinstance(cast("object", child.tag), str):
            texts.append(child.tail or "")
        else:
            texts[-1] += child.tail or ""
    return texts


def _canonical(element: etree._Element) -> str:
    try:
        return etree.tostring(
            element, method="c14n", exclusive=True, with_comments=False, with_tail=False
        ).decode()
    except etree.C14NError:  # a relative namespace (`#Foo`), which the older canonical forms refuse
        text: str = etree.canonicalize(etree.tostring(element, encoding="unicode", with_tail=False))
        return text
