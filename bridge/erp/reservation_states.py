"""States of a reservation, and the moves between them: the one table that every handler asks. Pure.

Time moves it too: one that is open expires by itself, whatever its row still says (`at`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

State = Literal["open", "fulfilled", "released", "expired"]
Event = Literal["issue", "fulfil", "reduce", "release", "expire"]

RESERVATION_STATES: Final[Mapping[State, str]] = {
    "open": "stock is held for it",
    "fulfilled": "nothing is held any more; the last of it was issued",
    "released": "nothing is held any more; the last of it was given back",
    "expired": "its time ran out; what it still held is available again",
}
"""Every state with its meaning; the table's CHECK and the contract's enumeration hold the same words."""

NEW_RESERVATION: Final[State] = "open"

EVENTS: Final[Mapping[Event, str]] = {
    "issue": "UpdateStock: an issue that names it takes some of what it holds",
    "fulfil": "UpdateStock: an issue that names it takes the last of what it holds",
    "reduce": "ReleaseStock: some of what it holds is given back",
    "release": "ReleaseStock: the last of what it holds is given back",
    "expire": "its `expiresAt` is reached",
}
"""Every event with what raises it."""

MOVES: Final[Mapping[tuple[State, Event], State]] = {
    ("open", "issue"): "open",
    ("open", "fulfil"): "fulfilled",
    ("open", "reduce"): "open",
    ("open", "release"): "released",
    ("open", "expire"): "expired",
}


def at(state: State, expires_at: int | None, now: int) -> State:
    """The state at the moment `now` of one whose row says `state`. Moments are as they are stored."""
    due = expires_at is not None and expires_at <= now
    return MOVES.get((state, "expire"), state) if due else state


def allowing(event: Event) -> tuple[State, ...]:
    """The states in which `event` is allowed, in the order of the contract."""
    return tuple(state for state in RESERVATION_STATES if (state, event) in MOVES)
