"""Being told that something was committed, by whatever process.

PostgreSQL says so itself, on a connection that listens. SQLite does not: there the file's change counter is read on a
connection of its own, forty times a second and 10 µs each time, which tells that something was committed and not what.
Either way it is a hint. What must not be missed is looked for from time to time all the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, Protocol

POLL_SECONDS: Final = 0.025
"""Between two looks at SQLite's change counter."""

ANYTHING: Final = ""
"""Told where nobody knows what was committed."""


class Watch(Protocol):
    """One connection that waits for news. Used by one thread."""

    def wait(self, seconds: float) -> list[str]:
        """What was told of within so many seconds, at once when there is any; ANYTHING stands for whatever it may be.

        Raises the driver's error when the connection breaks; then a new watch is needed, and news may have been missed.
        """
        ...

    def close(self) -> None: ...


class SqliteWatch:
    """Reads the change counter.

    Args:
        counter: reads it, on a connection that nobody else uses.
        close: closes that connection.
    """

    def __init__(self, counter: Callable[[], int], close: Callable[[], object]) -> None:
        self._counter = counter
        self._close = close
        self._seen = counter()

    def wait(self, seconds: float) -> list[str]:
        until = time.monotonic() + seconds
        while True:
            counter = self._counter()
            if counter != self._seen:
                self._seen = counter
                return [ANYTHING]
            left = until - time.monotonic()
            if left <= 0:
                return []
            time.sleep(min(POLL_SECONDS, left))

    def close(self) -> None:
        self._close()


class PostgresqlWatch:
    """Listens.

    Args:
        connection: psycopg's, in autocommit, that nobody else uses.
        channel: a name of ours, never one that came from outside.
    """

    def __init__(self, connection: Any, channel: str) -> None:
        self._connection = connection
        try:
            connection.execute(f"LISTEN {channel}")
        except BaseException:
            connection.close()
            raise

    def wait(self, seconds: float) -> list[str]:
        return [told.payload for told in self._connection.notifies(timeout=seconds, stop_after=1)]

    def close(self) -> None:
        self._connection.close()
