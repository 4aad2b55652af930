"""When schedules are due: lengths and cron's fields, through nights in which clocks change."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.delivery.due import Cron, Every, read

SECOND = 1_000_000
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: ZoneInfo = BERLIN, *, fold: int = 0) -> int:
    moment = datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)
    return round(moment.timestamp()) * SECOND


def following(fields: str, begin: int, count: int, zone: str = "Europe/Berlin") -> list[str]:
    """The next moments in UTC, each worked out from the one before."""
    rule, found, moment = Cron(fields, zone), [], begin
    for _ in range(count):
        moment = rule.following(moment, moment)
        found.append(f"{datetime.fromtimestamp(moment / SECOND, UTC):%m-%d %H:%M}")
    return found


def test_a_daily_moment_that_a_spring_night_leaves_out_is_due_once_at_the_end_of_the_gap() -> None:
    # 02:30 is not there on the 29th; the gap ends at 03:00, which is 01:00 UTC.
    assert following("30 2 * * *", at("2026-03-27 12:00"), 4) == [
        "03-28 01:30",
        "03-29 01:00",
        "03-30 00:30",
        "03-31 00:30",
    ]


def test_two_moments_that_fall_together_at_the_end_of_a_gap_are_one() -> None:
    assert following("0 2,3 * * *", at("2026-03-29 01:00"), 2) == ["03-29 01:00", "03-30 00:00"]


def test_a_daily_moment_that_an_autumn_night_has_twice_is_due_the_first_time() -> None:
    assert following("30 2 * * *", at("2026-10-24 12:00"), 3) == ["10-25 00:30", "10-26 01:30", "10-27 01:30"]


def test_in_the_second_of_two_equal_hours_what_fired_in_the_first_is_not_due_again() -> None:
    assert following("30 2 * * *", at("2026-10-25 02:15", fold=1), 1) == ["10-26 01:30"]


def test_an_hourly_moment_goes_by_real_time_through_both_nights() -> None:
    assert following("0 * * * *", at("2026-03-29 00:30"), 3) == ["03-29 00:00", "03-29 01:00", "03-29 02:00"]
    assert following("0 * * * *", at("2026-10-25 01:30"), 3) == ["10-25 00:00", "10-25 01:00", "10-25 02:00"]


def test_a_zone_without_summer_time_has_every_day_alike() -> None:
    found = following("30 2 * * *", at("2026-03-28 12:00", ZoneInfo("Asia/Shanghai")), 3, "Asia/Shanghai")
    assert found == ["03-28 18:30", "03-29 18:30", "03-30 18:30"]


@given(
    begin=st.integers(at("2025-12-01 00:00"), at("2027-02-01 00:00")),
    fields=st.sampled_from(["*/7 * * * *", "30 2 * * *", "0 2,3 * * *", "15 */3 * * 1-5", "5 1-4 * * *"]),
    zone=st.sampled_from(
        ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Shanghai"]
    ),
)
def test_the_next_moment_is_later_than_now_and_none_is_left_out(begin: int, fields: str, zone: str) -> None:
    rule = Cron(fields, zone)
    due = rule.first(begin)
    assert due > begin
    assert rule.first(due - 1) == due
    assert rule.stands(due, begin)
    middle = (begin + due) // 2
    assert rule.first(middle) == due
    assert read(rule.text).first(begin) == due


def test_a_moment_that_has_fired_already_is_left_out() -> None:
    rule = Cron("*/10 * * * *")
    now = at("2026-02-25 09:05", ZoneInfo("UTC"))
    fired = {now + 5 * 60 * SECOND, now + 15 * 60 * SECOND}
    assert rule.first(now, fired) == now + 25 * 60 * SECOND


def test_every_keeps_its_pace_and_makes_up_for_nothing() -> None:
    rule = Every(300)
    assert rule.first(0) == 300 * SECOND
    assert rule.following(300 * SECOND, 301 * SECOND) == 600 * SECOND
    assert rule.following(300 * SECOND, 4000 * SECOND) == 4300 * SECOND


def test_every_does_not_wait_longer_than_its_length_after_the_clock_was_set_back() -> None:
    rule = Every(300)
    assert rule.stands(300 * SECOND, 0)
    assert not rule.stands(300 * SECOND + 1, 0)


@pytest.mark.parametrize(
    "rule", [Every(300), Every(0.25), Every(12_345_678), Cron("0  0 1 * *", "Asia/Shanghai")]
)
def test_a_rule_is_read_from_its_text(rule: Every | Cron) -> None:
    again = read(rule.text)
    assert again.text == rule.text
    assert again.first(5_000_000_000) == rule.first(5_000_000_000)


@pytest.mark.parametrize(
    ("fields", "zone", "said"),
    [
        ("30 2 * *", "UTC", "five fields"),
        ("0 30 2 * * *", "UTC", "five fields"),
        ("61 * * * *", "UTC", "minute"),
        ("0 0 31 2 *", "UTC", "day-of-month"),
        ("0 0 30 2 1#5", "Mars/Olympus", "no time zone"),
    ],
)
def test_fields_that_cannot_be_read_are_refused_saying_which(fields: str, zone: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Cron(fields, zone)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_a_length_that_is_none_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="no number of seconds"):
        Every(seconds)


@pytest.mark.parametrize("text", ["", "at noon", "every day s", "cron 1 2 UTC"])
def test_a_text_that_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(text)
