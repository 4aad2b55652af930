"""Binding functions to operations: mistakes show when the module is loaded, with the names there are."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bridge import contract
from bridge.contract.codec.values import XsdDateTime
from bridge.errors import (
    DeliveredUnreadable,
    HandlerError,
    InDoubt,
    NotSent,
    OperationUnavailable,
    PartnerError,
    Refused,
    Unauthorised,
    Unavailable,
    Unpresentable,
)
from bridge.handlers import Call, Service, called_out, calling_out, current_call

WSDL = Path(__file__).parents[1] / "integration" / "host" / "desk-1.wsdl"


@pytest.fixture
def desk() -> Service:
    return Service(contract.load(WSDL))


def handler(payload: Any, call: Call) -> None:
    """Answers nothing."""


def test_a_bound_function_stays_as_it_is(desk: Service) -> None:
    assert desk.operation("Echo")(handler) is handler
    assert desk.handlers == {"Echo": handler}
    assert desk.unbound == ["Notify", "Ping"]


def test_a_misspelt_operation_fails_at_once_and_lists_the_real_ones(desk: Service) -> None:
    with pytest.raises(
        HandlerError, match=r"no operation 'Ehco'.*Did you mean 'Echo'\? There are: Echo, Notify, Ping"
    ):
        desk.operation("Ehco")


def test_a_second_handler_for_an_operation_is_refused(desk: Service) -> None:
    desk.operation("Echo")(handler)
    with pytest.raises(HandlerError, match="has a handler already"):
        desk.operation("Echo")(handler)


def test_a_function_that_cannot_be_called_is_refused_when_it_is_bound(desk: Service) -> None:
    def one(payload: Any) -> None: ...

    def three(payload: Any, call: Call, more: int) -> None: ...

    async def later(payload: Any, call: Call) -> None: ...

    for wrong, why in ((one, r"def one\(payload, call\)"), (three, "more"), (later, "async")):
        with pytest.raises(HandlerError, match=why):
            desk.operation("Echo")(wrong)
    assert not desk.handlers


def test_methods_lambdas_and_defaults_are_handlers_too(desk: Service) -> None:
    class Shop:
        def ping(self, payload: Any, call: Call) -> None: ...

    desk.operation("Ping")(Shop().ping)
    desk.operation("Echo")(lambda payload, call, extra=1: None)
    desk.operation("Notify")(lambda *both: None)
    assert not desk.unbound


def test_a_fault_of_the_contract_is_made_by_name_and_a_misspelt_one_is_not(desk: Service) -> None:
    fault = desk.fault("Closed", until="2030-01-01")
    assert (fault.name, fault.value) == ("Closed", {"until": "2030-01-01"})
    assert desk.fault("Closed", {"until": 1}).value == {"until": 1}
    with pytest.raises(HandlerError, match=r"no fault 'Close'.*Did you mean 'Closed'"):
        desk.fault("Close")


def test_a_call_makes_only_the_faults_of_its_own_operation(desk: Service) -> None:
    echo, ping = (Call("id", desk.contract.operations[name], desk, None) for name in ("Echo", "Ping"))
    assert echo.fault("Closed").name == "Closed"
    with pytest.raises(HandlerError, match="Ping declares no fault 'Closed'"):
        ping.fault("Closed")


def test_a_call_without_a_store_says_so(desk: Service) -> None:
    call = Call("id", desk.contract.operations["Echo"], desk, None)
    for look in (lambda: call.session, lambda: call.reading):
        with pytest.raises(HandlerError, match=r"without a store.*store\.url"):
            look()
    assert not call.writing


def test_the_time_of_a_call_is_one_time(desk: Service) -> None:
    call = Call("id", desk.contract.operations["Echo"], desk, None)
    assert call.now is call.now
    assert call.now.tzinfo is not None


def test_further_majors_have_their_number_in_the_path() -> None:
    assert Service(contract.load(WSDL)).path == "/services/desk"
    assert Service(contract.load(WSDL.with_name("desk-2.wsdl"))).path == "/services/desk/2"


def test_an_operation_that_cannot_be_hosted_cannot_be_bound(tmp_path: Path) -> None:
    encoded = WSDL.read_text().replace('use="literal"', 'use="encoded"')
    (tmp_path / "desk-1.wsdl").write_text(encoded)
    service = Service(contract.load(tmp_path / "desk-1.wsdl"))
    with pytest.raises(OperationUnavailable, match="Echo"):
        service.operation("Echo")(handler)


def test_the_language_is_the_first_that_the_caller_accepts(desk: Service) -> None:
    for accepted, language in (("", "en"), ("*", "en"), ("zh-CN,zh;q=0.9", "zh-CN"), ("de;q=0.5", "de")):
        call = Call("id", desk.contract.operations["Echo"], desk, None, {}, None, accepted)
        assert call.language == language


@pytest.mark.parametrize(
    ("error", "done"),
    [
        (None, True),
        (InDoubt(""), True),
        (DeliveredUnreadable(""), True),
        (NotSent(""), False),
        (Unpresentable(""), False),
        (Unavailable(""), False),
        (Unauthorised(""), False),
        (Refused(""), False),
    ],
)
def test_a_request_learns_whether_a_partner_may_have_done_something(
    monkeypatch: pytest.MonkeyPatch, desk: Service, error: PartnerError | None, done: bool
) -> None:
    told: list[bool] = []
    call = Call("1", desk.contract.operations["Echo"], desk, None)
    monkeypatch.setattr(Call, "after_calling_out", lambda _, *, done: told.append(done))
    token = current_call.set(call)
    try:
        calling_out()
        called_out(error)
    finally:
        current_call.reset(token)
    assert call.called_out
    assert told == [done]


def test_outside_a_request_calling_a_partner_tells_nobody() -> None:
    calling_out()
    called_out(None)


# -- times ---------------------------------------------------------------------------------------------------
@pytest.fixture
def in_shanghai(desk: Service) -> Call:
    return Call("E-1", desk.contract.operations["Echo"], desk, None, zone=ZoneInfo("Asia/Shanghai"))


def test_a_time_without_a_zone_is_compared_as_one_of_the_contracts_zone(in_shanghai: Call) -> None:
    written = datetime(2026, 3, 2, 8, 15)
    assert in_shanghai.moment(written) == datetime(2026, 3, 2, 0, 15, tzinfo=UTC)
    assert in_shanghai.moment(XsdDateTime("2026-03-01T24:00:00")) == datetime(2026, 3, 1, 16, tzinfo=UTC)


def test_a_time_with_a_zone_keeps_it(in_shanghai: Call) -> None:
    berlin = datetime(2026, 3, 2, 8, 15, tzinfo=timezone(timedelta(hours=1)))
    assert in_shanghai.moment(berlin) is berlin
    assert in_shanghai.moment(XsdDateTime("2026-03-01T24:00:00Z")) == datetime(2026, 3, 2, tzinfo=UTC)


def test_of_a_time_that_comes_twice_the_first_is_meant(desk: Service) -> None:
    call = Call("E-1", desk.contract.operations["Echo"], desk, None, zone=ZoneInfo("Europe/Berlin"))
    assert call.moment(datetime(2026, 10, 25, 2, 30)) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_today_is_the_day_where_the_business_is(in_shanghai: Call, desk: Service) -> None:
    utc = Call("E-1", desk.contract.operations["Echo"], desk, None)
    in_shanghai._now = utc._now = datetime(2025, 12, 31, 23, 0, tzinfo=UTC)
    assert in_shanghai.today == date(2026, 1, 1)
    assert utc.today == date(2025, 12, 31)
