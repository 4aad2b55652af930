"""CountStock: what people found, against what the books said when they looked.

A count takes time, and goods move meanwhile. So each line says when it was counted, and is compared with what the books
say of that moment; what was posted later stays as it is. The difference goes into the books as an adjustment now, and
counts from then on as if it had been there at the moment of counting: the same count sent again finds the books right.
Nothing is overwritten, nothing is corrected twice, and nobody has to stop the warehouse or open a count first.

What was counted later is the truth: a line that comes after one of a later moment is refused.

Every count is kept, also one that found the books right: that an item was counted, and when, is what an auditor asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select

from bridge.erp.call import Call, sender
from bridge.erp.figures import QUANTITY_DIGITS, quantity, scaled
from bridge.erp.instants import instant
from bridge.erp.ledger import document_number, heading, lock_balances, post
from bridge.erp.numbers import STOCK_COUNT, number
from bridge.erp.posting import Leg, Place
from bridge.erp.references import MOST_LETTERS, MOST_REPORTED, References, Rules
from bridge.erp.tables import stock_count, stock_count_line
from bridge.erp.telling import Tell, levels_of
from bridge.store import Session
from bridge.store.clock import moment, stored
from bridge.store.statements import ByKeys, Prepared, insertion

Reply = dict[str, Any]

AHEAD = timedelta(minutes=5)
"""How far ahead of the ERP's clock that of a counter may be. What is further ahead is no clock that is a little fast
but a wrong zone or a typing error."""


class CountRow(NamedTuple):
    """A row of `stock_count`, without the id that the database gives."""

    partner: str
    request_id: str
    reference: str | None
    document_id: int | None
    exchange_id: str
    posted_at: int


class CountLineRow(NamedTuple):
    """A row of `stock_count_line`."""

    count_id: int
    position: int
    sku: str
    warehouse: str
    counted: int
    book: int
    counted_at: int


class Finding(NamedTuple):
    """A line of a count: a leg that moves nothing yet, what was found in its place, and when."""

    leg: Leg
    counted: int
    counted_at: int


class Compared(NamedTuple):
    """A line beside the books, before anything is posted: what is there now, and what was moved since it was counted."""

    finding: Finding
    on_hand: int
    moved_since: int

    @property
    def book(self) -> int:
        """What the books said when it was counted."""
        return self.on_hand - self.moved_since

    @property
    def difference(self) -> int:
        """By how much the books were too low."""
        return self.finding.counted - self.book


_counts = stock_count.c

_INSERT_COUNT = insertion(stock_count, CountRow, returning=_counts.id, unless_there=("partner", "request_id"))
_INSERT_LINE = insertion(stock_count_line, CountLineRow)
_POSTED_AT = Prepared(
    select(_counts.posted_at).where(
        _counts.partner == bindparam("partner"), _counts.request_id == bindparam("request_id")
    ),
    "partner",
    "request_id",
)
# Corrections of counts are left out: they belong to the moment of counting, which is no later than any asked for here.
# Keys may repeat, and a movement must be added once.
_MOVED_SINCE = ByKeys(
    "WITH given (sku, warehouse, counted_at) AS (VALUES {keys}), "
    "asked AS (SELECT DISTINCT sku, warehouse, counted_at FROM given) "
    "SELECT movement.sku, movement.warehouse, CAST(SUM(movement.quantity) AS BIGINT) FROM asked "
    "JOIN stock_movement AS movement ON movement.sku = asked.sku AND movement.warehouse = asked.warehouse "
    "JOIN stock_document AS document ON document.id = movement.document_id "
    "AND document.posted_at > asked.counted_at "
    "LEFT JOIN stock_count AS correction ON correction.document_id = document.id "
    "WHERE correction.id IS NULL GROUP BY movement.sku, movement.warehouse",
    width=3,
)
_COUNTED_LATER = ByKeys(
    "WITH asked (sku, warehouse, counted_at) AS (VALUES {keys}) "
    "SELECT line.sku, line.warehouse, later.id, later.posted_at FROM asked "
    "JOIN stock_count_line AS line ON line.sku = asked.sku AND line.warehouse = asked.warehouse "
    "AND line.counted_at > asked.counted_at JOIN stock_count AS later ON later.id = line.count_id",
    width=3,
)


def count_stock(request: Any, call: Call, rules: Rules, tell: Tell | None = None) -> Reply:
    """Post the differences from the books. Faults: KeyReused, InvalidReference, InsufficientStock, LimitExceeded."""
    session = call.session
    findings = _findings(request, call)
    planned = [finding.leg for finding in findings]
    references = References(session, planned, call, rules)
    levels = levels_of(tell)
    places = {leg.place for leg in planned}
    balances = lock_balances(session, places, references.warehouses, call.now, levels)
    _refuse_superseded(session, findings, call)
    compared = _compare(session, findings, {place: one.on_hand for place, one in balances.items()})
    wrong = [one for one in compared if one.difference]
    row = CountRow(
        sender(call), request.requestId, request.reference, None, call.exchange_id, stored(call.now)
    )
    reply: Reply = {"postedAt": call.now, "difference": [_told(one) for one in wrong]}
    if wrong:
        document = heading(
            call,
            request.requestId,
            movement_count=len(wrong),
            posting_date=request.postingDate,
            reference=request.reference,
        )
        legs = [one.finding.leg._replace(quantity=one.difference) for one in wrong]
        document_id = post(document, legs, call, rules, levels)
        row = row._replace(document_id=document_id)
        reply["documentNumber"] = document_number(document_id, document)
    reply["countNumber"] = call.reference = number(STOCK_COUNT, _keep(session, row, compared, call), call.now)
    if levels is not None:
        levels.tell(call)
    return reply


# -- what was found


def _findings(request: Any, call: Call) -> list[Finding]:
    """The lines, each with its time. Fault: InvalidReference, for times too far ahead."""
    now, latest = stored(call.now), stored(call.now + AHEAD)
    broken: list[dict[str, str]] = []

    def time_of(given: Any, path: str) -> int:
        moment_of = now if given is None else instant(given)
        if moment_of > latest:
            broken.append(_mismatch(str(given)[:MOST_LETTERS], path))
        return min(moment_of, now)

    counted_at = time_of(request.countedAt, "/CountStock/countedAt")
    findings: list[Finding] = []
    for position, line in enumerate(request.line, 1):
        path = f"/CountStock/line[{position}]" if len(request.line) > 1 else "/CountStock/line"
        findings.append(
            Finding(
                _leg(position, line, path),
                scaled(line.counted.value, QUANTITY_DIGITS),
                counted_at if line.countedAt is None else time_of(line.countedAt, f"{path}/countedAt"),
            )
        )
    if broken:
        raise call.fault("InvalidReference", reference=broken[:MOST_REPORTED])
    return findings


def _leg(position: int, line: Any, path: str) -> Leg:
    note = line.note
    return Leg(
        position,
        "adjustment",
        "count",
        line.sku,
        line.warehouse,
        0,
        line.counted.unit,
        path,
        "warehouse",
        note=None if note is None else note.value,
        note_language=None if note is None else note.language,
        unit_path="counted/@unit",
    )


# -- against the books


def _refuse_superseded(session: Session, findings: Sequence[Finding], call: Call) -> None:
    """Fault: InvalidReference, naming the count that was made later than a line of this one."""
    rows = session.rows_for(_COUNTED_LATER, _moments(findings))
    later = {(sku, code): number(STOCK_COUNT, one, moment(at)) for sku, code, one, at in sorted(rows)}
    broken = [_mismatch(later[one.leg.place], one.leg.path) for one in findings if one.leg.place in later]
    if broken:
        raise call.fault("InvalidReference", reference=broken[:MOST_REPORTED])


def _mismatch(identifier: str, path: str) -> dict[str, str]:
    return {"kind": "stockCount", "identifier": identifier, "reason": "mismatch", "path": path}


def _moments(findings: Sequence[Finding]) -> list[tuple[str, str, int]]:
    return [(*one.leg.place, one.counted_at) for one in findings]


def _compare(session: Session, findings: Sequence[Finding], on_hand: Mapping[Place, int]) -> list[Compared]:
    """Each line with what the books say of its time: what is there now, less what was moved since."""
    rows = session.rows_for(_MOVED_SINCE, _moments(findings))
    since = {(sku, code): moved for sku, code, moved in rows}
    return [Compared(one, on_hand[one.leg.place], since.get(one.leg.place, 0)) for one in findings]


def _keep(session: Session, row: CountRow, compared: Sequence[Compared], call: Call) -> int:
    """The id of the count, stored with its lines. Fault: KeyReused."""
    made = session.rows(_INSERT_COUNT, row)
    if not made:
        ((posted_at,),) = session.rows(_POSTED_AT, (row.partner, row.request_id))
        raise call.fault("KeyReused", requestId=row.request_id, firstUsedAt=moment(posted_at))
    count_id: int = made[0][0]
    session.run_many(
        _INSERT_LINE,
        [
            CountLineRow(
                count_id,
                one.finding.leg.number,
                one.finding.leg.sku,
                one.finding.leg.warehouse,
                one.finding.counted,
                one.book,
                one.finding.counted_at,
            )
            for one in compared
        ],
    )
    return count_id


def _told(one: Compared) -> dict[str, Any]:
    leg = one.finding.leg

    def figure(amount: int) -> dict[str, Any]:
        return {"value": quantity(amount), "unit": leg.unit}

    return {
        "sku": leg.sku,
        "warehouse": leg.warehouse,
        "book": figure(one.book),
        "counted": figure(one.finding.counted),
        "direction": "increase" if one.difference > 0 else "decrease",
        "quantity": figure(abs(one.difference)),
        "onHand": figure(one.on_hand + one.difference),
    }
