"""A partner as a runner sees it, of what the settings say of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bridge.delivery.drain import Drain
from bridge.delivery.gate import Gate, GateOptions
from bridge.delivery.runner import Destination
from bridge.delivery.sender import Sender
from bridge.settings import Settings
from bridge.store import Store

_DAY: Final = 86_400.0


def destination(store: Store, settings: Settings, name: str, sender: Callable[[], Sender]) -> Destination:
    """
    Args:
        sender: gives the partner. Called when the first document for it is due: its contract is loaded then.
    """
    own = settings.partners[name]
    gate = Gate(name, GateOptions.of(settings, name))

    def drains(*, owner: str, lease: int, stopping: Callable[[], bool], crowded: Callable[[], bool]) -> Drain:
        return Drain(store, sender(), gate, owner=owner, lease=lease, stopping=stopping, crowded=crowded)

    return Destination(
        name=name,
        concurrency=own.concurrency,
        # What a partner asks for, what an open circuit pauses, or a timetable from one week to the next.
        furthest=10 * max(own.max_delay, own.circuit_pause) + 8 * _DAY,
        gate=gate,
        drains=drains,
    )
