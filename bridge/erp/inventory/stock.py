"""UpdateStock and GetStock.

A request id makes one posting, also where no record of the first answer is left (docs/duplicates.md).
"""

from __future__ import annotations

from typing import Any

from bridge.erp.call import Call
from bridge.erp.figures import quantity
from bridge.erp.holds import due
from bridge.erp.ledger import (
    BalanceRow,
    DocumentRow,
    document_number,
    heading,
    post,
)
from bridge.erp.posting import Place, legs
from bridge.erp.references import Rules, known_units, known_warehouses
from bridge.erp.telling import Tell, levels_of
from bridge.store.clock import moment, stored
from bridge.store.statements import ByKeys

Reply = dict[str, Any]

MOST_MISSING = 200
"""Objects in one NotFound fault, as its type says."""

_BALANCES_OF_ITEMS = ByKeys(
    "SELECT sku, warehouse, may_be_negative, on_hand, reserved, revision FROM stock_balance WHERE sku IN (VALUES {keys})",
    width=1,
)


def update_stock(
    request: Any,
    call: Call,
    rules: Rules = Rules(),  # noqa: B008 - frozen
    tell: Tell | None = None,
) -> Reply:
    """Post all movements or none. Faults: InvalidReference, InvalidState, InsufficientStock, LimitExceeded, KeyReused."""
    planned = list(legs(request.movement))
    document = heading(
        call,
        request.requestId,
        movement_count=len(request.movement),
        posting_date=request.postingDate,
        reference=request.reference,
    )
    levels = levels_of(tell)
    document_id = post(document, planned, call, rules, levels)
    if levels is not None:
        levels.tell(call)
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
