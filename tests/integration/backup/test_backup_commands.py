"""`soapbridge backup`, `soapbridge restore`, and backups by the clock, on an SQLite file."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bridge.app import Bridge
from bridge.cli import commands
from bridge.delivery.schedules import Scheduler
from bridge.errors import BridgeError, HandlerError, SettingsError
from bridge.store import Store


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a store, a key, and settings that name them."""
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o700)
    (tmp_path / "backup.key").write_bytes(base64.b64encode(bytes(32)))
    (tmp_path / "bridge.toml").write_text(
        '[data]\nfolder = "."\n[backup]\nfolder = "backups"\nkey_file = "backup.key"\nkeep = 2\n'
    )
    store = Store(f"sqlite:///{tmp_path}/bridge.sqlite")
    store.migrate()
    store.close()
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(commands(), words)


def as_json(*words: str) -> dict[str, object]:
    done = run(*words, "--json")
    assert done.exit_code == 0, (done.output, done.exception)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_a_store_goes_from_backup_to_a_rehearsal_and_over_itself(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = as_json("backup")
    assert Path(str(made["file"])).absolute().parent == folder / "backups"
    assert (made["dialect"], bool(made["key_id"])) == ("sqlite", True)
    listed = as_json("backup", "list")["backups"]
    assert [one["file"] for one in listed] == [made["file"]]  # type: ignore[attr-defined]
    assert as_json("backup", "verify")["in_full"] is True
    monkeypatch.setenv("SOAPBRIDGE_STORE_URL", f"sqlite:///{folder}/rehearsal.sqlite")
    assert as_json("restore", "latest")["kept"] is None
    assert run("check").exit_code == 0
    monkeypatch.delenv("SOAPBRIDGE_STORE_URL")
    refused = run("restore", "latest")
    assert isinstance(refused.exception, SettingsError)
    assert "--overwrite" in str(refused.exception)
    said = run("restore", str(made["file"]), "--overwrite")
    assert said.exit_code == 0
    assert "What was there before is in" in said.output
    assert "soapbridge check" in said.output


def test_a_damaged_backup_is_told_by_the_exit_status(folder: Path) -> None:
    file = Path(str(as_json("backup")["file"]))
    file.write_bytes(file.read_bytes()[:-10])
    done = run("backup", "verify", file.name)
    assert done.exit_code == 1
    assert "cut off" in done.output


def test_a_file_and_a_key_may_be_named(folder: Path) -> None:
    made = as_json("backup", "--to", "elsewhere/one.backup")
    other_key = folder / "other.key"
    other_key.write_bytes(base64.b64encode(b"o" * 32))
    refused = run("backup", "verify", str(made["file"]), "--key-file", str(other_key))
    assert isinstance(refused.exception, SettingsError)
    assert as_json("backup", "verify", str(made["file"]), "--key-file", "backup.key")["rows"]


def test_without_a_key_or_a_folder_it_is_said_what_to_do(folder: Path) -> None:
    (folder / "bridge.toml").write_text('[data]\nfolder = "."\n')
    for words, said in (
        (["backup", "--plain"], "backup.folder"),
        (["backup", "--to", "one.backup"], "backup.key_file"),
        (["backup", "list"], "backup.folder"),
        (["restore", "latest"], "backup.folder"),
        (["restore", "missing.backup"], "No such file"),
    ):
        done = run(*words)
        assert isinstance(done.exception, BridgeError), words
        assert said in str(done.exception)
    done = run("backup", "--to", "one.backup", "--plain")
    assert "It is not encrypted" in done.output
    assert run("backup", "verify", "one.backup", "--plain").exit_code == 0


def test_check_warns_until_there_is_a_backup(folder: Path) -> None:
    def warnings() -> list[str]:
        found = as_json("check")["warnings"]
        return [one for one in found if "backup" in one]  # type: ignore[attr-defined]

    assert "no backup" in warnings()[0]
    as_json("backup")
    assert warnings() == []


def test_backups_are_made_by_the_clock(folder: Path) -> None:
    bridge = Bridge.load()
    assert bridge.store is not None
    (schedule,) = [one for one in bridge.all_schedules() if one.name == "backup"]
    assert schedule.rule.text == "cron 30 2 * * * UTC"
    ended = Scheduler(bridge.store, bridge.all_schedules(), owner="one").run_by_hand(
        "backup", who="mei", why="now"
    )
    assert ended.outcome == "done", ended.reason
    bridge.store.close()
    assert len(list((folder / "backups").iterdir())) == 1


def test_a_backup_that_fails_is_a_run_that_failed_with_its_reason(folder: Path) -> None:
    (folder / "backup.key").unlink()
    bridge = Bridge.load()
    assert bridge.store is not None
    ended = Scheduler(bridge.store, bridge.all_schedules(), owner="one").run_by_hand(
        "backup", who="mei", why="now"
    )
    bridge.store.close()
    assert ended.outcome == "failed"
    assert "backup.key cannot be read" in str(ended.reason)


def test_a_rule_that_cannot_be_read_is_found_by_check_and_the_name_is_taken(folder: Path) -> None:
    with (folder / "bridge.toml").open("a") as file:
        file.write('cron = "at night"\n')
    done = run("check")
    assert done.exit_code == 1
    assert "backup.cron" in done.output
    with pytest.raises(HandlerError, match="two schedules"):
        Bridge(store=False).schedule("backup", every=60)
