"""A purchase order's content: from the contract's element to rows, and back. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from bridge.erp.documents import (
    Json,
    address,
    day_of,
    given,
    note,
    note_of,
    packed,
    party,
    text_of,
    unpacked,
    without_none,
)
from bridge.erp.figures import (
    PRICE_DIGITS,
    QUANTITY_DIGITS,
    line_amount,
    minor_unit_digits,
    money,
    price,
    quantity,
    scaled,
)


class Header(NamedTuple):
    """What is said of the whole order. Columns of `purchase_order` and of `purchase_order_revision`."""

    buyer_reference: str | None
    order_date: str
    currency: str
    supplier: str
    requested_delivery: str | None
    total: int
    details: str


class Line(NamedTuple):
    """What is said of a line. Columns of `purchase_order_line` and of `purchase_order_revision_line`."""

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


def content(order: Any) -> tuple[Header, list[Line]]:
    """The contract's order as rows; the total may be more than can be kept."""
    lines = list(_lines(order))
    header = Header(
        order.buyerReference,
        str(order.orderDate),
        order.currency,
        order.supplier.code,
        text_of(order.requestedDelivery),
        sum(line.amount for line in lines),
        packed(_details(order)),
    )
    return header, lines


def order_of(header: Header, lines: Iterable[Line]) -> Json:
    """The contract's order, as it was sent."""
    return without_none(
        {
            "buyerReference": header.buyer_reference,
            "orderDate": day_of(header.order_date),
            "currency": header.currency,
            **unpacked(header.details),
            "requestedDelivery": day_of(header.requested_delivery),
            "line": [_line(line, header.currency) for line in lines],
        }
    )


def total_of(header: Header) -> Json:
    """The order's total as the contract's Money."""
    return {"value": money(header.total, header.currency), "currency": header.currency}


def shipped_to(header: Header) -> str | None:
    """The warehouse that the order is shipped to; None where it is another address."""
    warehouse: str | None = unpacked(header.details)["shipTo"].get("warehouse")
    return warehouse


def is_complete(lines: Iterable[Line], received: Mapping[int, int]) -> bool:
    """Whether of every line at least what is ordered has come in. `received` is scaled, by line number."""
    return all(received.get(line.line_number, 0) >= line.quantity for line in lines)


def most_open(ordered: int, received: int, over_delivery: float) -> int:
    """How much of a line may still come in (scaled): what is ordered and `over_delivery` percent of it, less what has
    come in; never below zero."""
    # By way of its text: 0.1 percent is a tenth, not the nearest binary fraction.
    tolerance = int(ordered * Decimal(str(over_delivery)) / 100)
    return max(ordered + tolerance - received, 0)


def _lines(order: Any) -> Iterable[Line]:
    minor_digits = minor_unit_digits(order.currency)
    for position, line in enumerate(order.line, 1):
        item, remark = line.item, line.note
        ordered = scaled(line.quantity.value, QUANTITY_DIGITS)
        unit_price = scaled(line.unitPrice, PRICE_DIGITS)
        yield Line(
            line.lineNumber,
            position,
            item.sku,
            item.description,
            item.supplierSku,
            item.gtin,
            item.hsCode,
            item.originCountry,
            ordered,
            line.quantity.unit,
            unit_price,
            line_amount(ordered, unit_price, minor_digits),
            text_of(line.requestedDelivery),
            None if remark is None else remark.value,
            None if remark is None else remark.language,
        )


def _details(order: Any) -> Json:
    """What is read whole and never searched."""
    place, terms, payment = order.shipTo, order.deliveryTerms, order.paymentTerms
    details: Json = {"buyer": party(order.buyer), "supplier": party(order.supplier)}
    if place.warehouse is not None:
        details["shipTo"] = {"warehouse": place.warehouse}
    else:
        details["shipTo"] = {"address": address(place.address)}
    if terms is not None:
        details["deliveryTerms"] = given(terms, "incoterm", "place")
    if payment is not None:
        details["paymentTerms"] = given(payment, "method", "netDays")
    if order.note:
        details["note"] = [note(remark) for remark in order.note]
    return details


def _line(line: Line, currency: str) -> Json:
    item = {
        "sku": line.sku,
        "description": line.description,
        "supplierSku": line.supplier_sku,
        "gtin": line.gtin,
        "hsCode": line.hs_code,
        "originCountry": line.origin_country,
    }
    return without_none(
        {
            "lineNumber": line.line_number,
            "item": without_none(item),
            "quantity": {"value": quantity(line.quantity), "unit": line.unit},
            "unitPrice": price(line.unit_price, currency),
            "requestedDelivery": day_of(line.requested_delivery),
            "note": None if line.note is None else note_of(line.note, line.note_language),
        }
    )
