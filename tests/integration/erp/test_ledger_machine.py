"""The ledger against a few lines of plain Python, through any sequence of requests hypothesis thinks of."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select, text

from bridge.erp.shipped import Rules, apply_rules
from bridge.erp.tables import stock_balance, stock_movement
from bridge.store import Store

SKUS = ("S-1", "S-2")
STRICT = ("WH-A", "WH-B")
LENIENT = "WH-NEG"
WAREHOUSES = (*STRICT, LENIENT)
RULES = Rules(warehouses=WAREHOUSES, negative_stock=(LENIENT,))

Place = tuple[str, str]

quantities = st.decimals(min_value="0.000001", max_value="20", places=6)
moves = st.one_of(
    st.tuples(st.just("receipt"), st.sampled_from(SKUS), st.sampled_from(WAREHOUSES), quantities),
    st.tuples(st.just("issue"), st.sampled_from(SKUS), st.sampled_from(WAREHOUSES), quantities),
    st.tuples(st.just("increase"), st.sampled_from(SKUS), st.sampled_from(WAREHOUSES), quantities),
    st.tuples(st.just("decrease"), st.sampled_from(SKUS), st.sampled_from(WAREHOUSES), quantities),
    st.tuples(
        st.just("transfer"),
        st.sampled_from(SKUS),
        st.permutations(WAREHOUSES).map(lambda order: (order[0], order[1])),
        quantities,
    ),
)  # fmt: skip
places = st.tuples(st.sampled_from(SKUS), st.sampled_from(WAREHOUSES))


class Oracle:
    """What the balances must be: a dict and an if."""

    def __init__(self) -> None:
        self.balances: dict[tuple[str, str], Decimal] = {}
        self.known: set[str] = set()
        self.missing: dict[str, dict[str, Decimal]] = {}
        """By order and item, what has not come in."""
        self.held: dict[str, dict[int, tuple[Place, Decimal]]] = {}
        """By reservation and line, what is still held, and where."""

    def reserved(self, place: Place) -> Decimal:
        """What all reservations hold in one place."""
        return sum(
            (held for lines in self.held.values() for where, held in lines.values() if where == place),
            Decimal(0),
        )

    def reserve(self, number: str, wanted: list[tuple[Place, Decimal]], *, partial: bool) -> str | None:
        """The fault that must answer, None when the reservation is made."""
        if any(sku not in self.known for (sku, _), _ in wanted):
            return "InvalidReference"
        self.held[number] = lines = {}
        short = False
        for line, (place, quantity) in enumerate(wanted, 1):
            free = self.balances.get(place, Decimal(0)) - self.reserved(place)
            granted = quantity if place[1] == LENIENT else min(quantity, max(free, Decimal(0)))
            short |= granted < quantity
            lines[line] = place, granted if partial or granted == quantity else Decimal(0)
        if short and (not partial or not any(held for _, held in lines.values())):
            del self.held[number]
            return "InsufficientStock"
        return None

    def is_open(self, number: str) -> bool:
        return any(held for _, held in self.held[number].values())

    def release(self, number: str, wanted: dict[int, Decimal | None]) -> str | None:
        lines = self.held[number]
        if not self.is_open(number):
            return "InvalidState"
        parts = {line: lines[line][1] if part is None else part for line, part in wanted.items()}
        if any(part > lines[line][1] for line, part in parts.items()):
            return "InsufficientStock"
        for line, part in parts.items():
            lines[line] = lines[line][0], lines[line][1] - part
        return None

    def issue_of(self, number: str, place: Place, quantity: Decimal) -> str | None:
        """An issue that names a reservation."""
        lines = self.held[number]
        if place not in [where for where, _ in lines.values()]:
            return "InvalidReference"
        if not self.is_open(number):
            return "InvalidState"
        held = sum((one for where, one in lines.values() if where == place), Decimal(0))
        after = self.balances.get(place, Decimal(0)) - quantity
        if place[1] != LENIENT and after < self.reserved(place) - min(held, quantity):
            return "InsufficientStock"
        self.balances[place] = after
        for line, (where, one) in lines.items():
            if where == place:
                taken = min(one, quantity)
                lines[line] = where, one - taken
                quantity -= taken
        return None

    def count(self, found: dict[Place, Decimal]) -> str | None:
        if any(sku not in self.known for sku, _ in found):
            return "InvalidReference"
        if any(
            one < self.balances.get(place, Decimal(0)) and one < self.reserved(place)
            for place, one in found.items()
            if place[1] != LENIENT
        ):
            return "InsufficientStock"
        self.balances.update(found)
        return None

    def receive(self, number: str, wanted: list[tuple[str, Decimal]], warehouse: str) -> str:
        """The order's state after a receipt, or the fault that must answer."""
        missing = dict(self.missing[number])
        if not any(missing.values()):
            return "InvalidState"
        for sku, quantity in wanted:
            missing[sku] -= quantity
        if min(missing.values()) < 0:
            return "OverDelivery"
        self.missing[number] = missing
        assert self.post([("receipt", sku, warehouse, quantity) for sku, quantity in wanted]) is None
        return "partiallyReceived" if any(missing.values()) else "received"

    def post(self, wanted: list[Any]) -> str | None:
        """The fault that must answer, None when everything is posted."""
        balances, known = dict(self.balances), set(self.known)
        short = unknown = False
        for kind, sku, place, quantity in wanted:
            if kind in {"receipt", "increase"}:
                known.add(sku)
            unknown |= sku not in known
            for warehouse, change in self._sides(kind, place, quantity):
                after = balances.get((sku, warehouse), Decimal(0)) + change
                if change < 0 and after < self.reserved((sku, warehouse)) and warehouse != LENIENT:
                    short = True
                else:
                    balances[sku, warehouse] = after
        if unknown:
            return "InvalidReference"
        if short:
            return "InsufficientStock"
        self.balances, self.known = balances, known
        return None

    @staticmethod
    def _sides(kind: str, place: Any, quantity: Decimal) -> Iterator[tuple[str, Decimal]]:
        if kind == "transfer":
            yield place[0], -quantity
            yield place[1], quantity
        else:
            yield place, quantity if kind in {"receipt", "increase"} else -quantity


class Ledger(RuleBasedStateMachine):
    erp: ClassVar[ModuleType]
    store: ClassVar[Store]

    def __init__(self) -> None:
        super().__init__()
        self.oracle = Oracle()
        self.sent: list[tuple[str, list[Any], Any]] = []
        self.reply: Any = None
        empty(self.store)
        apply_rules(self.store, RULES)

    def movement(self, kind: str, sku: str, place: Any, quantity: Decimal) -> Any:
        erp, amount = self.erp, str(quantity)
        if kind == "transfer":
            return erp.transfer(sku, *place, amount)
        if kind in {"increase", "decrease"}:
            return erp.adjustment(sku, place, kind, amount)
        return getattr(erp, kind)(sku, place, amount)

    @rule(wanted=st.lists(moves, min_size=1, max_size=6))
    def post(self, wanted: list[Any]) -> None:
        expected = self.oracle.post(wanted)
        request_id = self.erp.request_id()
        answered: str | None = None
        reply = None
        try:
            reply = self.erp.update(
                self.store, *(self.movement(*one) for one in wanted), request=request_id, rules=RULES
            )
        except self.erp.Fault as fault:
            answered = fault.name
        assert answered == expected
        if answered is None:
            self.sent.append((request_id, wanted, reply))

    @rule(choice=st.data())
    def post_again(self, choice: Any) -> None:
        if self.sent:
            request_id, wanted, reply = choice.draw(st.sampled_from(self.sent))
            movements = [self.movement(*one) for one in wanted]
            assert self.erp.update(self.store, *movements, request=request_id, rules=RULES) == reply

    @rule(ordered=st.tuples(quantities, quantities))
    def order(self, ordered: tuple[Decimal, Decimal]) -> None:
        wanted = self.erp.order(*((str(one), "1.00") for one in ordered))
        for line, sku in zip(wanted.line, SKUS, strict=True):
            line.item.sku = sku
        number = self.erp.create(self.store, wanted)["orderNumber"]
        self.oracle.missing[number] = dict(zip(SKUS, ordered, strict=True))

    @rule(choice=st.data(), warehouse=st.sampled_from(WAREHOUSES))
    def receive(self, choice: Any, warehouse: str) -> None:
        if not self.oracle.missing:
            return
        number = choice.draw(st.sampled_from(sorted(self.oracle.missing)))
        all_of_it = [(sku, one) for sku, one in self.oracle.missing[number].items() if one]
        some = st.lists(st.tuples(st.sampled_from(SKUS), quantities), min_size=1, max_size=3)
        wanted = choice.draw(some | st.just(all_of_it) if all_of_it else some)
        expected = self.oracle.receive(number, wanted, warehouse)
        lines = [self.erp.arrived(10 * (1 + SKUS.index(sku)), str(quantity)) for sku, quantity in wanted]
        try:
            answered = self.erp.receive(self.store, number, *lines, warehouse=warehouse, rules=RULES)["state"]
        except self.erp.Fault as fault:
            answered = fault.name
        assert answered == expected

    def answered(self, act: Callable[[], Any]) -> str | None:
        """The fault that `act` is answered with; None for a reply, which `self.reply` keeps."""
        try:
            self.reply = act()
        except self.erp.Fault as fault:
            name: str = fault.name
            return name
        return None

    @rule(wanted=st.lists(st.tuples(places, quantities), min_size=1, max_size=4), partial=st.booleans())
    def reserve(self, wanted: list[tuple[Place, Decimal]], partial: bool) -> None:
        lines = [self.erp.wanted(line, *place, str(one)) for line, (place, one) in enumerate(wanted, 1)]
        expected = self.oracle.reserve("new", wanted, partial=partial)
        assert (
            self.answered(lambda: self.erp.reserve(self.store, *lines, partial=partial, rules=RULES))
            == expected
        )
        if expected is None:
            self.oracle.held[self.reply["reservationNumber"]] = self.oracle.held.pop("new")

    @precondition(lambda self: self.oracle.held)
    @rule(choice=st.data(), quantity=quantities)
    def release(self, choice: Any, quantity: Decimal) -> None:
        number = choice.draw(st.sampled_from(sorted(self.oracle.held)))
        lines = sorted(self.oracle.held[number])
        parts = st.dictionaries(st.sampled_from(lines), st.none() | st.just(quantity))
        wanted = choice.draw(parts)
        expected = self.oracle.release(number, wanted or dict.fromkeys(lines))
        given = [(line, part and str(part)) for line, part in wanted.items()]
        assert self.answered(lambda: self.erp.release(self.store, number, *given)) == expected

    @precondition(lambda self: self.oracle.held)
    @rule(choice=st.data(), elsewhere=places, quantity=quantities)
    def issue_what_is_reserved(self, choice: Any, elsewhere: Place, quantity: Decimal) -> None:
        number = choice.draw(st.sampled_from(sorted(self.oracle.held)))
        own = [place for place, _ in self.oracle.held[number].values()]
        place = choice.draw(st.sampled_from([*own, *own, elsewhere]))
        if place[0] not in self.oracle.known:
            return
        expected = self.oracle.issue_of(number, place, quantity)
        movement = self.erp.issue(*place, str(quantity), reservation=number)
        assert self.answered(lambda: self.erp.update(self.store, movement, rules=RULES)) == expected

    @rule(found=st.dictionaries(places, quantities | st.just(Decimal(0)), min_size=1, max_size=3))
    def count(self, found: dict[Place, Decimal]) -> None:
        expected = self.oracle.count(found)
        lines = [self.erp.counted(*place, str(one)) for place, one in found.items()]
        assert self.answered(lambda: self.erp.count(self.store, *lines, rules=RULES)) == expected

    @rule(size=st.integers(1, 7), oldest_first=st.booleans())
    def list_movements(self, size: int, oldest_first: bool) -> None:
        listed = self.erp.all_movements(self.store, pageSize=size, oldestFirst=oldest_first)
        places = [(one["documentNumber"], one["entry"]) for one in listed]
        with self.store.reading() as session:
            count = session.execute(select(func.count()).select_from(stock_movement)).scalar()
        assert len(set(places)) == len(places) == count
        assert places == sorted(places, reverse=not oldest_first)

    @invariant()
    def what_is_reserved_is_what_open_reservations_hold(self) -> None:
        if not self.oracle.known:
            return
        levels = self.erp.levels(self.store, *self.oracle.known)
        for place, (on_hand, reserved, available) in levels.items():
            assert reserved == self.oracle.reserved(place)
            assert available == on_hand - reserved
            assert available >= 0 or place[1] == LENIENT
        for number, lines in self.oracle.held.items():
            kept = self.erp.reservation(self.store, reservationNumber=number)
            assert {line["lineNumber"]: line["reserved"]["value"] for line in kept["line"]} == {
                line: held for line, (_, held) in lines.items()
            }
            assert (kept["state"] == "open") == self.oracle.is_open(number)

    @invariant()
    def receipts_are_what_the_oracle_says(self) -> None:
        for number, missing in self.oracle.missing.items():
            order = self.erp.get_order(self.store, orderNumber=number)
            ordered = {line["lineNumber"]: line["quantity"]["value"] for line in order["order"]["line"]}
            received = {one["lineNumber"]: one["quantity"]["value"] for one in order["received"]}
            assert {
                SKUS[line // 10 - 1]: amount - received.get(line, 0) for line, amount in ordered.items()
            } == missing

    @invariant()
    def balances_are_what_the_oracle_says(self) -> None:
        if not self.oracle.known:
            return
        held = self.erp.stock(self.store, *self.oracle.known)
        assert {place: one for place, one in held.items() if one} == {
            place: one for place, one in self.oracle.balances.items() if one
        }

    @invariant()
    def balances_are_the_sum_of_the_movements(self) -> None:
        summed = select(
            stock_movement.c.sku, stock_movement.c.warehouse, func.sum(stock_movement.c.quantity)
        ).group_by(stock_movement.c.sku, stock_movement.c.warehouse)
        kept = select(stock_balance.c.sku, stock_balance.c.warehouse, stock_balance.c.on_hand)
        with self.store.reading() as session:
            assert {tuple(row) for row in session.execute(summed)} == {
                tuple(row) for row in session.execute(kept)
            }


def empty(store: Store) -> None:
    """Begin anew: for tests only, the triggers stand in the way of anyone else."""
    tables = (
        "goods_receipt_line",
        "purchase_order_line",
        "purchase_order",
        "stock_count_line",
        "stock_count",
        "stock_movement",
        "reservation_release",
        "reservation_line",
        "reservation",
        "stock_document",
        "stock_balance",
        "item",
        "warehouse",
    )
    with store.transaction() as transaction:
        session = transaction.session
        if store.dialect == "postgresql":
            session.execute(text(f"TRUNCATE {', '.join(tables)} CASCADE"))
            return
        triggers = session.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
        for name, _ in triggers:
            session.execute(text(f"DROP TRIGGER {name}"))
        for table in tables:
            session.execute(text(f"DELETE FROM {table}"))
        for _, sql in triggers:
            session.execute(text(sql))


def check(erp: ModuleType, store: Store, *, examples: int) -> None:
    machine = type("LedgerOnOneStore", (Ledger,), {"erp": erp, "store": store})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )


def test_the_ledger_agrees_with_plain_arithmetic_on_sqlite(erp: ModuleType) -> None:
    # Where there is one, a file system in memory: the disk is not what this is about.
    folder = tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
    store = Store(f"sqlite:///{folder}/bridge.sqlite")
    try:
        store.migrate()
        check(erp, store, examples=60)
    finally:
        store.close()
        shutil.rmtree(folder)


@pytest.mark.postgres
def test_the_ledger_agrees_with_plain_arithmetic_on_postgresql(erp: ModuleType, postgresql_url: str) -> None:
    store = Store(postgresql_url)
    try:
        check(erp, store, examples=25)
    finally:
        store.close()
