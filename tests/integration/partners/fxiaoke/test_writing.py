"""Writes to a Fxiaoke over real HTTP: values in its forms, records found before they are changed, deletes in two steps, what is in doubt."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from bridge.errors import DeliveredUnreadable, InDoubt, Refused, Unavailable
from bridge.partners.entity_partner import EntityPartner
from bridge.partners.partner import Verb, Written
from bridge.testing.fxiaoke import Fxiaoke
from bridge.testing.served import CUT, Said
from tests.integration.partners.fxiaoke.conftest import FILE, Making, document

CUSTOMER = {
    "no": "A1",
    "name": "示例贸易有限公司",
    "credit": Decimal("1200.50"),
    "since": date(2026, 3, 2),
    "visited": datetime(2026, 3, 2, 1, 1, 1, 7000, tzinfo=UTC),
    "key_account": True,
    "owner": "1000",
    "buyer": "1002",
}


def write(partner: EntityPartner, operation: str, values: Any) -> Written:
    entity, verb = partner.operation(operation)
    return partner.backend.write(entity, verb, values, document(operation, values))


def only(crm: Fxiaoke, name: str = "AccountObj") -> dict[str, Any]:
    (row,) = crm.rows(name).values()
    return row


def test_a_record_is_made_in_the_forms_of_fxiaoke_and_sets_nothing_going(
    crm: Fxiaoke, partner: EntityPartner
) -> None:
    written = write(partner, "accounts.create", CUSTOMER | {"changed": datetime(2026, 1, 1, tzinfo=UTC)})
    row = only(crm)
    assert (written.id, row["credit__c"], row["since__c"], row["visited__c"]) == (
        "A1", "1200.50", 1_772_380_800_000, 1_772_413_261_007,
    )  # fmt: skip
    assert (row["owner"], row["buyer__c"], row["key__c"], row["life_status"]) == (
        ["1000"],
        ["1002"],
        True,
        "normal",
    )
    assert (crm.approvals, crm.workflows) == (0, 0)
    assert b"an app secret" not in written.request + written.reply
    (back,) = partner.fetch("accounts").records
    assert back.values == {**CUSTOMER, "changed": crm.now}


def test_approvals_and_workflows_are_set_going_where_the_file_says_so(crm: Fxiaoke, making: Making) -> None:
    partner = making(crm, FILE.replace('user = "1000"', 'user = "1000"\napprovals = true\nworkflows = true'))
    write(partner, "accounts.create", {"no": "A1", "name": "x"})
    assert (crm.approvals, crm.workflows, only(crm)["life_status"]) == (1, 1, "under_review")


def test_upsert_makes_what_is_not_there_and_changes_what_is(crm: Fxiaoke, partner: EntityPartner) -> None:
    write(partner, "accounts.upsert", {"no": "A1", "name": "Old"})
    id_ = only(crm)["_id"]
    write(partner, "accounts.upsert", {"no": "A1", "name": "New", "credit": Decimal(7)})
    row = only(crm)
    assert (row["_id"], row["name"], row["credit__c"], row["version"]) == (id_, "New", "7", "2")
    assert crm.paths() == ["query", "create", "query", "update"]


def test_several_records_of_one_number_are_left_alone(crm: Fxiaoke, partner: EntityPartner) -> None:
    for _ in range(2):
        crm.put("AccountObj", name="Twice", account_no__c="A1")
    for operation in ("accounts.upsert", "accounts.update", "accounts.delete"):
        with pytest.raises(Refused, match="2 records of AccountObj") as caught:
            write(partner, operation, {"no": "A1", "name": "x"})
        assert caught.value.name == "Duplicate"
    assert set(crm.paths()) == {"query"}


def test_a_change_of_what_is_not_there_is_refused(crm: Fxiaoke, partner: EntityPartner) -> None:
    for operation, values in (
        ("accounts.update", {"no": "A9"}),
        ("leads.upsert", {"_id": "f" * 24, "name": "x"}),
    ):
        with pytest.raises(Refused) as caught:
            write(partner, operation, values)
        assert caught.value.name == "NotFound"


def test_the_owner_is_changed_by_its_own_call_and_only_when_it_is_another(
    crm: Fxiaoke, partner: EntityPartner
) -> None:
    crm.put("AccountObj", name="x", account_no__c="A1", owner=["1001"])
    write(partner, "accounts.update", {"no": "A1", "name": "y", "owner": "1001"})
    assert crm.paths() == ["query", "update"]
    written = write(partner, "accounts.update", {"no": "A1", "name": "z", "owner": "1002"})
    assert crm.paths()[2:] == ["query", "changeOwner", "update"]
    assert (only(crm)["owner"], only(crm)["name"]) == (["1002"], "z")
    assert b"changeOwner" in written.request
    assert b'"name":"z"' in written.request


def test_a_refusal_after_the_owner_was_changed_says_so(crm: Fxiaoke, partner: EntityPartner) -> None:
    crm.put("AccountObj", name="x", account_no__c="A1", lock_status="1")
    with pytest.raises(Refused, match=r"the record is locked.*Its owner was changed before that"):
        write(partner, "accounts.update", {"no": "A1", "name": "y", "owner": "1002"})


def test_a_delete_is_invalid_and_then_delete(crm: Fxiaoke, partner: EntityPartner) -> None:
    crm.put("AccountObj", name="x", account_no__c="A1")
    write(partner, "accounts.delete", {"no": "A1"})
    assert crm.paths() == ["query", "invalid", "delete"]
    assert crm.rows("AccountObj") == {}
    assert write(partner, "accounts.delete", {"no": "A1"}).id == "A1", "what is not there is deleted"


def test_a_delete_that_stopped_half_way_is_ended_by_the_next_try(
    crm: Fxiaoke, partner: EntityPartner
) -> None:
    crm.put("AccountObj", name="x", account_no__c="A1")
    crm.goes_wrong(Said(200, {"errorCode": -1, "errorMessage": "busy"}), when="/delete")
    with pytest.raises(InDoubt):
        write(partner, "accounts.delete", {"no": "A1"})
    assert only(crm)["life_status"] == "invalid"
    gone = document("accounts.delete", {"no": "A1"})
    assert partner.backend.find(gone) is False
    write(partner, "accounts.delete", {"no": "A1"})
    assert crm.rows("AccountObj") == {}
    assert partner.backend.find(gone) is True


def test_a_delete_may_end_with_invalid(crm: Fxiaoke, making: Making) -> None:
    partner = making(crm, FILE.replace('id = "no"', 'delete = "invalid"\nid = "no"'))
    crm.put("AccountObj", name="x", account_no__c="A1")
    for _ in range(2):
        write(partner, "accounts.delete", {"no": "A1"})
    assert only(crm)["life_status"] == "invalid"
    assert partner.backend.find(document("accounts.delete", {"no": "A1"})) is True


def test_a_company_s_own_object_has_other_addresses(crm: Fxiaoke, partner: EntityPartner) -> None:
    written = write(partner, "plans.create", {"name": "Q4", "amount__c": Decimal("12000.50")})
    assert written.id == only(crm, "object_plan__c")["_id"], "found by the document, as it is not told"
    assert {one.path.rpartition("/")[0] for one in crm.asked[1:]} == {"/cgi/crm/custom/v2/data"}


def test_a_record_made_under_an_unknown_id_is_not_made_again(crm: Fxiaoke, making: Making) -> None:
    partner = making(crm, FILE.replace('document_field = "document__c"\n', ""))
    with pytest.raises(DeliveredUnreadable, match="does not say under which _id"):
        write(partner, "plans.create", {"name": "Q4"})


@pytest.mark.parametrize(
    ("verb", "before", "after"), [("create", False, True), ("upsert", False, True), ("update", None, True)]
)
def test_one_in_doubt_is_looked_up_by_its_number(
    crm: Fxiaoke, partner: EntityPartner, verb: Verb, before: bool | None, after: bool
) -> None:
    sent = document(f"accounts.{verb}", {"no": "A1", "name": "x", "credit": Decimal("1.50")})
    assert partner.backend.find(sent) is before
    crm.put("AccountObj", name="x", account_no__c="A1", credit__c="1.5")
    assert partner.backend.find(sent) is after
    crm.change("AccountObj", only(crm)["_id"], name="somebody else's")
    assert partner.backend.find(sent) is None


def test_one_in_doubt_is_certain_by_the_document_s_field(crm: Fxiaoke, partner: EntityPartner) -> None:
    crm.goes_wrong(CUT, when="/create", after=True)
    with pytest.raises(InDoubt):
        write(partner, "plans.create", {"name": "Q4"})
    assert partner.backend.find(document("plans.create", {"name": "Q4"})) is True
    assert partner.backend.find(document("plans.create", {"name": "Q4"}, "doc-2")) is False


def test_one_that_nothing_names_stays_in_doubt(partner: EntityPartner) -> None:
    assert partner.backend.find(document("leads.create", {"name": "x"})) is None


def test_nothing_is_in_doubt_where_only_the_look_up_failed(crm: Fxiaoke, partner: EntityPartner) -> None:
    crm.goes_wrong(CUT, when="/query")
    with pytest.raises(Unavailable):
        write(partner, "accounts.upsert", {"no": "A1", "name": "x"})
    assert crm.rows("AccountObj") == {}
