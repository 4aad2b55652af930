"""The stock ledger: planned legs become one stock document, its movements and the balances after them.

Every operation that moves stock posts here, inside its own handler's transaction, so that whatever else it writes
stands or falls with the movements:

    references   items, warehouses, units, orders and reservations are checked; what comes in becomes known
    lock         every balance the legs touch, in one order, so that two requests never wait for each other in a ring;
                 what reservations held too long is given back (`holds.py`)
    apply        in the order of the legs; a shortage refuses all of them
    write        the balances and the movements

A request id makes one stock document, whichever operation it came with and however long ago: what was posted once
is never posted twice, also when no record of the first answer is left.

Movements are appended and never changed; a balance is their sum, kept beside them and changed in the same
transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import bindparam, literal_column, select, update

from bridge.erp.call import Call, sender
from bridge.erp.figures import LARGEST, QUANTITY_DIGITS, plain, quantity
from bridge.erp.holds import give_back_expired, holds_of, write_taken
from bridge.erp.numbers import STOCK_DOCUMENT, number, row_id
from bridge.erp.posting import Balance, Leg, Overflow, Place, Shortage, apply
from bridge.erp.references import MOST_REPORTED, References, Rules
from bridge.erp.tables import stock_balance, stock_document, stock_movement
from bridge.store import Session
from bridge.store.clock import moment, stored
from bridge.store.statements import ByKeys, Prepared, insertion

if TYPE_CHECKING:
    from bridge.erp.telling import Levels


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
    reservation_id: int | None


class BalanceRow(NamedTuple):
    """A row of `stock_balance`."""

    sku: str
    warehouse: str
    may_be_negative: int
    on_hand: int
    reserved: int
    revision: int


_documents, _balances = stock_document.c, stock_balance.c

_INSERT_DOCUMENT = insertion(
    stock_document, DocumentRow, returning=_documents.id, unless_there=("partner", "request_id")
)
_POSTED_AT = Prepared(
    select(_documents.posted_at).where(
        _documents.partner == bindparam("partner"), _documents.request_id == bindparam("request_id")
    ),
    "partner",
    "request_id",
)
_INSERT_MOVEMENT = insertion(stock_movement, MovementRow)
_INSERT_BALANCE = insertion(stock_balance, BalanceRow, unless_there=("sku", "warehouse"))
_UPDATE_BALANCE = Prepared(
    update(stock_balance)
    .where(_balances.sku == bindparam("of_sku"), _balances.warehouse == bindparam("of_warehouse"))
    .values(
        on_hand=bindparam("new_on_hand"),
        reserved=bindparam("new_reserved"),
        revision=_balances.revision + literal_column("1"),
    ),
    "new_on_hand",
    "new_reserved",
    "of_sku",
    "of_warehouse",
)
_LOCKED_BALANCES = ByKeys(
    "SELECT sku, warehouse, may_be_negative, on_hand, reserved, revision FROM stock_balance "
    "WHERE (sku, warehouse) IN (VALUES {keys}) ORDER BY sku, warehouse{lock}",
    width=2,
)


def heading(
    call: Call,
    request_id: str,
    *,
    movement_count: int,
    posting_date: date | None = None,
    reference: str | None = None,
) -> DocumentRow:
    """The document that a request is about to post.

    Args:
        movement_count: of the caller's movements; a transfer is one and has two legs.
        posting_date: day in the books; today where the business is, where the caller names none.
        reference: the caller's own document number.
    """
    return DocumentRow(
        sender(call),
        request_id,
        str(posting_date or call.today),
        reference,
        movement_count,
        call.exchange_id,
        stored(call.now),
    )


def post(
    document: DocumentRow,
    planned: Sequence[Leg],
    call: Call,
    rules: Rules,
    levels: Levels | None = None,
) -> int:
    """Post all legs as one document, or none of them; the document's id. `levels` sees the balances before.

    Raises:
        the fault KeyReused: this sender's request id has made a stock document before.
        the fault InvalidReference: an item, warehouse, unit, order or reservation that does not hold.
        the fault InvalidState: a reservation that is no longer open.
        the fault InsufficientStock: the first leg of each place that takes more than is available to it.
        the fault LimitExceeded: a balance would have more digits than can be kept.
    """
    session = call.session
    made = session.rows(_INSERT_DOCUMENT, document)
    if not made:
        ((first_used_at,),) = session.rows(_POSTED_AT, (document.partner, document.request_id))
        raise call.fault("KeyReused", requestId=document.request_id, firstUsedAt=moment(first_used_at))
    document_id: int = made[0][0]
    references = References(session, planned, call, rules)
    places = {leg.place for leg in planned}
    balances = lock_balances(session, places, references.warehouses, call.now, levels)
    holds = holds_of(session, planned, call)
    outcome = apply(planned, balances, holds)
    refuse(outcome.shortages, outcome.overflows, call)
    write_balances(session, balances)
    write_taken(session, holds, stored(call.now))
    session.run_many(
        _INSERT_MOVEMENT,
        [
            movement_row(document_id, entry, leg, after)
            for entry, (leg, after) in enumerate(zip(planned, outcome.on_hand_after, strict=True), 1)
        ],
    )
    return document_id


def document_number(document_id: int, document: DocumentRow) -> str:
    """The number the ERP gives this document."""
    return number(STOCK_DOCUMENT, document_id, moment(document.posted_at))


def lock_balances(
    session: Session,
    places: Iterable[Place],
    may_be_negative: Mapping[str, bool],
    now: datetime,
    levels: Levels | None = None,
) -> dict[Place, Balance]:
    """These balances, locked until the transaction ends, without what reservations hold whose time has run out by `now`.

    One that was not there begins at zero. What the caller changes in them, `write_balances` has to write.

    Args:
        may_be_negative: of every warehouse among the places.
        levels: sees them as they were.
    """
    ordered = sorted(set(places))
    session.run_many(
        _INSERT_BALANCE, [BalanceRow(sku, code, int(may_be_negative[code]), 0, 0, 0) for sku, code in ordered]
    )
    balances: dict[Place, Balance] = {}
    rows = [BalanceRow(*row) for row in session.rows_for(_LOCKED_BALANCES, ordered)]
    if levels is not None:
        levels.saw(rows)
    for found in rows:
        balances[found.sku, found.warehouse] = Balance(
            found.on_hand, found.reserved, bool(found.may_be_negative)
        )
    # At once: whoever locks them may find nothing to change, or lock them again.
    given_back = give_back_expired(session, balances, stored(now))
    write_balances(session, {place: balances[place] for place in given_back})
    return balances


def write_balances(session: Session, balances: Mapping[Place, Balance]) -> None:
    """Write locked balances as they are now."""
    session.run_many(
        _UPDATE_BALANCE,
        [(balance.on_hand, balance.reserved, *place) for place, balance in sorted(balances.items())],
    )


def movement_row(document_id: int, entry: int, leg: Leg, on_hand_after: int) -> MovementRow:
    """A leg as it is kept."""
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
        None if leg.reservation is None else row_id(leg.reservation),
    )


def refuse(shortages: Sequence[Shortage], overflows: Sequence[Overflow], call: Call) -> None:
    """Raise the fault InsufficientStock or LimitExceeded where there are any."""
    if shortages:
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
                for leg, available, wanted in shortages[:MOST_REPORTED]
            ],
        )
    if overflows:
        leg, figure = overflows[0]
        raise call.fault(
            "LimitExceeded",
            limit="stockBalance",
            allowed=plain(LARGEST, QUANTITY_DIGITS),
            actual=quantity(abs(figure)),
            path=leg.path,
        )
