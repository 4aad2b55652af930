"""What a sales order was before each change (`bridge/erp/revisions.py`)."""

from __future__ import annotations

from bridge.erp.revisions import Revisions
from bridge.erp.sales.content import Header, Line
from bridge.erp.sales.rows import KIND
from bridge.erp.sales.tables import (
    sales_order,
    sales_order_line,
    sales_order_revision,
    sales_order_revision_line,
)

_REVISIONS = Revisions(
    KIND, sales_order, sales_order_line, sales_order_revision, sales_order_revision_line, Header, Line
)
keep = _REVISIONS.keep
revision_of = _REVISIONS.revision_of
