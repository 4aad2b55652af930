"""Handlers that call another system: nobody repeats what may have been done over there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bridge.errors import CommitInDoubt
from bridge.settings import Idempotency

from .conftest import Desk, done, reply


def calling(deed: Callable[[], None] = lambda: None, *, was_done: bool = True) -> Callable[[Any, Any], Any]:
    """A handler that calls another system, which does `deed`, and then writes."""

    def handler(request: Any, call: Any) -> Any:
        call.before_calling_out()
        try:
            deed()
        finally:
            call.after_calling_out(done=was_done)
        done(call)
        return reply(request)

    return handler


def fails() -> None:
    raise OSError("no answer")


def test_its_answer_is_kept_like_any_other(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(calling())
    assert desk.send("a").payload == desk.send("a").payload
    assert (desk.started, desk.rows) == (1, 1)


def test_calling_after_the_handler_began_to_write_is_an_error_of_ours(open_desk: Callable[..., Desk]) -> None:
    def writes_first(request: Any, call: Any) -> Any:
        done(call)
        call.before_calling_out()

    desk = open_desk(writes_first)
    answer = desk.send("a")
    assert answer.status == 500
    assert "began to write" in desk.store.journal.show(answer.exchange).fault_reason
    assert (desk.records(), desk.rows) == ([], 0)


def test_a_second_call_lengthens_the_lease(open_desk: Callable[..., Desk]) -> None:
    leases: list[int] = []

    def twice(request: Any, call: Any) -> Any:
        for _ in range(2):
            call.before_calling_out()
            call.after_calling_out(done=True)
            with desk.store.reading() as session:
                leases.append(session.execute(text("SELECT lease_until FROM idempotency")).scalar_one())
        return reply(request)

    desk = open_desk(twice)
    assert desk.send("a").status == 200
    assert leases[0] < leases[1]
    assert desk.records() == [("answered", None)]


def test_an_answer_that_was_kept_by_a_commit_that_seemed_to_fail_stands(
    open_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = open_desk(calling())
    run = desk.store.run

    def run_and_lose_the_connection(work: Any) -> Any:
        run(work)
        monkeypatch.setattr(desk.store, "run", run)
        raise CommitInDoubt("The connection broke during the commit.")

    monkeypatch.setattr(desk.store, "run", run_and_lose_the_connection)
    assert desk.send("a").status == 500
    assert desk.records() == [("answered", None)]
    assert desk.send("a").status == 200
    assert (desk.started, desk.rows) == (1, 1)


def test_a_failure_after_something_was_done_is_in_doubt_and_its_repeats_are_told_so(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(calling(fails))
    assert desk.send("a").status == 500
    assert desk.records() == [("in_doubt", None)]
    again = desk.send("a")
    assert again.status == 500
    assert "nobody knows whether it was done" in desk.store.journal.show(again.exchange).fault_reason
    assert desk.started == 1


def test_a_failure_before_anything_was_done_leaves_the_request_free(open_desk: Callable[..., Desk]) -> None:
    deeds = [fails, lambda: None]
    desk = open_desk(calling(lambda: deeds.pop(0)(), was_done=False))
    assert desk.send("a").status == 500
    assert desk.records() == []
    assert desk.send("a").status == 200
    assert desk.rows == 1


def test_a_declared_fault_after_the_call_is_the_answer(open_desk: Callable[..., Desk]) -> None:
    def refuses(request: Any, call: Any) -> Any:
        call.before_calling_out()
        call.after_calling_out(done=True)
        raise call.fault("Closed", until=date(2027, 1, 1))

    desk = open_desk(refuses)
    for _ in range(2):
        assert b"2027-01-01" in desk.send("a").body
    assert desk.started == 1
    assert desk.records() == [("answered", "Closed")]


def test_a_repeat_meanwhile_waits_for_the_answer(open_desk: Callable[..., Desk]) -> None:
    called, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        called.set()
        assert go_on.wait(20)

    desk = open_desk(calling(slow))
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(desk.send, "a")
        assert called.wait(20)
        repeats = [pool.submit(desk.send, "a") for _ in range(8)]
        go_on.set()
        payloads = {one.result().payload for one in (first, *repeats)}
    assert len(payloads) == 1
    assert (desk.started, desk.rows) == (1, 1)


def test_a_repeat_does_not_wait_for_ever_and_is_told_to_come_back(open_desk: Callable[..., Desk]) -> None:
    called, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        called.set()
        assert go_on.wait(20)

    desk = open_desk(calling(slow), settings={"idempotency": Idempotency(wait=0.1)})
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(desk.send, "a")
        assert called.wait(20)
        try:
            again = desk.send("a")
        finally:
            go_on.set()
        assert again.status == 503
        assert again.headers["Retry-After"]
        assert b"still being worked on" in again.body
        assert first.result().status == 200


def held(desk: Desk) -> None:
    """Leaves the claim of a process that died while it called."""

    class Killed(BaseException):
        pass

    def dies() -> None:
        raise Killed

    desk.handler = calling(dies)
    with pytest.raises(Killed):
        desk.send("a")
    assert desk.records() == [("running", None)]


def test_the_claim_of_a_dead_process_is_in_doubt_once_its_lease_is_over_and_never_free(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(settings={"idempotency": Idempotency(wait=0)})
    held(desk)
    assert desk.send("a").status == 503
    with desk.store.transaction() as transaction:
        transaction.session.execute(text("UPDATE idempotency SET lease_until = lease_until - 301000000"))
    assert desk.send("a").status == 500
    assert desk.records() == [("in_doubt", None)]
    desk.age_records(1000)
    assert desk.send("a").status == 500
    assert desk.started == 1


def test_a_lease_that_ends_later_than_any_given_now_is_over(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(settings={"idempotency": Idempotency(wait=0)})
    held(desk)
    with desk.store.transaction() as transaction:  # as if the clock had been set back an hour
        transaction.session.execute(text("UPDATE idempotency SET lease_until = lease_until + 3600000000"))
    assert desk.send("a").status == 500
    assert desk.records() == [("in_doubt", None)]


def test_who_finds_out_that_nothing_was_done_frees_the_request(
    open_desk: Callable[..., Desk], store_url: str
) -> None:
    desk = open_desk(calling(fails))
    desk.send("a")
    status, said = run(store_url, "duplicates", "list", "--json")
    assert (status, '"requestId": "a"' in said) == (0, True)
    number = said.partition('"number": ')[2].partition(",")[0]
    status, said = run(store_url, "duplicates", "show", number)
    assert (status, f"duplicates free {number}" in said) == (0, True)
    assert run(store_url, "duplicates", "free", number)[0] == 0
    desk.handler = calling()
    assert desk.send("a").status == 200
    assert run(store_url, "duplicates", "free", number)[0] == 2


def test_who_finds_out_that_it_was_done_gives_the_answer(
    open_desk: Callable[..., Desk], store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = open_desk(calling(fails))
    desk.send("a")
    number = run(store_url, "duplicates", "list", "--json")[1].partition('"number": ')[2].partition(",")[0]
    name = f"desk_service_{desk.store.dialect}"  # modules are imported once
    module = tmp_path / f"{name}.py"
    module.write_text(
        "from bridge import Bridge\nbridge = Bridge.load()\n"
        f"bridge.serve({str(Path(__file__).parents[1] / 'host/desk-1.wsdl')!r})\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    wrong, right = tmp_path / "wrong.xml", tmp_path / "right.xml"
    wrong.write_text('<EchoResponse xmlns="urn:test:desk:1"><text>a</text></EchoResponse>')
    right.write_text('<EchoResponse xmlns="urn:test:desk:1"><text>a</text><count>3</count></EchoResponse>')
    words = ("duplicates", "answer", number, f"{name}:bridge", "--payload")
    assert run(store_url, *words, str(wrong))[0] == 2
    assert desk.records() == [("in_doubt", None)]
    assert run(store_url, *words, str(right))[0] == 0
    assert b"<count>3</count>" in desk.send("a").payload
    assert desk.started == 1


def run(store_url: str, *words: str) -> tuple[int, str]:
    """A command on this store, in this process: (exit status, what it said)."""
    from typer.testing import CliRunner

    from bridge.cli import app
    from bridge.errors import BridgeError

    done = CliRunner().invoke(app, list(words), env={"SOAPBRIDGE_STORE_URL": store_url})
    if isinstance(done.exception, BridgeError):  # `main` says it and ends with 2
        return 2, str(done.exception)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output
