from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import structlog

from bridge import log
from bridge.errors import InvalidRequest
from bridge.handlers import Service
from bridge.inbound import Inbound
from bridge.ops.request_log import RequestLog
from bridge.settings import Log
from tests.unit.ops.conftest import ended


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def written(service: Service, exchanges: list[Any], **settings: Any) -> str:
    stream = io.StringIO()
    chosen = Log(**{"format": "json", "requests": "all", **settings})
    log.configure(chosen, stream)
    observe = RequestLog(chosen).observer(service)
    for exchange in exchanges:
        if observe is not None:
            observe(exchange, 0.0018)
    return stream.getvalue()


def test_a_line_tells_all_but_what_was_in_it(service: Service, inbound: Inbound) -> None:
    exchange = ended(inbound)
    event = json.loads(written(service, [exchange]))
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "event": "request",
        "exchange": exchange.id,
        "service": "purchasing",
        "operation": "GetPurchaseOrder",
        "partner": None,
        "verdict": "accepted",
        "status": 200,
        "ms": 1.8,
        "request_bytes": 100,
        "reply_bytes": 40,
        "remote": "10.0.0.7",
        "level": "info",
        "logger": "bridge.requests",
    }


def test_a_refusal_is_told_by_its_kind_and_the_number_of_violations(
    service: Service, inbound: Inbound
) -> None:
    error = InvalidRequest("the word 4711 is wrong", [object()] * 2)  # type: ignore[list-item]
    exchange = ended(inbound, None, "invalid_request", error=error, partner='a "partner"\n', status=500)
    line = written(service, [exchange])
    event = json.loads(line)
    assert (event["operation"], event["error"], event["violations"]) == (None, "InvalidRequest", 2)
    assert event["partner"] == 'a "partner"\n'
    assert "4711" not in line
    assert line.count("\n") == 1


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_duplicate_names_the_exchange_whose_answer_it_got(
    service: Service, inbound: Inbound, form: Literal["json", "console"]
) -> None:
    text = written(service, [ended(inbound, duplicate_of="01993c5b2f1a-9f2c1e77b0-1")], format=form)
    assert "duplicate_of" in text
    assert "01993c5b2f1a-9f2c1e77b0-1" in text


@pytest.mark.parametrize(("which", "lines"), [("all", 2), ("refused", 1), ("none", 0)])
def test_the_setting_says_which_requests_get_a_line(
    service: Service, inbound: Inbound, which: Literal["all", "refused", "none"], lines: int
) -> None:
    both = [ended(inbound), ended(inbound, verdict="refused")]
    assert len(written(service, both, requests=which).splitlines()) == lines


def test_above_info_there_are_no_lines(service: Service, inbound: Inbound) -> None:
    assert written(service, [ended(inbound)], level="warning") == ""


def test_people_get_the_same_fields(service: Service, inbound: Inbound) -> None:
    text = written(service, [ended(inbound)], format="console")
    assert "operation=GetPurchaseOrder" in text
    assert "verdict=accepted" in text
    assert "service=purchasing" in text


class Gone(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_log_that_nobody_reads_any_more_holds_up_nothing(
    service: Service, inbound: Inbound, form: Literal["json", "console"], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)  # else logging tells pytest's standard error
    chosen = Log(format=form, requests="all")
    log.configure(chosen, Gone())
    observe = RequestLog(chosen).observer(service)
    assert observe is not None
    observe(ended(inbound), 0.1)
