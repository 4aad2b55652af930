"""The built-in datatypes as SimpleTypes, and anyType (XML Schema 1.0 Part 2 section 3, Part 1 section 3.4.7)."""

from __future__ import annotations

from bridge.contract.model import (
    ANY_SIMPLE_TYPE,
    ANY_TYPE,
    XSD,
    ComplexType,
    Facets,
    Group,
    Particle,
    SimpleType,
    WhiteSpace,
    Wildcard,
)

ANY_TYPE_DEFINITION = ComplexType(
    name=ANY_TYPE,
    identity=ANY_TYPE,
    content="mixed",
    particle=Particle(Group(kind="sequence", particles=(Particle(Wildcard(process="lax"), 0, None),))),
    any_attribute=Wildcard(process="lax"),
)

# Every other built-in is atomic, collapses white space, and is its own nearest built-in.
_PRESERVED: dict[str, WhiteSpace] = {
    "string": "preserve",
    "anySimpleType": "preserve",
    "normalizedString": "replace",
}

_PARENTS = {
    "normalizedString": "string",
    "token": "normalizedString",
    "language": "token",
    "Name": "token",
    "NMTOKEN": "token",
    "NCName": "Name",
    "ID": "NCName",
    "IDREF": "NCName",
    "ENTITY": "NCName",
    "integer": "decimal",
    "nonPositiveInteger": "integer",
    "negativeInteger": "nonPositiveInteger",
    "long": "integer",
    "int": "long",
    "short": "int",
    "byte": "short",
    "nonNegativeInteger": "integer",
    "unsignedLong": "nonNegativeInteger",
    "unsignedInt": "unsignedLong",
    "unsignedShort": "unsignedInt",
    "unsignedByte": "unsignedShort",
    "positiveInteger": "nonNegativeInteger",
}

_PRIMITIVES = (
    "anySimpleType string boolean decimal float double duration dateTime time date gYearMonth gYear gMonthDay gDay "
    "gMonth hexBinary base64Binary anyURI QName NOTATION"
).split()

_LISTS = {"NMTOKENS": "NMTOKEN", "IDREFS": "IDREF", "ENTITIES": "ENTITY"}


def _builtins() -> dict[str, SimpleType]:
    types = {
        f"{{{XSD}}}{local}": SimpleType(
            name=f"{{{XSD}}}{local}", builtin=local, white_space=_PRESERVED.get(local, "collapse")
        )
        for local in (*_PRIMITIVES, *_PARENTS)
    }
    for local, item in _LISTS.items():
        types[f"{{{XSD}}}{local}"] = SimpleType(
            name=f"{{{XSD}}}{local}",
            variety="list",
            item=types[f"{{{XSD}}}{item}"],
            steps=(Facets(min_length=1),),
        )
    return types


BUILTINS: dict[str, SimpleType] = _builtins()
"""Clark name → type, every built-in of XML Schema 1.0."""


def builtin_base(name: str) -> str | None:
    """The built-in type that the named built-in is derived from; None at the root."""
    local = name.removeprefix(f"{{{XSD}}}")
    if name == ANY_TYPE:
        return None
    if local in _PARENTS:
        return f"{{{XSD}}}{_PARENTS[local]}"
    return ANY_TYPE if name == ANY_SIMPLE_TYPE else ANY_SIMPLE_TYPE
