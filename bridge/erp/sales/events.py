"""What has become of a sales order, as the event SalesOrderStatusChanged of wsdl/crm/events-1.wsdl."""

from __future__ import annotations

from typing import Any

from bridge.erp.documents import without_none
from bridge.erp.events import Event
from bridge.erp.sales.content import amount_of, total_of
from bridge.erp.sales.rows import Order
from bridge.erp.sales.states import State
from bridge.erp.telling import Tell
from bridge.store.clock import moment


def sales_order_status_changed(
    order: Order, *, before: State | None, reason: dict[str, Any] | None = None
) -> Event:
    """SalesOrderStatusChanged. Pure.

    Args:
        order: as it is now.
        before: the state that it was in; None for a new one.
        reason: why it was approved, waits or was refused, as the contract's Note; None where nothing was decided.
    """
    row = order.row
    return without_none(
        {
            "eventId": f"sales-order-state:{order.number}:{row.changed_at}",
            "occurredAt": moment(row.changed_at),
            "sequence": row.changed_at,
            "orderNumber": order.number,
            "customerReference": row.customer_reference,
            "customer": row.customer,
            "revision": row.revision,
            "oldState": before,
            "newState": order.state,
            "total": total_of(order.header),
            "credited": amount_of(row.credited, row.currency) if row.credited else None,
            "reason": reason,
        }
    )


def tell_order(
    tell: Tell, order: Order, *, before: State | None, reason: dict[str, Any] | None = None
) -> None:
    """Have it told. Arguments as those of `sales_order_status_changed`."""
    tell(
        "SalesOrderStatusChanged",
        sales_order_status_changed(order, before=before, reason=reason),
        order.number,
    )
