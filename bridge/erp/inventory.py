"""Stock: what UpdateStock and GetStock do (wsdl/erp/inventory-1.wsdl).

Movements are appended and never changed; a balance is their sum, kept beside them and changed in the same
transaction. Balances are locked in one order (item, warehouse), so that two requests never wait for each other.
A request id makes one posting; sent again with the same content, the answer is the first one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import bindparam, select, update

from bridge.erp.call import Call, sender
from bridge.erp.figures import LARGEST, QUANTITY_DIGITS, plain, quantity
from bridge.erp.numbers import STOCK_DOCUMENT, number
from bridge.erp.posting import Balance, Leg, Outcome, Place, apply, legs
from bridge.erp.references import MOST_REPORTED, References, Rules, known_units, known_warehouses
from bridge.erp.tables import stock_balance, stock_document, stock_movement
from bridge.store import Session
from bridge.store.clock import moment, stored
from bridge.store.statements import ByKeys, Prepared, insertion

Reply = dict[str, Any]

MOST_MISSING = 200
"""Objects in one NotFound fault, as its type says."""


class DocumentRow(NamedTuple):
    """A row of `stock_document`, without the id that the database gives."""

    partner: str
    request_id: str
    posting_date: str
    reference: str | None
    movement_count: int
    exchange_id: str
    posted_at: int


class MovementRow(NamedTuple):
    """A row of `stock_movement`."""

    document_id: int
    entry: int
    movement: int
    kind: str
    reason: str | None
    sku: str
    warehouse: str
    quantity: int
    on_hand_after: int
    lot: str | None
    order_number: str | None
    note: str | None
    note_language: str | None


class BalanceRow(NamedTuple):
    """A row of `stock_balance`."""

    sku: str
    warehouse: str
    may_be_negative: int
    on_hand: int
    reserved: int


_documents, _movements, _balances = stock_document.c, stock_movement.c, stock_balance.c

_INSERT_DOCUMENT = insertion(
    stock_document, DocumentRow, returning=_documents.id, unless_there=("partner", "request_id")
)
_INSERT_MOVEMENT = insertion(stock_movement, MovementRow)
_INSERT_BALANCE = insertion(stock_balance, BalanceRow, unless_there=("sku", "warehouse"))
_UPDATE_BALANCE = Prepared(
    update(stock_balance)
    .where(_balances.sku == bindparam("of_sku"), _balances.warehouse == bindparam("of_warehouse"))
    .values(on_hand=bindparam("new_on_hand")),
    "new_on_hand",
    "of_sku",
    "of_warehouse",
)
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
_LOCKED_BALANCES = ByKeys(
    "SELECT sku, warehouse, may_be_negative, on_hand, reserved FROM stock_balance "
    "WHERE (sku, warehouse) IN (VALUES {keys}) ORDER BY sku, warehouse{lock}",
    width=2,
)
_BALANCES_OF_ITEMS = ByKeys(
    "SELECT sku, warehouse, may_be_negative, on_hand, reserved FROM stock_balance WHERE sku IN (VALUES {keys})",
    width=1,
)


def update_stock(request: Any, call: Call, rules: Rules = Rules()) -> Reply:  # noqa: B008 - frozen
    """Post all movements or none. Faults: InvalidReference, InsufficientStock, LimitExceeded, KeyReused."""
    planned = list(legs(request.movement))
    document = DocumentRow(
        sender(call),
        request.requestId,
        str(request.postingDate or call.now.date()),
        request.reference,
        len(request.movement),
        call.exchange_id,
        stored(call.now),
    )
    session = call.session
    made = session.rows(_INSERT_DOCUMENT, document)
    if not made:
        return _first_answer(session, document, planned, call, dated=request.postingDate is not None)
    document_id: int = made[0][0]
    references = References(session, planned, call, rules)
    balances = _lock(session, planned, references)
    outcome = apply(planned, balances)
    _refuse(outcome, call)
    _post(session, document_id, planned, outcome, balances)
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
    return {
        "asOf": call.now,
        "stock": [_level(place, *levels[place], units[place[0]]) for place in sorted(levels)],
    }


def _lock(session: Session, planned: list[Leg], references: References) -> dict[Place, Balance]:
    """Every balance the legs touch, locked until the transaction ends; new ones at zero."""
    places = sorted({leg.place for leg in planned})
    session.run_many(
        _INSERT_BALANCE,
        [BalanceRow(sku, code, int(references.warehouses[code]), 0, 0) for sku, code in places],
    )
    balances: dict[Place, Balance] = {}
    for row in session.rows_for(_LOCKED_BALANCES, places):
        found = BalanceRow(*row)
        balances[found.sku, found.warehouse] = Balance(
            found.on_hand, found.reserved, bool(found.may_be_negative)
        )
    return balances


def _refuse(outcome: Outcome, call: Call) -> None:
    if outcome.shortages:
        raise call.fault(
            "InsufficientStock",
            shortage=[
                {
                    "sku": leg.sku,
                    "warehouse": leg.warehouse,
                    "available": {"value": quantity(available), "unit": leg.unit},
                    "wanted": {"value": quantity(wanted), "unit": leg.unit},
                    "path": leg.path,
                }
                for leg, available, wanted in outcome.shortages[:MOST_REPORTED]
            ],
        )
    if outcome.overflows:
        leg, on_hand = outcome.overflows[0]
        raise call.fault(
            "LimitExceeded",
            limit="stockBalance",
            allowed=plain(LARGEST, QUANTITY_DIGITS),
            actual=quantity(abs(on_hand)),
            path=leg.path,
        )


def _post(
    session: Session, document_id: int, planned: list[Leg], outcome: Outcome, balances: dict[Place, Balance]
) -> None:
    session.run_many(
        _UPDATE_BALANCE, [(balance.on_hand, *place) for place, balance in sorted(balances.items())]
    )
    session.run_many(
        _INSERT_MOVEMENT,
        [
            _row(document_id, entry, leg, after)
            for entry, (leg, after) in enumerate(zip(planned, outcome.on_hand_after, strict=True), 1)
        ],
    )


def _row(document_id: int, entry: int, leg: Leg, on_hand_after: int) -> MovementRow:
    return MovementRow(
        document_id,
        entry,
        leg.number,
        leg.kind,
        leg.reason,
        leg.sku,
        leg.warehouse,
        leg.quantity,
        on_hand_after,
        leg.lot,
        leg.order_number,
        leg.note,
        leg.note_language,
    )


def _posted(document_id: int, document: DocumentRow, call: Call) -> Reply:
    posted_at = moment(document.posted_at)
    call.reference = number(STOCK_DOCUMENT, document_id, posted_at)
    return {
        "documentNumber": call.reference,
        "postedAt": posted_at,
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
            row == _row(document_id, row.entry, leg, row.on_hand_after)
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
