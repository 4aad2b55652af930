"""Records of an API over real HTTP: every way of paging, changes, deletions, totals, and what goes wrong in between."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bridge.errors import DeliveredUnreadable, HandlerError, SettingsError, Unauthorised, Unavailable
from bridge.partners.entity_partner import EntityPartner
from bridge.partners.partner import Query, Record
from bridge.partners.values import misfits
from bridge.testing.served import CUT, Said
from tests.integration.partners.rest.conftest import BASIC, FIELDS, Making, Shop

DAY = datetime(2026, 3, 1, tzinfo=UTC)


def everything(partner: EntityPartner, query: Query = Query(limit=3)) -> list[Record]:  # noqa: B008 - frozen
    records: list[Record] = []
    after = None
    for _ in range(50):
        page = partner.fetch("accounts", replace(query, after=after))
        records += page.records
        after = page.next
        if after is None:
            return records
    raise AssertionError("it never ends")


def test_values_come_as_records_have_them_and_never_as_floats(shop: Shop, making: Making) -> None:
    shop.put(
        "A",
        {"credit": Decimal("1234567890.10"), "since": "2026-02-25", "lines": [{"sku": "S", "quantity": 2}]},
    )
    (record,) = making().fetch("accounts").records
    assert record.id == "A"
    assert record.values == {
        "no": "A",
        "name": "Name of A",
        "credit": Decimal("1234567890.10"),
        "since": date(2026, 2, 25),
        "updated": DAY,
        "lines": [{"sku": "S", "quantity": Decimal(2)}],
    }
    assert str(record.values["credit"]) == "1234567890.10"
    assert record.changed_at == DAY


@pytest.mark.parametrize(
    "paging",
    [
        'paging = "page"\nat = "page"',
        'paging = "page"\nat = "page"\nmore = "more"',
        'paging = "offset"\nat = "skip"',
        'paging = "token"\nat = "token"\nnext = "next"',
        'paging = "keyset"\nat = "after"',
    ],
)
@pytest.mark.parametrize("count", [0, 1, 3, 7])
def test_every_way_of_paging_gives_every_record_once(
    shop: Shop, making: Making, paging: str, count: int
) -> None:
    shop.fill(count)
    partner = making(BASIC.replace('paging = "page"\nat = "page"', paging) + FIELDS)
    assert [one.id for one in everything(partner)] == [f"A{number:03}" for number in range(count)]


@pytest.mark.parametrize("gone", ['limit = "size"\n', "most = 3\n"])
def test_pages_that_are_smaller_than_was_asked_for_are_not_taken_for_the_last(
    shop: Shop, making: Making, gone: str
) -> None:
    shop.fill(7)
    shop.most = 2
    partner = making(BASIC.replace(gone, "") + FIELDS)
    assert len(everything(partner, Query(limit=500))) == 7


def test_what_was_changed_is_asked_for_with_both_ends(shop: Shop, making: Making) -> None:
    shop.fill(8)
    since, until = DAY + timedelta(seconds=2), DAY + timedelta(seconds=6)
    found = everything(making(), Query(since=since, until=until, order="changed", limit=2))
    assert [one.id for one in found] == ["A002", "A003", "A004", "A005"]


def test_what_a_list_cannot_be_asked_is_filtered_here(shop: Shop, making: Making) -> None:
    shop.fill(7)
    partner = making()
    assert [one.id for one in everything(partner, Query(where={"name": "Name of A004"}))] == ["A004"]
    assert shop.asked[-1].params["name"] == "Name of A004"
    assert [one.id for one in everything(partner, Query(where={"credit": Decimal(5)}))] == ["A005"]
    assert [one.id for one in everything(partner, Query(between=("credit", 2, 4)))] == ["A002", "A003"]


def test_of_several_values_each_is_asked_for_where_it_can_be(shop: Shop, making: Making) -> None:
    shop.fill(7)
    partner = making()
    names = ("Name of A004", "nobody", "Name of A001")
    assert [one.id for one in everything(partner, Query(among=("name", names)))] == ["A004", "A001"]
    assert [one.params["name"] for one in shop.asked] == list(names)
    values = (Decimal(5), Decimal(2))
    assert [one.id for one in everything(partner, Query(among=("credit", values)))] == ["A002", "A005"]


def test_beyond_the_last_offset_a_list_goes_on_from_the_moment_it_has_reached(
    shop: Shop, making: Making
) -> None:
    shop.fill(14)
    partner = making(
        BASIC.replace('paging = "page"\nat = "page"', 'paging = "offset"\nat = "skip"\nlast = 4') + FIELDS
    )
    found = everything(partner, Query(order="changed", limit=3))
    assert list(dict.fromkeys(one.id for one in found)) == [f"A{number:03}" for number in range(14)]
    for row in shop.rows.values():
        row["updated"] = "2026-03-01T00:00:00Z"
    with pytest.raises(SettingsError, match="gives no pages beyond 4"):
        everything(partner, Query(order="changed", limit=3))


def test_a_partner_that_names_the_same_page_again_is_not_followed_for_ever(
    shop: Shop, making: Making
) -> None:
    partner = making(
        BASIC.replace('paging = "page"\nat = "page"', 'paging = "token"\nat = "token"\nnext = "next"')
        + FIELDS
    )
    shop.goes_wrong(Said(200, {"items": [], "next": "t0"}), times=2)
    with pytest.raises(DeliveredUnreadable, match="same page again"):
        everything(partner)


def test_single_records_are_got_by_their_ids_and_what_is_not_there_is_left_out(
    shop: Shop, making: Making
) -> None:
    shop.put("a/b ?#", {})
    page = making().fetch("accounts", Query(ids=("a/b ?#", "nobody")))
    assert [(one.id, one.version) for one in page.records] == [("a/b ?#", '"2026-03-01T00:00:00Z"')]
    assert page.next is None


def test_deletions_come_in_the_stretch_of_time_of_their_page(shop: Shop, making: Making) -> None:
    shop.fill(6)
    shop.gone = [
        ("X4", "2026-03-01T00:00:04Z"),
        ("X1", "2026-03-01T00:00:01Z"),
        ("X9", "2026-03-01T00:00:09Z"),
    ]
    deleted = '[entities.accounts.deleted]\npath = "/gone"\nrecords = "items"\nid = "no"\nmoment = "at"\n'
    partner = making(BASIC + deleted + FIELDS)
    query = Query(since=DAY, order="changed", limit=3, deleted=True)
    first = partner.fetch("accounts", query)
    assert [one.id for one in first.records] == ["A000", "A001", "X1", "A002"]
    found = everything(partner, query)
    assert sorted(one.id for one in found if one.deleted) == ["X1", "X4", "X9"]
    assert [one.changed_at for one in found] == sorted(one.changed_at for one in found if one.changed_at)
    assert [one.id for one in found if not one.deleted] == [f"A{number:03}" for number in range(6)]


def test_totals_are_counted_by_the_partner_where_it_can_and_sums_are_added_here(
    shop: Shop, making: Making
) -> None:
    shop.fill(7)
    partner = making(BASIC + '[entities.accounts.count]\npath = "/count"\ncount = "count"\n' + FIELDS)
    assert partner.totals("accounts").count == 7
    assert len(shop.asked) == 1
    found = partner.totals("accounts", Query(), {"credit": None})
    assert (found.count, found.sums) == (7, {("credit", ""): Decimal(21)})


def test_a_scan_has_every_record_in_the_order_of_code_points(shop: Shop, making: Making) -> None:
    for no in ("b", "B", "é", "a", "10", "9"):
        shop.put(no, {"credit": 1})
    # The shop sorts otherwise than code points do, and does not say that it sorts by id.
    partner = making(
        BASIC.replace('id = { sort = "no" }, ', "").replace('sort = "updated"', 'sort = "updated"') + FIELDS
    )
    rows = [row for batch in partner.scan("accounts", ["credit"]) for row in batch]
    assert rows == [(no, Decimal(1)) for no in sorted(("b", "B", "é", "a", "10", "9"))]
    rows = [row for batch in partner.scan("accounts", ["no"], Query(by="credit")) for row in batch]
    assert [row[0] for row in rows] == ["1"] * 6


def test_an_order_of_ids_that_was_promised_and_not_kept_is_found(shop: Shop, making: Making) -> None:
    shop.goes_wrong(Said(200, {"items": [{"no": "B"}, {"no": "A"}]}))
    with pytest.raises(DeliveredUnreadable, match="'A' comes after 'B'"):
        list(making().scan("accounts", ["credit"]))


def test_a_scan_waits_for_a_partner_that_is_busy(shop: Shop, making: Making) -> None:
    shop.fill(5)
    shop.goes_wrong(Said(429, {}, {"Retry-After": "0"}), when="GET /accounts")
    shop.goes_wrong(Said(503, b"", {"Retry-After": "1"}), when="GET /accounts")
    assert sum(len(batch) for batch in making().scan("accounts", [])) == 5


def test_a_value_of_another_type_is_left_as_it_came_beside_good_records(shop: Shop, making: Making) -> None:
    shop.put("A", {"credit": "much", "since": "yesterday", "updated": "2026-03-01T00:00:00Z"})
    shop.put("B", {"credit": "12.50"})
    partner = making()
    first, second = partner.fetch("accounts").records
    assert first.values["credit"] == "much"
    assert len(misfits(partner.entity("accounts").shape, first.values)) == 2
    assert second.values["credit"] == Decimal("12.50")


@pytest.mark.parametrize(
    ("said", "expected", "words"),
    [
        (
            Said(200, b"<html><title>Login</title></html>", {"Content-Type": "text/html"}),
            Unavailable,
            'titled "Login"',
        ),
        (Said(200, b'{"items": [', {"Content-Type": "application/json"}), DeliveredUnreadable, "no JSON"),
        (Said(200, b'{"items": NaN}'), DeliveredUnreadable, "NaN"),
        (Said(200, b"[" * 5000 + b"]" * 5000), DeliveredUnreadable, "nested deeper"),
        (Said(200, {"items": {}}), DeliveredUnreadable, "no list"),
        (Said(200, {"items": [{"name": "x"}]}), DeliveredUnreadable, "has no no"),
        (Said(302, b"", {"Location": "http://elsewhere/"}), Unavailable, "elsewhere"),
        (Said(404, {}), Unavailable, "at this address"),
        (Said(500, {}), Unavailable, "asking again does nothing twice"),
        (Said(403, {}), Unauthorised, "does not let us in"),
        (CUT, Unavailable, "asking again does nothing twice"),
    ],
)
def test_what_goes_wrong_while_reading_is_told_apart(
    shop: Shop, making: Making, said: Said, expected: type[Exception], words: str
) -> None:
    shop.goes_wrong(said)
    with pytest.raises(expected, match=words):
        making().fetch("accounts")


def test_a_reply_that_is_too_large_is_not_read_on(shop: Shop, making: Making) -> None:
    shop.goes_wrong(Said(200, b"[" + b" " * 3000 + b"]"))
    with pytest.raises(Unavailable, match="larger than 2048 bytes"):
        making(max_reply_bytes=2048).fetch("accounts")


def test_nothing_is_followed_to_another_place_and_the_token_stays_here(shop: Shop, making: Making) -> None:
    shop.goes_wrong(Said(307, b"", {"Location": f"{shop.url}/elsewhere"}))
    with pytest.raises(Unavailable):
        making().fetch("accounts")
    assert len(shop.asked) == 1


@pytest.mark.parametrize(
    ("change", "query", "words"),
    [
        ((', changed = { sort = "updated" }', ""), Query(order="changed"), "order of its changes"),
        (('since = "updated_since"\n', ""), Query(since=DAY), "since a moment"),
        (('[entities.accounts.get]\npath = "/accounts/{no}"\n', ""), Query(ids=("A",)), "by id"),
    ],
)
def test_what_was_not_described_cannot_be_asked(
    making: Making, change: tuple[str, str], query: Query, words: str
) -> None:
    with pytest.raises(HandlerError, match=words):
        making(BASIC.replace(*change) + FIELDS).fetch("accounts", query)


def test_the_client_keeps_to_so_many_calls_in_so_many_seconds(shop: Shop, making: Making) -> None:
    partner = making(
        BASIC.replace("[partner]", "[partner]\nrate = { calls = 2, seconds = 60, patience = 0 }") + FIELDS
    )
    partner.fetch("accounts")
    partner.fetch("accounts")
    with pytest.raises(Unavailable, match="no more calls for now") as caught:
        partner.fetch("accounts")
    assert 0 < (caught.value.retry_after or 0) <= 60
    assert len(shop.asked) == 2


def test_ping_says_what_was_answered(shop: Shop, making: Making) -> None:
    partner: Any = making(BASIC.replace("[partner]", '[partner]\nping = "/count"') + FIELDS)
    assert partner.ping().answer == "HTTP 200"
