"""`soapbridge keys`, from nothing to a replaced key, as the page says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bridge.cli import commands
from bridge.errors import SettingsError
from bridge.store import Store


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, migrated_sqlite: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bridge.sqlite").write_bytes(migrated_sqlite.read_bytes())
    monkeypatch.setenv("SOAPBRIDGE_STORE_URL", f"sqlite:///{tmp_path}/bridge.sqlite")
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(commands("keys"), ["keys", *words])


def listed() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("list", "--json").stdout)["data_keys"]
    return found


def test_a_key_is_made_used_replaced_and_forgotten(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = json.loads(run("new", "old.key", "--json").stdout)
    assert run("list").exit_code == 0
    assert "nothing is encrypted" in run("list").stdout
    monkeypatch.setenv("SOAPBRIDGE_AT_REST_KEY_FILE", "old.key")
    assert "Encrypted anew: nothing" in run("reencrypt").stdout
    assert [one["opens"] for one in listed()] == [True]
    run("new", "new.key")
    rotated = run("rotate", "--to", "new.key")
    assert f"soapbridge keys forget {made['key']}" in rotated.stdout
    assert [len(one["wrapped_by"]) for one in listed()] == [2, 2]
    assert [one["retired"] is None for one in listed()] == [False, True]
    refused = run("forget", made["key"])
    assert isinstance(refused.exception, SettingsError)
    monkeypatch.setenv("SOAPBRIDGE_AT_REST_KEY_FILE", "new.key")
    assert run("forget", made["key"]).exit_code == 0
    assert [len(one["wrapped_by"]) for one in listed()] == [1, 1]
    monkeypatch.setenv("SOAPBRIDGE_AT_REST_KEY_FILE", "old.key")
    assert run("list").exit_code == 1


def test_without_a_key_there_is_nothing_to_rotate(folder: Path) -> None:
    refused = run("rotate")
    assert isinstance(refused.exception, SettingsError)
    assert "soapbridge keys new FILE" in str(refused.exception)


def test_a_store_of_before_goes_on_without_a_key(folder: Path) -> None:
    store = Store(f"sqlite:///{folder}/bridge.sqlite")
    store.check()
    assert store.cipher is None
    store.close()
