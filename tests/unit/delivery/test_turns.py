"""Whose turn it is: with a clock that stands still until a test moves it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.delivery import turns
from bridge.delivery.turns import AFTER_DRAIN, BATCH, FIRST_PAUSE, LONGEST_PAUSE, Turns


def looked(turn: Turns, partner: str, *keys: str, now: float = 0.0, next_in: float | None = None) -> None:
    """A look at all partners that are to be looked at, which finds these keys for one of them."""
    for name in turn.begin_looks(now):
        turn.found(name, keys if name == partner else (), now, next_in=next_in if name == partner else None)


def taken(turn: Turns) -> list[tuple[str, str]]:
    """Everything that may begin now."""
    found = []
    while (one := turn.take()) is not None:
        found.append(one)
    return found


def test_everybody_is_looked_at_first_and_then_nobody_until_something_happens() -> None:
    turn = Turns(4, {"a": 2, "b": 2})
    assert turn.begin_looks(0.0) == ["a", "b"]
    assert turn.begin_looks(0.0) == []
    assert turn.next_look() == math.inf


def test_a_partner_has_no_more_of_its_keys_under_way_than_its_concurrency() -> None:
    turn = Turns(8, {"a": 2})
    looked(turn, "a", "1", "2", "3")
    assert taken(turn) == [("a", "1"), ("a", "2")]
    turn.ended("a", "1", 0.0)
    assert taken(turn) == [("a", "3")]


def test_a_process_has_no_more_under_way_than_its_threads() -> None:
    turn = Turns(3, {"a": 10})
    looked(turn, "a", *"12345")
    assert len(taken(turn)) == 3


def test_every_partner_has_a_thread_of_its_own_whatever_the_others_take() -> None:
    turn = Turns(3, {"dead": 10, "slow": 10, "alive": 10})
    looked(turn, "dead", *"12345")
    assert len(taken(turn)) == 3
    for name in ("slow", "alive"):
        turn.wake(name, 1.0)
        looked(turn, name, *"12345", now=1.0)
        assert taken(turn) == [(name, "1")]
    turn.ended("dead", "1", 2.0)
    turn.ended("dead", "2", 2.0)
    assert taken(turn) == [("dead", "4"), ("slow", "2")], "partners take turns"


def test_a_key_that_is_being_drained_is_not_begun_a_second_time() -> None:
    turn = Turns(4, {"a": 4})
    looked(turn, "a", "1")
    assert taken(turn) == [("a", "1")]
    turn.wake("a", 1.0)
    looked(turn, "a", "1", "2", now=1.0)
    assert taken(turn) == [("a", "2")]


def test_a_wake_up_during_a_look_leads_to_another_look() -> None:
    turn = Turns(4, {"a": 4})
    assert turn.begin_looks(0.0) == ["a"]
    turn.wake("a", 0.5)
    turn.found("a", [], 1.0, next_in=None)
    assert turn.begin_looks(1.0) == ["a"]


def test_who_wakes_a_partner_that_nobody_knows_is_told_so() -> None:
    assert not Turns(4, {"a": 4}).wake("b", 0.0)


def test_no_batch_is_fetched_before_the_last_one_is_used_up() -> None:
    turn = Turns(1, {"a": 1})
    looked(turn, "a", "1", "2", "3")
    turn.take()
    turn.wake("a", 1.0)
    turn.ended("a", "1", 1.0)
    assert turn.begin_looks(1.0) == []
    turn.take()
    turn.ended("a", "2", 2.0)
    assert turn.begin_looks(2.0) == []
    turn.take()
    assert turn.begin_looks(2.0) == ["a"], "while the last one is drained"


def test_a_batch_that_was_full_is_followed_by_another_at_once() -> None:
    turn = Turns(100, {"a": 100})
    looked(turn, "a", *map(str, range(BATCH)))
    assert len(taken(turn)) == BATCH
    assert turn.next_look() <= 0.0


def test_a_batch_has_room_for_keys_that_are_not_to_be_begun() -> None:
    turn = Turns(4, {"a": 4})
    looked(turn, "a", "1", "2")
    taken(turn)
    turn.failed("a", "2", 0.0)
    assert turn.batch("a") == BATCH + 2


def test_after_a_drain_there_is_one_look_for_all_that_ended_in_the_moment_before() -> None:
    turn = Turns(4, {"a": 4})
    looked(turn, "a", "1", "2")
    taken(turn)
    turn.ended("a", "1", 5.0)
    turn.ended("a", "2", 5.0 + AFTER_DRAIN / 2)
    assert turn.next_look() == 5.0 + AFTER_DRAIN
    assert turn.begin_looks(5.0) == []
    assert turn.begin_looks(5.0 + AFTER_DRAIN) == ["a"]


def test_the_next_look_is_when_the_next_key_is_due_or_a_wake_up_comes_before() -> None:
    turn = Turns(4, {"a": 4})
    looked(turn, "a", now=10.0, next_in=60.0)
    assert turn.next_look() == 70.0
    turn.wake("a", 20.0)
    assert turn.next_look() == 20.0


def test_a_key_whose_drain_failed_is_left_alone_for_longer_each_time_and_then_no_longer() -> None:
    turn = Turns(4, {"a": 4})
    now, pauses = 0.0, []
    for _ in range(12):
        turn.wake("a", now)
        looked(turn, "a", "1", now=now)
        assert turn.take() == ("a", "1")
        pauses.append(turn.failed("a", "1", now))
        turn.wake("a", now)
        looked(turn, "a", "1", now=now)
        assert turn.take() is None, "not before its pause is over"
        assert turn.next_look() == now + pauses[-1]
        now += pauses[-1]
    assert pauses[:4] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE, 8 * FIRST_PAUSE]
    assert pauses[-1] == LONGEST_PAUSE
    looked(turn, "a", "1", now=now)
    turn.take()
    turn.ended("a", "1", now)
    turn.wake("a", now)
    looked(turn, "a", "1", now=now)
    turn.take()
    assert turn.failed("a", "1", now) == FIRST_PAUSE


def test_keys_that_failed_long_ago_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_REMEMBERED", 3)
    turn = Turns(4, {"a": 4})
    for number in range(10):
        now = number * 1000.0
        turn.wake("a", now)
        looked(turn, "a", str(number), now=now)
        turn.take()
        turn.failed("a", str(number), now)
    assert turn.batch("a") <= BATCH + 3


def test_a_partner_that_is_put_off_begins_nothing_whoever_wakes_it_until_it_is_let_go() -> None:
    turn = Turns(4, {"a": 1, "b": 1})
    looked(turn, "a", "1", "2")
    turn.take()
    turn.ended("a", "1", 0.0)
    turn.postpone("a", 9.0)
    turn.wake("a", 1.0)
    assert turn.take() is None
    assert turn.begin_looks(1.0) == []
    assert turn.next_look() == 9.0
    turn.resume("a", 2.0)
    assert turn.begin_looks(2.0) == ["a"]


def test_a_thread_is_wanted_by_others_when_keys_wait_that_could_have_it() -> None:
    turn = Turns(2, {"a": 2, "b": 2})
    looked(turn, "a", "1", "2")
    taken(turn)
    assert not turn.is_crowded("a")
    turn.wake("b", 1.0)
    looked(turn, "b", "1", "2", now=1.0)
    assert turn.take() == ("b", "1")
    assert turn.take() is None
    assert turn.is_crowded("a"), "it has a shared thread, and a key of b waits for one"
    turn.ended("a", "2", 1.0)
    assert not turn.is_crowded("a"), "its own thread is nobody else's"
    assert turn.is_crowded("b")


def test_a_key_that_another_process_had_keeps_the_failures_it_had_here() -> None:
    for begun, pause in ((False, 2 * FIRST_PAUSE), (True, FIRST_PAUSE)):
        turn = Turns(1, {"a": 1})
        now = 0.0
        for _ in range(2):
            looked(turn, "a", "1", now=now)
            assert turn.take() == ("a", "1")
            assert turn.has_more is False
            if now == 0.0:
                turn.failed("a", "1", now)
                now = 10.0
            else:
                turn.ended("a", "1", now, begun=begun)
        now = 20.0
        looked(turn, "a", "1", now=now)
        turn.take()
        assert turn.failed("a", "1", now) == pause


def test_after_a_stop_nothing_waits_any_more() -> None:
    turn = Turns(1, {"a": 1})
    looked(turn, "a", "1", "2")
    turn.take()
    turn.stop()
    assert turn.busy == 1
    turn.ended("a", "1", 0.0)
    assert turn.take() is None


@given(
    threads=st.integers(1, 6),
    limits=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    events=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.booleans()), max_size=60),
)
def test_whatever_happens_limits_hold_no_key_runs_twice_and_nobody_starves(
    threads: int, limits: list[int], events: list[tuple[int, int, bool]]
) -> None:
    most = {f"p{number}": limit for number, limit in enumerate(limits)}
    turn = Turns(threads, most)
    busy: set[tuple[str, str]] = set()
    for number, (partner, key, ends) in enumerate(events):
        now, name = float(number), f"p{partner % len(limits)}"
        if ends and busy:
            one = min(busy)
            busy.discard(one)
            turn.ended(*one, now)
        turn.wake(name, now)
        looked(turn, name, str(key), str(key + 1), now=now)
        for one in taken(turn):
            assert one not in busy
            busy.add(one)
        assert len(busy) == turn.busy <= threads - 1 + len(limits)
        for each, limit in most.items():
            mine = sum(1 for of, _ in busy if of == each)
            assert mine <= min(limit, threads)
    for one in sorted(busy):
        turn.ended(*one, 1000.0)
        taken_now = taken(turn)
        assert not set(taken_now) & (busy - {one})
