"""The samples of what we call on the CRM are what their verdicts.txt says, in the words of `soapbridge validate`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from bridge import shipped
from tests.acceptance.shipped_erp import ROOT, SAMPLES, environment

OPERATIONS = [
    (name, operation.get("name"))
    for name, wsdl in shipped.contracts("crm").items()
    for operation in etree.parse(wsdl).iterfind("{*}portType/{*}operation")
]

each_operation = pytest.mark.parametrize(("contract", "operation"), OPERATIONS)


def verdicts(contract: str, operation: str) -> dict[str, tuple[str, ...]]:
    """Paths of the violations by file; a valid one has none."""
    found = {}
    for line in (SAMPLES / contract / operation / "verdicts.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            file, verdict, *paths = line.split()
            assert (verdict == "valid") == (not paths), line
            found[file] = tuple(paths[0].split(",")) if paths else ()
    return found


@pytest.fixture(scope="module")
def reports() -> dict[Path, dict[str, Any]]:
    """What the command says of every sample, by its file."""
    return {file: report for name in shipped.contracts("crm") for file, report in reported(name).items()}


def reported(contract: str) -> dict[Path, dict[str, Any]]:
    files = sorted((SAMPLES / contract).glob("*/*.xml"))
    done = subprocess.run(
        [sys.executable, "-m", "bridge", "validate", *map(str, files), "--wsdl", contract, "--json"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return {Path(one["file"]): one for one in json.loads(done.stdout)["files"]}


@each_operation
def test_each_message_is_what_is_written_beside_it(
    reports: dict[Path, dict[str, Any]], contract: str, operation: str
) -> None:
    expected = verdicts(contract, operation)
    folder = SAMPLES / contract / operation
    found = {file: report for file, report in reports.items() if file.parent == folder}
    assert set(expected) == {file.name for file in found}
    for file, report in found.items():
        told = tuple(sorted(violation["path"] for violation in report.get("violations") or []))
        assert (report["valid"], told) == (not expected[file.name], tuple(sorted(expected[file.name]))), file
        assert report["valid"] == (not file.name.startswith("bad-"))


@each_operation
def test_every_operation_has_requests_and_replies_good_and_bad_and_a_fault_in_both_soap_versions(
    contract: str, operation: str
) -> None:
    files = set(verdicts(contract, operation))
    for start in ("good-", "bad-", "reply-", "bad-reply-", "fault-"):
        assert any(file.startswith(start) for file in files), start
    for start in ("good-", "bad-", "reply-"):
        assert {file[-6:-4] for file in files if file.startswith(start)} == {"11", "12"}, start
