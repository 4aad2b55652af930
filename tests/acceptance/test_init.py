"""A project as `soapbridge init` leaves it, with real processes: checked, tested, served, called by a client of others."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import requests
import zeep
from zeep.transports import Transport

from tests.acceptance.shipped_erp import ROOT, ErpProcess, environment


def test_a_new_project_runs_at_once_and_its_test_passes(tmp_path: Path) -> None:
    project = tmp_path / "my stock"
    maker = ErpProcess(tmp_path)
    made = maker.command("init", project, "--wsdl", ROOT / "wsdl/erp/inventory-1.wsdl")
    assert "GetStock" in made["operations"]
    own = ErpProcess(project, "service:bridge")
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project, env=environment(), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert tested.returncode == 0, tested.stdout
    assert f"{len(made['operations'])} passed" in tested.stdout
    assert not (project / "data").exists(), "tests keep what they write to themselves"

    assert own.command("check", "service:bridge")["mistakes"] == []
    with own, contextlib.closing(requests.Session()) as session:
        transport = Transport(session=session, timeout=20, operation_timeout=20)
        answer = own.post("inventory", (project / "samples/GetStock.xml").read_bytes())
        assert (answer.status, answer.fault) == (200, None)
        client = zeep.Client(f"{own.url('inventory')}?wsdl", transport=transport)
        assert client.service.GetStock(sku=["A-1"]).asOf is not None
        (listed,) = own.command("journal", "list", "--limit", 1)["exchanges"]
        assert listed["operation"] == "GetStock"
