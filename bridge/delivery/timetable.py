"""When a partner takes deliveries, as people write it: `Mon-Fri 06:00-22:00`. Pure.

What counts is what a clock on the partner's wall shows: a range that begins or ends in an hour that the change to summer time
leaves out begins or ends with that change, and an hour that comes twice counts both times.
"""

from __future__ import annotations

import difflib
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from datetime import time as wall_time
from typing import Final

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY: Final = 24 * 60
WEEK: Final = 7 * DAY
LOOK_AHEAD: Final = 22
"""Days: a range of one hour a week may fall into the hour that is left out, and the next week's is later."""

_RANGE = re.compile(r"(\d{1,2}):(\d\d)-(\d{1,2}):(\d\d)")
_EXAMPLE = "write it like Mon-Fri 06:00-22:00"

Range = tuple[int, int]
"""From and to (exclusive), in minutes since Monday 00:00; neither is split by the end of a day, only by that of the week."""


def parse(line: str) -> list[Range]:
    """The ranges of one line: days, then times. `Mon Wed-Fri 06:00-12:00 13:00-18:00`; without days: every day.

    A range that ends before it begins goes over midnight and belongs to the day on which it begins.

    Raises:
        ValueError: with what is wrong, and how it is written.
    """
    days: list[int] = []
    times: list[Range] = []
    for word in line.split():
        if word[0].isdigit():
            times.append(_times(word))
        elif times:
            raise ValueError(f"{line!r} has days after times: {_EXAMPLE}, one entry for each such line")
        else:
            days.extend(_days(word))
    if not times:
        raise ValueError(f"{line!r} has no times: {_EXAMPLE}")
    found: list[Range] = []
    for day in days or range(7):
        for begin, end in times:
            length = (end - begin) % DAY or DAY
            found.extend(_in_week(day * DAY + begin, length))
    return found


def _days(word: str) -> list[int]:
    first, dash, last = word.partition("-")
    begin = _day(first)
    end = _day(last) if dash else begin
    return [day % 7 for day in range(begin, begin + (end - begin) % 7 + 1)]


def _day(word: str) -> int:
    name = word.capitalize()
    if name not in DAYS:
        near = difflib.get_close_matches(name, DAYS, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]}?" if near else f"days are {' '.join(DAYS)}."
        raise ValueError(f"{word!r} is no day; {hint} {_EXAMPLE[0].upper()}{_EXAMPLE[1:]}")
    return DAYS.index(name)


def _times(word: str) -> Range:
    found = _RANGE.fullmatch(word)
    if found is None:
        raise ValueError(f"{word!r} is no range of times; {_EXAMPLE}")
    hours, minutes, to_hours, to_minutes = map(int, found.groups())
    begin, end = 60 * hours + minutes, 60 * to_hours + to_minutes
    if minutes > 59 or to_minutes > 59 or begin >= DAY or end > DAY:
        raise ValueError(f"{word!r} has a time that no clock shows: 00:00 to 23:59, and 24:00 as an end")
    if begin == end:
        raise ValueError(f"{word!r} begins when it ends; the whole day is 00:00-24:00")
    return begin, end


def _in_week(begin: int, length: int) -> Iterator[Range]:
    end = begin + length
    yield begin, min(end, WEEK)
    if end > WEEK:
        yield 0, end - WEEK


@dataclass(frozen=True, slots=True)
class Timetable:
    """Ranges of a week in a zone; `ranges` are in order and do not touch."""

    ranges: tuple[Range, ...]
    zone: tzinfo

    @classmethod
    def of(cls, lines: Iterable[str], zone: tzinfo) -> Timetable | None:
        """None: always open, as no line says otherwise.

        Raises:
            ValueError: a line is not understood.
        """
        merged: list[Range] = []
        for begin, end in sorted(found for line in lines for found in parse(line)):
            if merged and begin <= merged[-1][1]:
                merged[-1] = merged[-1][0], max(merged[-1][1], end)
            else:
                merged.append((begin, end))
        return cls(tuple(merged), zone) if merged else None

    def is_open(self, moment: datetime) -> bool:
        """Whether the partner takes deliveries at a moment, which has a zone."""
        local = moment.astimezone(self.zone)
        minute = local.weekday() * DAY + local.hour * 60 + local.minute
        place = bisect_right(self.ranges, (minute, WEEK)) - 1
        return place >= 0 and minute < self.ranges[place][1]

    def next_open(self, moment: datetime) -> datetime:
        """The moment itself where it is open then, else the next at which it opens, in UTC."""
        if self.is_open(moment):
            return moment
        moment = moment.astimezone(UTC)
        end = moment + timedelta(days=LOOK_AHEAD)
        candidates = [*self._begins(moment), *self._changes(moment, end)]
        return min((one for one in candidates if one > moment and self.is_open(one)), default=end)

    def _begins(self, moment: datetime) -> Iterator[datetime]:
        """Every beginning of a range around and after a moment; twice where its time of day may come twice."""
        today = moment.astimezone(self.zone).date()
        for ahead in range(-1, LOOK_AHEAD):
            day = today + timedelta(days=ahead)
            for begin, _ in self.ranges:
                if begin // DAY == day.weekday():
                    at = wall_time(begin % DAY // 60, begin % 60)
                    for fold in (0, 1):
                        yield datetime.combine(day, at, self.zone).replace(fold=fold).astimezone(UTC)

    def _changes(self, begin: datetime, end: datetime) -> Iterator[datetime]:
        """When clocks of the zone are set forward or back, to the second."""
        low = begin.replace(microsecond=0)
        while low < end:
            next_day = high = low + timedelta(days=1)
            if self._offset(low) != self._offset(high):
                while (gap := high - low) > timedelta(seconds=1):
                    middle = low + timedelta(seconds=gap // timedelta(seconds=2))
                    if self._offset(middle) == self._offset(low):
                        low = middle
                    else:
                        high = middle
                yield high
            low = next_day

    def _offset(self, moment: datetime) -> timedelta | None:
        return moment.astimezone(self.zone).utcoffset()
