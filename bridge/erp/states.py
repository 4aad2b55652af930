"""States of a purchase order, and the moves between them: the one table that every handler asks. Pure.

docs/order-states.md is drawn from it (`state_page.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from bridge.erp.moves import Moves, NoMove

__all__ = [
    "EVENTS",
    "MOVES",
    "NEW_PURCHASE_ORDER",
    "PURCHASE_ORDER",
    "PURCHASE_ORDER_STATES",
    "Event",
    "NoMove",
    "State",
    "after",
    "allowing",
]

State = Literal["open", "confirmed", "partiallyReceived", "received", "closed", "cancelled"]
Event = Literal["change", "confirm", "receive", "complete", "close", "cancel"]

PURCHASE_ORDER_STATES: Final[Mapping[State, str]] = {
    "open": "stored; nothing received yet",
    "confirmed": "the supplier has confirmed it",
    "partiallyReceived": "some of the goods have arrived",
    "received": "all goods have arrived",
    "closed": "finished; no more goods are expected",
    "cancelled": "called off before anything arrived",
}
"""Every state with its meaning; the table's CHECK and the contract's enumeration hold the same words."""

NEW_PURCHASE_ORDER: Final[State] = "open"

EVENTS: Final[Mapping[Event, str]] = {
    "change": "ChangePurchaseOrder: header or lines are replaced",
    "confirm": "the supplier confirms the order; no operation of version 1 tells so, the move is there for the one that will",
    "receive": "ReceiveGoods: goods of some line have come in",
    "complete": "of every line at least what is ordered has come in, after ReceiveGoods or ChangePurchaseOrder",
    "close": "ReceiveGoods with `final`: no more goods will come",
    "cancel": "CancelPurchaseOrder",
}
"""Every event with what raises it."""

MOVES: Final[Mapping[tuple[State, Event], State]] = {
    ("open", "change"): "open",
    ("open", "confirm"): "confirmed",
    ("open", "receive"): "partiallyReceived",
    ("open", "cancel"): "cancelled",
    # What the supplier confirmed is no longer what is ordered.
    ("confirmed", "change"): "open",
    ("confirmed", "receive"): "partiallyReceived",
    ("confirmed", "cancel"): "cancelled",
    ("partiallyReceived", "change"): "partiallyReceived",
    ("partiallyReceived", "receive"): "partiallyReceived",
    ("partiallyReceived", "complete"): "received",
    ("partiallyReceived", "close"): "closed",
    ("received", "close"): "closed",
}


PURCHASE_ORDER: Final[Moves[State, Event]] = Moves(
    states=PURCHASE_ORDER_STATES, new=NEW_PURCHASE_ORDER, events=EVENTS, moves=MOVES
)
after = PURCHASE_ORDER.after
allowing = PURCHASE_ORDER.allowing
