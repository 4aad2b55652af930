"""What to do after an attempt. Pure: the outcome, what was tried, and the partner's settings give a decision.

| outcome | partner | then |
|---|---|---|
| Delivered | | delivered; the key goes on |
| DeliveredUnreadable | | unreadable; the key goes on, as it was done |
| Refused, Unpresentable | | refused; the key is held or goes on (`after_failure`) |
| NotSent, Unavailable | younger than `max_age` | again after a while, or when the partner said |
| | older | expired; the key is held or goes on (`after_failure`) |
| Unauthorised | | again, when a person has let the partner go: it is held |
| InDoubt | keeps our id, younger than `max_age` | again after a while |
| | can be asked, fewer than `asks` times | asked after a while |
| | else | in doubt until a person settles it; the key is held or goes on (`after_doubt`) |

An answer to asking: done is delivered; not there is sent again; not known is asked again, as above.

Waits double from `first_delay` to `max_delay`, each up to a fifth longer by chance, so that what failed together does not
come back together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bridge.delivery.states import Settled

Outcome = Literal[
    "Delivered",
    "DeliveredUnreadable",
    "Refused",
    "Unpresentable",
    "NotSent",
    "Unavailable",
    "Unauthorised",
    "InDoubt",
]
Answer = Literal["done", "not_there", "unknown"]
"""What a partner that was asked knows of an entry."""

Then = Literal["hold", "continue"]
"""What becomes of the rest of a key."""

JITTER = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """A partner's settings, as far as they decide; times in seconds."""

    keeps_id: bool = False
    can_ask: bool = False
    asks: int = 5
    first_delay: float = 1.0
    max_delay: float = 300.0
    max_age: float = 259_200.0
    after_failure: Then = "hold"
    after_doubt: Then = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What is known of an entry: how often it was tried and asked about since it was put there or let go again, and for
    how many seconds."""

    tries: int
    asked: int
    age: float


@dataclass(frozen=True, slots=True)
class End:
    """Settled. `then`: whether the rest of the key goes on."""

    state: Settled
    then: Then


@dataclass(frozen=True, slots=True)
class Again:
    """To be sent again after so many seconds. `in_doubt`: the last attempt may have been processed. `hold_partner`: not
    before a person lets the partner go."""

    after: float
    in_doubt: bool = False
    hold_partner: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """The partner is to be asked after so many seconds what became of it."""

    after: float


@dataclass(frozen=True, slots=True)
class Person:
    """In doubt, until a person settles it. `then`: whether the rest of the key goes on."""

    then: Then


Decision = End | Again | Ask | Person


def after_attempt(
    outcome: Outcome, course: Course, rules: Rules, *, chance: float, retry_after: float | None = None
) -> Decision:
    """What to do after an attempt ended with `outcome`.

    Args:
        chance: from 0 to 1, drawn anew for each decision.
        retry_after: seconds that the partner asked to wait.
    """
    match outcome:
        case "Delivered":
            return End("delivered", "continue")
        case "DeliveredUnreadable":
            return End("unreadable", "continue")
        case "Refused" | "Unpresentable":
            return End("refused", rules.after_failure)
        case "Unauthorised":
            return Again(0.0, hold_partner=True)
        case "InDoubt":
            return in_doubt(course, rules, chance=chance)
    return _again_or_expired(course, rules, chance=chance, retry_after=retry_after)


def in_doubt(course: Course, rules: Rules, *, chance: float) -> Decision:
    """What to do about an entry of which nobody knows whether it was processed."""
    if rules.keeps_id:
        delay = backoff(course.tries, rules, chance=chance)
        if course.age + delay <= rules.max_age:
            return Again(delay, in_doubt=True)
    elif rules.can_ask and course.asked < rules.asks:
        return Ask(backoff(course.asked + 1, rules, chance=chance))
    return Person(rules.after_doubt)


def after_asking(answer: Answer, course: Course, rules: Rules, *, chance: float) -> Decision:
    """What to do after the partner was asked. `course.asked` counts this time too."""
    if answer == "done":
        return End("delivered", "continue")
    if answer == "not_there":
        return _again_or_expired(course, rules, chance=chance, retry_after=None)
    return in_doubt(course, rules, chance=chance)


def backoff(tries: int, rules: Rules, *, chance: float) -> float:
    """Seconds to wait after so many tries (from 1 on)."""
    doublings = min(max(tries, 1) - 1, 60)
    return float(min(rules.first_delay * 2.0**doublings, rules.max_delay)) * (1 + JITTER * chance)


def _again_or_expired(
    course: Course, rules: Rules, *, chance: float, retry_after: float | None
) -> End | Again:
    delay = backoff(course.tries, rules, chance=chance)
    if retry_after is not None:
        # What the partner says goes before, within bounds: a slip of theirs must not stop us for a year.
        delay = max(delay, min(retry_after, 10 * rules.max_delay))
    if course.age + delay > rules.max_age:
        return End("expired", rules.after_failure)
    return Again(delay)
