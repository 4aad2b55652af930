"""States of a sales order, and the moves between them: the one table that every handler asks. Pure.

docs/sales-states.md is drawn from it (`bridge/erp/state_page.py`). A new or changed order always waits first; where the rules approve it,
they do so in the same transaction, so that nobody sees it waiting.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from bridge.erp.moves import Moves

State = Literal["waiting", "approved", "refused", "partiallyDelivered", "completed", "cancelled"]
Event = Literal["approve", "refuse", "change", "return", "complete", "cancel"]

SALES_ORDER_STATES: Final[Mapping[State, str]] = {
    "waiting": "stored; a person must decide on it",
    "approved": "accepted by the rules or by a person; nothing is known to have gone out",
    "refused": "a person has refused it; a change brings it back",
    "partiallyDelivered": "some of the goods have gone out: some of them came back",
    "completed": "delivered and invoiced; what it owes is in the invoices",
    "cancelled": "called off before anything went out",
}
"""Every state with its meaning; the table's CHECK and the contract's enumeration hold the same words."""

OPEN: Final[tuple[State, ...]] = ("waiting", "approved", "partiallyDelivered")
"""States in which something is still to be done."""

PROMISED: Final[tuple[State, ...]] = ("approved", "partiallyDelivered")
"""States in which an order uses the customer's credit, and goods are due."""

EVENTS: Final[Mapping[Event, str]] = {
    "approve": "the rules, in CreateSalesOrder or ChangeSalesOrder; or a person, in DecideSalesOrder",
    "refuse": "DecideSalesOrder: a person refuses it",
    "change": "ChangeSalesOrder: header or lines are replaced, and the rules judge it anew",
    "return": "ReturnGoods: goods have come back",
    "complete": "CompleteSalesOrder; or ReturnGoods, when all that was ordered has come back",
    "cancel": "CancelSalesOrder",
}
"""Every event with what raises it."""

MOVES: Final[Mapping[tuple[State, Event], State]] = {
    ("waiting", "approve"): "approved",
    ("waiting", "refuse"): "refused",
    ("waiting", "change"): "waiting",
    ("waiting", "cancel"): "cancelled",
    # What was approved is no longer what is ordered.
    ("approved", "change"): "waiting",
    ("approved", "return"): "partiallyDelivered",
    ("approved", "complete"): "completed",
    ("approved", "cancel"): "cancelled",
    ("refused", "change"): "waiting",
    ("partiallyDelivered", "return"): "partiallyDelivered",
    ("partiallyDelivered", "complete"): "completed",
    ("completed", "return"): "completed",
}

SALES_ORDER: Final[Moves[State, Event]] = Moves(
    states=SALES_ORDER_STATES, new="waiting", events=EVENTS, moves=MOVES
)
