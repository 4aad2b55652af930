"""What of a payment goes to which invoice. Pure; amounts are scaled, all of one currency.

The allocations that the payer names come first, in the order in which they stand; then, where wanted, the other open invoices, the
earliest due first. What is left stays on account.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

State = Literal["open", "partiallyPaid", "paid", "cancelled"]
Reason = Literal["aboveOpen", "abovePayment"]


class Wanted(NamedTuple):
    """What shall go to an invoice; with None as `amount` what is open of it, as far as the money goes."""

    invoice_id: int
    amount: int | None


class Misfit(NamedTuple):
    """An allocation, by its place among those wanted, that asks for more than there is, and how much there is."""

    position: int
    reason: Reason
    allowed: int


@dataclass(slots=True)
class Plan:
    """How the money is put: amounts by invoice, all above zero, and what stays. With misfits nothing may be written."""

    put: dict[int, int] = field(default_factory=dict)
    left: int = 0
    misfits: list[Misfit] = field(default_factory=list)


def plan(
    money: int, wanted: Sequence[Wanted], is_open: Mapping[int, int], oldest_first: Iterable[int] = ()
) -> Plan:
    """Put `money` to invoices.

    Args:
        wanted: allocations by name, each invoice once.
        is_open: what is open of every invoice that is named here.
        oldest_first: invoices that take what is left, in this order; those among `wanted` are left out.
    """
    made = Plan(left=money)
    for position, (invoice_id, amount) in enumerate(wanted):
        most = is_open[invoice_id]
        if amount is None:
            _put(made, invoice_id, min(most, made.left))
        elif amount > most:
            made.misfits.append(Misfit(position, "aboveOpen", most))
        elif amount > made.left:
            made.misfits.append(Misfit(position, "abovePayment", made.left))
        else:
            _put(made, invoice_id, amount)
    named = {one.invoice_id for one in wanted}
    for invoice_id in oldest_first:
        if invoice_id not in named:
            _put(made, invoice_id, min(is_open[invoice_id], made.left))
    return made


def state_of(total: int, paid: int) -> State:
    """The state of an invoice that is not cancelled. One over nothing is paid from the start."""
    if paid >= total:
        return "paid"
    return "partiallyPaid" if paid else "open"


def _put(made: Plan, invoice_id: int, amount: int) -> None:
    if amount:
        made.put[invoice_id] = amount
        made.left -= amount
