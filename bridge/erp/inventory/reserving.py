"""Reserving as arithmetic: how much of what is wanted can be promised. No database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bridge.erp.figures import LARGEST
from bridge.erp.posting import Balance, Leg, Overflow, Place, Shortage


@dataclass(slots=True)
class Grants:
    """What reserving came to. `granted` has one figure for each wanted leg; with overflows, or with shortages where
    only all will do, it is worth nothing."""

    granted: list[int] = field(default_factory=list)
    shortages: list[Shortage] = field(default_factory=list)
    overflows: list[Overflow] = field(default_factory=list)


def grant(wanted: Iterable[Leg], balances: Mapping[Place, Balance], *, partial: bool) -> Grants:
    """Raise what is reserved in `balances`, leg by leg: a leg takes what the legs before it have left.

    Args:
        wanted: legs as an issue would have them, each with a quantity below zero.
        partial: whether a leg gets what there is; otherwise it gets all or nothing.

    Returns:
        with a shortage for the first leg of each place that does not get all.
    """
    grants = Grants()
    short: set[Place] = set()
    for leg in wanted:
        balance, amount = balances[leg.place], -leg.quantity
        granted = amount
        if not balance.may_be_negative and balance.available < amount:
            granted = max(balance.available, 0) if partial else 0
            if leg.place not in short:
                short.add(leg.place)
                grants.shortages.append(Shortage(leg, balance.available, amount))
        reserved = balance.reserved + granted
        if reserved > LARGEST or balance.on_hand - reserved < -LARGEST:
            grants.overflows.append(Overflow(leg, reserved))
            granted = 0
        balance.reserved += granted
        grants.granted.append(granted)
    return grants
