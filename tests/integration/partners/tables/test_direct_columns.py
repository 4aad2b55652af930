"""Columns that vanish, change or cannot be read as what they are to be stop their entity, by name, and no other."""

from __future__ import annotations

import pytest

from bridge.errors import SettingsError
from bridge.partners.partner import Query

FILE = """
[entities.accounts]
id = "account_no"
table = "accounts"
[entities.accounts.fields]
account_no = "text"
name = "text"
credit = { type = "decimal", digits = 18, fraction = 2 }

[entities.notes]
id = "no"
table = "notes"
[entities.notes.fields]
no = "integer"
"""
AMOUNT = {"sqlite": "TEXT", "postgresql": "NUMERIC(18,2)", "mysql": "DECIMAL(18,2)"}


@pytest.fixture
def crm(theirs, partner_of):
    theirs.run(
        f"CREATE TABLE accounts (account_no VARCHAR(20), name VARCHAR(20) NOT NULL, credit {AMOUNT[theirs.dialect]})",
        "CREATE TABLE notes (no INTEGER PRIMARY KEY)",
        "INSERT INTO accounts VALUES ('A-1', 'Example', '1.50')",
        "INSERT INTO notes VALUES (1)",
    )
    return partner_of("database", theirs, FILE)


def changed(theirs, column: str) -> None:
    theirs.run(
        "ALTER TABLE accounts RENAME TO earlier", f"CREATE TABLE accounts (account_no VARCHAR(20), {column})"
    )


def told(crm, match: str) -> str:
    with pytest.raises(SettingsError, match=match) as error:
        crm.fetch("accounts")
    assert [one.id for one in crm.fetch("notes").records] == ["1"]
    return str(error.value)


def test_a_column_that_vanishes_between_two_runs_stops_its_entity_and_no_other(crm, theirs) -> None:
    assert len(crm.fetch("accounts").records) == 1
    theirs.run("ALTER TABLE accounts DROP COLUMN credit")
    words = told(crm, "the column credit has vanished")
    assert "accounts is not read" in words
    told(crm, "the column credit has vanished")  # it stays so


def test_a_column_that_vanishes_in_the_middle_of_a_run_is_told_too(crm, theirs) -> None:
    theirs.run("INSERT INTO accounts VALUES ('A-2', 'Other', '2.50')")
    page = crm.fetch("accounts", Query(limit=1))
    theirs.run("ALTER TABLE accounts DROP COLUMN credit")
    with pytest.raises(SettingsError, match="credit"):
        crm.fetch("accounts", Query(limit=1, after=page.next))


def test_a_column_that_changes_its_type_or_may_be_empty_now_is_told_with_what_it_was(crm, theirs) -> None:
    crm.fetch("accounts")
    changed(theirs, f"name VARCHAR(10), credit {AMOUNT[theirs.dialect]}")
    words = told(crm, "the column name is")
    assert "VARCHAR(20)" in words
    assert "NOT NULL" in words


def test_a_column_that_was_never_there_is_told_with_those_that_are(theirs, partner_of) -> None:
    theirs.run(
        "CREATE TABLE accounts (account_no VARCHAR(20), title VARCHAR(20))",
        "CREATE TABLE notes (no INTEGER PRIMARY KEY)",
    )
    theirs.run("INSERT INTO notes VALUES (1)")
    words = told(partner_of("database", theirs, FILE), r"the column name \(field name\) is not there")
    assert "title" in words


def test_a_table_that_is_not_there_is_told(theirs, partner_of) -> None:
    theirs.run("CREATE TABLE notes (no INTEGER PRIMARY KEY)", "INSERT INTO notes VALUES (1)")
    told(partner_of("database", theirs, FILE), "there is no table or view accounts")


def test_an_amount_in_binary_floating_point_is_not_read(theirs, partner_of) -> None:
    kind = {"sqlite": "DECIMAL(18,2)", "postgresql": "DOUBLE PRECISION", "mysql": "DOUBLE"}[theirs.dialect]
    theirs.run(
        f"CREATE TABLE accounts (account_no VARCHAR(20), name VARCHAR(20), credit {kind})",
        "CREATE TABLE notes (no INTEGER PRIMARY KEY)",
        "INSERT INTO notes VALUES (1)",
    )
    told(partner_of("database", theirs, FILE), "binary floating point")


def test_what_the_file_expects_is_held_against_what_is_there(crm, theirs, partner_of) -> None:
    pinned = FILE.replace(
        "[entities.notes]", '[entities.accounts.expects]\nname = "VARCHAR(30) NOT NULL"\n[entities.notes]', 1
    )
    told(
        partner_of("database", theirs, pinned),
        r"the column name is VARCHAR\(20\).* NOT NULL now and was VARCHAR\(30\)",
    )


def test_a_row_without_an_id_is_told_not_left_out(crm, theirs) -> None:
    theirs.run("INSERT INTO accounts VALUES (NULL, 'Nobody', '1')")
    told(crm, "a row has no account_no")
    with pytest.raises(SettingsError, match="a row has no account_no"):
        list(crm.scan("accounts", ["name"]))


def test_a_float_or_a_text_that_is_no_number_in_a_file_of_sqlite_is_told(
    tmp_path, request, partner_of
) -> None:
    from tests.integration.partners.tables.conftest import made

    theirs = made("sqlite", request, tmp_path)
    theirs.run(
        "CREATE TABLE accounts (account_no TEXT, name TEXT, credit TEXT)",
        "CREATE TABLE notes (no INTEGER PRIMARY KEY)",
        "INSERT INTO notes VALUES (1)",
        "INSERT INTO accounts VALUES ('A-1', 'Example', '12,50')",
    )
    told(partner_of("database", theirs, FILE), "credit holds what is no decimal")
