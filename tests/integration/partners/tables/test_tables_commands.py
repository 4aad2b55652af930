"""`soapbridge staging` and `soapbridge columns`: what a person prints, and looks at."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bridge.cli import app

STAGING = """
[entities.accounts]
id = "account_no"
[entities.accounts.fields]
account_no = "text"
credit = { type = "decimal", digits = 18, fraction = 2 }
"""
DIRECT = """
[entities.accounts]
id = "account_no"
table = "accounts"
[entities.accounts.fields]
account_no = "text"
credit = { type = "decimal", digits = 18, fraction = 2 }
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "staging.toml").write_text(STAGING, "utf-8")
    (tmp_path / "direct.toml").write_text(DIRECT, "utf-8")
    (tmp_path / "bridge.toml").write_text(
        f"""
[partners.crm]
kind = "staging"
entities = "staging.toml"
database = "sqlite:///{tmp_path}/theirs.sqlite"
[partners.erp]
kind = "database"
entities = "direct.toml"
database = "sqlite:///{tmp_path}/theirs.sqlite"
""",
        "utf-8",
    )
    sqlite3.connect(tmp_path / "theirs.sqlite").close()
    return tmp_path


def run(*words: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == status, done.output
    return done.stdout


def run_json(*words: str, status: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*words, "--json", status=status))
    return found


def theirs(folder: Path, script: str) -> None:
    connection = sqlite3.connect(folder / "theirs.sqlite")
    connection.executescript(script)
    connection.close()


def test_the_printed_statements_make_the_tables_and_the_status_shows_what_waits_in_them(folder: Path) -> None:
    theirs(folder, run("staging", "ddl", "crm"))
    theirs(
        folder,
        "INSERT INTO accounts_inbox (account_no, credit, created_at) VALUES ('A-1', '1.50', '2026-01-01T00:00:00')",
    )
    found = run_json("staging", "status", "crm")
    inbox, outbox = found["tables"]
    assert (inbox["new"], inbox["claimed"], inbox["rejected"], outbox["new"]) == (1, 0, 0, 0)
    assert inbox["lag"] > 3600
    assert "accounts_inbox" in run("staging", "status", "crm")


def test_rejected_rows_are_shown_with_their_reason_and_end_the_command_with_1(folder: Path) -> None:
    theirs(folder, run("staging", "ddl", "crm"))
    theirs(
        folder,
        "INSERT INTO accounts_inbox (account_no, state, reason, explanation) VALUES ('A-1', 'rejected', 'mapping', 'No such level.')",
    )
    shown = run("staging", "status", "crm", status=1)
    assert "No such level." in shown
    assert run_json("staging", "status", "crm", status=1)["tables"][0]["examples"][0]["reason"] == "mapping"


@pytest.mark.parametrize(("dialect", "word"), [("postgresql", "GENERATED ALWAYS"), ("mysql", "utf8mb4_bin")])
def test_the_statements_of_another_database_are_printed_on_request(
    folder: Path, dialect: str, word: str
) -> None:
    assert word in run("staging", "ddl", "crm", "--dialect", dialect)


def test_columns_are_printed_as_the_file_can_pin_them(folder: Path) -> None:
    theirs(folder, "CREATE TABLE accounts (account_no TEXT NOT NULL, credit TEXT)")
    found = run_json("columns", "erp")["entities"][0]
    assert found == {
        "entity": "accounts",
        "columns": {"account_no": "TEXT NOT NULL", "credit": "TEXT"},
        "mistake": "",
    }
    lines = run("columns", "erp", "accounts")
    assert '"account_no" = "TEXT NOT NULL"' in lines
    pinned = DIRECT + "\n" + lines.rpartition("\n\n")[0]
    (folder / "direct.toml").write_text(pinned, "utf-8")
    run("columns", "erp")
    theirs(folder, "DROP TABLE accounts; CREATE TABLE accounts (account_no TEXT, credit REAL)")
    told = run_json("columns", "erp", status=1)["entities"][0]["mistake"]
    assert "the column credit is REAL now and was TEXT" in told


def test_a_partner_of_another_kind_or_of_no_name_is_told(folder: Path) -> None:
    done = CliRunner().invoke(app, ["staging", "status", "erp"])
    assert "is of the kind database" in str(done.exception)
    done = CliRunner().invoke(app, ["columns", "epr"])
    assert "Did you mean erp?" in str(done.exception)


def test_check_tells_what_would_be_misread_and_is_content_otherwise(folder: Path) -> None:
    theirs(folder, "CREATE TABLE accounts (account_no TEXT NOT NULL, credit REAL)")
    warnings = run_json("check")["warnings"]
    assert any("partner erp" in one and "binary floating point" in one for one in warnings)
    assert any("partner crm" in one and "there is no table accounts_inbox" in one for one in warnings)
    theirs(folder, "DROP TABLE accounts; CREATE TABLE accounts (account_no TEXT NOT NULL, credit TEXT)")
    theirs(folder, run("staging", "ddl", "crm"))
    assert not [one for one in run_json("check")["warnings"] if "partner" in one]
