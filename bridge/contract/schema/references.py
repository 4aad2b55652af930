"""Whether a message can hold references to identifiers (IDREF), which libxml2 does not follow.

Answered once per element, so that only messages that can hold one pay for the look.

Source: XML Schema 1.0 Part 1, section 3.15.4 (every IDREF needs its ID in the document).
"""

from __future__ import annotations

from bridge.contract.model import ComplexType, ElementDecl, Group, Model, Particle, SimpleType


def reachable(model: Model, element_name: str) -> bool:
    """Whether an IDREF may stand anywhere in the element, whatever types and substitutes it chooses."""
    seen: set[str] = set()
    waiting: list[ElementDecl] = [model.element(element_name)]
    while waiting:
        declaration = waiting.pop()
        standing = model.substitutes(declaration.name) if declaration.is_global else (declaration,)
        for actual in (model.type(other.type) for other in standing):
            if isinstance(actual, SimpleType):
                if _refers(actual):
                    return True
                continue
            for complex_type in _with_derived(model, actual):
                if complex_type.identity in seen:
                    continue
                seen.add(complex_type.identity)
                if any(_refers(use.type) for use in complex_type.attributes):
                    return True
                if complex_type.simple is not None and _refers(complex_type.simple):
                    return True
                waiting.extend(_elements(complex_type.particle))
    return False


def _with_derived(model: Model, actual: ComplexType) -> list[ComplexType]:
    found = [actual]
    for name in model.derived(actual.name) if actual.name is not None else ():
        derived = model.type(name)
        if isinstance(derived, ComplexType):
            found.append(derived)
    return found


def _refers(simple: SimpleType) -> bool:
    if simple.variety == "list":
        return simple.item is not None and _refers(simple.item)
    return simple.builtin == "IDREF" or any(_refers(member) for member in simple.members)


def _elements(particle: Particle | None) -> list[ElementDecl]:
    if particle is None:
        return []
    if isinstance(particle.term, ElementDecl):
        return [particle.term]
    if isinstance(particle.term, Group):
        return [found for inner in particle.term.particles for found in _elements(inner)]
    return []
