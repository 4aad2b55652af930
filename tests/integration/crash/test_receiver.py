"""The kit's partner behaves as it says, on a real socket, towards the bridge's own client; and its log tells what was done."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bridge.delivery.policy import Outcome
from bridge.delivery.sender import Document
from bridge.partners.soap import SoapPartner
from tests.crash.documents import CONTRACT, NAMESPACE, Log, Reception, read
from tests.crash.receiver import BEHAVIOURS, DOES, Desk, Kind, Partner

PAYLOAD = f'<Put xmlns="{NAMESPACE}"><id>d-1</id><key>k</key><stream>s</stream><number>1</number></Put>'
OUTCOMES: dict[str, Outcome] = {
    "busy": "Unavailable",
    "broken": "InDoubt",
    "dropped_before": "InDoubt",
    "dropped_after": "InDoubt",
    "late": "InDoubt",
    "fault_after": "InDoubt",
}


@contextmanager
def desk(
    log: Path, kind: Kind = "keeps-id", behaviour: str = "", refused: frozenset[str] = frozenset()
) -> Iterator[SoapPartner]:
    """A partner that always behaves like this, and the bridge's client of it."""
    behaviours = {behaviour: 1.0} if behaviour else {}
    with Desk(Partner(kind, Log(log), random.Random(1), 0.5, behaviours, refused)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield SoapPartner(
                CONTRACT, endpoint=f"http://127.0.0.1:{server.server_address[1]}/", deadline=0.3
            )
        finally:
            server.shutdown()
            thread.join()


def deliver(partner: SoapPartner, exchange: str) -> Outcome:
    document = Document("e-1", "desk", "k", "Put", PAYLOAD)
    return partner.deliver(document, exchange_id=exchange).outcome


def log_of(file: Path) -> list[tuple[str, str, bool, str]]:
    return [(one.entry, one.exchange, one.applied, one.answer) for one in read(file, Reception)]


def test_every_misbehaviour_is_known() -> None:
    assert OUTCOMES.keys() == BEHAVIOURS.keys()


@pytest.mark.parametrize("behaviour", OUTCOMES)
def test_each_misbehaviour_is_the_outcome_it_stands_for(tmp_path: Path, behaviour: str) -> None:
    with desk(tmp_path / "log", behaviour=behaviour) as partner:
        assert deliver(partner, "x-1") == OUTCOMES[behaviour]
    assert log_of(tmp_path / "log") == [("e-1", "x-1", behaviour in DOES, behaviour)]


@pytest.mark.parametrize(("kind", "again"), [("keeps-id", False), ("keeps-none", True)])
def test_a_repeat_is_done_again_only_where_no_id_is_kept(tmp_path: Path, kind: Kind, again: bool) -> None:
    with desk(tmp_path / "log", kind) as partner:
        assert [deliver(partner, "x-1"), deliver(partner, "x-2")] == ["Delivered", "Delivered"]
    assert log_of(tmp_path / "log") == [("e-1", "x-1", True, "good"), ("e-1", "x-2", again, "good")]


def test_a_declared_fault_comes_only_for_the_document_it_is_asked_for(tmp_path: Path) -> None:
    with desk(tmp_path / "log", refused=frozenset({"d-1"})) as partner:
        assert deliver(partner, "x-1") == "Refused"
    assert log_of(tmp_path / "log") == [("e-1", "x-1", False, "refused")]
