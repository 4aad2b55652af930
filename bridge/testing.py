"""For the tests of those who call partners: a partner made of its contract, that answers as the test expects.

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
from collections.abc import Generator, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

    from bridge.mock import Expectation as Expectation
    from bridge.mock import Mock as Mock
    from bridge.mock import Received as Received

_OF_THE_MOCK = ("Expectation", "Mock", "Received")
"""Imported when they are first asked for: a mock brings the whole host along."""

__all__ = ["Expectation", "Mock", "MockPartners", "Received", "mock_partner"]


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
