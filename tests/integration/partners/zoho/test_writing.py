"""Writes to Zoho CRM over real HTTP: each verb, the result of the record inside the reply, and what becomes of one in doubt."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bridge.delivery.sender import Document
from bridge.errors import (
    DeliveredUnreadable,
    InDoubt,
    PartnerError,
    Refused,
    Unauthorised,
    Unavailable,
    Unpresentable,
)
from bridge.partners.entity_partner import EntityPartner
from bridge.partners.json_text import dump
from bridge.partners.partner import Verb, Written
from bridge.testing.served import CUT, Said
from bridge.testing.zoho import ZohoCrm
from tests.integration.partners.zoho.conftest import Making

ACCOUNT = {
    "no": "A-1",
    "name": "Example Trading",
    "revenue": Decimal("1234567.89"),
    "since": date(2026, 2, 25),
    "updated": datetime(2026, 3, 1, 8, tzinfo=UTC),
    "owner": None,
}


def document(operation: str, values: Any) -> Document:
    return Document("doc-1", "crm", "k", operation, dump(values))


def write(partner: EntityPartner, operation: str, values: dict[str, Any]) -> Written:
    entity, verb = partner.operation(operation)
    return partner.backend.write(entity, verb, values, document(operation, values))


def test_an_upsert_finds_the_record_by_the_field_that_names_it(zoho: ZohoCrm, making: Making) -> None:
    partner = making(accounts='trigger = ["workflow"]')
    written = write(partner, "accounts.upsert", ACCOUNT)
    assert (written.id, written.status) == ("A-1", 200)
    body = zoho.asked[-1].json
    assert body["duplicate_check_fields"] == ["Account_No"]
    assert body["trigger"] == ["workflow"]
    assert "Modified_Time" not in body["data"][0]
    assert body["data"][0]["Owner"] is None, "a lookup is emptied as a whole"
    assert b'"Annual_Revenue":1234567.89' in zoho.asked[-1].body
    write(partner, "accounts.upsert", ACCOUNT | {"name": "New", "owner": "77"})
    assert zoho.asked[-1].json["data"][0]["Owner"] == {"id": "77"}
    ((_, row),) = zoho.modules["Accounts"].rows.items()
    assert (row["Account_Name"], row["Customer_Since"]) == ("New", "2026-02-25")


def test_a_record_that_zoho_names_is_made_changed_and_deleted_by_its_id(
    zoho: ZohoCrm, making: Making
) -> None:
    partner = making()
    id_ = write(partner, "deals.create", {"Deal_Name": "D"}).id
    assert id_ in zoho.modules["Deals"].rows
    assert write(partner, "deals.update", {"id": id_, "Deal_Name": "E"}).id == id_
    assert zoho.asked[-1].json["data"] == [{"Deal_Name": "E"}]
    assert write(partner, "deals.upsert", {"id": id_, "Deal_Name": "F"}).id == id_
    assert zoho.modules["Deals"].rows[str(id_)]["Deal_Name"] == "F"
    for _ in range(2):
        assert write(partner, "deals.delete", {"id": id_}).id == id_
    assert not zoho.modules["Deals"].rows


def test_a_record_that_a_field_of_its_own_names_is_addressed_by_that(zoho: ZohoCrm, making: Making) -> None:
    zoho.put("Accounts", {"Account_No": "A/1", "Account_Name": "Old"})
    partner = making()
    write(partner, "accounts.update", {"no": "A/1", "name": "New"})
    assert zoho.asked[-1].headers["x-external"] == "Accounts.Account_No"
    assert [row["Account_Name"] for row in zoho.modules["Accounts"].rows.values()] == ["New"]
    write(partner, "accounts.delete", {"no": "A/1"})
    assert not zoho.modules["Accounts"].rows


@pytest.mark.parametrize(
    ("operation", "values", "name"),
    [
        ("accounts.create", {"no": "A-9"}, "MANDATORY_NOT_FOUND"),
        ("accounts.create", {"no": "A-1", "name": "Again"}, "DUPLICATE_DATA"),
        ("deals.update", {"id": "404", "Deal_Name": "x"}, "NotFound"),
        ("deals.update", {"id": "{blueprint}", "Deal_Name": "x"}, "RECORD_IN_BLUEPRINT"),
    ],
)
def test_what_zoho_does_not_take_is_refused_by_the_name_of_its_code(
    zoho: ZohoCrm, making: Making, operation: str, values: dict[str, Any], name: str
) -> None:
    zoho.put("Accounts", {"Account_No": "A-1", "Account_Name": "Old"})
    deal = zoho.put("Deals", {"Deal_Name": "D"})
    zoho.modules["Deals"].in_blueprint.add(deal)
    values = {key: deal if value == "{blueprint}" else value for key, value in values.items()}
    with pytest.raises(Refused) as caught:
        write(making(), operation, values)
    assert caught.value.name == name
    assert caught.value.status == 400
    assert caught.value.advice


def test_an_error_of_the_record_inside_200_and_207_is_an_error(zoho: ZohoCrm, making: Making) -> None:
    result = {
        "code": "INVALID_DATA",
        "message": "invalid data",
        "status": "error",
        "details": {"api_name": "Account_Name"},
    }
    for status in (200, 201, 207):
        zoho.goes_wrong(Said(status, {"data": [result]}), when="/upsert")
        with pytest.raises(Refused, match=r"INVALID_DATA: invalid data \(Account_Name\)") as caught:
            write(making(), "accounts.upsert", ACCOUNT)
        assert caught.value.status == status
        assert caught.value.reply


def test_of_several_errors_each_is_told(zoho: ZohoCrm, making: Making) -> None:
    errors = [
        {"code": "DUPLICATE_DATA", "message": "duplicate data", "details": {"api_name": one}}
        for one in ("Email", "Mobile")
    ]
    result = {
        "code": "MULTIPLE_OR_MULTI_ERRORS",
        "message": "several",
        "status": "error",
        "details": {"errors": errors},
    }
    zoho.goes_wrong(Said(400, {"data": [result]}), when="/upsert")
    with pytest.raises(Refused, match=r"duplicate data \(Email\); duplicate data \(Mobile\)"):
        write(making(), "accounts.upsert", ACCOUNT)


def test_what_was_changed_meanwhile_is_not_overwritten(zoho: ZohoCrm, making: Making) -> None:
    id_ = zoho.put("Deals", {"Deal_Name": "D"})
    partner = making(deals='unless_changed_since = "Modified_Time"')
    old = {"id": id_, "Deal_Name": "E", "Modified_Time": zoho.now - timedelta(seconds=1, microseconds=5)}
    with pytest.raises(Refused) as caught:
        write(partner, "deals.update", old)
    assert (caught.value.name, caught.value.status) == ("Conflict", 412)
    write(partner, "deals.update", old | {"Modified_Time": zoho.now})
    assert zoho.modules["Deals"].rows[id_]["Deal_Name"] == "E"


def test_a_locked_record_is_tried_again_later(zoho: ZohoCrm, making: Making) -> None:
    id_ = zoho.put("Deals", {"Deal_Name": "D"})
    zoho.modules["Deals"].locked.add(id_)
    for operation in ("deals.update", "deals.delete"):
        with pytest.raises(Unavailable, match="RECORD_LOCKED") as caught:
            write(making(), operation, {"id": id_, "Deal_Name": "E"})
        assert caught.value.retry_after == 300


@pytest.mark.parametrize(
    ("said", "after", "expected"),
    [
        (CUT, True, InDoubt),
        (CUT, False, InDoubt),
        (
            Said(500, {"code": "INTERNAL_ERROR", "message": "x", "status": "error", "details": {}}),
            True,
            InDoubt,
        ),
        (Said(502, b"<html></html>", {"Content-Type": "text/html"}), True, InDoubt),
        (Said(200, {"data": []}), True, DeliveredUnreadable),
        (Said(200, {"data": [{"details": {}}]}), True, DeliveredUnreadable),
        (Said(200, b"{"), True, DeliveredUnreadable),
        (Said(429, {"code": "LIMIT_EXCEEDED", "message": "x", "status": "error"}), False, Unavailable),
        (
            Said(403, {"code": "NO_PERMISSION", "message": "x", "status": "error", "details": {}}),
            False,
            Unauthorised,
        ),
    ],
)
def test_what_becomes_of_a_write(
    zoho: ZohoCrm, making: Making, said: Said, after: bool, expected: type[PartnerError]
) -> None:
    zoho.goes_wrong(said, when="/upsert", after=after)
    with pytest.raises(PartnerError) as caught:
        write(making(), "accounts.upsert", ACCOUNT)
    assert type(caught.value) is expected


def test_a_write_whose_token_has_ended_is_sent_again_and_done_once(zoho: ZohoCrm, making: Making) -> None:
    partner = making()
    write(partner, "accounts.create", ACCOUNT)
    zoho.end_tokens()
    write(partner, "accounts.create", ACCOUNT | {"no": "A-2"})
    assert len(zoho.modules["Accounts"].rows) == 2
    assert len(zoho.granted) == 2


def test_what_is_in_doubt_is_looked_for(zoho: ZohoCrm, making: Making) -> None:
    partner = making()
    upsert = document("accounts.upsert", ACCOUNT)
    find = partner.backend.find
    assert find(upsert) is False
    zoho.goes_wrong(CUT, when="/upsert", after=True)
    with pytest.raises(InDoubt):
        write(partner, "accounts.upsert", ACCOUNT)
    assert find(upsert) is True
    zoho.put("Accounts", {"id": next(iter(zoho.modules["Accounts"].rows)), "Account_Name": "By hand"})
    assert find(upsert) is None
    assert find(document("accounts.delete", {"no": "A-1"})) is None
    assert find(document("accounts.delete", {"no": "A-2"})) is True
    assert find(document("deals.create", {"Deal_Name": "D"})) is None


def test_what_has_nothing_to_be_written_is_refused_here(zoho: ZohoCrm, making: Making) -> None:
    verb: Verb = "update"
    partner = making()
    values = {"id": "1", "Modified_Time": zoho.now}
    with pytest.raises(Unpresentable, match="nothing of it"):
        partner.backend.write(partner.entity("deals"), verb, values, document("deals.update", values))
    assert zoho.asked == []


def test_the_simulator_takes_a_hundred_records_and_no_more(zoho: ZohoCrm, making: Making) -> None:
    """What Zoho says of its limit; the bridge sends one at a time."""
    from bridge.partners.rest.api import Request

    backend: Any = making().backend
    for count, status in ((100, 207), (101, 400)):
        data = [{"Account_Name": "x", "Account_No": str(number % 99)} for number in range(count)]
        request = Request(method="POST", path="/crm/v8/Accounts", body={"data": data}, reads=False)
        try:
            found = backend._api.ask(request).answer.status_code
        except PartnerError as error:
            found = error.status
        assert found == status
