"""Clients of other languages, knowing nothing but ?wsdl, call every operation of every shipped contract.

`make interop` runs the same, with those that have to be compiled, and writes what came of it to docs/interop.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge import shipped
from bridge.contract import load
from tests.acceptance.shipped_erp import ROOT, ErpProcess
from tests.interop.clients import CLIENTS, Client
from tests.interop.matrix import VERSIONS, run, spoken
from tests.interop.scenario import Scenario, Step, judge, resolved, row_of, scenarios

QUICK = [client for client in CLIENTS if not client.slow]
PAGE = ROOT / "docs" / "interop.md"


@pytest.fixture(scope="module")
def erp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ErpProcess]:
    with ErpProcess(tmp_path_factory.mktemp("erp")) as served:
        yield served
    assert "Traceback" not in served.log


@pytest.fixture(params=QUICK, ids=lambda client: client.name)
def client(request: pytest.FixtureRequest) -> Client:
    found: Client = request.param
    if why := found.missing():
        pytest.skip(why)
    return found


@pytest.mark.interop
def test_a_client_does_all_that_it_is_not_known_to_fail_at(
    erp: ErpProcess, client: Client, tmp_path: Path
) -> None:
    wrong = {}
    for soap in client.speaks:
        for scenario in scenarios():
            done = run(erp, client, scenario, soap, tmp_path)
            for row in scenario.rows:
                told, known = done.wrong(row), client.reason(soap, row)
                if bool(told) != bool(known):
                    wrong[soap, scenario.contract, row] = told or f"works, though it is known not to: {known}"
    assert not wrong
    assert spoken(erp, client) == set(client.speaks)


@pytest.mark.interop
@pytest.mark.parametrize("silent", [one for one in QUICK if one.silent], ids=lambda client: client.name)
def test_a_client_that_is_said_to_speak_one_version_sends_it_on_the_other_port_too(
    erp: ErpProcess, silent: Client, tmp_path: Path
) -> None:
    if why := silent.missing():
        pytest.skip(why)
    for soap in VERSIONS:
        run(erp, silent, scenarios()[0], soap, tmp_path)
    assert spoken(erp, silent) == set(silent.speaks)


# -- the scenarios and the page ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", shipped.contracts("erp"))
def test_every_operation_of_every_contract_is_called(name: str) -> None:
    (scenario,) = [one for one in scenarios() if one.contract == name]
    operations = {found.name for found in load(shipped.contracts("erp")[name]).operations.values()}
    assert {step.operation for step in scenario.steps if row_of(step) == step.operation} == operations
    assert operations <= set(scenario.rows)


@pytest.mark.parametrize("name", shipped.contracts("erp"))
def test_every_operation_of_every_contract_has_its_row_in_the_page(name: str) -> None:
    text = PAGE.read_text("utf-8")
    found = re.search(rf"^## {name}\n(.*?)(?=^## )", text, re.MULTILINE | re.DOTALL)
    assert found, f"docs/interop.md does not tell of {name}: run `make interop`"
    told = dict(re.findall(r"^\| (\w+) \| (.*) \|$", found[1], re.MULTILINE))
    operations = {one.name for one in load(shipped.contracts("erp")[name]).operations.values()}
    assert operations <= set(told), "run `make interop`"
    for operation in operations:
        cells = told[operation].split(" | ")
        assert len(cells) == len(CLIENTS), operation
        assert all(re.fullmatch(r"1\.1 \S.*, 1\.2 \S.*", cell) for cell in cells), operation


def test_every_client_has_its_row_in_the_page() -> None:
    text = PAGE.read_text("utf-8")
    assert not [client.name for client in CLIENTS if f"| {client.language}: {client.title} |" not in text]


def test_what_fails_in_the_page_has_its_reason_there() -> None:
    text = PAGE.read_text("utf-8")
    known = {reason for client in CLIENTS for reason in (*client.cannot.values(), client.silent) if reason}
    fails = len(re.findall(r"\b1\.[12] fails", text))
    _, _, told = text.partition("## What does not work")
    assert all(reason in text for reason in known)
    assert len(re.findall(r"^\* ", told, re.MULTILINE)) == fails + sum(bool(one.silent) for one in CLIENTS)


# -- the judge ---------------------------------------------------------------------------------------------------


def step(kind: str, *violations: str, **expected: object) -> Step:
    return Step(
        name="s", operation="O", request={}, kind=kind, expected=dict(expected), violations=violations
    )


def test_a_reply_is_judged_by_what_the_step_names() -> None:
    wanted = step("reply", **{"total._": "4.65", "number": {"pattern": "PO-[0-9]{2}"}, "own": "{own}"})
    good = {"reply": {"total": [{"_": "4.650"}], "number": "PO-12", "own": "X", "more": 1}}
    assert judge(wanted, good, {"own": "X"}) == ""
    assert "own is 'X', not 'Y'" in judge(wanted, good, {"own": "Y"})
    assert "total._ is None" in judge(wanted, {"reply": {"number": "PO-12", "own": "X"}}, {"own": "X"})
    assert "number is 'PO-123'" in judge(
        wanted, {"reply": good["reply"] | {"number": "PO-123"}}, {"own": "X"}
    )


def test_a_fault_where_none_is_wanted_and_none_where_one_is_are_wrong() -> None:
    fault = {"fault": {"detail": {"NotFound": {"missing": {"identifier": "X"}}}}}
    assert judge(step("reply"), fault, {}).startswith("fault: ")
    assert judge(step("fault", **{"NotFound.missing.0.identifier": "X"}), fault, {}) == ""
    assert judge(step("fault", **{"NotFound.missing.0.identifier": "Y"}), fault, {}) != ""
    assert judge(step("fault"), {"reply": {}}, {}).startswith("no fault")
    assert judge(step("reply"), {"error": "broken"}, {}) == "broken"


def test_violations_are_those_named_all_of_them_in_order() -> None:
    told = {"fault": {"detail": {"violations": {"violation": [{"path": "/a"}, {"path": "/b"}]}}}}
    one = {"fault": {"detail": {"violations": {"violation": {"path": "/a"}}}}}
    assert judge(step("violations", "/a", "/b"), told, {}) == ""
    assert judge(step("violations", "/a"), told, {}) != ""
    assert judge(step("violations", "/a"), one, {}) == ""
    assert judge(step("violations", "/a"), {"fault": {"detail": None}}, {}) != ""


def test_references_name_what_came_before() -> None:
    known = {"own": "X", "place": {"request": {"a": [1]}, "total": [{"_": "5"}]}}
    assert resolved({"id": "{own}-2", "again": "{place.request}", "sum": "{place.total.0._}"}, known) == {
        "id": "X-2",
        "again": {"a": [1]},
        "sum": "5",
    }


def test_an_operation_without_a_step_is_called_with_a_request_made_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tests.interop.scenario.FOLDER", Path("/nowhere"))
    scenarios.cache_clear()
    try:
        made: dict[str, Scenario] = {one.contract: one for one in scenarios()}
    finally:
        scenarios.cache_clear()
    place = next(one for one in made["purchasing"].steps if one.operation == "CreatePurchaseOrder")
    assert place.kind == "answer"
    assert place.request["order"]["line"]["quantity"] == {"_": "1", "unit": "H87"}
    assert judge(place, {"reply": {}}, {}) == ""
    assert judge(place, {"fault": {"detail": {"NotFound": {}}}}, {}) == ""
    refused = {"fault": {"detail": {"violations": {"violation": {"path": "/a"}}}}}
    assert judge(place, refused, {}).startswith("refused: ")
