"""Staging tables on SQLite, PostgreSQL and MariaDB: what the partner writes is claimed, settled and acknowledged; what we write is there once."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import create_engine

from bridge.delivery.sender import Document
from bridge.errors import SettingsError, Unavailable
from bridge.partners.json_text import dump
from bridge.partners.partner import Query, Rejection
from bridge.partners.staging.ddl import statements

FILE = """
[partner]
prefix = "crm_"
lease = 60
attempts = 3

[entities.accounts]
id = "account_no"
changed = "created_at"
[entities.accounts.fields]
account_no = "text"
name = { type = "text", required = true, longest = 20 }
state = "text"
credit = { type = "decimal", digits = 18, fraction = 2 }
active = "boolean"
since = "date"
seen_at = { type = "datetime", zone = "Asia/Shanghai" }
positions = { type = "list", fields = { sku = "text", quantity = "decimal", due = "date" } }
created_at = "datetime"
"""


@pytest.fixture
def crm(theirs, partner_of):
    partner = partner_of("staging", theirs, FILE)
    theirs.run(*statements(partner.backend.layouts, theirs.dialect, partner.backend.database.quoted))
    return partner


def put(theirs, number="A-1", name="Example", *, more=(), **values) -> None:
    given = {"account_no": number, "name": name} | values
    names = ", ".join(given)
    texts = ", ".join("NULL" if one is None else repr(one) for one in given.values())
    theirs.run(f"INSERT INTO crm_accounts_inbox ({names}) VALUES ({texts})")


def states(theirs, table="inbox"):
    return theirs.rows(f"SELECT state, reason FROM crm_accounts_{table} ORDER BY seq")


def claimed(partner, limit=100):
    return partner.claim("accounts", limit=limit)


def names(claims):
    return [(one.record.id, one.record.values.get("name")) for one in claims]


def test_a_row_becomes_a_record_whose_values_lose_nothing(crm, theirs) -> None:
    lines = '[{"sku": "S-1", "quantity": "12.500", "due": "2026-03-31"}]'
    seen = "2026-03-01T08:00:00.000001+08:00" if theirs.dialect != "mysql" else "2026-03-01 08:00:00.000001"
    put(theirs, "A-1", "示例", state_="CN", credit="1250.00", active=1 if theirs.dialect != "postgresql" else True,
        since="2024-02-29", seen_at=seen, positions=lines, message_id="m-1")  # fmt: skip
    (claim,) = claimed(crm)
    assert (claim.verb, claim.message_id, claim.attempts) == ("upsert", "m-1", 1)
    values = dict(claim.record.values)
    assert abs((values.pop("created_at") - datetime.now(UTC)).total_seconds()) < 60
    assert values == {
        "account_no": "A-1",
        "name": "示例",
        "state": "CN",
        "credit": Decimal("1250.00"),
        "active": True,
        "since": date(2024, 2, 29),
        "seen_at": datetime(2026, 3, 1, 0, 0, 0, 1, UTC),
        "positions": [{"sku": "S-1", "quantity": Decimal("12.500"), "due": date(2026, 3, 31)}],
    }
    assert crm.acknowledge("accounts", done=[claim.seq]) == 1
    assert states(theirs) == [("done", None)]
    assert claimed(crm) == []


def test_a_rejected_row_keeps_its_reason_beside_it(crm, theirs) -> None:
    put(theirs)
    (claim,) = claimed(crm)
    crm.acknowledge("accounts", rejected=[Rejection(claim.seq, "mapping", "The level X is not known.")])
    assert theirs.rows("SELECT state, reason, explanation FROM crm_accounts_inbox") == [
        ("rejected", "mapping", "The level X is not known.")
    ]
    assert claimed(crm) == []


def test_rows_of_one_record_are_given_out_in_their_order_one_at_a_time(crm, theirs) -> None:
    for name in ("first", "second", "third"):
        put(theirs, "A-1", name)
    put(theirs, "B-1", "other")
    first = claimed(crm)
    assert names(first) == [("A-1", "first"), ("B-1", "other")]
    assert claimed(crm) == []
    crm.acknowledge("accounts", done=[one.seq for one in first])
    second = claimed(crm)
    assert names(second) == [("A-1", "second")]
    crm.acknowledge("accounts", rejected=[Rejection(second[0].seq, "mapping", "no")])
    assert names(claimed(crm)) == [("A-1", "third")]


def test_a_row_written_twice_is_not_moved_twice(crm, theirs) -> None:
    put(theirs, "A-1", "one", credit="1.00")
    put(theirs, "A-1", "one", credit="1.00")
    put(theirs, "A-1", "two", credit="1.00")
    put(theirs, "A-1", "one", credit="1.00")
    moved = []
    while found := claimed(crm):
        moved += names(found)
        crm.acknowledge("accounts", done=[one.seq for one in found])
    assert moved == [("A-1", "one"), ("A-1", "two"), ("A-1", "one")]
    assert states(theirs) == [("done", None), ("done", "duplicate"), ("done", None), ("done", None)]


def test_content_that_differs_in_case_or_blanks_alone_is_another_content(crm, theirs) -> None:
    for name in ("one", "One", "One "):
        put(theirs, "A-1", name)
    moved = []
    while found := claimed(crm):
        moved += names(found)
        crm.acknowledge("accounts", done=[one.seq for one in found])
    assert moved == [("A-1", "one"), ("A-1", "One"), ("A-1", "One ")]


def test_the_same_content_after_a_rejection_is_tried_again(crm, theirs) -> None:
    put(theirs)
    (claim,) = claimed(crm)
    crm.acknowledge("accounts", rejected=[Rejection(claim.seq, "mapping", "no")])
    put(theirs)
    assert len(claimed(crm)) == 1


def test_a_message_id_used_again_is_a_duplicate_or_a_mistake_never_a_second_move(crm, theirs) -> None:
    put(theirs, "A-1", "one", message_id="m-1")
    put(theirs, "A-1", "two", message_id="m-2")
    (first,) = claimed(crm)
    crm.acknowledge("accounts", done=[first.seq])
    (second,) = claimed(crm)
    crm.acknowledge("accounts", done=[second.seq])
    put(theirs, "A-1", "one", message_id="m-1")  # sent again, after another change
    put(theirs, "B-1", "two", message_id="m-2")  # another record under a used id
    assert claimed(crm) == []
    assert states(theirs)[2:] == [("done", "duplicate"), ("rejected", "message_id")]


def test_two_new_rows_with_one_message_id_for_two_records_are_not_both_moved(crm, theirs) -> None:
    put(theirs, "A-1", "one", message_id="m-1")
    put(theirs, "B-1", "one", message_id="m-1")
    assert names(claimed(crm)) == [("A-1", "one")]
    assert states(theirs)[1] == ("rejected", "message_id")


def test_a_row_set_to_new_again_after_a_later_one_was_done_does_not_bring_back_the_past(crm, theirs) -> None:
    put(theirs, "A-1", "old")
    (old,) = claimed(crm)
    crm.acknowledge("accounts", rejected=[Rejection(old.seq, "mapping", "no")])
    put(theirs, "A-1", "newer")
    (newer,) = claimed(crm)
    crm.acknowledge("accounts", done=[newer.seq])
    theirs.run("UPDATE crm_accounts_inbox SET state = 'new' WHERE name = 'old'")
    assert claimed(crm) == []
    assert states(theirs)[0] == ("rejected", "superseded")


def test_values_that_do_not_fit_are_rejected_with_every_reason_and_stop_no_other_row(crm, theirs) -> None:
    put(theirs, "A-1", None, credit="1.00")
    put(theirs, "B-1", "a name of more than twenty characters")
    put(theirs, "C-1", "good")
    assert names(claimed(crm)) == [("C-1", "good")]
    assert states(theirs)[:2] == [("rejected", "values"), ("rejected", "values")]
    ((first,), (second,), *_) = theirs.rows("SELECT explanation FROM crm_accounts_inbox ORDER BY seq")
    assert "accounts/name: is required and missing" in first
    assert "20 are the most" in second


def test_a_value_that_is_no_value_of_its_type_is_rejected(partner_of, tmp_path, request) -> None:
    from tests.integration.partners.tables.conftest import made

    theirs = made("sqlite", request, tmp_path)
    crm = partner_of("staging", theirs, FILE)
    theirs.run(*statements(crm.backend.layouts, theirs.dialect, crm.backend.database.quoted))
    put(theirs, "A-1", "bad", since="31.03.2026")
    put(theirs, "B-1", "worse", credit="12,50")
    put(theirs, "C-1", "worst", positions='{"sku": 1}')
    put(theirs, "D-1", "good", since="2026-03-31")
    assert names(claimed(crm)) == [("D-1", "good")]
    assert [state for state, _ in states(theirs)] == ["rejected"] * 3 + ["claimed"]
    ((told,), *_) = theirs.rows("SELECT explanation FROM crm_accounts_inbox ORDER BY seq")
    assert "since holds what is no date" in told


def test_every_row_has_the_whole_record_but_a_delete_needs_the_id_alone(crm, theirs) -> None:
    put(theirs, "A-1", None, operation="update", credit="5.00")
    put(theirs, "B-1", None, operation="delete")
    (delete,) = claimed(crm)
    assert (delete.verb, delete.record.id, delete.record.deleted) == ("delete", "B-1", True)
    assert states(theirs)[0] == ("rejected", "values")


def test_the_rows_of_a_dead_claimer_come_back_and_its_late_acknowledgement_changes_nothing(
    crm, theirs, partner_of
) -> None:
    put(theirs)
    (lost,) = claimed(crm)
    past = {
        "sqlite": "strftime('%Y-%m-%dT%H:%M:%f000+00:00', 'now', '-1 second')",
        "postgresql": "now() - interval '1 second'",
        "mysql": "TIMESTAMPADD(SECOND, -1, UTC_TIMESTAMP(6))",
    }[theirs.dialect]
    theirs.run(f"UPDATE crm_accounts_inbox SET claimed_until = {past}")
    other = partner_of("staging", theirs, FILE)
    (again,) = claimed(other)
    assert (again.seq, again.attempts) == (lost.seq, 2)
    assert crm.acknowledge("accounts", done=[lost.seq]) == 0
    assert states(theirs) == [("claimed", None)]
    assert other.acknowledge("accounts", done=[again.seq]) == 1


def test_a_row_that_outlives_no_claimer_is_rejected_in_the_end(crm, theirs) -> None:
    put(theirs)
    for _ in range(3):
        assert len(claimed(crm)) == 1
        theirs.run("UPDATE crm_accounts_inbox SET claimed_until = '2000-01-01 00:00:00'")
    assert claimed(crm) == []
    assert states(theirs) == [("rejected", "attempts")]


def test_many_claimers_take_every_row_once_and_keep_the_order_of_each_record(crm, theirs, partner_of) -> None:
    rows = ", ".join(f"('A-{number % 6}', 'v{number:02d}')" for number in range(60))
    theirs.run(f"INSERT INTO crm_accounts_inbox (account_no, name) VALUES {rows}")
    partners = [partner_of("staging", theirs, FILE) for _ in range(4)]
    moved: list[tuple[str, str]] = []
    lock = threading.Lock()

    def work(partner) -> None:
        quiet = 0
        while quiet < 200 and len(moved) < 60:
            found = claimed(partner, 3)
            quiet = 0 if found else quiet + 1
            with lock:
                moved.extend(names(found))
            partner.acknowledge("accounts", done=[one.seq for one in found])

    threads = [threading.Thread(target=work, args=(partner,)) for partner in partners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(moved) == 60
    for record in {record for record, _ in moved}:
        mine = [name for found, name in moved if found == record]
        assert mine == sorted(mine)


def test_a_row_that_another_claimer_is_just_taking_is_passed_over_with_those_of_its_record(
    served, partner_of
) -> None:
    crm = partner_of("staging", served, FILE)
    served.run(*statements(crm.backend.layouts, served.dialect, crm.backend.database.quoted))
    put(served, "A-1", "first")
    put(served, "A-1", "second")
    put(served, "B-1", "other")
    engine = create_engine(served.url)
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT seq FROM crm_accounts_inbox WHERE seq = 1 FOR UPDATE")
        assert names(claimed(crm)) == [("B-1", "other")]
        connection.rollback()
    engine.dispose()
    assert names(claimed(crm)) == [("A-1", "first")]


def test_a_document_is_one_row_in_the_outbox_however_often_it_is_written(crm, theirs) -> None:
    values = {"account_no": "A-1", "name": "Example", "credit": Decimal("12.50"), "active": True,
              "seen_at": datetime(2026, 3, 1, 0, 0, tzinfo=UTC), "positions": [{"sku": "S", "quantity": Decimal("1.5")}],
              "state": "CN", "since": date(2026, 3, 31)}  # fmt: skip
    document = Document("d-1", "crm", "A-1", "accounts.upsert", dump(values))
    entity = crm.entity("accounts")
    assert crm.backend.find(document) is False
    assert crm.backend.write(entity, "upsert", values, document).reply == b"written"
    assert crm.backend.write(entity, "upsert", values, document).reply == b"was there already"
    assert crm.backend.find(document) is True
    assert theirs.rows(
        "SELECT message_id, operation, state, account_no, name, state_ FROM crm_accounts_outbox"
    ) == [("d-1", "upsert", "new", "A-1", "Example", "CN")]


def test_what_waits_and_what_was_rejected_is_shown_with_its_age(crm, theirs) -> None:
    put(theirs, "A-1", "waits")
    put(theirs, "B-1", None)
    crm.claim("accounts", limit=1)
    inbox, outbox = crm.backend.standing()
    assert (inbox.new, inbox.claimed, inbox.late, inbox.rejected) == (1, 1, 0, 0)
    assert inbox.lag is not None
    assert 0 <= inbox.lag < 60
    assert (outbox.table, outbox.new, outbox.lag) == ("crm_accounts_outbox", 0, None)
    claimed(crm)
    inbox, _ = crm.backend.standing()
    assert (inbox.rejected, inbox.examples[0].record_id, inbox.examples[0].reason) == (1, "B-1", "values")


def test_without_claiming_the_newest_row_of_each_record_is_read(crm, theirs) -> None:
    put(theirs, "A-1", "old", credit="1.00")
    put(theirs, "A-1", "new", credit="2.00")
    put(theirs, "B-1", "gone", credit="5.00")
    put(theirs, "B-1", None, operation="delete")
    put(theirs, "c", "other", credit="0.10")
    assert [(one.id, one.values["name"]) for one in crm.fetch("accounts").records] == [
        ("A-1", "new"),
        ("c", "other"),
    ]
    changed = crm.fetch(
        "accounts", Query(order="changed", deleted=True, since=datetime(2020, 1, 1, tzinfo=UTC))
    )
    assert [(one.id, one.deleted) for one in changed.records] == [("A-1", False), ("B-1", True), ("c", False)]
    assert list(crm.scan("accounts", ["credit"])) == [[("A-1", Decimal("2.00")), ("c", Decimal("0.10"))]]
    found = crm.totals("accounts", sums={"credit": None})
    assert (found.count, found.sums) == (2, {("credit", ""): Decimal("2.10")})


def test_a_table_or_column_that_is_not_there_is_named(theirs, partner_of) -> None:
    crm = partner_of("staging", theirs, FILE)
    with pytest.raises(SettingsError, match="there is no table crm_accounts_inbox"):
        claimed(crm)
    theirs.run(*statements(crm.backend.layouts, theirs.dialect, crm.backend.database.quoted))
    theirs.run(
        "ALTER TABLE crm_accounts_inbox DROP COLUMN since",
        "ALTER TABLE crm_accounts_outbox DROP COLUMN since",
    )
    put(theirs)
    with pytest.raises(SettingsError, match="since is missing from crm_accounts_inbox"):
        claimed(crm)
    document = Document("d-1", "crm", "A-1", "accounts.upsert", "{}")
    with pytest.raises(Unavailable, match="since is missing from crm_accounts_outbox"):
        crm.backend.write(
            crm.entity("accounts"), "upsert", {"account_no": "A-1", "since": date(2026, 1, 1)}, document
        )
