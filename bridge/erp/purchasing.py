"""Purchase orders: what CreatePurchaseOrder and GetPurchaseOrder do (wsdl/erp/purchasing-1.wsdl).

A request id makes one order, whatever happens: it is unique per sender in the database. Sent again with the same
content, the answer is the first one.
"""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select

from bridge.erp.call import Call, sender
from bridge.erp.figures import (
    LARGEST,
    MONEY_DIGITS,
    PRICE_DIGITS,
    QUANTITY_DIGITS,
    line_amount,
    minor_unit_digits,
    money,
    plain,
    quantity,
    scaled,
)
from bridge.erp.numbers import PURCHASE_ORDER, number, row_id
from bridge.erp.states import NEW_PURCHASE_ORDER
from bridge.erp.tables import purchase_order, purchase_order_line
from bridge.store import Session
from bridge.store.clock import moment, stored
from bridge.store.statements import Prepared, insertion

Reply = dict[str, Any]


class OrderRow(NamedTuple):
    """A row of `purchase_order`, without the id that the database gives."""

    partner: str
    request_id: str
    state: str
    revision: int
    buyer_reference: str | None
    order_date: str
    currency: str
    supplier: str
    requested_delivery: str | None
    total: int
    details: str
    exchange_id: str
    created_at: int
    changed_at: int


class LineRow(NamedTuple):
    """A row of `purchase_order_line`."""

    order_id: int
    line_number: int
    position: int
    sku: str
    description: str | None
    supplier_sku: str | None
    gtin: str | None
    hs_code: str | None
    origin_country: str | None
    quantity: int
    unit: str
    unit_price: int
    amount: int
    requested_delivery: str | None
    note: str | None
    note_language: str | None


_orders, _lines = purchase_order.c, purchase_order_line.c
_ORDER = (_orders.id, *(_orders[name] for name in OrderRow._fields))

_INSERT_ORDER = insertion(
    purchase_order, OrderRow, returning=_orders.id, unless_there=("partner", "request_id")
)
_INSERT_LINE = insertion(purchase_order_line, LineRow)
_BY_ID = Prepared(select(*_ORDER).where(_orders.id == bindparam("id")), "id")
_BY_REQUEST = Prepared(
    select(*_ORDER).where(
        _orders.partner == bindparam("partner"), _orders.request_id == bindparam("request_id")
    ),
    "partner",
    "request_id",
)
_LINES_OF = Prepared(
    select(*(_lines[name] for name in LineRow._fields))
    .where(_lines.order_id == bindparam("order_id"))
    .order_by(_lines.position),
    "order_id",
)


def create_purchase_order(request: Any, call: Call) -> Reply:
    """Store a new order. Faults: LimitExceeded (total), KeyReused."""
    order = request.order
    lines, total = _line_rows(order)
    if total > LARGEST:
        raise call.fault(
            "LimitExceeded",
            limit="documentTotal",
            allowed=plain(LARGEST, MONEY_DIGITS),
            actual=plain(total, MONEY_DIGITS),
            path="/CreatePurchaseOrder/order",
        )
    now = stored(call.now)
    row = OrderRow(
        sender(call),
        request.requestId,
        NEW_PURCHASE_ORDER,
        1,
        order.buyerReference,
        str(order.orderDate),
        order.currency,
        order.supplier.code,
        _text(order.requestedDelivery),
        total,
        json.dumps(_details(order), ensure_ascii=False, separators=(",", ":")),
        call.exchange_id,
        now,
        now,
    )
    session = call.session
    made = session.rows(_INSERT_ORDER, row)
    if not made:
        return _first_answer(session, row, lines, call)
    order_id: int = made[0][0]
    session.run_many(_INSERT_LINE, [(order_id, *line) for line in lines])
    return _created(order_id, row, call)


def get_purchase_order(request: Any, call: Call) -> Reply:
    """The order as it stands. Fault: NotFound."""
    wanted = request.purchaseOrder
    session = call.reading
    if wanted.orderNumber is not None:
        found = session.rows(_BY_ID, (row_id(wanted.orderNumber),))
        # Another year with the same digits is another number, and nobody's.
        found = [row for row in found if _number(row[0], OrderRow(*row[1:])) == wanted.orderNumber]
        missing = {"kind": "purchaseOrder", "identifier": wanted.orderNumber}
    else:
        found = session.rows(_BY_REQUEST, (sender(call), wanted.requestId))
        missing = {"kind": "request", "identifier": wanted.requestId}
    if not found:
        raise call.fault("NotFound", missing=[missing])
    order_id, row = found[0][0], OrderRow(*found[0][1:])
    lines = [LineRow(*line) for line in session.rows(_LINES_OF, (order_id,))]
    call.reference = _number(order_id, row)
    return {
        "orderNumber": call.reference,
        "state": row.state,
        "revision": row.revision,
        "createdAt": moment(row.created_at),
        "changedAt": moment(row.changed_at),
        "total": _total(row),
        "order": _order(row, lines),
    }


# -- from the request to rows


def _line_rows(order: Any) -> tuple[list[tuple[Any, ...]], int]:
    """(rows of LineRow without the order's id, total); the total may be more than fits."""
    minor_digits = minor_unit_digits(order.currency)
    rows: list[tuple[Any, ...]] = []
    total = 0
    for position, line in enumerate(order.line, 1):
        item, ordered, note = line.item, line.quantity, line.note
        amount_of = scaled(ordered.value, QUANTITY_DIGITS)
        unit_price = scaled(line.unitPrice, PRICE_DIGITS)
        amount = line_amount(amount_of, unit_price, minor_digits)
        total += amount
        rows.append(
            (
                line.lineNumber,
                position,
                item.sku,
                item.description,
                item.supplierSku,
                item.gtin,
                item.hsCode,
                item.originCountry,
                amount_of,
                ordered.unit,
                unit_price,
                amount,
                _text(line.requestedDelivery),
                None if note is None else note.value,
                None if note is None else note.language,
            )
        )
    return rows, total


def _details(order: Any) -> dict[str, Any]:
    """What is read whole and never searched, by the contract's names; what is absent is left out."""
    place, terms, payment = order.shipTo, order.deliveryTerms, order.paymentTerms
    details: dict[str, Any] = {"buyer": _party(order.buyer), "supplier": _party(order.supplier)}
    if place.warehouse is not None:
        details["shipTo"] = {"warehouse": place.warehouse}
    else:
        details["shipTo"] = {"address": _address(place.address)}
    if terms is not None:
        details["deliveryTerms"] = {"incoterm": terms.incoterm, "place": terms.place}
    if payment is not None:
        details["paymentTerms"] = {"method": payment.method, "netDays": payment.netDays}
    if order.note:
        details["note"] = [_given(note, "value", "language") for note in order.note]
    return details


def _party(party: Any) -> dict[str, Any]:
    given = _given(party, "code", "name", "taxNumber")
    if party.address is not None:
        given["address"] = _address(party.address)
    if party.contact is not None:
        given["contact"] = _given(party.contact, "name", "phone", "email")
    return given


def _address(address: Any) -> dict[str, Any]:
    given = _given(address, "addressee", "city", "region", "postalCode", "country")
    given["street"] = list(address.street)
    return given


def _given(value: Any, *names: str) -> dict[str, Any]:
    return {name: part for name in names if (part := getattr(value, name)) is not None}


def _text(day: object) -> str | None:
    return None if day is None else str(day)


# -- from rows to the reply


def _created(order_id: int, row: OrderRow, call: Call) -> Reply:
    call.reference = _number(order_id, row)
    return {
        "orderNumber": call.reference,
        "state": NEW_PURCHASE_ORDER,
        "total": _total(row),
        "createdAt": moment(row.created_at),
    }


def _first_answer(session: Session, again: OrderRow, lines: list[tuple[Any, ...]], call: Call) -> Reply:
    """The request id is taken: answer as the first time if this is the same request. Fault: KeyReused."""
    order_id, *values = session.rows(_BY_REQUEST, (again.partner, again.request_id))[0]
    first = OrderRow(*values)
    same_header = again == first._replace(
        state=again.state,
        revision=again.revision,
        exchange_id=again.exchange_id,
        created_at=again.created_at,
        changed_at=again.changed_at,
    )
    if not same_header or lines != [row[1:] for row in session.rows(_LINES_OF, (order_id,))]:
        raise call.fault("KeyReused", requestId=first.request_id, firstUsedAt=moment(first.created_at))
    return _created(order_id, first, call)


def _number(order_id: int, row: OrderRow) -> str:
    return number(PURCHASE_ORDER, order_id, moment(row.created_at))


def _total(row: OrderRow) -> dict[str, Any]:
    return {"value": money(row.total, row.currency), "currency": row.currency}


def _order(row: OrderRow, lines: list[LineRow]) -> dict[str, Any]:
    order = {
        "buyerReference": row.buyer_reference,
        "orderDate": _day(row.order_date),
        "currency": row.currency,
        **json.loads(row.details),
        "requestedDelivery": _day(row.requested_delivery),
        "line": [_line(line, row.currency) for line in lines],
    }
    return _without_none(order)


def _line(line: LineRow, currency: str) -> dict[str, Any]:
    item = {
        "sku": line.sku,
        "description": line.description,
        "supplierSku": line.supplier_sku,
        "gtin": line.gtin,
        "hsCode": line.hs_code,
        "originCountry": line.origin_country,
    }
    note = None if line.note is None else {"value": line.note, "language": line.note_language}
    return _without_none(
        {
            "lineNumber": line.line_number,
            "item": _without_none(item),
            "quantity": {"value": quantity(line.quantity), "unit": line.unit},
            "unitPrice": _price(line.unit_price, currency),
            "requestedDelivery": _day(line.requested_delivery),
            "note": None if note is None else _without_none(note),
        }
    )


def _price(unit_price: int, currency: str) -> Decimal:
    return plain(unit_price, PRICE_DIGITS, at_least=minor_unit_digits(currency))


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
