"""What a purchase order was before each change (`bridge/erp/revisions.py`)."""

from __future__ import annotations

from bridge.erp.call import Call
from bridge.erp.orders import changed_at, not_found
from bridge.erp.purchasing.content import Header, Line
from bridge.erp.purchasing.rows import KIND, Order, lines_of
from bridge.erp.revisions import Revision, Revisions
from bridge.erp.tables import (
    purchase_order,
    purchase_order_line,
    purchase_order_revision,
    purchase_order_revision_line,
)
from bridge.store import Session

_REVISIONS = Revisions(
    purchase_order, purchase_order_line, purchase_order_revision, purchase_order_revision_line, Header, Line
)


def keep(found: Order, call: Call) -> None:
    """Write down what the order is, before it becomes something else."""
    _REVISIONS.keep(found.id, found.row.revision, call.session, at=changed_at(found, call))


def revision_of(found: Order, wanted: int | None, session: Session, call: Call) -> Revision[Header, Line]:
    """The order as this revision has it; where none is named, as it stands, changed when it was last moved.

    Raises:
        the fault NotFound: it never had such a revision.
    """
    current = found.row.revision
    if wanted is None:
        return Revision(current, found.header, lines_of(session, found.id), found.row.changed_at)
    if wanted > current:
        raise not_found(call, KIND, f"{found.number} revision {wanted}"[:100])
    made_at = _REVISIONS.made_at(found.id, wanted, session, created_at=found.row.created_at)
    if wanted == current:
        return Revision(current, found.header, lines_of(session, found.id), made_at)
    return Revision(wanted, *_REVISIONS.content(found.id, wanted, session), made_at)
