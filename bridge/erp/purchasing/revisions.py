"""What a purchase order was before each change (`bridge/erp/revisions.py`)."""

from __future__ import annotations

from bridge.erp.purchasing.content import Header, Line
from bridge.erp.purchasing.rows import KIND
from bridge.erp.revisions import Revisions
from bridge.erp.tables import (
    purchase_order,
    purchase_order_line,
    purchase_order_revision,
    purchase_order_revision_line,
)

_REVISIONS = Revisions(
    KIND,
    purchase_order,
    purchase_order_line,
    purchase_order_revision,
    purchase_order_revision_line,
    Header,
    Line,
)
keep = _REVISIONS.keep
revision_of = _REVISIONS.revision_of
