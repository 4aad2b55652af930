"""How often somebody may be wrong, and how much a caller may ask."""

from __future__ import annotations

import pytest

from bridge.access.allowance import Allowance
from bridge.access.failures import MOST_NOTED, Failures, network_of
from bridge.errors import Refusal


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def retry_after(refusal: Refusal | None) -> int:
    assert refusal is not None
    assert refusal.status == 429
    return int(dict(refusal.headers)["Retry-After"])


def test_after_too_many_failures_an_address_waits_until_its_minute_is_over(clock: Clock) -> None:
    failures = Failures(3, clock)
    assert [failures.count("192.0.2.1") for _ in range(4)] == [True, True, True, False]
    clock.now += 20
    assert retry_after(failures.refusal("192.0.2.1")) == 41
    assert failures.refusal("192.0.2.2") is None
    clock.now += 40
    assert failures.refusal("192.0.2.1") is None
    assert failures.count("192.0.2.1")


def test_a_name_that_is_tried_from_many_addresses_is_closed_to_those_where_it_was_never_right(
    clock: Clock,
) -> None:
    failures = Failures(3, clock)
    failures.was_right("198.51.100.7", "crm")
    for last in range(3):
        failures.count(f"192.0.2.{last}", "crm")
    assert failures.refusal("192.0.2.9", "crm") is not None
    assert failures.refusal("192.0.2.9", "shop") is None
    assert failures.refusal("198.51.100.7", "crm") is None


def test_an_address_that_was_right_once_waits_when_it_is_wrong_too_often_itself(clock: Clock) -> None:
    failures = Failures(3, clock)
    failures.was_right("198.51.100.7", "crm")
    for _ in range(3):
        failures.count("198.51.100.7", "crm")
    assert failures.refusal("198.51.100.7", "crm") is not None


def test_whoever_has_a_network_has_one_count_for_all_of_it() -> None:
    assert network_of("2001:db8:1:2::1") == network_of("2001:db8:1:2:ffff::7")
    assert network_of("2001:db8:1:2::1") != network_of("2001:db8:1:3::1")
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1")
    assert network_of(None) == network_of("")


def test_counters_of_any_number_of_addresses_take_bounded_room(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.access.failures._MOST", 10)
    failures = Failures(3, clock)
    for number in range(100):
        failures.count(f"192.0.2.{number}", f"name{number}")
        failures.was_right(f"192.0.2.{number}", f"name{number}")
    assert len(failures._counts) == len(failures._good) == 10


def test_a_rate_lets_two_seconds_worth_through_at_once_and_then_so_many_a_second(clock: Clock) -> None:
    allowance = Allowance(5.0, 0, clock)
    for number in range(10):
        allowance.take(f"e{number}")
    with pytest.raises(Refusal) as stopped:
        allowance.take("e10")
    assert retry_after(stopped.value) == 1
    assert stopped.value.code == "Server"  # which says that a repeat is safe
    clock.now += 1
    for number in range(5):
        allowance.take(f"later{number}")
    with pytest.raises(Refusal):
        allowance.take("one more")


def test_a_rate_below_one_a_second_says_how_long_to_wait(clock: Clock) -> None:
    allowance = Allowance(0.1, 0, clock)
    allowance.take("first")
    with pytest.raises(Refusal) as stopped:
        allowance.take("second")
    assert retry_after(stopped.value) == 10
    clock.now += 10
    allowance.take("second")


def test_requests_at_the_same_time_are_counted_until_they_end(clock: Clock) -> None:
    allowance = Allowance(0, 2, clock)
    allowance.take("a")
    allowance.take("b")
    with pytest.raises(Refusal) as stopped:
        allowance.take("c")
    assert retry_after(stopped.value) == 1
    allowance.give_back("c")  # refused, so it held nothing
    with pytest.raises(Refusal):
        allowance.take("c")
    allowance.give_back("a")
    allowance.take("c")


def test_however_many_addresses_are_wrong_what_is_written_down_of_it_has_a_bound(clock: Clock) -> None:
    failures = Failures(3, clock)
    noted = sum(failures.count(f"2001:db8:{network:x}::1") for network in range(2000))
    assert noted == MOST_NOTED
    clock.now += 60
    assert failures.count("2001:db8:ffff::1")


def test_a_name_as_long_as_a_message_is_not_kept(clock: Clock) -> None:
    failures = Failures(1, clock)
    name = "x" * 100_000
    failures.count("192.0.2.1", name)
    assert failures.refusal("192.0.2.2", name) is not None
    assert failures.refusal("192.0.2.2", name[:-1]) is None
    assert sum(len(part) for counter in failures._counts for part in counter if isinstance(part, str)) < 500
