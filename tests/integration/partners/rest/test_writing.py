"""Writes to an API over real HTTP: each verb, what became of it, and what is found out about one in doubt."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from bridge.errors import (
    DeliveredUnreadable,
    InDoubt,
    NotSent,
    PartnerError,
    Refused,
    SettingsError,
    Unauthorised,
    Unavailable,
    Unpresentable,
)
from bridge.partners.entity_partner import EntityPartner
from bridge.partners.partner import Verb, Written
from bridge.testing.served import CUT, Said
from tests.integration.partners.rest.conftest import BASIC, FIELDS, Making, Shop, body_of, document

ACCOUNT = {
    "no": "A-1",
    "name": "Beispiel & Söhne",
    "credit": Decimal("12345678901234567.89"),
    "since": date(2026, 2, 25),
    "updated": datetime(2026, 3, 1, 8, tzinfo=UTC),
    "lines": [{"sku": "S", "quantity": Decimal("1.500")}],
}


def write(partner: EntityPartner, verb: Verb, values: dict[str, Any]) -> Written:
    return partner.backend.write(
        partner.entity("accounts"), verb, values, document(f"accounts.{verb}", values)
    )


def test_a_record_is_made_as_the_api_wants_it_with_every_digit(shop: Shop, making: Making) -> None:
    written = write(making(), "create", ACCOUNT)
    assert (written.id, written.status) == ("A-1", 201)
    assert b'"credit":12345678901234567.89,' in shop.asked[0].body
    assert body_of(shop.asked[0])["info"] == {"name": "Beispiel & Söhne"}
    assert shop.rows["A-1"]["since"] == "2026-02-25"
    assert shop.rows["A-1"]["updated"] == "2026-03-01T08:00:00+00:00"
    assert shop.ids == ["doc-1"]
    assert written.request.startswith(b"POST /accounts\n\n{")
    assert making().fetch("accounts").records[0].values == ACCOUNT


def test_changing_sends_what_is_given_and_leaves_out_what_the_path_says(shop: Shop, making: Making) -> None:
    shop.put("A-1", {"credit": 5})
    write(making(), "update", {"no": "A-1", "name": None})
    assert (shop.asked[0].method, shop.asked[0].path) == ("PATCH", "/accounts/A-1")
    assert body_of(shop.asked[0]) == {"info": {"name": None}}


def test_upsert_without_a_call_of_its_own_changes_what_is_there_and_makes_what_is_not(
    shop: Shop, making: Making
) -> None:
    partner = making()
    write(partner, "upsert", {"no": "A-1", "name": "One"})
    write(partner, "upsert", {"no": "A-1", "name": "Two"})
    assert [one.method for one in shop.asked] == ["PATCH", "POST", "PATCH"]
    assert shop.rows["A-1"]["info"] == {"name": "Two"}


def test_deleting_what_is_not_there_is_done(shop: Shop, making: Making) -> None:
    shop.put("A-1", {})
    partner = making()
    assert write(partner, "delete", {"no": "A-1"}).status == 204
    assert write(partner, "delete", {"no": "A-1"}).status == 404
    assert shop.asked[0].body == b""


def test_a_list_or_an_object_around_the_record_is_written_where_it_belongs(
    shop: Shop, making: Making
) -> None:
    shop.goes_wrong(Said(200, {"data": [{"id": 77}]}))
    file = BASIC.replace(
        'id = "no"\n[entities.accounts.update]',
        'body = "data"\nin_list = true\nid = "data/0/id"\n[entities.accounts.update]',
    )
    assert write(making(file + FIELDS), "create", {"no": "A"}).id == "77"
    assert body_of(shop.asked[0]) == {"data": [{"no": "A"}]}


def test_what_was_changed_meanwhile_is_not_overwritten(shop: Shop, making: Making) -> None:
    shop.put("A-1", {}, "2026-03-01T00:00:05Z")
    file = BASIC.replace(
        'leave_out = ["no"]',
        'leave_out = ["no", "tag", "updated"]\nif_match = "tag"\nif_unmodified_since = "updated"',
    )
    partner = making(file + FIELDS + 'tag = "text"\n')
    old = {"no": "A-1", "name": "New", "tag": '"old"', "updated": datetime(2026, 3, 1, tzinfo=UTC)}
    with pytest.raises(Refused, match="changed there meanwhile") as caught:
        write(partner, "update", old)
    assert (caught.value.name, caught.value.status) == ("Conflict", 412)
    assert shop.asked[0].headers["if-unmodified-since"] == "Sun, 01 Mar 2026 00:00:00 GMT"
    write(partner, "update", old | {"tag": '"2026-03-01T00:00:05Z"'})
    assert shop.rows["A-1"]["info"] == {"name": "New"}


@pytest.mark.parametrize(
    ("said", "after", "expected"),
    [
        (CUT, False, InDoubt),
        (CUT, True, InDoubt),
        (Said(500, {}), True, InDoubt),
        (Said(502, b"<html></html>", {"Content-Type": "text/html"}), False, InDoubt),
        (Said(200, b"<html></html>", {"Content-Type": "text/html"}), False, InDoubt),
        (Said(200, b"{"), True, DeliveredUnreadable),
        (Said(503, {}, {"Retry-After": "7"}), False, Unavailable),
        (Said(429, {}), False, Unavailable),
        (Said(301, b"", {"Location": "/"}), False, Unavailable),
        (Said(405, {}), False, Unavailable),
        (Said(401, {}), False, Unauthorised),
        (Said(400, {"error": "no"}), False, Refused),
        (Said(422, {}), False, Refused),
        (Said(409, {}), False, Refused),
        (Said(200, {}, wait=1.0), True, InDoubt),
    ],
)
def test_what_becomes_of_a_write(
    shop: Shop, making: Making, said: Said, after: bool, expected: type[PartnerError]
) -> None:
    shop.goes_wrong(said, after=after)
    with pytest.raises(PartnerError) as caught:
        write(making(deadline=0.5), "create", ACCOUNT)
    assert type(caught.value) is expected
    if said.headers.get("Retry-After"):
        assert isinstance(caught.value, Unavailable)
        assert caught.value.retry_after == 7


def test_nobody_who_listens_means_that_nothing_was_sent(shop: Shop, making: Making) -> None:
    with pytest.raises(NotSent, match="Nobody listens"):
        write(making(endpoint="http://127.0.0.1:9"), "create", ACCOUNT)


ERRORS = """
[partner.errors]
at = "errorCode"
message = "errorMessage"
good = ["0"]
other = "refused"
[partner.errors.codes]
"20016" = "token"
"30002" = { meaning = "unavailable", after = 20 }
"40001" = "conflict"
"40004" = "not_found"
"50000" = "in_doubt"
"60000" = "unauthorised"
"""


@pytest.mark.parametrize(
    ("code", "expected", "name"),
    [
        (30002, Unavailable, ""),
        (40001, Refused, "Conflict"),
        (40004, Refused, "NotFound"),
        (50000, InDoubt, ""),
        (60000, Unauthorised, ""),
        (20016, Unauthorised, ""),
        (99999, Refused, ""),
    ],
)
def test_errors_inside_http_200_are_what_the_file_says(
    shop: Shop, making: Making, code: int, expected: type[PartnerError], name: str
) -> None:
    shop.goes_wrong(Said(200, {"errorCode": code, "errorMessage": "so it is"}), times=2)
    with pytest.raises(expected, match=f"{code}: so it is") as caught:
        write(making(BASIC + ERRORS + FIELDS), "create", ACCOUNT)
    assert getattr(caught.value, "name", "") == name
    assert caught.value.status == 200
    if code == 30002:
        assert getattr(caught.value, "retry_after", None) == 20


def test_a_good_code_is_good_and_a_code_in_another_status_says_what_it_means(
    shop: Shop, making: Making
) -> None:
    partner = making(BASIC + ERRORS + FIELDS)
    shop.goes_wrong(Said(200, {"errorCode": 0, "no": "A-1"}))
    assert write(partner, "create", ACCOUNT).id == "A-1"
    shop.goes_wrong(Said(500, {"errorCode": 40001}))
    with pytest.raises(Refused):
        write(partner, "create", ACCOUNT)
    shop.goes_wrong(Said(500, {"errorCode": 1}))
    with pytest.raises(InDoubt):
        write(partner, "create", ACCOUNT)


def test_what_is_in_doubt_is_found_by_its_id(shop: Shop, making: Making) -> None:
    find = making().backend.find
    created, deleted = document("accounts.create", ACCOUNT), document("accounts.delete", {"no": "A-1"})
    assert making().backend.can_find
    assert find(created) is False
    assert find(document("accounts.update", ACCOUNT)) is None
    assert find(deleted) is True
    write(making(), "create", ACCOUNT)
    assert find(created) is True
    assert find(deleted) is None
    shop.rows["A-1"]["credit"] = 1
    assert find(created) is None, "somebody has changed it since, or it was never ours"


def test_an_id_that_would_name_another_path_is_refused(shop: Shop, making: Making) -> None:
    for wrong in ("", ".."):
        with pytest.raises(Unpresentable, match="no place for no"):
            write(making(), "delete", {"no": wrong})
    write(making(), "delete", {"no": "../admin"})
    assert shop.asked[-1].path == "/accounts/../admin"
    assert len(shop.asked) == 1


@pytest.mark.parametrize(
    ("auth", "settings", "where"),
    [
        ('auth = "basic"', {"username": "u", "password": "p"}, ("authorization", "Basic dTpw")),
        ('auth = "bearer"', {"token": "t"}, ("authorization", "Bearer t")),
        ('auth = "header"\ntoken_name = "X-Api-Key"', {"token": "t"}, ("x-api-key", "t")),
        (
            'auth = "header"\ntoken_name = "Authorization"\ntoken_prefix = "Token"',
            {"token": "t"},
            ("authorization", "Token t"),
        ),
        ('headers = { X-Tenant = "7" }', {}, ("x-tenant", "7")),
    ],
)
def test_the_partner_is_told_who_we_are(
    shop: Shop, making: Making, auth: str, settings: dict[str, str], where: tuple[str, str]
) -> None:
    partner = making(BASIC.replace("[partner]", f"[partner]\n{auth}") + FIELDS, **settings)
    partner.fetch("accounts")
    assert shop.asked[0].headers[where[0]] == where[1]
    if settings:
        with pytest.raises(SettingsError, match="must be given"):
            making(BASIC.replace("[partner]", f"[partner]\n{auth}") + FIELDS)


def test_a_token_in_the_query_is_not_journaled(shop: Shop, making: Making) -> None:
    auth = 'auth = "query"\ntoken_name = "api_key"'
    partner = making(BASIC.replace("[partner]", f"[partner]\n{auth}") + FIELDS, token="secret-1")
    written = write(partner, "create", {"no": "A"})
    assert shop.asked[0].params == {"api_key": "secret-1"}
    assert b"secret-1" not in written.request


def test_all_that_one_delivery_takes_is_within_its_deadline(shop: Shop, making: Making) -> None:
    """An upsert of two requests, of which the first takes nearly all the time."""
    partner = making(deadline=1.0)
    shop.goes_wrong(Said(404, {}, wait=1.2), when="PATCH")
    values = {"no": "A-1", "name": "One"}
    delivery = partner.deliver(document("accounts.upsert", values), exchange_id="x-1")
    assert delivery.outcome == "InDoubt"
    shop.goes_wrong(Said(404, {}, wait=0.7), when="PATCH")
    shop.goes_wrong(Said(201, {}, wait=0.7), when="POST")
    assert partner.deliver(document("accounts.upsert", values), exchange_id="x-2").outcome == "InDoubt"
    assert [one.method for one in shop.asked] == ["PATCH", "PATCH", "POST"]
