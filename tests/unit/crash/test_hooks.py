"""How the killer reaches into a process, and what outlives one that was killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.control import Number, Trigger
from tests.crash.documents import Document, Log, Receipt, read
from tests.crash.producer import Producer, Unanswered

KEY = "k"


def test_a_trigger_is_pulled_at_its_point_when_it_was_passed_often_enough(tmp_path: Path) -> None:
    killer, process = Trigger(tmp_path / "trigger"), Trigger(tmp_path / "trigger")
    assert not process.passes(0)
    killer.arm(2, 3)
    assert [process.passes(point) for point in (1, 2, 2, 0)] == [False] * 4
    assert not killer.pulled
    assert process.passes(2)
    assert killer.pulled


def test_a_trigger_that_was_taken_back_is_not_pulled(tmp_path: Path) -> None:
    killer, process = Trigger(tmp_path / "trigger"), Trigger(tmp_path / "trigger")
    killer.arm(0, 1)
    killer.disarm()
    assert not process.passes(0)
    assert not killer.pulled


@pytest.mark.parametrize("value", [0, 3600, -3600])
def test_a_number_is_seen_by_who_has_the_same_file(tmp_path: Path, value: int) -> None:
    Number(tmp_path / "clock").value = value
    assert Number(tmp_path / "clock").value == value


def test_a_line_that_was_torn_by_a_kill_is_no_receipt(tmp_path: Path) -> None:
    file = tmp_path / "receipts"
    whole = Receipt("d-1", KEY, "s", 1, "e-1")
    Log(file).write(whole)
    with file.open("ab") as torn:
        torn.write(b'{"document": "d-2", "ke')
    assert read(file, Receipt) == [whole]


class Bridge:
    """Accepts, but says so only at the second time of asking."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, document: Document) -> tuple[str, bool]:
        self.asked.append(document.id)
        if self.asked.count(document.id) < 2:
            raise Unanswered
        return f"e-{document.id}", document.undo


def documents(count: int) -> list[Document]:
    return [Document(f"d-{number}", KEY, "s", number) for number in range(1, count + 1)]


def test_a_producer_repeats_what_got_no_answer_before_it_goes_on_in_the_key(tmp_path: Path) -> None:
    budget = Number(tmp_path / "budget")
    budget.value = 10
    bridge = Bridge()
    Producer(documents(3), tmp_path / "receipts", budget, bridge).run()
    assert bridge.asked == ["d-1", "d-1", "d-2", "d-2", "d-3", "d-3"]
    assert [one.entry for one in read(tmp_path / "receipts", Receipt)] == ["e-d-1", "e-d-2", "e-d-3"]


def test_a_producer_that_was_killed_goes_on_behind_its_receipts(tmp_path: Path) -> None:
    budget = Number(tmp_path / "budget")
    budget.value = 10
    Log(tmp_path / "receipts").write(Receipt("d-1", KEY, "s", 1, "e-1"))
    bridge = Bridge()
    Producer(documents(2), tmp_path / "receipts", budget, bridge).run()
    assert set(bridge.asked) == {"d-2"}


def test_a_torn_receipt_does_not_spoil_the_next_one(tmp_path: Path) -> None:
    file, budget = tmp_path / "receipts", Number(tmp_path / "budget")
    budget.value = 10
    file.write_bytes(b'{"document": "d-1", "k')
    Producer(documents(2), file, budget, Bridge()).run()
    assert [one.document for one in read(file, Receipt)] == ["d-1", "d-2"]
