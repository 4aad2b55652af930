"""`soapbridge audit`, as it is typed."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from typer.testing import CliRunner, Result

from bridge import Bridge
from bridge.cli import commands
from bridge.store.tables import audit_entry
from tests.integration.audit.conftest import acted, journaled


@pytest.fixture
def config(tmp_path: Path) -> str:
    """Settings of a bridge that was called by two callers and has ended."""
    file = tmp_path / "bridge.toml"
    file.write_text('[data]\nfolder = "data"\n[audit]\ncheckpoints = "kept.jsonl"\n')
    bridge = Bridge.load(file)
    assert bridge.store is not None
    journaled(bridge.store, partner="crm")
    journaled(bridge.store, partner="zhang")
    acted(bridge.store)
    bridge.audit.note("login_refused", who='=cmd|"x"')
    bridge.store.close()
    return str(file)


def run(config: str, *words: str) -> Result:
    return CliRunner().invoke(commands(only="audit"), ["audit", *words, "--config", config])


def answer(config: str, *words: str) -> Any:
    return json.loads(run(config, *words, "--json").stdout)


def test_what_was_done_is_listed_by_who_and_what(config: str) -> None:
    listed = answer(config, "list", "--by", "zhang")["entries"]
    assert [(one["event"], one["outcome"]) for one in listed] == [("exchange", "accepted")]
    assert [one["who"] for one in answer(config, "list", "--event", "act")["entries"]] == ["mei"]
    assert "There is no such entry" in run(config, "list", "--event", "nothing").stdout
    assert "login_refused" in run(config, "list").stdout


def test_a_whole_trail_verifies_and_a_changed_one_ends_with_1(config: str, tmp_path: Path) -> None:
    kept = ("--checkpoints", str(tmp_path / "kept.jsonl"))
    well = run(config, "verify", *kept)
    assert well.exit_code == 0, well.stdout
    assert "nothing is missing up to the last checkpoint" in well.stdout
    assert "only a checkpoint tells" in run(config, "verify").stdout
    bridge = Bridge.load(config)
    assert bridge.store is not None
    with bridge.store.transaction() as transaction:
        changed = update(audit_entry).where(audit_entry.c.who == "zhang").values(who="crm")
        transaction.session.execute(changed)
    bridge.store.close()
    wrong = run(config, "verify", *kept)
    assert wrong.exit_code == 1
    assert "changed    entry" in wrong.stdout
    (finding,) = answer(config, "verify")["findings"]
    assert finding["says"] == "What can be read is not what was entered."


def test_a_host_without_a_key_says_what_to_do(config: str, tmp_path: Path) -> None:
    public = answer(config, "key")["public"]
    (tmp_path / "data" / "audit-key.pem").unlink()
    refused = run(config, "verify")
    assert "audit.trusted" in str(refused.exception)
    assert not (tmp_path / "data" / "audit-key.pem").exists()
    with Path(config).open("a") as file:
        file.write(f'trusted = ["{public}"]\n')
    assert answer(config, "verify")["ok"]


def test_an_export_has_every_entry_as_csv_or_json_lines_and_no_formula(config: str, tmp_path: Path) -> None:
    lines = list(csv.DictReader(io.StringIO(run(config, "export").stdout)))
    assert sorted(one["event"] for one in lines) == sorted(
        ["started", "exchange", "exchange", "act", "login_refused", "stopped"]
    )
    assert '\'=cmd|"x"' in {one["who"] for one in lines}
    file = tmp_path / "trail.jsonl"
    assert run(config, "export", "--format", "jsonl", "--out", str(file)).exit_code == 0
    read = [json.loads(line) for line in file.read_text().splitlines()]
    assert {one["hash"] for one in read} == {one["hash"] for one in lines}
    again = run(config, "export", "--out", str(file))
    assert "cannot be written" in str(again.exception)


def test_a_checkpoint_for_another_place_is_accepted_there(config: str, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere.jsonl"
    assert run(config, "checkpoint", "--out", str(file)).exit_code == 0
    assert run(config, "verify", "--checkpoints", str(file)).exit_code == 0
    assert json.loads(run(config, "checkpoint").stdout)["signed_by"]


def test_a_caller_is_erased_with_a_reason_only(config: str) -> None:
    assert "It is not said why" in str(run(config, "erase", "zhang").exception)
    assert "would be erased" in run(config, "erase", "zhang", "--dry-run").stdout
    done = answer(config, "erase", "zhang", "--why", "asked to", "--who", "mei")
    assert (done["entries"], done["exchanges"], done["kept"]) == (1, 1, 0)
    assert answer(config, "list", "--by", "zhang")["entries"] == []
    assert answer(config, "verify")["ok"]
    assert run(config, "erase", "zhang", "--why", "again").exit_code == 1
