"""`soapbridge demo` as a user runs it: everything goes as it should, and what it kept is there to look at."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.acceptance.shipped_erp import environment


def run(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bridge", *words],
        cwd=folder,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_demo_ends_well_and_leaves_what_it_was_told_to_keep(tmp_path: Path) -> None:
    done = run(tmp_path, "demo", "--json", "--keep", "kept")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr
    told = json.loads(done.stdout)
    outcomes = {(one["operation"], one["what"]): one["outcome"] for one in told["happened"]}
    assert all(one["well"] for one in told["happened"])
    assert len(told["violations"]) == 3
    assert "no second order" in outcomes["CreatePurchaseOrder", "the same, sent again"]
    assert "sent again under the same id" in outcomes["StockLevelChanged", "to a CRM that answers too late"]

    url = f"sqlite:///{tmp_path / 'kept/bridge.sqlite'}"
    journal = json.loads(run(tmp_path, "journal", "list", "--json", SOAPBRIDGE_STORE_URL=url).stdout)[
        "exchanges"
    ]
    orders = [entry for entry in journal if entry["operation"] == "CreatePurchaseOrder"]
    assert [entry["verdict"] for entry in orders] == ["invalid_request", "accepted", "accepted"]
    assert orders[1]["duplicate_of"] == orders[2]["exchange_id"]

    again = run(tmp_path, "demo", "--keep", "kept")
    assert again.returncode == 2
    assert "is there already" in again.stderr


def test_the_demo_needs_no_checkout_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = run(tmp_path, "demo", TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "refused, 3 violations listed" in done.stdout
    assert list(tmp_path.iterdir()) == []
