"""What an entry of the outbox may be, and what it may become. Pure.

    waiting → sending → delivered | refused | unreadable        an answer came
                      → waiting | expired                       nothing was done; tried again, or given up
                      → in_doubt                                sent, and no answer tells what became of it
    in_doubt → sending | delivered | refused | unreadable | expired | waiting
    held ⇄ waiting                                              by hand

In doubt and held are open by design: seen, alerted, and ended by an answer, by asking the partner, or by a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

Open = Literal["waiting", "sending", "in_doubt", "held"]
Settled = Literal["delivered", "refused", "unreadable", "expired"]
State = Literal[Open, Settled]

OPEN: frozenset[str] = frozenset(get_args(Open))
SETTLED: frozenset[str] = frozenset(get_args(Settled))

MOVES: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        "waiting": frozenset({"sending", "held", "expired"}),
        "sending": frozenset({"delivered", "refused", "unreadable", "waiting", "expired", "in_doubt"}),
        "in_doubt": frozenset({"sending", "waiting", "delivered", "refused", "unreadable", "expired"}),
        "held": frozenset({"waiting", "expired"}),
        # By hand alone: the same bytes again.
        "delivered": frozenset({"waiting"}),
        "refused": frozenset({"waiting"}),
        "unreadable": frozenset({"waiting"}),
        "expired": frozenset({"waiting"}),
    }
)
"""From each state, those that may follow."""


def may(before: State, after: State) -> bool:
    """Whether an entry may go from one state to the other."""
    return after in MOVES[before]
