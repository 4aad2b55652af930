"""Schedules on both databases: each moment once, however many look and however the clock jumps."""

from __future__ import annotations

import itertools
import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text, update

from bridge.delivery import schedules as schedules_module
from bridge.delivery.due import Cron, Every, Rule
from bridge.delivery.schedules import Firing, Schedule, Scheduler, Work, shown
from bridge.errors import SettingsError
from bridge.store import Store
from bridge.store import clock as store_clock
from bridge.store import schedules as rows
from bridge.store.clock import SECOND
from bridge.store.tables import act, firing, schedule

HOUR = 3600.0
LEASE = 150.0

Jump = Callable[[float], None]


@pytest.fixture
def jump(store: Store, monkeypatch: pytest.MonkeyPatch) -> Jump:
    """Sets the clock by so many seconds. PostgreSQL's own cannot be set: there everything written is moved the other way."""
    real, offset = store_clock.host_clock, [0]
    monkeypatch.setattr(store_clock, "host_clock", lambda: real() + offset[0])

    def set_sqlite(seconds: float) -> None:
        offset[0] += int(seconds * SECOND)

    def move_rows(seconds: float) -> None:
        by = int(seconds * SECOND)
        with store.transaction() as transaction:
            session = transaction.session
            session.execute(update(schedule).values(due_at=schedule.c.due_at - by))
            names = ("due_at", "started_at", "ended_at", "lease_until")
            # In two steps: a unique key is looked at row by row.
            for step in (10**17, -(10**17)):
                session.execute(update(firing).values(due_at=firing.c.due_at + step))
            session.execute(update(firing).values({name: firing.c[name] - by for name in names}))

    return set_sqlite if store.dialect == "sqlite" else move_rows


class Runs(list[Firing]):
    """What was fired, in order."""

    def __call__(self, fired: Firing) -> None:
        self.append(fired)


def scheduler(
    store: Store, *found: tuple[str, Rule, Work], owner: str = "test", lease: float = LEASE
) -> Scheduler:
    return Scheduler(store, [Schedule(*one) for one in found], owner=owner, lease=lease)


def look(one: Scheduler, times: int = 2) -> None:
    """Looks, and waits for the end of what it began."""
    for _ in range(times):
        one.look()
        until = time.monotonic() + 20
        while one.busy_with:
            assert time.monotonic() < until
            time.sleep(0.002)


def firings(store: Store) -> list[Any]:
    with store.reading() as session:
        return list(session.execute(select(*firing.columns).order_by(firing.c.id)))


def test_a_new_schedule_is_due_after_its_length_and_then_at_its_pace(store: Store, jump: Jump) -> None:
    runs = Runs()
    one = scheduler(store, ("often", Every(600), runs))
    look(one)
    assert runs == []
    for turn in range(1, 4):
        jump(600)
        look(one)
        assert len(runs) == turn
    assert [row.outcome for row in firings(store)] == ["done"] * 3
    assert all(row.ended_at >= row.started_at and row.lease_until is None for row in firings(store))


@pytest.mark.parametrize("rule", [Every(600), Cron("*/10 * * * *")], ids=["every", "cron"])
def test_an_hour_forward_runs_once_what_was_missed_six_times(store: Store, jump: Jump, rule: Rule) -> None:
    runs = Runs()
    one = scheduler(store, ("often", rule, runs))
    look(one)
    jump(HOUR)
    look(one, 3)
    assert len(runs) == 1
    jump(601)
    look(one, 3)
    assert len(runs) == 2


def test_an_hour_back_does_not_fire_a_moment_of_cron_again(store: Store, jump: Jump) -> None:
    runs = Runs()
    one = scheduler(store, ("hourly", Cron("0 * * * *"), runs))
    look(one)
    jump(HOUR)
    look(one)
    assert len(runs) == 1
    jump(-HOUR)
    look(one, 3)
    (listed,) = shown(store, lease=LEASE)
    assert listed.last is not None
    assert listed.due_at == listed.last.due_at + timedelta(hours=1)
    jump(HOUR)  # the same moment once more
    look(one, 3)
    assert len(runs) == 1
    jump(HOUR)
    look(one)
    assert len(runs) == 2
    assert len({row.due_at for row in firings(store)}) == 2


def test_moments_of_cron_that_were_passed_over_fire_when_the_clock_comes_back_to_them(
    store: Store, jump: Jump
) -> None:
    runs = Runs()
    one = scheduler(store, ("hourly", Cron("0 * * * *"), runs))
    look(one)
    jump(5 * HOUR)  # fires the first of five
    look(one)
    jump(-4 * HOUR)
    look(one)
    assert len(runs) == 1
    jump(HOUR)  # the second
    look(one)
    assert len(runs) == 2


def test_an_hour_back_does_not_make_every_wait_for_that_hour(store: Store, jump: Jump) -> None:
    runs = Runs()
    one = scheduler(store, ("often", Every(600), runs))
    look(one)
    jump(-HOUR)
    look(one)
    assert runs == []
    jump(601)
    look(one)
    assert len(runs) == 1


def test_another_rule_in_the_code_is_worked_out_anew_and_processes_with_the_old_one_go_by_it(
    store: Store, jump: Jump
) -> None:
    runs = Runs()
    old = scheduler(store, ("report", Every(86_400), runs))
    look(old)
    new = scheduler(store, ("report", Every(600), runs))
    look(new)
    (listed,) = shown(store, lease=LEASE)
    assert listed.rule == "every 600 s"
    jump(601)
    look(old)  # goes by the new rule, and leaves it alone
    look(new)
    assert len(runs) == 1
    (listed,) = shown(store, lease=LEASE)
    assert listed.rule == "every 600 s"
    assert listed.overdue is None


def test_one_that_raises_has_failed_with_its_reason_and_stops_no_other(
    store: Store, jump: Jump, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Firing) -> None:
        raise ValueError("no paper\0 in the printer")

    runs = Runs()
    one = scheduler(store, ("bad", Every(600), fail), ("good", Every(600), runs))
    look(one)
    jump(600)
    with caplog.at_level(logging.ERROR):
        look(one)
    assert "schedule bad failed: ValueError" in caplog.text
    assert len(runs) == 1
    bad, good = shown(store, lease=LEASE)
    assert bad.last is not None
    assert good.last is not None
    assert (bad.last.standing, bad.last.reason) == ("failed", "ValueError: no paper� in the printer")
    assert (good.last.standing, good.last.reason) == ("done", None)
    jump(600)
    look(one)
    assert len(runs) == 2


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.002)


def test_one_that_runs_long_neither_overlaps_with_itself_nor_delays_others(
    store: Store, jump: Jump, gate: threading.Event
) -> None:
    began: list[Firing] = []

    def long(fired: Firing) -> None:
        began.append(fired)
        gate.wait(20)

    runs = Runs()
    here = scheduler(store, ("long", Every(600), long), ("short", Every(600), runs), owner="here")
    there = scheduler(store, ("long", Every(600), long), owner="there")
    here.look()
    jump(601)
    here.look()
    wait_for(lambda: began)
    wait_for(lambda: here.busy_with == ("long",))
    assert len(runs) == 1
    for _ in range(2):
        here._renewed_at = 0.0
        jump(100)  # of a lease of 150
        here.look()
    jump(LEASE / 3)
    jump(400)
    here._renewed_at = 0.0
    here._renew()
    there.look()  # due again, and still running
    here.look()
    wait_for(lambda: len(runs) == 2)
    assert len(began) == 1
    gate.set()
    wait_for(lambda: not here.busy_with)
    there.look()
    wait_for(lambda: len(began) == 2)
    wait_for(lambda: not there.busy_with)
    assert [(row.owner, row.outcome) for row in firings(store) if row.schedule == "long"] == [
        ("here", "done"),
        ("there", "done"),
    ]


def test_one_whose_process_died_is_lost_and_the_next_one_runs(store: Store, jump: Jump) -> None:
    runs = Runs()
    one = scheduler(store, ("often", Every(60), runs))
    look(one)
    with store.transaction() as transaction:
        now = rows.clock(transaction.session)
        rows.begin(transaction.session, "often", due_at=now, owner="dead", now=now, lease=int(LEASE * SECOND))
    jump(100)
    look(one)
    assert runs == []  # it may be alive
    (listed,) = shown(store, lease=LEASE)
    assert listed.last is not None
    assert listed.last.standing == "running"
    jump(LEASE)
    (listed,) = shown(store, lease=LEASE)
    assert listed.last is not None
    assert listed.last.standing == "lost"
    look(one)
    assert len(runs) == 1
    assert [(row.owner, row.outcome) for row in firings(store)] == [("dead", None), ("test", "done")]


def test_a_lease_from_before_the_clock_was_set_back_stops_nothing(store: Store, jump: Jump) -> None:
    runs = Runs()
    one = scheduler(store, ("often", Every(60), runs))
    look(one)
    with store.transaction() as transaction:
        now = rows.clock(transaction.session)
        rows.begin(transaction.session, "often", due_at=now, owner="dead", now=now, lease=int(LEASE * SECOND))
    jump(-HOUR)
    look(one)
    jump(61)
    look(one)
    assert len(runs) == 1


def test_stopping_waits_for_what_runs_and_names_what_did_not_end(
    store: Store, jump: Jump, gate: threading.Event
) -> None:
    asked: list[bool] = []

    def polite(fired: Firing) -> None:
        wait_for(lambda: fired.is_stopping)
        asked.append(True)

    def stubborn(_: Firing) -> None:
        gate.wait(20)

    one = scheduler(store, ("polite", Every(60), polite), ("stubborn", Every(60), stubborn))
    one.look()
    jump(61)
    one.start()
    wait_for(lambda: len(one.busy_with) == 2)
    one.stop(0.3)
    assert one.busy_with == ("stubborn",)
    assert asked == [True]
    jump(61)
    one.look()
    assert len(firings(store)) == 2  # nothing begins any more
    gate.set()
    wait_for(lambda: not one.busy_with)


def test_a_store_that_fails_for_a_while_is_logged_once_and_looked_at_again(
    store: Store, jump: Jump, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    runs = Runs()
    one = Scheduler(store, [Schedule("often", Every(60), runs)], owner="test", look=0.01)
    one.look()
    jump(61)
    failures = [3]
    whole = rows.every_one

    def fails_at_first(session: Any) -> Any:
        failures[0] -= 1
        if failures[0] >= 0:
            raise OSError("gone")
        return whole(session)

    monkeypatch.setattr(rows, "every_one", fails_at_first)
    with caplog.at_level(logging.WARNING):
        one.start()
        wait_for(lambda: runs)
    one.stop(20)
    assert not one.is_alive
    assert caplog.text.count("schedules cannot be looked at: OSError") == 1


def test_that_a_firing_has_ended_is_kept_when_the_store_is_back(
    store: Store, jump: Jump, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs()
    one = scheduler(store, ("often", Every(60), runs))
    look(one)
    jump(61)
    failures = [2]
    whole = rows.end

    def fails_at_first(*given: Any) -> None:
        failures[0] -= 1
        if failures[0] >= 0:
            raise OSError("gone")
        whole(*given)

    monkeypatch.setattr(rows, "end", fails_at_first)
    monkeypatch.setattr(schedules_module, "_END_AGAIN", (0.01, 0.01, 0.01))
    look(one)
    assert [row.outcome for row in firings(store)] == ["done"]


def test_by_hand_it_runs_at_once_is_written_down_and_is_due_as_before(store: Store, jump: Jump) -> None:
    runs = Runs()
    one = scheduler(store, ("nightly", Cron("30 2 * * *", "Asia/Shanghai"), runs))
    look(one)
    (before,) = shown(store, lease=LEASE)
    ended = one.run_by_hand("nightly", who="ann", why="the list was empty")
    assert ended.outcome == "done"
    assert len(runs) == 1
    (after,) = shown(store, lease=LEASE)
    assert after.due_at == before.due_at
    assert after.last is not None
    assert after.last.standing == "done"
    with store.reading() as session:
        (done,) = session.execute(select(act.c.who, act.c.why, act.c.verb)).all()
    assert tuple(done) == ("ann", "the list was empty", "run schedule nightly")


def test_by_hand_it_is_refused_while_it_runs_and_where_there_is_none(
    store: Store, jump: Jump, gate: threading.Event
) -> None:
    one = scheduler(store, ("long", Every(600), lambda _: gate.wait(20)))
    one.look()
    jump(601)
    one.look()
    wait_for(lambda: one.busy_with)
    with pytest.raises(SettingsError, match="has been running since"):
        scheduler(store, ("long", Every(600), Runs())).run_by_hand("long", who="ann", why="now")
    with pytest.raises(SettingsError, match="There are: long"):
        one.run_by_hand("short", who="ann", why="now")
    with store.reading() as session:
        assert session.execute(select(act.c.id)).all() == []
    gate.set()
    wait_for(lambda: not one.busy_with)


PROCESS = """
import sys, threading, time
from sqlalchemy import text
from bridge.delivery.due import Every
from bridge.delivery.schedules import Schedule, Scheduler
from bridge.store import Store

url, owner, sleep = sys.argv[1:]
store = Store(url)

def work(firing):
    with store.transaction() as transaction:
        statement = text("INSERT INTO item VALUES (:sku, :unit, 0)")
        transaction.session.execute(statement, {"sku": str(firing.due_at), "unit": owner})
    print("fired", flush=True)
    time.sleep(float(sleep))

scheduler = Scheduler(store, [Schedule("often", Every(0.1), work)], owner=owner, lease=1.5, look=0.05)
scheduler.start()
sys.stdin.read()
scheduler.stop(20)
store.close()
sys.exit(len(scheduler.busy_with))
"""


def start(store: Store, url: str, owner: str, sleep: float = 0.0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS, url, owner, str(sleep)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_three_processes_fire_each_moment_once(store: Store, store_url: str) -> None:
    processes = [start(store, store_url, f"host-{number}") for number in range(3)]
    try:
        wait_for(lambda: len(firings(store)) >= 12)
        for process in processes:
            process.communicate(timeout=30)
            assert process.returncode == 0
    finally:
        for process in processes:
            process.kill()
            process.wait()
    found = firings(store)
    with store.reading() as session:
        done = list(session.execute(text("SELECT sku FROM item")).scalars())
    assert len(done) == len(found)  # whoever did one twice would have broken the key
    assert {row.outcome for row in found} == {"done"}
    assert all(later.started_at >= earlier.ended_at for earlier, later in itertools.pairwise(found))


def test_a_process_killed_in_a_firing_leaves_it_lost_and_another_goes_on(
    store: Store, store_url: str
) -> None:
    first = start(store, store_url, "first", sleep=60)
    assert first.stdout is not None
    try:
        assert first.stdout.readline() == "fired\n"
    finally:
        first.send_signal(signal.SIGKILL)
        first.communicate()
    runs = Runs()
    second = scheduler(store, ("often", Every(0.1), runs), owner="second", lease=1.5)
    second.start()
    wait_for(lambda: runs)
    second.stop(20)
    assert [(row.owner, row.outcome) for row in firings(store)][:2] == [("first", None), ("second", "done")]
