"""Which values a business object may have, and must: what a mapping is proved against.

A shape is read from a WSDL message (`shape_of`) or from a partner's file (`bridge.partners.entities`); whoever holds one need
not know which.

| kind | Python values |
|---|---|
| text | str |
| integer, decimal | int, Decimal (and int) |
| boolean | bool |
| date, datetime, time | date, datetime, time; as XML admits more than Python, also the codec's own types |
| binary | bytes |
| object | dict, or an instance of the codec's class |
| any | whatever the codec takes |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal

from bridge.contract.codec.fields import Field as CodecField
from bridge.contract.model import (
    ANY_TYPE,
    ComplexType,
    Documentation,
    ElementDecl,
    Group,
    Particle,
    SimpleType,
    TypeRef,
)
from bridge.contract.stubs.annotations import is_certain
from bridge.once import made_once

if TYPE_CHECKING:
    from bridge.contract import Contract, Operation

Kind = Literal["text", "integer", "decimal", "boolean", "date", "datetime", "time", "binary", "object", "any"]

_INTEGERS: Final = frozenset(
    "integer nonPositiveInteger negativeInteger long int short byte nonNegativeInteger unsignedLong unsignedInt unsignedShort "
    "unsignedByte positiveInteger".split()
)
_KINDS: Final[Mapping[str, Kind]] = {
    "decimal": "decimal",
    "float": "decimal",
    "double": "decimal",
    "boolean": "boolean",
    "date": "date",
    "dateTime": "datetime",
    "time": "time",
    "base64Binary": "binary",
    "hexBinary": "binary",
    "anySimpleType": "any",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a shape.

    Args:
        name: as values have it.
        required: a value must be there, wherever the object around it is.
        repeats: the value is a list.
        nillable: None may be written for "there is none" (XML: xsi:nil), which is not the same as being left out.
        one_of: the only values there are; empty: any.
        shortest, longest: characters of a text.
        digits, fraction: of a decimal, all in all and behind the point.
        least, most: of a number, both ends included.
        default: what is taken where it is left out.
        shape: of an object.
        zone: of a datetime that comes without one, by its IANA name.
        documentation: by language.
        place: where it was declared, `file:line`.
    """

    name: str
    kind: Kind
    required: bool = False
    repeats: bool = False
    nillable: bool = False
    one_of: tuple[str, ...] = ()
    shortest: int | None = None
    longest: int | None = None
    digits: int | None = None
    fraction: int | None = None
    least: Decimal | None = None
    most: Decimal | None = None
    default: str | None = None
    shape: Shape | None = None
    zone: str = ""
    documentation: Mapping[str, str] = field(default_factory=dict)
    place: str = ""


@dataclass(frozen=True, slots=True)
class Alternatives:
    """A choice: of `parts`, each the names that go together, one may be set, and must where `needed`."""

    parts: tuple[tuple[str, ...], ...]
    needed: bool


class Shape:
    """The fields of an object, by name and in their order; read when they are first asked for, so that a type may hold itself.

    `name` is for people: the entity, or the operation's element.
    """

    def __init__(
        self,
        name: str,
        fields: Mapping[str, Field] | Callable[[], Mapping[str, Field]],
        choices: tuple[Alternatives, ...] | Callable[[], tuple[Alternatives, ...]] = (),
    ) -> None:
        self.name = name
        self._fields = fields
        self._choices = choices

    def __repr__(self) -> str:
        return f"<Shape {self.name}>"

    @made_once
    def fields(self) -> Mapping[str, Field]:
        return self._fields() if callable(self._fields) else self._fields

    @made_once
    def choices(self) -> tuple[Alternatives, ...]:
        return self._choices() if callable(self._choices) else self._choices

    def find(self, path: str) -> Field | None:
        """The field at `order/line/sku`; None where there is none."""
        shape: Shape | None = self
        found = None
        for name in path.split("/"):
            found = None if shape is None else shape.fields.get(name)
            if found is None:
                return None
            shape = found.shape
        return found


def shape_of(
    contract: Contract, operation: Operation, message: Literal["input", "output"] = "input"
) -> Shape:
    """The shape of what an operation takes or gives: that of its payload's content, as handlers get it.

    Raises:
        KeyError: that message is empty, or holds a simple value.
    """
    element = operation.input if message == "input" else operation.output
    if element is None:
        raise KeyError(f"{operation.key} has no {message}")
    reader = _Reader(contract)
    declaration = contract.model.element(element)
    shape = reader.shape(declaration.type, element.rpartition("}")[2])
    if shape is None:
        raise KeyError(f"the {message} of {operation.key} is a simple value")
    return shape


class _Reader:
    """Shapes of a contract's types, each made once: by identity, as types hold each other."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._known: dict[str, Shape] = {}

    def shape(self, ref: TypeRef, name: str) -> Shape | None:
        """None for a simple type, and for one that may hold anything."""
        found = self._contract.model.type(ref)
        if not isinstance(found, ComplexType) or found.name == ANY_TYPE:
            return None
        known = self._known.get(found.identity)
        if known is None:
            known = Shape(name, lambda: self._fields(found), lambda: self._choices(found))
            self._known[found.identity] = known
        return known

    def _fields(self, owner: ComplexType) -> dict[str, Field]:
        layout = self._contract.codec.layout_of(owner)
        return {found.name: self._field(found, owner) for found in layout.fields}

    def _field(self, found: CodecField, owner: ComplexType) -> Field:
        if found.kind == "text":
            assert owner.simple is not None
            return _simple(found.name, owner.simple, required=True)
        if found.use is not None:
            default = found.use.default if found.use.default is not None else found.use.fixed
            return _simple(
                found.name,
                found.use.type,
                required=found.use.required,
                default=default,
                documentation=found.use.documentation,
            )
        if found.declaration is None:
            return Field(name=found.name, kind="any", repeats=found.repeated)
        return self._element(found, found.declaration, owner)

    def _element(self, found: CodecField, declaration: ElementDecl, owner: ComplexType) -> Field:
        common: dict[str, Any] = {
            "required": is_certain(found, owner),
            "repeats": found.repeated,
            "nillable": declaration.nillable,
        }
        place = "" if declaration.source is None else f"{declaration.source.file}:{declaration.source.line}"
        resolved = self._contract.model.type(declaration.type)
        if isinstance(resolved, SimpleType):
            default = declaration.default if declaration.default is not None else declaration.fixed
            documentation = declaration.documentation
            return _simple(
                found.name, resolved, default=default, documentation=documentation, place=place, **common
            )
        shape = self.shape(declaration.type, found.name)
        return Field(
            name=found.name,
            kind="any" if shape is None else "object",
            shape=shape,
            documentation=_by_language(declaration.documentation),
            place=place,
            **common,
        )

    def _choices(self, owner: ComplexType) -> tuple[Alternatives, ...]:
        layout = self._contract.codec.layout_of(owner)
        names = {found.xml_name: found.name for found in layout.fields if found.kind == "element"}
        return tuple(_choices(owner.particle, names, needed=True))


def _choices(particle: Particle | None, names: Mapping[str, str], *, needed: bool) -> Iterator[Alternatives]:
    """The choices of a content model, outermost first; of what repeats as a group the codec makes a list, and no field."""
    if particle is None or not isinstance(particle.term, Group) or particle.max_occurs != 1:
        return
    needed = needed and particle.min_occurs > 0
    group = particle.term
    if group.kind == "choice":
        parts = tuple(
            tuple(names[one] for one in _elements(part) if one in names) for part in group.particles
        )
        empty = any(part.min_occurs == 0 for part in group.particles)
        yield Alternatives(tuple(part for part in parts if part), needed=needed and not empty)
        needed = False
    for part in group.particles:
        yield from _choices(part, names, needed=needed)


def _elements(particle: Particle) -> list[str]:
    if isinstance(particle.term, ElementDecl):
        return [particle.term.name]
    if isinstance(particle.term, Group):
        return [name for part in particle.term.particles for name in _elements(part)]
    return []


def _simple(
    name: str,
    simple: SimpleType,
    *,
    required: bool = False,
    repeats: bool = False,
    nillable: bool = False,
    default: str | None = None,
    documentation: tuple[Documentation, ...] = (),
    place: str = "",
) -> Field:
    kind: Kind = "text"
    if simple.variety == "union":
        kind = "any"
    elif simple.variety == "atomic":
        kind = "integer" if simple.builtin in _INTEGERS else _KINDS.get(simple.builtin, "text")
    limits = _limits(simple)
    return Field(
        name=name,
        kind=kind,
        required=required,
        repeats=repeats or simple.variety == "list",
        nillable=nillable,
        one_of=simple.enumeration if simple.variety == "atomic" else (),
        default=default,
        documentation=_by_language(documentation or simple.documentation),
        place=place,
        **limits,
    )


def _limits(simple: SimpleType) -> dict[str, Any]:
    """The narrowest of each facet over all restriction steps; inherited ones hold too."""
    found: dict[str, Any] = {}
    steps = simple.steps if simple.variety == "atomic" else ()

    def narrow(name: str, value: Any, choose: Callable[[Any, Any], Any]) -> None:
        if value is not None:
            found[name] = value if name not in found else choose(found[name], value)

    for step in steps:
        narrow("shortest", step.length if step.length is not None else step.min_length, max)
        narrow("longest", step.length if step.length is not None else step.max_length, min)
        narrow("digits", step.total_digits, min)
        narrow("fraction", step.fraction_digits, min)
        if simple.builtin == "decimal" or simple.builtin in _INTEGERS:
            narrow("least", _decimal(step.min_inclusive), max)
            narrow("most", _decimal(step.max_inclusive), min)
    return found


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _by_language(documentation: tuple[Documentation, ...]) -> dict[str, str]:
    return {one.language: one.text for one in reversed(documentation)}
