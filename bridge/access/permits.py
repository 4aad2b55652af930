"""What a caller may do: the operations of its roles, together.

[roles.buyer]
operations = ["purchasing.*", "inventory.GetStock"]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.settings import Caller, Role

ALL = "*"
ANONYMOUS = "anonymous"
"""The role of those who may come without credentials (`access.anonymous`), where settings have one of that name."""


@dataclass(frozen=True, slots=True)
class Permits:
    """Operations that may be asked for: all, all of some services, and single ones (`service.operation`)."""

    everything: bool = False
    services: frozenset[str] = frozenset()
    operations: frozenset[str] = frozenset()

    @classmethod
    def of(cls, patterns: Iterable[str]) -> Permits:
        """From what settings say: `*`, `purchasing.*`, `purchasing.CreatePurchaseOrder`."""
        given = frozenset(patterns)
        services = {one.removesuffix(".*") for one in given if one.endswith(".*")}
        operations = {one for one in given if one != ALL and not one.endswith(".*")}
        return cls(ALL in given, frozenset(services), frozenset(operations))

    @classmethod
    def of_roles(cls, names: Iterable[str], roles: Mapping[str, Role]) -> Permits:
        """Of several roles, each adds to the others; one that settings do not have gives nothing."""
        return cls.of(pattern for name in names if name in roles for pattern in roles[name].operations)

    def allow(self, service: str, operation: str) -> bool:
        """Whether this operation may be asked for. `service` is the name in its address."""
        return self.allow_all_of(service) or f"{service}.{operation}" in self.operations

    def allow_all_of(self, service: str) -> bool:
        """Whether everything of this service may be asked for, by whatever name it comes."""
        return self.everything or service in self.services

    def allow_some_of(self, service: str) -> bool:
        """Whether anything of this service may be asked for."""
        return self.allow_all_of(service) or any(one.startswith(f"{service}.") for one in self.operations)


EVERYTHING = Permits(everything=True)
NOTHING = Permits()


def unknown_operations(roles: Mapping[str, Role], operations: Mapping[str, Iterable[str]]) -> list[str]:
    """What roles name and nobody answers, a sentence for each. `operations` are those of each service, by the name in its
    address."""
    return _unknown({f"roles.{name}": role.operations for name, role in roles.items()}, operations)


def unknown_requirements(callers: Mapping[str, Caller], operations: Mapping[str, Iterable[str]]) -> list[str]:
    """The same for what callers must send: of an operation whose name is wrong, nothing would be required."""
    named = {f"callers.{name}.requires_for": caller.requires_for for name, caller in callers.items()}
    return _unknown(named, operations)


def _unknown(named: Mapping[str, Iterable[str]], operations: Mapping[str, Iterable[str]]) -> list[str]:
    known = {f"{service}.{key}" for service, keys in operations.items() for key in keys}
    known |= {f"{service}.*" for service in operations} | {ALL}
    mistakes = []
    for place, patterns in named.items():
        for pattern in patterns:
            if pattern in known:
                continue
            near = get_close_matches(pattern, known, n=1)
            guess = f" Did you mean {near[0]}?" if near else f" Services: {', '.join(operations) or 'none'}."
            mistakes.append(f"{place} names {pattern}, which nobody answers.{guess}")
    return mistakes
