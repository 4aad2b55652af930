"""`soapbridge flows` on an SQLite store; `soapbridge check`, which says what is wrong with a flow."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

from bridge.cli import commands
from bridge.errors import SettingsError
from bridge.partners import kinds
from tests.integration.sync.partners import CRM, ERP, Clock, Memory

SETTINGS = """\
[store]
url = "{url}"
[partners.crm]
kind = "rest"
entities = "crm.toml"
[partners.erp]
kind = "rest"
entities = "erp.toml"
"""
FLOW = """\
[flows.accounts]
source = "crm.accounts"
target = "erp"
operation = "customers.upsert"
every = 300
"""
SERVICE = """\
from bridge import Bridge
from tests.integration.sync.partners import to_account, to_customer
bridge = Bridge.load()
bridge.flows.maps("accounts")(to_customer)
bridge.flows.maps("accounts", back=True)(to_account)
"""

Run = Callable[..., tuple[int, Any]]


@pytest.fixture
def backends(monkeypatch: pytest.MonkeyPatch) -> dict[str, Memory]:
    """The partners' systems, by name: they outlive the bridges that each command makes."""
    clock = Clock()
    made = {"crm": Memory(clock), "erp": Memory(clock)}
    module = ModuleType("memory_of_flows")
    module.backend = lambda setting: made[setting.name]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "memory_of_flows", module)
    monkeypatch.setitem(kinds.KINDS, "rest", "memory_of_flows:backend")  # type: ignore[arg-type]
    return made


@pytest.fixture
def folder(tmp_path: Path, migrated_sqlite: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    file = tmp_path / "bridge.sqlite"
    file.write_bytes(migrated_sqlite.read_bytes())
    (tmp_path / "crm.toml").write_text(CRM, "utf-8")
    (tmp_path / "erp.toml").write_text(ERP, "utf-8")
    (tmp_path / "bridge.toml").write_text(SETTINGS.format(url=f"sqlite:///{file}") + FLOW, "utf-8")
    (tmp_path / "flows_service.py").write_text(SERVICE, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("SOAPBRIDGE_CONFIG", str(tmp_path / "bridge.toml"))
    yield tmp_path
    sys.modules.pop("flows_service", None)


@pytest.fixture
def run(folder: Path, backends: dict[str, Memory]) -> Run:
    """(exit status, the JSON document) of a command; the bridge is the one in flows_service.py."""

    def command(*words: str) -> tuple[int, Any]:
        sys.modules.pop("flows_service", None)
        given = ["flows", *words, "--json", "--bridge", "flows_service:bridge"]
        done = CliRunner().invoke(commands("flows"), given)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, json.loads(done.stdout)

    return command


def shown(*words: str) -> str:
    sys.modules.pop("flows_service", None)
    done = CliRunner().invoke(commands("flows"), ["flows", *words, "--bridge", "flows_service:bridge"])
    return done.stdout


def test_a_flow_is_listed_shown_tried_and_run(run: Run, backends: dict[str, Memory]) -> None:
    backends["crm"].edit("accounts", "A-1", name="North", level="A")
    status, found = run("list")
    assert (status, found["flows"][0]["name"], found["flows"][0]["outcome"]) == (0, "accounts", None)
    status, found = run("run", "accounts", "--dry-run")
    (change,) = found["changes"]
    assert change["fields"]["title"] == {"was": None, "would be": "North"}
    assert found["counts"] == {"send": 1}
    assert "title: (nothing) -> North" in shown("run", "accounts", "--dry-run")
    status, found = run("run", "accounts")
    assert (status, found["counts"]) == (0, {"send": 1})
    status, found = run("show", "accounts")
    assert (found["outcome"], found["trigger"], found["deletes"]) == ("done", "every 300 s", "ignored")
    assert found["lagSeconds"] is not None
    assert "accounts" in shown("list")


def test_problems_are_listed_shown_retried_and_dismissed(run: Run, backends: dict[str, Memory]) -> None:
    crm = backends["crm"]
    crm.edit("accounts", "A-1", name="North", level="Z")
    crm.edit("accounts", "A-2", name=None)
    status, found = run("run", "accounts")
    assert status == 0
    assert "soapbridge flows problems accounts" in found["next"]
    _, found = run("problems", "accounts", "--stage", "map")
    (problem,) = found["problems"]
    number = str(problem["number"])
    assert run("problems", "--show", number)[1]["problem"]["record"] == "A-1"
    assert "KeyError" in shown("problems", "--show", number)
    status, found = run("retry", number, "--why", "try")
    assert (status, found["ok"]) == (1, False)
    crm.edit("accounts", "A-1", level="B")
    status, found = run("retry", number, "--why", "corrected")
    assert (status, found["retried"][0]["counts"]) == (0, {"send": 1})
    (left,) = run("problems")[1]["problems"]
    assert left["record"] == "A-2"
    assert run("dismiss", str(left["number"]), "--why", "a test", "--who", "mei")[0] == 0
    assert run("problems")[1]["problems"] == []
    (kept,) = [one for one in run("problems", "--all")[1]["problems"] if one["record"] == "A-2"]
    assert (kept["state"], kept["who"], kept["why"]) == ("dismissed", "mei", "a test")


def test_a_flow_is_paused_and_resumed(run: Run) -> None:
    assert run("pause", "accounts", "--why", "stocktaking", "--who", "mei")[1]["done"]
    status, found = run("run", "accounts")
    assert (status, found["outcome"]) == (1, "paused")
    assert run("list")[1]["flows"][0]["paused"] == "mei: stocktaking"
    assert run("resume", "accounts", "--why", "done", "--who", "mei")[1]["done"]
    assert run("run", "accounts")[0] == 0


def test_a_source_that_cannot_be_read_ends_the_command_with_one(
    run: Run, backends: dict[str, Memory]
) -> None:
    backends["crm"].read_error = SettingsError("The column updated_at is gone.", advice="Add it.")
    status, found = run("run", "accounts")
    assert (status, found["outcome"]) == (1, "failed")
    assert "The column updated_at is gone." in found["next"]


@pytest.mark.parametrize(
    ("flow", "said"),
    [
        (FLOW.replace("crm.accounts", "crm.acounts"), "did you mean accounts?"),
        (FLOW.replace("crm.accounts", "cmr.accounts"), "There is no partner cmr"),
        (FLOW.replace("crm.accounts", "accounts"), "write it like crm.accounts"),
        (FLOW.replace("customers.upsert", "customers.upset"), "did you mean customers.upsert?"),
        (FLOW.replace("every = 300", ""), "neither cron nor every says when"),
        (FLOW.replace("every = 300", 'cron = "99 * * * *"'), "99 * * * *"),
        (FLOW + 'deletes = "accounts.delete"\n', "customers.delete"),
        (FLOW + 'target_owns = ["grad"]\n', "did you mean grade?"),
        (FLOW + 'direction = "two-way"\nback_entity = "costumers"\n', "did you mean customers?"),
        (FLOW + 'mapping = "nowhere.toml"\n', "nowhere.toml"),
    ],
)
def test_check_says_what_is_wrong_with_a_flow(
    folder: Path, backends: dict[str, Memory], flow: str, said: str
) -> None:
    from bridge import Bridge

    del backends
    text = SETTINGS.format(url=f"sqlite:///{folder / 'bridge.sqlite'}") + flow
    (folder / "bridge.toml").write_text(text, "utf-8")
    bridge = Bridge.load()
    with pytest.raises(SettingsError) as caught:
        bridge.check()
    assert said in str(caught.value)
    bridge.close()


MAPPING = """\
[mapping]
source = "crm#accounts"
target = "erp#customers"

[fields]
code = "no"
title = { from = "name", do = ["trim"] }
grade = { from = "level", lookup = "levels" }

[lookups]
levels = { rows = { A = "1", B = "2", C = "3" } }
"""


def test_a_mapping_s_file_moves_records_and_tells_which_it_cannot(
    folder: Path, backends: dict[str, Memory]
) -> None:
    from bridge import Bridge

    (folder / "mappings").mkdir()
    (folder / "mappings/account.toml").write_text(MAPPING, "utf-8")
    with (folder / "bridge.toml").open("a", encoding="utf-8") as file:
        file.write('mapping = "mappings/account.toml"\n')
    bridge = Bridge.load()
    backends["crm"].edit("accounts", "A-1", name=" North ", level="A")
    backends["crm"].edit("accounts", "A-2", name="South", level="Z")
    report = bridge.flows.run("accounts")
    assert report.counts == {"send": 1, "problem": 1}
    (problem,) = bridge.flows.problems()
    assert (problem.record_id, problem.stage) == ("A-2", "map")
    assert "'Z'" in problem.explanation
    assert bridge.deliveries.list()[0].entry.reference == "A-1"
    bridge.close()
