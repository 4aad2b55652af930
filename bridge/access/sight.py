"""What a caller sees of the answers: which fields its roles hide, and whether it sees documents of others.

    [roles.warehouse]
    operations = ["purchasing.GetPurchaseOrder"]
    hidden = ["purchasing.GetPurchaseOrder order/supplier/contact"]
    sees = "all"

Roles add to one another: of those that allow an operation, what one shows is seen, whatever the others hide.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from bridge.access import Caller
from bridge.access.permits import ANONYMOUS, Permits
from bridge.contract import Contract
from bridge.errors import BridgeError
from bridge.fields.checks import hidden_places
from bridge.fields.path import Field, FieldPath
from bridge.fields.places import Place
from bridge.settings import Role


class Sight:
    """The roles' view of one service. Used by many threads; what was worked out once is kept.

    Args:
        service: its name in the settings. `mistakes`: what is wrong with fields that roles hide of it; while there are any, it
            must not be served.
    """

    def __init__(self, service: str, contract: Contract, roles: Mapping[str, Role]) -> None:
        self._service = service
        self._roles = roles
        self._permits = {name: Permits.of(role.operations) for name, role in roles.items()}
        self._hidden: dict[str, dict[str, list[FieldPath]]] = {}
        """By role and operation."""
        self._places: dict[tuple[str, FieldPath], dict[str, Place]] = {}
        """By operation and path: the places by the answer's element."""
        self._known: dict[tuple[tuple[str, ...], str, str], tuple[Place, ...]] = {}
        self.mistakes: list[str] = []
        for name, role in roles.items():
            for text in role.hidden:
                try:
                    if not text.strip().startswith(f"{service}."):
                        continue
                    field = Field.read(text.strip().removeprefix(f"{service}."))
                    self._places[field.operation, field.path] = hidden_places(contract, field)
                    self._hidden.setdefault(name, {}).setdefault(field.operation, []).append(field.path)
                except (ValueError, BridgeError) as error:
                    self.mistakes.append(f"roles.{name}.hidden, {text!r}: {error}.")

    def hidden(self, caller: Caller | None, operation: str, element: str) -> tuple[Place, ...]:
        """What this caller must not see of an answer with this element."""
        if not self._hidden:
            return ()
        roles = self._roles_of(caller)
        asked = (roles, operation, element)
        known = self._known.get(asked)
        if known is None:
            paths = self._paths(roles, operation)
            found = (self._places[operation, path].get(element) for path in paths)
            known = self._known[asked] = tuple(place for place in found if place is not None)
        return known

    def own_only(self, caller: Caller | None, operation: str) -> bool:
        """Whether this caller sees only what came from itself. Who is not known is not told apart, and sees all; with a
        role `anonymous`, what that one says."""
        roles = self._roles_of(caller)
        if caller is None and not roles:
            return False
        return not any(self._roles[name].sees == "all" for name in self._granting(roles, operation))

    def _roles_of(self, caller: Caller | None) -> tuple[str, ...]:
        if caller is not None:
            return caller.roles
        return (ANONYMOUS,) if ANONYMOUS in self._roles else ()

    def _granting(self, roles: tuple[str, ...], operation: str) -> list[str]:
        """Those of these roles that allow the operation."""
        return [
            name
            for name in roles
            if name in self._permits and self._permits[name].allow(self._service, operation)
        ]

    def _paths(self, roles: tuple[str, ...], operation: str) -> list[FieldPath]:
        """What each of the granting roles hides; without one of those, what any of its roles does."""
        granting = self._granting(roles, operation)
        by_role = [self._hidden.get(name, {}).get(operation, []) for name in granting or roles]
        every = dict.fromkeys(path for paths in by_role for path in paths)
        if not granting:
            return list(every)
        return [path for path in every if all(any(one.covers(path) for one in paths) for paths in by_role)]


def unknown_services(roles: Mapping[str, Role], services: Mapping[str, Contract]) -> list[str]:
    """A sentence for each field that a role hides of a service that is not there."""
    mistakes = []
    for name, role in roles.items():
        for text in role.hidden:
            if not any(text.strip().startswith(f"{service}.") for service in services):
                near = get_close_matches(text.split(".")[0].strip(), services, n=1)
                guess = f"Did you mean {near[0]}? " if near else ""
                mistakes.append(
                    f"roles.{name}.hidden, {text!r}, names no service. {guess}"
                    f"Write it as `{next(iter(services), 'orders')}.GetOrder order/line/unitPrice`."
                )
    return mistakes
