"""A flow that takes what a CRM leaves in its staging tables: claimed, moved, acknowledged; refused rows with their reasons beside them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bridge.partners import entities, kinds
from bridge.partners.entity_partner import EntityPartner
from bridge.partners.staging.backend import StagingBackend
from bridge.partners.staging.ddl import statements
from bridge.settings import Partner as Options
from bridge.soap.limits import DEFAULT
from bridge.sync import points
from tests.integration.sync.conftest import MakeCompany
from tests.integration.sync.partners import Company

ACCOUNTS = """\
[entities.accounts]
id = "no"
[entities.accounts.fields]
no = { type = "text", longest = 20 }
name = { type = "text", longest = 60 }
level = { type = "text", longest = 1 }
phone = { type = "text", longest = 20 }
tax = { type = "text", longest = 20 }
"""


@pytest.fixture
def company(company_of: MakeCompany, tmp_path: Path) -> Iterator[Company]:
    """The CRM leaves its accounts in an SQLite file."""
    made = company_of()
    (tmp_path / "theirs.sqlite").touch()
    (tmp_path / "staging.toml").write_text(ACCOUNTS, "utf-8")
    file = tmp_path / "staging.toml"
    options = Options(kind="staging", entities=file, database=f"sqlite:///{tmp_path / 'theirs.sqlite'}")
    described = entities.read(file)
    backend = kinds.backend(kinds.Setting("crm", options, described, DEFAULT, lambda: None))
    assert isinstance(backend, StagingBackend)
    with backend.database.writing() as connection:
        for one in statements(backend.layouts, backend.database.dialect, backend.database.quoted):
            connection.execute(text(one))
    made.bridge.partners["crm"] = EntityPartner("crm", options, described.entities, backend)
    yield made
    backend.close()


def leave(folder: Path, **values: Any) -> None:
    """The CRM leaves a row."""
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    with closing(sqlite3.connect(folder / "theirs.sqlite")) as connection:
        connection.execute(f"INSERT INTO accounts_inbox ({names}) VALUES ({marks})", tuple(values.values()))
        connection.commit()


def states(folder: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "theirs.sqlite")) as connection:
        return connection.execute("SELECT no, state, reason FROM accounts_inbox ORDER BY seq").fetchall()


def test_rows_are_moved_and_acknowledged_and_bad_ones_have_their_reason(
    company: Company, tmp_path: Path
) -> None:
    leave(tmp_path, no="A-1", name="North", level="A", message_id="m-1")
    leave(tmp_path, no="A-2", name="South", level="Z", message_id="m-2")
    leave(tmp_path, no="A-1", name="North Ltd", level="A", message_id="m-3")
    report = company.sync()
    assert report.counts == {"send": 2, "problem": 1}
    assert company.erp.of("customers", "A-1")["title"] == "North Ltd"
    assert states(tmp_path) == [("A-1", "done", None), ("A-2", "rejected", "map"), ("A-1", "done", None)]
    (problem,) = company.bridge.flows.problems()
    assert (problem.record_id, problem.stage) == ("A-2", "map")


def test_a_rejected_row_is_tried_again_as_it_was_kept_or_corrected_by_another(
    company: Company, tmp_path: Path
) -> None:
    leave(tmp_path, no="A-2", name="South", level="Z", message_id="m-2")
    leave(tmp_path, no="A-3", name="East", level="Y", message_id="m-3")
    company.sync()
    company.bridge.flows.maps("accounts")(lambda one: {"code": one["no"], "title": one["name"]})
    (number,) = [one.id for one in company.bridge.flows.problems() if one.record_id == "A-2"]
    assert company.bridge.flows.retry(number, who="mei", why="level Z is known now").counts == {"send": 1}
    leave(tmp_path, no="A-3", name="East", level="B", message_id="m-4")
    company.sync()
    assert {name: one["title"] for name, one in company.erp.rows["customers"].items()} == {
        "A-2": "South",
        "A-3": "East",
    }
    assert company.bridge.flows.problems() == []


def test_rows_whose_process_died_before_it_acknowledged_them_come_again_and_are_known(
    company: Company, tmp_path: Path
) -> None:
    leave(tmp_path, no="A-1", name="North", level="A", message_id="m-1")

    def die(point: points.Point) -> None:
        if point == "kept":
            raise KeyboardInterrupt

    points.observers.append(die)
    try:
        with pytest.raises(KeyboardInterrupt):
            company.bridge.flows.run("accounts")
    finally:
        points.observers.remove(die)
    assert states(tmp_path) == [("A-1", "claimed", None)]
    with closing(sqlite3.connect(tmp_path / "theirs.sqlite")) as connection:
        connection.execute("UPDATE accounts_inbox SET claimed_until = '2026-01-01 00:00:00'")
        connection.commit()
    with company.store.transaction() as transaction:
        transaction.session.execute(text("UPDATE flow_state SET lease_until = 1"))
    company.sync()
    assert states(tmp_path) == [("A-1", "done", None)]
    assert len(company.erp.writes) == 1
