"""Whether a document may leave for a partner now, the same answer in all processes.

    timetable     the partner takes deliveries at certain hours
    held          a person, or policy, has stopped everything for it
    circuit       it did not answer several times in a row: it is left in peace, then one attempt tries
    concurrency   so many keys of it are drained at the same time, over all processes, and no more
    rate          so many documents a second, over all processes

What stands in the way for all keys of a partner need not be found out for each: a key that is turned away costs a
transaction. So a gate tells how long this process may leave the partner's other keys alone (`rest`). They stay due
meanwhile, and whoever has a place for them takes them at once. A process whose own key was left has such a place (`left`).

The gate's row is locked after the key's row, and until the end of the transaction that begins or settles an attempt.
"""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple, Self, cast

from bridge.delivery import circuit
from bridge.delivery.circuit import CLOSED, Circuit
from bridge.delivery.sender import Delivery
from bridge.delivery.timetable import Timetable
from bridge.settings import Settings
from bridge.store import Session, gates, outbox
from bridge.store.clock import SECOND, moment, stored
from bridge.store.gates import GateRow

log = logging.getLogger(__name__)

FIRST_WAIT: Final = 0.05
LONGEST_WAIT: Final = 1.0
"""Seconds. A key that found no place looks again after the first, then after twice that, up to the longest."""
HELD_WAIT: Final = 2.0
"""Seconds after which is looked again whether a partner is still held, which may be for days."""
LONGEST_REST: Final = 1.0
"""Seconds that anything else is believed which another process may change."""
CLOSED_REST: Final = 60.0
"""Seconds that a timetable is believed, which nobody but a clock that jumps may change."""
CATCH_UP: Final = 0.25
"""Seconds by which documents may be late and still be made up for, so that the rate is kept on average."""
BELIEVED: Final = 0.1
"""Seconds for which a key that is being drained goes on without another look at the gate that was found open."""
SETTLING: Final = 30.0
"""Seconds that may pass between the end of an attempt and its being written down, before another one tries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateOptions:
    """A partner's settings, as far as they decide what leaves. `rate` in documents a second, 0: as many as can be; `lease` in
    microseconds."""

    concurrency: int = 4
    rate: float = 0.0
    timetable: Timetable | None = None
    circuit: circuit.Rules = field(default_factory=circuit.Rules)
    lease: int = 150 * SECOND

    @classmethod
    def of(cls, settings: Settings, partner: str) -> Self:
        """Those of a partner that the settings have a section for."""
        own = settings.partners[partner]
        return cls(
            concurrency=own.concurrency,
            rate=own.rate,
            timetable=Timetable.of(own.open, settings.partner_zone(partner)),
            circuit=circuit.Rules(
                failures=own.circuit_failures, pause=own.circuit_pause, probe=own.deadline + SETTLING
            ),
            lease=round(settings.delivery.lease * SECOND),
        )


class GateState(NamedTuple):
    """How a partner's gate stands, for people. `tries_again_at`: until then the circuit lets nothing go."""

    partner: str
    circuit: circuit.State
    failures: int
    reason: str | None
    tries_again_at: datetime | None
    held_because: str | None
    since: datetime


class Gate:
    """One partner's gate in this process; used by several threads."""

    def __init__(self, partner: str, options: GateOptions) -> None:
        self.partner = partner
        self.options = options
        # Hints, each written as a whole: two threads that write one at a time leave either's, and both are true enough.
        self._well = False
        self._turned_away = 0
        self._rests_until = 0.0
        self._open_until = 0.0

    def admit(self, session: Session, now: int, *, new: bool) -> int | None:
        """Whether an attempt may begin: None, or the moment (microseconds since 1970) to look again.

        In the transaction that begins the attempt, with its key locked. `new`: nobody drains the key yet, so it needs a place.
        A key that has one notices within a tenth of a second that another process has shut the gate.
        """
        if (closed := self._closed_until(now)) is not None:
            return self._later(closed, now, rest=CLOSED_REST)
        changes = new or self.options.rate > 0
        if not changes and time.monotonic() < self._open_until:
            return None
        row = self._row(session, changes=changes)
        before = _circuit(row)
        self._well = before == CLOSED
        is_open = before.state == "closed" and row.held_because is None
        self._open_until = time.monotonic() + BELIEVED if is_open else 0.0
        if row.held_because is not None:
            return self._later(now + round(HELD_WAIT * SECOND), now, rest=HELD_WAIT)
        if (blocked := circuit.waits_until(before, self.options.circuit, now)) is not None:
            return self._blocked(before, blocked, now)
        if new and gates.leased(session, self.partner, lease=self.options.lease) >= self.options.concurrency:
            return self._no_place(now)
        slot = self._slot(row, now)
        if slot is not None and slot > now:
            return self._later(slot, now)
        if slot is not None:
            gates.set_slot(session, self.partner, slot + self._interval)
        after = circuit.begun(before, self.options.circuit, now)
        if after != before:
            self._write(session, row, after, now)
        self._turned_away, self._rests_until = 0, 0.0
        return None

    def note(self, session: Session, now: int, delivery: Delivery) -> None:
        """What became of an attempt, in the transaction that settles it. A success while all is well costs no statement."""
        if delivery.outcome == "Unpresentable":
            return  # it never left us
        unanswered = delivery.outcome == "InDoubt" and not delivery.answered
        failed = unanswered or delivery.outcome in ("NotSent", "Unavailable")
        self.reached(session, now, reached=not failed, reason=delivery.reason or delivery.cause)

    def reached(self, session: Session, now: int, *, reached: bool, reason: str | None = None) -> None:
        """Whether the partner was reached, by an attempt or by asking it what became of one.

        A process that did not see yet that others failed does not tell them of its success; its next attempt looks.
        """
        if (reached and self._well) or (not reached and self.options.circuit.failures == 0):
            return
        row = gates.lock(session, self.partner)
        before = _circuit(row)
        after = circuit.ended(before, self.options.circuit, now, reached=reached)
        self._well, self._open_until = after == CLOSED, 0.0
        if after == before:
            return
        self._write(session, row, after, now, reason=None if reached else reason)
        if before.state != "closed" and after.state == "closed":
            log.info("partner %s answers again: deliveries go on", self.partner)
            outbox.notify(session, self.partner)

    def hold(self, session: Session, now: int, because: str) -> None:
        """Let nothing leave for the partner until `release`, whoever wants it."""
        self._open_until = 0.0
        hold(session, self.partner, now, because)

    def release(self, session: Session, now: int) -> None:
        """Let documents leave again, at once."""
        self._rests_until = 0.0
        release(session, self.partner, now)

    def rest(self) -> float:
        """Seconds for which no further key of the partner need be tried by this process, as it would be turned away; 0.0:
        try. A hint, for as long as it is true in all likelihood: one tried all the same is turned away once more."""
        return max(0.0, self._rests_until - time.monotonic())

    def left(self) -> None:
        """A key that this process drained was left: where places were what was missing, there is one."""
        if self._turned_away:
            self._turned_away, self._rests_until = 0, 0.0

    # -- why not

    def _closed_until(self, now: int) -> int | None:
        timetable = self.options.timetable
        if timetable is None:
            return None
        at = moment(now)
        opens = timetable.next_open(at)
        return None if opens == at else stored(opens)

    def _row(self, session: Session, *, changes: bool) -> GateRow:
        """Locked where it is going to be changed, or what is decided must hold until the commit."""
        if not changes:
            row = gates.read(session, self.partner)
            if row.circuit == "closed" or row.held_because is not None:
                return row
        return gates.lock(session, self.partner)

    def _blocked(self, before: Circuit, blocked: int, now: int) -> int:
        if before.state == "half_open":
            # The attempt that tries may succeed any moment.
            return self._later(min(blocked, now + round(LONGEST_WAIT * SECOND)), now)
        return self._later(blocked, now)

    def _no_place(self, now: int) -> int:
        wait = min(FIRST_WAIT * 2.0 ** min(self._turned_away, 10), LONGEST_WAIT)
        self._turned_away += 1
        # Processes that were turned away together do not come back together.
        return self._later(now + round(wait * random.uniform(0.5, 1.0) * SECOND), now)  # noqa: S311 - not a secret

    def _later(self, at: int, now: int, *, rest: float = LONGEST_REST) -> int:
        self._rests_until = time.monotonic() + min((at - now) / SECOND, rest)
        return at

    # -- rate

    @property
    def _interval(self) -> int:
        return max(1, round(SECOND / self.options.rate))

    def _slot(self, row: GateRow, now: int) -> int | None:
        """The moment that counts as that of the next document; later than now: it has to wait. None: there is no limit."""
        if self.options.rate <= 0:
            return None
        earliest = now - round(CATCH_UP * SECOND)
        if row.next_slot_at > now + self._interval:
            return now  # no slot is ever that far ahead: the clock was set back, or the rate was lower
        return max(row.next_slot_at, earliest)

    # -- circuit

    def _write(
        self, session: Session, row: GateRow, after: Circuit, now: int, *, reason: str | None = None
    ) -> None:
        going_on = row.failures > 0 and after.failures > 0
        since = row.changed_at if going_on else now
        if after.state == "half_open":
            reason = row.reason
        gates.set_circuit(
            session,
            self.partner,
            after.state,
            failures=after.failures,
            blocked_until=after.blocked_until,
            reason=reason,
            changed_at=since,
        )
        if after.state == "open":
            level = logging.WARNING if row.circuit == "closed" else logging.INFO
            log.log(
                level,
                "partner %s: %d deliveries in a row did not reach it, since %s; left in peace until %s. "
                "Why: soapbridge deliveries list --open --partner %s",
                self.partner,
                after.failures,
                _text(since),
                _text(after.blocked_until),
                self.partner,
            )


def hold(session: Session, partner: str, now: int, because: str) -> bool:
    """Let nothing leave for a partner until `release`; False where it is held already: its first reason stays."""
    done = gates.hold(session, partner, because, now=now)
    if done:
        log.warning("partner %s is held: nothing leaves for it until a person lets it go", partner)
    return done


def release(session: Session, partner: str, now: int) -> bool:
    """Let documents leave for a partner again, at once: where its circuit is open, one tries now. False where nothing was in
    their way."""
    done = gates.release(session, partner, now=now)
    if done:
        log.info("partner %s is let go: deliveries go on", partner)
        outbox.notify(session, partner)
    return done


def states(session: Session) -> tuple[GateState, ...]:
    """How the gates of all partners stand to whom anything was ever sent."""
    return tuple(map(_state, gates.every(session)))


def _state(row: GateRow) -> GateState:
    found = _circuit(row)
    return GateState(
        partner=row.partner,
        circuit=found.state,
        failures=found.failures,
        reason=row.reason,
        tries_again_at=None if found.state == "closed" else moment(found.blocked_until),
        held_because=row.held_because,
        since=moment(row.changed_at),
    )


def _circuit(row: GateRow) -> Circuit:
    return Circuit(cast("circuit.State", row.circuit), row.failures, row.blocked_until)


def _text(microseconds: int) -> str:
    return moment(microseconds).isoformat(timespec="seconds")
