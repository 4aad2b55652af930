"""ListStockMovements: page by page in the order of documents and their entries, which nothing changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Select, literal, select, tuple_

from bridge.erp.call import Call, sees, sender
from bridge.erp.documents import day_of, note_of, without_none
from bridge.erp.figures import quantity
from bridge.erp.numbers import PURCHASE_ORDER, RESERVATION, STOCK_DOCUMENT, number, row_id
from bridge.erp.paging import BadToken, position, token
from bridge.erp.references import known_units, known_warehouses
from bridge.erp.tables import item, purchase_order, reservation, stock_document, stock_movement
from bridge.store import Session
from bridge.store.clock import moment

Reply = dict[str, Any]

PAGE = 100
"""Movements on a page whose size the caller does not say."""

ENTRIES = 2**16
"""More than a document can have: place in the list is document times this, plus entry."""

_movements, _documents = stock_movement.c, stock_document.c

_POSTED = (
    select(
        _movements.document_id,
        _movements.entry,
        _movements.sku,
        _movements.warehouse,
        _movements.kind,
        _movements.quantity,
        _movements.on_hand_after,
        _movements.reason,
        _movements.lot,
        _movements.order_number,
        _movements.note,
        _movements.note_language,
        _documents.posting_date,
        _documents.posted_at,
        _documents.reference,
        item.c.unit,
        reservation.c.id.label("reservation_id"),
        reservation.c.created_at.label("reserved_at"),
    )
    .join(stock_document, _documents.id == _movements.document_id)
    .join(item, item.c.sku == _movements.sku)
    .outerjoin(reservation, reservation.c.id == _movements.reservation_id)
)


def list_stock_movements(request: Any, call: Call) -> Reply:
    """One page. Faults: NotFound (of what is filtered by), InvalidPageToken."""
    session = call.reading
    this_list = (
        "ListStockMovements",
        request.sku,
        request.warehouse,
        request.kind,
        str(request.postedFrom),
        str(request.postedTo),
        request.orderNumber,
        request.reservationNumber,
        request.documentNumber,
        bool(request.oldestFirst),
    )
    try:
        last = None if request.pageToken is None else position(request.pageToken, *this_list)
    except BadToken as error:
        raise call.fault("InvalidPageToken", pageToken=request.pageToken, reason=error.reason) from None
    missing = list(_missing(session, request, call))
    if missing:
        raise call.fault("NotFound", missing=missing)
    size = request.pageSize or PAGE
    query = _ordered(_POSTED.where(*_filters(request, call)), last, oldest_first=bool(request.oldestFirst))
    # One more than asked for tells whether there is another page.
    rows = session.execute(query.limit(size + 1)).all()
    reply: Reply = {"asOf": call.now, "movement": [_posted(row) for row in rows[:size]]}
    if len(rows) > size:
        reply["nextPage"] = token(_place(rows[size - 1]), *this_list)
    return reply


def _filters(request: Any, call: Call) -> Iterator[ColumnElement[bool]]:
    if call.own_only:
        yield _documents.partner == sender(call)
    if request.sku is not None:
        yield _movements.sku == request.sku
    if request.warehouse is not None:
        yield _movements.warehouse == request.warehouse
    if request.kind is not None:
        yield _movements.kind == request.kind
    if request.postedFrom is not None:
        yield _documents.posting_date >= str(request.postedFrom)
    if request.postedTo is not None:
        yield _documents.posting_date <= str(request.postedTo)
    if request.orderNumber is not None:
        yield _movements.order_number == request.orderNumber
    if request.reservationNumber is not None:
        yield _movements.reservation_id == row_id(request.reservationNumber)
    if request.documentNumber is not None:
        yield _movements.document_id == row_id(request.documentNumber)


def _ordered(query: Select[Any], last: int | None, *, oldest_first: bool) -> Select[Any]:
    """In the order of the list, after the place `last`."""
    place = tuple_(_movements.document_id, _movements.entry)
    if last is not None:
        after = tuple_(*map(literal, divmod(last, ENTRIES)))
        query = query.where(place > after if oldest_first else place < after)
    columns = (_movements.document_id, _movements.entry)
    return query.order_by(*(column if oldest_first else column.desc() for column in columns))


def _missing(session: Session, request: Any, call: Call) -> Iterator[dict[str, str]]:
    """What is filtered by and does not exist: a mistyped number is no empty list."""
    sku, warehouse = request.sku, request.warehouse
    if sku is not None and not known_units(session, [sku]):
        yield {"kind": "item", "identifier": sku}
    if warehouse is not None and not known_warehouses(session, [warehouse]):
        yield {"kind": "warehouse", "identifier": warehouse}
    for kind, given, prefix, table, made_at in (
        ("purchaseOrder", request.orderNumber, PURCHASE_ORDER, purchase_order, "created_at"),
        ("reservation", request.reservationNumber, RESERVATION, reservation, "created_at"),
        ("stockDocument", request.documentNumber, STOCK_DOCUMENT, stock_document, "posted_at"),
    ):
        if given is not None:
            named = select(table.c[made_at], table.c.partner).where(table.c.id == row_id(given))
            found = session.execute(named).first()
            # Another year with the same digits is another number, and nobody's.
            if (
                found is None
                or number(prefix, row_id(given), moment(found[0])) != given
                or not sees(call, found.partner)
            ):
                yield {"kind": kind, "identifier": given}


def _place(row: Any) -> int:
    place: int = row.document_id * ENTRIES + row.entry
    return place


def _posted(row: Any) -> Reply:
    def figure(amount: int) -> dict[str, Any]:
        return {"value": quantity(amount), "unit": row.unit}

    posted_at = moment(row.posted_at)
    reserved_by = (
        None
        if row.reservation_id is None
        else number(RESERVATION, row.reservation_id, moment(row.reserved_at))
    )
    return without_none(
        {
            "documentNumber": number(STOCK_DOCUMENT, row.document_id, posted_at),
            "entry": row.entry,
            "postingDate": day_of(row.posting_date),
            "postedAt": posted_at,
            "sku": row.sku,
            "warehouse": row.warehouse,
            "kind": row.kind,
            "direction": "increase" if row.quantity > 0 else "decrease",
            "quantity": figure(abs(row.quantity)),
            "onHandAfter": figure(row.on_hand_after),
            "reason": row.reason,
            "lot": row.lot,
            "orderNumber": row.order_number,
            "reservationNumber": reserved_by,
            "reference": row.reference,
            "note": None if row.note is None else note_of(row.note, row.note_language),
        }
    )
