"""Telling a CRM what happened: the handlers' events, in their own transactions.

A handler that is given a `Tell` tells of what it did as the last thing it does; without one it looks at nothing more than
before. What is told is kept together with what it speaks of, or not at all, and nothing is told where nothing changed.

Events of one object have one ordering key, so that they arrive in the order in which they happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from bridge.erp.call import Call
from bridge.erp.events import Event, goods_received, purchase_order_status_changed, stock_level_changed
from bridge.erp.ledger import BalanceRow, DocumentRow
from bridge.erp.posting import Leg, Place
from bridge.erp.references import known_units
from bridge.erp.states import State
from bridge.store.statements import ByKeys

if TYPE_CHECKING:  # whose handlers call these
    from bridge.erp.purchasing.content import Line
    from bridge.erp.purchasing.rows import Order


class Tell(Protocol):
    """Has an event told once the handler's transaction is committed, and never where it is not."""

    def __call__(self, event_name: str, event: Event, ordering_key: str, /) -> object: ...


_BALANCES = ByKeys(
    "SELECT sku, warehouse, may_be_negative, on_hand, reserved, revision FROM stock_balance "
    "WHERE (sku, warehouse) IN (VALUES {keys}) ORDER BY sku, warehouse",
    width=2,
)


def tell_order(
    tell: Tell, order: Order, lines: Sequence[Line], received: Mapping[int, int], *, before: State | None
) -> None:
    """PurchaseOrderStatusChanged. Arguments as those of `purchase_order_status_changed`, all as they are now."""
    event = purchase_order_status_changed(order, lines, received, before=before)
    tell("PurchaseOrderStatusChanged", event, order.number)


def tell_receipt(
    tell: Tell,
    order: Order,
    document_id: int,
    document: DocumentRow,
    arrived: Sequence[tuple[int, Leg]],
    received: Mapping[int, int],
) -> None:
    """GoodsReceived. Arguments as those of `goods_received`."""
    tell("GoodsReceived", goods_received(order, document_id, document, arrived, received), order.number)


class Levels:
    """The stock levels that one request changes: as they were when it locked them, and told as they are at its end."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._before: dict[Place, tuple[int, int]] = {}

    def saw(self, found: Iterable[BalanceRow]) -> None:
        """Balances that have just been locked; of one that is locked again, the first look counts."""
        for row in found:
            self._before.setdefault((row.sku, row.warehouse), (row.on_hand, row.reserved))

    def tell(self, call: Call) -> None:
        """StockLevelChanged for each that is another one now."""
        session = call.session
        rows = [BalanceRow(*row) for row in session.rows_for(_BALANCES, sorted(self._before))]
        changed = [row for row in rows if self._before[row.sku, row.warehouse] != (row.on_hand, row.reserved)]
        units = known_units(session, (row.sku for row in changed))
        for row in changed:
            event = stock_level_changed(row, units[row.sku], occurred_at=call.now)
            # Neither has a blank in it.
            self._tell("StockLevelChanged", event, f"{row.sku} {row.warehouse}")


def levels_of(tell: Tell | None) -> Levels | None:
    """Where a request's levels are written down; None where nobody is told."""
    return None if tell is None else Levels(tell)
