"""Schedules and their firings, as statements. What they mean is `bridge.delivery.schedules`.

Whoever decides about a schedule locks its row first. A firing is a row that only one can make: (schedule, due_at) is unique.
Functions take the session of the transaction they belong to.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from sqlalchemy import BigInteger, Text, bindparam, cast, func, null, select, update

from bridge.store import by_hand
from bridge.store.by_hand import NewAct
from bridge.store.clock import LEASES, Clock, is_live, moment
from bridge.store.journal import storable
from bridge.store.session import Session
from bridge.store.statements import Prepared, insertion
from bridge.store.tables import firing, schedule

Outcome = Literal["done", "failed"]
Standing = Literal["running", "done", "failed", "lost"]
"""What a firing is: lost, where its process died."""


class ScheduleRow(NamedTuple):
    """A schedule as it stands. `now` is the database's clock."""

    name: str
    due_at: int
    rule: str
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FiringRow:
    """A run of a schedule, for people."""

    schedule: str
    due_at: datetime
    owner: str
    started_at: datetime
    ended_at: datetime | None
    standing: Standing
    reason: str | None

    @property
    def duration(self) -> timedelta | None:
        """How long it took; None where it has not ended."""
        return None if self.ended_at is None else self.ended_at - self.started_at


class _ScheduleRow(NamedTuple):
    name: str
    due_at: int
    rule: str
    changed_at: int


class _FiringRow(NamedTuple):
    """The table's columns, without the id that the database gives."""

    schedule: str
    due_at: int
    owner: str
    started_at: int
    ended_at: int | None
    outcome: str | None
    reason: str | None
    lease_until: int | None


_of_name = bindparam("of_name", type_=Text())
_lease_end = Clock() + cast(bindparam("of_length"), BigInteger)
# A lease that ends later than in two lengths: the clock was set back meanwhile.
_alive = firing.c.lease_until.between(Clock(), Clock() + cast(bindparam("of_length"), BigInteger))

_ALL = Prepared(select(schedule.c.name, schedule.c.due_at, schedule.c.rule, Clock()))
_LOCK = Prepared(
    select(schedule.c.name, schedule.c.due_at, schedule.c.rule)
    .where(schedule.c.name == _of_name)
    .with_for_update(),
    "of_name",
)
_CREATE = insertion(schedule, _ScheduleRow, unless_there=("name",))
_SET = Prepared(
    update(schedule)
    .where(schedule.c.name == _of_name)
    .values(due_at=bindparam("new_due"), rule=bindparam("new_rule"), changed_at=Clock()),
    "new_due",
    "new_rule",
    "of_name",
)
_FIRED = Prepared(
    select(firing.c.due_at).where(firing.c.schedule == _of_name, firing.c.due_at > bindparam("of_now")),
    "of_name",
    "of_now",
)
_RUNNING = Prepared(
    select(firing.c.owner, firing.c.started_at).where(
        firing.c.schedule == _of_name, firing.c.ended_at.is_(None), _alive
    ),
    "of_name",
    "of_length",
)
_BEGIN = insertion(firing, _FiringRow, returning=firing.c.id, unless_there=("schedule", "due_at"))
_END = Prepared(
    update(firing)
    .where(firing.c.id == bindparam("of_id"), firing.c.ended_at.is_(None))
    .values(
        ended_at=Clock(), outcome=bindparam("new_outcome"), reason=bindparam("new_reason"), lease_until=null()
    ),
    "new_outcome",
    "new_reason",
    "of_id",
)
_RENEW = Prepared(
    update(firing)
    .where(firing.c.id == bindparam("of_id"), firing.c.ended_at.is_(None))
    .values(lease_until=_lease_end),
    "of_length",
    "of_id",
)
_CLOCK = Prepared(select(Clock()))


def clock(session: Session) -> int:
    """Now, by the clock that schedules go by."""
    return int(session.rows(_CLOCK)[0][0])


def every_one(session: Session) -> list[ScheduleRow]:
    """All schedules that any process ever had."""
    return [ScheduleRow(*row) for row in session.rows(_ALL)]


def lock(session: Session, name: str) -> ScheduleRow | None:
    """A schedule's row, locked until the end of the transaction; None where there is none."""
    rows = session.rows(_LOCK, (name,))
    if not rows:
        return None
    _, due_at, rule = rows[0]
    # A statement of its own: in the same one it may be what the clock said before the wait.
    return ScheduleRow(name, due_at, rule, clock(session))


def create(session: Session, name: str, *, due_at: int, rule: str, now: int) -> None:
    """Make a schedule's row, where there is none."""
    session.run(_CREATE, _ScheduleRow(name, due_at, rule, now))


def set_due(session: Session, name: str, *, due_at: int, rule: str) -> None:
    """When a locked schedule is due next, and by which rule."""
    session.run(_SET, (due_at, rule, name))


def fired_after(session: Session, name: str, now: int) -> frozenset[int]:
    """Moments later than now that have fired: the clock was set back since."""
    return frozenset(row[0] for row in session.rows(_FIRED, (name, now)))


def running(session: Session, name: str, *, lease: int) -> tuple[str, datetime] | None:
    """(owner, since when) of the firing that runs now, None where none does; `lease` in microseconds."""
    rows = session.rows(_RUNNING, (name, LEASES * lease))
    return (rows[0][0], moment(rows[0][1])) if rows else None


def begin(session: Session, name: str, *, due_at: int, owner: str, now: int, lease: int) -> int | None:
    """Claim a firing; its number, or None where it is somebody else's, or was."""
    made = session.rows(_BEGIN, _FiringRow(name, due_at, owner, now, None, None, None, now + lease))
    return int(made[0][0]) if made else None


def renew(session: Session, firing_id: int, *, lease: int) -> None:
    """Say that a firing is still running."""
    session.run(_RENEW, (lease, firing_id))


def end(session: Session, firing_id: int, outcome: Outcome, reason: str | None) -> None:
    """Write down what became of a firing."""
    session.run(_END, (outcome, None if reason is None else storable(reason), firing_id))


def record_run_by_hand(session: Session, name: str, *, who: str, why: str, now: int) -> None:
    """Write down that somebody had a schedule run."""
    by_hand.record(session, NewAct(now, who, why, f"run schedule {name}", after="running"))


def last_firings(session: Session, *, lease: int) -> dict[str, FiringRow]:
    """The last firing of each schedule, by its name; `lease` in microseconds."""
    newest = select(func.max(firing.c.id)).group_by(firing.c.schedule)
    now = clock(session)
    found = session.execute(select(*firing.columns).where(firing.c.id.in_(newest))).mappings()
    return {
        row["schedule"]: FiringRow(
            schedule=row["schedule"],
            due_at=moment(row["due_at"]),
            owner=row["owner"],
            started_at=moment(row["started_at"]),
            ended_at=None if row["ended_at"] is None else moment(row["ended_at"]),
            standing=_standing(row["outcome"], row["lease_until"], now, lease),
            reason=row["reason"],
        )
        for row in found
    }


def _standing(outcome: Outcome | None, lease_until: int | None, now: int, lease: int) -> Standing:
    if outcome is not None:
        return outcome
    return "running" if is_live(lease_until, now, lease) else "lost"
