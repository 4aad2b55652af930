"""Runners with real threads on both databases: order, fairness, wake-ups, stopping, and what others leave behind."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psycopg
import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from bridge.delivery.drain import Drain
from bridge.delivery.gate import Gate, GateOptions
from bridge.delivery.policy import Answer, Rules
from bridge.delivery.runner import Destination, Runner
from bridge.delivery.sender import Delivery, Document
from bridge.errors import ContractError
from bridge.settings import Delivery as Options
from bridge.store import Store, clock
from bridge.store.clock import SECOND
from bridge.store.tables import ordering_key, outbox

from .conftest import Outbox

RARELY = 3000.0
"""Seconds between two sweeps, where a test is to see that something else finds what is there."""


def until(found: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


@dataclass
class Partner:
    """Takes documents, from many threads; `ready` lets them through."""

    name: str = "erp"
    rules: Rules = field(default_factory=lambda: Rules(first_delay=0.05, keeps_id=True))
    sent: list[tuple[str, str]] = field(default_factory=list)
    """(ordering key, payload) as they arrived."""
    script: list[str] = field(default_factory=list)
    ready: threading.Event = field(default_factory=threading.Event)
    under_way: int = 0
    most_under_way: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.ready.set()

    def deliver(self, document: Document, *, exchange_id: str) -> Delivery:
        with self.lock:
            self.sent.append((document.ordering_key, document.payload))
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
            outcome: Any = self.script.pop(0) if self.script else "Delivered"
        self.ready.wait(60)
        with self.lock:
            self.under_way -= 1
        return Delivery(outcome=outcome, cause=None if outcome == "Delivered" else outcome)

    def ask(self, document: Document) -> Answer:
        return "unknown"

    def payloads(self, key: str) -> list[str]:
        with self.lock:
            return [payload for of_key, payload in self.sent if of_key == key]


MakeRunner = Callable[..., Runner]


def destination(store: Store, partner: Partner, concurrency: int = 4, **changed: Any) -> Destination:
    gate = Gate(partner.name, GateOptions(concurrency=concurrency))
    given: dict[str, Any] = {"drains": partial(Drain, store, partner, gate), "furthest": 1e6, **changed}
    return Destination(name=partner.name, concurrency=concurrency, gate=gate, **given)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest, sqlite_url: str) -> str:
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgresql_url")
        return url
    Store(sqlite_url).migrate()
    return sqlite_url


@pytest.fixture
def other(store_url: str) -> Iterator[Store]:
    """The store as another process has it: nobody there is woken by what is put here."""
    store = Store(store_url)
    yield store
    store.close()


@pytest.fixture
def make_runner(store: Store, other: Store) -> Iterator[MakeRunner]:
    """Starts runners, and ends them after the test, before their stores are closed."""
    made: list[Runner] = []

    def make(*partners: Partner | Destination, store: Store = store, **options: Any) -> Runner:
        to = [destination(store, one) if isinstance(one, Partner) else one for one in partners]
        runner = Runner(store, to, Options(**{"sweep": RARELY, "lease": 20.0, **options}))
        made.append(runner)
        runner.start()
        return runner

    yield make
    for runner in made:
        runner.stop(10)


@pytest.fixture
def elsewhere(other: Store) -> Outbox:
    """The outbox of another process."""
    return Outbox(other)


@pytest.fixture
def erp() -> Iterator[Partner]:
    partner = Partner()
    yield partner
    partner.ready.set()


def test_documents_are_sent_in_the_order_of_their_keys_and_keys_side_by_side(
    box: Outbox, erp: Partner, make_runner: MakeRunner
) -> None:
    erp.ready.clear()
    make_runner(erp)
    for number in range(10):
        for key in "ABCDE":
            box.put(f"{key}{number}", key=key)
    until(lambda: erp.under_way == 4)
    erp.ready.set()
    until(lambda: len(erp.sent) == 50)
    for key in "ABCDE":
        assert erp.payloads(key) == [f"{key}{number}" for number in range(10)]
    assert erp.most_under_way == 4


def test_what_is_there_before_the_start_is_found(box: Outbox, erp: Partner, make_runner: MakeRunner) -> None:
    box.put("a", "b")
    make_runner(erp)
    until(lambda: box.states() == ["delivered"] * 2)


def test_more_keys_than_are_fetched_at_once_are_all_served(
    box: Outbox, erp: Partner, make_runner: MakeRunner
) -> None:
    for number in range(100):
        box.put("x", key=f"K{number}")
    make_runner(erp)
    until(lambda: len(erp.sent) == 100)
    assert Counter(key for key, _ in erp.sent) == Counter(f"K{number}" for number in range(100))


def test_partners_that_do_not_answer_leave_the_others_their_threads(
    box: Outbox, make_runner: MakeRunner
) -> None:
    dead = [Partner("dead-1"), Partner("dead-2")]
    alive = Partner("alive")
    for one in dead:
        one.ready.clear()
        for number in range(8):
            box.put("x", key=f"K{number}", partner=one.name)
    make_runner(*dead, alive, threads=4)
    try:
        until(lambda: sum(one.under_way for one in dead) == 5)
        for number in range(20):
            box.put("y", key=f"K{number}", partner="alive")
        until(lambda: len(alive.sent) == 20)
        assert sum(len(one.sent) for one in dead) == 5
    finally:
        for one in dead:
            one.ready.set()


def test_a_document_of_another_process_is_noticed_without_a_sweep(
    elsewhere: Outbox, erp: Partner, make_runner: MakeRunner
) -> None:
    runner = make_runner(erp)
    assert runner.listener.connected.wait(20)
    for number in range(5):
        elsewhere.put(f"{number}")
        until(lambda number=number: len(erp.sent) == number + 1)


def test_what_was_not_told_of_is_found_by_the_sweep(
    elsewhere: Outbox, erp: Partner, make_runner: MakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Store, "watch", lambda store, channel: _Deaf())
    make_runner(erp, sweep=0.1)
    elsewhere.put("a")
    until(lambda: erp.sent == [("K", "a")])


class _Deaf:
    def wait(self, seconds: float) -> list[str]:
        time.sleep(0.01)
        return []

    def close(self) -> None:
        pass


@pytest.mark.postgres
def test_a_listener_whose_connection_is_cut_comes_back_and_finds_what_it_missed(
    postgresql_url: str, erp: Partner
) -> None:
    with contextlib.closing(Store(postgresql_url)) as store:
        box = Outbox(store)
        runner = Runner(store, [destination(store, erp)], Options(sweep=RARELY))
        runner.start()
        store.wakers.clear()
        try:
            until(lambda: _listeners(postgresql_url) == 1)
            assert _listeners(postgresql_url, "pg_terminate_backend(pid)") == 1
            box.put("a")
            until(lambda: erp.sent == [("K", "a")])
            until(lambda: _listeners(postgresql_url) == 1)
            box.put("b")
            until(lambda: erp.sent == [("K", "a"), ("K", "b")])
        finally:
            runner.stop(10)
    until(lambda: _listeners(postgresql_url) == 0)


def _listeners(url: str, then: str = "pid") -> int:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        found = connection.execute(
            f"SELECT {then} FROM pg_stat_activity WHERE query LIKE 'LISTEN %' AND datname = current_database()"
        )
        return len(found.fetchall())


def test_what_is_tried_again_is_tried_when_it_is_due(
    box: Outbox, erp: Partner, make_runner: MakeRunner
) -> None:
    erp.script = ["NotSent", "Unavailable", "InDoubt"]
    make_runner(erp)
    box.put("a", "b")
    until(lambda: box.states() == ["delivered"] * 2)
    assert [payload for _, payload in erp.sent] == ["a", "a", "a", "a", "b"]


def test_stopping_finishes_what_is_being_sent_and_begins_nothing_new(
    box: Outbox, erp: Partner, make_runner: MakeRunner
) -> None:
    erp.ready.clear()
    runner = make_runner(erp)
    for key in "ABCDEF":
        box.put("1", "2", key=key)
    until(lambda: erp.under_way == 4)
    stopped = threading.Thread(target=runner.stop, args=(30,))
    stopped.start()
    until(lambda: runner.is_resting)
    erp.ready.set()
    stopped.join(30)
    assert not stopped.is_alive()
    begun = {key for key, _ in erp.sent}
    assert len(erp.sent) == len(begun) == 4
    for key in "ABCDEF":
        assert box.states(key) == (["delivered", "waiting"] if key in begun else ["waiting", "waiting"])
        assert box.key(key).lease_owner is None
    make_runner(erp)
    until(lambda: len(erp.sent) == 12)
    for key in "ABCDEF":
        assert erp.payloads(key) == ["1", "2"]


def test_a_stop_does_not_wait_for_longer_than_its_grace(
    box: Outbox, erp: Partner, make_runner: MakeRunner, caplog: pytest.LogCaptureFixture
) -> None:
    erp.ready.clear()
    runner = make_runner(erp)
    box.put("a")
    until(lambda: erp.under_way == 1)
    runner.stop(0.1)
    assert box.states() == ["sending"]
    assert box.key().lease_owner == runner.owner, "it lapses, and then the document is in doubt"
    erp.ready.set()
    until(lambda: box.states() == ["delivered"])


def test_two_runners_share_the_work_and_send_each_document_once(
    other: Store, box: Outbox, make_runner: MakeRunner
) -> None:
    mine, yours = Partner(), Partner()
    mine.ready.clear()
    yours.ready.clear()
    for number in range(10):
        for key in range(20):
            box.put(f"{number}", key=f"K{key}")
    make_runner(destination(other, yours, concurrency=30), store=other)
    make_runner(destination(box.store, mine, concurrency=30))
    until(lambda: mine.under_way == yours.under_way == 8)
    mine.ready.set()
    yours.ready.set()
    until(lambda: all(box.states(f"K{key}") == ["delivered"] * 10 for key in range(20)))
    assert len(mine.sent) + len(yours.sent) == 200
    for key in range(20):
        assert sorted(mine.payloads(f"K{key}") + yours.payloads(f"K{key}")) == [f"{n}" for n in range(10)]


def test_the_lease_of_a_runner_that_died_is_taken_over(
    box: Outbox, erp: Partner, make_runner: MakeRunner
) -> None:
    box.put("a")
    _leave_leased(box, owner="dead:1:ff", length=SECOND // 2)
    make_runner(erp, sweep=0.1)
    until(lambda: box.states() == ["delivered"])
    assert box.key().lease_owner is None


def _leave_leased(box: Outbox, key: str = "K", *, owner: str, length: int) -> None:
    _set(box, key, lease_owner=owner, lease_until=clock.host_clock() + length, lease_no=1)


def test_a_lease_is_renewed_for_as_long_as_its_document_takes(
    other: Store, box: Outbox, erp: Partner, make_runner: MakeRunner
) -> None:
    erp.ready.clear()
    make_runner(erp, lease=0.5)
    box.put("a")
    until(lambda: erp.under_way == 1)
    first = box.key().lease_until
    assert first is not None
    thief = Partner()
    make_runner(destination(other, thief), store=other, lease=0.5, sweep=0.05)
    until(lambda: (box.key().lease_until or 0) > first + SECOND)
    erp.ready.set()
    until(lambda: box.states() == ["delivered"])
    assert thief.sent == []


def test_a_key_whose_drain_raises_is_looked_at_again_later_and_holds_up_nobody(
    store: Store, box: Outbox, erp: Partner, make_runner: MakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.delivery.turns.FIRST_PAUSE", 0.3)
    tried: defaultdict[str, int] = defaultdict(int)

    def drains(*, owner: str, **given: Any) -> Callable[[str], bool]:
        real = Drain(store, erp, gate, owner=owner, **given)

        def drain(key: str) -> bool:
            tried[key] += 1
            if key == "bad" and tried[key] < 3:
                _leave_leased(box, key, owner=owner, length=20 * SECOND)
                raise ZeroDivisionError
            return real(key)

        return drain

    gate = Gate("erp", GateOptions())
    box.put("a", key="bad")
    make_runner(destination(store, erp, drains=drains))
    until(lambda: tried["bad"] == 1)
    box.put("b", key="good")
    until(lambda: box.states("good") == ["delivered"])
    until(lambda: box.states("bad") == ["delivered"])
    assert tried == {"bad": 3, "good": 1}


def test_a_partner_that_cannot_be_made_is_tried_again_and_its_documents_wait(
    store: Store, box: Outbox, erp: Partner, make_runner: MakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.delivery.runner.FIRST_PARTNER_PAUSE", 0.1)
    gate = Gate("erp", GateOptions())
    made: list[str] = []

    def drains(**given: Any) -> Callable[[str], bool]:
        made.append("tried")
        if len(made) < 3:
            raise ContractError("It is not there.")
        return Drain(store, erp, gate, **given)

    box.put("a")
    make_runner(destination(store, erp, drains=drains))
    until(lambda: box.states() == ["delivered"])
    assert len(made) == 3
    assert box.key().lease_no == 1


def test_a_hot_key_does_not_keep_the_others_waiting(
    box: Outbox, make_runner: MakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.delivery.runner.TURN", 0.05)
    hot = Partner()
    produced = threading.Event()

    class Endless(Partner):
        def deliver(self, document: Document, *, exchange_id: str) -> Delivery:
            if document.ordering_key == "hot" and not produced.is_set():
                box.put("x", key="hot")
            return super().deliver(document, exchange_id=exchange_id)

    hot = Endless()
    make_runner(destination(box.store, hot, concurrency=1))
    box.put("x", key="hot")
    until(lambda: len(hot.sent) > 3)
    for number in range(3):
        box.put("y", key=f"cold-{number}")
    until(lambda: all(hot.payloads(f"cold-{number}") for number in range(3)))
    produced.set()
    until(lambda: box.key("hot").state == "idle")


def test_documents_for_a_partner_nobody_knows_wait_and_are_told_of_once(
    box: Outbox, erp: Partner, make_runner: MakeRunner
) -> None:
    box.put("a", key="lost", partner="gone")
    with capture_logs() as logged:
        make_runner(erp, sweep=0.02)
        until(lambda: logged)
        box.put("b")
        until(lambda: box.states() == ["delivered"])
        time.sleep(0.1)
    assert [(line["event"], line.get("partner")) for line in logged] == [
        ("documents wait for a partner that is not in the settings", "gone")
    ]
    assert box.states("lost") == ["waiting"]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_clock_that_is_set_back_does_not_keep_a_document_waiting(
    box: Outbox, erp: Partner, make_runner: MakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = clock.host_clock
    erp.rules = Rules(first_delay=600, max_delay=600)
    erp.script = ["NotSent"]
    make_runner(erp, sweep=0.05)
    box.put("a")
    until(lambda: box.states() == ["waiting"] and len(erp.sent) == 1)
    monkeypatch.setattr(clock, "host_clock", lambda: real() - 3600 * SECOND)
    until(lambda: box.states() == ["delivered"])


def test_a_clock_that_was_set_back_while_nobody_ran_does_not_keep_a_document_waiting(
    box: Outbox, erp: Partner, make_runner: MakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.put("a")
    _set(box, "K", due_at=clock.host_clock() + 600 * SECOND)
    later = clock.host_clock() + 3600 * SECOND
    with box.store.transaction() as transaction:
        transaction.session.execute(update(outbox).values(created_at=later, since=later, changed_at=later))
    make_runner(erp, sweep=0.05)
    until(lambda: box.states() == ["delivered"])


def test_what_is_put_off_waits_where_a_runner_starts_and_the_clock_is_right(
    box: Outbox, erp: Partner, make_runner: MakeRunner
) -> None:
    box.put("a", key="later")
    box.put("b", key="now")
    _set(box, "later", due_at=clock.host_clock() + 600 * SECOND)
    make_runner(erp, sweep=0.05)
    until(lambda: box.states("now") == ["delivered"])
    assert box.states("later") == ["waiting"]


def test_moments_that_nobody_can_have_meant_are_brought_forward(
    box: Outbox, erp: Partner, make_runner: MakeRunner
) -> None:
    box.put("a", key="far")
    box.put("b", key="later")
    _set(box, "far", due_at=clock.host_clock() + 101 * SECOND)
    _set(box, "later", due_at=clock.host_clock() + 60 * SECOND)
    make_runner(destination(box.store, erp, furthest=99.0), sweep=0.05)
    until(lambda: box.states("far") == ["delivered"])
    assert box.states("later") == ["waiting"]


def test_a_lease_that_nobody_can_have_taken_is_ended(
    box: Outbox, erp: Partner, make_runner: MakeRunner
) -> None:
    box.put("a")
    _leave_leased(box, owner="dead:1:ff", length=3600 * SECOND)
    make_runner(erp, sweep=0.05)
    until(lambda: box.states() == ["delivered"])


def _set(box: Outbox, key: str, **values: Any) -> None:
    with box.store.transaction() as transaction:
        transaction.session.execute(
            update(ordering_key).where(ordering_key.c.ordering_key == key).values(values)
        )
