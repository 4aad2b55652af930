"""What happened in the ERP, as events of wsdl/crm/events-1.wsdl: from rows of the ledger to values. Pure.

An event's id is made of what it is about, so that whoever tells it again tells it under the same id. Its sequence is
that of its object: when the order last changed, how often the balance was written.

Nothing here calls anybody: `telling.py` has them told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bridge.erp.documents import day_of, without_none
from bridge.erp.figures import quantity
from bridge.erp.ledger import BalanceRow, DocumentRow, document_number
from bridge.erp.posting import Leg
from bridge.erp.states import State
from bridge.store.clock import moment

if TYPE_CHECKING:  # whose handlers have these told
    from bridge.erp.purchasing.content import Line
    from bridge.erp.purchasing.rows import Order

Event = dict[str, Any]


def purchase_order_status_changed(
    order: Order, lines: Sequence[Line], received: Mapping[int, int], *, before: State | None
) -> Event:
    """PurchaseOrderStatusChanged.

    Args:
        received: what has come in, scaled, by line number; a line of which nothing has may be missing.
        before: the state that the order was in; None for a new one.
    """
    sequence = order.row.changed_at
    return without_none(
        {
            "eventId": f"order-state:{order.number}:{sequence}",
            "occurredAt": moment(order.row.changed_at),
            "sequence": sequence,
            "orderNumber": order.number,
            "buyerReference": order.row.buyer_reference,
            "supplier": order.row.supplier,
            "revision": order.row.revision,
            "oldState": before,
            "newState": order.state,
            "line": [
                {
                    "lineNumber": line.line_number,
                    "sku": line.sku,
                    "ordered": _figure(line.quantity, line.unit),
                    "received": _figure(received.get(line.line_number, 0), line.unit),
                }
                for line in lines
            ],
        }
    )


def stock_level_changed(balance: BalanceRow, unit: str, *, occurred_at: datetime) -> Event:
    """StockLevelChanged.

    Args:
        unit: the item's stock unit.
        occurred_at: when the request came in that wrote the balance.
    """
    # Not the names themselves: the two together are longer than an id may be.
    place = hashlib.blake2b(f"{balance.sku} {balance.warehouse}".encode(), digest_size=12).hexdigest()
    return {
        "eventId": f"stock-level:{place}:{balance.revision}",
        "occurredAt": occurred_at,
        "sequence": balance.revision,
        "sku": balance.sku,
        "warehouse": balance.warehouse,
        "onHand": _figure(balance.on_hand, unit),
        "reserved": _figure(balance.reserved, unit),
        "available": _figure(balance.on_hand - balance.reserved, unit),
    }


def goods_received(
    order: Order,
    document_id: int,
    document: DocumentRow,
    arrived: Sequence[tuple[int, Leg]],
    received: Mapping[int, int],
) -> Event:
    """GoodsReceived.

    Args:
        order: as it is after the receipt.
        arrived: (line number, leg) of what the document posted, at least one.
        received: what has come in, scaled, by line number, this receipt included.
    """
    number = document_number(document_id, document)
    return without_none(
        {
            "eventId": f"goods-received:{number}",
            "occurredAt": moment(document.posted_at),
            "sequence": order.row.changed_at,
            "orderNumber": order.number,
            "buyerReference": order.row.buyer_reference,
            "orderState": order.state,
            "documentNumber": number,
            "postingDate": day_of(document.posting_date),
            "reference": document.reference,
            "warehouse": arrived[0][1].warehouse,
            "line": [
                without_none(
                    {
                        "lineNumber": line_number,
                        "sku": leg.sku,
                        "quantity": _figure(leg.quantity, leg.unit),
                        "lot": leg.lot,
                        "received": _figure(received[line_number], leg.unit),
                    }
                )
                for line_number, leg in arrived
            ],
        }
    )


def _figure(amount: int, unit: str) -> dict[str, Any]:
    return {"value": quantity(amount), "unit": unit}
