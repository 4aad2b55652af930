"""The trail of one process: what it did, entered into its own chain, a batch a second.

Whoever answers a request pays for none of it: the store tells of what it has committed, that is put into a queue, and a thread makes
entries of the queue, hashes and signs them, and writes them. What a batch holds is in its last entry's signature, made in the same
process from what it remembers; so nothing that was written to the tables by others is ever vouched for.

Once a minute, at the beginning and at the end, a checkpoint joins the chains: it names the last entry of each, and the checkpoint
before. `sweep.py` enters what dead processes have left.
"""

from __future__ import annotations

import atexit
import getpass
import itertools
import logging
import os
import secrets
import socket
import threading
import time
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bridge import ids
from bridge.audit import chain, configured, content, head
from bridge.audit.chain import Entry
from bridge.audit.keys import SigningKey
from bridge.audit.sweep import Sweep
from bridge.errors import BridgeError
from bridge.settings import Audit as Options
from bridge.settings import Settings
from bridge.store import Entry as JournalEntry
from bridge.store import ExchangeRecord, Store, Transaction
from bridge.store import audit as rows
from bridge.store.by_hand import NewAct
from bridge.store.clock import host_clock
from bridge.store.journal import is_recorded, storable

log = logging.getLogger(__name__)

BATCH: Final = 500
"""Entries in one transaction at most: others write meanwhile."""

EVERY_SECONDS: Final = 1.0
"""Between two batches."""

MOST_WAITING: Final = 100_000
"""Entries that wait for a store that cannot be used; exchanges above that are left to the sweep."""

LATE_SECONDS: Final = 60
"""An exchange that waited for so long may have been entered by another process."""

_numbers = itertools.count(1)


@dataclass(slots=True)
class _Waiting:
    """Something that is to be entered."""

    at: int
    event: str
    who: str | None
    subject: str | None
    outcome: str | None
    about: str | None
    salt: bytes
    in_doubt: bool = False


CLOSE_SECONDS = 10.0
"""How long whoever closes waits for the thread to end its turn."""


class Trail:
    """Enters what this process does. Thread-safe; implements `bridge.audit.Notes`.

    Args:
        store: which tells of what it commits.
        key: signs. Read or made when the first entry is written.
    """

    def __init__(self, store: Store, key: SigningKey, options: Options) -> None:
        self.store = store
        self.key = key
        self._options = options
        self._queue: deque[tuple[Any, bool, int]] = deque()
        self._waiting: deque[_Waiting] = deque()
        self._writing = threading.RLock()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._serves = False
        self._unnoted: Settings | None = None
        self._failing = False
        self._late = False
        self._over = threading.Event()
        self.swept: int | None = None
        """Up to which number of the journal this process has looked for what has no entry."""
        self.left_out = False
        """Whether exchanges of this process are left to the sweep."""
        self._sweep = Sweep(self)
        store.listeners.append(self._told)
        store.closing.append(self.close)
        self._begin_chain()
        _all.add(self)

    # -- what others call

    def note(
        self,
        event: str,
        *,
        who: str | None = None,
        subject: str | None = None,
        outcome: str | None = None,
        about: Mapping[str, object] | None = None,
    ) -> None:
        """Write down that something was done. Where a process serves, within a second; else it is kept on return.

        Raises:
            StoreError: the process does not serve, and the store cannot be used.
            SettingsError: likewise, and the key cannot.
        """
        self._queue.append((_note(event, who, subject, outcome, about), False, 0))
        if self._serves:
            self._wake()
        else:
            self.write()

    def serve(self, settings: Settings) -> None:
        """This process answers or delivers: entries are written beside, and what dead processes left is looked for."""
        if not self._serves:
            self._serves = True
            self._unnoted = settings
            self._wake()

    def removing(self, exchange_ids: Sequence[str]) -> None:
        """These exchanges are removed from the journal after this: their tombstone. Raises StoreError, SettingsError."""
        self._queue.append(
            (_note("retention", None, None, "done", {"exchanges": list(exchange_ids)}), False, 0)
        )
        self.write()

    def checkpoint(self) -> str:
        """Sign the heads of all chains now; the checkpoint's line. Raises StoreError, SettingsError."""
        with self._writing:
            self.write()
            self._write([], checkpoint=True, all_=True)
            return self._line

    def write(self, *, checkpoint: bool = False) -> None:
        """Enter all that waits, now. Raises StoreError, SettingsError; then it waits on.

        Args:
            checkpoint: sign the heads too, even if that was done a moment ago.
        """
        with self._writing:
            self._prepare()
            if self._attempt:
                self._look_back()
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
                try:
                    self._write(batch)
                except BaseException:
                    self._waiting.extendleft(reversed(batch))
                    raise
            if self._unsigned and (checkpoint or time.monotonic() >= self._checkpoint_at):
                self._write([], checkpoint=True)

    def close(self) -> None:
        """Enter what waits, and that this process has stopped. Raises nothing. What comes later begins another chain."""
        self._over.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(CLOSE_SECONDS)  # it may be using a connection, which would outlive the store's
        try:
            with self._writing:
                self._serves = False
                if self._seq or self._queue or self._waiting:
                    self._queue.append((_note("stopped", self._who, None, None, None), False, 0))
                    self.write(checkpoint=True)
                    self._begin_chain()
        except Exception as error:  # noqa: BLE001 - the process ends, or the store is closed, whatever it is
            self._tell("what was done last has no entry yet", error)

    def enter_found(self, exchange_id: str) -> None:
        """Enter an exchange as the journal has it: whoever did it has died."""
        entry = self.store.journal.show(exchange_id)
        if entry is not None:
            salt = secrets.token_bytes(16)
            made = _exchange(entry, host_clock(), salt, content.of_entry(entry, salt), swept=True)
            self._queue.append((made, False, 0))

    @property
    def name(self) -> str:
        """Of its chain."""
        return self._chain

    @property
    def process(self) -> str:
        """What the ids that it gives out have in common."""
        return self._process

    # -- what comes in

    def _told(self, things: Sequence[Any], in_doubt: bool) -> None:
        now = host_clock()
        for one in things:
            self._queue.append((one, in_doubt, now))
        self._wake()

    def _wake(self) -> None:
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._over.clear()
                    self._thread = threading.Thread(
                        target=_go_on, args=(weakref.ref(self), self._over), name="audit", daemon=True
                    )
                    self._thread.start()

    def _prepare(self) -> None:
        """Entries of what came, without the envelopes, which then are let go."""
        while self._queue:
            thing, in_doubt, at = self._queue.popleft()
            if isinstance(thing, _Waiting):
                self._waiting.append(thing)
            elif isinstance(thing, NewAct):
                self._waiting.append(of_act(thing))
            elif len(self._waiting) < MOST_WAITING:
                self._waiting.append(of_exchange(thing, at, in_doubt=in_doubt))
            else:
                self.left_out = True

    # -- what is written

    def _begin_chain(self) -> None:
        self._process = ids.process()
        self._chain = f"{self._process}-{next(_numbers):x}"
        self._seq, self._hash = 0, chain.BEGIN
        self._attempt: list[Entry] = []
        self._unsigned = False
        self._checkpoint_at = 0.0
        self._seen: dict[str, int] = {}
        self._line = ""
        self._who = _user()

    def _write(self, batch: list[_Waiting], *, checkpoint: bool = False, all_: bool = False) -> None:
        if self._process != ids.process():
            self._begin_chain()  # a fork: the chain is the parent's
        if self._late or any(one.in_doubt or _is_late(one) for one in batch):
            batch = [one for one in batch if self._is_wanted(one)]
        entries = self._linked([self._started(batch), *batch] if batch and not self._seq else batch)
        signs = checkpoint or bool(batch and time.monotonic() >= self._checkpoint_at)
        last = entries[-1] if entries else None
        ends = (self._seq, self._hash) if last is None else (last.seq, last.hash)

        def keep(transaction: Transaction) -> head.Written | None:
            if entries:
                rows.insert(transaction.session, entries)
            if not signs:
                return None
            return head.write(
                transaction.session,
                self.key,
                own=(self._chain, *ends),
                seen=self._seen,
                all_=self._serves or all_,
                swept=self.swept or 0,
            )

        self._attempt = entries
        try:
            written = self.store.run(keep)
        except Exception as error:
            if self._late or not _is_clash(error):
                raise
            self._attempt, self._late = [], True
            self._write(batch, checkpoint=checkpoint, all_=all_)
            return
        self._attempt, self._late = [], False
        self._seq, self._hash = ends
        self._unsigned = written is None and (self._unsigned or bool(entries))
        if written is not None:
            self._seen.update(written.seen)
            self._checkpoint_at = time.monotonic() + self._options.checkpoint_every
            self._line = written.line
            head.keep_elsewhere(self._options.checkpoints, written.line)

    def _linked(self, batch: list[_Waiting]) -> list[Entry]:
        """The entries of one transaction, the last one signed."""
        entries: list[Entry] = []
        seq, previous = self._seq, self._hash
        for number, one in enumerate(batch, start=1):
            seq += 1
            sealed = number == len(batch)
            digest = chain.digest(one.salt, one.who, one.subject, one.outcome, one.about)
            hash_ = chain.entry_hash(
                self._chain, seq, one.at, one.event, sealed=sealed, digest=digest, previous=previous
            )
            signature = self.key.sign(hash_) if sealed else None
            entries.append(
                Entry(
                    self._chain,
                    seq,
                    one.at,
                    one.event,
                    one.who,
                    one.subject,
                    one.outcome,
                    one.about,
                    one.salt,
                    digest,
                    hash_,
                    signature,
                )
            )
            previous = hash_
        return entries

    def _look_back(self) -> None:
        """Whether the last attempt, which ended with an error, was kept all the same."""
        with self.store.reading() as session:
            found = rows.head(session, self._chain)
        last = self._attempt[-1]
        if found == (last.seq, last.hash):
            self._seq, self._hash = found
            kept = {one.salt for one in self._attempt}
            self._waiting = deque(one for one in self._waiting if one.salt not in kept)
        self._attempt = []

    def _is_wanted(self, one: _Waiting) -> bool:
        """Whether an exchange is in the journal and has no entry yet."""
        if one.event != "exchange" or one.subject is None:
            return True
        with self.store.reading() as session:
            return not rows.is_entered(session, one.subject) and is_recorded(session, one.subject)

    def _started(self, batch: Sequence[_Waiting]) -> _Waiting:
        """The first entry of a chain; that of the first chain of all tells from where on the journal is covered."""
        about: dict[str, object] = {
            "process": self._process,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "key": self.key.name,
        }
        with self.store.reading() as session:
            if rows.is_empty(session):
                mine = [one.subject for one in batch if one.event == "exchange" and one.subject is not None]
                acts = sum(one.event == "act" for one in batch)
                about["first"] = True
                about["exchanges"] = rows.exchange_before(session, mine)
                about["acts"] = rows.newest_act(session) - acts
        return _note("started", self._who, None, "serves" if self._serves else None, about)

    # -- the thread

    def _turn(self) -> bool:
        """Once a second; False: there is nothing to wait for."""
        try:
            if self._unnoted is not None:
                self._note_settings(self._unnoted)
                self._unnoted = None
            self.write()
            if self._serves:
                self._sweep()
            self._failing = False
        except Exception as error:  # noqa: BLE001 - said once, and tried again
            if not self._failing:
                self._tell("what was done has no entry yet", error)
            self._failing = True
        return self._serves or bool(self._queue or self._waiting) or self._unsigned

    def _note_settings(self, settings: Settings) -> None:
        host = socket.gethostname()
        with self.store.reading() as session:
            last = rows.last_of(session, "settings_changed", host)
        before = None if last is None else Entry(*last).details
        if (about := configured.change(settings, before, self.key)) is not None:
            outcome = "first" if before is None else "changed"
            self._queue.append((_note("settings_changed", self._who, host, outcome, about), False, 0))

    def _rest(self) -> bool:
        """The thread ends, unless something came meanwhile."""
        with self._starting:
            self._thread = None
            if self._over.is_set() or not self._queue:
                return True
            self._thread = threading.current_thread()
            return False

    def _tell(self, event: str, error: Exception) -> None:
        """A store or a key that cannot be used now is no riddle; of anything else the trace is wanted."""
        plain = isinstance(error, BridgeError) or self.store.has_failed(error)
        log.warning(
            "%s: %s", event, error if plain else type(error).__name__, exc_info=None if plain else error
        )


def of_exchange(record: ExchangeRecord, at: int, *, in_doubt: bool = False) -> _Waiting:
    """The entry of an exchange: who called, or whom we called; never content."""
    salt = secrets.token_bytes(16)
    return _exchange(record, at, salt, content.of_record(record, salt), in_doubt=in_doubt)


def _exchange(
    record: ExchangeRecord | JournalEntry,
    at: int,
    salt: bytes,
    row: str,
    *,
    in_doubt: bool = False,
    swept: bool = False,
) -> _Waiting:
    about: dict[str, object] = {"direction": record.direction, "row": row}
    for name in ("contract", "operation", "remote", "http_status", "fault_code", "duplicate_of"):
        if (value := getattr(record, name)) is not None:
            about[name] = value
    if record.direction == "out" and record.partner is not None:
        about["partner"] = record.partner
    if swept:
        about["swept"] = True
    who = record.partner if record.direction == "in" else None
    return _Waiting(
        at,
        "exchange",
        _storable(who),
        record.exchange_id,
        record.verdict,
        _about(about),
        salt,
        in_doubt,
    )


def of_act(act: NewAct) -> _Waiting:
    """The entry of what somebody did by hand."""
    salt = secrets.token_bytes(16)
    partner, ordering_key, entry_id, exchange_id = content.place_of_act(act)
    about = {
        "verb": act.verb,
        "partner": partner,
        "ordering_key": ordering_key,
        "entry": entry_id,
        "exchange": exchange_id,
        "row": content.of_act(act, salt),
    }
    about = {name: value for name, value in about.items() if value is not None}
    subject = entry_id or exchange_id or ordering_key or partner
    return _Waiting(act.at, "act", act.who, subject, act.after, _about(about), salt)


def _note(
    event: str,
    who: str | None,
    subject: str | None,
    outcome: str | None,
    about: Mapping[str, object] | None,
) -> _Waiting:
    return _Waiting(
        host_clock(),
        storable(event),
        _storable(who),
        _storable(subject),
        _storable(outcome),
        _about(about),
        secrets.token_bytes(16),
    )


def _storable(text: str | None) -> str | None:
    return None if text is None else storable(text)


def _about(details: Mapping[str, object] | None) -> str | None:
    return _storable(chain.as_about(details))


def _is_clash(error: BaseException) -> bool:
    """Whether somebody else has entered the same exchange; the name is the drivers' own, from PEP 249."""
    return any(kind.__name__ == "IntegrityError" for kind in type(error).__mro__)


def _is_late(one: _Waiting) -> bool:
    return host_clock() - one.at > LATE_SECONDS * 1_000_000


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container whose user has no name
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"


def _go_on(trail: weakref.ref[Trail], over: threading.Event) -> None:
    """The thread. Between two turns it keeps nothing alive: a bridge that nobody has any more is let go."""
    while True:
        stops = over.wait(EVERY_SECONDS)
        one = trail()
        if one is None:
            return
        if (stops or not one._turn()) and one._rest():
            return
        del one


_all: weakref.WeakSet[Trail] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for trail in list(_all):
        trail.close()


def _after_fork() -> None:
    for trail in list(_all):
        trail._thread = None
        trail._queue.clear()
        trail._waiting.clear()
        trail._writing = threading.RLock()
        trail._starting = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
