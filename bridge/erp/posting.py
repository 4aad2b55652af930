"""Stock movements as arithmetic: what a request wants to move, and what becomes of the balances. No database.

A movement has one leg (receipt, issue, adjustment) or two (transfer: out of one warehouse, into another). Legs are
applied in the order of the request; one that takes away more than is available at that point is a shortage, and
then nothing is posted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from bridge.erp.figures import LARGEST, QUANTITY_DIGITS, scaled

Kind = Literal["receipt", "issue", "adjustment", "transfer"]
Place = tuple[str, str]
"""(sku, warehouse): the key of a balance."""


class Leg(NamedTuple):
    """One side of a movement. `number` counts the request's movements from 1, `quantity` is signed and scaled.
    `path` is where the movement stands in the request, `warehouse_path` where in the movement the warehouse does, or
    where in the request if it begins with '/'. `reservation` is the number of the one that an issue takes from.
    `unit_path` is where in the movement the unit stands."""

    number: int
    kind: Kind
    reason: str | None
    sku: str
    warehouse: str
    quantity: int
    unit: str
    path: str
    warehouse_path: str
    lot: str | None = None
    order_number: str | None = None
    note: str | None = None
    note_language: str | None = None
    reservation: str | None = None
    unit_path: str = "quantity/@unit"

    @property
    def place(self) -> Place:
        return self.sku, self.warehouse


@dataclass(slots=True)
class Balance:
    """What is in one place. Figures are scaled."""

    on_hand: int
    reserved: int
    may_be_negative: bool

    @property
    def available(self) -> int:
        return self.on_hand - self.reserved


class Holds:
    """What one reservation holds in one place, line by line; issues take it from the first line on."""

    __slots__ = ("_lines", "taken")

    def __init__(self, lines: Mapping[int, int]) -> None:
        self._lines = dict(lines)
        self.taken: dict[int, int] = {}
        """What has been taken, by line number."""

    @property
    def total(self) -> int:
        """What is still held."""
        return sum(self._lines.values())

    def take(self, wanted: int) -> None:
        """Take `wanted`, which may not be more than `total`."""
        for number, held in self._lines.items():
            part = min(held, wanted)
            if part:
                self._lines[number] -= part
                self.taken[number] = self.taken.get(number, 0) + part
                wanted -= part
        assert wanted == 0, "more was taken than was held"


class Shortage(NamedTuple):
    """A leg that takes `wanted` where `available` is."""

    leg: Leg
    available: int
    wanted: int


class Overflow(NamedTuple):
    """A leg after which a figure, on hand or available, would be more than can be kept."""

    leg: Leg
    figure: int


NO_HOLDS: Mapping[tuple[str | None, Place], Holds] = {}


@dataclass(slots=True)
class Outcome:
    """What applying the legs came to. `on_hand_after` has one figure a leg; with shortages or overflows it is
    worth nothing, and nothing may be posted."""

    on_hand_after: list[int] = field(default_factory=list)
    shortages: list[Shortage] = field(default_factory=list)
    overflows: list[Overflow] = field(default_factory=list)


def legs(movements: Sequence[Any]) -> Iterator[Leg]:
    """The legs of the contract's movements, in order."""
    for number, movement in enumerate(movements, 1):
        amount = scaled(movement.quantity.value, QUANTITY_DIGITS)
        if movement.receipt is not None:
            kind: Kind = "receipt"
            what = movement.receipt
            sides = [(what.warehouse, amount, "receipt/warehouse")]
        elif movement.issue is not None:
            kind, what = "issue", movement.issue
            sides = [(what.warehouse, -amount, "issue/warehouse")]
        elif movement.adjustment is not None:
            kind, what = "adjustment", movement.adjustment
            sign = 1 if what.direction == "increase" else -1
            sides = [(what.warehouse, sign * amount, "adjustment/warehouse")]
        else:
            kind, what = "transfer", movement.transfer
            sides = [
                (what.fromWarehouse, -amount, "transfer/fromWarehouse"),
                (what.toWarehouse, amount, "transfer/toWarehouse"),
            ]
        note = movement.note
        path = f"/UpdateStock/movement[{number}]" if len(movements) > 1 else "/UpdateStock/movement"
        for warehouse, change, warehouse_path in sides:
            yield Leg(
                number,
                kind,
                None if kind == "transfer" else what.reason,
                movement.sku,
                warehouse,
                change,
                movement.quantity.unit,
                path,
                warehouse_path,
                movement.lot,
                what.orderNumber if kind == "receipt" else None,
                None if note is None else note.value,
                None if note is None else note.language,
                what.reservationNumber if kind == "issue" else None,
            )


def apply(
    planned: Iterable[Leg],
    balances: Mapping[Place, Balance],
    holds: Mapping[tuple[str | None, Place], Holds] = NO_HOLDS,
) -> Outcome:
    """Change `balances` leg by leg. A leg that cannot be applied is skipped, and reported where it is the first one of
    its place, so that the caller learns of every shortage at once.

    Args:
        holds: what the reservations named by legs hold, by reservation number and place; changed with the balances.
    """
    outcome = Outcome()
    short: set[Place] = set()
    for leg in planned:
        balance = balances[leg.place]
        hold = holds.get((leg.reservation, leg.place)) if holds else None
        held = 0 if hold is None else hold.total
        taken = min(held, -leg.quantity) if held else 0
        after, reserved = balance.on_hand + leg.quantity, balance.reserved - taken
        if leg.quantity < 0 and after < reserved and not balance.may_be_negative:
            if leg.place not in short:
                short.add(leg.place)
                outcome.shortages.append(Shortage(leg, balance.available + held, -leg.quantity))
        elif not -LARGEST <= after <= LARGEST:
            outcome.overflows.append(Overflow(leg, after))
        elif after - reserved < -LARGEST:
            outcome.overflows.append(Overflow(leg, after - reserved))
        else:
            balance.on_hand, balance.reserved = after, reserved
            if hold is not None:
                hold.take(taken)
        outcome.on_hand_after.append(balance.on_hand)
    return outcome
