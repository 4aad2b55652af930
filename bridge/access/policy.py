"""What the messages of a caller must carry in their Security header, as `[callers.NAME]` has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from bridge.access.permits import ALL
from bridge.errors import SettingsError
from bridge.settings.security import Caller

Requirement = Literal["timestamp", "username", "signature"]
REQUIREMENTS: tuple[Requirement, ...] = get_args(Requirement)


@dataclass(frozen=True, slots=True)
class Policy:
    """What one caller's messages carry. `by_operation` adds to `always`, by `purchasing.CreatePurchaseOrder` or
    `purchasing.*`; `signed_headers` are local or Clark names."""

    always: frozenset[Requirement] = frozenset()
    by_operation: Mapping[str, frozenset[Requirement]] = field(default_factory=dict)
    signed_headers: tuple[str, ...] = ()
    signed_replies: bool = False

    @property
    def ever_required(self) -> frozenset[Requirement]:
        """What some of them carry."""
        return self.always.union(*self.by_operation.values())

    def requires(self, service: str, operation: str) -> Iterator[Requirement]:
        """What a message for this operation carries, in one order. `service` is the name in its address."""
        names = f"{service}.{operation}", f"{service}.*", ALL
        wanted = self.always.union(*(self.by_operation.get(name, ()) for name in names))
        return (one for one in REQUIREMENTS if one in wanted)


def policies(callers: Mapping[str, Caller], *, can_sign: bool) -> dict[str, Policy]:
    """By name, for those callers that have one.

    Args:
        can_sign: whether there is a certificate to sign answers by.

    Raises:
        SettingsError: with every mistake found.
    """
    mistakes: list[str] = []
    found = {name: _policy(name, caller, mistakes) for name, caller in callers.items()}
    if not can_sign:
        mistakes += [
            f"callers.{name}.signed_replies is set, and there is nothing to sign by: set wss.certificate"
            for name, policy in found.items()
            if policy.signed_replies
        ]
    for name, caller in callers.items():
        if "signature" in found[name].ever_required and not caller.certificates:
            mistakes.append(
                f"callers.{name} has to sign, and callers.{name}.certificates names no certificate: it could never be let in"
            )
    if mistakes:
        raise SettingsError.of(mistakes)
    return {name: policy for name, policy in found.items() if policy != Policy()}


def _policy(name: str, caller: Caller, mistakes: list[str]) -> Policy:
    return Policy(
        _requirements(f"callers.{name}.requires", caller.requires, mistakes),
        {
            operation: _requirements(f"callers.{name}.requires_for", text.replace(",", " ").split(), mistakes)
            for operation, text in caller.requires_for.items()
        },
        caller.signed_headers,
        caller.signed_replies,
    )


def _requirements(path: str, given: Sequence[str], mistakes: list[str]) -> frozenset[Requirement]:
    unknown = [one for one in given if one not in REQUIREMENTS]
    mistakes += [f"{path}: {one!r} is none of {', '.join(REQUIREMENTS)}" for one in unknown]
    return frozenset(one for one in REQUIREMENTS if one in given)
