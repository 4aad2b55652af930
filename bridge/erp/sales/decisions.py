"""Decisions on orders: by the rules when one is placed or changed, by a person in DecideSalesOrder. Kept append-only.

The rules judge under the lock of the customer's account, and what they approve counts as open from then on: of two orders for which there
is credit for one, the second finds the first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import bindparam, literal_column, select

from bridge.erp.call import Call, sender
from bridge.erp.documents import note_of, without_none
from bridge.erp.orders import changed_at, same_revision
from bridge.erp.references import Rules
from bridge.erp.sales.asking import facts_of, refuse_blocked
from bridge.erp.sales.content import Line
from bridge.erp.sales.events import tell_order
from bridge.erp.sales.judging import Finding, judge, outcome_of, reason_of
from bridge.erp.sales.rows import KIND, Order, lock_account, locked, moved, set_state
from bridge.erp.sales.tables import sales_order_decision
from bridge.erp.telling import Tell
from bridge.store import Session
from bridge.store.clock import moment
from bridge.store.statements import ByKeys, Prepared, insertion

Reply = dict[str, Any]

MOST_TOLD: Final = 500
"""Decisions in one reply, as its type says."""
_LONGEST: Final = 2000
"""Letters of a note, as its type says."""


class DecisionRow(NamedTuple):
    """A row of `sales_order_decision`, without the id that the database gives."""

    order_id: int
    revision: int
    outcome: str
    person: str | None
    partner: str
    reason: str
    reason_language: str | None
    findings: str
    exchange_id: str
    decided_at: int


_decisions = sales_order_decision.c
_COLUMNS = tuple(_decisions[name] for name in DecisionRow._fields)
_INSERT = insertion(sales_order_decision, DecisionRow)
# Without the zero SQLite's compiler binds the offset of a limit.
_LATEST = Prepared(
    select(*_COLUMNS)
    .where(_decisions.order_id == bindparam("order_id"))
    .order_by(_decisions.id.desc())
    .limit(literal_column(str(MOST_TOLD)))
    .offset(literal_column("0")),
    "order_id",
)

_LATEST_OF = ByKeys(
    f"SELECT {', '.join(DecisionRow._fields)} FROM sales_order_decision WHERE id IN "  # noqa: S608 - names of columns
    "(SELECT max(id) FROM sales_order_decision WHERE order_id IN ({keys}) GROUP BY order_id)",
    width=1,
)


class Decided(NamedTuple):
    """The order as it is after a decision, and the decision."""

    order: Order
    decision: DecisionRow


def decide_by_rules(
    waiting: Order, lines: Sequence[Line], listed: Mapping[int, int], call: Call, rules: Rules
) -> Decided:
    """Judge an order that was just written and waits; where the rules approve it, it is approved.

    Args:
        listed: the catalog's prices (scaled), by line number.
    """
    lock_account(waiting.row.customer, call)
    findings = judge(facts_of(waiting.header, lines, listed, call, rules), rules)
    outcome = outcome_of(findings)
    decision = _write(
        waiting, outcome, None, reason_of(findings)[:_LONGEST], "en", findings, waiting.row.changed_at, call
    )
    if outcome == "waiting":
        return Decided(waiting, decision)
    return Decided(set_state(waiting, moved(waiting, "approve", call), call), decision)


def decide_sales_order(
    request: Any,
    call: Call,
    rules: Rules = Rules(),  # noqa: B008 - frozen
    tell: Tell | None = None,
) -> Reply:
    """A person approves or refuses an order that waits.

    Faults: NotFound, InvalidState, RevisionMismatch, InvalidReference (customer).
    """
    found = locked(call, request.orderNumber)
    approves = request.outcome == "approved"
    state = moved(found, "approve" if approves else "refuse", call)
    same_revision(KIND, found, request.revision, call)
    if approves:
        lock_account(found.row.customer, call)
        refuse_blocked(found.row.customer, "/DecideSalesOrder/orderNumber", call, rules)
    reason = request.reason
    decision = _write(
        found,
        request.outcome,
        request.person,
        reason.value,
        reason.language,
        (),
        changed_at(found, call),
        call,
    )
    changed = set_state(found, state, call)
    if tell is not None:
        tell_order(tell, changed, before=found.state, reason=reason_told(decision))
    return {"orderNumber": found.number, "state": state, "decision": told(decision)}


def decisions_of(session: Session, order_id: int) -> list[DecisionRow]:
    """The order's decisions, the oldest first; of more than `MOST_TOLD` the latest."""
    return [DecisionRow(*row) for row in reversed(session.rows(_LATEST, (order_id,)))]


def latest_of(session: Session, order_ids: Sequence[int]) -> dict[int, DecisionRow]:
    """The latest decision on each order, by the order's id."""
    rows = session.rows_for(_LATEST_OF, [(one,) for one in order_ids])
    return {row[0]: DecisionRow(*row) for row in rows}


def told(decision: DecisionRow) -> Reply:
    """The contract's Decision."""
    return without_none(
        {
            "outcome": decision.outcome,
            "revision": decision.revision,
            "decidedAt": moment(decision.decided_at),
            "person": decision.person,
            "caller": decision.partner or None,
            "reason": reason_told(decision),
            "finding": json.loads(decision.findings),
        }
    )


def reason_told(decision: DecisionRow) -> Reply:
    """The contract's Note."""
    return note_of(decision.reason, decision.reason_language)


def _write(
    found: Order,
    outcome: str,
    person: str | None,
    reason: str,
    language: str | None,
    findings: Sequence[Finding],
    at: int,
    call: Call,
) -> DecisionRow:
    row = DecisionRow(
        found.id,
        found.row.revision,
        outcome,
        person,
        sender(call),
        reason,
        language,
        json.dumps([one._asdict() for one in findings], ensure_ascii=False),
        call.exchange_id,
        at,
    )
    call.session.run(_INSERT, row)
    return row
