"""The runner: the threads of one process that deliver. The database owns the truth and the order; this decides who works when.

    one thread looks      which keys of which partners are due (`outbox.due_keys`), after a wake-up, when the next is due, and
                          at every sweep, which finds whatever no wake-up told of
    threads drain         one key each, never the same key twice in this process; `turns.py` has the rules
    one thread renews     the leases of this process (`leases.py`), so that a long send is not taken for a dead one
    one thread listens    for what other processes put into the outbox (`wake.py`)

Any number of runners work on one database. None of them knows of the others: a key belongs to whoever holds its lease.
"""

from __future__ import annotations

import os
import random
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import structlog

from bridge.delivery.failures import tell_failure
from bridge.delivery.leases import Leases
from bridge.delivery.turns import Turns
from bridge.delivery.wake import Listener
from bridge.settings import Delivery as Options
from bridge.store import Session, Store, Transaction, outbox, runners
from bridge.store.clock import LEASES, SECOND

log = structlog.get_logger(__name__)

TURN = 1.0
"""Seconds that a key may keep a thread that others wait for."""

SET_BACK = 2.0
"""Seconds that the database's clock must have gone back, against our own that only goes forward, to count as set back."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds between two looks while the store cannot be used."""

FIRST_PARTNER_PAUSE, LONGEST_PARTNER_PAUSE = 1.0, 60.0
"""Seconds between two tries to make a partner whose contract cannot be read."""

_LAST_WAIT = 5.0
"""Seconds for a thread that has nothing more to do than to notice it."""


class Drains(Protocol):
    """Makes what drains the keys of one partner: `bridge.delivery.drain.Drain` with its sender and gate.

    May take a while, and raise, the first time: a contract is loaded then.
    """

    def __call__(
        self, *, owner: str, lease: int, stopping: Callable[[], bool], crowded: Callable[[], bool]
    ) -> Callable[[str], bool]:
        """What drains a key, and tells whether it has begun anything."""
        ...


class Resting(Protocol):
    """As much of a partner's gate as is asked before a key is tried: `bridge.delivery.gate.Gate`."""

    def rest(self) -> float:
        """Seconds for which every key of the partner would be turned away."""
        ...

    def left(self) -> None:
        """A key was left: there is a place again."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A partner, as a runner sees it.

    `concurrency`: keys drained at the same time, by this process. `furthest`: seconds that anything for it may have been put
    off at most; what lies further in the future was put there before the clock was set back.
    """

    name: str
    concurrency: int
    furthest: float
    gate: Resting
    drains: Drains


class Runner:
    """
    Args:
        store: where the outbox is.
        partners: those that are delivered to.
        options: section `delivery` of the settings.
    """

    def __init__(self, store: Store, partners: Iterable[Destination], options: Options) -> None:
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        """What this runner's leases and attempts are signed with."""
        self._store = store
        self._partners = {partner.name: partner for partner in partners}
        self._options = options
        self._lease = int(options.lease * SECOND)
        self._turns = Turns(
            options.threads, {name: partner.concurrency for name, partner in self._partners.items()}
        )
        self._most_threads = options.threads - 1 + max(1, len(self._partners))
        self._lock = threading.Lock()
        self._to_look = threading.Condition(self._lock)
        self._to_drain = threading.Condition(self._lock)
        self._at_rest = threading.Condition(self._lock)
        self._resting = False
        self._over = threading.Event()
        self._idle = 0
        self._threads: list[threading.Thread] = []
        self._looker = threading.Thread(target=self._look, name="delivery-looks", daemon=True)
        # A look from before a key was given back has not seen it: hence another one.
        self._leases = Leases(
            store, self.owner, options.lease, in_use=lambda: self._turns.busy > 0, given_back=self.wake
        )
        self.listener = Listener(store, self.wake, self.wake_all)
        self._unmade: dict[str, float] = {}
        self._strangers: set[str] = set()
        self._ahead: float | None = None

    @property
    def partners(self) -> list[str]:
        """The names of those that it delivers to."""
        return list(self._partners)

    @property
    def is_resting(self) -> bool:
        """Whether it begins nothing new any more."""
        return self._resting

    @property
    def is_alive(self) -> bool:
        """Whether the threads that everything depends on are there."""
        return self._looker.is_alive() and self._leases.is_alive

    def start(self) -> None:
        """Start the threads. Touches nothing itself; what cannot be reached yet is tried again."""
        self._store.wakers.append(self.wake)
        for one in (self._looker, self._leases, self.listener):
            one.start()

    def wake(self, partner: str) -> None:
        """There may be something for this partner. A hint; quick, for any thread."""
        with self._lock:
            if self._turns.wake(partner, time.monotonic()):
                self._to_look.notify()

    def wake_all(self) -> None:
        """There may be something for any of them."""
        with self._lock:
            self._turns.wake_all(time.monotonic())
            self._to_look.notify()

    def rest(self) -> None:
        """Begin nothing new. What is being sent comes to its end."""
        with self._lock:
            self._resting = True
            self._turns.stop()
            self._to_look.notify_all()
            self._to_drain.notify_all()

    def stop(self, grace: float) -> None:
        """Begin nothing new, and wait until what is being sent is settled, for `grace` seconds at most.

        Whatever is still on its way then keeps its lease until it lapses: another process takes it for in doubt.
        """
        until = time.monotonic() + grace
        self.rest()
        with self._lock:
            while self._turns.busy and (left := until - time.monotonic()) > 0:
                self._at_rest.wait(left)
            unfinished = self._turns.busy
        if unfinished:
            log.warning("stopped before everything was sent", keys=unfinished, grace=grace)
        if self.wake in self._store.wakers:
            self._store.wakers.remove(self.wake)
        self._over.set()
        self.listener.stop()
        self._leases.stop(_LAST_WAIT)
        for thread in (self._looker, *self._threads):
            if thread.is_alive():
                thread.join(0.0 if unfinished else _LAST_WAIT)

    # -- looking

    def _look(self) -> None:
        sweep_at, pause = 0.0, FIRST_PAUSE
        while (now := self._wait_to_look(sweep_at)) is not None:
            names: list[str] = []
            try:
                if now >= sweep_at:
                    sweep_at = now + self._options.sweep
                    self._sweep()
                with self._lock:
                    names = self._turns.begin_looks(now)
                self._fetch(names)
                pause = FIRST_PAUSE
            except Exception as error:  # noqa: BLE001 - whatever it is, the next look finds the same
                tell_failure(self._store, "the outbox could not be looked at", error, again_in=pause)
                with self._lock:
                    for name in names or self._turns.partners:
                        self._turns.postpone(name, time.monotonic() + pause)
                sweep_at = min(sweep_at, time.monotonic() + pause)
                self._over.wait(pause if not self._resting else 0)
                pause = min(2 * pause, LONGEST_PAUSE)

    def _wait_to_look(self, sweep_at: float) -> float | None:
        """When it is time to look; None when it never is again. A sweep looks at all partners."""
        with self._lock:
            while not self._resting:
                now = time.monotonic()
                if now >= sweep_at:
                    self._turns.wake_all(now)
                    return now
                due = min(self._turns.next_look(), sweep_at)
                if due <= now:
                    return now
                self._to_look.wait(due - now)
        return None

    def _fetch(self, names: list[str]) -> None:
        """Have the due keys of these partners drained, and find out when the next one is due."""
        if not names:
            return
        with self._store.reading() as session:
            for name in names:
                most = self._turns.batch(name)
                before = time.monotonic()
                # In this order: what falls due between the two is found by both, and not by neither.
                coming = runners.coming(session, name)
                keys = outbox.due_keys(session, name, lease=self._lease, most=most)
                # Every process fetches the same ones: in their order all would go for the same first.
                random.shuffle(keys)
                next_in = None if coming.at is None else (coming.at - coming.now) / SECOND + 0.001
                self._compare_clocks(session, coming.now / SECOND, before)
                with self._lock:
                    self._turns.found(name, keys, time.monotonic(), next_in=next_in)
                    self._call_one()

    # -- sweeping

    def _sweep(self) -> None:
        """Look for what should not be there: documents for partners that nobody knows, moments too far in the future."""
        with self._store.reading() as session:
            strangers = set(runners.open_partners(session)) - self._partners.keys()
            far = [
                partner
                for partner in self._partners.values()
                if runners.is_too_far(session, partner.name, beyond=int(partner.furthest * SECOND))
            ]
            too_long = runners.is_too_long(session, beyond=LEASES * self._lease)
        for name in sorted(strangers - self._strangers):
            log.warning("documents wait for a partner that is not in the settings", partner=name)
        self._strangers = strangers
        if far or too_long:
            self._store.run(lambda transaction: self._repair(transaction, far))

    def _repair(self, transaction: Transaction, far: list[Destination]) -> None:
        session = transaction.session
        keys = sum(
            runners.bring_forward(session, partner.name, beyond=int(partner.furthest * SECOND))
            for partner in far
        )
        leases = runners.cut_short(session, beyond=LEASES * self._lease)
        if keys or leases:
            log.warning(
                "moments that lie too far in the future were brought forward", keys=keys, leases=leases
            )

    def _compare_clocks(self, session: Session, stored: float, before: float) -> None:
        """Notice that the database's clock was set back: all that waits by it would wait for so much longer.

        The first time there is nothing of our own to compare with. Then what was written down last tells whether it was set
        back while nobody ran, or under a process that died before it looked.

        Args:
            stored: seconds, read from the database after `before`.
        """
        ahead, self._ahead = self._ahead, stored - time.monotonic()
        if ahead is None:
            ahead = max(runners.newest(session) / SECOND, stored) - before
        if stored - before > ahead - SET_BACK:
            return
        log.warning(
            "the store's clock was set back: what waits is looked at now",
            seconds=round(ahead - stored + before),
        )
        self._store.run(self._bring_all_forward)
        self.wake_all()

    def _bring_all_forward(self, transaction: Transaction) -> None:
        for name in sorted(self._partners):
            runners.bring_forward(transaction.session, name, beyond=0)

    # -- draining

    def _work(self) -> None:
        while (taken := self._wait_for_key()) is not None:
            self._drain(*taken)

    def _wait_for_key(self) -> tuple[str, str] | None:
        with self._lock:
            while not self._resting:
                if (taken := self._turns.take()) is not None:
                    self._call_one()
                    return taken
                self._idle += 1
                self._to_drain.wait()
                self._idle -= 1
        return None

    def _call_one(self) -> None:
        """Where a key waits that may have a thread, wake one, or start one; it calls the next. With the lock held."""
        if not self._turns.has_more:
            return
        if self._idle:
            self._to_drain.notify()
        elif len(self._threads) < self._most_threads:
            name = f"delivery-{len(self._threads)}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _drain(self, name: str, key: str) -> None:
        partner = self._partners[name]
        until = time.monotonic() + TURN

        def crowded() -> bool:
            return time.monotonic() > until and self._turns.is_crowded(name)

        if rest := partner.gate.rest():
            self._end(name, key, postponed=rest)
            return
        try:
            drain = partner.drains(
                owner=self.owner, lease=self._lease, stopping=lambda: self._resting, crowded=crowded
            )
        except Exception as error:  # noqa: BLE001 - its contract cannot be read, say: nothing of it was touched
            pause = min(2 * self._unmade.get(name, FIRST_PARTNER_PAUSE / 2), LONGEST_PARTNER_PAUSE)
            self._unmade[name] = pause
            tell_failure(
                self._store, "nothing can be delivered to a partner", error, partner=name, again_in=pause
            )
            self._end(name, key, postponed=pause)
            return
        self._unmade.pop(name, None)
        try:
            begun = drain(key)
        except BaseException as error:  # noqa: BLE001 - a thread that ended would be missing, be it by a user's sys.exit()
            self._abandon(name, key, error)
            return
        if begun:
            partner.gate.left()
        self._end(name, key, begun=begun)

    def _end(self, name: str, key: str, *, begun: bool = False, postponed: float = 0.0) -> None:
        with self._lock:
            now = time.monotonic()
            self._turns.ended(name, key, now, begun=begun)
            if postponed:
                self._turns.postpone(name, now + postponed)
            elif begun:
                self._turns.resume(name, now)
            self._changed()

    def _abandon(self, name: str, key: str, error: BaseException) -> None:
        """A drain has raised: nobody may have the key before a pause, and then anybody."""
        with self._lock:
            pause = self._turns.failed(name, key, time.monotonic())
        event = "a drain failed; its key is looked at again later"
        tell_failure(self._store, event, error, partner=name, ordering_key=key, again_in=pause)
        self._leases.abandon(name, key, pause)
        with self._lock:
            self._changed()

    def _changed(self) -> None:
        self._to_look.notify()
        if not self._turns.busy:
            self._at_rest.notify_all()
