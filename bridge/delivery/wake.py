"""Wake-ups from other processes: a thread that waits for the database to tell of new documents, and connects anew when its
connection breaks.

Whatever was told while nobody listened is found by looking at everybody after each connecting. In this process the runner
is woken by `Store.wakers`, after the commit.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from contextlib import closing

import structlog

from bridge.store import Store
from bridge.store.outbox import CHANNEL
from bridge.store.watch import ANYTHING

log = structlog.get_logger(__name__)

HEED_STOP = 0.25
"""Seconds until the thread notices that it is to end."""

SPREAD = 0.02
"""Seconds within which those who were told look: all at once would all go for the same keys, and each but one in vain. What
is told meanwhile is looked for in the same go."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds between two tries to connect."""


class Listener:
    """
    Args:
        wake: called with the name of a partner that something may be there for.
        wake_all: called when it may be there for any.
    """

    def __init__(self, store: Store, wake: Callable[[str], object], wake_all: Callable[[], object]) -> None:
        self._store = store
        self._wake = wake
        self._wake_all = wake_all
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="delivery-listener", daemon=True)
        self.connected = threading.Event()
        """Whether it listens at this moment."""

    def start(self) -> None:
        self._thread.start()

    def stop(self, wait: float = 2 * HEED_STOP) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(wait)

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._over.is_set():
            try:
                with closing(self._store.watch(CHANNEL)) as watch:
                    self.connected.set()
                    pause = FIRST_PAUSE
                    self._wake_all()
                    while not self._over.is_set():
                        if told := watch.wait(HEED_STOP):
                            self._over.wait(random.uniform(0, SPREAD))  # noqa: S311 - not a secret
                            for one in {*told, *watch.wait(0)}:
                                self._pass_on(one)
            except Exception as error:  # noqa: BLE001 - the sweep finds meanwhile what nobody tells of
                self.connected.clear()
                log.warning("no wake-ups from the store for now", reason=type(error).__name__, again_in=pause)
                self._over.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    def _pass_on(self, told: str) -> None:
        if told == ANYTHING:
            self._wake_all()
        else:
            self._wake(told)
