"""One time limit for everything that one act takes: waiting for a place, for a token, and each of its requests.

    with within(options.deadline):
        backend.write(…)

A delivery has a lease, and who works on after its end is not alone: so what each step may take for itself is cut to what is left.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from bridge.errors import NotSent

_until: ContextVar[float | None] = ContextVar("until", default=None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """What is done inside may take so long, all in all."""
    until, outer = time.monotonic() + seconds, _until.get()
    token = _until.set(until if outer is None else min(until, outer))
    try:
        yield
    finally:
        _until.reset(token)


def left(most: float) -> float:
    """The seconds that the next step may take: `most`, or what is left.

    Raises:
        NotSent: nothing is.
    """
    until = _until.get()
    if until is None:
        return most
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise NotSent(
            "The time for the call was over before the request was sent.",
            advice="Repeat it; raise `deadline` where the way is long.",
        )
    return min(most, seconds)
