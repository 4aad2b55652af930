"""The store: one object for one database, shared by all threads of a process."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol, TypeVar

from sqlalchemy.exc import DBAPIError

from bridge.errors import StoreBusy, StoreError
from bridge.store import address, backlog, idempotency, schema
from bridge.store.backlog import Backlog
from bridge.store.cipher import Cipher
from bridge.store.journal import Journal
from bridge.store.postgresql import PostgresqlDatabase
from bridge.store.session import Link, Row, Session, Tell, Transaction
from bridge.store.sqlite import SqliteDatabase
from bridge.store.statements import Parameters, Prepared
from bridge.store.watch import Watch

T = TypeVar("T")

Oldest = Callable[[Session], datetime | None]
"""Since when the oldest entry of a kind is unsettled; None when none is."""

RUN_AGAIN = 3
"""How often work is run again after the database ended it for another's sake."""


SCHEMA_SECONDS = 5.0
"""How often a process that serves looks whether the schema is still the one it knows."""

_LOCK_NOT_AVAILABLE = "55P03"
"""PostgreSQL: `lock_timeout` was over."""

_FAILURES = frozenset({"OperationalError", "InterfaceError", "InternalError"})


def _oldest_request(session: Session) -> datetime | None:
    """In doubt, or being answered by a handler that calls out; one that has died leaves its claim in either state."""
    found = idempotency.unanswered(session, limit=1)
    return found[0].first_used if found else None


class Database(Protocol):
    """What SQLite and PostgreSQL each do their own way."""

    def writing(self, *, light: bool = False) -> Link: ...

    def reading(self) -> Link: ...

    def may_run_again(self, error: BaseException) -> bool: ...

    def warnings(self) -> list[str]: ...

    def watch(self, channel: str) -> Watch: ...

    def close(self) -> None: ...


class Store:
    """The database that owns the truth. Making one touches nothing: the first transaction connects.

    Args:
        url: `sqlite:////path/to/file` or `postgresql+psycopg://user:password@host/name`.
        wait: seconds a writer waits for its turn, and anyone for a connection, before StoreBusy.
        pool: PostgreSQL only: connections used at most; at least one for each thread that answers.

    Raises:
        StoreError: the URL is none of these.
    """

    def __init__(self, url: str, *, wait: float = 10.0, pool: int = 16) -> None:
        parsed = address.parse(url)
        self.shown = address.shown(parsed)
        """The URL without its password, for logs and messages."""
        self.dialect = "sqlite" if parsed.drivername == "sqlite" else "postgresql"
        self._database: Database
        if self.dialect == "sqlite":
            self._database = SqliteDatabase(parsed, wait=wait)
        else:
            self._database = PostgresqlDatabase(parsed, wait=wait, pool=pool)
        self.file = self._database.file if isinstance(self._database, SqliteDatabase) else None
        """SQLite's file; None on PostgreSQL."""
        self.unsettled: dict[str, Oldest] = {
            "request": _oldest_request,
            "delivery": backlog.oldest_open,
            "delivery_in_doubt": backlog.oldest_in_doubt,
            "delivery_held": backlog.oldest_held,
        }
        """Whoever keeps entries that are settled later says here, under the name of their kind, how to find the oldest."""
        self.wakers: list[Callable[[str], object]] = []
        """Called with a partner's name when entries for it were committed in this process. They are quick, and raise nothing."""
        self.listeners: list[Tell] = []
        """Told of every exchange and every act that was committed in this process."""
        self.closing: list[Callable[[], object]] = []
        """Called before the connections are closed. They raise nothing."""
        self.cipher: Cipher | None = None
        """What contents are encrypted with (`bridge.atrest.protect`); None: they are not."""
        self._check_at = 0.0
        """When the schema is looked at again, on the monotonic clock; 0: before anything else is done."""
        self._checking = threading.Lock()
        self.journal = Journal(self.reading)

    def __repr__(self) -> str:
        return f"<Store {self.shown}>"

    def transaction(self) -> Transaction:
        """A unit of work: `with store.transaction() as transaction: transaction.session.execute(...)`.

        Opened lazily, committed on leaving, rolled back on an exception.
        """
        return Transaction(self._open_writing, self._open_reading, self.cipher, self.listeners)

    def write_lightly(self, statement: Prepared, parameters: Parameters = ()) -> int:
        """Run one statement in a transaction of its own that waits for no disk; the number of rows it touched.

        A power cut may take it away, but not once a later transaction that does wait has been committed: both databases write
        one log, in order.
        """
        if time.monotonic() >= self._check_at:
            self._check_again()
        link = self._database.writing(light=True)
        try:
            touched = link.execute(statement.text(link.dialect), parameters).rowcount
            link.commit()
        finally:
            link.rollback()
        return touched

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session for reading one snapshot of what was committed; takes no lock."""
        with self.transaction() as transaction:
            yield transaction.reading

    @contextmanager
    def looking(self) -> Iterator[Session]:
        """As `reading`, whatever the schema is, and whether there is one."""
        with Transaction(self._database.writing, self._database.reading) as transaction:
            yield transaction.reading

    def rows(self, statement: Prepared, parameters: Parameters = ()) -> list[Row]:
        """What one statement finds among what was committed. Without a session, which takes longer to make than to ask."""
        link = self._open_reading()
        try:
            return link.execute(statement.text(link.dialect), parameters).fetchall()
        finally:
            link.rollback()

    def run(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in a transaction and commit; run it again, at most 3 times, when PostgreSQL ended it for the
        sake of another transaction (40001, 40P01) or the connection broke before the commit.

        `work` must therefore do nothing outside the transaction that may not be done twice.
        """
        for again in range(RUN_AGAIN + 1):
            try:
                with self.transaction() as transaction:
                    return work(transaction)
            except Exception as error:
                if again == RUN_AGAIN or not self._database.may_run_again(error):
                    raise
                # Two that collided would collide again if they came back in step.
                time.sleep(random.uniform(0.2, 1.0) * 0.01 * 2**again)  # noqa: S311 - not a secret
        raise AssertionError("unreachable: the last round returns or raises")

    @contextmanager
    def failing_plainly(self, what: str) -> Iterator[None]:
        """What people start by hand: a database that goes away meanwhile is told of as that, and not by its driver.

        Raises:
            StoreError: instead of the driver's error. `what` is what was to be done.
        """
        try:
            yield
        except Exception as error:
            if isinstance(error, StoreError) or not self.has_failed(error):
                raise
            raise StoreError(
                f"The store {self.shown} could not be used: {what} was not done, or not to its end.",
                advice="See that the database runs; then look how things stand, and repeat what is missing.",
            ) from error

    def has_failed(self, error: BaseException) -> bool:
        """Whether this tells of a database that cannot be used now, which may pass, and not of a mistake in what was asked."""
        cause = error.orig if isinstance(error, DBAPIError) else error
        # The names are the drivers' own, from PEP 249.
        return isinstance(error, StoreError) or any(
            kind.__name__ in _FAILURES for kind in type(cause).__mro__
        )

    def migrate(self) -> None:
        """Make or upgrade the schema, in one transaction; does nothing when it is up to date.

        Waits for transactions that are open, on PostgreSQL for those that use a table that it changes; others wait for it
        meanwhile. A process of another version that serves notices within SCHEMA_SECONDS, and refuses from then on.

        Raises:
            StoreBusy: a transaction stayed open for too long; nothing was changed.
            StoreError: the schema is newer than this program, or the database cannot be used.
        """
        try:
            with (
                self.failing_plainly("the upgrade"),
                Transaction(self._database.writing, self._database.reading) as transaction,
            ):
                schema.migrate(transaction.session.connection(), shown=self.shown)
        except StoreError as error:
            cause = error.__cause__
            if (
                not isinstance(cause, DBAPIError)
                or getattr(cause.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE
            ):
                raise
            raise StoreBusy(
                f"A table of the store {self.shown} was in use for too long; nothing was changed.",
                advice="Stop the processes that use it, or wait until they have less to do; then repeat.",
            ) from cause

    def prepare(self) -> None:
        """Make the tables of a database that has none; refuse one whose schema does not fit.

        An upgrade is the operator's act, after a backup: `migrate`.

        Raises:
            StoreError: the schema is older or newer than this program's, with the command that mends it; or the database went
                away meanwhile.
        """
        try:
            with Transaction(self._database.writing, self._database.reading) as transaction:
                schema.prepare(transaction.session.connection(), shown=self.shown)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            raise StoreError(
                f"The connection to the store {self.shown} was lost while its schema was looked at; nothing was changed.",
                advice="See that the server runs, then repeat.",
            ) from error

    def check(self) -> None:
        """Refuse a store whose schema does not fit this program; done by itself before the first transaction, and every
        SCHEMA_SECONDS: somebody may migrate it while this process serves.

        Raises:
            StoreError: with the command that mends it.
        """
        try:
            with Transaction(self._database.writing, self._database.reading) as transaction:
                schema.require_current(transaction.reading.connection(), shown=self.shown)
        except BaseException:
            self._check_at = 0.0
            raise
        self._check_at = time.monotonic() + SCHEMA_SECONDS

    def oldest_unsettled(self) -> dict[str, datetime | None]:
        """By kind: since when the oldest entry waits for its end to be known, None when none does."""
        with self.reading() as session:
            return {kind: oldest(session) for kind, oldest in self.unsettled.items()}

    def backlog(self, partners: Iterable[str] = ()) -> list[Backlog]:
        """What is open for each of these partners, and for every other that was ever sent to."""
        with self.reading() as session:
            return backlog.by_partner(session, partners)

    def warnings(self) -> list[str]:
        """What `soapbridge check` should tell an operator about this database; empty when all is well."""
        return self._database.warnings()

    def watch(self, channel: str) -> Watch:
        """A connection of its own that tells of commits, by whatever process; `bridge.store.watch` says what it can tell.

        Raises:
            StoreError, or the driver's error: the database cannot be reached.
        """
        if time.monotonic() >= self._check_at:
            self._check_again()
        return self._database.watch(channel)

    def close(self) -> None:
        """Close the connections. The store may be used again; it then connects anew."""
        for close in self.closing:
            close()
        self._database.close()

    def _open_writing(self) -> Link:
        if time.monotonic() >= self._check_at:
            self._check_again()
        return self._database.writing()

    def _open_reading(self) -> Link:
        if time.monotonic() >= self._check_at:
            self._check_again()
        return self._database.reading()

    def _check_again(self) -> None:
        # Where it was found to fit before, one thread looks and the others go on; else all wait for what it finds.
        if not self._checking.acquire(blocking=not self._check_at):
            return
        try:
            if time.monotonic() >= self._check_at:
                self.check()
                if self.cipher is not None:
                    self.cipher.refresh()
        finally:
            self._checking.release()
