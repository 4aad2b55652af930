"""What the shipped ERP tells a CRM: each event in the outbox with the rows that it speaks of, or neither, on both databases."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from lxml import etree
from sqlalchemy import text

from bridge import shipped
from bridge.app import Bridge
from bridge.cli.bridges import apply_shipped_rules, shipped_bridge
from bridge.contract import load
from bridge.delivery.drain import Drain
from bridge.errors import HandlerError, SettingsError
from bridge.mock import Mock
from bridge.settings import Erp, Partner, Settings
from bridge.settings import Store as StoreSettings
from bridge.store.outbox import due_keys
from bridge.testing import Answer, ask

EVENTS = load(shipped.contracts("crm")["events"])
LEASE = 30_000_000
_requests = itertools.count(1)


class Told(NamedTuple):
    operation: str
    ordering_key: str
    event: Any
    """The document that will leave, decoded."""


class Shop:
    """The shipped ERP, asked by envelopes."""

    def __init__(
        self,
        url: str,
        *,
        events_to: str = "crm",
        endpoint: str = "http://127.0.0.1:9/",
        settings: Settings | None = None,
    ) -> None:
        self.bridge: Bridge = shipped_bridge(
            settings
            or Settings(
                store=StoreSettings(url=url),
                erp=Erp(events_to=events_to),
                partners={"crm": Partner(wsdl="events", endpoint=endpoint, deadline=5.0)},
            )
        )
        apply_shipped_rules(self.bridge)

    def ask(self, contract: str, operation: str, **values: Any) -> Answer:
        service = self.bridge.services[f"/services/{contract}"]
        element = service.contract.operation(operation).input
        assert element is not None
        if "requestId" not in values and operation[:3] != "Get":
            values["requestId"] = f"R-{next(_requests)}"
        payload = service.contract.codec.encode(element, values)
        return ask(
            self.bridge,
            f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{payload}</s:Body></s:Envelope>'.encode(),
        )

    def do(self, contract: str, operation: str, **values: Any) -> Any:
        answer = self.ask(contract, operation, **values)
        assert answer.fault is None, answer.fault
        return answer.value

    def told(self) -> list[Told]:
        """What was put into the outbox since the last look."""
        assert self.bridge.store is not None
        with self.bridge.store.transaction() as transaction:
            rows = transaction.session.execute(
                text("SELECT operation, ordering_key, payload FROM outbox ORDER BY id")
            ).all()
            transaction.session.execute(text("DELETE FROM outbox"))
        return [Told(one.operation, one.ordering_key, _decoded(one.operation, one.payload)) for one in rows]

    def close(self) -> None:
        for partner in self.bridge.partners.values():
            partner.close()
        assert self.bridge.store is not None
        self.bridge.store.close()


def _decoded(operation: str, payload: str) -> Any:
    element = EVENTS.operation(operation).input
    assert element is not None
    return EVENTS.codec.decode(element, etree.fromstring(payload))


@pytest.fixture
def open_erp(store_url: str) -> Iterator[Callable[..., Shop]]:
    made: list[Shop] = []

    def start(**options: Any) -> Shop:
        made.append(Shop(store_url, **options))
        return made[-1]

    yield start
    for one in made:
        one.close()


@pytest.fixture
def shop(open_erp: Callable[..., Shop]) -> Shop:
    return open_erp()


def quantity(value: str) -> dict[str, Any]:
    return {"value": Decimal(value), "unit": "H87"}


def movement(amount: str, *, sku: str = "S-1", out: bool = False) -> dict[str, Any]:
    what = {"issue": {"reason": "sale"}} if out else {"receipt": {"reason": "purchase"}}
    ((kind, fields),) = what.items()
    return {"sku": sku, "quantity": quantity(amount), kind: {"warehouse": "WH-A", **fields}}


def order(*amounts: str) -> dict[str, Any]:
    return {
        "buyerReference": "B-1",
        "orderDate": date(2026, 3, 2),
        "currency": "EUR",
        "buyer": {"code": "CO-1", "name": "Buyer"},
        "supplier": {"code": "SUP-1", "name": "Supplier"},
        "shipTo": {"warehouse": "WH-A"},
        "line": [
            {
                "lineNumber": 10 * number,
                "item": {"sku": f"S-{number}"},
                "quantity": quantity(amount),
                "unitPrice": Decimal("1.50"),
            }
            for number, amount in enumerate(amounts, 1)
        ],
    }


def arrived(line: int, amount: str) -> dict[str, Any]:
    return {"lineNumber": line, "quantity": quantity(amount)}


# -- orders


def test_an_order_is_told_through_its_life_under_its_number(shop: Shop) -> None:
    number = shop.do("purchasing", "CreatePurchaseOrder", order=order("5", "2")).orderNumber
    ((operation, key, made),) = shop.told()
    assert (operation, key) == ("PurchaseOrderStatusChanged", number)
    assert (made.oldState, made.newState, made.revision) == (None, "open", 1)

    shop.do("purchasing", "ChangePurchaseOrder", orderNumber=number, revision=1, order=order("6", "2"))
    ((_, key, changed),) = shop.told()
    assert key == number
    assert (changed.oldState, changed.newState, changed.revision) == ("open", "open", 2)
    assert [one.ordered.value for one in changed.line] == [6, 2]

    shop.do("purchasing", "ReceiveGoods", orderNumber=number, line=[arrived(10, "4"), arrived(10, "1")])
    told = shop.told()
    assert [(one.operation, one.ordering_key) for one in told] == [
        ("GoodsReceived", number),
        ("PurchaseOrderStatusChanged", number),
        ("StockLevelChanged", "S-1 WH-A"),
    ]
    goods, moved, level = (one.event for one in told)
    assert [one.quantity.value for one in goods.line] == [4, 1]
    assert [one.received.value for one in goods.line] == [5, 5]
    assert (moved.oldState, moved.newState) == ("open", "partiallyReceived")
    assert [one.received.value for one in moved.line] == [5, 0]
    assert level.onHand.value == 5

    shop.do("purchasing", "ReceiveGoods", orderNumber=number, line=[arrived(10, "1"), arrived(20, "2")])
    told = shop.told()
    assert [one.event.newState for one in told if one.operation == "PurchaseOrderStatusChanged"] == [
        "received"
    ]
    assert [one.ordering_key for one in told if one.operation == "StockLevelChanged"] == [
        "S-1 WH-A",
        "S-2 WH-A",
    ]
    sequences = [made.sequence, changed.sequence, moved.sequence, told[1].event.sequence]
    assert sequences == sorted(set(sequences))


def test_a_cancelled_order_is_told_as_it_was(shop: Shop) -> None:
    number = shop.do("purchasing", "CreatePurchaseOrder", order=order("5")).orderNumber
    shop.told()
    shop.do("purchasing", "CancelPurchaseOrder", orderNumber=number, reason={"value": "not needed"})
    ((_, key, event),) = shop.told()
    assert (key, event.oldState, event.newState) == (number, "open", "cancelled")
    assert [one.ordered.value for one in event.line] == [5]


# -- sales orders


def sold(*amounts: str, price: str = "1.50", **header: Any) -> dict[str, Any]:
    return {
        "customerReference": "C-1",
        "orderDate": date(2026, 3, 2),
        "currency": "EUR",
        "customer": {"code": "CUS-1", "name": "Customer"},
        "line": [
            {
                "lineNumber": 10 * number,
                "item": {"sku": f"S-{number}"},
                "quantity": quantity(amount),
                "unitPrice": Decimal(price),
            }
            for number, amount in enumerate(amounts, 1)
        ],
        **header,
    }


def test_a_sales_order_is_told_through_its_life_under_its_number(shop: Shop) -> None:
    free = sold("4", price="0")
    number = shop.do("sales", "CreateSalesOrder", order=free).orderNumber
    reason = {"value": "warranty", "language": "en"}
    shop.do(
        "sales",
        "DecideSalesOrder",
        orderNumber=number,
        revision=1,
        outcome="refused",
        person="Li",
        reason=reason,
    )
    shop.do("sales", "ChangeSalesOrder", orderNumber=number, revision=1, order=sold("5"))
    # With the module customers the customer is not known, and a person must decide.
    if shop.do("sales", "GetSalesOrder", salesOrder={"orderNumber": number}).state == "waiting":
        shop.do(
            "sales",
            "DecideSalesOrder",
            orderNumber=number,
            revision=2,
            outcome="approved",
            person="Li",
            reason=reason,
        )
    told = shop.told()
    assert {(one.operation, one.ordering_key) for one in told} == {("SalesOrderStatusChanged", number)}
    events = [one.event for one in told]
    assert [(one.oldState, one.newState, one.revision) for one in events[:2]] == [
        (None, "waiting", 1),
        ("waiting", "refused", 1),
    ]
    assert "Free of charge" in events[0].reason.value
    assert events[1].reason.value == "warranty"
    assert (events[2].oldState, events[2].revision, events[2].total.value) == ("refused", 2, Decimal("7.50"))
    assert events[-1].newState == "approved"

    shop.do(
        "sales",
        "ReturnGoods",
        orderNumber=number,
        reason=reason,
        warehouse="WH-A",
        line=[{"lineNumber": 10, "quantity": quantity("2")}],
    )
    level, back = sorted(shop.told(), key=lambda one: one.ordering_key)
    assert (back.event.oldState, back.event.newState) == ("approved", "partiallyDelivered")
    assert back.event.credited.value == Decimal("3.00")
    assert (level.operation, level.event.onHand.value) == ("StockLevelChanged", 2)

    shop.do("sales", "CompleteSalesOrder", orderNumber=number)
    ((_, _, done),) = shop.told()
    assert (done.oldState, done.newState, done.reason) == ("partiallyDelivered", "completed", None)
    sequences = [one.sequence for one in (*events, back.event, done)]
    assert sequences == sorted(set(sequences))


def test_a_sales_order_that_is_called_off_is_told(shop: Shop) -> None:
    number = shop.do("sales", "CreateSalesOrder", order=sold("5")).orderNumber
    shop.told()
    shop.do("sales", "CancelSalesOrder", orderNumber=number, reason={"value": "not needed"})
    ((_, _, event),) = shop.told()
    assert event.newState == "cancelled"


def test_a_sales_order_sent_twice_is_one_order_with_one_answer(shop: Shop) -> None:
    first, second = (
        shop.ask("sales", "CreateSalesOrder", requestId="R-twice", order=sold("5")) for _ in range(2)
    )
    assert first.value == second.value
    assert len(shop.told()) == 1


# -- stock levels


def test_every_operation_that_changes_a_level_tells_it(shop: Shop) -> None:
    def figures() -> list[tuple[Any, ...]]:
        return [
            (key, one.onHand.value, one.reserved.value, one.available.value) for _, key, one in shop.told()
        ]

    shop.do("inventory", "UpdateStock", movement=[movement("10"), movement("3", sku="S-2")])
    assert figures() == [("S-1 WH-A", 10, 0, 10), ("S-2 WH-A", 3, 0, 3)]
    wanted = {"lineNumber": 1, "sku": "S-1", "warehouse": "WH-A", "quantity": quantity("4")}
    number = shop.do("inventory", "ReserveStock", reference="SO-1", line=[wanted]).reservationNumber
    assert figures() == [("S-1 WH-A", 10, 4, 6)]
    shop.do("inventory", "ReleaseStock", reservationNumber=number, reason="cancelled")
    assert figures() == [("S-1 WH-A", 10, 0, 10)]
    lines = [
        {"sku": sku, "warehouse": "WH-A", "counted": quantity(amount)}
        for sku, amount in (("S-1", "8"), ("S-2", "3"))
    ]
    shop.do("inventory", "CountStock", reference="C-1", line=lines)
    assert figures() == [("S-1 WH-A", 8, 0, 8)], "what was counted right has not changed"


def test_nothing_is_told_where_nothing_changed(shop: Shop) -> None:
    shop.do("inventory", "UpdateStock", movement=[movement("10")])
    shop.told()
    shop.do("inventory", "UpdateStock", movement=[movement("5"), movement("5", out=True)])
    counted = {"sku": "S-1", "warehouse": "WH-A", "counted": quantity("10")}
    shop.do("inventory", "CountStock", reference="C-1", line=[counted])
    assert shop.told() == []


def test_what_a_reservation_gives_back_when_its_time_is_over_is_told(shop: Shop) -> None:
    shop.do("inventory", "UpdateStock", movement=[movement("10")])
    wanted = {"lineNumber": 1, "sku": "S-1", "warehouse": "WH-A", "quantity": quantity("4")}
    shop.do("inventory", "ReserveStock", reference="SO-1", line=[wanted])
    shop.told()
    assert shop.bridge.store is not None
    with shop.bridge.store.transaction() as transaction:
        transaction.session.execute(text("UPDATE reservation SET expires_at = created_at + 1"))
    counted = {"sku": "S-1", "warehouse": "WH-A", "counted": quantity("10")}
    shop.do("inventory", "CountStock", reference="C-1", line=[counted])
    ((_, _, level),) = shop.told()
    assert (level.onHand.value, level.reserved.value) == (10, 0)


# -- together with the rows, or not at all


def test_what_was_refused_is_not_told(shop: Shop) -> None:
    shop.do("inventory", "UpdateStock", movement=[movement("1")])
    shop.told()
    refused = shop.ask("inventory", "UpdateStock", movement=[movement("1"), movement("5", out=True)])
    assert refused.fault_name == "InsufficientStock"
    assert shop.ask("purchasing", "CancelPurchaseOrder", orderNumber="PO-2026-000099",
                    reason={"value": "x"}).fault_name == "NotFound"  # fmt: skip
    assert shop.told() == []


@pytest.mark.parametrize("what", ["order", "stock"])
def test_rows_whose_event_cannot_be_stored_are_not_stored(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise HandlerError("The outbox is full.")

    monkeypatch.setattr(shop.bridge.partner("crm"), "send", fails)
    if what == "order":
        answer = shop.ask("purchasing", "CreatePurchaseOrder", order=order("5"))
    else:
        answer = shop.ask("inventory", "UpdateStock", movement=[movement("1")])
    assert answer.status == 500
    assert "full" in (answer.fault or "")
    assert shop.bridge.store is not None
    with shop.bridge.store.reading() as session:
        for table in ("purchase_order", "stock_balance", "stock_document", "outbox"):
            assert session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 0


def test_events_of_a_transaction_that_is_rolled_back_are_never_told(shop: Shop) -> None:
    """The handler has told, then the reply breaks the contract."""
    service = shop.bridge.services["/services/inventory"]
    handler = service.handlers["UpdateStock"]
    service.handlers["UpdateStock"] = lambda request, call: handler(request, call) | {"movementCount": "no"}
    assert shop.ask("inventory", "UpdateStock", movement=[movement("1")]).status == 500
    assert shop.told() == []


def test_a_request_sent_twice_is_told_once(shop: Shop) -> None:
    for _ in range(2):
        shop.ask("inventory", "UpdateStock", requestId="R-same", movement=[movement("1")])
    assert len(shop.told()) == 1


# -- to whom


def test_without_the_setting_nobody_is_told(open_erp: Callable[..., Shop]) -> None:
    quiet = open_erp(events_to="")
    quiet.do("inventory", "UpdateStock", movement=[movement("1")])
    quiet.do("purchasing", "CreatePurchaseOrder", order=order("5"))
    assert quiet.told() == []
    assert not quiet.bridge.partners, "zeep is not even imported for it"


def test_a_partner_that_is_not_there_or_takes_no_events_is_refused_at_the_start(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.sqlite'}"
    with pytest.raises(SettingsError, match="no partner cmr"):
        Shop(url, events_to="cmr")
    wrong = Settings(
        store=StoreSettings(url=url),
        erp=Erp(events_to="crm"),
        partners={"crm": Partner(wsdl="suppliers", endpoint="http://127.0.0.1:9/")},
    )
    with pytest.raises(SettingsError, match=r"no operation PurchaseOrderStatusChanged.*wsdl = \"events\""):
        shipped_bridge(wrong)


def test_a_partner_is_told_those_events_that_its_contract_has(tmp_path: Path, store_url: str) -> None:
    wsdl = etree.parse(shipped.contracts("crm")["events"])
    for name in ("SalesOrderStatusChanged", "StockLevelChanged"):
        for operation in wsdl.xpath(f"//*[local-name()='operation'][@name='{name}']"):
            operation.getparent().remove(operation)
    for schema in wsdl.iterfind(".//{http://www.w3.org/2001/XMLSchema}import"):
        place = shipped.contracts("crm")["events"].parent / schema.get("schemaLocation", "")
        schema.set("schemaLocation", place.resolve().as_uri())
    older = tmp_path / "events-1.wsdl"
    wsdl.write(older)
    settings = Settings(
        store=StoreSettings(url=store_url),
        erp=Erp(events_to="crm"),
        partners={"crm": Partner(wsdl=str(older), endpoint="http://127.0.0.1:9/", deadline=5.0)},
    )
    shop = Shop(store_url, settings=settings)
    try:
        shop.do("sales", "CreateSalesOrder", order=sold("5"))
        shop.do("inventory", "UpdateStock", movement=[movement("10")])
        shop.do("purchasing", "CreatePurchaseOrder", order=order("5"))
        assert [one.operation for one in shop.told()] == ["PurchaseOrderStatusChanged"]
    finally:
        shop.close()


def test_events_reach_a_crm_in_the_order_in_which_they_happened(open_erp: Callable[..., Shop]) -> None:
    with Mock(shipped.contracts("crm")["events"]) as crm:
        shop = open_erp(endpoint=crm.url)
        number = shop.do("purchasing", "CreatePurchaseOrder", order=order("5")).orderNumber
        for _ in range(2):
            shop.do("purchasing", "ReceiveGoods", orderNumber=number, line=[arrived(10, "2")])
        store = shop.bridge.store
        assert store is not None
        drain = Drain(
            store, shop.bridge.partner("crm"), _Open(), owner="test", lease=LEASE, stopping=lambda: False
        )
        with store.reading() as session:
            keys = due_keys(session, "crm", lease=LEASE, most=10)
        assert sorted(keys) == [number, "S-1 WH-A"]
        for key in keys:
            drain(key)
        got = [(str(one.operation), one.value.sequence) for one in crm.received]
        assert len(got) == 7
        for name in ("PurchaseOrderStatusChanged", "GoodsReceived", "StockLevelChanged"):
            sequences = [sequence for operation, sequence in got if operation == name]
            assert sequences == sorted(sequences)


class _Open:
    """A gate that lets everything through."""

    def admit(self, *_: Any, **__: Any) -> None:
        return None

    def note(self, *_: Any) -> None:
        return None

    def hold(self, *_: Any) -> None:
        return None
