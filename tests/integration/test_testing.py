"""`bridge.testing.ask`: an answer as a client gets it, and what is wrong with a handler as it was raised."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bridge import Bridge
from bridge.errors import HandlerError
from bridge.handlers import Call, Service
from bridge.settings import Data, Settings
from bridge.testing import ask

ROOT = Path(__file__).resolve().parents[2]
GET_STOCK = ROOT / "samples/inventory/GetStock/good-1-item-soap11.xml"


@pytest.fixture
def bridge(tmp_path: Path) -> Bridge:
    made = Bridge(Settings(data=Data(folder=tmp_path)))
    made.serve(ROOT / "wsdl/erp/inventory-1.wsdl")
    made.serve(ROOT / "wsdl/erp/purchasing-1.wsdl")
    return made


def stock(bridge: Bridge) -> Service:
    return bridge.services["/services/inventory"]


def test_the_reply_is_decoded_and_journaled(bridge: Bridge) -> None:
    @stock(bridge).operation("GetStock")
    def get_stock(request: Any, call: Call) -> dict[str, Any]:
        return {"asOf": call.now, "stock": []}

    answer = ask(bridge, GET_STOCK)
    assert (answer.status, answer.fault, answer.fault_name) == (200, None, None)
    assert answer.value.stock == []
    assert b"GetStockResponse" in answer.reply
    assert bridge.store is not None
    assert [entry.operation for entry in bridge.store.journal.list(limit=5)] == ["GetStock"]
    bridge.store.close()


def test_a_declared_fault_is_an_answer_with_its_name(bridge: Bridge) -> None:
    service = stock(bridge)

    @service.operation("GetStock")
    def get_stock(request: Any, call: Call) -> Any:
        raise service.fault("NotFound", missing=[{"kind": "item", "identifier": "A"}])

    answer = ask(bridge, GET_STOCK)
    assert (answer.status, answer.fault_name, answer.value) == (500, "NotFound", None)
    assert answer.fault


def test_a_reply_that_breaks_the_contract_says_how(bridge: Bridge) -> None:
    @stock(bridge).operation("GetStock")
    def get_stock(request: Any, call: Call) -> Any:
        return {"asof": call.now}

    answer = ask(bridge, GET_STOCK)
    assert answer.status == 500
    assert answer.fault is not None
    assert "no field 'asof'" in answer.fault


def test_a_request_that_breaks_the_contract_is_refused_as_over_http(bridge: Bridge) -> None:
    answer = ask(bridge, GET_STOCK.read_bytes().replace(b"sku>", b"skew>"))
    assert answer.status == 500
    assert answer.fault is not None
    assert "/GetStock/sku: The element sku is missing" in answer.fault


def test_what_a_handler_does_wrong_is_raised_as_it_is(bridge: Bridge) -> None:
    @stock(bridge).operation("GetStock")
    def get_stock(request: Any, call: Call) -> Any:
        raise KeyError("shelf")

    with pytest.raises(KeyError, match="shelf"):
        ask(bridge, GET_STOCK)


def test_a_message_of_no_service_is_told(bridge: Bridge) -> None:
    with pytest.raises(HandlerError, match="no service for this message"):
        ask(bridge, GET_STOCK.read_bytes().replace(b"GetStock", b"GetMoney"))
