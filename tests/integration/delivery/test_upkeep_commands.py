"""`bridge.schedule`, `soapbridge schedules` and `soapbridge retention`, on an SQLite file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner, Result

from bridge.app import Bridge
from bridge.cli import commands
from bridge.errors import HandlerError, SettingsError
from bridge.store import Store
from bridge.store.tables import act

SERVICE = """
from bridge import Bridge

bridge = Bridge.load()

@bridge.schedule("nightly", cron="30 2 * * *", zone="Asia/Shanghai")
def nightly(firing):
    pass

@bridge.schedule("broken", every=60)
def broken(firing):
    raise ValueError("no paper")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "nights_service.py").write_text(SERVICE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("SOAPBRIDGE_STORE_URL", f"sqlite:///{tmp_path}/bridge.sqlite")
    monkeypatch.delitem(__import__("sys").modules, "nights_service", raising=False)
    store = Store(f"sqlite:///{tmp_path}/bridge.sqlite")
    store.migrate()
    store.close()
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(commands(), words)


def test_schedules_are_run_by_hand_and_listed_with_what_became_of_them(folder: Path) -> None:
    done = run(
        "schedules",
        "run",
        "nightly",
        "nights_service:bridge",
        "--why",
        "list was empty",
        "--who",
        "ann",
        "--json",
    )
    assert (done.exit_code, json.loads(done.stdout)["outcome"]) == (0, "done")
    failed = run("schedules", "run", "broken", "nights_service:bridge", "--why", "to see", "--json")
    assert (failed.exit_code, json.loads(failed.stdout)["reason"]) == (1, "ValueError: no paper")
    listed = json.loads(run("schedules", "list", "nights_service:bridge", "--json").stdout)["schedules"]
    found = {one["name"]: (one["rule"], (one["last"] or {}).get("outcome")) for one in listed}
    assert found == {
        "broken": ("every 60 s", "failed"),
        "nightly": ("cron 30 2 * * * Asia/Shanghai", "done"),
        "retention": ("every 300 s", None),
    }
    shown = run("schedules", "list", "nights_service:bridge").output
    assert "ValueError: no paper" in shown
    store = Store(f"sqlite:///{folder}/bridge.sqlite")
    with store.reading() as session:
        acts = [
            tuple(row) for row in session.execute(select(act.c.who, act.c.why, act.c.verb).order_by(act.c.id))
        ]
    store.close()
    assert acts[0] == ("ann", "list was empty", "run schedule nightly")
    assert acts[1][1:] == ("to see", "run schedule broken")


def test_without_a_reason_nothing_is_run(folder: Path) -> None:
    refused = run("schedules", "run", "nightly", "nights_service:bridge")
    assert isinstance(refused.exception, SettingsError)
    assert "--why" in str(refused.exception)


def test_retention_counts_before_it_removes(folder: Path) -> None:
    counted = json.loads(run("retention", "--dry-run", "--json").stdout)
    assert counted["removed"] is False
    assert set(counted["rows"]) == {
        "answers",
        "delivered",
        "undelivered",
        "journal",
        "firings",
        "ordering keys",
        "problems",
        "reconciliations",
        "differences",
        "notifications",
    }
    assert json.loads(run("retention", "--json").stdout)["removed"] is True


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "either cron or every"),
        ({"cron": "30 2 * * *", "every": 60}, "either cron or every"),
        ({"cron": "30 2 * *"}, "five fields"),
        ({"cron": "30 2 * * *", "zone": "Mars/Olympus"}, "no time zone"),
        ({"every": 0}, "no number of seconds"),
    ],
)
def test_a_schedule_that_cannot_be_read_fails_where_it_is_written(
    given: dict[str, object], said: str
) -> None:
    with pytest.raises(HandlerError, match=said):
        Bridge(store=False).schedule("nightly", **given)  # type: ignore[arg-type]


def test_a_name_is_given_once_and_not_one_of_the_bridges_own() -> None:
    bridge = Bridge(store=False)
    bridge.schedule("nightly", every=60)(lambda firing: None)
    for name in ("nightly", "retention"):
        with pytest.raises(HandlerError, match="two schedules"):
            bridge.schedule(name, every=60)
