"""UpdateStock and GetStock.

A request id makes one posting; sent again with the same content, the
answer is the first one.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, select

from bridge.erp.call import Call
from bridge.erp.figures import quantity
from bridge.erp.holds import due
from bridge.erp.ledger import (
    BalanceRow,
    DocumentRow,
    MovementRow,
    document_number,
    heading,
    movement_row,
    open_document,
    post_legs,
)
from bridge.erp.posting import Leg, Place, legs
from bridge.erp.references import Rules, known_units, known_warehouses
from bridge.erp.tables import stock_document, stock_movement
from bridge.store import Session
from bridge.store.clock import moment, stored
from bridge.store.statements import ByKeys, Prepared

Reply = dict[str, Any]

MOST_MISSING = 200
"""Objects in one NotFound fault, as its type says."""

_documents, _movements = stock_document.c, stock_movement.c

_DOCUMENT_BY_REQUEST = Prepared(
    select(_documents.id, *(_documents[name] for name in DocumentRow._fields)).where(
        _documents.partner == bindparam("partner"), _documents.request_id == bindparam("request_id")
    ),
    "partner",
    "request_id",
)
_MOVEMENTS_OF = Prepared(
    select(*(_movements[name] for name in MovementRow._fields))
    .where(_movements.document_id == bindparam("document_id"))
    .order_by(_movements.entry),
    "document_id",
)
_BALANCES_OF_ITEMS = ByKeys(
    "SELECT sku, warehouse, may_be_negative, on_hand, reserved, revision FROM stock_balance WHERE sku IN (VALUES {keys})",
    width=1,
)


def update_stock(request: Any, call: Call, rules: Rules = Rules()) -> Reply:  # noqa: B008 - frozen
    """Post all movements or none. Faults: InvalidReference, InvalidState, InsufficientStock, LimitExceeded, KeyReused."""
    planned = list(legs(request.movement))
    document = heading(
        call,
        request.requestId,
        movement_count=len(request.movement),
        posting_date=request.postingDate,
        reference=request.reference,
    )
    document_id = open_document(document, call)
    if document_id is None:
        return _first_answer(call.session, document, planned, call, dated=request.postingDate is not None)
    post_legs(document_id, planned, call, rules)
    return _posted(document_id, document, call)


def get_stock(request: Any, call: Call) -> Reply:
    """Balances by item and warehouse. Fault: NotFound.

    Where warehouses are named every pair has its line, also one that never held the item: zero is an answer.
    """
    session = call.reading
    skus = sorted(set(request.sku))
    named = sorted(set(request.warehouse))
    units = known_units(session, skus)
    places = known_warehouses(session, named)
    missing = [{"kind": "item", "identifier": sku} for sku in skus if sku not in units]
    missing += [{"kind": "warehouse", "identifier": code} for code in named if code not in places]
    if missing:
        raise call.fault("NotFound", missing=missing[:MOST_MISSING])
    levels = {(sku, code): (0, 0) for sku in skus for code in named}
    for row in session.rows_for(_BALANCES_OF_ITEMS, [(sku,) for sku in skus]):
        balance = BalanceRow(*row)
        if not named or balance.warehouse in places:
            levels[balance.sku, balance.warehouse] = balance.on_hand, balance.reserved
    held = [place for place, (_, reserved) in levels.items() if reserved]
    for line in due(session, held, stored(call.now)):
        on_hand, reserved = levels[line.sku, line.warehouse]
        levels[line.sku, line.warehouse] = on_hand, reserved - line.reserved
    return {
        "asOf": call.now,
        "stock": [_level(place, *levels[place], units[place[0]]) for place in sorted(levels)],
    }


def _posted(document_id: int, document: DocumentRow, call: Call) -> Reply:
    call.reference = document_number(document_id, document)
    return {
        "documentNumber": call.reference,
        "postedAt": moment(document.posted_at),
        "movementCount": document.movement_count,
    }


def _first_answer(
    session: Session, again: DocumentRow, planned: list[Leg], call: Call, *, dated: bool
) -> Reply:
    """The request id is taken: answer as the first time if this is the same request. Fault: KeyReused."""
    document_id, *values = session.rows(_DOCUMENT_BY_REQUEST, (again.partner, again.request_id))[0]
    first = DocumentRow(*values)
    posted = [MovementRow(*row) for row in session.rows(_MOVEMENTS_OF, (document_id,))]
    same = (
        first.reference == again.reference
        and (first.posting_date == again.posting_date or not dated)
        and len(posted) == len(planned)
        and all(
            row == movement_row(document_id, row.entry, leg, row.on_hand_after)
            for row, leg in zip(posted, planned, strict=True)
        )
    )
    if not same:
        raise call.fault("KeyReused", requestId=first.request_id, firstUsedAt=moment(first.posted_at))
    return _posted(document_id, first, call)


def _level(place: Place, on_hand: int, reserved: int, unit: str) -> dict[str, Any]:
    def figure(scaled: int) -> dict[str, Any]:
        return {"value": quantity(scaled), "unit": unit}

    return {
        "sku": place[0],
        "warehouse": place[1],
        "onHand": figure(on_hand),
        "reserved": figure(reserved),
        "available": figure(on_hand - reserved),
    }
