"""What the other modules know of a customer and of prices and stock: asked where they are on, and left out where they are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from bridge.erp.call import Call

# Modules, not their functions: the catalog asks sales too, and whichever is imported first finds the other half made.
from bridge.erp.catalog import prices, promise
from bridge.erp.customers import credit
from bridge.erp.figures import QUANTITY_DIGITS, scaled
from bridge.erp.orders import broken, line_path
from bridge.erp.receivables import open_items
from bridge.erp.references import MOST_LETTERS, MOST_REPORTED, Rules, known_units
from bridge.erp.sales.content import Header, Line, warehouse_of
from bridge.erp.sales.judging import Facts, PricedLine, ShortLine
from bridge.erp.sales.open_orders import open_values
from bridge.store import Session


def list_prices(operation: str, order: Any, call: Call, rules: Rules) -> dict[int, int]:
    """The catalog's prices on the day of the order (scaled), by line number; a line that the catalog has no price for is not there.

    Raises:
        the fault InvalidReference: a line says no price, and the catalog has none either.
    """
    found: dict[int, int] = {}
    if "catalog" in rules.modules and (
        rules.discount_limit < 100 or any(line.unitPrice is None for line in order.line)
    ):
        found = _listed(order, call.session)
    wrong = [
        broken(
            "priceList",
            f"{order.currency} {line.item.sku}"[:MOST_LETTERS],
            "unknown",
            f"{line_path(operation, index, len(order.line), inside='/order')}/unitPrice",
        )
        for index, line in enumerate(order.line)
        if line.unitPrice is None and line.lineNumber not in found
    ]
    if wrong:
        raise call.fault("InvalidReference", reference=wrong[:MOST_REPORTED])
    return found


def refuse_blocked(customer: str, path: str, call: Call, rules: Rules) -> None:
    """Refuse an order of a customer that is blocked.

    Raises:
        the fault InvalidReference.
    """
    found = credit.credit_of(call.session, customer) if "customers" in rules.modules else None
    if found is not None and found.blocked:
        raise call.fault("InvalidReference", reference=[broken("customer", customer, "blocked", path)])


def facts_of(
    header: Header, lines: Sequence[Line], listed: Mapping[int, int], call: Call, rules: Rules
) -> Facts:
    """What is known of an order whose customer's account is locked, and which is not among the open ones."""
    session, modules, customer = call.session, rules.modules, header.customer
    open_orders = open_values(session, customer)
    owes = "receivables" in modules
    return Facts(
        total=header.total,
        currency=header.currency,
        lines=[PricedLine(line.line_number, line.unit_price, listed.get(line.line_number)) for line in lines],
        modules=modules,
        credit=credit.credit_of(session, customer) if "customers" in modules else None,
        open_items=open_items.open_amount(session, customer, header.currency) if owes else 0,
        overdue=owes and open_items.overdue(session, customer, call.today),
        open_orders=open_orders.pop(header.currency, 0),
        other_currencies=sorted(open_orders),
        short=_short(header, lines, call) if rules.available_only and "catalog" in modules else (),
    )


def _listed(order: Any, session: Session) -> dict[int, int]:
    units = known_units(session, (line.item.sku for line in order.line))
    found = {}
    for line in order.line:
        # Prices are those of the stock unit.
        if units.get(line.item.sku, line.quantity.unit) == line.quantity.unit:
            sold = scaled(line.quantity.value, QUANTITY_DIGITS)
            listed = prices.price_of(
                session, line.item.sku, currency=order.currency, quantity=sold, on=order.orderDate
            )
            if listed is not None:
                found[line.lineNumber] = listed.unit_price
    return found


def _short(header: Header, lines: Sequence[Line], call: Call) -> list[ShortLine]:
    """Lines that cannot be delivered in time: all that the order wants of an item by then counts."""
    wanted: dict[str, int] = {}
    short = []
    for line in sorted(lines, key=lambda line: (line.due_date, line.position)):
        before = wanted.get(line.sku, 0)
        wanted[line.sku] = before + line.quantity
        available = promise.available_to_promise(
            call.session,
            line.sku,
            warehouse=warehouse_of(header),
            # A day that has passed means as soon as can be.
            on=max(date.fromisoformat(line.due_date), call.today),
            now=call.now,
            today=call.today,
        )
        if available - before < line.quantity:
            short.append(ShortLine(line.line_number, line.quantity, max(available - before, 0)))
    return short
