"""Salesforce Outbound Messaging: Salesforce calls us, by a WSDL that it generates for one kind of object.

    crm = bridge.listen("salesforce")          # hosts the WSDL of [partners.salesforce]

A partner of this kind tells of changes and can be asked nothing: it is the source of flows whose trigger is event. What it tells
comes at least once, in no order, in batches of up to 100 with one Ack for all, without deletes
(Salesforce, "Outbound Messaging: notifications() and the outbound message WSDL").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from bridge.errors import HandlerError, SettingsError
from bridge.mapping.shapes import Shape, shape_of
from bridge.partners.entities import Entity
from bridge.partners.partner import Page, Pong, Query, Totals, Written

if TYPE_CHECKING:
    from bridge.contract import Contract
    from bridge.delivery.sender import Document

OPERATION: Final = "notifications"
CHANGED: Final = ("SystemModstamp", "LastModifiedDate")
"""Fields with the moment of the last change, the better one first."""


def entity_of(contract: Contract) -> Entity:
    """The kind of object that the WSDL tells of.

    Raises:
        SettingsError: the WSDL is no outbound message's.
    """
    operation = contract.operations.get(OPERATION)
    told = None if operation is None else shape_of(contract, operation).find("Notification/sObject")
    if told is None or told.shape is None or "Id" not in told.shape.fields:
        raise SettingsError(
            f"{contract.file} is not the WSDL of a Salesforce outbound message.",
            advice="In Salesforce: Setup, Outbound Messages, the message, Click for WSDL.",
        )
    name = _type_name(contract) or "sObject"
    changed = next((one for one in CHANGED if one in told.shape.fields), "")
    return Entity(
        name=name, id="Id", changed=changed, shape=Shape(name, told.shape.fields), place=str(contract.file)
    )


def _type_name(contract: Contract) -> str:
    """The local name of the object's type: `Account`."""
    from bridge.contract.model import ComplexType, ElementDecl, Group, Particle

    def find(particle: Particle | None, name: str) -> ElementDecl | None:
        if particle is None:
            return None
        if isinstance(particle.term, ElementDecl):
            return particle.term if particle.term.name.rpartition("}")[2] == name else None
        parts = particle.term.particles if isinstance(particle.term, Group) else ()
        return next((found for part in parts if (found := find(part, name)) is not None), None)

    element = contract.operations[OPERATION].input
    assert element is not None
    declared = contract.model.element(element)
    for name in ("Notification", "sObject"):
        outer = contract.model.type(declared.type)
        found = find(outer.particle, name) if isinstance(outer, ComplexType) else None
        if found is None:
            return ""
        declared = found
    inner = contract.model.type(declared.type)
    return (inner.name or "").rpartition("}")[2]


class Telling:
    """A backend that can be asked nothing."""

    can_find = False

    only_tells = True
    """Whoever wants a record of it later than it was told has to keep it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def check(self) -> list[str]:
        return []

    def write(self, entity: Entity, verb: str, values: Mapping[str, Any], document: Document) -> Written:
        raise self._deaf("written to")

    def fetch(self, entity: Entity, query: Query) -> Page:
        raise self._deaf("read")

    def scan(self, entity: Entity, fields: Sequence[str], query: Query) -> Iterator[list[tuple[Any, ...]]]:
        raise self._deaf("read")

    def totals(self, entity: Entity, query: Query, sums: Mapping[str, str | None]) -> Totals:
        raise self._deaf("asked for totals")

    def ping(self) -> Pong:
        raise self._deaf("pinged")

    def find(self, document: Document) -> bool | None:
        return None

    def address(self) -> str:
        return "calls us"

    def close(self) -> None:
        pass

    def _deaf(self, what: str) -> HandlerError:
        return HandlerError(
            f"The partner {self._name} tells of changes by outbound messages, and cannot be {what}.",
            advice="For that it needs a second partner of the kind rest, for the same Salesforce.",
        )
