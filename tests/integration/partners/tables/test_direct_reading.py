"""A partner's own tables, read: pages, changes, bulk, totals; on SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from bridge.errors import HandlerError, NotSent, SettingsError, Unauthorised
from bridge.partners.partner import Query

TABLE = {
    "sqlite": """CREATE TABLE accounts (account_no TEXT PRIMARY KEY, name1 TEXT NOT NULL, credit INTEGER, balance TEXT, currency TEXT,
        active INTEGER NOT NULL, since TEXT, updated_at TEXT NOT NULL, tags TEXT, gone INTEGER NOT NULL DEFAULT 0)""",
    "postgresql": """CREATE TABLE accounts (account_no VARCHAR(20) PRIMARY KEY, name1 VARCHAR(200) NOT NULL, credit BIGINT,
        balance NUMERIC(18,2), currency CHAR(3), active BOOLEAN NOT NULL, since DATE, updated_at TIMESTAMP NOT NULL, tags JSONB,
        gone BOOLEAN NOT NULL DEFAULT FALSE)""",
    "mysql": """CREATE TABLE accounts (account_no VARCHAR(20) NOT NULL, name1 VARCHAR(200) NOT NULL, credit BIGINT,
        balance DECIMAL(18,2), currency CHAR(3), active TINYINT(1) NOT NULL, since DATE, updated_at DATETIME(6) NOT NULL, tags JSON,
        gone TINYINT(1) NOT NULL DEFAULT 0, KEY (account_no))""",
}
ROWS = [
    (
        "A-1",
        "Example Trading",
        125000,
        "12.50",
        "EUR",
        1,
        "2024-02-29",
        "2026-03-01 08:00:00.000001",
        '["vip","export"]',
        0,
    ),
    ("a-1", "Muster GmbH", None, "0.10", "EUR", 0, None, "2026-03-01 09:00:00", None, 0),
    ("B", "示例贸易", 1, "-3.00", "CNY", 1, "2025-01-01", "2026-03-01 08:00:00.000001", "[]", 0),
    ("Ä", "Gone", 1, "99.00", None, 1, None, "2026-03-02 00:00:00", None, 1),
    ("Z 2", "Last", 1, "1.00", None, 1, None, "2026-03-03 00:00:00", None, 0),
]
FILE = """
[entities.accounts]
id = "account_no"
changed = "updated_at"
table = "accounts"
columns = { name = "name1" }
scaled = ["credit"]
deleted = "gone"
[entities.accounts.fields]
account_no = "text"
name = { type = "text", required = true, longest = 200 }
credit = { type = "decimal", digits = 18, fraction = 2 }
balance = { type = "decimal", digits = 18, fraction = 2 }
currency = "text"
active = "boolean"
since = "date"
updated_at = { type = "datetime", zone = "Asia/Shanghai" }
tags = { type = "list", of = "text" }
gone = "boolean"
"""


def fill(theirs, rows=ROWS) -> None:
    values = ", ".join(
        "("
        + ", ".join("NULL" if one is None else repr(_boolean(theirs, i, one)) for i, one in enumerate(row))
        + ")"
        for row in rows
    )
    theirs.run(f"INSERT INTO accounts VALUES {values}")


def _boolean(theirs, number, value):
    return (value == 1) if theirs.dialect == "postgresql" and number in (5, 9) else value


@pytest.fixture
def crm(theirs, partner_of):
    theirs.run(TABLE[theirs.dialect])
    fill(theirs)
    return partner_of("database", theirs, FILE)


def test_a_row_becomes_a_record_whose_values_lose_nothing(crm) -> None:
    first = crm.fetch("accounts").records[0]
    shanghai = ZoneInfo("Asia/Shanghai")
    assert first.id == "A-1"
    assert first.values == {
        "account_no": "A-1",
        "name": "Example Trading",
        "credit": Decimal("1250.00"),
        "balance": Decimal("12.50"),
        "currency": "EUR",
        "active": True,
        "since": date(2024, 2, 29),
        "updated_at": datetime(2026, 3, 1, 8, 0, 0, 1, shanghai),
        "tags": ["vip", "export"],
        "gone": False,
    }
    assert first.changed_at == datetime(2026, 3, 1, 0, 0, 0, 1, UTC)
    assert str(first.values["credit"]) == "1250.00"
    assert type(first.values["active"]) is bool


def test_pages_follow_each_other_in_code_point_order_whatever_the_collation(crm) -> None:
    found, after = [], None
    while True:
        page = crm.fetch("accounts", Query(limit=2, after=after))
        found += [record.id for record in page.records]
        after = page.next
        if after is None:
            break
    assert found == ["A-1", "B", "Z 2", "a-1"]


def test_changes_come_by_moment_and_then_id_and_a_cursor_stands_between_equal_moments(crm) -> None:
    found, after = [], None
    while True:
        page = crm.fetch("accounts", Query(order="changed", limit=1, deleted=True, after=after))
        found += [(record.id, record.deleted) for record in page.records]
        after = page.next
        if after is None:
            break
    assert found == [("A-1", False), ("B", False), ("a-1", False), ("Ä", True), ("Z 2", False)]


def test_since_is_included_and_until_is_not(crm) -> None:
    shanghai = ZoneInfo("Asia/Shanghai")
    page = crm.fetch(
        "accounts",
        Query(since=datetime(2026, 3, 1, 9, 0, tzinfo=shanghai), until=datetime(2026, 3, 3, tzinfo=shanghai)),
    )
    assert [record.id for record in page.records] == ["a-1"]


def test_ids_are_found_exactly_also_where_the_collation_takes_no_notice_of_case(crm) -> None:
    assert [record.id for record in crm.fetch("accounts", Query(ids=("a-1", "nowhere"))).records] == ["a-1"]


def test_fields_that_equal_values_are_asked_for(crm) -> None:
    def ids(**where) -> list[str]:
        return [record.id for record in crm.fetch("accounts", Query(where=where)).records]

    assert ids(currency="EUR") == ["A-1", "a-1"]
    assert ids(active=False) == ["a-1"]
    assert ids(balance=Decimal("12.5") if crm.backend.database.dialect != "sqlite" else Decimal("12.50")) == [
        "A-1"
    ]
    assert ids(credit=Decimal(1250)) == ["A-1"]
    assert ids(currency=None) == ["Z 2"]


def test_fields_that_have_one_of_some_values_are_asked_for(crm) -> None:
    def ids(name, *values) -> list[str]:
        return [record.id for record in crm.fetch("accounts", Query(among=(name, values))).records]

    assert ids("currency", "CNY", "USD", None) == ["B", "Z 2"]
    assert ids("currency") == []


def test_a_scan_may_be_in_the_order_of_another_field(crm) -> None:
    def rows(by) -> list[tuple]:
        return [row for batch in crm.scan("accounts", ["account_no"], Query(by=by)) for row in batch]

    found = rows("currency")
    assert [row[0] for row in found] == ["", "CNY", "EUR", "EUR"]
    assert sorted(found) == [("", "Z 2"), ("CNY", "B"), ("EUR", "A-1"), ("EUR", "a-1")]
    assert rows("balance") == [("-3.00", "B"), ("0.10", "a-1"), ("1.00", "Z 2"), ("12.50", "A-1")]
    with pytest.raises(HandlerError, match="has no field nowhere"):
        rows("nowhere")


def test_a_scan_gives_tuples_by_id_with_the_fields_asked_for(crm) -> None:
    batches = list(crm.scan("accounts", ["balance", "currency", "active"]))
    assert batches == [
        [
            ("A-1", Decimal("12.50"), "EUR", True),
            ("B", Decimal("-3.00"), "CNY", True),
            ("Z 2", Decimal("1.00"), None, True),
            ("a-1", Decimal("0.10"), "EUR", False),
        ]
    ]


def test_totals_are_counted_and_summed_by_the_database_without_a_float(crm) -> None:
    found = crm.totals("accounts", sums={"balance": "currency", "credit": None})
    assert found.count == 4
    assert found.sums == {
        ("balance", "EUR"): Decimal("12.60"),
        ("balance", "CNY"): Decimal("-3.00"),
        ("balance", ""): Decimal("1.00"),
        ("credit", ""): Decimal("1250.02"),
    }


def test_nothing_can_be_written_by_what_only_reads(crm, theirs) -> None:
    with pytest.raises(Exception) as told, crm.backend.database.reading() as connection:
        connection.exec_driver_sql("DELETE FROM accounts")
    assert "Nothing was done" in str(told.value)
    assert theirs.rows("SELECT COUNT(*) FROM accounts") == [(5,)]
    with pytest.raises(SettingsError, match="only read"), crm.backend.database.writing():
        pass


def test_a_query_is_read_like_a_table(theirs, partner_of) -> None:
    theirs.run(TABLE[theirs.dialect])
    fill(theirs)
    crm = partner_of(
        "database",
        theirs,
        """
[entities.names]
id = "account_no"
query = "SELECT account_no, name1 AS name FROM accounts WHERE currency = 'EUR'"
[entities.names.fields]
account_no = "text"
name = "text"
""",
    )
    assert [(one.id, one.values["name"]) for one in crm.fetch("names").records] == [
        ("A-1", "Example Trading"),
        ("a-1", "Muster GmbH"),
    ]
    assert crm.totals("names").count == 2


def test_whole_numbers_name_records_too_in_the_order_of_their_texts(theirs, partner_of) -> None:
    theirs.run("CREATE TABLE orders (no INTEGER PRIMARY KEY, note VARCHAR(20))")
    theirs.run("INSERT INTO orders VALUES (9, 'nine'), (10, 'ten'), (100, 'hundred')")
    crm = partner_of(
        "database",
        theirs,
        '[entities.orders]\nid = "no"\ntable = "orders"\n[entities.orders.fields]\nno = "integer"\nnote = "text"\n',
    )
    first = crm.fetch("orders", Query(limit=2))
    assert [(one.id, one.values["no"]) for one in first.records] == [("10", 10), ("100", 100)]
    assert [one.id for one in crm.fetch("orders", Query(after=first.next)).records] == ["9"]
    assert list(crm.scan("orders", ["no", "note"])) == [
        [("10", 10, "ten"), ("100", 100, "hundred"), ("9", 9, "nine")]
    ]
    assert [one.id for one in crm.fetch("orders", Query(ids=("9",))).records] == ["9"]
    assert list(crm.scan("orders", ["note"], Query(by="no"))) == [
        [("10", "ten"), ("100", "hundred"), ("9", "nine")]
    ]


def test_a_database_that_is_not_there_or_does_not_let_us_in_is_told_apart(served, partner_of) -> None:
    import dataclasses

    from sqlalchemy import make_url

    url = make_url(served.url)
    nobody = dataclasses.replace(
        served, url=url.set(host="127.0.0.1", port=1, query={}).render_as_string(hide_password=False)
    )
    with pytest.raises(NotSent, match="cannot be reached"):
        partner_of("database", nobody, FILE).ping()
    if served.dialect == "mysql":
        wrong = dataclasses.replace(
            served, url=url.set(password="wrong").render_as_string(hide_password=False)
        )
        with pytest.raises(Unauthorised, match="does not let us") as told:
            partner_of("database", wrong, FILE).ping()
        assert "wrong" not in str(told.value)


def test_a_file_that_is_not_there_is_no_new_database(tmp_path, partner_of) -> None:
    from tests.integration.partners.tables.conftest import Theirs

    missing = tmp_path / "missing.sqlite"
    with pytest.raises(NotSent):
        partner_of("database", Theirs("sqlite", f"sqlite:///{missing}"), FILE).ping()
    assert not missing.exists()


def test_a_scan_of_many_rows_holds_few_of_them_and_may_be_left_early(theirs, partner_of) -> None:
    rows = ", ".join(f"({number}, 'x')" for number in range(12_000))
    theirs.run(
        "CREATE TABLE orders (no INTEGER PRIMARY KEY, note VARCHAR(20))", f"INSERT INTO orders VALUES {rows}"
    )
    crm = partner_of(
        "database",
        theirs,
        '[partner]\npool = 1\n[entities.orders]\nid = "no"\ntable = "orders"\n[entities.orders.fields]\nno = "integer"\nnote = "text"\n',
    )
    batches = list(crm.scan("orders", ["note"]))
    assert [len(batch) for batch in batches] == [5000, 5000, 2000]
    ids = [row[0] for batch in batches for row in batch]
    assert ids == sorted(map(str, range(12_000)))
    early = crm.scan("orders", ["note"])
    assert next(early)[0] == ("0", "x")
    early.close()
    assert crm.totals("orders").count == 12_000  # over the one connection that there may be
