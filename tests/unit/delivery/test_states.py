from __future__ import annotations

from typing import get_args

from bridge.delivery.states import MOVES, OPEN, SETTLED, State, may


def test_every_state_is_either_open_or_settled_and_has_its_moves() -> None:
    assert set(MOVES) == set(get_args(State)) == OPEN | SETTLED
    assert not OPEN & SETTLED


def test_every_open_state_leads_to_an_ending() -> None:
    for state in OPEN:
        reached, seen = {state}, set()
        while reached - seen:
            seen |= reached
            reached = {after for before in reached for after in MOVES[before]}  # type: ignore[index]
        assert seen & SETTLED


def test_what_is_settled_is_only_ever_sent_again() -> None:
    for state in SETTLED:
        assert MOVES[state] == {"waiting"}  # type: ignore[index]


def test_an_entry_is_sent_only_when_it_waits_or_is_in_doubt() -> None:
    assert [state for state in MOVES if may(state, "sending")] == ["waiting", "in_doubt"]
