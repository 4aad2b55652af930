"""Purchase orders: what the operations of wsdl/erp/purchasing-1.wsdl do.

    orders.py      CreatePurchaseOrder, GetPurchaseOrder
    changes.py     ChangePurchaseOrder, CancelPurchaseOrder
    receipts.py    ReceiveGoods
    lists.py       ListPurchaseOrders
    content.py     pure: the contract's order as rows, and back
    rows.py        orders in the store: found, locked, judged
    revisions.py   what an order was before each change

Which state allows what is asked of `bridge/erp/states.py`. A handler that writes locks the order before it judges its
state; nobody else changes it until the reply is stored.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from bridge.erp.purchasing.changes import cancel_purchase_order, change_purchase_order
from bridge.erp.purchasing.lists import list_purchase_orders
from bridge.erp.purchasing.orders import create_purchase_order, get_purchase_order
from bridge.erp.purchasing.receipts import receive_goods
from bridge.erp.references import Rules
from bridge.erp.telling import Tell

__all__ = [
    "cancel_purchase_order",
    "change_purchase_order",
    "create_purchase_order",
    "get_purchase_order",
    "handlers",
    "list_purchase_orders",
    "receive_goods",
]


def handlers(rules: Rules, tell: Tell | None) -> Mapping[str, Callable[[Any, Any], Any]]:
    """What answers each operation of wsdl/erp/purchasing-1.wsdl."""
    return {
        "CreatePurchaseOrder": partial(create_purchase_order, rules=rules, tell=tell),
        "GetPurchaseOrder": get_purchase_order,
        "ChangePurchaseOrder": partial(change_purchase_order, rules=rules, tell=tell),
        "CancelPurchaseOrder": partial(cancel_purchase_order, tell=tell),
        "ListPurchaseOrders": list_purchase_orders,
        "ReceiveGoods": partial(receive_goods, rules=rules, tell=tell),
    }
