"""Schedules: what runs by the clock, once each time, however many processes and hosts have it and however clocks jump.

The clock is the database's. A schedule's row says when it is due; who finds it due claims the firing, a row that only one can
make, moves the schedule on, and runs the function after that commit. So a firing is never run twice; one whose process dies
is not run again: it is lost, is shown as that, and the next one comes at its time.

    an hour forward    what was missed runs once, not as often as it was missed
    an hour back       moments of cron's that have fired do not fire again; `every` goes on at its pace
    another rule       the process started last says which; the next moment is worked out anew, and all others go by it

A function has a thread of its own, so that none delays another, and never runs beside itself: one that is due while it
still runs waits for its end. Its process says every quarter of a lease that it is still there; who does not is taken for dead.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from bridge.delivery.due import Rule, read
from bridge.errors import SettingsError
from bridge.store import Session, Store, Transaction
from bridge.store import schedules as rows
from bridge.store.clock import SECOND, moment
from bridge.store.schedules import FiringRow, Outcome, ScheduleRow

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 5.0
"""How often a process looks at the schedules: so late is noticed at most that the clock was set, or the rule."""

_LONGEST_REASON = 2000
_END_AGAIN = (0.1, 1.0, 5.0, 20.0)
"""Waits before it is tried again to write down what became of a firing."""


@dataclass(frozen=True, slots=True)
class Firing:
    """What a schedule's function is given. `due_at` is the moment it was due, in UTC, maybe long ago."""

    name: str
    due_at: datetime
    _stopping: Callable[[], bool] = field(default=lambda: False, repr=False)

    @property
    def is_stopping(self) -> bool:
        """Whether the process is asked to end: a function that takes long looks here now and then, and returns."""
        return self._stopping()


Work = Callable[[Firing], object]


@dataclass(frozen=True, slots=True)
class Schedule:
    """What runs, and when."""

    name: str
    rule: Rule
    work: Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A schedule as the store has it, for people. `overdue` is how long it has been due and was not run."""

    name: str
    rule: str
    due_at: datetime
    overdue: timedelta | None
    last: FiringRow | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What became of a firing."""

    outcome: Outcome
    reason: str | None
    seconds: float


class Scheduler:
    """Runs schedules in this process. Thread-safe; `stop` ends it for good.

    Args:
        owner: names this process among all: host, process id and something of chance.
        lease: seconds without a sign of life after which a firing counts as lost.
        look: seconds between two looks at the store, where nothing is due before.
    """

    def __init__(
        self,
        store: Store,
        schedules: Iterable[Schedule],
        *,
        owner: str,
        lease: float = 150.0,
        look: float = LOOK_SECONDS,
    ) -> None:
        self._store = store
        self._schedules: Mapping[str, Schedule] = {one.name: one for one in schedules}
        self._owner = owner
        self._lease_seconds = lease
        self._lease = int(lease * SECOND)
        self._look_seconds = min(look, lease / 4)
        self._declared: set[str] = set()
        self._running: dict[str, _Run] = {}
        self._running_lock = threading.Lock()
        self._renewed_at = time.monotonic()
        self._failing = False
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._clock: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look and to run, in threads of its own."""
        self._clock = threading.Thread(target=self._go_on, name="schedules", daemon=True)
        self._clock.start()

    @property
    def is_alive(self) -> bool:
        """Whether it looks."""
        return self._clock is not None and self._clock.is_alive()

    def rest(self) -> None:
        """Begin nothing more; functions are told through `Firing.is_stopping`. Returns at once."""
        self._stopping.set()
        self._wake.set()

    def stop(self, grace: float) -> None:
        """Begin nothing more, and wait for what runs, at most `grace` seconds. What still does (`busy_with`) is lost when
        the process ends now."""
        self.rest()
        if self._clock is not None:
            self._clock.join(grace)  # it goes on until what it began has ended
        if self.busy_with:
            log.warning("schedules that still run are given up: %s", ", ".join(self.busy_with))

    @property
    def busy_with(self) -> tuple[str, ...]:
        """The schedules that run in this process now."""
        with self._running_lock:
            return tuple(sorted(self._running))

    def look(self) -> float:
        """Look once: begin what is due, say that what runs is alive. Seconds until the next look is worth it.

        Raises as the store does; then nothing is lost but time.
        """
        self._renew()
        if self._stopping.is_set() or not self._schedules:
            return self._look_seconds
        found, wanted = self._read()
        for name in wanted:
            if not self._stopping.is_set():
                self._attend(name)
        if wanted:
            found, _ = self._read()
        waits = ((row.due_at - row.now) / SECOND for row in found.values() if row.due_at > row.now)
        return min([*waits, self._look_seconds])

    def run_by_hand(self, name: str, *, who: str, why: str) -> Ended:
        """Run a schedule now, in this thread; it is due again when it was. Who did it and why is written down with it.

        Raises:
            SettingsError: there is none of that name, or it is running.
            StoreError: the store cannot be used; nothing was run.
        """
        schedule = self._schedules.get(name)
        if schedule is None:
            raise SettingsError(
                f"There is no schedule {name}.", advice=f"There are: {', '.join(self._schedules) or 'none'}."
            )

        def claim(transaction: Transaction) -> _Run:
            session = transaction.session
            row = rows.lock(session, name)
            now = row.now if row is not None else rows.clock(session)
            if row is None:
                rows.create(session, name, due_at=schedule.rule.first(now), rule=schedule.rule.text, now=now)
                rows.lock(session, name)
            busy = rows.running(session, name, lease=self._lease)
            if busy is not None:
                raise SettingsError(
                    f"The schedule {name} has been running since {busy[1]:%Y-%m-%d %H:%M:%S} UTC ({busy[0]}).",
                    advice="Wait for its end: soapbridge schedules list.",
                )
            made = rows.begin(session, name, due_at=now, owner=self._owner, now=now, lease=self._lease)
            if made is None:
                raise SettingsError(f"The schedule {name} has just been run.", advice="Repeat if you must.")
            rows.record_run_by_hand(session, name, who=who, why=why, now=now)
            return _Run(schedule, made, now)

        run = self._store.run(claim)
        with self._running_lock:
            self._running[name] = run
        ended = threading.Event()
        alive = threading.Thread(target=self._renew_until, args=(ended,), name="schedules", daemon=True)
        alive.start()
        try:
            return self._run(run)
        finally:
            ended.set()
            alive.join()

    # -- the looking thread

    def _go_on(self) -> None:
        while True:
            self._wake.clear()  # before looking whether it is over: a firing that ends after that wakes
            if self._stopping.is_set() and not self.busy_with:
                return
            try:
                wait = self.look()
                self._failing = False
            except Exception as error:  # noqa: BLE001 - said once, and tried again
                if not self._failing:
                    self._tell("schedules cannot be looked at", error)
                self._failing = True
                wait = self._look_seconds
            self._wake.wait(wait)  # on the monotonic clock, whatever happens to the other

    def _tell(self, event: str, error: Exception) -> None:
        """A store that cannot be used now is no riddle; of anything else the trace is wanted."""
        trace = None if self._store.has_failed(error) else error
        log.warning("%s: %s", event, type(error).__name__, exc_info=trace)

    def _read(self) -> tuple[dict[str, ScheduleRow], list[str]]:
        """The rows of this process's schedules, and the names of those that something has to be written about."""
        with self._store.reading() as session:
            found = {row.name: row for row in rows.every_one(session) if row.name in self._schedules}
            wanted = [name for name in self._schedules if self._wants(session, name, found.get(name))]
        return found, wanted

    def _renew_until(self, ended: threading.Event) -> None:
        while not ended.wait(self._look_seconds):
            try:
                self._renew()
            except Exception as error:  # noqa: BLE001 - said in one line, and tried again
                self._tell("a schedule's lease is not renewed", error)

    def _renew(self) -> None:
        began = time.monotonic()
        with self._running_lock:
            numbers = sorted(run.number for run in self._running.values())
        if not numbers or began < self._renewed_at + self._lease_seconds / 4:
            return
        with self._store.transaction() as transaction:
            for number in numbers:
                rows.renew(transaction.session, number, lease=self._lease)
        self._renewed_at = began

    def _wants(self, session: Session, name: str, row: ScheduleRow | None) -> bool:
        """Whether there is something to write about it: it is due, new, has another rule, or the clock was set."""
        if row is None or name not in self._declared:
            return True
        if name in self.busy_with:
            return False
        return row.due_at <= row.now or self._moved(session, row) is not None

    def _moved(self, session: Session, row: ScheduleRow) -> int | None:
        """When it is due instead, where the clock was set since that was worked out."""
        rule = _rule(row)
        if rule is None or rule.stands(row.due_at, row.now):
            return None
        anew = rule.first(row.now, rows.fired_after(session, row.name, row.now))
        return None if anew == row.due_at else anew

    def _attend(self, name: str) -> None:
        schedule = self._schedules[name]
        run = self._store.run(lambda transaction: self._decide(transaction.session, schedule))
        self._declared.add(name)
        if run is None:
            return
        with self._running_lock:
            self._running[name] = run
        run.thread = threading.Thread(target=self._run, args=(run,), name=f"schedule {name}", daemon=True)
        run.thread.start()

    def _decide(self, session: Session, schedule: Schedule) -> _Run | None:
        """What to do about a schedule, with its row locked; the firing that was claimed, if one was."""
        name = schedule.name
        row = rows.lock(session, name)
        if row is None:
            now = rows.clock(session)
            rows.create(session, name, due_at=schedule.rule.first(now), rule=schedule.rule.text, now=now)
            return None
        if name not in self._declared and row.rule != schedule.rule.text:
            fired = rows.fired_after(session, name, row.now)
            rows.set_due(session, name, due_at=schedule.rule.first(row.now, fired), rule=schedule.rule.text)
            return None
        rule = _rule(row)
        if rule is None:
            return None
        if row.due_at > row.now:
            anew = self._moved(session, row)
            if anew is not None:
                rows.set_due(session, name, due_at=anew, rule=row.rule)
            return None
        if name in self.busy_with or rows.running(session, name, lease=self._lease) is not None:
            return None  # its end is waited for
        rows.set_due(session, name, due_at=rule.following(row.due_at, row.now), rule=row.rule)
        number = rows.begin(
            session, name, due_at=row.due_at, owner=self._owner, now=row.now, lease=self._lease
        )
        return None if number is None else _Run(schedule, number, row.due_at)

    # -- the thread of a firing

    def _run(self, run: _Run) -> Ended:
        began = time.monotonic()
        name = run.schedule.name
        outcome: Outcome = "failed"
        reason: str | None = "It was broken off."
        try:
            run.schedule.work(Firing(name, moment(run.due_at), self._stopping.is_set))
            outcome, reason = "done", None
        except (Exception, SystemExit) as error:
            reason = f"{type(error).__name__}: {error}"[:_LONGEST_REASON]
            log.error("schedule %s failed: %s", name, type(error).__name__, exc_info=error)
        finally:
            self._end(run, outcome, reason)
            with self._running_lock:
                del self._running[name]
            self._wake.set()  # it may be due again, or be waited for
        return Ended(outcome=outcome, reason=reason, seconds=time.monotonic() - began)

    def _end(self, run: _Run, outcome: Outcome, reason: str | None) -> None:
        for wait in (*_END_AGAIN, None):
            try:
                self._store.run(
                    lambda transaction: rows.end(transaction.session, run.number, outcome, reason)
                )
                return
            except Exception as error:
                if wait is None:
                    log.exception("schedule %s: that it has ended could not be kept", run.schedule.name)
                    return
                log.warning(
                    "schedule %s: its end is not kept yet: %s", run.schedule.name, type(error).__name__
                )
                time.sleep(wait)


class _Run:
    """A firing of this process."""

    __slots__ = ("due_at", "number", "schedule", "thread")

    def __init__(self, schedule: Schedule, number: int, due_at: int) -> None:
        self.schedule = schedule
        self.number = number
        self.due_at = due_at
        self.thread: threading.Thread | None = None


def shown(store: Store, *, lease: float) -> tuple[Shown, ...]:
    """Every schedule that the store knows, by name; `lease` in seconds, as the schedulers have it."""
    with store.reading() as session:
        last = rows.last_firings(session, lease=int(lease * SECOND))
        return tuple(
            Shown(
                name=row.name,
                rule=row.rule,
                due_at=moment(row.due_at),
                overdue=timedelta(microseconds=row.now - row.due_at) if row.due_at < row.now else None,
                last=last.get(row.name),
            )
            for row in sorted(rows.every_one(session))
        )


def _rule(row: ScheduleRow) -> Rule | None:
    """The rule by which a schedule goes; None where a program that knows another kind wrote it."""
    try:
        return read(row.rule)
    except ValueError:
        return None
