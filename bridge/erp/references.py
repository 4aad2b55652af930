"""Items and warehouses: which a set of movements may name, and which it makes known.

Goods that come in make their item and their warehouse known; goods that go out must have been known before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

from sqlalchemy import select, update

from bridge.erp.call import Call, sees
from bridge.erp.numbers import PURCHASE_ORDER, RESERVATION, number, row_id
from bridge.erp.posting import Leg, Place
from bridge.erp.tables import item, stock_balance, warehouse
from bridge.errors import StoreError
from bridge.store import Session, Store
from bridge.store.clock import moment, stored
from bridge.store.statements import ByKeys, insertion

MOST_REPORTED = 100
"""References in one InvalidReference fault, as its type says."""
MOST_LETTERS = 100
"""Of an identifier in a fault, as its type says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How this company keeps its stock, buys and sells; from the settings.

    Args:
        modules: those that answer; what one would ask of another that is not among them, it does without.
        warehouses: the only ones there are. Empty: any that goods come into.
        negative_stock: warehouses whose balances may go below zero.
        over_delivery: percent of a line's ordered quantity that may come in above it.
        known_suppliers_only: whether an order may name only suppliers that UpsertSupplier made known.
        approval_limits: the most that a sales order is approved for without a person, scaled, by currency; empty: no limit.
        approved_grades: credit grades of customers whose orders are approved without a person; empty: all.
        overdue_to_person: whether a person decides on orders of a customer with overdue invoices.
        discount_limit: percent below the list price that is approved without a person; 100: no limit.
        available_only: whether a person decides on orders that cannot be delivered by the day they are wanted.
    """

    modules: tuple[str, ...] = (
        "purchasing",
        "inventory",
        "suppliers",
        "customers",
        "catalog",
        "sales",
        "receivables",
    )
    warehouses: tuple[str, ...] = ()
    negative_stock: tuple[str, ...] = ()
    over_delivery: float = 0.0
    known_suppliers_only: bool = False
    approval_limits: Mapping[str, int] = field(default_factory=dict)
    approved_grades: tuple[str, ...] = ()
    overdue_to_person: bool = True
    discount_limit: float = 100.0
    available_only: bool = False


class ItemRow(NamedTuple):
    sku: str
    unit: str
    created_at: int


class WarehouseRow(NamedTuple):
    code: str
    may_be_negative: int
    created_at: int


_ITEMS = ByKeys("SELECT sku, unit FROM item WHERE sku IN (VALUES {keys})", width=1)
_WAREHOUSES = ByKeys("SELECT code, may_be_negative FROM warehouse WHERE code IN (VALUES {keys})", width=1)
_ORDERS = ByKeys("SELECT id, created_at, partner FROM purchase_order WHERE id IN ({keys})", width=1)
_RESERVATIONS = ByKeys(
    "SELECT DISTINCT reservation.id, reservation.created_at, reservation.partner, line.sku, line.warehouse FROM reservation "
    "JOIN reservation_line AS line ON line.reservation_id = reservation.id WHERE reservation.id IN ({keys})",
    width=1,
)
_INSERT_ITEM = insertion(item, ItemRow, unless_there=("sku",))
_INSERT_WAREHOUSE = insertion(warehouse, WarehouseRow, unless_there=("code",))


def known_units(session: Session, skus: Iterable[str]) -> dict[str, str]:
    """Stock unit by SKU, of the items that are known."""
    return dict(session.rows_for(_ITEMS, [(sku,) for sku in sorted(set(skus))]))


def known_warehouses(session: Session, codes: Iterable[str]) -> dict[str, bool]:
    """Whether its stock may be negative, by code, of the warehouses that are known."""
    rows = session.rows_for(_WAREHOUSES, [(code,) for code in sorted(set(codes))])
    return {code: bool(may_be_negative) for code, may_be_negative in rows}


class References:
    """What the legs of one request refer to, checked and, where goods come in, made known.

    Raises:
        the fault InvalidReference: with everything that does not hold.
    """

    def __init__(self, session: Session, planned: Sequence[Leg], call: Call, rules: Rules) -> None:
        self._session = session
        self._call = call
        self._rules = rules
        self._now = stored(call.now)
        self.units = known_units(session, (leg.sku for leg in planned))
        self.warehouses = known_warehouses(session, (leg.warehouse for leg in planned))
        self._broken: list[dict[str, str]] = []
        new_items, new_warehouses = self._check(planned)
        self._check_transfers(planned)
        self._check_orders(planned)
        self._check_reservations(planned)
        self._refuse_broken()
        if new_items or new_warehouses:
            self._learn(new_items, new_warehouses, planned)

    def _check(self, planned: Sequence[Leg]) -> tuple[dict[str, str], set[str]]:
        """(unit by new SKU, new warehouses), in the order of the request: what comes in first may go out later."""
        items: dict[str, str] = {}
        places: set[str] = set()
        for leg in planned:
            comes_in = leg.quantity > 0
            if leg.warehouse not in self.warehouses and leg.warehouse not in places:
                if comes_in and (not self._rules.warehouses or leg.warehouse in self._rules.warehouses):
                    places.add(leg.warehouse)
                else:
                    self._break("warehouse", leg.warehouse, "unknown", leg, leg.warehouse_path)
            unit = self.units.get(leg.sku) or items.get(leg.sku)
            if unit is None and comes_in and leg.kind != "transfer":
                items[leg.sku] = leg.unit
            elif unit is None:
                self._break("item", leg.sku, "unknown", leg, "sku")
            elif unit != leg.unit:
                self._break("unit", leg.unit, "mismatch", leg, leg.unit_path)
        return items, places

    def _check_transfers(self, planned: Sequence[Leg]) -> None:
        for out, into in pairwise(planned):
            if out.number == into.number and out.warehouse == into.warehouse:
                self._break("warehouse", into.warehouse, "repeated", into, into.warehouse_path)

    def _check_orders(self, planned: Sequence[Leg]) -> None:
        named = {leg.order_number for leg in planned if leg.order_number is not None}
        if not named:
            return
        rows = self._session.rows_for(_ORDERS, [(row_id(one),) for one in sorted(named)])
        known = {
            number(PURCHASE_ORDER, one, moment(created_at))
            for one, created_at, owner in rows
            if sees(self._call, owner)
        }
        for leg in planned:
            if leg.order_number is not None and leg.order_number not in known:
                self._break("purchaseOrder", leg.order_number, "unknown", leg, "receipt/orderNumber")

    def _check_reservations(self, planned: Sequence[Leg]) -> None:
        named = {leg.reservation for leg in planned if leg.reservation is not None}
        if not named:
            return
        known: dict[str, set[Place]] = {}
        for one, created_at, owner, sku, code in self._session.rows_for(
            _RESERVATIONS, [(row_id(one),) for one in sorted(named)]
        ):
            if sees(self._call, owner):
                known.setdefault(number(RESERVATION, one, moment(created_at)), set()).add((sku, code))
        for leg in planned:
            if leg.reservation is not None and leg.place not in known.get(leg.reservation, ()):
                reason = "mismatch" if leg.reservation in known else "unknown"
                self._break("reservation", leg.reservation, reason, leg, "issue/reservationNumber")

    def _break(self, kind: str, identifier: str, reason: str, leg: Leg, path: str) -> None:
        broken = {
            "kind": kind,
            "identifier": identifier,
            "reason": reason,
            "path": path if path.startswith("/") else f"{leg.path}/{path}",
        }
        if len(self._broken) < MOST_REPORTED and broken not in self._broken:
            self._broken.append(broken)

    def _refuse_broken(self) -> None:
        if self._broken:
            raise self._call.fault("InvalidReference", reference=self._broken)

    def _learn(self, items: dict[str, str], places: set[str], planned: Sequence[Leg]) -> None:
        # Sorted: two that make the same things known meet in one order, and neither waits for the other in a ring.
        self._session.run_many(
            _INSERT_ITEM, [ItemRow(sku, unit, self._now) for sku, unit in sorted(items.items())]
        )
        allowed = self._rules.negative_stock
        self._session.run_many(
            _INSERT_WAREHOUSE,
            [WarehouseRow(code, int(code in allowed), self._now) for code in sorted(places)],
        )
        # Another request may have made them known in the same instant, in another unit.
        self.units |= known_units(self._session, items)
        self.warehouses |= known_warehouses(self._session, places)
        self._check(planned)
        self._refuse_broken()


def apply_rules(store: Store, rules: Rules) -> None:
    """Bring the warehouses in line with the settings; once, before requests are answered.

    Raises:
        StoreError: a warehouse that may no longer be negative still is.
    """
    with store.transaction() as transaction:
        session = transaction.session
        now = stored(datetime.now(UTC))
        for code in sorted({*rules.warehouses, *rules.negative_stock}):
            session.run(_INSERT_WAREHOUSE, WarehouseRow(code, 0, now))
        allowed = sorted(rules.negative_stock)
        below = (
            select(stock_balance.c.warehouse, stock_balance.c.sku)
            .where(
                stock_balance.c.on_hand < stock_balance.c.reserved, stock_balance.c.warehouse.not_in(allowed)
            )
            .order_by(stock_balance.c.warehouse, stock_balance.c.sku)
            .limit(1)
        )
        negative = session.execute(below).first()
        if negative is not None:
            raise StoreError(
                f"Warehouse {negative.warehouse} has less than nothing of {negative.sku}, and the settings no longer "
                "allow it.",
                advice="Name it under negative_stock again, post what is missing, then take it out.",
            )
        for may_be_negative in (0, 1):
            codes = warehouse.c.code.in_(allowed) if may_be_negative else warehouse.c.code.not_in(allowed)
            session.execute(
                update(warehouse)
                .where(codes, warehouse.c.may_be_negative != may_be_negative)
                .values(may_be_negative=may_be_negative)
            )
