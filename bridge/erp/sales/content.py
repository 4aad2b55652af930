"""A sales order's content: from the contract's element to rows, and back. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    """What is said of the whole order. Columns of `sales_order` and of `sales_order_revision`."""

    customer_reference: str | None
    order_date: str
    currency: str
    customer: str
    requested_delivery: str | None
    total: int
    details: str


class Line(NamedTuple):
    """What is said of a line. Columns of `sales_order_line` and of `sales_order_revision_line`."""

    line_number: int
    position: int
    sku: str
    item: str
    quantity: int
    unit: str
    unit_price: int
    amount: int
    requested_delivery: str | None
    due_date: str
    note: str | None
    note_language: str | None


def content(order: Any, list_prices: Mapping[int, int]) -> tuple[Header, list[Line]]:
    """The contract's order as rows; the total may be more than can be kept.

    Args:
        list_prices: scaled, by line number: of every line that says no price, and others.
    """
    lines = list(_lines(order, list_prices))
    header = Header(
        order.customerReference,
        str(order.orderDate),
        order.currency,
        order.customer.code,
        text_of(order.requestedDelivery),
        sum(line.amount for line in lines),
        packed(_details(order)),
    )
    return header, lines


def order_of(header: Header, lines: Iterable[Line]) -> Json:
    """The contract's order: as it was sent, with the prices that were taken from the catalog."""
    return without_none(
        {
            "customerReference": header.customer_reference,
            "orderDate": day_of(header.order_date),
            "currency": header.currency,
            **unpacked(header.details),
            "requestedDelivery": day_of(header.requested_delivery),
            "line": [_line(line, header.currency) for line in lines],
        }
    )


def amount_of(number: int, currency: str) -> Json:
    """A scaled amount as the contract's Money."""
    return {"value": money(number, currency), "currency": currency}


def total_of(header: Header) -> Json:
    """The order's total as the contract's Money."""
    return amount_of(header.total, header.currency)


def warehouse_of(header: Header) -> str | None:
    """The warehouse that delivers; None where any may."""
    code: str | None = unpacked(header.details).get("warehouse")
    return code


def _lines(order: Any, list_prices: Mapping[int, int]) -> Iterable[Line]:
    minor_digits = minor_unit_digits(order.currency)
    for position, line in enumerate(order.line, 1):
        remark = line.note
        sold = scaled(line.quantity.value, QUANTITY_DIGITS)
        if line.unitPrice is None:
            unit_price = list_prices[line.lineNumber]
        else:
            unit_price = scaled(line.unitPrice, PRICE_DIGITS)
        yield Line(
            line.lineNumber,
            position,
            line.item.sku,
            packed(given(line.item, "sku", "description", "supplierSku", "gtin", "hsCode", "originCountry")),
            sold,
            line.quantity.unit,
            unit_price,
            line_amount(sold, unit_price, minor_digits),
            text_of(line.requestedDelivery),
            str(line.requestedDelivery or order.requestedDelivery or order.orderDate),
            None if remark is None else remark.value,
            None if remark is None else remark.language,
        )


def _details(order: Any) -> Json:
    """What is read whole and never searched."""
    details: Json = {"customer": party(order.customer), **given(order, "warehouse")}
    if order.shipTo is not None:
        details["shipTo"] = address(order.shipTo)
    if order.paymentTerms is not None:
        details["paymentTerms"] = given(order.paymentTerms, "method", "netDays")
    if order.note:
        details["note"] = [note(remark) for remark in order.note]
    return details


def _line(line: Line, currency: str) -> Json:
    return without_none(
        {
            "lineNumber": line.line_number,
            "item": unpacked(line.item),
            "quantity": {"value": quantity(line.quantity), "unit": line.unit},
            "unitPrice": price(line.unit_price, currency),
            "requestedDelivery": day_of(line.requested_delivery),
            "note": None if line.note is None else note_of(line.note, line.note_language),
        }
    )
