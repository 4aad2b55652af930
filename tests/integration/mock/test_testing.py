"""bridge.testing as its users have it: a fixture that fails the test when what was expected does not happen."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bridge.errors import OperationUnavailable
from bridge.testing import Mock
from tests.integration.mock.conftest import DESK, echo, post

pytest_plugins = ["pytester"]

HEAD = f"""
    import urllib.error
    import urllib.request

    WSDL = {str(DESK)!r}

    def send(url, text="hello"):
        body = ('<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body><Echo xmlns="urn:test:desk:1"><text>'
                + text + '</text></Echo></Body></Envelope>').encode()
        request = urllib.request.Request(url, body, {{"Content-Type": "text/xml"}})
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.read()
"""


TESTS = """
    import pytest

    urls = []

    def test_expected_and_done(mock_partner):
        desk = mock_partner(WSDL)
        desk.expect("Echo").reply({"text": "told", "count": 1}).then_reply()
        assert b"told" in send(desk.url)
        send(desk.url)
        assert [one.value.text for one in desk.received] == ["hello", "hello"]
        urls.extend([desk.url, mock_partner(WSDL).url])

    def test_mocks_are_closed_after_their_test():
        assert len(set(urls)) == 2
        for url in urls:
            with pytest.raises(urllib.error.URLError, match="refused"):
                send(url)

    def test_unmet(mock_partner):
        desk = mock_partner(WSDL)
        desk.expect("Echo").matching(values={"text": "other"}).times(2)
        send(desk.url)

    def test_too_many(mock_partner):
        desk = mock_partner(WSDL)
        desk.expect("Echo").reply()
        send(desk.url)
        send(desk.url)

    def test_unexpected(mock_partner):
        send(mock_partner(WSDL).url)

    def test_unexpected_and_strict(mock_partner):
        send(mock_partner(WSDL, strict=True).url)

    def test_fails_by_itself(mock_partner):
        mock_partner(WSDL).expect("Notify")
        assert 1 == 2
"""


@pytest.fixture
def suite(pytester: pytest.Pytester):
    """Runs the tests of a user; the first argument says how they got the fixture."""

    def run(conftest: str, *arguments: str) -> pytest.RunResult:
        pytester.makeconftest(conftest)
        pytester.makepyfile(test_desk=HEAD + TESTS)
        return pytester.runpytest_inprocess(
            "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-q", "-rA", *arguments
        )

    return run


def test_a_test_fails_when_what_it_expects_does_not_happen(suite):
    result = suite('pytest_plugins = ["bridge.testing"]')
    result.assert_outcomes(passed=3, failed=4)
    result.stdout.fnmatch_lines(
        [
            "The mock of desk was not called as expected.",
            "Echo where values {'text': 'other'}  (test_desk.py:*)",
            "*expected 2 requests: 2 × sample reply",
            "*came: 0; not asked for: 2 × sample reply",
            "*nearest is #1: text is 'hello', expected 'other'",
            "*1 too many: #2",
            "1 not expected at all:",
            "*#1 Echo: sample reply",
            "*assert 1 == 2",
        ]
    )
    said = result.stdout.str()
    assert "PASSED test_desk.py::test_expected_and_done" in said
    assert "PASSED test_desk.py::test_mocks_are_closed_after_their_test" in said
    assert "PASSED test_desk.py::test_unexpected\n" in said
    assert "Notify" not in said.partition("assert 1 == 2")[2], "a test that fails by itself tells that alone"


def test_imported_without_the_plugin_it_is_an_error_after_the_test(suite):
    result = suite("from bridge.testing import mock_partner", "-k", "unmet")
    result.assert_outcomes(passed=1, errors=1, deselected=6)
    result.stdout.fnmatch_lines(["*nearest is #1: text is 'hello', expected 'other'"])


def test_a_mock_needs_no_pytest():
    code = (
        "import sys; sys.modules['pytest'] = None\n"
        "from bridge.testing import Mock\n"
        f"mock = Mock({str(DESK)!r})\n"
        "try:\n    from bridge.testing import mock_partner\n"
        "except ImportError as error:\n    print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "needs pytest: pip install pytest" in ran.stdout


def test_verify_by_hand():
    with Mock(DESK) as desk:
        desk.expect("Echo").drops().then_reply()
        with pytest.raises((ConnectionResetError, ConnectionError)):
            post(desk.url, echo())
        with pytest.raises(AssertionError, match="came: 1; not asked for: sample reply"):
            desk.verify()
        post(desk.url, echo())
        desk.verify()


def test_an_expectation_goes_before_the_script(tmp_path: Path):
    script = tmp_path / "script.toml"
    script.write_text("[[rule]]\nstatus = 503\n")
    with Mock(DESK, script=script) as desk:
        desk.expect("Echo").matching("//text = 'a'").always()
        assert (post(desk.url, echo("a")).status, post(desk.url, echo("b")).status) == (200, 503)
        assert [one.expected for one in desk.received] == [True, False]


def test_expectations_are_counted_right_by_many_threads():
    with Mock(DESK, strict=True) as desk:
        desk.expect("Echo").matching("//text = 'a'").status(503).times(20).then_reply().times(20)
        desk.expect("Echo").matching("//text = 'b'").reply().times(20)
        with ThreadPoolExecutor(12) as threads:
            statuses = list(threads.map(lambda text: post(desk.url, echo(text)).status, "aab" * 20))
        assert statuses.count(503) == 20
        desk.verify()


def test_an_unknown_operation_is_told_at_once():
    with pytest.raises(OperationUnavailable, match="There are: Echo, Notify, Ping"):
        Mock(DESK).expect("Ecoh")
