"""What an order was before each change: written once, when it is replaced, and read by its revision.

Revision n held from the moment n - 1 was replaced until it was itself; the one that holds is in `purchase_order`.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Integer, bindparam, insert, select

from bridge.erp.call import Call
from bridge.erp.purchasing.content import Header, Line
from bridge.erp.purchasing.rows import Order, lines_of, not_found
from bridge.erp.tables import (
    purchase_order,
    purchase_order_line,
    purchase_order_revision,
    purchase_order_revision_line,
)
from bridge.store import Session
from bridge.store.clock import stored
from bridge.store.statements import Prepared


class Revision(NamedTuple):
    """The order as one revision has it; `made_at` as it is stored."""

    number: int
    header: Header
    lines: list[Line]
    made_at: int


_orders, _lines = purchase_order.c, purchase_order_line.c
_old, _old_lines = purchase_order_revision.c, purchase_order_revision_line.c
_HEADER, _LINE = list(Header._fields), list(Line._fields)

_KEEP_HEADER = Prepared(
    insert(purchase_order_revision).from_select(
        ["order_id", "revision", *_HEADER, "exchange_id", "replaced_at"],
        select(
            _orders.id,
            _orders.revision,
            *(_orders[name] for name in _HEADER),
            _orders.exchange_id,
            bindparam("replaced_at", type_=_old.replaced_at.type),
        ).where(_orders.id == bindparam("order_id")),
    ),
    "replaced_at",
    "order_id",
)
_KEEP_LINES = Prepared(
    insert(purchase_order_revision_line).from_select(
        ["order_id", "revision", *_LINE],
        select(
            _lines.order_id, bindparam("revision", type_=Integer()), *(_lines[name] for name in _LINE)
        ).where(_lines.order_id == bindparam("order_id")),
    ),
    "revision",
    "order_id",
)
_HEADER_OF = Prepared(
    select(*(_old[name] for name in _HEADER)).where(
        _old.order_id == bindparam("order_id"), _old.revision == bindparam("revision")
    ),
    "order_id",
    "revision",
)
_LINES_OF = Prepared(
    select(*(_old_lines[name] for name in _LINE))
    .where(_old_lines.order_id == bindparam("order_id"), _old_lines.revision == bindparam("revision"))
    .order_by(_old_lines.position),
    "order_id",
    "revision",
)
_REPLACED_AT = Prepared(
    select(_old.replaced_at).where(
        _old.order_id == bindparam("order_id"), _old.revision == bindparam("revision")
    ),
    "order_id",
    "revision",
)


def keep(found: Order, call: Call) -> None:
    """Write down what the order is, before it becomes something else."""
    session = call.session
    session.run(_KEEP_HEADER, (stored(call.now), found.id))
    session.run(_KEEP_LINES, (found.row.revision, found.id))


def revision_of(found: Order, wanted: int | None, session: Session, call: Call) -> Revision:
    """The order as this revision has it; where none is named, as it stands, changed when it was last moved.

    Raises:
        the fault NotFound: it never had such a revision.
    """
    current = found.row.revision
    if wanted is None:
        return Revision(current, found.header, lines_of(session, found.id), found.row.changed_at)
    if wanted > current:
        raise not_found(call, "purchaseOrder", f"{found.number} revision {wanted}"[:100])
    made_at = found.row.created_at
    if wanted > 1:
        ((made_at,),) = session.rows(_REPLACED_AT, (found.id, wanted - 1))
    if wanted == current:
        return Revision(current, found.header, lines_of(session, found.id), made_at)
    key = (found.id, wanted)
    header = Header(*session.rows(_HEADER_OF, key)[0])
    return Revision(wanted, header, [Line(*row) for row in session.rows(_LINES_OF, key)], made_at)
