"""Flows that go both ways: echoes, conflicts, owners, and records that either side makes."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import Refused, Unauthorised
from tests.integration.sync.conftest import ACCOUNTS, MakeCompany
from tests.integration.sync.partners import Clock, Company, Memory, to_account

BOTH = dataclasses.replace(ACCOUNTS, direction="two-way")


@pytest.fixture
def store_url(sqlite_url: str, migrated_sqlite: Path) -> str:
    """SQLite alone: what is decided here is the same on each store, and test_one_way.py is run on both."""
    shutil.copyfile(migrated_sqlite, sqlite_url.removeprefix("sqlite:///"))
    return sqlite_url


@pytest.fixture
def company(company_of: MakeCompany) -> Company:
    """Accounts and customers are the same, both ways, with one that both know."""
    made = company_of({"accounts": BOTH})
    made.crm.edit("accounts", "A-1", name="North", level="A", phone="1")
    made.sync(times=3)
    return made


def settle(company: Company, times: int = 4) -> None:
    company.sync(times=times)


def of(company: Company) -> tuple[dict[str, Any], dict[str, Any]]:
    return company.crm.of("accounts", "A-1"), company.erp.of("customers", "A-1")


def test_what_was_written_over_there_does_not_come_back(company: Company) -> None:
    assert len(company.erp.writes) == 1
    assert company.crm.writes == []
    settle(company)
    assert (len(company.crm.writes), len(company.erp.writes)) == (0, 1)


def test_a_change_on_either_side_goes_to_the_other_and_stays_there(company: Company) -> None:
    company.erp.edit("customers", "A-1", grade="3")
    settle(company)
    assert company.crm.of("accounts", "A-1")["level"] == "C"
    company.crm.edit("accounts", "A-1", name="North Ltd")
    settle(company)
    assert company.erp.of("customers", "A-1")["title"] == "North Ltd"
    assert (len(company.crm.writes), len(company.erp.writes)) == (1, 2)


def test_a_value_that_is_changed_back_to_what_it_was_goes_too(company: Company) -> None:
    company.erp.edit("customers", "A-1", telephone="2")
    settle(company)
    company.crm.edit("accounts", "A-1", phone="1")
    settle(company)
    assert company.erp.of("customers", "A-1")["telephone"] == "1"


def test_changes_of_different_fields_on_both_sides_both_stay(company: Company) -> None:
    company.crm.edit("accounts", "A-1", name="North Ltd")
    company.erp.edit("customers", "A-1", telephone="2")
    settle(company)
    here, there = of(company)
    assert (here["name"], here["phone"]) == ("North Ltd", "2")
    assert (there["title"], there["telephone"]) == ("North Ltd", "2")
    assert company.bridge.flows.problems() == []


@pytest.mark.parametrize(("owner", "kept"), [("source", "here"), ("target", "there")])
def test_of_one_field_changed_on_both_sides_the_owners_value_stays(
    company_of: MakeCompany, owner: Any, kept: str
) -> None:
    company = company_of({"accounts": dataclasses.replace(BOTH, owner=owner)})
    company.crm.edit("accounts", "A-1", name="North", phone="1")
    settle(company)
    company.crm.edit("accounts", "A-1", name="here", phone="5")
    company.erp.edit("customers", "A-1", title="there")
    settle(company)
    here, there = of(company)
    assert here["name"] == there["title"] == kept
    assert here["phone"] == there["telephone"] == "5"


@pytest.mark.parametrize("last", ["here", "there"])
def test_the_newest_value_stays_where_that_is_the_rule(company_of: MakeCompany, last: str) -> None:
    company = company_of({"accounts": dataclasses.replace(BOTH, conflict="newest")})
    company.crm.edit("accounts", "A-1", name="North")
    settle(company)
    for side in ("there", "here") if last == "here" else ("here", "there"):
        if side == "here":
            company.crm.edit("accounts", "A-1", name="here")
        else:
            company.erp.edit("customers", "A-1", title="there")
    settle(company)
    here, there = of(company)
    assert here["name"] == there["title"] == last


@pytest.mark.parametrize("prefer", ["source", "target"])
def test_a_conflict_waits_for_a_person_where_that_is_the_rule(company_of: MakeCompany, prefer: Any) -> None:
    company = company_of({"accounts": dataclasses.replace(BOTH, conflict="ask")})
    company.crm.edit("accounts", "A-1", name="North", phone="1")
    settle(company)
    company.crm.edit("accounts", "A-1", name="here")
    company.erp.edit("customers", "A-1", title="there", telephone="2")
    settle(company)
    (problem,) = company.bridge.flows.problems()
    assert (problem.stage, problem.side, problem.record_id) == ("conflict", "source", "A-1")
    assert "'here' (crm), 'there' (erp)" in problem.explanation
    assert of(company)[0]["name"] == "here"
    assert of(company)[1]["title"] == "there"
    company.bridge.flows.retry(problem.id, who="mei", why="asked", prefer=prefer)
    company.deliver()
    settle(company)
    here, there = of(company)
    assert here["name"] == there["title"] == ("here" if prefer == "source" else "there")
    assert here["phone"] == there["telephone"] == "2", "what only one side changed goes whatever is preferred"
    assert company.bridge.flows.problems() == []


def test_a_dismissed_conflict_leaves_both_as_they_are_until_one_is_changed(company_of: MakeCompany) -> None:
    company = company_of({"accounts": dataclasses.replace(BOTH, conflict="ask")})
    company.crm.edit("accounts", "A-1", name="North")
    settle(company)
    company.crm.edit("accounts", "A-1", name="here")
    company.erp.edit("customers", "A-1", title="there")
    settle(company)
    (problem,) = company.bridge.flows.problems()
    company.bridge.flows.dismiss(problem.id, who="mei", why="both are right")
    settle(company)
    assert of(company)[0]["name"] == "here"
    assert of(company)[1]["title"] == "there"
    assert company.bridge.flows.problems() == []
    company.crm.edit("accounts", "A-1", name="at last")
    settle(company)
    assert of(company)[1]["title"] == "at last"


def test_each_side_keeps_the_fields_that_it_owns(company_of: MakeCompany) -> None:
    flow = dataclasses.replace(BOTH, target_owns=("grade",), source_owns=("name",))
    company = company_of({"accounts": flow})
    company.crm.edit("accounts", "A-1", name="North", level="A")
    settle(company)
    assert company.erp.of("customers", "A-1")["grade"] == "1", "it goes along when the record is new"
    company.crm.edit("accounts", "A-1", level="C", phone="2")
    company.erp.edit("customers", "A-1", title="ERP's name")
    settle(company)
    here, there = of(company)
    assert there["grade"] == "1"
    assert there["telephone"] == "2"
    assert here["name"] == "North"
    company.erp.edit("customers", "A-1", grade="2")
    settle(company)
    assert company.crm.of("accounts", "A-1")["level"] == "B"


def test_a_record_that_the_target_makes_comes_back_once(company: Company) -> None:
    company.erp.edit("customers", "C-9", code="C-9", title="East")
    settle(company)
    assert company.crm.of("accounts", "C-9")["name"] == "East"
    assert len(company.crm.writes) == 1
    assert len(company.erp.writes) == 1


def test_a_source_that_gives_ids_of_its_own_is_recognised_by_what_was_written(
    company_of: MakeCompany,
) -> None:
    company = company_of({"accounts": dataclasses.replace(BOTH, back_operation="accounts.create")})
    company.crm.assigns = "X-"

    def without_id(customer: Any) -> dict[str, Any]:
        made = to_account(customer)
        return {**made, "no": None} if customer["code"].startswith("C-") else made

    for name in ("accounts",):
        company.bridge.flows.maps(name, back=True)(without_id)
    # The CRM's file says that an account has a number: here it is the CRM that gives it.
    fields = company.bridge.any_partner("crm").entities["accounts"].shape.fields
    fields["no"] = dataclasses.replace(fields["no"], required=False)  # type: ignore[index]
    company.erp.edit("customers", "C-9", code="C-9", title="East")
    company.bridge.flows.run("accounts")
    company.deliver()
    assert set(company.crm.rows["accounts"]) == {"X-1"}
    settle(company)
    company.crm.edit("accounts", "X-1", phone="7")
    settle(company)
    assert company.erp.of("customers", "C-9")["telephone"] == "7"
    assert set(company.erp.rows["customers"]) == {"C-9"}


def test_what_is_changed_while_its_document_is_on_its_way_goes_after_it(company: Company) -> None:
    company.crm.edit("accounts", "A-1", name="one")
    company.bridge.flows.run("accounts")  # on its way
    company.crm.edit("accounts", "A-1", name="two")
    company.erp.edit("customers", "A-1", telephone="2")
    report = company.bridge.flows.run("accounts")
    assert report.counts["waits"] == 2
    settle(company)
    here, there = of(company)
    assert here["name"] == there["title"] == "two"


def test_a_refused_document_does_not_have_the_old_value_come_back(company: Company) -> None:
    company.erp.errors = [Refused("No such grade here.")] * 2
    company.crm.edit("accounts", "A-1", level="B")
    settle(company)
    (problem,) = company.bridge.flows.problems()
    assert problem.stage == "refused"
    company.erp.edit("customers", "A-1", telephone="2")
    settle(company)
    here, there = of(company)
    assert (here["level"], here["phone"], there["grade"]) == ("B", "2", "1")
    company.bridge.flows.retry(problem.id, who="mei", why="the grade is there now")
    company.deliver()
    settle(company)
    assert of(company)[1]["grade"] == "2"
    assert company.bridge.flows.problems() == []


def test_a_mapping_that_loses_something_does_not_lose_it_at_home(company_of: MakeCompany) -> None:
    company = company_of({"accounts": BOTH})

    def rough(customer: Any) -> dict[str, Any]:
        return {**to_account(customer), "name": customer["title"].upper()}

    company.bridge.flows.maps("accounts", back=True)(rough)
    company.crm.edit("accounts", "A-1", name="North")
    settle(company)
    company.erp.edit("customers", "A-1", telephone="2")
    settle(company)
    assert company.crm.of("accounts", "A-1") == {
        **company.crm.of("accounts", "A-1"),
        "name": "North",
        "phone": "2",
    }


def test_two_systems_that_undo_each_others_form_are_stopped(company_of: MakeCompany) -> None:
    clock = Clock()
    crm = Memory(clock, lambda one: {**one, "phone": (one.get("phone") or "").removeprefix("+")})
    erp = Memory(clock, lambda one: {**one, "telephone": "+" + (one.get("telephone") or "").lstrip("+")})
    company = company_of({"accounts": BOTH}, crm=crm, erp=erp)
    crm.edit("accounts", "A-1", name="North", phone="86")
    settle(company, 20)
    assert len(crm.writes) + len(erp.writes) < 12
    (problem,) = company.bridge.flows.problems()
    assert "change each other's form of phone" in problem.explanation or "telephone" in problem.explanation


def test_an_event_of_a_record_that_both_know_waits_for_the_next_look(company_of: MakeCompany) -> None:
    company = company_of({"accounts": dataclasses.replace(BOTH, trigger="event")})
    company.crm.edit("accounts", "A-1", name="North")
    settle(company)
    company.crm.edit("accounts", "A-1", name="told")
    with company.bridge.transaction():
        told = {"no": "A-1", "name": "told", "updated_at": company.clock()}
        assert company.bridge.flows.take("crm", "accounts", [told]).counts == {"waits": 1}
    company.bridge.flows.look_after()
    company.deliver()
    assert company.erp.of("customers", "A-1")["title"] == "told"


def test_an_event_of_a_new_record_looks_at_the_other_side_first(company_of: MakeCompany) -> None:
    company = company_of({"accounts": dataclasses.replace(BOTH, trigger="event", conflict="ask")})
    company.erp.edit("customers", "A-1", code="A-1", title="there")
    company.crm.edit("accounts", "A-1", no="A-1", name="here")
    with company.bridge.transaction():
        company.bridge.flows.take("crm", "accounts", [{"no": "A-1", "name": "here"}])
    company.bridge.flows.look_after()
    company.deliver()
    assert company.erp.of("customers", "A-1")["title"] == "there"
    assert {one.stage for one in company.bridge.flows.problems()} == {"conflict"}


def test_an_other_side_that_cannot_be_looked_at_is_named_and_nothing_is_moved(company: Company) -> None:
    company.crm.edit("accounts", "A-1", name="North Ltd")
    company.erp.read_error = Unauthorised("The token has expired.")
    report = company.sync()
    assert report.outcome == "failed"
    (problem, *_) = [one for one in company.bridge.flows.problems() if one.side == "source"]
    assert "erp, which has to be looked at first, could not be read" in problem.explanation
    assert "Give the partner erp valid credentials" in problem.repair
    company.erp.read_error = None
    settle(company)
    assert company.erp.of("customers", "A-1")["title"] == "North Ltd"
    assert company.bridge.flows.problems() == []
