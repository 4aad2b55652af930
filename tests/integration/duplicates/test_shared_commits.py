"""Writers on SQLite share commits: what a repeat saw of a request that was not kept yet must not become its answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy import text

from bridge.store import Transaction
from bridge.store import sqlite as sqlite_store

from .conftest import Answer, Desk


def break_at_commit(transaction: Transaction) -> None:
    transaction.session.execute(text("PRAGMA defer_foreign_keys = ON"))
    transaction.session.execute(text("INSERT INTO stock_balance VALUES ('NONE', 'NONE', 0, 0, 0, 1)"))


def queue_up(desk: Desk, work: list[Callable[[], object]]) -> None:
    """Everything in this order behind one transaction, so that all of it shares one commit."""
    threads = [threading.Thread(target=one) for one in work]
    waiting = desk.store._database._lock._waiting
    with desk.store.transaction() as transaction:
        transaction.session.execute(text("SELECT 1"))
        for number, thread in enumerate(threads, 1):
            thread.start()
            until = time.monotonic() + 10
            while len(waiting) < number and time.monotonic() < until:
                time.sleep(0.001)
        transaction.rollback()
    for thread in threads:
        thread.join(20)


@pytest.mark.parametrize("fails", [False, True])
def test_a_repeat_in_the_same_commit_gets_an_answer_that_is_kept(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    monkeypatch.setattr(sqlite_store, "SLOW_SECONDS", 60)
    monkeypatch.setattr(sqlite_store, "GROUP_SECONDS", 60)
    desk = Desk(sqlite_url)
    answers: list[Answer] = []
    errors: list[Exception] = []

    def send() -> None:
        answers.append(desk.send("a"))

    def spoil() -> None:
        try:
            desk.store.run(break_at_commit)
        except Exception as error:
            errors.append(error)

    queue_up(desk, [send, send, spoil] if fails else [send, send])
    assert [answer.status for answer in answers] == [200, 200]
    assert len({answer.payload for answer in answers}) == 1
    assert (desk.rows, desk.records()) == (1, [("answered", None)])
    assert desk.send("a").payload == answers[0].payload
    assert len(errors) == fails
    desk.close()
