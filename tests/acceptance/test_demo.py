"""`soapbridge demo` as a user runs it: everything goes as it should, and what it kept is there to look at."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from bridge.cli.company.told import play
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


def test_the_companys_month_goes_wrong_and_ends_with_both_sides_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended:
        play(tmp_path, keep=tmp_path, as_json=True, counts=(20, 60, 210))
    told = json.loads(capsys.readouterr().out)
    assert [(one["what"], one["outcome"]) for one in told["happened"] if not one["well"]] == []
    assert len(told["happened"]) == 6
    assert [(one["rule"], one["outcome"], one["differences"]) for one in told["reconciled"]] == [
        ("customers", "same", 0),
        ("orders", "same", 0),
        ("payments", "same", 0),
    ]
    assert told["documents"] == 20 + 60 + 210 + 2  # two are repairs
    assert ended.value.exit_code == 0
    assert len(list((tmp_path / "reports").glob("*.html"))) == 3
