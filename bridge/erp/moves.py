"""A document's life as a table: its states, and which event moves it from which to which. Pure.

A move that is not in the table does not exist; the states that would have allowed an event are read from it too, and the page about
the states is drawn from it (`state_page.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

State = TypeVar("State", bound=str)
Event = TypeVar("Event", bound=str)


class NoMove(Exception, Generic[State, Event]):
    """This state does not allow this event.

    Args:
        allowed: the states that would have, in the order of the contract.
    """

    def __init__(self, state: State, event: Event, allowed: tuple[State, ...]) -> None:
        super().__init__(f"{state} does not allow {event}")
        self.state: Final = state
        self.event: Final = event
        self.allowed: Final = allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves(Generic[State, Event]):
    """The table.

    Args:
        states: every state with its meaning, in the order of the contract.
        new: the state of a new document.
        events: every event with what raises it.
        moves: where an event leads, by state and event.
    """

    states: Mapping[State, str]
    new: State
    events: Mapping[Event, str]
    moves: Mapping[tuple[State, Event], State]

    def after(self, state: State, event: Event) -> State:
        """The state that `event` leads to.

        Raises:
            NoMove: it is not allowed here.
        """
        to = self.moves.get((state, event))
        if to is None:
            raise NoMove(state, event, self.allowing(event))
        return to

    def allowing(self, event: Event) -> tuple[State, ...]:
        """The states in which `event` is allowed, in the order of the contract."""
        return tuple(state for state in self.states if (state, event) in self.moves)

    def is_final(self, state: State) -> bool:
        """Whether nothing leads on from here."""
        return not any(source == state for source, _ in self.moves)
