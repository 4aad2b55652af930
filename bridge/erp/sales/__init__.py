"""Sales orders: what the operations of wsdl/erp/sales-1.wsdl do.

    orders.py       CreateSalesOrder, GetSalesOrder
    changes.py      ChangeSalesOrder, CancelSalesOrder, CompleteSalesOrder
    decisions.py    DecideSalesOrder; what was decided, by the rules or by a person
    returns.py      ReturnGoods
    lists.py        ListOpenOrders, ListApprovals
    states.py       pure: which state of an order allows what
    judging.py      pure: the rules by which an order is approved
    asking.py       what the other modules know: credit, open items, prices, stock
    open_orders.py  what open orders come to, as the other modules ask
    content.py      pure: the contract's order as rows, and back
    rows.py         orders in the store: found, locked, moved
    revisions.py    what an order was before each change
    events.py       what is told to a CRM
    tables.py       its tables

A handler that writes locks the order before it judges its state, and the customer's account before it judges its credit; nobody else
changes either until the reply is stored.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from bridge.erp.references import Rules
from bridge.erp.sales.changes import cancel_sales_order, change_sales_order, complete_sales_order
from bridge.erp.sales.decisions import decide_sales_order
from bridge.erp.sales.lists import list_approvals, list_open_orders
from bridge.erp.sales.orders import create_sales_order, get_sales_order
from bridge.erp.sales.returns import return_goods
from bridge.erp.telling import Tell

__all__ = [
    "cancel_sales_order",
    "change_sales_order",
    "complete_sales_order",
    "create_sales_order",
    "decide_sales_order",
    "get_sales_order",
    "handlers",
    "list_approvals",
    "list_open_orders",
    "return_goods",
]


def handlers(rules: Rules, tell: Tell | None) -> Mapping[str, Callable[[Any, Any], Any]]:
    """What answers each operation of wsdl/erp/sales-1.wsdl."""
    return {
        "CreateSalesOrder": partial(create_sales_order, rules=rules, tell=tell),
        "GetSalesOrder": get_sales_order,
        "ChangeSalesOrder": partial(change_sales_order, rules=rules, tell=tell),
        "CancelSalesOrder": partial(cancel_sales_order, tell=tell),
        "CompleteSalesOrder": partial(complete_sales_order, tell=tell),
        "ListOpenOrders": list_open_orders,
        "ListApprovals": list_approvals,
        "DecideSalesOrder": partial(decide_sales_order, rules=rules, tell=tell),
        "ReturnGoods": partial(return_goods, rules=rules, tell=tell),
    }
