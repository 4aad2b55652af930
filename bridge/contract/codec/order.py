"""In which order the fields of a layout can stand in a document, and which are certain to stand there."""

from __future__ import annotations

from bridge.contract.codec.fields import Choice, Field, Plan
from bridge.contract.model import ElementDecl, Group, Particle


def document_order(plan: Plan) -> tuple[Field, ...] | None:
    """The fields in the order in which they can stand in a document, each once; None where there is no such order.

    Branches of a choice exclude each other, so any order among them serves, unless they share a field.
    """
    order: list[Field] = []

    def walk(part: Plan) -> bool:
        if isinstance(part, Field):
            if part in order:
                return False
            order.append(part)
            return True
        if isinstance(part, Choice) and any(not isinstance(p, Field) for p in part.parts):
            fields = [f for p in part.parts for f in _plan_fields(p)]
            if len(fields) != len(set(fields)):
                return False
        return all(walk(p) for p in part.parts)

    return tuple(order) if walk(plan) else None


def is_ordered(plan: Plan) -> bool:
    return isinstance(plan, Field) or (
        (isinstance(plan, Choice) or plan.ordered) and all(is_ordered(part) for part in plan.parts)
    )


def _plan_fields(plan: Plan) -> list[Field]:
    if isinstance(plan, Field):
        return [plan]
    return [f for part in plan.parts for f in _plan_fields(part)]


def certain_names(particle: Particle) -> frozenset[str]:
    """The elements that stand in every valid document exactly once."""
    if particle.min_occurs != 1 or particle.max_occurs != 1:
        return frozenset()
    if isinstance(particle.term, ElementDecl):
        return frozenset({particle.term.name})
    if isinstance(particle.term, Group) and particle.term.kind == "sequence":
        return frozenset().union(*(certain_names(inner) for inner in particle.term.particles))
    return frozenset()
