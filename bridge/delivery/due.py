"""When a schedule is due. Pure: moments are microseconds since 1970 UTC, and whoever asks says what time it is.

A rule is written as text beside what was worked out by it, and is read from there: `every 300 s`,
`cron 30 2 * * * Asia/Shanghai`.

Cron's moments are what Debian's cron makes of them where clocks change. A rule whose hours and minutes are both given runs once a
day: a moment that a spring night leaves out is due at the first minute after it, one that an autumn night has twice is due the
first time. A rule with `*` in its hours or minutes goes by real time: an hour that is there twice has its moments twice.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from cronsim import CronSim, CronSimError

from bridge.settings import zone_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SECOND: Final = 1_000_000
_FIELDS = 5


class Rule(Protocol):
    """When something is due, again and again."""

    @property
    def text(self) -> str:
        """How it is stored; `read` makes the rule of it again."""
        ...

    def first(self, now: int, fired: Collection[int] = ()) -> int:
        """The next moment after `now`, worked out from nothing. One that has fired already is left out."""
        ...

    def following(self, due: int, now: int) -> int:
        """The next moment, later than now, after the firing of `due`: what was missed in between is not made up for."""
        ...

    def stands(self, due: int, now: int) -> bool:
        """Whether a moment in the future is the one to wait for; else the clock was set, and it is worked out anew."""
        ...


class Every:
    """Every so many seconds, counted from when it began.

    Raises:
        ValueError: that is no length of time.
    """

    def __init__(self, seconds: float) -> None:
        if not 0 < seconds < 1e9:  # a NaN is neither
            raise ValueError(f"{seconds!r} is no number of seconds between two firings")
        self._length = max(1, round(seconds * _SECOND))
        shown = int(seconds) if float(seconds).is_integer() else seconds
        self.text = f"every {shown} s"

    def first(self, now: int, fired: Collection[int] = ()) -> int:
        return now + self._length

    def following(self, due: int, now: int) -> int:
        return due + self._length if due + self._length > now else now + self._length

    def stands(self, due: int, now: int) -> bool:
        return due <= now + self._length


class Cron:
    """Cron's five fields, in a time zone: `30 2 * * *`, `Asia/Shanghai`.

    Raises:
        ValueError: the fields cannot be read, are never due, or there is no such zone.
    """

    def __init__(self, fields: str, zone: str = "UTC") -> None:
        self._zone = zone_of(zone)
        self._fields = " ".join(fields.split())
        if len(fields.split()) != _FIELDS:
            raise ValueError(
                f"{fields!r} has not the five fields of cron: minute, hour, day, month, day of the week"
            )
        try:
            self.first(0)
        except CronSimError as error:
            raise ValueError(f"{fields!r} cannot be read as cron's fields: {error}") from None
        self.text = f"cron {self._fields} {zone}"

    def first(self, now: int, fired: Collection[int] = ()) -> int:
        moment = _EPOCH + timedelta(microseconds=now)
        for due in CronSim(self._fields, moment.astimezone(self._zone)):
            # Those of one zone are compared by what their clocks show, which is the same twice in an autumn night.
            found = (due.astimezone(UTC) - _EPOCH) // _MICROSECOND
            if found > now and found not in fired:
                return found
        raise ValueError(f"{self._fields!r} is never due")

    def following(self, due: int, now: int) -> int:
        return self.first(now)

    def stands(self, due: int, now: int) -> bool:
        return due == self.first(now)


def read(text: str) -> Rule:
    """The rule that was stored as this text.

    Raises:
        ValueError: it is none that this program knows.
    """
    kind, _, rest = text.partition(" ")
    if kind == "every":
        return Every(float(rest.removesuffix(" s")))
    if kind == "cron":
        fields, _, zone = rest.rpartition(" ")
        return Cron(fields, zone)
    raise ValueError(f"{text!r} is no rule of a schedule")
