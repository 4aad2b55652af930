"""What runs beside requests, in threads of its own: the runner, schedules."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol


class Background(Protocol):
    """Started once, and stopped once."""

    @property
    def is_alive(self) -> bool:
        """Whether its threads are there."""
        ...

    def start(self) -> None:
        """Start the threads. What cannot be reached yet is tried again by them."""
        ...

    def rest(self) -> None:
        """Begin nothing new; returns at once."""
        ...

    def stop(self, grace: float) -> None:
        """Wait until what was begun has ended, for `grace` seconds at most, and end the threads."""
        ...


def start(things: Sequence[Background]) -> None:
    for one in things:
        one.start()


def stop(things: Sequence[Background], grace: float) -> None:
    """Stop all of them within `grace` seconds, in the opposite order."""
    until = time.monotonic() + grace
    for one in things:
        one.rest()
    for one in reversed(things):
        one.stop(max(0.0, until - time.monotonic()))
