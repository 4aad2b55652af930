from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.delivery.timetable import DAYS, Timetable, parse

BERLIN = ZoneInfo("Europe/Berlin")
SHANGHAI = ZoneInfo("Asia/Shanghai")
HAVANA = ZoneInfo("America/Havana")  # its clocks change at midnight
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # and these by half an hour


def hours(*lines: str, zone: ZoneInfo = BERLIN) -> Timetable:
    made = Timetable.of(lines, zone)
    assert made is not None
    return made


def at(text: str, zone: ZoneInfo = BERLIN, *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)


def opens(table: Timetable, moment: datetime) -> str:
    return table.next_open(moment).astimezone(table.zone).strftime("%a %Y-%m-%d %H:%M:%S %z")


def test_without_lines_there_is_no_timetable() -> None:
    assert Timetable.of((), BERLIN) is None


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("Mon 06:00-22:00", [(360, 1320)]),
        ("mon 6:00-7:30", [(360, 450)]),
        ("Mon Wed 06:00-07:00", [(360, 420), (3240, 3300)]),
        ("Mon-Tue 06:00-07:00 08:00-09:00", [(360, 420), (480, 540), (1800, 1860), (1920, 1980)]),
        ("Sun 22:00-06:00", [(9960, 10080), (0, 360)]),
        ("Sat 00:00-24:00", [(7200, 8640)]),
        ("Sun-Mon 01:00-02:00", [(8700, 8760), (60, 120)]),
    ],
)
def test_a_line_is_days_and_times(line: str, found: list[tuple[int, int]]) -> None:
    assert parse(line) == found


def test_without_days_it_is_every_day() -> None:
    assert parse("22:00-06:00") == parse("Mon-Sun 22:00-06:00")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("Mon-Fry 06:00-22:00", "'Fry' is no day; did you mean Fri?"),
        ("Weekdays 06:00-22:00", "days are Mon Tue"),
        ("Mon-Fri", "has no times"),
        ("", "has no times"),
        ("Mon 6-22", "'6-22' is no range of times"),
        ("Mon 06:00-24:30", "that no clock shows"),
        ("Mon 06:60-07:00", "that no clock shows"),
        ("Mon 24:00-06:00", "that no clock shows"),
        ("Mon 06:00-06:00", "the whole day is 00:00-24:00"),
        ("06:00-07:00 Mon", "has days after times"),
    ],
)
def test_what_is_no_line_is_told_with_how_to_write_it(line: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        parse(line)
    assert "'" in str(caught.value)


def test_an_open_moment_is_its_own_answer() -> None:
    moment = at("2026-03-04T12:00:00.5")
    assert hours("Mon-Fri 06:00-22:00").next_open(moment) == moment


def test_the_end_is_no_longer_open_and_the_beginning_is() -> None:
    table = hours("Mon-Fri 06:00-22:00")
    assert not table.is_open(at("2026-03-04T22:00:00"))
    assert table.is_open(at("2026-03-04T21:59:59.999999"))
    assert table.is_open(at("2026-03-04T06:00:00"))
    assert opens(table, at("2026-03-06T22:00:00")) == "Mon 2026-03-09 06:00:00 +0100"


def test_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    table = hours("Fri 22:00-06:00")
    assert table.is_open(at("2026-03-07T05:59:00"))  # a Saturday
    assert not table.is_open(at("2026-03-06T05:59:00"))
    assert table.is_open(at("2026-03-06T22:00:00"))


def test_over_the_end_of_the_week_it_stays_open() -> None:
    table = hours("Sun 22:00-06:00")
    assert table.is_open(at("2026-03-08T23:59:59"))
    assert table.is_open(at("2026-03-09T00:00:00"))
    assert not table.is_open(at("2026-03-09T06:00:00"))


def test_days_are_those_of_the_zone() -> None:
    table = hours("Mon 08:00-09:00", zone=SHANGHAI)
    assert opens(table, datetime(2026, 3, 7, tzinfo=UTC)) == "Mon 2026-03-09 08:00:00 +0800"


def test_the_day_that_changes_to_summer_time_opens_by_the_wall_clock() -> None:
    table = hours("06:00-22:00")
    assert opens(table, at("2026-03-28T23:00:00")) == "Sun 2026-03-29 06:00:00 +0200"
    assert opens(table, at("2026-10-24T23:00:00")) == "Sun 2026-10-25 06:00:00 +0100"


def test_a_beginning_in_the_hour_that_is_left_out_is_the_change() -> None:
    assert opens(hours("02:30-06:00"), at("2026-03-29T00:00:00")) == "Sun 2026-03-29 03:00:00 +0200"
    assert opens(hours("00:00-01:00", zone=HAVANA), at("2026-03-07T12:00:00", HAVANA)) == (
        "Mon 2026-03-09 00:00:00 -0400"
    )


def test_a_range_that_is_left_out_whole_opens_a_week_later() -> None:
    assert opens(hours("Sun 02:15-02:45"), at("2026-03-28T12:00:00")) == "Sun 2026-04-05 02:15:00 +0200"


def test_an_hour_that_comes_twice_counts_both_times() -> None:
    table = hours("02:00-02:30")
    first, second = at("2026-10-25T02:10:00"), at("2026-10-25T02:10:00", fold=1)
    assert table.is_open(first)
    assert table.is_open(second)
    assert opens(table, at("2026-10-25T02:40:00")) == "Sun 2026-10-25 02:00:00 +0100"


def test_clocks_set_back_into_a_range_open_it_again() -> None:
    assert opens(hours("01:30-02:30"), at("2026-10-25T02:40:00")) == "Sun 2026-10-25 02:00:00 +0100"
    assert opens(hours("01:00-01:45", zone=LORD_HOWE), at("2026-04-05T01:50:00", LORD_HOWE)) == (
        "Sun 2026-04-05 01:30:00 +1030"
    )


def test_overlapping_lines_are_one() -> None:
    table = hours("Mon 06:00-12:00", "Mon 10:00-14:00", "Mon 14:00-15:00")
    assert table.ranges == ((360, 900),)


times = st.integers(0, 1439)
lines = st.tuples(st.integers(0, 6), times, times).filter(lambda one: one[1] != one[2])
moments = st.datetimes(datetime(2024, 1, 1), datetime(2027, 12, 31)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)
near_changes = st.tuples(
    st.sampled_from(["2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2026-04-04", "2026-10-03"]),
    st.integers(-1500, 1500),
).map(lambda one: datetime.fromisoformat(one[0]).replace(tzinfo=UTC) + timedelta(minutes=one[1]))


def shows(local: datetime, line: tuple[int, int, int]) -> bool:
    """Whether a wall clock shows a time within a line, worked out in another way."""
    day, begin, end = line
    minute = local.hour * 60 + local.minute
    if begin < end:
        return local.weekday() == day and begin <= minute < end
    return (local.weekday() == day and minute >= begin) or (local.weekday() == (day + 1) % 7 and minute < end)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(lines, min_size=1, max_size=4),
    st.sampled_from([BERLIN, SHANGHAI, HAVANA, LORD_HOWE]),
    moments | near_changes,
)
def test_the_next_opening_is_the_first_minute_at_which_the_wall_clock_shows_one(
    found: list[tuple[int, int, int]], zone: ZoneInfo, moment: datetime
) -> None:
    texts = [
        f"{DAYS[day]} {begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}"
        for day, begin, end in found
    ]
    table = hours(*texts, zone=zone)

    def is_open(at: datetime) -> bool:
        local = at.astimezone(zone)
        return any(shows(local, line) for line in found)

    assert table.is_open(moment) == is_open(moment)
    expected = moment
    if not is_open(moment):
        expected = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
        while not is_open(expected):
            expected += timedelta(minutes=1)
    assert table.next_open(moment) == expected
