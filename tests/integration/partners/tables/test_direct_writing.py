"""Writing to a partner's own tables by declared statements: one record, one row, one transaction."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bridge.delivery.sender import Document
from bridge.errors import Refused, SettingsError, Unavailable, Unpresentable
from bridge.partners.json_text import dump
from bridge.partners.partner import Query

FILE = """
[partner]
writable = true
lock_timeout = 1

[entities.accounts]
id = "account_no"
table = "accounts"
version = "row_version"
[entities.accounts.write]
create = "INSERT INTO accounts (account_no, name, credit, row_version) VALUES (:account_no, :name, :credit, 1)"
update = "UPDATE accounts SET name = :name, credit = :credit, row_version = row_version + 1 WHERE account_no = :account_no AND row_version = :row_version"
delete = "DELETE FROM accounts WHERE account_no = :account_no AND row_version = :row_version"
[entities.accounts.fields]
account_no = "text"
name = { type = "text", required = true, longest = 20 }
credit = { type = "decimal", digits = 18, fraction = 2 }
row_version = "integer"
"""
AMOUNT = {"sqlite": "TEXT", "postgresql": "NUMERIC(18,2)", "mysql": "DECIMAL(18,2)"}


@pytest.fixture
def erp(theirs, partner_of):
    theirs.run(
        f"""CREATE TABLE accounts (account_no VARCHAR(20) PRIMARY KEY, name VARCHAR(20) NOT NULL CHECK (name <> 'never'),
            credit {AMOUNT[theirs.dialect]}, row_version INTEGER NOT NULL)""",
        "INSERT INTO accounts VALUES ('A-1', 'Example', '1.50', 7)",
    )
    return partner_of("database", theirs, FILE)


def write(partner, verb, **values):
    document = Document("d-1", "erp", "A-1", f"accounts.{verb}", dump(values))
    partner.backend.write(partner.entity("accounts"), verb, values, document)
    return document


def rows(theirs):
    return theirs.rows("SELECT account_no, name, row_version FROM accounts ORDER BY account_no")


def test_an_upsert_updates_what_is_there_and_makes_what_is_not(erp, theirs) -> None:
    write(erp, "upsert", account_no="A-1", name="Changed", credit=Decimal("2.50"))
    write(erp, "upsert", account_no="B-1", name="New", credit=None)
    assert rows(theirs) == [("A-1", "Changed", 8), ("B-1", "New", 1)]


def test_a_record_that_somebody_else_changed_meanwhile_is_not_overwritten(erp, theirs) -> None:
    record = erp.fetch("accounts", Query(ids=("A-1",))).records[0]
    assert record.version == "7"
    theirs.run("UPDATE accounts SET name = 'Theirs', row_version = 8")
    with pytest.raises(Refused, match="changed by somebody else since its row_version was read"):
        write(erp, "update", **{**record.values, "name": "Ours"})
    with pytest.raises(Refused, match="changed by somebody else"):
        write(erp, "delete", account_no="A-1", row_version=7)
    assert rows(theirs) == [("A-1", "Theirs", 8)]


def test_what_the_database_refuses_is_refused_and_says_why(erp, theirs) -> None:
    with pytest.raises(Refused, match="The database refused it"):
        write(erp, "create", account_no="A-1", name="Twice")
    with pytest.raises(Refused, match="Nothing was done"):
        write(erp, "update", account_no="A-1", name="never")
    with pytest.raises(Refused, match="There is no accounts X-1"):
        write(erp, "update", account_no="X-1", name="Nobody")
    assert rows(theirs) == [("A-1", "Example", 7)]


def test_a_statement_that_touches_more_than_its_record_is_undone(theirs, partner_of) -> None:
    theirs.run("CREATE TABLE accounts (account_no VARCHAR(20), name VARCHAR(20))")
    theirs.run("INSERT INTO accounts VALUES ('A-1', 'one'), ('A-2', 'two')")
    erp = partner_of(
        "database",
        theirs,
        """
[partner]
writable = true
[entities.accounts]
id = "account_no"
table = "accounts"
[entities.accounts.write]
update = "UPDATE accounts SET name = :name WHERE account_no >= :account_no"
[entities.accounts.fields]
account_no = "text"
name = "text"
""",
    )
    with pytest.raises(Refused, match="touched 2 rows for one record"):
        write(erp, "update", account_no="A-1", name="both")
    assert theirs.rows("SELECT name FROM accounts ORDER BY account_no") == [("one",), ("two",)]
    with pytest.raises(Unpresentable, match="no statement for delete"):
        write(erp, "delete", account_no="A-1")


def test_a_document_in_doubt_is_found_or_not_by_what_is_there(erp) -> None:
    done = write(erp, "upsert", account_no="B-1", name="New", credit=Decimal("2.5"))
    assert erp.backend.find(done) is True
    assert erp.backend.find(done._replace(payload=dump({"account_no": "C-1", "name": "New"}))) is False
    assert erp.backend.find(done._replace(payload=dump({"account_no": "B-1", "name": "Other"}))) is None
    gone = done._replace(operation="accounts.delete")
    assert erp.backend.find(gone) is False
    assert erp.backend.find(gone._replace(payload=dump({"account_no": "C-1"}))) is True


def test_a_row_that_somebody_holds_is_waited_for_and_then_tried_again_later(erp, theirs) -> None:
    from sqlalchemy import create_engine

    engine = create_engine(theirs.url)
    with engine.connect() as connection:
        connection.exec_driver_sql("UPDATE accounts SET name = 'held'")
        with pytest.raises(Unavailable, match="Nothing was done"):
            write(erp, "update", account_no="A-1", name="ours", row_version=7)
        connection.rollback()
    engine.dispose()
    assert rows(theirs) == [("A-1", "Example", 7)]


def test_a_table_that_has_changed_lets_documents_wait(erp, theirs) -> None:
    theirs.run("ALTER TABLE accounts DROP COLUMN credit")
    with pytest.raises(Unavailable, match="credit"):
        write(erp, "upsert", account_no="A-1", name="Changed", credit=Decimal(1))


def test_a_statement_that_takes_too_long_is_ended(served, partner_of) -> None:
    served.run("CREATE TABLE notes (no INTEGER PRIMARY KEY)", "INSERT INTO notes VALUES (1)")
    slow = "pg_sleep(20)" if served.dialect == "postgresql" else "SLEEP(20)"
    partner = partner_of(
        "database",
        served,
        f"""
[partner]
statement_timeout = 0.3
[entities.notes]
id = "no"
query = "SELECT no, {slow} AS slept FROM notes"
[entities.notes.fields]
no = "integer"
slept = "text"
""",
    )
    with pytest.raises(Unavailable):
        partner.fetch("notes")


def test_a_scan_of_sqlite_that_takes_too_long_is_ended(tmp_path, request, partner_of) -> None:
    from tests.integration.partners.tables.conftest import made

    theirs = made("sqlite", request, tmp_path)
    theirs.run("CREATE TABLE notes (no INTEGER PRIMARY KEY)")
    partner = partner_of(
        "database",
        theirs,
        """
[partner]
statement_timeout = 0.1
[entities.notes]
id = "no"
query = "WITH RECURSIVE n(no) AS (SELECT 1 UNION ALL SELECT no + 1 FROM n) SELECT no FROM n WHERE no < 0"
[entities.notes.fields]
no = "integer"
""",
    )
    with pytest.raises(Unavailable, match="interrupted"):
        partner.fetch("notes")


def test_writing_is_declared_twice_by_the_partner_and_by_each_verb(theirs, partner_of) -> None:
    with pytest.raises(SettingsError, match="say writable = true"):
        partner_of("database", theirs, FILE.replace("writable = true", ""))
    with pytest.raises(SettingsError, match="the version is not looked at"):
        partner_of("database", theirs, FILE.replace(" AND row_version = :row_version", "", 1))
    with pytest.raises(SettingsError, match=r":nme is no field of accounts"):
        partner_of("database", theirs, FILE.replace(":name,", ":nme,", 1))
