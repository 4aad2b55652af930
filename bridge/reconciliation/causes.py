"""Why two sides differ, as far as what we know can tell. Pure.

| cause | what is known |
|---|---|
| never sent | the source has it and no delivery of it is known |
| on the way | a delivery waits, is being sent or is held; or the source changed so recently that it may yet be |
| refused | the last delivery of it was refused, was unreadable, or has expired |
| in doubt | the last delivery of it is in doubt |
| changed here | the source was changed, or the record removed there, after the last delivery |
| changed there | the target was changed, or the record made or removed there, and not by a delivery of ours |
| duplicate | one side has it twice |
| mapping | delivered, unchanged since on both sides, and yet not the same: the mapping or the target makes it so; or it cannot be mapped |
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bridge.reconciliation.compare import Kind

Cause = Literal[
    "never sent", "on the way", "refused", "in doubt", "changed here", "changed there", "duplicate", "mapping"
]
CAUSES: tuple[Cause, ...] = (
    "never sent", "refused", "in doubt", "changed here", "changed there", "duplicate", "mapping", "on the way",
)  # fmt: skip

_OPEN = frozenset({"waiting", "sending", "held"})
_FAILED = frozenset({"refused", "expired", "unreadable"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a record that differs. Times are None where nobody tells.

    `delivery` is the state of the last delivery of it, None without any; `settled_at` when that was settled. `recent`: whether the source
    changed it within the time of grace. `unmappable`: it could not be mapped.
    """

    kind: Kind
    delivery: str | None = None
    settled_at: datetime | None = None
    source_changed_at: datetime | None = None
    target_changed_at: datetime | None = None
    recent: bool = False
    unmappable: bool = False


def cause_of(facts: Facts) -> Cause:
    """The first that holds, from what is certain to what is concluded."""
    if facts.kind == "duplicate":
        return "duplicate"
    if facts.delivery == "in_doubt":
        return "in doubt"
    if facts.delivery in _OPEN:
        return "on the way"
    if facts.delivery in _FAILED:
        return "refused"
    if facts.kind == "extra":
        return "changed here" if facts.delivery == "delivered" else "changed there"
    if facts.recent:
        return "on the way"
    if facts.unmappable:
        return "mapping"
    if facts.kind == "missing":
        return "changed there" if facts.delivery == "delivered" else "never sent"
    return _of_fields(facts)


def _of_fields(facts: Facts) -> Cause:
    here, there, settled = facts.source_changed_at, facts.target_changed_at, facts.settled_at
    if settled is None:
        # Nothing of ours is known: the side that changed last is the one that the other does not know of.
        return "never sent" if here is None or there is None or here >= there else "changed there"
    if here is not None and here > settled:
        return "changed here"
    return "changed there" if there is not None and there > settled else "mapping"
