"""What people may do to an entry, and what becomes of its key: every state of every act."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from bridge.delivery.by_hand import (
    BY_HAND,
    Change,
    FirstInKey,
    KeyChange,
    KeyStanding,
    Obstacle,
    Standing,
    Verb,
    judge,
    key_after,
)
from bridge.delivery.states import MOVES, State, may

ALL: tuple[State, ...] = tuple(MOVES)
NOT_SENDING = [state for state in ALL if state != "sending"]

BECOMES: dict[tuple[Verb, State], State] = {
    ("hold", "waiting"): "held",
    ("release", "held"): "waiting",
    ("resend", "refused"): "waiting",
    ("resend", "expired"): "waiting",
    ("resend", "unreadable"): "waiting",
    ("resend", "delivered"): "waiting",
    ("resend", "in_doubt"): "waiting",
    ("expire", "waiting"): "expired",
    ("expire", "held"): "expired",
    ("expire", "in_doubt"): "expired",
    ("settle", "in_doubt"): "delivered",
}


@pytest.mark.parametrize("state", NOT_SENDING)
@pytest.mark.parametrize("verb", get_args(Verb))
def test_each_act_changes_the_states_that_it_is_for_and_no_other(verb: Verb, state: State) -> None:
    found = judge(verb, Standing(state), may_be_done_twice=True)
    after = BECOMES.get((verb, state))
    if after is None:
        assert isinstance(found, Obstacle)
        assert found.because
    else:
        assert isinstance(found, Change)
        assert found.after == after
        assert may(state, after)


@pytest.mark.parametrize("state", ["delivered", "unreadable", "in_doubt", "refused", "expired"])
@pytest.mark.parametrize("may_be_done", [False, True])
def test_only_what_the_partner_may_have_done_has_to_be_confirmed(state: Any, may_be_done: bool) -> None:
    risky = may_be_done or state in ("delivered", "unreadable", "in_doubt")
    standing = Standing(state, may_be_done=may_be_done)
    found = judge("resend", standing)
    assert isinstance(found, Obstacle) == risky
    if risky:
        assert isinstance(found, Obstacle)
        assert found.risky
        confirmed = judge("resend", standing, may_be_done_twice=True)
        assert isinstance(confirmed, Change)
        assert confirmed.warning
        assert judge("resend", standing._replace(keeps_id=True)) == Change("waiting", afresh=True)


def test_release_lets_one_go_at_once_that_waits_for_its_next_try() -> None:
    waiting = Standing("waiting", due=False)
    assert judge("release", waiting) == Change("waiting", afresh=True)
    for standing in (
        waiting._replace(due=True),
        waiting._replace(first=False),
        waiting._replace(key_state="held"),
    ):
        assert isinstance(judge("release", standing), Obstacle)


def test_release_has_one_in_doubt_sent_at_once_only_where_the_partner_keeps_our_id() -> None:
    doubtful = Standing("in_doubt", due=False)
    assert isinstance(judge("release", doubtful), Obstacle)
    assert judge("release", doubtful._replace(keeps_id=True)) == Change("in_doubt")


@pytest.mark.parametrize(
    ("became", "after"),
    [("delivered", "delivered"), ("refused", "refused"), ("expired", "expired"), ("not-sent", "waiting")],
)
def test_settling_says_what_became_of_it(became: Any, after: State) -> None:
    found = judge("settle", Standing("in_doubt"), settle_as=became)
    assert isinstance(found, Change)
    assert found.after == after
    assert may("in_doubt", after)


def test_one_that_others_have_overtaken_is_sent_again_with_a_warning() -> None:
    found = judge("settle", Standing("in_doubt", aside=True), settle_as="not-sent")
    assert isinstance(found, Change)
    assert "ahead" in found.warning


A, B = FirstInKey("a", "waiting"), FirstInKey("b", "waiting")
ACTIVE = KeyStanding("active", None)


def held(because: str) -> KeyStanding:
    return KeyStanding("held", because)


@pytest.mark.parametrize(
    ("key", "acted", "before", "first", "change"),
    [
        # Nothing is left: idle.
        (ACTIVE, "a", A, None, KeyChange("idle")),
        (KeyStanding("idle", None), "a", None, None, None),
        # Another one's turn, or this one's: at once.
        (ACTIVE, "a", A, B, KeyChange("active")),
        (KeyStanding("idle", None), "a", None, A, KeyChange("active")),
        (ACTIVE, "a", B, A, KeyChange("active")),
        # One behind: the key keeps its time.
        (ACTIVE, "b", A, A, None),
        # What is first is held now.
        (
            ACTIVE,
            "a",
            A,
            FirstInKey("a", "held"),
            KeyChange("held", because="a is held."),
        ),
        # Held for this one: it goes on. For another one, or by a person: not.
        (held("Put a was refused. No."), "a", B, A, KeyChange("active")),
        (held("Put a was refused. No."), "a", None, None, KeyChange("idle")),
        (held("Put a was refused. No."), "b", B, None, None),
        (held("Put aa was refused."), "a", B, A, None),
        (held(f"{BY_HAND} by mei: a is wrong"), "a", A, B, None),
        # It was its turn, and not to be sent.
        (held("changed by other means"), "a", FirstInKey("a", "in_doubt"), B, KeyChange("active")),
        (held("changed by other means"), "a", FirstInKey("a", "waiting"), B, None),
    ],
)
def test_what_becomes_of_the_key(
    key: KeyStanding, acted: str, before: FirstInKey | None, first: FirstInKey | None, change: Any
) -> None:
    assert key_after(key, acted, before=before, first=first) == change


def test_a_key_that_is_to_be_looked_at_now_is() -> None:
    assert key_after(ACTIVE, "a", before=A, first=A, at_once=True) == KeyChange("active")
