"""A complex type's content model → the fields of its class, and the order in which they are written.

Elements become fields; a choice becomes optional fields; what repeats as a group becomes one field that holds an ordered
list of `(name, value)`; a wildcard becomes a list of detached lxml elements. A model in which one name stands at two
places that can both occur keeps its order only as a list, and so the whole content becomes that list.

Source: XML Schema 1.0 Part 1, 3.8 (model groups), 3.10 (wildcards), 3.8.6 (the same name has the same type).
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from bridge.contract.model import (
    ANY_TYPE,
    AttributeUse,
    ComplexType,
    ElementDecl,
    Group,
    Model,
    Particle,
    Wildcard,
)

Kind = Literal["element", "wildcard", "items", "attribute", "text", "any_attribute"]


@dataclass(slots=True, eq=False)
class Field:
    """One field of a class.

    `items` (a repeating group, or mixed content) maps the XML name of each element admitted to its declaration;
    `wildcards` are those admitted there, or the one of a wildcard field. `mixed` items hold text as well.
    """

    name: str
    kind: Kind
    repeated: bool = False
    declaration: ElementDecl | None = None
    use: AttributeUse | None = None
    items: dict[str, ElementDecl] = field(default_factory=dict)
    wildcards: tuple[Wildcard, ...] = ()
    mixed: bool = False

    @property
    def xml_name(self) -> str:
        """`local` or `@local` in Clark form; "" for what has no name of its own."""
        if self.declaration is not None:
            return self.declaration.name
        return f"@{self.use.name}" if self.use is not None else ""

    def item_name(self, tag: str) -> str:
        """What an item is called in the list: its local name, or the Clark name where two share the local one."""
        local = tag.rpartition("}")[2]
        same = sum(1 for name in self.items if name.rpartition("}")[2] == local)
        return local if same == 1 else tag

    def item_declaration(self, name: str) -> ElementDecl | None:
        """The declaration of an item called `name`."""
        if name in self.items:
            return self.items[name]
        return next((decl for tag, decl in self.items.items() if self.item_name(tag) == name), None)


@dataclass(frozen=True, slots=True)
class Sequence:
    """Written one after the other; read in any order unless `ordered` (xs:all)."""

    parts: tuple[Plan, ...]
    ordered: bool = True


@dataclass(frozen=True, slots=True)
class Choice:
    """Exactly one is written: the one whose fields are set."""

    parts: tuple[Plan, ...]


Plan: TypeAlias = "Field | Sequence | Choice"


@dataclass(frozen=True, slots=True)
class Layout:
    """The fields of a type, those of its base class first, and the plan of its content."""

    fields: tuple[Field, ...]
    inherited: int
    plan: Sequence
    base: str | None
    """The type whose class is the base class; None where nothing is inherited."""

    def of_kind(self, *kinds: Kind) -> tuple[Field, ...]:
        return tuple(f for f in self.fields if f.kind in kinds)


class _Ambiguous(Exception):
    """One name at two places that can both occur."""


class Layouts:
    """The layout of every complex type of a model, made on first use."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._known: dict[str, Layout] = {}

    def of(self, complex_type: ComplexType) -> Layout:
        known = self._known.get(complex_type.identity)
        if known is None:
            known = self._known.setdefault(complex_type.identity, self._make(complex_type))
        return known

    def _make(self, own: ComplexType) -> Layout:
        base = self._base(own)
        inherited = self.of(base) if base is not None else None
        try:
            return self._build(own, base, inherited)
        except _Ambiguous:
            return self._as_list(own, None, None)

    def _base(self, own: ComplexType) -> ComplexType | None:
        if own.base is None or own.base == ANY_TYPE:
            return None
        base = self._model.type(own.base)
        return base if isinstance(base, ComplexType) else None

    def _build(self, own: ComplexType, base: ComplexType | None, inherited: Layout | None) -> Layout:
        if own.content == "mixed":
            return self._as_list(own, base, inherited)
        maker = _Maker(inherited.fields if inherited is not None else ())
        if own.derivation == "extension" and inherited is not None:
            parts: list[Plan] = [inherited.plan]
            if own.own_particle is not None:
                parts.append(maker.plan(own.own_particle))
            plan = Sequence(tuple(parts))
            self._refuse_repeats(plan)
        else:
            maker.restricting = inherited is not None
            plan = Sequence((maker.plan(own.particle),) if own.particle is not None else ())
            self._refuse_repeats(plan)
        return self._finish(own, base, inherited, maker, plan)

    def _refuse_repeats(self, plan: Plan) -> set[str]:
        """The names an element may have that fills one of the fields.

        Raises _Ambiguous where a name can come from two places of one document.
        """
        if isinstance(plan, Field):
            if plan.kind == "wildcard":
                return {f"wildcard {plan.name}"}
            declared = plan.items.values() if plan.declaration is None else (plan.declaration,)
            return {name for declaration in declared for name in self._called(declaration)}
        names: set[str] = set()
        for part in plan.parts:
            inner = self._refuse_repeats(part)
            if isinstance(plan, Sequence) and names & inner:
                raise _Ambiguous
            names |= inner
        return names

    def _called(self, declaration: ElementDecl) -> Iterator[str]:
        """The names under which an element may stand: its own, and those of its substitutes."""
        yield declaration.name
        if declaration.is_global:
            yield from (other.name for other in self._model.substitutes(declaration.name))

    def _as_list(self, own: ComplexType, base: ComplexType | None, inherited: Layout | None) -> Layout:
        """The whole content as one ordered list: mixed content, or names that stand at several places."""
        maker = _Maker(inherited.fields if inherited is not None else ())
        known = next((f for f in maker.fields if f.kind == "items" and f.mixed), None)
        content = Field("content", "items", repeated=True, mixed=own.content == "mixed")
        if own.particle is not None:
            for term in _terms(own.particle):
                if isinstance(term, Wildcard):
                    content.wildcards += (term,)
                else:
                    content.items.setdefault(term.name, term)
        if known is None:
            maker.add(content, "content")
        else:
            content.name = known.name
            maker.fields[maker.fields.index(known)] = content
        return self._finish(own, base, inherited, maker, Sequence((content,)))

    def _finish(
        self,
        own: ComplexType,
        base: ComplexType | None,
        inherited: Layout | None,
        maker: _Maker,
        plan: Sequence,
    ) -> Layout:
        if own.content == "simple" and not any(f.kind == "text" for f in maker.fields):
            maker.add(Field("value", "text"), "value")
        for use in own.attributes:
            maker.attribute(use)
        if own.any_attribute is not None and not any(f.kind == "any_attribute" for f in maker.fields):
            maker.add(Field("", "any_attribute"), "any_attributes")
        return Layout(
            fields=tuple(maker.fields),
            inherited=len(inherited.fields) if inherited is not None else 0,
            plan=plan,
            base=base.identity if base is not None else None,
        )


class _Maker:
    """Walks a particle and makes the fields it needs, each with a name that no other has."""

    def __init__(self, inherited: Iterable[Field]) -> None:
        self.fields = list(inherited)
        self._inherited = len(self.fields)
        self.restricting = False

    def add(self, new: Field, xml_name: str) -> Field:
        new.name = python_name(xml_name, {f.name for f in self.fields})
        self.fields.append(new)
        return new

    def plan(self, particle: Particle) -> Plan:
        term, repeated = particle.term, particle.max_occurs != 1
        if isinstance(term, ElementDecl):
            return self._element(term, repeated)
        if isinstance(term, Wildcard):
            return self._wildcard(term)
        if repeated:
            return self._repeated(term)
        if term.kind == "choice":
            return Choice(tuple(self.plan(p) for p in term.particles))
        return Sequence(tuple(self.plan(p) for p in term.particles), ordered=term.kind == "sequence")

    def _element(self, declaration: ElementDecl, repeated: bool) -> Field:
        known = next((f for f in self.fields if f.kind == "element" and f.xml_name == declaration.name), None)
        if known is None:
            return self.add(Field("", "element", repeated, declaration), declaration.name)
        if self.fields.index(known) < self._inherited and (repeated > known.repeated or not self.restricting):
            raise _Ambiguous
        if self.fields.index(known) < self._inherited:
            return self._narrow(known, Field(known.name, "element", known.repeated, declaration))
        known.repeated |= repeated
        return known

    def attribute(self, use: AttributeUse) -> None:
        """A field for an attribute, in place of the one inherited where a restriction says it anew."""
        known = next((f for f in self.fields if f.use is not None and f.use.name == use.name), None)
        if known is None:
            self.add(Field("", "attribute", use=use), use.name)
        elif known.use != use:
            self._narrow(known, Field(known.name, "attribute", use=use))

    def _narrow(self, inherited: Field, own: Field) -> Field:
        """Put the restricting type's own field where the inherited one stands: same name, narrower type."""
        self.fields[self.fields.index(inherited)] = own
        return own

    def _wildcard(self, wildcard: Wildcard) -> Field:
        return self.add(Field("", "wildcard", repeated=True, wildcards=(wildcard,)), "any")

    def _repeated(self, group: Group) -> Plan:
        """A group that repeats; one element alone in it is simply an element that repeats."""
        if len(group.particles) == 1:
            term = group.particles[0].term
            if isinstance(term, ElementDecl):
                return self._element(term, True)
            if isinstance(term, Wildcard):
                return self._wildcard(term)
        new = Field("", "items", repeated=True)
        for term in _terms(Particle(group)):
            if isinstance(term, Wildcard):
                new.wildcards += (term,)
            else:
                new.items.setdefault(term.name, term)
        return self.add(new, group.name or ("choice" if group.kind == "choice" else "items"))


def _terms(particle: Particle) -> Iterator[ElementDecl | Wildcard]:
    if isinstance(particle.term, Group):
        for inner in particle.term.particles:
            yield from _terms(inner)
    else:
        yield particle.term


_NOT_IDENTIFIER = re.compile(r"\W")


def python_name(xml_name: str, taken: set[str]) -> str:
    """The local name; a trailing `_` for a keyword, a name that is no identifier, or one already taken."""
    local = xml_name.rpartition("}")[2]
    # Python reads identifiers in this form (NFKC), XML keeps names as they are written.
    name = _NOT_IDENTIFIER.sub("_", unicodedata.normalize("NFKC", local))
    if name != local or keyword.iskeyword(name) or name.startswith("__") or name in RESERVED:
        name += "_"
    if not name.isidentifier():
        name = f"_{name}"
    while name in taken:
        name += "_"
    return name


RESERVED = frozenset({"xml_type", "xml_names"})
"""Names that every value class has of its own."""
