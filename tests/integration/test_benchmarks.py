"""The benchmarks compare applications that do answer, and alike. Nothing is timed here."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from benchmarks import __main__ as suite
from benchmarks import big_contract, calling, durable, floor, hosted, memory
from benchmarks import mapping as benchmarks_mapping
from benchmarks.in_process import caller
from benchmarks.measure import Budget
from benchmarks.messages import NAMESPACE, order
from benchmarks.page import Result, put, render, renewed, verdict
from benchmarks.serving import Load, Server, post
from bridge.contract import load

CHOOSING = "a\n<!-- modes -->\nold\n<!-- /modes -->\nb\n"
KEPT = Budget("so fast", 1.5, 2.0)
MISSED = Budget("so many", 1.5, 2.0, at_most=False)


def reply_fields(reply: bytes) -> list[str | None]:
    """The texts of the reply's payload."""
    return [child.text for child in etree.fromstring(reply)[-1][0]]


@pytest.mark.parametrize(
    ("application", "path"),
    [
        (floor.application, "/services/orders"),
        (hosted.bridge_application, "/services/orders"),
        (hosted.spyne_application, "/"),
    ],
)
def test_every_contender_gives_the_same_answer(application, path) -> None:  # type: ignore[no-untyped-def]
    reply = caller(application(), path, order("SubmitOrder", 20))()

    assert reply_fields(reply) == ["true", "T-PO-000123-20"]


def test_every_contender_refuses_what_breaks_the_contract() -> None:
    bad = order("SubmitOrder", 1).replace(b"<o:currency>CNY", b"<o:currency>yuan")

    for application in (floor.application(), hosted.bridge_application(), hosted.spyne_application()):
        with pytest.raises(RuntimeError, match="500"):
            caller(application, "/services/orders", bad)


def test_the_large_reply_is_the_order_that_came() -> None:
    reply = caller(hosted.bridge_application(), "/services/orders", order("EchoOrder", 20))()

    assert len(etree.fromstring(reply).findall(f".//{{{NAMESPACE}}}line")) == 20


def test_a_durable_order_is_there_afterwards_and_one_without_a_store_is_not(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/bridge.sqlite"
    create = durable.caller(durable.stored(url))

    numbers = [reply_fields(create())[0] for _ in range(2)]
    answers = [durable.caller(make())() for make in (durable.constant, durable.unstored)]

    assert [str(number)[-6:] for number in numbers] == ["000001", "000002"]
    assert all(b"CreatePurchaseOrderResponse" in answer for answer in answers)


def test_a_server_of_the_suite_answers_its_load_and_tells_what_it_used(tmp_path: Path) -> None:
    with Server("stored", f"sqlite:///{tmp_path}/bridge.sqlite") as server:
        connections = Load(server.port, connections=2)
        before = server.cpu()

        assert connections.send(memory.mix(10), expect=memory.EXPECTED) == 10
        assert server.cpu() > before
        assert server.resident() > 10_000_000

        with pytest.raises(RuntimeError, match="unexpected reply"):
            connections.send([post("/nowhere", b"")])
        connections.close()


def test_the_mix_breaks_the_contract_as_often_as_it_says(tmp_path: Path) -> None:
    with Server("stored", f"sqlite:///{tmp_path}/bridge.sqlite") as server:
        requests = list(memory.mix(20))
        accepted = [one for number, one in enumerate(requests) if number % 10 < 6]
        refused = [one for number, one in enumerate(requests) if number % 10 >= 6]

        connections = Load(server.port)
        assert connections.send(accepted) == 12
        assert connections.send(refused, expect=[b"500"]) == 8
        connections.close()


def test_the_large_contract_has_the_size_it_is_named_for(tmp_path: Path) -> None:
    contract = load(big_contract.write(tmp_path))

    assert len(contract.operations) == 300
    assert not contract.problems
    assert 1_400_000 < sum(file.stat().st_size for file in tmp_path.glob("*.[wx]s*")) < 2_000_000


def test_the_verdict_names_what_was_missed() -> None:
    assert verdict([Result("T", "", [], [KEPT])]) == "All 1 budgets were kept."
    assert "- so many: 1.50 ×, at least 2" in verdict([Result("T", "", [], [KEPT, MISSED])])


def test_the_page_shows_tables_budgets_and_the_machine() -> None:
    page = render([Result("Fast things", "How it was done.\n", ["| a |", "|---|"], [KEPT, MISSED])])

    assert "## Fast things\n\nHow it was done.\n\n| a |" in page
    assert "| so many | 1.50 × | at least 2 | **missed** |" in page
    assert "cores" in page


def test_one_section_can_be_written_anew_and_the_verdict_is_that_of_all() -> None:
    slow, other = Result("Fast things", "How.", ["| a |"], [MISSED]), Result("Others", "So.", [], [KEPT])
    quick = Result("Fast things", "How, once more.", ["| b |"], [KEPT])

    assert renewed(render([slow, other]), [quick]) == render([quick, other])
    assert renewed(render([quick, other]), [slow]) == render([slow, other])
    with pytest.raises(ValueError, match="substring"):
        renewed(render([slow]), [other])


@pytest.mark.parametrize(("arguments", "status"), [([], 0), (["--strict"], 1)])
def test_a_missed_budget_fails_only_a_strict_run(
    arguments: list[str], status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Measured:
        @staticmethod
        def run() -> tuple[list[str], list[Budget]]:
            return ["| a |"], [MISSED]

    monkeypatch.setattr(suite, "SUITE", {"one": ("One", Measured)})

    assert suite.main(arguments) == status
    assert "0 of 1 budgets were kept" in capsys.readouterr().out


def test_a_partner_is_called_alike_by_zeep_and_by_us() -> None:
    with Server("constant") as server:
        callers = calling.callers(f"http://127.0.0.1:{server.port}/services/purchasing")
        theirs, ours = callers["zeep"](), callers["ours"]()
    assert ours.orderNumber == theirs.orderNumber == "PO-2026-000001"
    assert ours.total.value == theirs.total._value_1


def test_the_mapping_and_the_function_by_hand_give_the_same() -> None:
    mapping = benchmarks_mapping.mapping()
    order = benchmarks_mapping.record(5) | {"wanted_on": ""}
    order["items"][2] |= {"unit": "t", "text": ""}

    assert mapping(order) == benchmarks_mapping.by_hand(order)
    # Quickly: by the function that is measured.
    assert mapping._of_dicts(order) == benchmarks_mapping.by_hand(order)


def test_a_table_takes_the_place_of_the_one_between_its_marks() -> None:
    assert put(CHOOSING, "modes", ["| new |"]) == "a\n<!-- modes -->\n| new |\n<!-- /modes -->\nb\n"
    with pytest.raises(ValueError, match="no marks"):
        put("a\n", "modes", [])
