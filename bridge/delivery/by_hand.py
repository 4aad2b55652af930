"""What people may do to an entry, and what comes of it. Pure: its state, its key and its partner give a change, or a reason
why not.

| act | entry | becomes | its key |
|---|---|---|---|
| hold | waiting | held | is held when it comes to it |
| release | held | waiting, as if new | goes on |
| | waiting for its next try; in doubt where the partner keeps our id | the same, at once | goes on |
| resend | refused, expired, unreadable, delivered, in doubt | waiting, as if new: the same bytes | goes on with it |
| expire | waiting, held, in doubt | expired | goes on |
| settle | in doubt | what the person says | goes on |

A key that is held for another entry, or by hand, stays held. An entry that is being sent cannot be acted upon.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from bridge.delivery.states import SETTLED, State

Verb = Literal["hold", "release", "resend", "expire", "settle"]
As = Literal["delivered", "refused", "expired", "not-sent"]
"""What a person says became of an entry in doubt."""

BY_HAND: Final = "Held by hand"
"""How the reason of a key that a person holds begins."""

BULK: Final[dict[Verb, tuple[State, ...]]] = {
    "hold": ("waiting",),
    "release": ("held", "waiting"),
    "resend": ("refused", "expired", "in_doubt"),
    "expire": ("waiting", "held", "in_doubt"),
    "settle": ("in_doubt",),
}
"""What an act is for, where entries are chosen by what they have in common and not by their state or id."""

_RESENT: Final = frozenset({"refused", "expired", "unreadable", "delivered", "in_doubt"})
_TRIED_OUT: Final = frozenset({"waiting", "held", "in_doubt"})
_ENDS: Final[dict[As, State]] = {
    "delivered": "delivered",
    "refused": "refused",
    "expired": "expired",
    "not-sent": "waiting",
}


class Standing(NamedTuple):
    """What is known of an entry, its key locked. `first`: it is its turn. `due`: the key may be looked at now. `may_be_done`:
    the partner may have processed an attempt; `keeps_id`: it would know it again."""

    state: State
    aside: bool = False
    first: bool = True
    key_state: str = "active"
    due: bool = True
    may_be_done: bool = False
    keeps_id: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of the entry. `afresh`: tries and age are counted anew. `warning`: what the person should know."""

    after: State
    afresh: bool = False
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why nothing is done, and what to do instead. `done`: somebody else has done it already. `risky`: it is done where the
    person says that it may be done twice."""

    because: str
    advice: str = ""
    done: bool = False
    risky: bool = False


def judge(
    verb: Verb, standing: Standing, *, settle_as: As = "delivered", may_be_done_twice: bool = False
) -> Change | Obstacle:
    """What an act makes of an entry that nobody is sending."""
    match verb:
        case "hold":
            return _hold(standing)
        case "release":
            return _release(standing)
        case "resend":
            return _resend(standing, may_be_done_twice)
        case "expire":
            return _expire(standing)
    return _settle(standing, settle_as)


def _hold(standing: Standing) -> Change | Obstacle:
    if standing.state == "waiting":
        return Change("held")
    if standing.state == "held":
        return Obstacle("It is held already.", done=True)
    if standing.state == "in_doubt":
        return Obstacle(
            "It is in doubt, and not what waits to be sent.", advice="Hold its key, or settle it."
        )
    return Obstacle(f"It is {standing.state}: there is nothing to hold.")


def _release(standing: Standing) -> Change | Obstacle:
    if standing.state == "held":
        return Change("waiting", afresh=True)
    if standing.state in SETTLED:
        return Obstacle(
            f"It is {standing.state}: nothing holds it.", advice="To send the same bytes again: resend it."
        )
    if standing.state == "in_doubt" and not standing.keeps_id:
        return Obstacle(
            "It is in doubt, and the partner would not know it again.",
            advice="Find out, and settle it; or resend it.",
        )
    if standing.key_state == "held":
        return Obstacle("Its key is held.", advice="Release the key.")
    if not standing.first:
        return Obstacle("It waits for those before it in its key.")
    if standing.due:
        return Obstacle("It is not held, and due at once.", done=True)
    return Change(standing.state, afresh=standing.state == "waiting")


def _resend(standing: Standing, may_be_done_twice: bool) -> Change | Obstacle:
    if standing.state not in _RESENT:
        advice = "Release it, and it is sent at once." if standing.state in ("held", "waiting") else ""
        return Obstacle(f"It is {standing.state}: it has still to be sent.", advice=advice, done=True)
    twice = standing.state in ("delivered", "unreadable", "in_doubt") or standing.may_be_done
    if twice and not standing.keeps_id:
        warning = "The partner may have processed it, and would not know it again: it may be done twice."
        if not may_be_done_twice:
            return Obstacle(
                warning, advice="Find out first; or confirm that it may be done twice.", risky=True
            )
        return Change("waiting", afresh=True, warning=warning)
    return Change("waiting", afresh=True)


def _expire(standing: Standing) -> Change | Obstacle:
    if standing.state == "expired":
        return Obstacle("It has expired already.", done=True)
    if standing.state not in _TRIED_OUT:
        return Obstacle(f"It is {standing.state}: there is nothing to give up.")
    if standing.state == "in_doubt":
        return Change("expired", warning="The partner may have processed it all the same.")
    return Change("expired")


def _settle(standing: Standing, settle_as: As) -> Change | Obstacle:
    if standing.state != "in_doubt":
        done = standing.state in SETTLED
        advice = "" if done else "To give it up: expire it."
        return Obstacle(f"It is {standing.state}, and not in doubt.", advice=advice, done=done)
    if settle_as == "not-sent":
        warning = "Others of its key have gone ahead of it meanwhile." if standing.aside else ""
        return Change("waiting", afresh=True, warning=warning)
    return Change(_ENDS[settle_as])


class FirstInKey(NamedTuple):
    """The entry whose turn it is."""

    entry_id: str
    state: State


class KeyStanding(NamedTuple):
    """A locked key that nobody drains."""

    state: str
    held_because: str | None


class KeyChange(NamedTuple):
    """What becomes of a key; `at_once`: it is due now, else its `due_at` stays. `because` where it is held."""

    state: Literal["idle", "active", "held"]
    at_once: bool = True
    because: str | None = None


def key_after(
    key: KeyStanding,
    acted: str,
    *,
    before: FirstInKey | None,
    first: FirstInKey | None,
    at_once: bool = False,
) -> KeyChange | None:
    """What becomes of a key after an act upon its entry `acted`; None: it stays as it is.

    Args:
        before: the entry whose turn it was before the act. first: the one whose turn it is now.
        at_once: the act was to have it looked at now.
    """
    because = key.held_because or ""
    if key.state == "held" and (because.startswith(BY_HAND) or not _held_for(acted, because, before)):
        return None
    if first is None:
        return None if key.state == "idle" else KeyChange("idle")
    if first.state == "held":
        return KeyChange("held", because=f"{first.entry_id} is held.")
    if key.state != "active" or at_once or first.entry_id == acted or before is None or before != first:
        return KeyChange("active")
    return None


def _held_for(acted: str, because: str, before: FirstInKey | None) -> bool:
    """Whether it is this entry that keeps the key: what holds a key names it, or its turn it was and it was not to be sent."""
    return acted in because.split() or (
        before is not None and before.entry_id == acted and before.state != "waiting"
    )
