"""Who decides on a sales order, and what is written down of it: credit, rules, persons, two at once. On both databases."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest

from bridge.erp.catalog import prices, promise
from bridge.erp.catalog.prices import Price
from bridge.erp.customers import credit
from bridge.erp.customers.credit import Credit, Money
from bridge.erp.receivables import open_items
from bridge.erp.sales.open_orders import open_value
from bridge.erp.shipped import Rules
from bridge.store import Store

ALL = Rules(modules=("sales", "customers", "receivables", "catalog"))


class World:
    """What the other modules would say."""

    def __init__(self) -> None:
        self.credit: Credit | None = Credit("A", Money(1_000_0000, "EUR"), False, "Customer Ltd")
        self.owed: dict[str, int] = {}
        self.overdue = False
        self.prices: dict[str, int] = {}
        self.stock = 10**12
        self.slowness = 0.0
        """Seconds that a look at what is owed takes: whoever judges at the same time gets as far."""


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()

    def price_of(_session: object, sku: str, *, currency: str, **_: object) -> Price | None:
        found = made.prices.get(sku)
        return None if found is None else Price("PL", currency, sku, 1, "2026-01-01", None, found)

    monkeypatch.setattr(credit, "credit_of", lambda _session, _customer: made.credit)

    def open_amount(_session: object, _customer: str, currency: str) -> int:
        time.sleep(made.slowness)
        return made.owed.get(currency, 0)

    monkeypatch.setattr(open_items, "open_amount", open_amount)
    monkeypatch.setattr(open_items, "overdue", lambda _session, _customer, _today: made.overdue)
    monkeypatch.setattr(prices, "price_of", price_of)
    monkeypatch.setattr(promise, "available_to_promise", lambda *_, **__: made.stock)
    return made


def findings(decision: dict[str, Any]) -> dict[str, str]:
    return {one["rule"]: one["result"] for one in decision["finding"]}


def explained(decision: dict[str, Any], rule: str) -> str:
    (found,) = (one["explanation"] for one in decision["finding"] if one["rule"] == rule)
    return str(found)


def test_an_order_within_its_credit_is_approved_and_uses_it(
    sales: ModuleType, store: Store, world: World
) -> None:
    world.owed["EUR"] = 100_0000
    made = sales.create(store, sales.order(("1", "850")), rules=ALL)
    assert (made["state"], made["decision"]["outcome"]) == ("approved", "approved")
    assert explained(made["decision"], "credit") == (
        "50.00 EUR of the credit limit are left: credit limit 1000.00, open items 100.00, open orders 0.00, this order 850.00."
    )
    with store.reading() as session:
        assert open_value(session, "CUS-1", "EUR") == 850_0000
        assert open_value(session, "CUS-1", "CNY") == open_value(session, "CUS-2", "EUR") == 0
    second = sales.create(store, sales.order(("1", "50.01")), rules=ALL)
    assert second["state"] == "waiting"
    assert "exceeded by 0.01 EUR" in second["decision"]["reason"]["value"]
    exact = sales.create(store, sales.order(("1", "50")), rules=ALL)
    assert exact["state"] == "approved", "what waits uses no credit"


def test_every_decision_is_told_with_who_when_and_why(sales: ModuleType, store: Store, world: World) -> None:
    world.credit = None
    number = sales.create(store, sales.order(("1", "5")), rules=ALL)["orderNumber"]
    decided = sales.decide(store, number, "refused", rules=ALL, partner="crm")
    assert (decided["state"], decided["decision"]["outcome"]) == ("refused", "refused")
    world.credit = Credit("A", Money(10_0000, "EUR"), False, "Customer Ltd")
    sales.change(store, number, 1, sales.order(("1", "6")), rules=ALL)
    got = sales.get(store, orderNumber=number)
    assert got["state"] == "approved"
    rules, person, again = got["decision"]
    assert (rules["outcome"], rules["revision"], "person" in rules) == ("waiting", 1, False)
    assert rules["reason"]["value"].startswith("A person must decide. The customer is not known")
    assert person == {
        "outcome": "refused",
        "revision": 1,
        "decidedAt": decided["decision"]["decidedAt"],
        "person": "Chen Wei",
        "caller": "crm",
        "reason": {"value": "knows them well", "language": "en"},
        "finding": [],
    }
    assert (again["outcome"], again["revision"]) == ("approved", 2)
    assert rules["decidedAt"] < person["decidedAt"] < again["decidedAt"]


def test_with_the_other_modules_off_their_checks_are_skipped_and_it_says_so(
    sales: ModuleType, store: Store
) -> None:
    strict = replace(
        sales.ALONE, approved_grades=("A",), discount_limit=5.0, available_only=True, overdue_to_person=True
    )
    made = sales.create(store, sales.order(("1", "5")), rules=strict)
    assert made["state"] == "approved"
    assert findings(made["decision"]) == {
        "credit": "skipped",
        "grade": "skipped",
        "overdue": "skipped",
        "total": "skipped",
        "discount": "skipped",
        "freeOfCharge": "passed",
        "availability": "skipped",
    }
    assert explained(made["decision"], "credit") == "No credit was checked: the module customers is off."
    assert made["decision"]["reason"]["value"] == (
        "Approved by the rules: free of charge. Not checked: credit, grade, overdue, total, discount, availability."
    )


def test_credit_without_receivables_says_that_open_items_are_not_in_it(
    sales: ModuleType, store: Store, world: World
) -> None:
    world.owed["EUR"] = 999_0000
    made = sales.create(store, sales.order(("1", "5")), rules=replace(ALL, modules=("sales", "customers")))
    assert made["state"] == "approved"
    assert "open items not counted" in explained(made["decision"], "credit")


def _of(**changed: Any) -> Callable[[World], None]:
    return lambda world: [setattr(world, name, value) for name, value in changed.items()] and None


WAITS: list[tuple[Callable[[World], None], dict[str, Any], str]] = [
    (_of(credit=None), {}, "credit"),
    (_of(credit=Credit("A", None, False, "C")), {}, "credit"),
    (_of(credit=Credit("A", Money(10**12, "CNY"), False, "C")), {}, "credit"),
    (_of(overdue=True), {}, "overdue"),
    (_of(), {"approved_grades": ("B",)}, "grade"),
    (_of(), {"approval_limits": {"EUR": 99_9999}}, "total"),
    (_of(), {"approval_limits": {"CNY": 10**12}}, "total"),
    (_of(), {"discount_limit": 5.0}, "discount"),
    (_of(prices={"SKU-10": 11_000000}), {"discount_limit": 5.0}, "discount"),
    (_of(stock=9_999999), {"available_only": True}, "availability"),
]


def test_what_a_rule_does_not_approve_waits_for_a_person(
    sales: ModuleType, store: Store, world: World
) -> None:
    for number, (change, rules, asked) in enumerate(WAITS):
        vars(world).update(vars(World()))
        change(world)
        wanted = sales.order(("10", "10"), customer=f"CUS-{number}")
        made = sales.create(store, wanted, rules=replace(ALL, **rules))
        assert made["state"] == "waiting"
        found = findings(made["decision"])
        asking = [rule for rule, result in found.items() if result in ("exceeded", "notComparable")]
        assert asking == [asked], number
        assert explained(made["decision"], asked) in made["decision"]["reason"]["value"]
        assert sales.decide(store, made["orderNumber"], rules=ALL)["state"] == "approved"


def test_open_orders_in_another_currency_cannot_be_compared(
    sales: ModuleType, store: Store, world: World
) -> None:
    foreign = sales.create(store, sales.order(("1", "5"), currency="USD"), rules=ALL)
    assert foreign["state"] == "waiting"
    assert sales.create(store, sales.order(("1", "5")), rules=ALL)["state"] == "approved"
    sales.decide(store, foreign["orderNumber"], rules=ALL)
    mixed = sales.create(store, sales.order(("1", "5")), rules=ALL)
    assert "open orders in USD" in explained(mixed["decision"], "credit")
    sales.complete(store, foreign["orderNumber"])
    assert sales.create(store, sales.order(("1", "5")), rules=ALL)["state"] == "approved"


def test_a_change_is_judged_anew_and_does_not_stand_in_its_own_way(
    sales: ModuleType, store: Store, world: World
) -> None:
    number = sales.create(store, sales.order(("1", "900")), rules=ALL)["orderNumber"]
    assert sales.change(store, number, 1, sales.order(("1", "1000")), rules=ALL)["state"] == "approved"
    assert sales.change(store, number, 2, sales.order(("1", "1000.01")), rules=ALL)["state"] == "waiting"
    with store.reading() as session:
        assert open_value(session, "CUS-1", "EUR") == 0


def test_what_no_longer_is_open_frees_its_credit(sales: ModuleType, store: Store, world: World) -> None:
    for end in (sales.cancel, sales.complete):
        number = sales.create(store, sales.order(("1", "1000")), rules=ALL)["orderNumber"]
        end(store, number)


def test_a_blocked_customer_gets_no_order_no_change_and_no_approval(
    sales: ModuleType, store: Store, world: World
) -> None:
    waiting = sales.create(store, sales.order(("1", "2000")), rules=ALL)["orderNumber"]
    world.credit = Credit("A", None, True, "Customer Ltd")
    for act, path in (
        (
            lambda: sales.create(store, sales.order(("1", "1")), rules=ALL),
            "/CreateSalesOrder/order/customer/code",
        ),
        (
            lambda: sales.change(store, waiting, 1, sales.order(("1", "1")), rules=ALL),
            "/ChangeSalesOrder/order/customer/code",
        ),
        (lambda: sales.decide(store, waiting, rules=ALL), "/DecideSalesOrder/orderNumber"),
    ):
        with pytest.raises(sales.Fault) as caught:
            act()
        assert caught.value.fields["reference"] == [
            {"kind": "customer", "identifier": "CUS-1", "reason": "blocked", "path": path}
        ]
    assert sales.get(store, orderNumber=waiting)["revision"] == 1
    assert sales.decide(store, waiting, "refused", rules=ALL)["state"] == "refused"


def test_a_line_without_a_price_takes_the_catalogs(sales: ModuleType, store: Store, world: World) -> None:
    world.prices["SKU-10"] = 2_500000
    made = sales.create(store, sales.order(("4", None), ("1", "7")), rules=ALL)
    assert made["total"]["value"] == Decimal("17.00")
    got = sales.get(store, orderNumber=made["orderNumber"])
    assert got["order"]["line"][0]["unitPrice"] == Decimal("2.50")
    for rules in (ALL, sales.ALONE):
        with pytest.raises(sales.Fault) as caught:
            sales.create(store, sales.order(("1", "7"), ("4", None)), rules=rules)
        assert caught.value.fields["reference"] == [
            {
                "kind": "priceList",
                "identifier": "EUR SKU-20",
                "reason": "unknown",
                "path": "/CreateSalesOrder/order/line[2]/unitPrice",
            }
        ]


def test_a_price_is_not_that_of_another_unit(
    erp: ModuleType, sales: ModuleType, store: Store, world: World
) -> None:
    erp.update(store, erp.receipt("SKU-10", "WH-A", "1"))
    world.prices["SKU-10"] = 2_500000
    wanted = sales.order(("4", None))
    wanted.line[0].quantity.unit = "KGM"
    with pytest.raises(sales.Fault, match="InvalidReference"):
        sales.create(store, wanted, rules=ALL)


def test_two_lines_of_an_item_cannot_both_have_the_stock_that_is_there_for_one(
    sales: ModuleType, store: Store, world: World
) -> None:
    world.stock = 10_000000
    wanted = sales.order(("6", "1"), ("6", "1"))
    wanted.line[1].item.sku = "SKU-10"
    made = sales.create(store, wanted, rules=replace(ALL, available_only=True))
    assert "20 (6 wanted, 4 can be promised)" in explained(made["decision"], "availability")


def test_only_what_waits_is_decided_and_only_as_it_was_read(
    sales: ModuleType, store: Store, world: World
) -> None:
    number = sales.create(store, sales.order(("1", "2000")), rules=ALL)["orderNumber"]
    sales.change(store, number, 1, sales.order(("1", "3000")), rules=ALL)
    with pytest.raises(sales.Fault, match="RevisionMismatch"):
        sales.decide(store, number, rules=ALL)
    sales.decide(store, number, revision=2, rules=ALL)
    with pytest.raises(sales.Fault) as caught:
        sales.decide(store, number, "refused", revision=2, rules=ALL)
    assert (caught.value.fields["state"], caught.value.fields["allowed"]) == ("approved", ["waiting"])


def test_those_that_wait_are_listed_with_what_the_rules_found(
    sales: ModuleType, store: Store, world: World
) -> None:
    world.overdue = True
    numbers = [sales.create(store, sales.order(("1", "5")), rules=ALL)["orderNumber"] for _ in range(3)]
    other = sales.create(store, sales.order(("1", "5"), customer="CUS-2"), rules=ALL)["orderNumber"]
    sales.decide(store, numbers[0], rules=ALL)
    sales.change(store, numbers[1], 1, sales.order(("1", "6")), rules=ALL)
    first = sales.approvals(store, pageSize=2)
    rest = sales.approvals(store, pageToken=first["nextPage"])
    told = first["approval"] + rest["approval"]
    assert [one["order"]["orderNumber"] for one in told] == [*numbers[1:], other]
    assert [one["decision"]["revision"] for one in told] == [2, 1, 1], "the latest decision"
    assert told[0]["customerName"] == "Customer Ltd"
    assert findings(told[0]["decision"])["overdue"] == "exceeded"
    assert len(sales.approvals(store, customer="CUS-2")["approval"]) == 1


@contextmanager
def together(many: int) -> Iterator[tuple[threading.Barrier, list[threading.Thread]]]:
    threads: list[threading.Thread] = []
    yield threading.Barrier(many), threads
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_of_six_orders_at_once_for_which_there_is_credit_for_one_one_is_approved(
    sales: ModuleType, store: Store, world: World
) -> None:
    states: list[str] = []
    world.slowness = 0.05

    with together(6) as (start, threads):

        def send() -> None:
            start.wait()
            states.append(sales.create(store, sales.order(("1", "600")), rules=ALL)["state"])

        threads += [threading.Thread(target=send) for _ in range(6)]
    assert sorted(states) == ["approved"] + ["waiting"] * 5


def test_a_change_and_a_new_order_at_once_do_not_both_get_the_last_of_the_credit(
    sales: ModuleType, store: Store, world: World
) -> None:
    numbers = [sales.create(store, sales.order(("1", "100")), rules=ALL)["orderNumber"] for _ in range(3)]
    states: list[str] = []
    world.slowness = 0.05

    with together(4) as (start, threads):

        def grow(number: str) -> None:
            start.wait()
            states.append(sales.change(store, number, 1, sales.order(("1", "400")), rules=ALL)["state"])

        def place() -> None:
            start.wait()
            states.append(sales.create(store, sales.order(("1", "400")), rules=ALL)["state"])

        threads += [threading.Thread(target=grow, args=(one,)) for one in numbers]
        threads.append(threading.Thread(target=place))
    with store.reading() as session:
        assert open_value(session, "CUS-1", "EUR") <= 1_000_0000
    assert set(states) == {"approved", "waiting"}
