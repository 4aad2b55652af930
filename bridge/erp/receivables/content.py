"""An invoice's content: from the contract's element to rows, and back. Pure.

Each line is rounded half up to the currency's minor unit; the tax of each rate is computed once, on the sum of its lines, and rounded
the same way. So the figures on paper add up, and the tax is that of the sums.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from bridge.erp.documents import Json, day_of, given, note, packed, party, unpacked, without_none
from bridge.erp.figures import (
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

RATE_DIGITS = 2
"""Of a tax rate, in percent."""


class Header(NamedTuple):
    """What is said of the whole invoice. Columns of `invoice`."""

    customer: str
    currency: str
    invoice_date: str
    due_date: str
    order_reference: str | None
    net: int
    tax: int
    total: int
    details: str


class Line(NamedTuple):
    """What is said of a line. Columns of `invoice_line`."""

    line_number: int
    position: int
    sku: str
    item: str
    quantity: int
    unit: str
    unit_price: int
    tax_rate: int | None
    amount: int


class OfRate(NamedTuple):
    """What one tax rate (hundredths of a percent) comes to."""

    rate: int
    net: int
    tax: int


def content(invoice: Any) -> tuple[Header, list[Line]]:
    """The contract's invoice as rows; the total may be more than can be kept."""
    lines = list(_lines(invoice))
    rates = by_rate(lines, invoice.currency)
    net, tax = sum(one.net for one in rates), sum(one.tax for one in rates)
    header = Header(
        invoice.customer.code,
        invoice.currency,
        str(invoice.invoiceDate),
        _due_date(invoice),
        invoice.orderReference,
        net,
        tax,
        net + tax,
        packed(_details(invoice)),
    )
    return header, lines


def invoice_of(header: Header, lines: Iterable[Line]) -> Json:
    """The contract's invoice, as it was sent."""
    details = unpacked(header.details)
    return without_none(
        {
            "customer": details["customer"],
            "invoiceDate": day_of(header.invoice_date),
            "dueDate": day_of(details.get("dueDate")),
            "currency": header.currency,
            "orderReference": header.order_reference,
            "customerReference": details.get("customerReference"),
            "paymentTerms": details.get("paymentTerms"),
            "note": details.get("note"),
            "line": [_line(line, header.currency) for line in lines],
        }
    )


def by_rate(lines: Sequence[Line], currency: str) -> list[OfRate]:
    """The tax of each rate, the lowest rate first."""
    sums: dict[int, int] = {}
    for line in lines:
        rate = line.tax_rate or 0
        sums[rate] = sums.get(rate, 0) + line.amount
    return [OfRate(rate, net, tax_of(net, rate, currency)) for rate, net in sorted(sums.items())]


def tax_of(net: int, rate: int, currency: str) -> int:
    """The tax on a scaled amount, rounded half up to the currency's minor unit. Neither may be negative."""
    unit = 10 ** (MONEY_DIGITS - minor_unit_digits(currency))
    step = unit * 100 * 10**RATE_DIGITS
    tax: int = (2 * net * rate + step) // (2 * step) * unit
    return tax


def rates_told(rates: Iterable[OfRate], currency: str) -> list[Json]:
    """The contract's TaxOfRate."""
    return [
        {
            "rate": plain(one.rate, RATE_DIGITS),
            "net": amount_of(one.net, currency),
            "tax": amount_of(one.tax, currency),
        }
        for one in rates
    ]


def totals_of(header: Header) -> Json:
    """Net, tax and total as the contract's Money."""
    return {name: amount_of(getattr(header, name), header.currency) for name in ("net", "tax", "total")}


def amount_of(scaled_amount: int, currency: str) -> Json:
    """A scaled amount as the contract's Money."""
    return {"value": money(scaled_amount, currency), "currency": currency}


def _due_date(invoice: Any) -> str:
    if invoice.dueDate is not None:
        return str(invoice.dueDate)
    days = 0 if invoice.paymentTerms is None else invoice.paymentTerms.netDays
    # The calendar ends.
    last = min(invoice.invoiceDate.toordinal() + days, date.max.toordinal())
    return str(date.fromordinal(last))


def _lines(invoice: Any) -> Iterable[Line]:
    minor_digits = minor_unit_digits(invoice.currency)
    for position, line in enumerate(invoice.line, 1):
        charged = scaled(line.quantity.value, QUANTITY_DIGITS)
        unit_price = scaled(line.unitPrice, PRICE_DIGITS)
        item = given(line.item, "sku", "description", "supplierSku", "gtin", "hsCode", "originCountry")
        yield Line(
            line.lineNumber,
            position,
            line.item.sku,
            packed(item),
            charged,
            line.quantity.unit,
            unit_price,
            None if line.taxRate is None else scaled(line.taxRate, RATE_DIGITS),
            line_amount(charged, unit_price, minor_digits),
        )


def _details(invoice: Any) -> Json:
    """What is read whole and never searched."""
    details: Json = {"customer": party(invoice.customer)}
    if invoice.dueDate is not None:
        details["dueDate"] = str(invoice.dueDate)
    details |= given(invoice, "customerReference")
    if invoice.paymentTerms is not None:
        details["paymentTerms"] = given(invoice.paymentTerms, "method", "netDays")
    if invoice.note:
        details["note"] = [note(remark) for remark in invoice.note]
    return details


def _line(line: Line, currency: str) -> Json:
    return without_none(
        {
            "lineNumber": line.line_number,
            "item": unpacked(line.item),
            "quantity": {"value": quantity(line.quantity), "unit": line.unit},
            "unitPrice": _price(line.unit_price, currency),
            "taxRate": None if line.tax_rate is None else plain(line.tax_rate, RATE_DIGITS),
        }
    )


def _price(unit_price: int, currency: str) -> Decimal:
    return plain(unit_price, PRICE_DIGITS, at_least=minor_unit_digits(currency))
