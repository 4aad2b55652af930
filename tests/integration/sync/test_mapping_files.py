"""Flows whose mappings are files: one file for both ways, what does not go through, what is not proved."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from bridge.errors import SettingsError
from tests.integration.sync.conftest import ACCOUNTS, MakeCompany

FILE = """[mapping]
two_way = true
absent = "null"
[fields]
code = "no"
title = "name"
grade = { from = "level", lookup = "grades" }
telephone = "phone"
tax_number = "tax"
[lookups.grades]
rows = { A = "1", B = "2", C = "3" }
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "account.toml"
    made.write_text(FILE)
    return made


def test_one_file_serves_both_ways_and_what_is_cleared_is_cleared_there(
    company_of: MakeCompany, file: Path
) -> None:
    both = dataclasses.replace(ACCOUNTS, mapping=file, direction="two-way")
    company = company_of({"accounts": both}, functions=False)
    company.crm.edit("accounts", "A-1", name="North", level="A", phone="1")
    company.sync(times=3)
    assert company.erp.of("customers", "A-1")["grade"] == "1"
    company.erp.edit("customers", "A-1", grade="3")
    company.sync(times=3)
    assert company.crm.of("accounts", "A-1")["level"] == "C"
    company.crm.edit("accounts", "A-1", phone=None)
    company.sync(times=3)
    assert company.erp.of("customers", "A-1")["telephone"] is None
    writes = len(company.crm.writes), len(company.erp.writes)
    company.sync(times=3)
    assert (len(company.crm.writes), len(company.erp.writes)) == writes


def test_a_record_that_does_not_go_through_is_a_problem_and_the_others_go(
    company_of: MakeCompany, file: Path
) -> None:
    company = company_of({"accounts": dataclasses.replace(ACCOUNTS, mapping=file)}, functions=False)
    company.crm.edit("accounts", "A-1", name="North", level="X")
    company.crm.edit("accounts", "A-2", name="South", level="B")
    company.sync()
    assert set(company.erp.rows["customers"]) == {"A-2"}
    (problem,) = company.bridge.flows.problems()
    assert (
        f"{file}:7: grade from level: 'X' was found, expected a value of the lookup grades: A, B, C"
        in problem.explanation
    )


def test_what_is_not_proved_is_told_before_the_flow_runs(company_of: MakeCompany, file: Path) -> None:
    file.write_text(FILE.replace('title = "name"', 'title = "nam"').replace('C = "3"', 'C = "4"'))
    company = company_of({"accounts": dataclasses.replace(ACCOUNTS, mapping=file)}, functions=False)
    with pytest.raises(SettingsError) as caught:
        company.bridge.check()
    told = [one for one in caught.value.mistakes if str(file) in one]
    assert told == [
        f"{file}:6: nam: accounts has no field nam in the source; did you mean name?",
        f"{file}:7: grade would be 4, and is only 1, 2, 3 there",
    ]


def test_a_way_back_that_leaves_out_what_is_required_is_told(company_of: MakeCompany, file: Path) -> None:
    file.write_text(FILE.replace('title = "name"', 'title = { value = "?" }'))
    both = dataclasses.replace(ACCOUNTS, mapping=file, direction="two-way")
    company = company_of({"accounts": both}, functions=False)
    with pytest.raises(SettingsError) as caught:
        company.bridge.check()
    assert any(
        "name is required there, and no rule fills it; it is a text (on the way back)" in one
        for one in caught.value.mistakes
    )
