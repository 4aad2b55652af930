"""The leases of one process: a thread renews them for as long as it lives, and gives back those of drains that have failed.

A lease that a failed drain left behind would be renewed for ever with the others, and nobody could take its key.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from bridge.delivery.failures import tell_failure
from bridge.store import Store, Transaction, runners
from bridge.store.clock import SECOND


class Leases:
    """
    Args:
        owner: whose they are.
        length: of a lease, in seconds; they are renewed four times in that.
        in_use: whether any key is being drained: else there is nothing to renew.
        given_back: called with the partner's name when a key was given back.
    """

    def __init__(
        self,
        store: Store,
        owner: str,
        length: float,
        *,
        in_use: Callable[[], bool],
        given_back: Callable[[str], object],
    ) -> None:
        self._store = store
        self._owner = owner
        self._length = length
        self._in_use = in_use
        self._given_back = given_back
        self._abandoned: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="delivery-leases", daemon=True)

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def stop(self, wait: float) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(wait)

    def abandon(self, partner: str, key: str, pause: float) -> None:
        """The drain of this key has failed: give its lease back, now or as soon as can be. Then nobody looks at the key for
        `pause` seconds, and after that anybody may."""
        with self._lock:
            self._abandoned[partner, key] = pause
        try:
            self._give_back()
        except Exception as error:  # noqa: BLE001 - tried again with the next renewal
            tell_failure(
                self._store, "a lease could not be given back yet", error, partner=partner, ordering_key=key
            )

    def _run(self) -> None:
        every = self._length / 4
        pause = every
        while not self._over.wait(pause):
            try:
                self._give_back()
                if self._in_use():
                    self._store.run(self._renew)
                pause = every
            except Exception as error:  # noqa: BLE001 - a lease lasts four times as long
                pause = every / 4
                tell_failure(self._store, "the leases could not be renewed", error, again_in=pause)

    def _renew(self, transaction: Transaction) -> None:
        runners.renew_leases(transaction.session, self._owner, length=int(self._length * SECOND))

    def _give_back(self) -> None:
        with self._lock:
            abandoned = sorted(self._abandoned.items())
        for (partner, key), pause in abandoned:
            self._store.run(partial(self._give_one_back, partner=partner, key=key, pause=pause))
            with self._lock:
                self._abandoned.pop((partner, key), None)
            self._given_back(partner)

    def _give_one_back(self, transaction: Transaction, *, partner: str, key: str, pause: float) -> None:
        length = int(pause * SECOND)
        runners.give_back(transaction.session, partner, key, owner=self._owner, pause=length)
