"""Claims under bad luck: commits that fail or are in doubt, leases that end early, operators who settle too soon."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import CommitInDoubt, StoreBusy, StoreError
from bridge.idempotency import Once
from bridge.store import Store, Transaction, sqlite
from bridge.store import idempotency as records

from .conftest import Desk, done, reply
from .test_calling_out import calling, fails

IDENTITY = records.RequestIdentity("", "desk", "Echo", "a")


def claimed(store: Store, identity: records.RequestIdentity = IDENTITY, *, now: int = 5) -> int:
    with store.transaction() as transaction:
        made = records.claim(
            transaction.session, identity, payload_hash=b"h", exchange_id="x", now=now, oldest=0
        )
    assert isinstance(made, int)
    return made


def state(store: Store, record_id: int) -> str | None:
    with store.reading() as session:
        found = records.by_id(session, record_id)
    return None if found is None else found.state


@pytest.fixture
def store(desk: Desk) -> Store:
    found: Store = desk.store
    return found


def test_the_number_of_a_record_that_was_given_up_is_never_given_to_another(store: Store) -> None:
    first = claimed(store)
    with store.transaction() as transaction:
        assert records.free(transaction.session, first)
    assert claimed(store, IDENTITY._replace(idempotency_key="b")) != first


def test_an_answer_that_is_kept_is_neither_freed_nor_put_in_doubt_nor_replaced(store: Store) -> None:
    number = claimed(store)
    with store.transaction() as transaction:
        assert records.keep_answer(transaction.session, number, answer="<first/>")
    with store.transaction() as transaction:
        records.put_in_doubt(transaction.session, number)
        assert not records.free(transaction.session, number)
        assert not records.renew(transaction.session, number, 99)
        assert not records.keep_answer(transaction.session, number, answer="<second/>")
    with store.reading() as session:
        found = records.by_id(session, number)
    assert found is not None
    assert (found.state, found.answer, found.lease_until) == ("answered", "<first/>", None)


def test_expired_records_that_another_transaction_holds_are_left_to_it(store: Store) -> None:
    if store.dialect == "sqlite":
        pytest.skip("one transaction writes at a time")
    mine, other = claimed(store), claimed(store, IDENTITY._replace(idempotency_key="b"))
    with store.transaction() as transaction:
        for number in (mine, other):
            records.keep_answer(transaction.session, number, answer="<a/>")
    with store.transaction() as holding, store.transaction() as sweeping:
        records.claim(holding.session, IDENTITY, payload_hash=b"h", exchange_id="y", now=9, oldest=8)
        assert records.sweep(sweeping.session, oldest=8) == 1
    assert state(store, other) is None


def test_a_commit_in_doubt_that_was_done_keeps_its_answer_though_nothing_was_done_elsewhere(
    open_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = open_desk(calling(was_done=False))
    run = desk.store.run

    def loses_the_word(work: Callable[[Transaction], Any]) -> None:
        run(work)
        raise CommitInDoubt("The connection broke during the commit.")

    monkeypatch.setattr(desk.store, "run", loses_the_word)
    assert desk.send("a").status == 500
    monkeypatch.undo()
    assert desk.records() == [("answered", None)]
    assert desk.send("a").status == 200
    assert (desk.started, desk.rows) == (1, 1)


def test_a_claim_whose_own_commit_was_in_doubt_is_given_up(
    open_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = open_desk(calling())
    transaction = desk.store.transaction

    @contextmanager
    def loses_the_word() -> Iterator[Transaction]:
        monkeypatch.undo()
        with transaction() as made:
            yield made
        raise CommitInDoubt("The connection broke during the commit.")

    def handler(request: Any, call: Any) -> Any:
        monkeypatch.setattr(desk.store, "transaction", loses_the_word)
        call.before_calling_out()

    desk.handler = handler
    assert desk.send("a").status == 500
    assert desk.records() == []


def test_a_claim_that_an_operator_freed_too_soon_is_made_anew_where_nobody_has_it(desk: Desk) -> None:
    def freed() -> None:
        with desk.store.transaction() as transaction:
            (record,) = records.unanswered(transaction.session)
            records.free(transaction.session, record.id)

    desk.handler = calling(freed)
    assert desk.send("a").payload == desk.send("a").payload
    assert (desk.started, desk.rows) == (1, 1)


def test_a_request_that_an_operator_answered_while_it_ran_gets_that_answer_and_does_nothing(
    desk: Desk,
) -> None:
    given = '<EchoResponse xmlns="urn:test:desk:1"><text>by hand</text><count>7</count></EchoResponse>'

    def answered() -> None:
        with desk.store.transaction() as transaction:
            (record,) = records.unanswered(transaction.session)
            records.keep_answer(transaction.session, record.id, answer=given)

    desk.handler = calling(answered)
    first = desk.send("a")
    assert b"by hand" in first.body
    assert desk.send("a").payload == first.payload
    assert (desk.started, desk.rows) == (1, 0)


def test_the_second_call_of_a_handler_takes_back_the_claim_that_was_put_in_doubt_meanwhile(
    desk: Desk,
) -> None:
    def doubted() -> None:
        with desk.store.transaction() as transaction:
            (record,) = records.unanswered(transaction.session)
            records.put_in_doubt(transaction.session, record.id)

    def handler(request: Any, call: Any) -> Any:
        call.before_calling_out()
        doubted()
        call.before_calling_out()
        assert desk.records() == [("running", None)]
        done(call)
        return reply(request)

    desk.handler = handler
    assert desk.send("a").status == 200
    assert desk.records() == [("answered", None)]


def test_why_a_request_failed_is_told_also_when_its_claim_cannot_be_given_up(
    open_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(_: Once) -> None:
        raise StoreBusy("Others write.")

    desk = open_desk(calling(fails))
    monkeypatch.setattr(Once, "release", busy)
    answer = desk.send("a")
    assert answer.status == 500
    assert "no answer" in desk.store.journal.show(answer.exchange).fault_reason


def test_a_repeat_does_not_give_an_answer_whose_shared_commit_then_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SLOW_SECONDS", "GROUP_SECONDS"):
        monkeypatch.setattr(sqlite, name, 60.0)
    desk = Desk(f"sqlite:///{tmp_path / 'bridge.sqlite'}")
    desk.send("before")
    database = desk.store._database
    end, writing = database._end_group, threading.Event()

    def fails_once(group: Any) -> None:
        monkeypatch.setattr(database, "_end_group", end)
        group.failure = StoreError("The disk is full.")
        end(group)

    def handler(request: Any, call: Any) -> Any:
        done(call)
        if not writing.is_set():
            writing.set()
            until = time.monotonic() + 20
            while not database._lock._waiting and time.monotonic() < until:
                time.sleep(0.001)
            monkeypatch.setattr(database, "_end_group", fails_once)
        return reply(request)

    desk.handler = handler
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(desk.send, "a")
        assert writing.wait(20)
        again = pool.submit(desk.send, "a")
        assert first.result().status == 500
        assert again.result().status == 200
    assert desk.rows == 2
    assert again.result().payload == desk.send("a").payload
    desk.close()
