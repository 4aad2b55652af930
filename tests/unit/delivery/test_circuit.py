from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.delivery.circuit import CLOSED, SECOND, Circuit, Rules, begun, ended, pause, waits_until

RULES = Rules(failures=3, pause=10.0, probe=60.0)
NOW = 1_700_000_000 * SECOND


def after_failures(count: int, now: int = NOW) -> Circuit:
    circuit = CLOSED
    for _ in range(count):
        circuit = ended(circuit, RULES, now, reached=False)
    return circuit


def test_a_closed_circuit_lets_everything_go_and_is_not_changed_by_it() -> None:
    assert waits_until(CLOSED, RULES, NOW) is None
    assert begun(CLOSED, RULES, NOW) == CLOSED


def test_failures_in_a_row_open_it_and_fewer_do_not() -> None:
    assert after_failures(2) == Circuit("closed", 2)
    assert after_failures(3) == Circuit("open", 3, NOW + 10 * SECOND)
    assert waits_until(after_failures(3), RULES, NOW) == NOW + 10 * SECOND


def test_a_success_forgets_the_failures() -> None:
    assert ended(after_failures(2), RULES, NOW, reached=True) == CLOSED


def test_what_began_before_it_opened_and_fails_later_does_not_lengthen_the_pause() -> None:
    opened = after_failures(3)
    assert ended(opened, RULES, NOW + 5 * SECOND, reached=False) == opened


def test_what_began_before_it_opened_and_succeeds_closes_it() -> None:
    assert ended(after_failures(3), RULES, NOW, reached=True) == CLOSED


def test_after_the_pause_one_goes_and_the_others_wait() -> None:
    later = NOW + 10 * SECOND
    opened = after_failures(3)
    assert waits_until(opened, RULES, later) is None
    trying = begun(opened, RULES, later)
    assert trying == Circuit("half_open", 3, later + 60 * SECOND)
    assert waits_until(trying, RULES, later) == later + 60 * SECOND


def test_an_attempt_that_never_tells_how_it_ended_lets_another_try() -> None:
    trying = begun(after_failures(3), RULES, NOW)
    lapsed = NOW + 60 * SECOND
    assert waits_until(trying, RULES, lapsed) is None
    assert begun(trying, RULES, lapsed).blocked_until == lapsed + 60 * SECOND


def test_each_failed_try_doubles_the_pause_up_to_ten_times() -> None:
    circuit, pauses = after_failures(3), []
    for _ in range(6):
        pauses.append(circuit.blocked_until - NOW)
        circuit = ended(begun(circuit, RULES, NOW), RULES, NOW, reached=False)
    assert [one // SECOND for one in pauses] == [10, 20, 40, 80, 100, 100]


def test_the_pause_begins_anew_after_it_was_closed() -> None:
    circuit = ended(begun(after_failures(3), RULES, NOW), RULES, NOW, reached=False)
    circuit = ended(circuit, RULES, NOW, reached=True)
    for _ in range(3):
        circuit = ended(circuit, RULES, NOW, reached=False)
    assert circuit.blocked_until == NOW + 10 * SECOND


@pytest.mark.parametrize("state", ["open", "half_open"])
def test_without_a_number_of_failures_nothing_ever_waits(state: str) -> None:
    never = Rules(failures=0)
    left_behind = Circuit(state, 5, NOW + SECOND)  # type: ignore[arg-type]
    assert waits_until(left_behind, never, NOW) is None
    assert begun(left_behind, never, NOW) == left_behind
    assert ended(CLOSED, never, NOW, reached=False) == CLOSED


@given(st.integers(0, 100_000))
def test_no_number_of_failures_makes_a_pause_longer_than_ten_times_the_first(failures: int) -> None:
    assert RULES.pause <= pause(failures, RULES) <= 10 * RULES.pause


events = st.tuples(st.sampled_from(["go", "reached", "failed"]), st.integers(-4000, 400))


@given(st.lists(events, max_size=60))
def test_whatever_happens_and_however_the_clock_jumps_nobody_waits_longer_than_the_longest_pause(
    happened: list[tuple[str, int]],
) -> None:
    circuit, now = CLOSED, NOW
    for event, seconds in happened:
        now += seconds * SECOND
        waits = waits_until(circuit, RULES, now)
        if event == "go" and waits is None:
            before = circuit
            circuit = begun(circuit, RULES, now)
            if before.state != "closed":
                assert waits_until(circuit, RULES, now) is not None, "a second one would go"
        elif event != "go":
            circuit = ended(circuit, RULES, now, reached=event == "reached")
        waits = waits_until(circuit, RULES, now)
        assert waits is None or now < waits <= now + 100 * SECOND
        assert (circuit.failures >= RULES.failures) == (circuit.state != "closed")
