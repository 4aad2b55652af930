"""Zoho CRM over real HTTP: changes by query and by pages, deletions, totals, tokens, credits."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from bridge.errors import HandlerError, Refused, SettingsError, Unauthorised, Unavailable
from bridge.partners.entity_partner import EntityPartner
from bridge.partners.partner import Query, Record
from bridge.testing.served import CUT, Said
from bridge.testing.zoho import ZohoCrm
from tests.integration.partners.zoho.conftest import Making


def fill(zoho: ZohoCrm, count: int) -> list[str]:
    """Accounts, three of each second."""
    return [
        zoho.put(
            "Accounts",
            {
                "Account_No": f"A-{number}",
                "Account_Name": f"O'Neill & Co {number}",
                "Annual_Revenue": Decimal("10.10"),
                "Currency": ("EUR", "CNY", None)[number % 3],
            },
            at=zoho.now + timedelta(seconds=number // 3),
        )
        for number in range(count)
    ]


def everything(partner: EntityPartner, entity: str, query: Query) -> list[Record]:
    records: list[Record] = []
    after = None
    for _ in range(100):
        page = partner.fetch(entity, replace(query, after=after))
        records += page.records
        after = page.next
        if after is None:
            return records
    raise AssertionError("it never ends")


@pytest.mark.parametrize("limit", [1, 2, 4, 100])
def test_changes_come_in_their_order_each_once_though_many_are_of_one_second(
    zoho: ZohoCrm, making: Making, limit: int
) -> None:
    fill(zoho, 10)
    query = Query(
        since=zoho.now + timedelta(seconds=1),
        until=zoho.now + timedelta(seconds=3),
        order="changed",
        limit=limit,
    )
    found = everything(making(), "accounts", query)
    assert [one.id for one in found] == [f"A-{number}" for number in range(3, 9)]
    assert all("/coql" in one.path or "token" in one.path for one in zoho.asked)


def test_a_record_that_is_changed_while_it_is_read_is_not_lost(zoho: ZohoCrm, making: Making) -> None:
    ids = fill(zoho, 9)
    partner = making()
    query = Query(since=zoho.now, order="changed", limit=3)
    first = partner.fetch("accounts", query)
    zoho.put("Accounts", {"id": ids[0]}, at=zoho.now + timedelta(seconds=9))
    found = [*first.records, *everything_after(partner, query, first.next)]
    assert [one.id for one in found] == [*(f"A-{number}" for number in range(9)), "A-0"]


def everything_after(partner: EntityPartner, query: Query, after: str | None) -> list[Record]:
    records: list[Record] = []
    while after is not None:
        page = partner.fetch("accounts", replace(query, after=after))
        records += page.records
        after = page.next
    return records


def test_pages_that_zoho_cuts_short_are_not_taken_for_the_last(zoho: ZohoCrm, making: Making) -> None:
    fill(zoho, 9)
    partner = making()
    found = partner.fetch("accounts", Query(limit=3))
    data = [{"id": "1", "Account_No": "A", "Modified_Time": "2026-03-01T00:00:00Z"}]
    zoho.goes_wrong(Said(200, {"data": data, "info": {"count": 1, "more_records": True}}), when="/coql")
    assert partner.fetch("accounts", Query(limit=3)).next is not None
    zoho.goes_wrong(Said(200, {"data": data, "info": {"count": 1, "more_records": False}}), when="/coql")
    assert partner.fetch("accounts", Query(limit=1)).next is None
    assert found.next is not None


def test_values_come_as_records_have_them(zoho: ZohoCrm, making: Making) -> None:
    zoho.put(
        "Accounts",
        {"Account_No": "A", "Account_Name": "大连贸易", "Annual_Revenue": Decimal("1234567.89"), "Customer_Since": "2026-02-25", "Owner": {"name": "M", "id": "77"}},
    )  # fmt: skip
    (record,) = making().fetch("accounts").records
    assert record.values == {
        "no": "A",
        "name": "大连贸易",
        "revenue": Decimal("1234567.89"),
        "currency": None,
        "since": date(2026, 2, 25),
        "updated": zoho.now,
        "owner": "77",
    }


def test_pages_with_tokens_give_the_same_as_queries(zoho: ZohoCrm, making: Making) -> None:
    fill(zoho, 450)
    partner = making(accounts='read_by = "pages"')
    found = everything(partner, "accounts", Query(order="changed"))
    assert [one.id for one in found] == [f"A-{number}" for number in range(450)]
    assert [one.params.get("page_token") for one in zoho.asked[1:]] == [None, "page0", "page1"]
    since = Query(since=zoho.now + timedelta(seconds=149), order="changed")
    assert [one.id for one in everything(partner, "accounts", since)] == ["A-447", "A-448", "A-449"]
    nothing = Query(since=zoho.now + timedelta(days=1), order="changed")
    assert everything(partner, "accounts", nothing) == []


def test_a_page_token_that_has_ended_is_refused_and_says_so(zoho: ZohoCrm, making: Making) -> None:
    fill(zoho, 201)
    partner = making(accounts='read_by = "pages"')
    page = partner.fetch("accounts")
    zoho.now += timedelta(hours=25)
    with pytest.raises(Refused, match="EXPIRED_VALUE: page_token expired"):
        partner.fetch("accounts", Query(after=page.next))


def test_records_are_asked_for_by_what_names_them_a_hundred_at_a_time(zoho: ZohoCrm, making: Making) -> None:
    ids = fill(zoho, 130)
    partner = making()
    wanted = tuple(f"A-{number}" for number in range(120))
    assert sorted(
        one.id for one in partner.fetch("accounts", Query(ids=(*wanted, "nobody"))).records
    ) == sorted(wanted)
    assert len(zoho.asked) == 3
    zoho.put("Deals", {"Deal_Name": "D"})
    (deal,) = partner.fetch("deals").records
    assert [one.id for one in partner.fetch("deals", Query(ids=(deal.id, ids[0]))).records] == [deal.id]


def test_a_query_is_narrowed_and_no_text_ends_it(zoho: ZohoCrm, making: Making) -> None:
    fill(zoho, 9)
    partner = making()
    assert [one.id for one in partner.fetch("accounts", Query(where={"name": "O'Neill & Co 4"})).records] == [
        "A-4"
    ]
    assert (
        partner.fetch("accounts", Query(where={"name": "x' or id is not null or Account_Name = 'x"})).records
        == []
    )
    assert len(partner.fetch("accounts", Query(where={"currency": None})).records) == 3
    zoho.put("Accounts", {"Account_No": "B", "Account_Name": "B", "Annual_Revenue": Decimal(5)})
    assert [one.id for one in partner.fetch("accounts", Query(between=("revenue", 1, 9))).records] == ["B"]
    names = ("B", "O'Neill & Co 4", "nobody")
    assert [one.id for one in partner.fetch("accounts", Query(among=("name", names))).records] == ["A-4", "B"]
    with pytest.raises(HandlerError, match="cannot be asked for"):
        partner.fetch("accounts", Query(where={"name": "a\nb"}))


def test_deletions_come_with_changes_where_zoho_names_the_records(zoho: ZohoCrm, making: Making) -> None:
    ids = [
        zoho.put("Deals", {"Deal_Name": f"D{number}"}, at=zoho.now + timedelta(seconds=number))
        for number in range(6)
    ]
    begun = zoho.now
    zoho.now += timedelta(seconds=3)
    zoho.remove("Deals", ids[5])
    partner = making()
    found = everything(partner, "deals", Query(since=begun, order="changed", deleted=True, limit=2))
    assert [(one.id, one.deleted) for one in found] == [
        (ids[0], False), (ids[1], False), (ids[2], False), (ids[3], False), (ids[5], True), (ids[4], False),
    ]  # fmt: skip
    zoho.put("Accounts", {"Account_No": "A", "Account_Name": "A"})
    fetched = partner.fetch("accounts", Query(since=begun, order="changed", deleted=True))
    assert [one.deleted for one in fetched.records] == [False], (
        "a deletion does not tell which of our numbers it was"
    )


def test_a_scan_is_in_the_order_of_code_points(zoho: ZohoCrm, making: Making) -> None:
    fill(zoho, 12)
    rows = [row for batch in making().scan("accounts", ["revenue"]) for row in batch]
    assert [row[0] for row in rows] == sorted(f"A-{number}" for number in range(12))
    rows = [row for batch in making().scan("accounts", [], Query(by="name")) for row in batch]
    assert len(rows) == 12
    assert rows == sorted(rows)


def test_totals_are_zohos_own(zoho: ZohoCrm, making: Making) -> None:
    fill(zoho, 9)
    partner = making()
    assert partner.totals("accounts").count == 9
    assert zoho.asked[-1].path == "/crm/v8/Accounts/actions/count"
    found = partner.totals("accounts", Query(since=zoho.now + timedelta(seconds=1)), {"revenue": "currency"})
    assert found.count == 6
    assert found.sums == {("revenue", one): Decimal("20.20") for one in ("EUR", "CNY", "")}
    assert partner.totals("deals", Query(where={"Deal_Name": "x"}), {}).count == 0
    assert partner.totals("accounts", Query(), {"revenue": None}).sums == {("revenue", ""): Decimal("90.90")}


def test_subforms_which_no_query_gives_are_got_record_by_record(zoho: ZohoCrm, making: Making) -> None:
    zoho.put("Deals", {"Deal_Name": "D", "Items": [{"sku": "S", "quantity": 2}]})
    lines = 'lines = { type = "list", fields = { sku = "text", quantity = "decimal" } }'
    partner = making(deals='names = { lines = "Items" }', fields=lines)
    (record,) = partner.fetch("deals").records
    assert record.values["lines"] == [{"sku": "S", "quantity": Decimal(2)}]
    assert "Items" not in zoho.asked[1].json["select_query"]


def test_a_token_that_ends_in_mid_page_is_replaced_and_shared(zoho: ZohoCrm, making: Making) -> None:
    fill(zoho, 6)
    partner = making()
    first = partner.fetch("accounts", Query(limit=3))
    zoho.now += timedelta(minutes=61)
    second = partner.fetch("accounts", Query(limit=3, after=first.next))
    assert len(first.records) + len(second.records) == 6
    assert len(zoho.granted) == 1
    assert [one.path for one in zoho.asked].count("/oauth/v2/token") == 2


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            Said(
                401,
                {"code": "OAUTH_SCOPE_MISMATCH", "message": "Unauthorized", "status": "error", "details": {}},
            ),
            Unauthorised,
        ),
        (
            Said(
                403,
                {"code": "NO_PERMISSION", "message": "Permission denied", "status": "error", "details": {}},
            ),
            Unauthorised,
        ),
        (
            Said(
                500,
                {
                    "code": "INTERNAL_ERROR",
                    "message": "Internal Server Error",
                    "status": "error",
                    "details": {},
                },
            ),
            Unavailable,
        ),
        (Said(429, {"code": "RATE_LIMIT_EXCEEDED", "message": "Too many", "status": "error"}), Unavailable),
        (
            Said(400, {"code": "INVALID_QUERY", "message": "column", "status": "error", "details": {}}),
            Refused,
        ),
        (CUT, Unavailable),
    ],
)
def test_what_goes_wrong_while_reading(
    zoho: ZohoCrm, making: Making, said: Said, expected: type[Exception]
) -> None:
    zoho.goes_wrong(said, when="/crm/")
    with pytest.raises(expected):
        making().fetch("accounts")
    assert len(zoho.asked) == 2, "neither asked again nor with another token"


def test_credits_that_are_spent_mean_to_come_back_later(zoho: ZohoCrm, making: Making) -> None:
    zoho.credit = 4
    partner = making()
    partner.fetch("accounts", Query(limit=2000))
    partner.fetch("accounts", Query(limit=10))
    with pytest.raises(Unavailable) as caught:
        partner.fetch("accounts")
    assert caught.value.retry_after == 30
    assert caught.value.repeat == "safe"


def test_who_was_told_to_wait_asks_nothing_meanwhile(zoho: ZohoCrm, making: Making) -> None:
    zoho.credit = 0
    partner = making(more="rate = { patience = 0, calls = 9 }")
    for words in ("429 Too Many Requests", "Nothing was sent"):
        with pytest.raises(Unavailable, match=words):
            partner.fetch("accounts")
    assert len(zoho.asked) == 2


def test_credentials_that_zoho_refuses_inside_http_200_are_unauthorised(
    zoho: ZohoCrm, making: Making
) -> None:
    with pytest.raises(Unauthorised, match="invalid_code"):
        making(refresh_token="revoked").fetch("accounts")


def test_ping_needs_no_scope_of_its_own(zoho: ZohoCrm, making: Making) -> None:
    assert making().ping().answer == "HTTP 200"
    assert zoho.asked[-1].path == "/crm/v8/Accounts/actions/count"


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ({"more": 'data_centre = "us"'}, "must be one of com, eu"),
        ({"more": "pages = 3"}, "partner.pages is not known"),
        ({"accounts": 'read_by = "file"'}, "must be one of query, pages"),
        ({"accounts": 'check_by = ["nr"]'}, "nr is no field of it"),
        ({"accounts": "trigger = 1"}, "trigger must be a list"),
        ({"more": '[partner.notifications]\nevents = ["moved"]'}, "there are create, edit, delete, all"),
    ],
)
def test_mistakes_in_the_file_are_told_with_their_line(
    making: Making, where: dict[str, str], words: str
) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        making(**where)
    assert all("crm0.toml:" in mistake for mistake in caught.value.mistakes)


def test_without_credentials_nothing_is_made(making: Making) -> None:
    with pytest.raises(SettingsError, match="refresh_token must be given"):
        making(refresh_token="")
