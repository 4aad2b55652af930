"""What a field holds, as an annotation: what a handler gets (`got`), and what it may give (`given`).

Given is wider than got: an int for a Decimal, a dict for an instance, a tuple for a list.
An xsi:type beside a simple value, which any sender may write, is in no annotation: such a value is a `TypedValue`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from bridge.contract.codec.fields import Field
from bridge.contract.codec.simple import in_white_space, scalar
from bridge.contract.model import ANY_TYPE, ComplexType, ElementDecl, Group, Particle, SimpleType
from bridge.contract.stubs.names import MOST_ENUMERATED, TypeNames

if TYPE_CHECKING:
    from bridge.contract import Contract


class Spelling(Protocol):
    """Says how a name is written at the place of an annotation: one of another module, or the stub's `own`."""

    def __call__(self, name: str, *, own: bool = False) -> str: ...


_GIVEN = {
    "Decimal": ("Decimal", "int"),
    "XsdDuration": ("timedelta", "str"),
    "bytes": ("bytes", "bytearray"),
    **dict.fromkeys(("XsdGYear", "XsdGYearMonth", "XsdGMonth", "XsdGMonthDay", "XsdGDay"), ("str",)),
}
"""What the codec takes for a Python type beside values of that very type."""


class Annotations:
    """Annotations for the fields and payloads of one contract, in the spelling that their place in the stub needs."""

    def __init__(self, contract: Contract, names: TypeNames) -> None:
        self._model = contract.model
        self._codec = contract.codec
        self._names = names

    # -- fields -----------------------------------------------------------------------------------------------

    def got(self, field: Field, owner: ComplexType, spelling: Spelling, *, certain: bool) -> str:
        """The annotation of an attribute of the class."""
        parts = self._parts(field, owner, spelling, given=False)
        if field.kind == "any_attribute":
            return f"{spelling('dict')}[{spelling('str')}, {spelling('str')}]"
        if field.repeated:
            return f"{spelling('list')}[{_union(parts)}]"
        return _union(parts if certain else [*parts, "None"])

    def given(self, field: Field, owner: ComplexType, spelling: Spelling, *, certain: bool) -> str:
        """The annotation of an entry of the TypedDict."""
        parts = self._parts(field, owner, spelling, given=True)
        if field.kind == "any_attribute":
            annotation = f"{spelling('Mapping')}[{spelling('str')}, {spelling('str')}]"
        elif field.repeated:
            annotation = _several(parts, spelling)
        else:
            annotation = _union(parts if certain else [*parts, "None"])
        return annotation if certain else f"{spelling('NotRequired')}[{annotation}]"

    def narrows(
        self, field: Field, owner: ComplexType, inherited: Field, base: ComplexType, spelling: Spelling
    ) -> bool:
        """Whether what a derived type's field holds is admitted by the annotation of the base class."""
        if field.kind == "items":
            parts = self._items(field, spelling, given=False)
            return inherited.kind == "items" and set(parts) <= set(
                self._items(inherited, spelling, given=False)
            )
        own, theirs = self._scalars(field, owner), self._scalars(inherited, base)
        return all(
            python in theirs
            or ("str" in theirs and python.startswith("Xsd"))
            or ("float" in theirs and python == "int")
            for python in own
        )

    def _scalars(self, field: Field, owner: ComplexType) -> set[str]:
        """The Python types of a field's simple value; none for a complex one."""
        simple: SimpleType | ComplexType | None = owner.simple if field.kind == "text" else None
        if field.use is not None:
            simple = field.use.type
        elif field.declaration is not None:
            simple = self._model.type(field.declaration.type)
        return set(scalar(simple).python.split(" | ")) if isinstance(simple, SimpleType) else set()

    def _parts(self, field: Field, owner: ComplexType, spelling: Spelling, *, given: bool) -> list[str]:
        if field.kind == "items":
            return self._items(field, spelling, given=given)
        if field.kind == "wildcard":
            return [spelling("XmlElement")]
        if field.use is not None:
            return self.simple(field.use.type, spelling, given=given)
        if field.declaration is not None:
            return self.element(field.declaration, spelling, given=given)
        return self.simple(owner.simple, spelling, given=given) if owner.simple is not None else []

    def _items(self, field: Field, spelling: Spelling, *, given: bool) -> list[str]:
        """Pairs of name and value; wildcards as elements, text between elements as it is."""
        parts = []
        for declaration in field.items.values():
            for member in self._names.standing_for(declaration):
                name = field.item_name(member.name) if member.name in field.items else member.name
                values = self._value(member, spelling, given=given)
                if given and any(value.endswith("Dict") for value in values):
                    # Among several pairs mypy does not find the TypedDict that a dict display is meant to be.
                    values.append(f"{spelling('Mapping')}[{spelling('str')}, {spelling('Any')}]")
                parts.append(f"{spelling('tuple')}[{spelling('Literal')}[{name!r}], {_union(values)}]")
        parts += [spelling("XmlElement")] if field.wildcards else []
        parts += [spelling("str")] if field.mixed else []
        return list(dict.fromkeys(parts)) or [spelling("Never")]

    # -- elements ---------------------------------------------------------------------------------------------

    def payload(self, name: str | None, spelling: Spelling, *, given: bool = False) -> str:
        """The annotation of a message, by the Clark name of its element; None for an empty Body."""
        if name is None:
            return "None"
        return _union(self._value(self._model.element(name), spelling, given=given))

    def element(self, declaration: ElementDecl, spelling: Spelling, *, given: bool) -> list[str]:
        """What an element's value may be, one annotation each."""
        members = self._names.standing_for(declaration)
        own = any(member.name == declaration.name for member in members)
        parts = self._value(declaration, spelling, given=given) if own else []
        if any(member.name != declaration.name for member in members):
            parts.append(spelling("Element"))
        return parts or [spelling("Never")]

    def _value(self, declaration: ElementDecl, spelling: Spelling, *, given: bool) -> list[str]:
        actual = self._model.type(declaration.type)
        if isinstance(actual, SimpleType):
            parts = self.simple(actual, spelling, given=given)
            if actual.builtin == "anySimpleType":
                parts.append(spelling("TypedValue"))
        elif actual.name == ANY_TYPE:
            parts = [spelling(name) for name in ("XmlElement", "ComplexValue", "TypedValue")]
        else:
            name = self._names.of(actual)
            parts = [spelling(one, own=True) for one in (name, *self._strangers(actual))]
            if given and not actual.abstract:
                parts.append(spelling(f"{name}Dict", own=True))
        return [*parts, spelling("Nil")] if declaration.nillable else parts

    def _strangers(self, declared: ComplexType) -> list[str]:
        """Derived types whose classes are no subclasses, because their content is a list and the base's is not."""
        if declared.name is None:
            return []
        derived = [self._model.type(name) for name in self._model.derived(declared.name)]
        return [
            self._names.of(other)
            for other in derived
            if isinstance(other, ComplexType) and not self._inherits(other, declared.identity)
        ]

    def _inherits(self, derived: ComplexType, base: str) -> bool:
        above: str | None = derived.identity
        while above is not None and above != base:
            found = self._model.type(above)
            above = self._codec.layout_of(found).base if isinstance(found, ComplexType) else None
        return above == base

    # -- simple types -----------------------------------------------------------------------------------------

    def simple(self, simple: SimpleType, spelling: Spelling, *, given: bool) -> list[str]:
        """What a simple value may be, one annotation each."""
        if simple.variety == "list":
            assert simple.item is not None
            parts = self.simple(simple.item, spelling, given=given)
            return [_several(parts, spelling) if given else f"{spelling('list')}[{_union(parts)}]"]
        if simple.variety == "union":
            members = [
                part for member in simple.members for part in self.simple(member, spelling, given=given)
            ]
            return list(dict.fromkeys(members)) or [spelling("str")]
        alias = self._names.of_enumeration(simple)
        if alias is not None and (given or literals(simple)):
            return [spelling(alias, own=True)]
        values = literals(simple)
        if values:
            return [f"{spelling('Literal')}[{', '.join(values)}]"]
        python = scalar(simple).python.split(" | ")
        if given:
            python = [wider for name in python for wider in _GIVEN.get(name, (name,))]
        return [spelling(name) for name in dict.fromkeys(python)]

    def alias(self, simple: SimpleType, spelling: Spelling) -> str:
        """What an enumeration's alias stands for."""
        values = literals(simple)
        if values:
            return f"{spelling('Literal')}[{', '.join(values)}]"
        return _union(spelling(name) for name in scalar(simple).python.split(" | "))


def literals(simple: SimpleType) -> list[str]:
    """The values of an enumeration as Python writes them; none where `Literal` cannot hold them, or they are too many."""
    found = scalar(simple)
    if found.scoped or found.python not in ("str", "int") or len(simple.enumeration) > MOST_ENUMERATED:
        return []
    texts = [in_white_space(simple, text) for text in simple.enumeration]
    return list(dict.fromkeys(repr(found.decode(text)) for text in texts))


def certain_names(particle: Particle | None) -> frozenset[str]:
    """The elements that stand in every valid document at least once."""
    if particle is None or particle.min_occurs == 0:
        return frozenset()
    if isinstance(particle.term, ElementDecl):
        return frozenset({particle.term.name})
    if isinstance(particle.term, Group):
        inner = [certain_names(part) for part in particle.term.particles]
        if particle.term.kind == "choice":
            return frozenset.intersection(*inner) if inner else frozenset()
        return frozenset().union(*inner)
    return frozenset()


def is_certain(field: Field, owner: ComplexType) -> bool:
    """Whether every valid value has it."""
    if field.use is not None:
        return field.use.required
    return field.kind == "text" or (
        field.kind == "element" and field.xml_name in certain_names(owner.particle)
    )


def _union(parts: Iterable[str]) -> str:
    return " | ".join(dict.fromkeys(parts))


def _several(parts: list[str], spelling: Spelling) -> str:
    """A list or a tuple of them. `Sequence` where that is the same: a str is a Sequence of str, and no list."""
    if spelling("str") in parts:
        union = _union(parts)
        return f"{spelling('list')}[{union}] | {spelling('tuple')}[{union}, ...]"
    return f"{spelling('Sequence')}[{_union(parts)}]"
