"""What a handler writes through, and the unit of work around it.

`Session` is SQLAlchemy's own `Session` (Core with `execute`, ORM with `add`, `get`, `scalars`) inside a transaction
that the bridge commits or rolls back; its `commit()` and `rollback()` end a savepoint, never that transaction.
It adds `rows`, `run`, `run_many` and `rows_for` for the bridge's prepared statements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

from sqlalchemy import Connection, event
from sqlalchemy.orm import Session as SqlalchemySession
from sqlalchemy.orm import SessionTransaction

from bridge.store.cipher import Cipher
from bridge.store.statements import ByKeys, DialectName, Parameters, Prepared

Row = tuple[Any, ...]


class Cursor(Protocol):
    """As much of a DB-API cursor as is used here."""

    @property
    def rowcount(self) -> int: ...

    def fetchall(self) -> list[Row]: ...


class Link(Protocol):
    """One open transaction on one connection, as `sqlite.py` and `postgresql.py` make it.

    `commit` and `rollback` end it and give the connection back; whichever comes second does nothing.
    """

    dialect: DialectName

    def execute(self, text: str, parameters: Parameters) -> Cursor: ...

    def execute_many(self, text: str, rows: Iterable[Parameters]) -> None: ...

    @property
    def connection(self) -> Connection:
        """The same connection, in the same transaction, for SQLAlchemy."""
        ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...


class _Deferred(NamedTuple):
    """Work for just before the commit, which goes with the savepoint it was asked for in."""

    place: tuple[str, ...]
    work: Callable[[Session], object]
    savepoint: SessionTransaction | None

    def is_within(self, undone: SessionTransaction) -> bool:
        savepoint = self.savepoint
        while savepoint is not None and savepoint is not undone:
            savepoint = savepoint.parent
        return savepoint is not None


class Session(SqlalchemySession):
    """A session inside the bridge's transaction; made by `Transaction.session`, `.reading`, `Store.reading`."""

    def __init__(self, link: Link, cipher: Cipher | None = None) -> None:
        # Savepoint: whatever a handler does with commit() and rollback(), the bridge has the last word.
        super().__init__(join_transaction_mode="create_savepoint")
        self._link = link
        self.cipher = cipher
        """What contents are encrypted with; None: they are not."""
        self.deferred: list[_Deferred] = []
        """The transaction's own list: what is rolled back in a savepoint is taken out of it."""

    def get_bind(self, *_: Any, **__: Any) -> Connection:
        """SQLAlchemy asks here, at its first statement; a session without one never builds a Connection."""
        return self._link.connection

    @property
    def dialect(self) -> DialectName:
        """Which database it is."""
        return self._link.dialect

    def rows(self, statement: Prepared, parameters: Parameters = ()) -> list[Row]:
        """Run a statement that returns rows."""
        return self._link.execute(statement.text(self._link.dialect), parameters).fetchall()

    def run(self, statement: Prepared, parameters: Parameters = ()) -> int:
        """Run a statement that returns no rows; the number of rows it touched."""
        return self._link.execute(statement.text(self._link.dialect), parameters).rowcount

    def run_many(self, statement: Prepared, rows: Iterable[Parameters]) -> None:
        """Run one statement for each row, in one call of the driver."""
        self._link.execute_many(statement.text(self._link.dialect), rows)

    def rows_for(self, statement: ByKeys, keys: Sequence[Parameters]) -> list[Row]:
        """The rows of many keys, in as few statements as can be; a key without a row brings none."""
        found: list[Row] = []
        for text, parameters in statement.batches(self._link.dialect, keys):
            found.extend(self._link.execute(text, parameters).fetchall())
        return found

    def leave(self, *, keep: bool) -> None:
        """End the transaction itself. The bridge's, never a handler's.

        Pending ORM objects are flushed first when it is kept, and dropped when it is not.
        """
        try:
            if keep:
                if self.in_transaction():
                    self.commit()
                self._link.commit()
        finally:
            try:
                if self.in_transaction():
                    self.close()
            finally:
                self._link.rollback()


@event.listens_for(Session, "after_soft_rollback")
def _forget_deferred(session: Session, undone: SessionTransaction) -> None:
    if session.deferred:
        session.deferred[:] = [one for one in session.deferred if not one.is_within(undone)]


class Transaction:
    """One unit of work. Nothing is opened before `session` or `reading` is asked for.

    Leaving the `with` block commits, an exception rolls back. `commit()` and `rollback()` do the same by hand;
    after either the transaction may be used again and then opens anew.
    Used by one thread at a time.
    """

    __slots__ = ("_after", "_before", "_cipher", "_open_reading", "_open_writing", "_reading", "_writing")

    def __init__(
        self,
        open_writing: Callable[[], Link],
        open_reading: Callable[[], Link],
        cipher: Cipher | None = None,
    ) -> None:
        self._cipher = cipher
        self._open_writing = open_writing
        self._open_reading = open_reading
        self._writing: Session | None = None
        self._reading: Session | None = None
        self._before: list[_Deferred] = []
        self._after: list[Callable[[], object]] = []

    @property
    def session(self) -> Session:
        """For writing. The first access opens the write transaction, on SQLite after waiting for the write lock.

        Raises:
            StoreBusy: others held the lock for too long, or this thread has another write transaction open.
            StoreError: the store cannot be reached or has the wrong schema.
        """
        session = self._writing
        if session is None:
            self._end_reading()
            session = self._writing = Session(self._open_writing(), self._cipher)
        return session

    @property
    def reading(self) -> Session:
        """For reading only, without any lock: what was committed when it was first asked for.

        Where this transaction has begun to write, the same session as `session`, which sees its own writes.
        """
        if self._writing is not None:
            return self._writing
        if self._reading is None:
            self._reading = Session(self._open_reading(), self._cipher)
        return self._reading

    @property
    def is_open(self) -> bool:
        """Whether a write transaction is open: nobody may wait for a partner meanwhile."""
        return self._writing is not None

    def commit(self) -> None:
        """Make what was written durable. Raises as the database does; then nothing of it is stored.

        Raises:
            CommitInDoubt: the connection broke during the commit, so nobody knows.
        """
        self._end_reading()
        if self._before or (self._writing is not None and self._writing.in_transaction()):
            self._finish()
        session, self._writing = self._writing, None
        after, self._after = self._after, []
        if session is not None:
            session.leave(keep=True)
        for work in after:
            work()

    def before_commit(self, place: tuple[str, ...], work: Callable[[Session], object]) -> None:
        """Have `work` done as the last thing before the commit, and not at all where there is none.

        All such work is done in the order of its `place`: two transactions that lock the same rows there lock them in the
        same order, and hold them for no longer than they must. Rows that are still to be written go before. Where a handler
        rolls back the savepoint in which it asked for `work`, that is not done either.
        """
        savepoint = None
        if (session := self._writing) is not None:
            savepoint = session.get_nested_transaction() or session.get_transaction() or session.begin()
            session.deferred = self._before
        self._before.append(_Deferred(place, work, savepoint))

    def after_commit(self, work: Callable[[], object]) -> None:
        """Have `work` done when the commit has succeeded. It is quick, and raises nothing."""
        self._after.append(work)

    def _finish(self) -> None:
        session = self.session
        try:
            while True:
                if session.in_transaction():
                    session.flush()  # may ask for more: a hook of the handler's that sends
                if not self._before:
                    return
                before = sorted(self._before, key=lambda one: one.place)
                self._before.clear()
                for one in before:
                    one.work(session)
        except BaseException:
            self.rollback()
            raise

    def rollback(self) -> None:
        """Forget what was written since the last commit."""
        self._end_reading()
        self._before, self._after = [], []
        session, self._writing = self._writing, None
        if session is not None:
            session.leave(keep=False)

    def _end_reading(self) -> None:
        session, self._reading = self._reading, None
        if session is not None:
            session.leave(keep=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.commit()
        else:
            self.rollback()
