"""One transaction for each request: the handler's rows and the journal's together, or neither."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bridge.app import Bridge
from bridge.settings import Data, Journal, Settings
from tests.integration.host.conftest import NS, Running, echo, envelope, running


def entries(made: Running) -> list[Any]:
    store = made.bridge.store
    assert store is not None
    return [store.journal.show(entry.exchange_id) for entry in store.journal.list(limit=200)]


def entry(made: Running, exchange: str) -> Any:
    store = made.bridge.store
    assert store is not None
    found = store.journal.show(exchange)
    assert found is not None
    return found


def test_an_accepted_request_is_journaled_with_the_bytes_that_left(kept: Running) -> None:
    answer = kept.post(echo("kept"))
    found = entry(kept, answer.exchange)
    assert (found.verdict, found.contract, found.operation, found.http_status) == (
        "accepted",
        "desk",
        "Echo",
        200,
    )
    assert found.request == echo("kept")
    assert found.reply == answer.body
    assert found.remote == "127.0.0.1"
    assert found.duration_us > 0


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        (b"<a", "refused"),
        (echo("x").replace(b"<number>1", b"<number>many"), "invalid_request"),
        (echo("off contract"), "invalid_reply"),
        (echo("unknown field"), "invalid_reply"),
        (echo("wrong fault"), "invalid_reply"),
        (echo("nothing"), "failed"),
        (echo("break"), "failed"),
        (echo("closed"), "fault"),
    ],
)
def test_what_did_not_end_well_is_journaled_with_its_reason(kept: Running, body: bytes, verdict: str) -> None:
    answer = kept.post(body)
    found = entry(kept, answer.exchange)
    assert found.verdict == verdict
    assert found.http_status == answer.status
    assert found.request == body
    assert found.reply == answer.body
    assert found.fault_reason


def test_the_journal_has_in_full_what_the_caller_was_not_told(kept: Running) -> None:
    broke = entry(kept, kept.post(echo("break")).exchange)
    assert "secret /etc/passwd detail" in broke.fault_reason
    assert "Traceback" in broke.fault_reason
    invalid = entry(kept, kept.post(echo("off contract")).exchange)
    assert invalid.violations[0]["path"] == "/EchoResponse/count"
    assert "0" in invalid.violations[0]["found"]


def test_nothing_a_handler_wrote_stays_when_its_reply_breaks_the_contract(tmp_path: Path) -> None:
    def writing(bridge: Bridge) -> None:
        desk = bridge.services["/services/desk"]
        handler = desk.handlers["Echo"]

        def write(request: Any, call: Any) -> Any:
            call.session.execute(text("CREATE TABLE IF NOT EXISTS note (text TEXT)"))
            call.session.execute(text("INSERT INTO note VALUES (:text)"), {"text": request.text})
            return handler(request, call)

        desk.handlers["Echo"] = write

    with running(Settings(data=Data(folder=tmp_path)), store=True, prepare=writing) as made:
        for wanted in ("good", "off contract", "break", "closed", "nothing", "better"):
            made.post(echo(wanted))
        store = made.bridge.store
        assert store is not None
        with store.reading() as session:
            kept = [row[0] for row in session.execute(text("SELECT text FROM note ORDER BY rowid"))]
        assert kept == ["good", "better"]
        assert [found.verdict for found in reversed(entries(made))] == [
            "accepted", "invalid_reply", "failed", "fault", "failed", "accepted",
        ]  # fmt: skip


def test_refused_requests_are_journaled_up_to_their_rate(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(data=Data(folder=tmp_path), journal=Journal(refused_per_minute=5))
    with running(settings, store=True) as made:
        for _ in range(20):
            assert made.post(b"<a").status == 500
        made.post(echo("break"))
        made.post(echo("good"))
        verdicts = [found.verdict for found in entries(made)]
    # A minute may turn in between: then five more are written.
    assert 5 <= verdicts.count("refused") <= 10
    assert verdicts.count("failed") == verdicts.count("accepted") == 1


def test_bodies_are_kept_as_the_settings_say(tmp_path: Path) -> None:
    for keep, accepted, refused in (("all", True, True), ("refused", False, True), ("none", False, False)):
        settings = Settings(data=Data(folder=tmp_path / keep), journal=Journal(keep_bodies=keep))  # type: ignore[arg-type]
        with running(settings, store=True) as made:
            good, bad = entry(made, made.post(echo()).exchange), entry(made, made.post(b"<a").exchange)
        assert (good.request is not None, bad.request is not None) == (accepted, refused)


def test_a_one_way_request_is_stored_before_it_is_answered(kept: Running) -> None:
    answer = kept.post(envelope(f'<Notify xmlns="{NS}"><text>x</text></Notify>'))
    assert answer.status == 202
    assert entry(kept, answer.exchange).verdict == "accepted"


def test_many_threads_are_all_journaled(kept: Running) -> None:
    answers: list[str] = []

    def ask(number: int) -> None:
        for round_ in range(10):
            answers.append(kept.post(echo(f"{number}-{round_}")).exchange)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(answers)) == 80
    assert {found.exchange_id for found in entries(kept)} == set(answers)


def test_a_store_that_cannot_be_used_is_a_server_fault_and_not_ready(
    kept: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from bridge.errors import StoreBusy

    store = kept.bridge.store
    assert store is not None
    assert kept.request("GET", "/readyz").status == 200

    def busy(*_: object) -> None:
        raise StoreBusy("the path of a secret file")

    with monkeypatch.context() as patched, caplog.at_level(logging.CRITICAL):
        patched.setattr(store, "run", busy)
        patched.setattr(store, "check", busy)
        answer = kept.post(echo())
        assert answer.status == 500
        assert "secret" not in answer.text
        assert 'repeat="safe"' in answer.text
        assert kept.request("GET", "/readyz").status == 503
    assert kept.post(echo()).status == 200
