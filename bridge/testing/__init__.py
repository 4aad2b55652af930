"""For the tests of those who write handlers, and of those who call partners.

A message is answered as over HTTP, without a socket:

    from bridge.testing import ask
    from service import bridge

    def test_an_order_is_accepted():
        answer = ask(bridge, "samples/SubmitOrder.xml")
        assert answer.fault is None, answer.fault
        assert answer.value.Accepted

A partner is made of its contract, and answers as the test expects:

    # conftest.py
    pytest_plugins = ["bridge.testing"]

    # test_orders.py
    def test_an_order_is_sent_again_when_no_answer_comes(mock_partner):
        erp = mock_partner("wsdl/erp/purchasing-1.wsdl")
        erp.expect("CreatePurchaseOrder").times_out().then_reply({...})
        send_order(erp.url)

After the test each mock is verified: what was expected and did not come fails it, with a report. `Mock` alone needs
no pytest: `with Mock("partner.wsdl") as partner: ...` and `partner.verify()`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.app import Bridge
from bridge.errors import BridgeError, HandlerError
from bridge.exchange import Exchange
from bridge.inbound import Inbound
from bridge.soap.envelope import NAMESPACES
from bridge.soap.media import CONTENT_TYPES
from bridge.soap.xml import parse

if TYPE_CHECKING:
    import pytest

    from bridge.mock import Expectation as Expectation
    from bridge.mock import Mock as Mock
    from bridge.mock import Received as Received

_OF_THE_MOCK = ("Expectation", "Mock", "Received")
"""Imported when they are first asked for: a mock brings the whole host along."""

__all__ = ["Answer", "Expectation", "Mock", "MockPartners", "Received", "ask", "mock_partner"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client gets. `value` is the reply decoded, None where there is none; `fault` says why there is a fault instead.

    `status` is HTTP's; `fault_name` that of a declared fault; `reply` the bytes that leave.
    """

    status: int
    value: Any
    fault: str | None
    fault_name: str | None
    reply: bytes


def ask(bridge: Bridge, message: bytes | str | os.PathLike[str], *, action: str | None = None) -> Answer:
    """Have a bridge answer an envelope: bytes, or the file that holds it. What it writes is committed and journaled.

    The handler is run each time: no repeat is recognised, or an answer of yesterday's test would hide today's handler.

    Args:
        action: the SOAPAction, for operations that only it tells apart.

    Raises:
        HandlerError: no service of the bridge has an operation with this Body.
        Exception: whatever the handler raised that is no answer, as it was raised.
    """
    body = message if isinstance(message, bytes) else Path(message).read_bytes()
    exchange = Exchange(body=body, content_type=_content_type(body), soap_action=action)
    inbound = _inbound(bridge, body)
    try:
        for stage in (
            inbound.open,
            inbound.admit,
            inbound.recall,
            inbound.validate,
            inbound.decode,
            inbound.answer,
        ):
            stage(exchange)
    except BridgeError as error:
        inbound.fail(exchange, error)
    inbound.close(exchange)
    if exchange.error is not None or exchange.status >= 400:
        name = getattr(exchange.error, "name", None)
        said = str(exchange.error) if exchange.error is not None else exchange.fault_reason
        return Answer(exchange.status, None, said or "fault", name, exchange.reply)
    return Answer(exchange.status, _value(inbound, exchange), None, None, exchange.reply)


def _value(inbound: Inbound, exchange: Exchange) -> Any:
    plan = exchange.plan
    if plan is None or plan.operation.output is None or not exchange.payload:
        return None
    root, _ = parse(exchange.payload.encode())
    return inbound.codec.decode(plan.operation.output, root)


def _content_type(body: bytes) -> str:
    return CONTENT_TYPES["1.2" if NAMESPACES["1.2"].encode() in body else "1.1"]


def _inbound(bridge: Bridge, body: bytes) -> Inbound:
    """The stages of the service whose contract has an operation with this Body; of the only service, whatever the Body."""
    services = list(bridge.services.values())
    if len(services) > 1:
        root, _ = parse(body)
        payloads = [str(child.tag) for child in root.iterfind("{*}Body/*")]
        known = [
            service
            for service in services
            if any(found.input in payloads for found in service.contract.operations.values())
        ]
        services = known or services[:0]
    if not services:
        raise HandlerError(
            "The bridge has no service for this message.", advice="Serve its contract: bridge.serve(WSDL)."
        )
    return bridge.inbound(services[0])


class MockPartners:
    """What the fixture `mock_partner` gives: called with a WSDL and what else `Mock` takes, it starts a mock."""

    def __init__(self) -> None:
        self.mocks: list[Mock] = []
        self.verified = False

    def __call__(self, wsdl: Any, **options: Any) -> Mock:
        """A running mock, closed and verified after the test. Takes the arguments of `Mock`."""
        from bridge.mock import Mock

        mock = Mock(wsdl, **options).start()
        self.mocks.append(mock)
        return mock

    def verify(self) -> None:
        """Raises AssertionError with what is wrong with any of them; a second time nothing is said."""
        if self.verified:
            return
        self.verified = True
        reports = [report for mock in self.mocks if (report := mock.report())]
        if reports:
            raise AssertionError("\n\n".join(reports))

    def close(self) -> None:
        for mock in self.mocks:
            mock.close()


with contextlib.suppress(ModuleNotFoundError):
    import pytest

    @pytest.fixture
    def mock_partner() -> Iterator[MockPartners]:
        """Mocks of partners, made by calling it with a WSDL; verified and closed after the test."""
        partners = MockPartners()
        try:
            yield partners
            partners.verify()  # where this module is imported, not a plugin: an error after the test
        finally:
            partners.close()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
        """As a plugin: what is missing fails the test itself. Where the test failed by itself, that is what is told."""
        given = [one for one in getattr(item, "funcargs", {}).values() if isinstance(one, MockPartners)]
        try:
            result = yield
        except BaseException:
            for partners in given:
                partners.verified = True
            raise
        for partners in given:
            _verify(partners)
        return result


def _verify(partners: MockPartners) -> None:
    """As `verify`, without the lines of this module in the trace."""
    import pytest

    try:
        partners.verify()
    except AssertionError as error:
        pytest.fail(str(error), pytrace=False)


def __getattr__(name: str) -> Any:
    if name in _OF_THE_MOCK:
        value = globals()[name] = getattr(import_module("bridge.mock"), name)
        return value
    if name == "mock_partner":
        raise ImportError("The fixture mock_partner needs pytest: pip install pytest. Mock itself does not.")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
