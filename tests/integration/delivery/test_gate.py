"""Gates of partners on both databases: what they let through, over all processes that share the database."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from bridge.delivery import gate as gates_of_partners
from bridge.delivery.circuit import Rules
from bridge.delivery.drain import Drain
from bridge.delivery.gate import Gate, GateOptions, GateState, states
from bridge.delivery.policy import Outcome
from bridge.delivery.sender import Delivery
from bridge.delivery.timetable import Timetable
from bridge.store import Session, Store, outbox
from bridge.store.clock import SECOND, host_clock, moment
from bridge.store.tables import ordering_key, partner_gate

from .conftest import LEASE, Outbox, ScriptedPartner

OPTIONS = GateOptions(circuit=Rules(failures=3, pause=10.0, probe=60.0), lease=LEASE)
NOW = 1_700_000_000 * SECOND
DELIVERED = Delivery(outcome="Delivered")


def admit(gate: Gate, store: Store, now: int = NOW, *, new: bool = True) -> int | None:
    with store.transaction() as transaction:
        return gate.admit(transaction.session, now, new=new)


def note(gate: Gate, store: Store, outcome: Outcome, now: int = NOW, **more: Any) -> None:
    with store.transaction() as transaction:
        gate.note(transaction.session, now, Delivery(outcome=outcome, **more))


def fail(gate: Gate, store: Store, times: int = 3, now: int = NOW) -> None:
    for _ in range(times):
        note(gate, store, "NotSent", now, reason="Nobody listens.")


def state(store: Store, partner: str = "erp") -> GateState:
    with store.reading() as session:
        return next(one for one in states(session) if one.partner == partner)


@contextmanager
def another(store: Store, url: str) -> Iterator[Store]:
    """A store as another process has it; on SQLite the same, as one file has one writer at a time anyway."""
    if store.dialect == "sqlite":
        yield store
        return
    second = Store(url)
    yield second
    second.close()


class CountedSession:
    """Stands in for a session and refuses every statement."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a statement was run: {name}")


def no_statement() -> Any:
    return CountedSession()


# -- circuit


def test_an_open_gate_lets_everything_through(store: Store) -> None:
    gate = Gate("erp", OPTIONS)
    assert admit(gate, store) is None
    assert admit(gate, store, new=False) is None
    assert gate.rest() == 0.0


def test_a_success_while_all_is_well_costs_no_statement(store: Store) -> None:
    gate = Gate("erp", OPTIONS)
    admit(gate, store)
    gate.note(no_statement(), NOW, DELIVERED)


def test_failures_in_a_row_open_the_circuit_for_all_processes_and_the_log_tells_it_once(
    store: Store, store_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bridge.delivery.gate")
    gate = Gate("erp", OPTIONS)
    admit(gate, store)
    fail(gate, store, 2, NOW)
    assert admit(gate, store) is None
    fail(gate, store, 3, NOW + 5 * SECOND)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage() == (
        "partner erp: 3 deliveries in a row did not reach it, since 2023-11-14T22:13:20+00:00; "
        "left in peace until 2023-11-14T22:13:35+00:00. Why: soapbridge deliveries list --open --partner erp"
    )
    with another(store, store_url) as second:
        for new in (True, False):
            assert admit(Gate("erp", OPTIONS), second, NOW + 6 * SECOND, new=new) == NOW + 15 * SECOND
        assert admit(Gate("other", OPTIONS), second) is None
    found = state(store)
    assert (found.circuit, found.failures, found.reason) == ("open", 3, "Nobody listens.")
    assert found.tries_again_at == moment(NOW + 15 * SECOND)
    assert found.since == moment(NOW)


def test_after_the_pause_exactly_one_attempt_tries_whoever_asks(store: Store, store_url: str) -> None:
    gate = Gate("erp", OPTIONS)
    fail(gate, store)
    later = NOW + 11 * SECOND
    with another(store, store_url) as second:
        gates = [(gate, store), (Gate("erp", OPTIONS), second)] * 4
        answers: list[int | None] = []
        start = threading.Barrier(len(gates))

        def ask(one: Gate, where: Store, new: bool) -> None:
            start.wait()
            answers.append(admit(one, where, later, new=new))

        threads = [
            threading.Thread(target=ask, args=(*pair, number % 3 == 0)) for number, pair in enumerate(gates)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers.count(None) == 1
    assert {answer for answer in answers if answer is not None} == {later + SECOND}
    assert state(store).circuit == "half_open"


def test_the_one_that_tries_closes_it_and_that_is_told_once(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate("erp", OPTIONS)
    fail(gate, store)
    caplog.clear()
    caplog.set_level(logging.INFO, "bridge.delivery.gate")
    assert admit(gate, store, NOW + 11 * SECOND) is None
    note(gate, store, "Refused", NOW + 12 * SECOND)
    assert [record.getMessage() for record in caplog.records] == [
        "partner erp answers again: deliveries go on"
    ]
    assert state(store)[:5] == ("erp", "closed", 0, None, None)
    assert admit(gate, store, NOW + 12 * SECOND) is None
    gate.note(no_statement(), NOW, DELIVERED)


def test_the_one_that_tries_and_fails_opens_it_for_twice_as_long(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate("erp", OPTIONS)
    fail(gate, store)
    caplog.clear()
    tried = NOW + 11 * SECOND
    assert admit(gate, store, tried) is None
    fail(gate, store, 1, tried)
    assert admit(gate, store, tried) == tried + 20 * SECOND
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert state(store).since == moment(NOW)


def test_one_that_tries_and_dies_is_followed_by_another_after_its_time(store: Store) -> None:
    gate = Gate("erp", OPTIONS)
    fail(gate, store)
    tried = NOW + 11 * SECOND
    assert admit(gate, store, tried) is None
    assert admit(gate, store, tried + 59 * SECOND) is not None
    assert admit(gate, store, tried + 60 * SECOND) is None


def test_an_attempt_that_was_not_committed_leaves_the_circuit_as_it_was(store: Store) -> None:
    gate = Gate("erp", OPTIONS)
    fail(gate, store)
    with store.transaction() as transaction:
        assert gate.admit(transaction.session, NOW + 11 * SECOND, new=True) is None
        transaction.rollback()
    assert state(store).circuit == "open"
    assert admit(gate, store, NOW + 11 * SECOND) is None


@pytest.mark.parametrize(
    ("delivery", "counts"),
    [
        (Delivery(outcome="NotSent"), True),
        (Delivery(outcome="Unavailable"), True),
        (Delivery(outcome="InDoubt", answered=False), True),
        (Delivery(outcome="InDoubt"), False),
        (Delivery(outcome="Refused"), False),
        (Delivery(outcome="Unauthorised"), False),
        (Delivery(outcome="DeliveredUnreadable"), False),
        (Delivery(outcome="Delivered"), False),
    ],
    ids=str,
)
def test_what_did_not_reach_the_partner_counts_and_any_answer_begins_anew(
    store: Store, delivery: Delivery, counts: bool
) -> None:
    gate = Gate("erp", OPTIONS)
    fail(gate, store, 2)
    with store.transaction() as transaction:
        gate.note(transaction.session, NOW, delivery)
    assert state(store).failures == (3 if counts else 0)


def test_what_our_own_guard_refused_tells_nothing_about_the_partner(store: Store) -> None:
    gate = Gate("erp", OPTIONS)
    fail(gate, store, 2)
    gate.note(no_statement(), NOW, Delivery(outcome="Unpresentable"))


def test_a_success_closes_a_circuit_that_another_process_opened_once_this_one_has_seen_it(
    store: Store, store_url: str
) -> None:
    ours = Gate("erp", OPTIONS)
    assert admit(ours, store) is None
    with another(store, store_url) as second:
        theirs = Gate("erp", OPTIONS)
        fail(theirs, second, 2)
        assert admit(ours, store) is None
        note(ours, store, "Delivered")
        assert state(store).failures == 0
        fail(theirs, second, 2)
    assert state(store).circuit == "closed"


def test_without_a_number_of_failures_nothing_is_counted(store: Store) -> None:
    gate = Gate("erp", replace(OPTIONS, circuit=Rules(failures=0)))
    gate.note(no_statement(), NOW, Delivery(outcome="NotSent"))


def test_a_clock_set_back_does_not_keep_the_circuit_open(store: Store) -> None:
    gate = Gate("erp", OPTIONS)
    fail(gate, store)
    assert admit(gate, store, NOW - 3600 * SECOND) is None


# -- held


def test_a_held_partner_gets_nothing_until_it_is_let_go(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bridge.delivery.gate")
    gate = Gate("erp", OPTIONS)
    with store.transaction() as transaction:
        gate.hold(transaction.session, NOW, "The password has expired.")
        gate.hold(transaction.session, NOW, "Another reason.")
    for new in (True, False):
        assert admit(gate, store, new=new) == NOW + 2 * SECOND
    assert 0 < gate.rest() <= 2.0
    assert state(store).held_because == "The password has expired."
    with store.transaction() as transaction:
        gate.release(transaction.session, NOW)
        gate.release(transaction.session, NOW)
    assert state(store).held_because is None
    assert admit(gate, store, new=False) is None
    assert [record.getMessage() for record in caplog.records] == [
        "partner erp is held: nothing leaves for it until a person lets it go",
        "partner erp is let go: deliveries go on",
    ]


def test_two_who_let_go_at_once_do_it_once(store: Store) -> None:
    with store.transaction() as transaction:
        assert gates_of_partners.hold(transaction.session, "erp", NOW, "because")
        assert not gates_of_partners.hold(transaction.session, "erp", NOW, "because")
    done = []

    def let_go() -> None:
        with store.transaction() as transaction:
            done.append(gates_of_partners.release(transaction.session, "erp", NOW))

    threads = [threading.Thread(target=let_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [False, False, False, True]


def test_letting_go_a_partner_whose_circuit_is_open_lets_one_try_at_once(store: Store) -> None:
    gate = Gate("erp", OPTIONS)
    fail(gate, store)
    with store.transaction() as transaction:
        gate.release(transaction.session, NOW)
    assert admit(gate, store) is None
    assert admit(gate, store) is not None


# -- timetable


def test_outside_of_its_hours_a_partner_gets_nothing_and_no_statement_is_run() -> None:
    at = moment(NOW)  # a Tuesday, 22:13:20 UTC
    timetable = Timetable.of(["Mon-Fri 06:00-22:00"], at.tzinfo or pytest.fail("no zone"))
    gate = Gate("erp", replace(OPTIONS, timetable=timetable))
    opens = at.replace(hour=6, minute=0, second=0) + timedelta(days=1)
    found = gate.admit(no_statement(), NOW, new=True)
    assert found is not None
    assert moment(found) == opens
    assert 1.0 < gate.rest() <= 60.0


def test_within_its_hours_it_gets_them(store: Store) -> None:
    at = moment(NOW)
    timetable = Timetable.of(["22:00-06:00"], at.tzinfo or pytest.fail("no zone"))
    assert admit(Gate("erp", replace(OPTIONS, timetable=timetable)), store) is None


def test_a_key_that_is_drained_goes_on_for_a_moment_without_a_look_and_notices_then_what_others_did(
    store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate("erp", OPTIONS)
    admit(gate, store)
    assert gate.admit(no_statement(), NOW, new=False) is None
    with another(store, store_url) as second, second.transaction() as transaction:
        gates_of_partners.hold(transaction.session, "erp", NOW, "because")
    assert admit(gate, store, new=True) is not None, "who begins a key looks"
    assert admit(gate, store, new=False) is not None
    with store.transaction() as transaction:
        gates_of_partners.release(transaction.session, "erp", NOW)
    assert admit(gate, store) is None
    with another(store, store_url) as second:
        fail(Gate("erp", OPTIONS), second)
    passed = time.monotonic() + gates_of_partners.BELIEVED
    monkeypatch.setattr(time, "monotonic", lambda: passed)
    assert admit(gate, store, new=False) is not None


def test_what_this_process_did_itself_is_noticed_at_once(store: Store) -> None:
    gate = Gate("erp", OPTIONS)
    admit(gate, store)
    fail(gate, store)
    assert admit(gate, store, new=False) is not None
    other = Gate("other", OPTIONS)
    admit(other, store)
    with store.transaction() as transaction:
        other.hold(transaction.session, NOW, "because")
    assert admit(other, store, new=False) is not None


# -- concurrency


def lease_keys(store: Store, box: Outbox, count: int, partner: str = "erp", until: int | None = None) -> None:
    for number in range(count):
        key = f"{partner}-{number}"
        box.put("a", key=key, partner=partner)
        with store.transaction() as transaction:
            outbox.lock(transaction.session, partner, key)
            outbox.take_lease(transaction.session, partner, key, owner="somebody", length=LEASE)
            if until is not None:
                transaction.session.execute(
                    update(ordering_key).where(ordering_key.c.ordering_key == key).values(lease_until=until)
                )


def test_a_key_without_a_place_waits_a_little_and_then_longer_and_its_process_leaves_the_others_alone(
    store: Store, box: Outbox
) -> None:
    gate = Gate("erp", replace(OPTIONS, concurrency=2))
    lease_keys(store, box, 1)
    assert admit(gate, store) is None
    lease_keys(store, box, 2)
    waits = [admit(gate, store) for _ in range(8)]
    assert all(wait is not None and NOW < wait <= NOW + SECOND for wait in waits)
    assert waits[0] is not None
    assert waits[0] <= NOW + 50_000
    assert waits[-1] is not None
    assert waits[-1] >= NOW + 500_000
    assert gate.rest() > 0
    assert admit(gate, store, new=False) is None, "who has a lease has a place"
    assert admit(gate, store) is not None
    gate.left()
    assert gate.rest() == 0.0


def test_leases_that_have_lapsed_and_those_of_other_partners_take_no_place(store: Store, box: Outbox) -> None:
    gate = Gate("erp", replace(OPTIONS, concurrency=1))
    lease_keys(store, box, 2, "other")
    lease_keys(store, box, 1, until=host_clock() - SECOND)
    assert admit(gate, store) is None
    lease_keys(store, box, 1, until=host_clock() + 3600 * SECOND)  # the clock was set back
    assert admit(gate, store) is None


def test_never_more_at_the_same_time_than_the_partner_takes_over_all_processes(
    store: Store, store_url: str, box: Outbox
) -> None:
    limit, most, under_way = 2, 0, 0
    counting = threading.Lock()

    def arrive(document: object) -> None:
        nonlocal most, under_way
        with counting:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.002)
        with counting:
            under_way -= 1

    keys = [f"key-{number}" for number in range(12)]
    for key in keys:
        box.put("a", "b", key=key)
    partner = ScriptedPartner(before=arrive)

    def run(where: Store, gate: Gate, owner: str) -> None:
        drain = Drain(where, partner, gate, owner=owner, lease=LEASE, stopping=lambda: False)
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with where.reading() as session:
                due = outbox.due_keys(session, "erp", lease=LEASE, most=3)
            for key in due:
                drain(key)
                gate.left()
            if len(partner.sent) == 2 * len(keys):
                return
            time.sleep(0.005)

    with another(store, store_url) as second:
        threads = []
        for number, where in enumerate((store, second)):
            gate = Gate("erp", replace(OPTIONS, concurrency=limit))
            threads += [
                threading.Thread(target=run, args=(where, gate, f"{number}-{thread}")) for thread in range(3)
            ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(partner.sent) == 2 * len(keys)
    assert 1 <= most <= limit


def test_counting_leases_does_not_walk_over_all_keys(store: Store, box: Outbox) -> None:
    from bridge.store.gates import _LEASED

    if store.dialect == "sqlite":
        with store.reading() as session:
            plan = session.connection().exec_driver_sql(
                "EXPLAIN QUERY PLAN " + _LEASED.text("sqlite"), ("erp", 1)
            )
            assert "ix_ordering_key_leased" in str(plan.all())
        return
    with store.transaction() as transaction:
        session = transaction.session
        session.connection().exec_driver_sql(
            "INSERT INTO ordering_key (partner, ordering_key, next_seq, state, due_at, lease_no) "
            "SELECT 'erp', n::text, 1, 'idle', 0, 0 FROM generate_series(1, 5000) n"
        )
        session.connection().exec_driver_sql("ANALYZE ordering_key")
        text = _LEASED.text("postgresql").replace("%s", "%(partner)s", 1).replace("%s", "%(length)s")
        plan = session.connection().exec_driver_sql("EXPLAIN " + text, {"partner": "erp", "length": 1})
        assert "ix_ordering_key_leased" in str(plan.all())


# -- rate


def let_through(gates: list[tuple[Gate, Store]], begin: int, seconds: float, step: int = 12_500) -> list[int]:
    """When documents went, asked for every few milliseconds by each gate in turn."""
    went = []
    for turn, now in enumerate(range(begin, begin + round(seconds * SECOND), step)):
        gate, store = gates[turn % len(gates)]
        if admit(gate, store, now, new=False) is None:
            went.append(now)
    return went


def test_the_rate_is_kept_on_average_by_all_processes_together(store: Store, store_url: str) -> None:
    options = replace(OPTIONS, rate=20.0)
    with another(store, store_url) as second:
        went = let_through([(Gate("erp", options), store), (Gate("erp", options), second)], NOW, 1.5)
    assert 30 <= len(went) <= 30 + 6  # a quarter of a second's worth at the beginning
    for begin in went:
        assert sum(begin <= at < begin + SECOND for at in went) <= 20 + 6


def test_whoever_has_to_wait_is_told_the_moment_of_the_next_slot(store: Store) -> None:
    gate = Gate("erp", replace(OPTIONS, rate=0.5))
    assert admit(gate, store) is None
    assert admit(gate, store) == NOW + 2 * SECOND - 250_000
    assert admit(gate, store, NOW + 2 * SECOND) is None


def test_lateness_is_made_up_for_and_a_lull_is_not(store: Store) -> None:
    gate = Gate("erp", replace(OPTIONS, rate=10.0))
    while admit(gate, store) is None:
        pass
    late = NOW + 100 * SECOND
    assert [admit(gate, store, late) for _ in range(4)][:3] == [None] * 3
    assert admit(gate, store, late) is not None


def test_a_clock_set_back_does_not_stop_what_has_a_rate(store: Store) -> None:
    gate = Gate("erp", replace(OPTIONS, rate=2.0))
    assert admit(gate, store) is None
    back = NOW - 3600 * SECOND
    assert admit(gate, store, back) is None
    assert admit(gate, store, back) == back + SECOND // 2


def test_whoever_is_turned_away_takes_no_slot(store: Store, box: Outbox) -> None:
    gate = Gate("erp", replace(OPTIONS, rate=0.1, concurrency=1))
    lease_keys(store, box, 1)
    assert admit(gate, store) is not None
    with store.reading() as session:
        assert session.execute(partner_gate.select()).one().next_slot_at == 0


# -- a drain behind it


def test_a_key_of_a_partner_that_cannot_be_reached_is_due_when_its_circuit_lets_it(
    store: Store, box: Outbox
) -> None:
    partner = ScriptedPartner(script=["NotSent"] * 3)
    gate = Gate("erp", OPTIONS)
    drain = Drain(store, partner, gate, owner="one", lease=LEASE, stopping=lambda: False)
    for key in ("a", "b", "c", "d"):
        box.put(key, key=key)
        drain(key)
    assert partner.sent == ["a", "b", "c"]
    key = box.key("d")
    assert (key.state, key.lease_owner) == ("active", None)
    tries_again_at = state(store).tries_again_at
    assert tries_again_at == moment(key.due_at)


def test_a_partner_that_does_not_let_us_in_is_held_with_the_reason(store: Store, box: Outbox) -> None:
    partner = ScriptedPartner(script=["Unauthorised"])
    drain = Drain(store, partner, Gate("erp", OPTIONS), owner="one", lease=LEASE, stopping=lambda: False)
    box.put("a")
    drain("K")
    assert state(store).held_because == "It was Unauthorised."
    drain("K")
    assert partner.sent == ["a"]
    with store.transaction() as transaction:
        session: Session = transaction.session
        assert gates_of_partners.release(session, "erp", NOW)
    box.make_due()
    drain("K")
    assert partner.sent == ["a", "a"]
    assert box.states() == ["delivered"]
