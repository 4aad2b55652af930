"""ReceiveGoods: what has arrived goes into stock, and against the lines of its order, in one transaction.

The order is locked first, the balances after it, by the ledger and in its order: so two receipts never wait for each
other in a ring. What has come in of a line is the sum of its receipts, and each receipt is a movement of the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bridge.erp.call import Call
from bridge.erp.figures import QUANTITY_DIGITS, quantity, scaled
from bridge.erp.ledger import document_number, heading, post
from bridge.erp.orders import broken, line_path
from bridge.erp.posting import Leg
from bridge.erp.purchasing.content import Line, is_complete, most_open, shipped_to
from bridge.erp.purchasing.rows import Order, lines_of, locked, moved, received_of, set_state
from bridge.erp.references import MOST_REPORTED, Rules
from bridge.erp.states import after
from bridge.erp.tables import goods_receipt_line
from bridge.erp.telling import Tell, levels_of, tell_order, tell_receipt
from bridge.store.clock import moment
from bridge.store.statements import insertion

Reply = dict[str, Any]


class ReceiptRow(NamedTuple):
    """A row of `goods_receipt_line`."""

    document_id: int
    entry: int
    order_id: int
    line_number: int
    quantity: int


_INSERT_RECEIPT = insertion(goods_receipt_line, ReceiptRow)


def receive_goods(
    request: Any,
    call: Call,
    rules: Rules = Rules(),  # noqa: B008 - frozen
    tell: Tell | None = None,
) -> Reply:
    """Post what has arrived.

    Faults: NotFound, InvalidState, InvalidReference (line, unit, warehouse), OverDelivery, LimitExceeded (balance),
    KeyReused (the request id has made another stock document).
    """
    found = locked(call, request.orderNumber)
    state = moved(found, "receive", call)
    session = call.session
    lines = {line.line_number: line for line in lines_of(session, found.id)}
    legs = _legs(request, found, lines, call)
    received = received_of(session, found.id)
    arrived = _arrived(request)
    _refuse_too_much(request, lines, received, arrived, rules, call)

    document = heading(
        call,
        request.requestId,
        movement_count=len(legs),
        posting_date=request.postingDate,
        reference=request.reference,
    )
    levels = levels_of(tell)
    document_id = post(document, legs, call, rules, levels)
    session.run_many(
        _INSERT_RECEIPT,
        [
            ReceiptRow(document_id, entry, found.id, line.lineNumber, leg.quantity)
            for entry, (line, leg) in enumerate(zip(request.line, legs, strict=True), 1)
        ],
    )
    now_received = {one: received.get(one, 0) + arrived.get(one, 0) for one in lines}
    if is_complete(list(lines.values()), now_received):
        state = after(state, "complete")
    if request.final:
        state = after(state, "close")
    changed = set_state(found, state, call)
    if tell is not None and levels is not None:
        by_line = [(line.lineNumber, leg) for line, leg in zip(request.line, legs, strict=True)]
        tell_receipt(tell, changed, document_id, document, by_line, now_received)
        tell_order(tell, changed, list(lines.values()), now_received, before=found.state)
        levels.tell(call)
    return {
        "documentNumber": document_number(document_id, document),
        "state": state,
        "postedAt": moment(document.posted_at),
    }


def _legs(request: Any, found: Order, lines: Mapping[int, Line], call: Call) -> list[Leg]:
    """One receipt for each line of the request. Fault: InvalidReference."""
    warehouse = request.warehouse or shipped_to(found.header)
    wrong = []
    if warehouse is None:
        wrong.append(broken("purchaseOrder", found.number, "mismatch", "/ReceiveGoods/warehouse"))
    legs = []
    for index, arrived in enumerate(request.line):
        path = line_path("ReceiveGoods", index, len(request.line))
        line = lines.get(arrived.lineNumber)
        if line is None:
            wrong.append(
                broken("purchaseOrderLine", str(arrived.lineNumber), "unknown", f"{path}/lineNumber")
            )
        elif line.unit != arrived.quantity.unit:
            wrong.append(broken("unit", arrived.quantity.unit, "mismatch", f"{path}/quantity/@unit"))
        elif warehouse is not None:
            note = arrived.note
            legs.append(
                Leg(
                    index + 1,
                    "receipt",
                    "purchase",
                    line.sku,
                    warehouse,
                    scaled(arrived.quantity.value, QUANTITY_DIGITS),
                    line.unit,
                    path,
                    "/ReceiveGoods/warehouse",
                    arrived.lot,
                    found.number,
                    None if note is None else note.value,
                    None if note is None else note.language,
                )
            )
    if wrong:
        raise call.fault("InvalidReference", reference=wrong[:MOST_REPORTED])
    return legs


def _arrived(request: Any) -> dict[int, int]:
    """What the request brings, by line number: all its lots together."""
    arrived: dict[int, int] = {}
    for line in request.line:
        amount = scaled(line.quantity.value, QUANTITY_DIGITS)
        arrived[line.lineNumber] = arrived.get(line.lineNumber, 0) + amount
    return arrived


def _refuse_too_much(
    request: Any,
    lines: Mapping[int, Line],
    received: Mapping[int, int],
    arrived: Mapping[int, int],
    rules: Rules,
    call: Call,
) -> None:
    places = _first_places(request.line)
    over: list[dict[str, Any]] = []
    for line_number, amount in arrived.items():
        line, had = lines[line_number], received.get(line_number, 0)
        most = most_open(line.quantity, had, rules.over_delivery)
        if amount > most:
            figures = {"ordered": line.quantity, "received": had, "open": most, "delivered": amount}
            over.append(
                {
                    "lineNumber": line_number,
                    **{name: {"value": quantity(one), "unit": line.unit} for name, one in figures.items()},
                    "path": line_path("ReceiveGoods", places[line_number], len(request.line)),
                }
            )
    if over:
        raise call.fault("OverDelivery", line=over[:MOST_REPORTED])


def _first_places(arrived: Sequence[Any]) -> dict[int, int]:
    places: dict[int, int] = {}
    for index, line in enumerate(arrived):
        places.setdefault(line.lineNumber, index)
    return places
