"""A person at the desk of a partner that keeps no id: finds out what became of what is in doubt, and says so.

The partner's own log tells them. What stands there was done; what does not, some seconds after the last attempt, was not, and is
sent again. Run by `tests.crash.entry`, and killed like everybody else.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from bridge.errors import BridgeError
from bridge.store.deliveries import Entries
from tests.crash.documents import Reception, read
from tests.crash.service import bridge

PATIENCE: Final = 2.0
"""Seconds that an entry has been in doubt before it is looked into."""


class Person:
    """Remembers since when (monotonic) each entry has been seen in doubt."""

    def __init__(self, received: Path) -> None:
        self._received = received
        self._since: dict[tuple[str, int], float] = {}

    def look(self) -> None:
        """Settle everything that has been in doubt for long enough."""
        now = time.monotonic()
        found = bridge.deliveries.list(partner="desk", states=("in_doubt",), limit=500)
        doubts = [(one.entry.entry_id, one.entry.attempts) for one in found]
        self._since = {one: self._since.get(one, now) for one in doubts}
        ripe = [entry for (entry, attempts) in doubts if now - self._since[entry, attempts] > PATIENCE]
        if not ripe:
            return
        done = {one.entry for one in read(self._received, Reception) if one.applied}
        for entry in ripe:
            became, why = (
                ("delivered", "it is in their log") if entry in done else ("not-sent", "they have it not")
            )
            bridge.deliveries.settle(Entries(ids=(entry,)), became, who="kit", why=why)


def main(words: list[str]) -> None:
    logging.disable()
    parser = argparse.ArgumentParser(prog="tests.crash.entry … -- person")
    parser.add_argument("--received", type=Path, required=True)
    person = Person(parser.parse_args(words).received)
    while True:
        try:
            person.look()
        except (BridgeError, SQLAlchemyError) as error:
            print(f"later: {error}", flush=True)
        time.sleep(0.3)
