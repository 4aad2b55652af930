"""`soapbridge mock` as a process, and every script that docs/mock.md shows."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bridge import shipped
from bridge.cli import app
from bridge.cli import mock as command
from bridge.contract import load
from bridge.errors import SettingsError
from bridge.mock import Mock
from bridge.mock.answers import DROPS, DUPLICATES, OFF_CONTRACT
from bridge.mock.script import KEYS, read_script

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "mock.md").read_text("utf-8")
SCRIPTS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
SAMPLE = ROOT / "samples" / "inventory" / "GetStock"


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bridge", "mock", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_prints_its_address_answers_and_ends_well() -> None:
    script = ROOT / "samples" / "mock" / "inventory.toml"
    process = start("inventory", "--port", "0", "--json", "--script", str(script))
    assert process.stdout is not None
    try:
        first = json.loads(process.stdout.readline())
        assert first["ok"]
        request = urllib.request.Request(
            first["url"],
            next(iter(sorted(SAMPLE.glob("good-*-soap11.xml")))).read_bytes(),
            {"Content-Type": "text/xml"},
        )
        with urllib.request.urlopen(request, timeout=20) as response:
            assert b"GetStockResponse" in response.read()
        with urllib.request.urlopen(first["received"], timeout=20) as response:
            assert json.load(response)["total"] == 1
        told = json.loads(process.stdout.readline())
        assert (told["operation"], told["status"]) == ("GetStock", 200)
        assert "envelope" not in told
    finally:
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=20)
    assert (process.returncode, output, errors) == (0, "", "")


def test_people_are_told_each_request_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with Mock("inventory", listener=command._say_line) as mock:
        request = urllib.request.Request(mock.url, b"<x/>", {"Content-Type": "text/xml"})
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(request, timeout=20)
        command._announce(mock, as_json=False)
    said = capsys.readouterr().out
    assert re.search(r"#1 \d\d:\d\d:\d\d unknown operation → fault \w+\n   \S", said)
    assert mock.url in said


def test_a_script_with_mistakes_is_told_before_anything_is_served(tmp_path: Path) -> None:
    script = tmp_path / "script.toml"
    script.write_text('[[rule]]\noperation = "GetStok"\n\n[[rule]]\ndrop = "sometimes"\n')
    result = CliRunner().invoke(app, ["mock", "inventory", "--port", "0", "--script", str(script)])
    assert isinstance(result.exception, SettingsError)
    assert f"{script}:2: operation" in str(result.exception)
    assert f"{script}:5: drop must be one of before, after, mid-reply" in str(result.exception)
    assert result.output == ""


@pytest.mark.parametrize("script", SCRIPTS, ids=range(len(SCRIPTS)))
def test_every_script_of_the_page_can_be_read(script: str, tmp_path: Path) -> None:
    for name in re.findall(r'reply_file = "([\w.-]+)"', script):
        (tmp_path / name).write_bytes((ROOT / "samples" / "mock" / name).read_bytes())
    file = tmp_path / "script.toml"
    file.write_text(script)
    contract = load(shipped.contracts("erp")["purchasing" if "PurchaseOrder" in script else "inventory"])
    assert read_script(file, contract)


def test_the_page_shows_a_script_for_each_action() -> None:
    shown = "".join(SCRIPTS)
    assert len(SCRIPTS) == len(re.findall(r"^### ", PAGE, re.MULTILINE))
    assert [name for name in KEYS if not re.search(rf"^{name} = ", shown, re.MULTILINE)] == []
    assert [word for word in (*DROPS, *DUPLICATES, *OFF_CONTRACT) if f"`{word}`" not in PAGE] == []


@pytest.mark.parametrize(
    "file", sorted((ROOT / "samples" / "mock").glob("*.toml")), ids=lambda file: file.stem
)
def test_every_sample_script_can_be_read(file: Path) -> None:
    assert read_script(file, load(shipped.contracts("erp")[file.stem]))


def test_the_tests_that_the_page_shows_pass(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeconftest('pytest_plugins = ["bridge.testing"]')
    source = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    pytester.makepyfile(source)
    for name in ("wsdl", "xsd"):
        (pytester.path / name).symlink_to(ROOT / name)
    pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-q").assert_outcomes(
        passed=2
    )


pytest_plugins = ["pytester"]
