"""The simulated Fxiaoke, called without the bridge: it refuses what Fxiaoke's documentation says is refused."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
import requests

from bridge.testing.fxiaoke import APP, EA, NEWER, PERMANENT, SECRET, USER, Fxiaoke
from tests.integration.partners.fxiaoke.conftest import company


def call(crm: Fxiaoke, path: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    trace = {"thirdTraceId": str(uuid.uuid4())}
    answer = requests.post(f"{crm.url}{path}", params=trace, json=body, headers=headers, timeout=5)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def token(crm: Fxiaoke, **other: str) -> dict[str, Any]:
    asked = {"appId": APP, "appSecret": SECRET, "permanentCode": PERMANENT, "grantType": "app_secret"}
    return call(crm, NEWER, {**asked, **other})


def act(crm: Fxiaoke, name: str, data: dict[str, Any], **body: Any) -> dict[str, Any]:
    bearer = {"Authorization": f"Bearer {token(crm)['accessToken']}", "x-fs-ea": EA, "x-fs-userid": USER}
    return call(crm, f"/cgi/crm/v2/data/{name}", {"data": data, **body}, **bearer)


def query(crm: Fxiaoke, **asked: Any) -> dict[str, Any]:
    info = {"limit": 2, "offset": 0, "filters": [], **asked}
    return act(crm, "query", {"dataObjectApiName": "AccountObj", "search_query_info": info})


def test_a_token_is_the_same_for_6600_seconds_and_holds_for_7200(crm: Fxiaoke) -> None:
    first = token(crm)
    assert (first["errorCode"], first["expiresIn"]) == (0, 7200)
    crm.wait(timedelta(seconds=6599))
    again = token(crm)
    assert (again["accessToken"], again["expiresIn"]) == (first["accessToken"], 601)
    crm.wait(timedelta(seconds=1))
    assert token(crm)["accessToken"] != first["accessToken"]
    headers = {"Authorization": f"Bearer {first['accessToken']}", "x-fs-ea": EA, "x-fs-userid": USER}
    assert call(crm, "/cgi/crm/v2/object/list", {"data": {}}, **headers)["errorCode"] == 0
    crm.wait(timedelta(seconds=600))
    assert call(crm, "/cgi/crm/v2/object/list", {"data": {}}, **headers)["errorCode"] == 20016


def test_who_is_not_let_in_is_told_so_inside_http_200(crm: Fxiaoke) -> None:
    assert token(crm, appSecret="x")["errorCode"] == 10006
    assert call(crm, "/cgi/crm/v2/data/query", {"data": {}})["errorCode"] == 20017
    forged = {"Authorization": "Bearer x", "x-fs-ea": EA, "x-fs-userid": USER}
    assert call(crm, "/cgi/crm/v2/data/query", {"data": {}}, **forged)["errorCode"] == 20016


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"limit": 101}, 15002),
        ({"limit": 0}, 15002),
        ({"offset": 3}, 15002),
        ({"offset": 10_000}, 0),
        ({"offset": 10_002}, 10013),
        ({"filters": [{"field_name": "name", "field_values": "x", "operator": "EQ"}]}, 15002),
        ({"filters": [{"field_name": "nothing", "field_values": ["x"], "operator": "EQ"}]}, 15002),
        ({"filters": [{"field_name": "name", "field_values": ["x"], "operator": "EQUALS"}]}, 15002),
    ],
)
def test_what_a_query_may_ask(crm: Fxiaoke, asked: dict[str, Any], code: int) -> None:
    assert query(crm, **asked)["errorCode"] == code


def test_filters_orders_and_projection(crm: Fxiaoke) -> None:
    for number in (9, 10, 11):
        crm.put("AccountObj", name=f"N{number}", credit__c=str(number))
    above = {"field_name": "credit__c", "field_values": ["9"], "operator": "GT"}
    orders = [{"fieldName": "credit__c", "isAsc": False}]
    found = query(crm, filters=[above], orders=orders, fieldProjection=["name", "buyer__c"])["data"]
    assert (found["dataList"], found["total"]) == ([{"name": "N11"}, {"name": "N10"}], 2)


@pytest.mark.parametrize(
    "values",
    [
        {"name": "x", "credit__c": 7},
        {"name": "x", "credit__c": "seven"},
        {"name": "x", "since__c": "2026-03-02"},
        {"name": "x", "buyer__c": "1002"},
        {"name": "x", "nothing": "1"},
        {"credit__c": "7"},
    ],
)
def test_what_does_not_fit_is_not_made(crm: Fxiaoke, values: dict[str, Any]) -> None:
    made = act(crm, "create", {"object_data": {"dataObjectApiName": "AccountObj", **values}})
    assert (made["errorCode"], crm.rows("AccountObj")) == (32000, {})


def test_a_write_sets_workflows_and_approvals_going_unless_told_not_to(crm: Fxiaoke) -> None:
    data = {"object_data": {"dataObjectApiName": "AccountObj", "name": "x"}}
    act(crm, "create", data)
    act(crm, "create", data, triggerApprovalFlow=False, triggerWorkFlow=False)
    assert (crm.approvals, crm.workflows) == (1, 1)
    assert [row["life_status"] for row in crm.rows("AccountObj").values()] == ["under_review", "normal"]


def test_only_what_is_invalid_is_deleted_and_the_owner_has_a_call_of_its_own(crm: Fxiaoke) -> None:
    id_ = crm.put("AccountObj", name="x")
    named = {"dataObjectApiName": "AccountObj"}
    assert act(crm, "delete", {**named, "idList": [id_]})["errorCode"] == 32000
    owned = {"object_data": {**named, "_id": id_, "owner": ["1002"]}}
    assert act(crm, "update", owned)["errorCode"] == 32000
    assert (
        act(crm, "changeOwner", {**named, "Data": [{"objectDataId": id_, "ownerId": ["1002"]}]})["errorCode"]
        == 0
    )
    assert act(crm, "invalid", {**named, "object_data_id": id_})["errorCode"] == 0
    assert query(crm)["data"]["dataList"] == []
    assert act(crm, "delete", {**named, "idList": [id_]})["errorCode"] == 0


def test_a_company_s_own_object_is_not_where_the_others_are(crm: Fxiaoke) -> None:
    asked = {
        "dataObjectApiName": "object_plan__c",
        "search_query_info": {"limit": 1, "offset": 0, "filters": []},
    }
    assert act(crm, "query", asked)["errorCode"] == 10006


def test_it_is_not_called_more_often_than_it_allows() -> None:
    with company(Fxiaoke(calls=2)) as crm:
        assert [query(crm)["errorCode"] for _ in range(3)] == [0, 0, 30004]
