"""What mends a difference: a message made of its source record as it is now, sent when a person says so.

Nothing is sent by itself, except what ends a delivery in doubt, which is settled as the target's own record tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bridge.errors import BridgeError, HandlerError
from bridge.partners.partner import Query, Record, value_at
from bridge.reconciliation.compare import VALUES, unequal
from bridge.reconciliation.rule import Rule, Side
from bridge.store.differences import DifferenceRow

Ending = Literal["delivered", "not-sent"]

_REPEATABLE = (".upsert", ".update", ".delete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A message that would mend a difference. `values` are what is sent, after the mapping."""

    operation: str
    values: Any
    ordering_key: str


class NoProposal(HandlerError):
    """Nothing can be proposed: what has to be done is a person's to find out."""


def proposal(rule: Rule, difference: DifferenceRow) -> Proposal:
    """
    Raises:
        NoProposal: a duplicate; a record that only the target has, without `delete`; a source record that is gone or cannot be mapped.
        PartnerError: the source could not be read.
    """
    if difference.kind == "duplicate":
        raise NoProposal(
            "One record is there twice.",
            advice="Merge them in the system that has both, then reconcile again.",
        )
    if difference.kind == "extra":
        return _removal(rule, difference)
    if not rule.operation:
        raise NoProposal(
            "The rule names no operation that mends a record.",
            advice=f"Set `operation` in [reconcile.{rule.name}].",
        )
    assert difference.source_id is not None
    record = by_id(rule.source, difference.source_id)
    if record is None:
        raise NoProposal(
            f"{rule.source.name} does not have {difference.source_id} any more.", advice="Reconcile again."
        )
    try:
        values = record.values if rule.mapping is None else rule.mapping(record.values)
    except BridgeError as error:
        raise NoProposal(f"The record cannot be mapped: {error.message}", advice=error.advice) from error
    return Proposal(
        operation=rule.operation, values=values, ordering_key=rule.ordering_key(difference.source_id)
    )


def _removal(rule: Rule, difference: DifferenceRow) -> Proposal:
    if not rule.delete:
        raise NoProposal(
            f"Only {rule.target.name} has it.",
            advice=f"Make it at the source, or remove it there; with `delete` in [reconcile.{rule.name}] that is proposed.",
        )
    assert difference.target_id is not None
    values = {rule.target.entity.id: difference.target_id}
    return Proposal(
        operation=rule.delete, values=values, ordering_key=rule.ordering_key(difference.record_key)
    )


def ending(rule: Rule, operation: str, source_id: str) -> Ending | None:
    """What became of a delivery in doubt, as the target's record tells; None where it does not.

    What the target has as the source has it was delivered; what it does not have was not. Where it has something else, a message that
    bears being sent twice is sent again.
    """
    source = by_id(rule.source, source_id)
    key = source_id if source is None or rule.source.by_id else str(value_at(source.values, rule.source.key))
    target = by_key(rule.target, key)
    if operation == rule.delete:
        return "delivered" if target is None else "not-sent"
    if target is None:
        return "not-sent"
    if source is not None and not unequal(
        _row(rule.source, source, rule.translate), _row(rule.target, target, {}), rule.same
    ):
        return "delivered"
    return "not-sent" if operation.endswith(_REPEATABLE) or rule.writer.rules.keeps_id else None


def by_id(side: Side, id_: str) -> Record | None:
    """The record as it is now; None where it is gone.

    Raises:
        HandlerError: the partner cannot be asked for single records.
    """
    page = side.partner.fetch(side.entity.name, Query(ids=(id_,), limit=2))
    return next((record for record in page.records if record.id == id_ and not record.deleted), None)


def by_key(side: Side, key: str) -> Record | None:
    """The same by the side's key."""
    if side.by_id:
        return by_id(side, key)
    query = side.asking_for((key,), limit=2)
    if query is None:
        return None
    page = side.partner.fetch(side.entity.name, query)
    return next((record for record in page.records if not record.deleted), None)


def _row(side: Side, record: Record, tables: Mapping[int, Mapping[Any, Any]]) -> tuple[Any, ...]:
    values = [value_at(record.values, name) for name in side.fields]
    for place, table in tables.items():
        values[place] = table.get(values[place], values[place])
    row = ("", record.id, *values)
    assert len(row) == VALUES + len(values)
    return row
