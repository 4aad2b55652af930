"""Whether a text is a value of a simple type, and if not, which rule it breaks.

libxml2 judges, by a schema of our own making for that one type: never Python's `re`, whose backtracking a hostile
value can exploit (`([A-Z]+)*[0-9]` with 24 letters takes half a second, and three times as long with each pair more).

Source: XML Schema 1.0 Part 2, section 4.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, cast

from lxml import etree

from bridge.contract.model import XSD, Facets, SimpleType

Prefixes: TypeAlias = "Mapping[str | None, str]"
"""Namespaces in scope by prefix, None for the default one: what QName values are read with."""

_PREFIX = "built-in"  # no schema author's prefix, so that it never shadows one an enumeration of QNames needs

_FACET_OF = {
    "SCHEMAV_CVC_DATATYPE_VALID_1_2_1": "type",
    "SCHEMAV_CVC_DATATYPE_VALID_1_2_2": "type",
    "SCHEMAV_CVC_DATATYPE_VALID_1_2_3": "union",
    "SCHEMAV_CVC_ENUMERATION_VALID": "enumeration",
    "SCHEMAV_CVC_LENGTH_VALID": "length",
    "SCHEMAV_CVC_MINLENGTH_VALID": "min-length",
    "SCHEMAV_CVC_MAXLENGTH_VALID": "max-length",
    "SCHEMAV_CVC_MININCLUSIVE_VALID": "min-inclusive",
    "SCHEMAV_CVC_MINEXCLUSIVE_VALID": "min-exclusive",
    "SCHEMAV_CVC_MAXINCLUSIVE_VALID": "max-inclusive",
    "SCHEMAV_CVC_MAXEXCLUSIVE_VALID": "max-exclusive",
    "SCHEMAV_CVC_TOTALDIGITS_VALID": "total-digits",
    "SCHEMAV_CVC_FRACTIONDIGITS_VALID": "fraction-digits",
    "SCHEMAV_CVC_PATTERN_VALID": "pattern",
}
_SAID_FIRST = (*(facet for facet in _FACET_OF.values() if facet not in ("union", "type")), "union", "type")
"""Which of several broken facets is reported: the one that tells the sender most."""

_UNCHECKED = {"string", "anySimpleType"}


@dataclass(frozen=True, slots=True)
class Breach:
    """The rule that a value breaks: `facet` names it, `type` is the simple type that holds it.

    For the item of a list, `type` is the item's, `value` the item's text and `item` its number (1-based).
    """

    facet: str
    type: SimpleType
    value: str
    item: int | None = None


class Leaves:
    """Judges leaf values by their simple types; one schema per type, made on first use. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # By identity, because hashing a type with 300 enumerations costs more than validating a value; the type
        # itself is kept, so that its id is not given to another.
        self._schemas: dict[int, tuple[SimpleType, etree.XMLSchema | None]] = {}
        self._single: dict[tuple[int, int], SimpleType] = {}

    def valid(self, simple: SimpleType, text: str, prefixes: Prefixes | None = None) -> bool:
        """Whether `text`, as it stands in the document, is a value of the type."""
        if not simple.steps and simple.variety == "atomic" and simple.builtin in _UNCHECKED:
            return True
        schema = self._schema(simple)
        try:
            return schema is None or schema.validate(_leaf(text, prefixes))
        except ValueError:  # a character that no XML document can hold
            return False

    def breach(self, simple: SimpleType, text: str, prefixes: Prefixes | None = None) -> Breach | None:
        """The rule that `text` breaks, or None when it is a value of the type."""
        if self.valid(simple, text, prefixes):
            return None
        if simple.variety == "list" and simple.item is not None:
            for number, value in enumerate(normalise(simple, text).split(), 1):
                inner = self.breach(simple.item, value, prefixes)
                if inner is not None:
                    return replace(inner, item=number)
        facet = self._facet(simple, text, prefixes)
        return Breach(facet, simple, normalise(simple, text))

    def broken_patterns(self, simple: SimpleType, text: str) -> tuple[str, ...]:
        """The patterns of the first step that `text` does not match; within a step they are alternatives."""
        for number, step in enumerate(simple.steps):
            if not step.patterns:
                continue
            key = (id(simple), number)
            single = self._single.get(key)
            if single is None:
                only = Facets(patterns=step.patterns)
                single = self._single.setdefault(key, replace(simple, steps=(only,)))
            if not self.valid(single, text):
                return step.patterns
        return ()

    def _facet(self, simple: SimpleType, text: str, prefixes: Prefixes | None) -> str:
        schema = self._schema(simple)
        if schema is None:
            return "type"
        with self._lock:  # the log of a shared instance mixes the entries of threads
            schema.validate(_leaf(text, prefixes))
            facets = {
                _FACET_OF.get(entry.type_name, "type") for entry in cast("Iterable[Any]", schema.error_log)
            }
        return next((facet for facet in _SAID_FIRST if facet in facets), "type")

    def _schema(self, simple: SimpleType) -> etree.XMLSchema | None:
        known = self._schemas.get(id(simple))
        if known is None:
            known = self._schemas.setdefault(id(simple), (simple, _compile(simple)))
        return known[1]


def normalise(simple: SimpleType, text: str) -> str:
    """The text after the type's white space rule (Part 2, section 4.3.6)."""
    if simple.variety == "atomic" and simple.white_space != "collapse":
        if simple.white_space == "preserve":
            return text
        return text.translate(_TO_SPACE)
    # str.split() without argument would also drop U+00A0 and U+3000, which XML does not count as white space.
    return " ".join(part for part in text.translate(_TO_SPACE).split(" ") if part)


_TO_SPACE = str.maketrans("\t\n\r", "   ")


def _leaf(text: str, prefixes: Prefixes | None) -> etree._Element:
    # lxml keeps `v` without a namespace even under a default one, which the tree can say and text could not.
    element = etree.Element("v", nsmap=cast("dict[str, str]", dict(prefixes or {})))
    element.text = text
    return element


def _compile(simple: SimpleType) -> etree.XMLSchema | None:
    """The schema that judges the type; None when libxml2 cannot make one, and then only its own verdict counts."""
    root = etree.Element(f"{{{XSD}}}schema", nsmap={_PREFIX: XSD})
    declaration = etree.SubElement(root, f"{{{XSD}}}element", name="v")
    if not simple.steps and simple.variety == "atomic" and not _own_white_space(simple):
        declaration.set("type", _builtin(simple))
    else:
        declaration.append(_simple_type(simple))
    try:
        return etree.XMLSchema(root)
    except etree.XMLSchemaParseError:
        return None


def _simple_type(simple: SimpleType) -> etree._Element:
    node = _new("simpleType", simple)
    if simple.variety == "list":
        etree.SubElement(node, f"{{{XSD}}}list").append(_simple_type(simple.item or _ANY))
    elif simple.variety == "union":
        etree.SubElement(node, f"{{{XSD}}}union").extend(_simple_type(member) for member in simple.members)
    else:
        step = etree.SubElement(node, f"{{{XSD}}}restriction", base=_builtin(simple))
        if _own_white_space(simple):
            etree.SubElement(step, f"{{{XSD}}}whiteSpace", value=simple.white_space)
    for facets in simple.steps:
        narrower = _new("simpleType", simple)
        step = etree.SubElement(narrower, f"{{{XSD}}}restriction")
        step.append(node)
        for name, value in _written(facets):
            etree.SubElement(step, f"{{{XSD}}}{name}", value=value)
        node = narrower
    return node


_ANY = SimpleType(name=None, builtin="string", white_space="collapse")


def _new(local: str, simple: SimpleType) -> etree._Element:
    nsmap: dict[Any, str] = {prefix or None: uri for prefix, uri in simple.namespaces if prefix != "xml"}
    return etree.Element(f"{{{XSD}}}{local}", nsmap={_PREFIX: XSD, **nsmap})


def _builtin(simple: SimpleType) -> str:
    # A NOTATION needs its declarations, which are not here; a value of it is written as a QName.
    return f"{_PREFIX}:{'QName' if simple.builtin == 'NOTATION' else simple.builtin}"


def _own_white_space(simple: SimpleType) -> bool:
    kept = {"string": "preserve", "normalizedString": "replace"}.get(simple.builtin)
    return kept is not None and kept != simple.white_space


def _written(facets: Facets) -> list[tuple[str, str]]:
    found = [("enumeration", value) for value in facets.enumeration]
    found.extend(("pattern", value) for value in facets.patterns)
    for name, value in (
        ("length", facets.length),
        ("minLength", facets.min_length),
        ("maxLength", facets.max_length),
        ("totalDigits", facets.total_digits),
        ("fractionDigits", facets.fraction_digits),
        ("minInclusive", facets.min_inclusive),
        ("minExclusive", facets.min_exclusive),
        ("maxInclusive", facets.max_inclusive),
        ("maxExclusive", facets.max_exclusive),
    ):
        if value is not None:
            found.append((name, str(value)))
    return found
