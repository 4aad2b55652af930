"""A circuit breaker: a partner that does not answer is left in peace for a while, then one attempt tries. Pure.

    closed ── `failures` in a row ──> open ── its pause is over ──> half_open: one attempt is on its way
       ^                               ^                              │ │
       └────────── it was reached ─────┼──────────────────────────────┘ │
                                       └── it was not: twice the pause ─┘

A half-open circuit whose attempt never tells how it ended, as its process died, lets another one try after `probe`.
Times are microseconds since 1970, or where a rule gives them, seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

State = Literal["closed", "open", "half_open"]

SECOND: Final = 1_000_000
LONGEST: Final = 10
"""How many times the first pause a pause may be long."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """`failures` in a row so far. Not closed: nothing goes until `blocked_until`."""

    state: State = "closed"
    failures: int = 0
    blocked_until: int = 0


CLOSED: Final = Circuit()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """`failures` in a row open it, 0: never; for `pause` seconds at first. `probe`: the longest that one attempt takes, until
    its end is written down."""

    failures: int = 5
    pause: float = 30.0
    probe: float = 90.0


def waits_until(circuit: Circuit, rules: Rules, now: int) -> int | None:
    """Until when nothing goes; None: an attempt may go.

    An end that is further away than it was when it was set: the clock was set back since, and it counts as reached.
    """
    if circuit.state == "closed" or rules.failures == 0:
        return None
    longest = rules.probe if circuit.state == "half_open" else pause(circuit.failures, rules)
    if now < circuit.blocked_until <= now + longest * SECOND:
        return circuit.blocked_until
    return None


def begun(circuit: Circuit, rules: Rules, now: int) -> Circuit:
    """After an attempt was let go that had not to wait."""
    if circuit.state == "closed" or rules.failures == 0:
        return circuit
    return Circuit("half_open", circuit.failures, now + round(rules.probe * SECOND))


def ended(circuit: Circuit, rules: Rules, now: int, *, reached: bool) -> Circuit:
    """After an attempt told whether it reached the partner.

    One that fails while the circuit is open began before it opened, and tells nothing new.
    """
    if reached:
        return CLOSED
    if rules.failures == 0 or circuit.state == "open":
        return circuit
    failures = circuit.failures + 1
    if circuit.state == "closed" and failures < rules.failures:
        return Circuit("closed", failures)
    return Circuit("open", failures, now + round(pause(failures, rules) * SECOND))


def pause(failures: int, rules: Rules) -> float:
    """Seconds to wait after so many failures in a row."""
    doublings = min(max(failures - rules.failures, 0), LONGEST)
    return float(rules.pause * min(2**doublings, LONGEST))
