"""SQLite: one file, one connection that writes, several that read.

Writers of this process queue at a FIFO lock; only then does one of them say BEGIN IMMEDIATE on the single write
connection. (A transaction that reads first and writes later fails at once with BUSY_SNAPSHOT whatever the
timeout, so none is begun that way.) SQLite's file lock and its busy handler are left to settle matters with other
processes.

Durability is WAL with synchronous=FULL: a commit that returned has been synced to the disk. The sync is most of what a
small transaction costs, so those that queue share one: who has finished while others wait hands the open
transaction on, each working inside a savepoint of its own, and the last one commits for all. Nobody is told "done" before
that commit; if it fails, all of them fail. A failure of one alone rolls back its savepoint and nothing else.

A light transaction is committed with synchronous=NORMAL: written to the WAL and not synced. The next sync takes it along.

Checkpoints copy the WAL back into the file. SQLite before 3.51.3 can corrupt the file when one runs while another
connection commits (sqlite.org/wal.html#walresetbug). In a process they run inside a commit, behind the FIFO lock,
so nobody else commits meanwhile. Between processes the one that holds a lock on `<file>-checkpointer` does them;
the others step in only when the WAL has grown to BACKSTOP_PAGES, which is when that process no longer writes.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from sqlalchemy import Connection, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.pool import StaticPool

from bridge.errors import CommitInDoubt, StoreBusy, StoreError
from bridge.store import address, clock
from bridge.store.fifo import FifoLock
from bridge.store.session import Cursor
from bridge.store.statements import DialectName, Parameters
from bridge.store.watch import SqliteWatch

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows: there every process checkpoints, as SQLite does by itself
    fcntl = None

FIXED_IN = (3, 51, 3)
"""The version of SQLite without the WAL-reset bug."""

CHECKPOINT_PAGES = 1000
"""WAL pages (4 kB each) after which the checkpointing process copies them back: SQLite's own default."""

BACKSTOP_PAGES = 20_000
"""WAL pages (80 MB) after which any process does."""

CACHE_KIB = 16_384
"""Page cache of the write connection; 2 MB, the default, no longer holds the inner pages of a year's indexes."""

GROUP_SIZE = 32
"""Transactions that share a sync at most."""

GROUP_SECONDS = 0.005
"""A group older than this is committed even while others wait: its first member has waited enough."""

SLOW_SECONDS = 0.02
"""Who keeps the lock for longer is no company to wait for: grouping pauses for PAUSE_SECONDS."""

PAUSE_SECONDS = 1.0

_TAKE_ROLE_EVERY = 500
"""Commits between two attempts to become the checkpointing process."""


class SqliteDatabase:
    """The store's file. Connections are opened on first use.

    Args:
        url: `sqlite:////path/to/file`; file and folder are made when missing, for the owner only.
        wait: seconds a writer waits for its turn, in this process and then again for other processes.
    """

    dialect: DialectName = "sqlite"

    def __init__(self, url: URL, *, wait: float) -> None:
        self.file = Path(url.database or "").absolute()
        self._shown = address.shown(url)
        self._wait = wait
        self._lock = FifoLock()
        self._opening = threading.Lock()
        self._writer: _Lane | None = None
        self._idle_readers: deque[_Lane] = deque()
        self._role: int | None = None
        self._commits = 0
        self._group: _Group | None = None
        self._ungrouped_until = 0.0

    def writing(self, *, light: bool = False) -> _Writing:
        """Wait for the write lock and begin. Raises StoreBusy after `wait` seconds."""
        if self._lock.owner == threading.get_ident():
            raise StoreBusy(
                "This thread has a write transaction open already and would wait for itself.",
                advice="Use the open one (in a handler: call.session) instead of beginning another.",
            )
        if not self._lock.acquire(self._wait):
            raise StoreBusy(
                f"The store {self._shown} was not free for writing within {self._wait:g} s.",
                advice="Something holds a write transaction open; see which handler is slow.",
            )
        try:
            lane = self._writer or self._open_writer()
            self._begin(lane, light)
        except BaseException as error:
            self._leave()
            if isinstance(error, sqlite3.OperationalError):
                raise self._explained(error) from error
            raise
        return _Writing(self, lane)

    def reading(self) -> _Reading:
        """Begin a read transaction: one snapshot, which neither waits nor makes others wait."""
        try:
            lane = self._idle_readers.pop()
        except IndexError:
            lane = self._open_reader()
        lane.dbapi.execute("BEGIN")
        return _Reading(self, lane)

    def may_run_again(self, error: BaseException) -> bool:
        """Only where the commit was shared and another member may be why it failed: then each commits alone."""
        return isinstance(error, _SharedCommitFailed)

    def warnings(self) -> list[str]:
        """What an operator should know about this machine's SQLite; empty when all is well."""
        if sqlite3.sqlite_version_info >= FIXED_IN:
            return []
        fixed = ".".join(map(str, FIXED_IN))
        warning = (
            f"SQLite {sqlite3.sqlite_version} has the WAL-reset bug (sqlite.org/wal.html#walresetbug), which can "
            "damage the file when several processes write to it. One process is safe. Before a worker runs "
            f"beside it, use a Python with SQLite {fixed} or later, or PostgreSQL."
        )
        return [warning]

    def watch(self, channel: str) -> SqliteWatch:
        """Tells that something was committed, here or in another process; never what."""
        lane = self._open_reader()
        return SqliteWatch(lambda: int(lane.dbapi.execute("PRAGMA data_version").fetchone()[0]), lane.close)

    def close(self) -> None:
        """Close every idle connection; the last one of all processes folds the WAL into the file."""
        with self._opening:
            while self._idle_readers:
                self._idle_readers.pop().close()
            if self._writer is not None:
                self._writer.close()
                self._writer = None
            if self._role is not None:
                os.close(self._role)
                self._role = None

    # -- connections

    def _open_writer(self) -> _Lane:
        with self._opening:
            lane = self._connect()
            lane.dbapi.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            lane.dbapi.execute(
                "PRAGMA temp_store = MEMORY"
            )  # where savepoints keep what they may have to undo
            self._writer = lane
            self._take_checkpoint_role(lane)
            return lane

    def _open_reader(self) -> _Lane:
        if not self.file.exists():
            # A reader would leave an empty file behind; the writer makes it with the right permissions.
            raise StoreError(f"There is no store at {self._shown}.", advice="Run `soapbridge migrate`.")
        lane = self._connect()
        lane.dbapi.execute("PRAGMA query_only = ON")
        return lane

    def _connect(self) -> _Lane:
        try:
            self._make_file()
            dbapi = sqlite3.connect(
                self.file,
                timeout=self._wait,
                isolation_level=None,  # BEGIN and COMMIT are ours to say
                check_same_thread=False,  # a connection changes threads, and is used by one at a time
                cached_statements=256,
            )
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"The store {self._shown} cannot be opened: {error}.",
                advice="Name a file in a folder that this user may write to.",
            ) from error
        try:
            self._use_wal(dbapi)
            dbapi.execute("PRAGMA synchronous = FULL")
            dbapi.execute("PRAGMA foreign_keys = ON")
            dbapi.execute("PRAGMA wal_autocheckpoint = 0")
            # Looked up at every call, so that a test may set the clock.
            dbapi.create_function(clock.SQLITE_FUNCTION, 0, lambda: clock.host_clock())
            return _Lane(dbapi)
        except sqlite3.Error as error:
            dbapi.close()
            raise self._explained(error) from error

    def _make_file(self) -> None:
        """Make folder and file, readable by the owner only; a file that is there is never opened here.

        Closing any descriptor of a file drops every lock that this process holds on it (POSIX), those of other
        connections as well: SQLite would then take the file for unused and fold the WAL in under a writer's feet.
        So the file is made under another name, closed, and only then given its own.
        """
        if self.file.exists():
            return
        try:
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, made = tempfile.mkstemp(dir=self.file.parent, prefix=f"{self.file.name}-")
        except OSError as error:
            raise StoreError(
                f"The store {self._shown} cannot be made: {error.strerror or error}.",
                advice="Let this user write to its folder, or set data.folder or store.url to another.",
            ) from error
        os.close(handle)
        try:
            os.link(made, self.file)
        except FileExistsError:
            pass  # another process was quicker
        finally:
            Path(made).unlink()

    def _use_wal(self, dbapi: sqlite3.Connection) -> None:
        """Switch a new file to WAL. Two that do it at once are not made to wait by SQLite: one of them fails."""
        until = time.monotonic() + self._wait
        while True:
            try:
                dbapi.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if not _is_busy(error) or time.monotonic() > until:
                    raise
                time.sleep(0.01)

    def _explained(self, error: sqlite3.Error) -> StoreError:
        code = getattr(error, "sqlite_errorname", "") or ""
        if _is_busy(error):
            return StoreBusy(
                f"The store {self._shown} was held by another process for more than {self._wait:g} s.",
                advice="A backup or another tool may have it open for writing.",
            )
        if code.startswith("SQLITE_FULL"):
            return StoreError(
                f"The disk of the store {self._shown} is full.", advice="Make room, then repeat."
            )
        if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            return StoreError(
                f"The file of the store {self._shown} is damaged or no SQLite file: {error}.",
                advice="Nothing was changed in it. Set it aside and put the newest backup in its place.",
            )
        return StoreError(f"The store {self._shown} failed: {error}.")

    # -- beginnings and ends of transactions; all of these run with the lock held

    def _begin(self, lane: _Lane, light: bool) -> None:
        if self._group is None:
            # Cannot be changed inside a transaction. Left as it is for as long as it fits: each change costs as much as a write.
            if light is not lane.light:
                lane.dbapi.execute(f"PRAGMA synchronous = {'NORMAL' if light else 'FULL'}")
                lane.light = light
            lane.dbapi.execute("BEGIN IMMEDIATE")
            self._group = _Group(light)
        elif self._group.members:
            lane.dbapi.execute("SAVEPOINT member")
        self._group.turn_began = time.monotonic()

    def _keep(self, lane: _Lane) -> None:
        """Commit what this member wrote, together with the others. Returns when it is durable."""
        group = self._group
        assert group is not None
        if not lane.dbapi.in_transaction:  # SQLite itself rolls back on a full disk, on I/O errors
            group.failure = StoreError("The transaction was rolled back by the database; nothing was stored.")
        elif group.members:
            lane.dbapi.execute("RELEASE member")
        group.members += 1
        self._leave()
        if not group.ended.wait(self._wait):
            raise CommitInDoubt(
                f"The commit to {self._shown} did not end within {self._wait:g} s: another handler holds it up.",
                advice="Look whether it was stored before sending it again.",
            )
        if group.failure is not None:
            raise group.failure

    def _forget(self, lane: _Lane) -> None:
        """Roll back what this member wrote, and nothing else."""
        group = self._group
        try:
            if lane.dbapi.in_transaction:
                if group is not None and group.members:
                    lane.dbapi.execute("ROLLBACK TO member")
                    lane.dbapi.execute("RELEASE member")
                else:
                    lane.dbapi.execute("ROLLBACK")
        finally:
            if group is not None and not group.members:
                self._group = None
            self._leave()

    def _leave(self) -> None:
        """Give up the lock: to the next member of the group, or after committing for all of them."""
        group = self._group
        if group is None:
            self._lock.release()
            return
        now = time.monotonic()
        if now - group.turn_began > SLOW_SECONDS:
            self._ungrouped_until = now + PAUSE_SECONDS
        # Nobody joins a light one, which syncs nothing: who joins a group is told that it is durable.
        full = group.light or group.members >= GROUP_SIZE or now - group.began > GROUP_SECONDS
        if not full and group.failure is None and now > self._ungrouped_until and self._lock.hand_over():
            return
        self._end_group(group)

    def _end_group(self, group: _Group) -> None:
        lane, self._group = self._writer, None
        try:
            if lane is not None and lane.dbapi.in_transaction:
                lane.dbapi.execute("COMMIT" if group.failure is None else "ROLLBACK")
                self._committed(lane)
            elif group.failure is None:
                group.failure = StoreError(
                    "The transaction was rolled back by the database; nothing was stored."
                )
        except sqlite3.Error as error:
            group.failure = self._explained(error) if group.members < 2 else _SharedCommitFailed(str(error))
            group.failure.__cause__ = error
            self._ungrouped_until = time.monotonic() + PAUSE_SECONDS  # so that only the culprit fails again
            if lane is not None and lane.dbapi.in_transaction:
                lane.dbapi.execute("ROLLBACK")
        finally:
            self._lock.release()
            group.ended.set()

    def _committed(self, lane: _Lane) -> None:
        self._commits += 1
        if self._role is None and self._commits % _TAKE_ROLE_EVERY == 0:
            self._take_checkpoint_role(lane)

    def _take_checkpoint_role(self, lane: _Lane) -> None:
        """Become the process that checkpoints, unless another one is."""
        pages = CHECKPOINT_PAGES
        if fcntl is not None:
            role = os.open(f"{self.file}-checkpointer", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(role, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._role = role
            except OSError:
                os.close(role)
                pages = BACKSTOP_PAGES
        lane.dbapi.execute(f"PRAGMA wal_autocheckpoint = {pages}")

    def _give_back(self, lane: _Lane) -> None:
        self._idle_readers.append(lane)


def _nothing(*_: object) -> None:
    """In place of what a SQLAlchemy dialect does to begin and end a transaction."""


def _is_busy(error: sqlite3.Error) -> bool:
    return str(getattr(error, "sqlite_errorname", "")).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


class _SharedCommitFailed(StoreBusy):
    """The commit for several transactions failed, be it for one of them; nothing of any was stored."""


class _Group:
    """Transactions that share one commit. `members` counts those that have finished and wait for it. A `light` one has one member,
    and its commit waits for no disk."""

    __slots__ = ("began", "ended", "failure", "light", "members", "turn_began")

    def __init__(self, light: bool) -> None:
        self.light = light
        self.began = self.turn_began = time.monotonic()
        self.members = 0
        self.ended = threading.Event()
        self.failure: StoreError | None = None


class _Lane:
    """A connection and its SQLAlchemy face, which may set savepoints and never ends a transaction: that is ours to
    do, and it may be shared with others."""

    __slots__ = ("__weakref__", "_engine", "dbapi", "light")

    def __init__(self, dbapi: sqlite3.Connection) -> None:
        self.dbapi = dbapi
        self.light = False
        # A store that is dropped and not closed closes its connections all the same; Python 3.13 warns where none does.
        weakref.finalize(self, dbapi.close).atexit = False
        self._engine = create_engine(
            "sqlite://",
            creator=lambda: dbapi,
            poolclass=StaticPool,
            pool_reset_on_return=None,
            hide_parameters=True,
        )
        for name in ("do_begin", "do_commit", "do_rollback"):
            setattr(self._engine.dialect, name, _nothing)

    def face(self) -> Connection:
        connection = self._engine.connect()
        connection.begin()  # says nothing to the driver: BEGIN was said
        return connection

    def close(self) -> None:
        self._engine.dispose()
        self.dbapi.close()


class _Writing:
    """A write transaction; holds the FIFO lock until its end."""

    __slots__ = ("_database", "_face", "_lane", "dialect")

    def __init__(self, database: SqliteDatabase, lane: _Lane) -> None:
        self.dialect: DialectName = "sqlite"
        self._database = database
        self._lane: _Lane | None = lane
        self._face: Connection | None = None

    def execute(self, text: str, parameters: Parameters) -> Cursor:
        return self._open_lane().dbapi.execute(text, parameters)

    def execute_many(self, text: str, rows: Iterable[Parameters]) -> None:
        self._open_lane().dbapi.executemany(text, rows)

    @property
    def connection(self) -> Connection:
        lane = self._open_lane()
        if self._face is None:
            self._face = lane.face()
        return self._face

    def _open_lane(self) -> _Lane:
        if self._lane is None:
            raise StoreError("This transaction has ended; its session can no longer be used.")
        return self._lane

    def commit(self) -> None:
        lane = self._end()
        if lane is not None:
            self._database._keep(lane)

    def rollback(self) -> None:
        lane = self._end()
        if lane is not None:
            self._database._forget(lane)

    def _end(self) -> _Lane | None:
        lane, self._lane = self._lane, None
        if lane is not None and self._face is not None:
            self._face.close()
        return lane


class _Reading(_Writing):
    """A read transaction on a connection of its own."""

    __slots__ = ()

    def commit(self) -> None:
        self.rollback()

    def rollback(self) -> None:
        lane = self._end()
        if lane is None:
            return
        with contextlib.suppress(sqlite3.Error):
            if lane.dbapi.in_transaction:
                lane.dbapi.execute("ROLLBACK")
        self._database._give_back(lane)
