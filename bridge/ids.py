"""Ids that no other process gives out."""

from __future__ import annotations

import os
import time
from itertools import count

_process = os.urandom(5).hex()
_numbers = count(1)


def _renew_process() -> None:
    global _process  # after a fork the child must not give out its parent's ids
    _process = os.urandom(5).hex()


os.register_at_fork(after_in_child=_renew_process)


def new_exchange_id() -> str:
    """An id that no other process gives out and that sorts by time: `01993c5b2f1a-9f2c1e77b0-1c`."""
    return f"{time.time_ns() // 1_000_000:012x}-{_process}-{next(_numbers):x}"


def process() -> str:
    """What all ids that this process gives out have in common, and those of no other."""
    return _process


def process_of(exchange_id: str) -> str:
    """That of the process that gave this id out; "" where it is of another form."""
    parts = exchange_id.split("-")
    return parts[1] if len(parts) == 3 else ""


def exchange_iri(exchange_id: str) -> str:
    """The id as WS-Addressing wants it, an IRI."""
    return f"urn:soapbridge:exchange:{exchange_id}"


def entry_iri(entry_id: str) -> str:
    """The id of an outbox's entry as an IRI: the same for every attempt, so that the partner can tell a repeat."""
    return f"urn:soapbridge:entry:{entry_id}"
