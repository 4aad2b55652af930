"""ReturnGoods: what comes back of an order, at most what was ordered, and what it credits.

The order is locked first, balances after it, by the ledger: so nobody waits for another in a ring. A line's credit is that of all that has
come back of it, rounded once, less what was credited before: however it is split, a line that came back whole credits its amount.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import bindparam, literal_column, select, update

from bridge.erp.call import Call, sender
from bridge.erp.documents import note_of, without_none
from bridge.erp.figures import QUANTITY_DIGITS, line_amount, minor_unit_digits, quantity, scaled
from bridge.erp.ledger import document_number, heading, post
from bridge.erp.numbers import SALES_RETURN, STOCK_DOCUMENT, number
from bridge.erp.orders import broken, changed_at, line_path
from bridge.erp.posting import Leg
from bridge.erp.references import MOST_REPORTED, Rules
from bridge.erp.sales.content import amount_of
from bridge.erp.sales.events import tell_order
from bridge.erp.sales.rows import Order, ReturnedLine, add_credit, locked, moved, returned_of, set_state
from bridge.erp.sales.states import SALES_ORDER
from bridge.erp.sales.tables import sales_order_line, sales_return, sales_return_line
from bridge.erp.tables import stock_document
from bridge.erp.telling import Tell, levels_of
from bridge.store import Session
from bridge.store.clock import moment
from bridge.store.statements import Prepared, insertion

Reply = dict[str, Any]

MOST_TOLD: Final = 500
"""Returns in one reply, as its type says."""


class ReturnRow(NamedTuple):
    """A row of `sales_return`, without the id that the database gives."""

    partner: str
    request_id: str
    order_id: int
    reason: str
    reason_language: str | None
    reference: str | None
    credit: int
    document_id: int | None
    exchange_id: str
    returned_at: int


class ReturnLineRow(NamedTuple):
    """A row of `sales_return_line`."""

    return_id: int
    line_number: int
    quantity: int
    unit: str
    credit: int


class Back(NamedTuple):
    """What comes back of a line now, and what it credits. Figures are scaled."""

    line_number: int
    sku: str
    quantity: int
    unit: str
    credit: int


_returns, _return_lines, _lines = sales_return.c, sales_return_line.c, sales_order_line.c

_INSERT = insertion(sales_return, ReturnRow, returning=_returns.id, unless_there=("partner", "request_id"))
_INSERT_LINE = insertion(sales_return_line, ReturnLineRow)
_RETURNED_AT = Prepared(
    select(_returns.returned_at).where(
        _returns.partner == bindparam("partner"), _returns.request_id == bindparam("request_id")
    ),
    "partner",
    "request_id",
)
_ADD = Prepared(
    update(sales_order_line)
    .where(_lines.order_id == bindparam("of_order"), _lines.line_number == bindparam("of_line"))
    .values(
        returned=_lines.returned + bindparam("more"), credited=_lines.credited + bindparam("more_credit")
    ),
    "more",
    "more_credit",
    "of_order",
    "of_line",
)
# Without the zero SQLite's compiler binds the offset of a limit.
_LATEST = Prepared(
    select(
        _returns.id,
        _returns.reason,
        _returns.reason_language,
        _returns.reference,
        _returns.credit,
        _returns.returned_at,
        stock_document.c.id,
        stock_document.c.posted_at,
    )
    .join_from(sales_return, stock_document, stock_document.c.id == _returns.document_id, isouter=True)
    .where(_returns.order_id == bindparam("order_id"))
    .order_by(_returns.id.desc())
    .limit(literal_column(str(MOST_TOLD)))
    .offset(literal_column("0")),
    "order_id",
)
_LINES_OF = Prepared(
    select(
        _return_lines.return_id,
        _return_lines.line_number,
        _return_lines.quantity,
        _return_lines.unit,
        _return_lines.credit,
    )
    .join(sales_return, _returns.id == _return_lines.return_id)
    .where(_returns.order_id == bindparam("order_id"))
    .order_by(_return_lines.return_id, _return_lines.line_number),
    "order_id",
)


def return_goods(
    request: Any,
    call: Call,
    rules: Rules = Rules(),  # noqa: B008 - frozen
    tell: Tell | None = None,
) -> Reply:
    """Take goods back.

    Faults: NotFound, InvalidState, InvalidReference (line, unit, item, warehouse), OverReturn, LimitExceeded (balance), KeyReused.
    """
    found = locked(call, request.orderNumber)
    state = moved(found, "return", call)
    session = call.session
    lines = {one.line.line_number: one for one in returned_of(session, found.id)}
    _refuse_unfit(request, lines, call)
    back = list(_back(request, lines, found.row.currency))
    at = changed_at(found, call)
    levels = levels_of(tell)
    document = document_id = None
    if request.warehouse is not None:
        document = heading(call, request.requestId, movement_count=len(back), reference=request.reference)
        document_id = post(document, _legs(request, back), call, rules, levels)
    credit = sum(one.credit for one in back)
    return_id = _write(request, found, credit, document_id, back, at, call)
    if state != "completed" and _is_all(lines, back):
        state = SALES_ORDER.after(state, "complete")
    changed = set_state(add_credit(found, credit, call), state, call)
    if tell is not None and levels is not None:
        tell_order(tell, changed, before=found.state)
        levels.tell(call)
    return without_none(
        {
            "returnNumber": number(SALES_RETURN, return_id, moment(at)),
            "state": state,
            "credit": amount_of(credit, found.row.currency),
            "documentNumber": None
            if document is None or document_id is None
            else document_number(document_id, document),
            "returnedAt": moment(at),
        }
    )


def returns_of(session: Session, found: Order) -> list[Reply]:
    """The contract's SalesReturns of an order, the oldest first; of more than `MOST_TOLD` the latest."""
    if not found.row.credited and found.state not in ("partiallyDelivered", "completed"):
        return []
    lines: dict[int, list[Reply]] = {}
    currency = found.row.currency
    for return_id, line_number, amount, unit, credit in session.rows(_LINES_OF, (found.id,)):
        lines.setdefault(return_id, []).append(
            {
                "lineNumber": line_number,
                "quantity": {"value": quantity(amount), "unit": unit},
                "credit": amount_of(credit, currency),
            }
        )
    return [
        without_none(
            {
                "returnNumber": number(SALES_RETURN, return_id, moment(at)),
                "returnedAt": moment(at),
                "reason": note_of(reason, language),
                "reference": reference,
                "documentNumber": None
                if document_id is None
                else number(STOCK_DOCUMENT, document_id, moment(posted_at)),
                "credit": amount_of(credit, currency),
                "line": lines[return_id],
            }
        )
        for return_id, reason, language, reference, credit, at, document_id, posted_at in reversed(
            session.rows(_LATEST, (found.id,))
        )
    ]


def _refuse_unfit(request: Any, lines: Mapping[int, ReturnedLine], call: Call) -> None:
    """Faults: InvalidReference (line, unit), OverReturn."""
    wrong = []
    over: list[Reply] = []
    for index, given in enumerate(request.line):
        path = line_path("ReturnGoods", index, len(request.line))
        found = lines.get(given.lineNumber)
        if found is None:
            wrong.append(broken("salesOrderLine", str(given.lineNumber), "unknown", f"{path}/lineNumber"))
            continue
        unit = found.line.unit
        if given.quantity.unit != unit:
            wrong.append(broken("unit", given.quantity.unit, "mismatch", f"{path}/quantity/@unit"))
            continue
        may_come = found.line.quantity - found.returned
        wanted = scaled(given.quantity.value, QUANTITY_DIGITS)
        if wanted > may_come:
            figures = {
                "ordered": found.line.quantity,
                "returned": found.returned,
                "open": may_come,
                "wanted": wanted,
            }
            told = {name: {"value": quantity(one), "unit": unit} for name, one in figures.items()}
            over.append({"lineNumber": given.lineNumber, **told, "path": f"{path}/quantity"})
    if wrong:
        raise call.fault("InvalidReference", reference=wrong[:MOST_REPORTED])
    if over:
        raise call.fault("OverReturn", line=over[:MOST_REPORTED])


def _back(request: Any, lines: Mapping[int, ReturnedLine], currency: str) -> Iterator[Back]:
    """What comes back, in the order of the request; each line stands once."""
    minor_digits = minor_unit_digits(currency)
    for given in request.line:
        found = lines[given.lineNumber]
        comes = scaled(given.quantity.value, QUANTITY_DIGITS)
        all_of_it = line_amount(found.returned + comes, found.line.unit_price, minor_digits)
        yield Back(given.lineNumber, found.line.sku, comes, found.line.unit, all_of_it - found.credited)


def _legs(request: Any, back: Sequence[Back]) -> list[Leg]:
    return [
        Leg(
            index + 1,
            "receipt",
            "customerReturn",
            one.sku,
            request.warehouse,
            one.quantity,
            one.unit,
            line_path("ReturnGoods", index, len(back)),
            "/ReturnGoods/warehouse",
        )
        for index, one in enumerate(back)
    ]


def _write(
    request: Any,
    found: Order,
    credit: int,
    document_id: int | None,
    back: Sequence[Back],
    at: int,
    call: Call,
) -> int:
    """Write the return; its id. Fault: KeyReused."""
    session, reason = call.session, request.reason
    row = ReturnRow(
        sender(call),
        request.requestId,
        found.id,
        reason.value,
        reason.language,
        request.reference,
        credit,
        document_id,
        call.exchange_id,
        at,
    )
    made = session.rows(_INSERT, row)
    if not made:
        ((first_used_at,),) = session.rows(_RETURNED_AT, (row.partner, row.request_id))
        raise call.fault("KeyReused", requestId=row.request_id, firstUsedAt=moment(first_used_at))
    return_id: int = made[0][0]
    session.run_many(
        _INSERT_LINE,
        [ReturnLineRow(return_id, one.line_number, one.quantity, one.unit, one.credit) for one in back],
    )
    session.run_many(_ADD, [(one.quantity, one.credit, found.id, one.line_number) for one in back])
    return return_id


def _is_all(lines: Mapping[int, ReturnedLine], back: Sequence[Back]) -> bool:
    """Whether nothing of the order is left that has not come back."""
    now = {one.line_number: one.quantity for one in back}
    return all(one.returned + now.get(line, 0) == one.line.quantity for line, one in lines.items())
