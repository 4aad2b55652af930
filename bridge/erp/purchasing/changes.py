"""ChangePurchaseOrder and CancelPurchaseOrder.

A change replaces header and lines, on the basis of the revision that its sender has read: of two changes based on the
same revision one wins, and the other's sender is told to read again. What has come in binds every change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Executable, bindparam, delete, update
from sqlalchemy.dialects import postgresql, sqlite

from bridge.erp.call import Call
from bridge.erp.figures import quantity
from bridge.erp.orders import CancellationRow, broken, changed_at, line_path, same_revision, total_fits
from bridge.erp.purchasing.content import Header, Line, content, is_complete, total_of
from bridge.erp.purchasing.revisions import keep
from bridge.erp.purchasing.rows import (
    KIND,
    LineRow,
    Order,
    lines_of,
    locked,
    moved,
    received_of,
    set_state,
)
from bridge.erp.references import MOST_REPORTED, Rules
from bridge.erp.states import State, after
from bridge.erp.suppliers import broken_supplier
from bridge.erp.tables import purchase_order, purchase_order_cancellation, purchase_order_line
from bridge.erp.telling import Tell, tell_order
from bridge.store.clock import moment
from bridge.store.statements import DialectName, Prepared, insertion

Reply = dict[str, Any]

_ORDER = "/ChangePurchaseOrder/order"


def _replace_line(dialect: DialectName) -> Executable:
    """INSERT of a line, or its replacement: a line that receipts refer to cannot be taken out and put back."""
    make = sqlite.insert if dialect == "sqlite" else postgresql.insert
    statement: Any = make(purchase_order_line)
    replaced = {name: statement.excluded[name] for name in Line._fields if name != "line_number"}
    made: Executable = statement.on_conflict_do_update(
        index_elements=["order_id", "line_number"], set_=replaced
    )
    return made


_REPLACE_LINE = Prepared(_replace_line, *LineRow._fields)
_DELETE_LINE = Prepared(
    delete(purchase_order_line).where(
        purchase_order_line.c.order_id == bindparam("order_id"),
        purchase_order_line.c.line_number == bindparam("line_number"),
    ),
    "order_id",
    "line_number",
)
_WRITTEN = ("state", "revision", *Header._fields, "exchange_id", "changed_at")
_UPDATE_ORDER = Prepared(
    update(purchase_order)
    .where(purchase_order.c.id == bindparam("of_order"))
    .values({name: bindparam(f"new_{name}") for name in _WRITTEN}),
    *(f"new_{name}" for name in _WRITTEN),
    "of_order",
)
_INSERT_CANCELLATION = insertion(purchase_order_cancellation, CancellationRow)


def change_purchase_order(
    request: Any,
    call: Call,
    rules: Rules = Rules(),  # noqa: B008 - frozen
    tell: Tell | None = None,
) -> Reply:
    """Replace header and lines.

    Faults: NotFound, InvalidState, RevisionMismatch, LimitExceeded (total), InvalidReference (supplier; item or unit of
    a line that goods have come in of), BelowReceived.
    """
    found = locked(call, request.orderNumber)
    state = moved(found, "change", call)
    same_revision(KIND, found, request.revision, call)
    header, lines = content(request.order)
    total_fits(header.total, _ORDER, call)
    session = call.session
    before = {line.line_number: line for line in lines_of(session, found.id)}
    received = received_of(session, found.id)
    wrong = broken_supplier(session, header.supplier, f"{_ORDER}/supplier/code", rules)
    wrong += _mismatches(found, header, lines, before, received)
    if wrong:
        raise call.fault("InvalidReference", reference=wrong[:MOST_REPORTED])
    undercut = _undercut(lines, before, received)
    if undercut:
        raise call.fault("BelowReceived", line=undercut[:MOST_REPORTED])
    if received and is_complete(lines, received):
        state = after(state, "complete")
    keep(found, call)
    changed = _replace(found, state, header, lines, before, call)
    if tell is not None:
        tell_order(tell, changed, lines, received, before=found.state)
    return {
        "orderNumber": found.number,
        "state": state,
        "revision": found.row.revision + 1,
        "total": total_of(header),
        "changedAt": moment(changed_at(found, call)),
    }


def cancel_purchase_order(request: Any, call: Call, tell: Tell | None = None) -> Reply:
    """Call the order off. Faults: NotFound, InvalidState, RevisionMismatch."""
    found = locked(call, request.orderNumber)
    state = moved(found, "cancel", call)
    same_revision(KIND, found, request.revision, call)
    at = changed_at(found, call)
    call.session.run(
        _INSERT_CANCELLATION,
        CancellationRow(found.id, request.reason.value, request.reason.language, call.exchange_id, at),
    )
    changed = set_state(found, state, call)
    if tell is not None:
        session = call.session
        lines, received = lines_of(session, found.id), received_of(session, found.id)
        tell_order(tell, changed, lines, received, before=found.state)
    return {"orderNumber": found.number, "state": state, "cancelledAt": moment(at)}


def _replace(
    found: Order,
    state: State,
    header: Header,
    lines: Sequence[Line],
    before: Mapping[int, Line],
    call: Call,
) -> Order:
    """Write what the order is now. The order as it is then."""
    session = call.session
    gone = sorted(before.keys() - {line.line_number for line in lines})
    session.run_many(_DELETE_LINE, [(found.id, line_number) for line_number in gone])
    session.run_many(_REPLACE_LINE, [(found.id, *line) for line in lines])
    written = (state, found.row.revision + 1, *header, call.exchange_id, changed_at(found, call))
    session.run(_UPDATE_ORDER, (*written, found.id))
    row = found.row._replace(**dict[str, Any](zip(_WRITTEN, written, strict=True)))
    return found._replace(row=row)


def _mismatches(
    found: Order,
    header: Header,
    lines: Sequence[Line],
    before: Mapping[int, Line],
    received: Mapping[int, int],
) -> list[dict[str, str]]:
    """What names another thing than the goods that have come in."""
    if not received:
        return []
    wrong = []
    if header.supplier != found.row.supplier:
        wrong.append(broken("supplier", header.supplier, "mismatch", f"{_ORDER}/supplier/code"))
    for index, line in enumerate(lines):
        if line.line_number in received:
            was, path = before[line.line_number], _path(index, lines)
            if line.sku != was.sku:
                wrong.append(broken("item", line.sku, "mismatch", f"{path}/item/sku"))
            if line.unit != was.unit:
                wrong.append(broken("unit", line.unit, "mismatch", f"{path}/quantity/@unit"))
    return wrong


def _undercut(
    lines: Sequence[Line], before: Mapping[int, Line], received: Mapping[int, int]
) -> list[dict[str, Any]]:
    """Lines reduced below what has come in. One of which too much has may stay as it was ordered."""
    places = {line.line_number: (index, line) for index, line in enumerate(lines)}
    found: list[dict[str, Any]] = []
    for line_number, amount in sorted(received.items()):
        was = before[line_number]
        told: dict[str, Any] = {
            "lineNumber": line_number,
            "received": {"value": quantity(amount), "unit": was.unit},
        }
        if line_number not in places:
            found.append({**told, "path": f"{_ORDER}/line"})
            continue
        index, line = places[line_number]
        if line.quantity < min(amount, was.quantity):
            wanted = {"value": quantity(line.quantity), "unit": line.unit}
            found.append({**told, "wanted": wanted, "path": f"{_path(index, lines)}/quantity"})
    return found


def _path(index: int, lines: Sequence[Line]) -> str:
    return line_path("ChangePurchaseOrder", index, len(lines), inside="/order")
