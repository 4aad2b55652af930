"""`soapbridge credentials` and `soapbridge callers`: secrets are made, shown once, listed without, revoked."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bridge.cli import app
from bridge.store import Store

SETTINGS = """
[callers.crm]
roles = ["buyer"]
[callers.mei]
kind = "person"
[roles.buyer]
operations = ["purchasing.*"]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bridge.toml").write_text(SETTINGS, "utf-8")
    return tmp_path


def run(*words: str, status: int = 0, given: str | None = None) -> dict[str, Any]:
    done = CliRunner().invoke(app, [*words, "--json"], input=given)
    assert done.exit_code == status, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def wrong(*words: str, given: str | None = None) -> str:
    done = CliRunner().invoke(app, words, input=given)
    assert done.exit_code != 0
    return str(done.exception)


def test_an_api_key_is_shown_once_and_its_digest_kept(folder: Path) -> None:
    made = run("credentials", "add", "crm")
    assert made["apiKey"].startswith("sbk_")
    (listed,) = run("credentials", "list")["credentials"]
    assert (listed["id"], listed["caller"], listed["kind"], listed["state"]) == (
        made["id"],
        "crm",
        "api_key",
        "valid",
    )
    store = Store(f"sqlite:///{folder}/data/bridge.sqlite")
    store.close()
    for file in (folder / "data").iterdir():
        if file.is_file():
            assert made["apiKey"].encode() not in file.read_bytes()
            assert not stat.S_IMODE(file.stat().st_mode) & 0o077


def test_what_is_revoked_is_not_listed_unless_asked_for_and_is_revoked_once(folder: Path) -> None:
    number = run("credentials", "add", "crm")["id"]
    other = run("credentials", "add", "crm", "--days", "30")["id"]
    run("credentials", "revoke", str(number))
    assert [one["id"] for one in run("credentials", "list", "crm")["credentials"]] == [other]
    states = {one["id"]: one["state"] for one in run("credentials", "list", "--all")["credentials"]}
    assert states == {number: "revoked", other: "valid"}
    assert "revoked before" in wrong("credentials", "revoke", str(number))
    assert "no credential 99" in wrong("credentials", "revoke", "99")


def test_a_password_is_read_from_standard_input_or_a_file_and_kept_as_its_hash(folder: Path) -> None:
    run("credentials", "add", "mei", "--password", given="correct horse battery\n")
    (folder / "password").write_text("another long password\n", "utf-8")
    run("credentials", "add", "mei", "--password", "--from", "password")
    kinds = [one["kind"] for one in run("credentials", "list", "mei")["credentials"]]
    assert kinds == ["password", "password"]
    assert "mei has 2 passwords" in wrong(
        "credentials", "add", "mei", "--password", given="a third password\n"
    )
    content = b"".join(file.read_bytes() for file in (folder / "data").iterdir() if file.is_file())
    assert b"correct horse battery" not in content
    assert b"$argon2id$" in content


def test_what_cannot_be_kept_is_said_and_nothing_is_kept(folder: Path) -> None:
    for words, given, says in (
        (["crn"], None, "Did you mean crm?"),
        (["crm", "--password"], "short\n", "at least 12"),
        (["crm", "--password"], "two\nlines\n", "One line"),
        (["crm", "--password"], "", "One line"),
        (["crm", "--password", "--from", "gone"], None, "cannot be read"),
        (["crm", "--from", "gone"], None, "made up, not read"),
        (["crm", "--password", "--wss-password"], None, "Two kinds"),
        (["crm", "--wss-password"], "correct horse battery\n", "at_rest.key_file"),
    ):
        assert says in wrong("credentials", "add", *words, given=given)
    assert run("credentials", "list")["credentials"] == []


def test_callers_shows_what_each_may_and_who_cannot_get_in_yet(folder: Path) -> None:
    run("credentials", "add", "crm")
    found = run("callers")
    crm, mei = found["callers"]
    assert (crm["operations"], crm["credentials"]) == (["purchasing.*"], {"api_key": 1})
    assert (mei["kind"], mei["operations"], mei["credentials"]) == ("person", [], {})
    assert "mei cannot get in yet" in found["next"]


def test_check_names_the_callers_that_cannot_get_in_and_roles_that_name_nothing(folder: Path) -> None:
    warnings = "\n".join(run("check")["warnings"])
    assert "crm cannot get in" in warnings
    assert "mei may ask for nothing" in warnings
    (folder / "bridge.toml").write_text(SETTINGS.replace("purchasing.*", "purchasing.CreateOrder"), "utf-8")
    (mistake,) = run("check", status=1)["mistakes"]
    assert "roles.buyer names purchasing.CreateOrder, which nobody answers" in mistake


@pytest.mark.parametrize("command", ["serve", "up"])
def test_a_bridge_for_others_into_which_nobody_could_get_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    said = wrong(command, "--host", "0.0.0.0", "--port", "0")
    assert "Nobody could get in" in said
    assert "soapbridge credentials add" in said
    assert 'access.anonymous = "yes"' in said
