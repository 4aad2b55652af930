"""Where a contract has a field, and whether a message may be without it.

A path names local names; the contract knows more: types that `xsi:type` may put in the place of the declared one, elements that stand
for the head of a substitution group. A path means all of them, so that no other spelling of a message shows what is hidden.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from bridge.contract.model import (
    ANY_TYPE,
    AttributeUse,
    ComplexType,
    ElementDecl,
    Group,
    Model,
    Particle,
    TypeRef,
)
from bridge.fields.path import FieldPath, local

How = Literal["leave out", "nil"]
"""leave out: the message is valid without it. nil: it stays as an empty element that says `xsi:nil`."""


@dataclass(frozen=True, slots=True)
class Place:
    """A field in messages of one element: for each step the names (Clark) that elements may have there, then those of the
    attribute. `how` it can be kept from a reader; None: it cannot, `why` says the reason."""

    steps: tuple[frozenset[str], ...]
    attributes: frozenset[str] | None
    how: How | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An element that may stand somewhere. `spare`: what is around it is valid without it."""

    element: ElementDecl
    spare: bool


def find(model: Model, element_name: str, path: FieldPath) -> Place | None:
    """The field in messages whose payload is the global element `element_name`; None where they have none."""
    types: list[TypeRef] = [model.element(element_name).type]
    steps: list[frozenset[str]] = []
    found: list[_Candidate] = []
    for step in path.steps:
        found = [one for known in _complex(model, types) for one in _named(model, known, step)]
        if not found:
            return None
        steps.append(frozenset(one.element.name for one in found))
        types = [one.element.type for one in found]
    if path.attribute is not None:
        return _attribute(model, types, tuple(steps), path.attribute)
    how, why = _how(model, found)
    return Place(tuple(steps), None, how, why)


def stand_ins(model: Model, element_name: str, path: FieldPath) -> list[str]:
    """Local names of elements that may stand where the path says another name: a reader of names alone misses them."""
    place = find(model, element_name, path)
    if place is None:
        return []
    names = {local(name) for step in place.steps for name in step}
    return sorted(names - set(path.steps))


def _complex(model: Model, types: Iterable[TypeRef]) -> list[ComplexType]:
    """These types, and those that xsi:type may put in their places."""
    names: dict[str, None] = {}
    found: list[ComplexType] = []
    for ref in types:
        if isinstance(ref, str):
            names[ref] = None
            # Everything is derived from anyType: what stands there is not the contract's to say.
            names.update(dict.fromkeys(() if ref == ANY_TYPE else model.derived(ref)))
        elif isinstance(ref, ComplexType):
            found.append(ref)
    known = (model.type(name) for name in names)
    return [*found, *(one for one in known if isinstance(one, ComplexType))]


def _named(model: Model, around: ComplexType, step: str) -> Iterator[_Candidate]:
    """The elements of a type that the step means: those of this name, and whatever may stand for them."""
    if around.particle is None:
        return
    for one in _elements(around.particle, spare=False):
        element = one.element
        if element.is_global:
            standing = [other for other in model.substitutes(element.name) if other.name != element.name]
        else:
            standing = []
        if local(element.name) == step:
            yield one
            yield from (_Candidate(other, one.spare) for other in standing)
        else:
            yield from (_Candidate(other, one.spare) for other in standing if local(other.name) == step)


def _elements(particle: Particle, *, spare: bool) -> Iterator[_Candidate]:
    """The elements below a particle. `spare`: what is around is valid without it."""
    spare = spare or particle.min_occurs == 0
    term = particle.term
    if isinstance(term, ElementDecl):
        yield _Candidate(term, spare)
    elif isinstance(term, Group):
        for inner in term.particles:
            others = [other for other in term.particles if other is not inner]
            if term.kind == "choice":
                alone = spare or any(map(_may_be_empty, others))
            else:
                # Left out of a sequence that need not be there, the rest of that sequence would be there without it.
                alone = spare and not others
            yield from _elements(inner, spare=alone)


def _may_be_empty(particle: Particle) -> bool:
    term = particle.term
    if particle.min_occurs == 0:
        return True
    if not isinstance(term, Group):
        return False
    test = any if term.kind == "choice" and term.particles else all
    return test(map(_may_be_empty, term.particles))


def _how(model: Model, found: list[_Candidate]) -> tuple[How | None, str]:
    if all(one.spare for one in found):
        return "leave out", ""
    fast = [one.element for one in found if not one.element.nillable]
    if fast:
        return None, f"the contract demands {local(fast[0].name)}, which is neither optional nor nillable"
    for one in found:
        if one.element.fixed is not None:
            return None, f"{local(one.element.name)} has a fixed value and cannot be null"
        for known in _complex(model, [one.element.type]):
            if any(use.required for use in known.attributes):
                return (
                    None,
                    f"{local(one.element.name)} has attributes that the contract demands, also where it is null",
                )
    return "nil", ""


def _attribute(
    model: Model, types: list[TypeRef], steps: tuple[frozenset[str], ...], name: str
) -> Place | None:
    uses: list[AttributeUse] = [
        use for known in _complex(model, types) for use in known.attributes if local(use.name) == name
    ]
    if not uses:
        return None
    names = frozenset(use.name for use in uses)
    if any(use.required for use in uses):
        return Place(steps, names, None, f"the contract demands the attribute {name}")
    return Place(steps, names, "leave out")
