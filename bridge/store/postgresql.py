"""PostgreSQL through psycopg 3: a pool of connections, each transaction on one of them.

Writers run in READ COMMITTED and lock the rows they change, always in the same order; readers get one snapshot
(REPEATABLE READ, read only). A transaction that PostgreSQL ends because of another one (40001, 40P01), or whose
connection broke before its commit was sent, may be run again: `Store.run` does.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bridge.errors import CommitInDoubt, StoreBusy, StoreError
from bridge.store import address
from bridge.store.session import Cursor
from bridge.store.statements import DialectName, Parameters
from bridge.store.watch import PostgresqlWatch

_TRANSIENT = frozenset({"40001", "40P01"})
"""Serialisation failure and deadlock: PostgreSQL has rolled back, the same work may succeed now."""

_UNTESTED_SECONDS = 20.0
"""A connection that lay in the pool for longer is tried first: the server may have been restarted meanwhile."""

_KEPT_ALIVE = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""For our end of a connection: that the network was cut is found out within half a minute. Without the last, what was
sent and not acknowledged would be waited for a quarter of an hour."""

_SERVER_KEEPS_ALIVE = """
SELECT set_config(name, wanted, false) FROM pg_settings JOIN (VALUES
    ('tcp_keepalives_idle', '10'), ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '3'), ('tcp_user_timeout', '30000')
) AS ours(of_name, wanted) ON name = of_name WHERE source = 'default'
"""
"""For the server's end, where nobody has set it: a host that was cut off in a transaction keeps its locks until the server
notices, with the system's defaults for two hours."""

_CONNECT_SECONDS = 10


class PostgresqlDatabase:
    """The store's database. Connections are opened on first use.

    Args:
        url: `postgresql+psycopg://user:password@host:port/name`.
        pool: connections kept and used at most; one for each thread that answers.
        wait: seconds to wait for a connection, and for a row that another transaction has locked.
    """

    dialect: DialectName = "postgresql"

    def __init__(self, url: URL, *, wait: float, pool: int) -> None:
        self._shown = address.shown(url)
        self._wait = wait
        try:
            self._engine = create_engine(
                url,
                pool_size=pool,
                max_overflow=0,
                pool_timeout=wait,
                pool_use_lifo=True,
                hide_parameters=True,
                connect_args=_not_in(url, connect_timeout=max(2, int(wait)), **_KEPT_ALIVE),
            )
        except ImportError:
            raise StoreError(
                "PostgreSQL needs the driver psycopg.", advice="pip install 'soapbridge[postgres]'"
            ) from None
        _prepare_connections(self._engine, lock_milliseconds=int(wait * 1000))
        self._reading_engine = self._engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )

    def writing(self, *, light: bool = False) -> _Link:
        """Take a connection and begin; the commit of a `light` one does not wait for the disk."""
        link = _Link(self, self._connect(self._engine))
        if light:
            link.execute("SET LOCAL synchronous_commit = off", ())
        return link

    def reading(self) -> _Link:
        """Take a connection and begin a read-only snapshot."""
        return _Link(self, self._connect(self._reading_engine))

    def _connect(self, engine: Engine) -> Connection:
        try:
            connection = engine.connect()
        except PoolTimeout as error:
            raise StoreBusy(
                f"No connection to {self._shown} became free within {self._wait:g} s.",
                advice="More threads answer than the pool has connections, or handlers are slow.",
            ) from error
        except SQLAlchemyError as error:
            # The driver's words name host, port and user, and never the password; SQLAlchemy's may show the URL.
            reason = str(error.orig) if isinstance(error, DBAPIError) else type(error).__name__
            raise StoreError(
                f"The store {self._shown} cannot be reached: {reason.strip()}",
                advice="Check address, user and password, and that the server runs.",
            ) from None
        connection.begin()
        return connection

    def may_run_again(self, error: BaseException) -> bool:
        """Whether the same work may succeed when it is run anew: nothing of it was committed."""
        if isinstance(error, CommitInDoubt):
            return False
        cause = error.orig if isinstance(error, DBAPIError) else error
        return getattr(cause, "sqlstate", None) in _TRANSIENT or _is_lost(cause)

    def warnings(self) -> list[str]:
        """What an operator should know about this database; nothing so far."""
        return []

    def watch(self, channel: str) -> PostgresqlWatch:
        """Tells what is said on this channel, on a connection beside the pool. Raises the driver's error."""
        words, options = self._engine.dialect.create_connect_args(self._engine.url)
        connect: Any = self._engine.dialect.loaded_dbapi.connect
        ours = _not_in(self._engine.url, connect_timeout=_CONNECT_SECONDS, **_KEPT_ALIVE)
        return PostgresqlWatch(connect(*words, **options, **ours, autocommit=True), channel)

    def close(self) -> None:
        """Close every idle connection."""
        self._engine.dispose()


def _not_in(url: URL, **options: int) -> dict[str, int]:
    """Those that the URL does not say itself."""
    return {name: value for name, value in options.items() if name not in url.query}


def _prepare_connections(engine: Engine, *, lock_milliseconds: int) -> None:
    @event.listens_for(engine, "connect")
    def set_session(dbapi: Any, record: Any) -> None:
        with dbapi.cursor() as cursor:
            cursor.execute("SET TIME ZONE 'UTC'")
            cursor.execute(f"SET lock_timeout = {lock_milliseconds}")
            cursor.execute(_SERVER_KEEPS_ALIVE)
        dbapi.commit()

    @event.listens_for(engine, "checkin")
    def note_time(dbapi: Any, record: Any) -> None:
        record.info["idle_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def test_if_idle(dbapi: Any, record: Any, proxy: Any) -> None:
        idle_since = record.info.get("idle_since")
        if idle_since is None or time.monotonic() - idle_since < _UNTESTED_SECONDS:
            return
        try:
            with dbapi.cursor() as cursor:
                cursor.execute("SELECT 1")
            dbapi.rollback()
        except dbapi_errors() as error:
            raise DisconnectionError from error  # SQLAlchemy connects anew


def dbapi_errors() -> type[Exception]:
    """psycopg's base error; imported late, SQLite needs no psycopg."""
    import psycopg

    return psycopg.Error


def _is_lost(error: object) -> bool:
    """Whether this error says that the connection is gone (server restarted, network cut)."""
    if not isinstance(error, dbapi_errors()):
        return False
    state: str | None = getattr(error, "sqlstate", None)
    if state is None:
        return type(error).__name__ == "OperationalError"  # raised by psycopg itself, not by the server
    return state.startswith("08") or state in {"57P01", "57P02", "57P03"}


class _Link:
    """A transaction on a pooled connection."""

    __slots__ = ("_connection", "_database", "_driver", "dialect")

    def __init__(self, database: PostgresqlDatabase, connection: Connection) -> None:
        self.dialect: DialectName = "postgresql"
        self._database = database
        self._connection: Connection | None = connection
        self._driver: Any = connection.connection.driver_connection

    def execute(self, text: str, parameters: Parameters) -> Cursor:
        cursor: Cursor = self._open_driver().execute(text, parameters)
        return cursor

    def execute_many(self, text: str, rows: Iterable[Parameters]) -> None:
        with self._open_driver().cursor() as cursor:
            cursor.executemany(text, rows)  # psycopg sends them in one pipeline

    def _open_driver(self) -> Any:
        if self._connection is None:
            raise StoreError("This transaction has ended; its session can no longer be used.")
        return self._driver

    @property
    def connection(self) -> Connection:
        if self._connection is None:
            raise StoreError("This transaction has ended; its session can no longer be used.")
        return self._connection

    def commit(self) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            if self._driver.info.transaction_status.name == "INERROR":
                raise StoreError("A statement of this transaction failed; nothing was stored.")
            connection.commit()
        except DBAPIError as error:
            if _is_lost(error.orig):
                raise CommitInDoubt(
                    f"The connection to {self._database._shown} broke during the commit.",
                    advice="Look whether it was stored before sending it again.",
                ) from error
            raise
        finally:
            self.rollback()

    def rollback(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._driver.closed or self._driver.broken:
            connection.invalidate()
        connection.close()  # rolls back what is still open
