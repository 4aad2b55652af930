"""Records of a Fxiaoke over real HTTP: pages by change and by id, whatever is changed meanwhile; values; counts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from bridge.errors import DeliveredUnreadable, HandlerError
from bridge.partners.entity_partner import EntityPartner
from bridge.partners.fxiaoke import reading
from bridge.partners.fxiaoke.reading import Place
from bridge.partners.partner import Query
from bridge.testing.fxiaoke import Fxiaoke
from bridge.testing.served import Said
from tests.integration.partners.fxiaoke.conftest import FILE, Making, company

SECOND = timedelta(seconds=1)


def fill(crm: Fxiaoke, count: int, *, apart: timedelta = SECOND) -> list[str]:
    made = []
    for number in range(count):
        made.append(
            crm.put(
                "AccountObj",
                name=f"Customer {number}",
                account_no__c=f"A{number:04}",
                credit__c=f"{number}.50",
            )
        )
        crm.wait(apart)
    return made


def all_pages(partner: EntityPartner, entity: str, query: Query) -> list[str]:
    found = []
    while True:
        page = partner.fetch(entity, query)
        found += [one.id for one in page.records]
        if page.next is None:
            return found
        query = Query(
            since=query.since, until=query.until, order=query.order, limit=query.limit, after=page.next
        )


def test_values_come_as_they_are_meant(crm: Fxiaoke, partner: EntityPartner) -> None:
    crm.put(
        "AccountObj",
        name="示例贸易有限公司",
        account_no__c="A1",
        credit__c="1200.50",
        since__c=1_772_380_800_000,  # midnight of 2 March 2026 in China
        visited__c=1_772_413_261_007,
        key__c=True,
        buyer__c=["1002"],
    )
    (record,) = partner.fetch("accounts").records
    assert record.values == {
        "no": "A1",
        "name": "示例贸易有限公司",
        "credit": Decimal("1200.50"),
        "since": date(2026, 3, 2),
        "visited": datetime(2026, 3, 2, 1, 1, 1, 7000, tzinfo=UTC),
        "key_account": True,
        "owner": "1001",
        "buyer": "1002",
        "changed": crm.now,
    }
    assert (record.id, record.version, record.changed_at) == ("A1", "1", crm.now)


def test_pages_in_the_order_of_changes_have_each_record(crm: Fxiaoke, partner: EntityPartner) -> None:
    fill(crm, 12)
    assert all_pages(partner, "accounts", Query(order="changed", limit=5)) == [
        f"A{number:04}" for number in range(12)
    ]


def test_a_record_that_is_changed_between_pages_hides_no_other(crm: Fxiaoke, partner: EntityPartner) -> None:
    ids = fill(crm, 9)
    query = Query(order="changed", limit=4)
    page = partner.fetch("accounts", query)
    crm.change("AccountObj", ids[0], name="changed while it was read")
    found = [one.id for one in page.records]
    found += all_pages(partner, "accounts", Query(order="changed", limit=4, after=page.next))
    assert set(found) == {f"A{number:04}" for number in range(9)}
    assert found[-1] == "A0000", "what was changed comes again at its new place"


def test_more_records_of_one_moment_than_a_page_has_are_all_read(
    crm: Fxiaoke, partner: EntityPartner
) -> None:
    fill(crm, 2)
    fill(crm, 250, apart=timedelta())
    crm.wait(SECOND)
    last = crm.put("AccountObj", name="The last", account_no__c="Z")
    found = all_pages(partner, "leads", Query(order="changed"))
    assert len(found) == 253
    assert set(found) == set(crm.rows("AccountObj"))
    assert found[-1] == last
    assert max(len(one.json["data"]["search_query_info"]["filters"]) for one in crm.asked[1:]) <= 2


def test_since_is_included_and_until_is_not(crm: Fxiaoke, partner: EntityPartner) -> None:
    began = crm.now
    fill(crm, 5)
    window = Query(since=began + SECOND, until=began + 3 * SECOND, order="changed")
    assert all_pages(partner, "accounts", window) == ["A0001", "A0002"]
    later = Query(
        since=began + SECOND + timedelta(microseconds=1), until=began + 3 * SECOND + timedelta(microseconds=1)
    )
    assert all_pages(partner, "accounts", later) == ["A0001", "A0002", "A0003"]


def test_a_change_that_shows_late_is_found_by_reading_a_while_back(making: Making) -> None:
    with company(Fxiaoke(lag=timedelta(seconds=30))) as crm:
        partner = making(crm)
        fill(crm, 3, apart=timedelta(seconds=20))
        seen = partner.fetch("accounts", Query(order="changed"))
        mark = seen.records[-1].changed_at
        assert mark is not None
        crm.wait(timedelta(minutes=1))
        again = partner.fetch("accounts", Query(since=mark - timedelta(seconds=60), order="changed"))
        states = {(one.id, one.version) for one in seen.records}
        assert {one.id for one in again.records if (one.id, one.version) not in states} == {"A0002"}


def test_pages_go_on_where_no_offset_leads(crm: Fxiaoke, partner: EntityPartner) -> None:
    for number in range(10_150):
        crm.put("AccountObj", name="x", account_no__c=f"A{number:05}")
    after = Query(limit=100, after=Place(after=f"{10_000:024x}").text)
    page = partner.fetch("accounts", after)
    assert [page.records[0].id, page.records[-1].id] == ["A10000", "A10099"]
    rest = partner.fetch("accounts", Query(limit=100, after=page.next))
    assert (len(rest.records), rest.next) == (50, None)
    assert {one.json["data"]["search_query_info"]["offset"] for one in crm.asked[1:]} == {0}


def test_conditions_are_asked_and_checked(crm: Fxiaoke, partner: EntityPartner) -> None:
    fill(crm, 4)
    crm.put("AccountObj", name="Key", account_no__c="K", credit__c="9.00", key__c=True)
    crm.put("AccountObj", name="Key", account_no__c="L", credit__c="10.00", key__c=False)
    found = partner.fetch("accounts", Query(where={"name": "Key", "key_account": True}))
    assert [one.id for one in found.records] == ["K"]
    found = partner.fetch("accounts", Query(between=("credit", Decimal("2.50"), Decimal("10"))))
    assert [one.id for one in found.records] == ["A0002", "A0003", "K"]
    assert len(crm.asked[-1].json["data"]["search_query_info"]["filters"]) == 2
    found = partner.fetch("accounts", Query(among=("name", ("Key", "nobody"))))
    assert [one.id for one in found.records] == ["K", "L"]
    assert len(crm.asked[-1].json["data"]["search_query_info"]["filters"]) == 1


def test_single_ones_come_by_id_however_many(crm: Fxiaoke, partner: EntityPartner) -> None:
    fill(crm, 130, apart=timedelta())
    wanted = tuple(f"A{number:04}" for number in range(0, 130, 1))
    found = partner.fetch("accounts", Query(ids=(*wanted, "nobody")))
    assert sorted(one.id for one in found.records) == sorted(wanted)
    assert crm.paths() == ["query", "query", "query"]


def test_what_was_made_invalid_is_told_only_where_the_file_asks_for_it(crm: Fxiaoke, making: Making) -> None:
    ids = fill(crm, 2)
    crm.change("AccountObj", ids[0], is_deleted=True, life_status="invalid")
    everything = FILE.replace(
        'object = "AccountObj"\nid = "no"',
        'object = "AccountObj"\nfilters = [{ field = "is_deleted", operator = "IN", values = ["True", "False"] }]\nid = "no"',
    )
    partner = making(crm, everything)
    told = partner.fetch("accounts", Query(deleted=True)).records
    assert {(one.id, one.deleted) for one in told} == {("A0000", True), ("A0001", False)}
    assert [one.id for one in partner.fetch("accounts").records] == ["A0001"]
    assert [one.id for one in making(crm).fetch("accounts", Query(deleted=True)).records] == ["A0001"]


def test_bulk_reading_is_in_the_order_of_ids_and_asks_for_what_is_needed(
    crm: Fxiaoke, partner: EntityPartner
) -> None:
    for number in (3, 1, 2):
        crm.put("AccountObj", name=f"N{number}", account_no__c=f"A{number}", credit__c="1")
    rows = [row for batch in partner.scan("accounts", ["name"]) for row in batch]
    assert rows == [("A1", "N1"), ("A2", "N2"), ("A3", "N3")]
    by_name = [row for batch in partner.scan("accounts", [], Query(by="name")) for row in batch]
    assert by_name == [("N1",), ("N2",), ("N3",)]
    assert "credit__c" not in crm.asked[-1].json["data"]["search_query_info"]["fieldProjection"]


def test_counts_and_sums(crm: Fxiaoke, partner: EntityPartner) -> None:
    began = crm.now
    fill(crm, 130)
    assert partner.totals("accounts").count == 130
    assert crm.paths() == ["query"]
    assert partner.totals("accounts", Query(since=began + SECOND, until=began + 3 * SECOND)).count == 2
    totals = partner.totals("accounts", sums={"credit": None})
    assert totals.sums == {("credit", ""): sum(Decimal(f"{number}.50") for number in range(130))}


def test_its_own_count_is_not_believed_where_it_may_be_capped(
    crm: Fxiaoke, partner: EntityPartner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BELIEVED", 100)
    fill(crm, 130, apart=timedelta())
    assert partner.totals("accounts").count == 130
    assert len(crm.paths()) == 3


def test_a_record_without_a_name_of_ours_is_told_of(crm: Fxiaoke, partner: EntityPartner) -> None:
    id_ = crm.put("AccountObj", name="Nobody has given it a number")
    with pytest.raises(DeliveredUnreadable, match=f"{id_}.*has no no"):
        partner.fetch("accounts")
    assert [one.id for one in partner.fetch("leads").records] == [id_]


def test_records_without_a_name_of_ours_are_left_out_by_a_filter(crm: Fxiaoke, making: Making) -> None:
    crm.put("AccountObj", name="Nobody has given it a number")
    crm.put("AccountObj", name="x", account_no__c="A1")
    numbered = 'filters = [{ field = "account_no__c", operator = "ISN", values = [] }]'
    partner = making(crm, FILE.replace('id = "no"', f'{numbered}\nid = "no"', 1))
    assert [one.id for one in partner.fetch("accounts").records] == ["A1"]


def test_a_value_that_is_no_amount_comes_as_it_is(crm: Fxiaoke, partner: EntityPartner) -> None:
    crm.put("AccountObj", name="x", account_no__c="A", credit__c="n/a", buyer__c=["1001", "1002"])
    (record,) = partner.fetch("accounts").records
    assert (record.values["credit"], record.values["buyer"]) == ("n/a", ["1001", "1002"])


def test_a_cursor_of_somebody_else_is_refused(partner: EntityPartner) -> None:
    for text in ("7", "[]", '{"page": 3}', '{"since": "x"}', "null"):
        with pytest.raises(HandlerError, match="is no cursor"):
            partner.fetch("accounts", Query(after=text))


def test_records_in_another_order_than_was_asked_for_are_noticed(
    crm: Fxiaoke, partner: EntityPartner
) -> None:
    fill(crm, 2)
    rows = [{"_id": id_, **row} for id_, row in reversed(crm.rows("AccountObj").items())]
    crm.goes_wrong(Said(200, {"errorCode": 0, "data": {"dataList": rows}}), when="/query")
    with pytest.raises(DeliveredUnreadable, match="came in another"):
        partner.fetch("accounts", Query(order="changed"))


def test_a_record_without_the_moment_of_its_change_is_noticed(crm: Fxiaoke, partner: EntityPartner) -> None:
    rows = [{"_id": "1", "account_no__c": "A1"}]
    crm.goes_wrong(Said(200, {"errorCode": 0, "data": {"dataList": rows}}), when="/query")
    with pytest.raises(DeliveredUnreadable, match="no moment at last_modified_time"):
        partner.fetch("accounts", Query(order="changed"))
