"""A partner's database: connections, transactions that read and that write, and how long anything may take.

    with database.reading() as connection: ...      one snapshot, read only: the database itself refuses to write
    with database.writing() as connection: ...      committed at the end of the block, or not at all

What the driver raises inside becomes the outcome of the call (`failures`): nothing of it was done, unless the connection broke
during the commit. Pools are small, and opened at the first use; that of writers never for a partner that is only read.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bridge.errors import BridgeError, InDoubt, NotSent, Refused, SettingsError, Unauthorised, Unavailable
from bridge.once import made_once
from bridge.partners.sql import Dialect, functions
from bridge.partners.sql.failures import Failure, failure_of, is_of_driver

_DRIVERS: Final[dict[str, tuple[Dialect, str]]] = {
    "postgres": ("postgresql", "postgresql+psycopg"),
    "postgresql": ("postgresql", "postgresql+psycopg"),
    "postgresql+psycopg": ("postgresql", "postgresql+psycopg"),
    "mysql": ("mysql", "mysql+pymysql"),
    "mysql+pymysql": ("mysql", "mysql+pymysql"),
    "mariadb": ("mysql", "mysql+pymysql"),
    "mariadb+pymysql": ("mysql", "mysql+pymysql"),
    "sqlite": ("sqlite", "sqlite"),
    "sqlite+pysqlite": ("sqlite", "sqlite"),
}
_EXTRA: Final[dict[Dialect, str]] = {"postgresql": "postgres", "mysql": "mysql", "sqlite": ""}
_FORMS: Final = "Use postgresql+psycopg://user:password@host/name, mysql+pymysql://user:password@host/name or sqlite:////path/to/file."
_STEPS: Final = 20_000
"""Steps of SQLite's machine between two looks at the clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much of the partner's database we take; times in seconds.

    Args:
        pool: connections at most, for reading and again for writing.
        statement_timeout: of one statement. `scan_timeout`: of one that reads a whole table.
        lock_timeout: for a row that somebody else has locked.
        connect_timeout: for a connection, and for one of the pool to become free.
    """

    pool: int = 4
    statement_timeout: float = 30.0
    scan_timeout: float = 3600.0
    lock_timeout: float = 5.0
    connect_timeout: float = 5.0


class Database:
    """One database of a partner's. Safe to use from several threads.

    Args:
        url: SQLAlchemy's form; of PostgreSQL, MySQL, MariaDB or a file of SQLite's.
        setting: what errors call the place where it is set: `partners.crm.database`.
        writable: whether `writing` may be asked for.

    Raises:
        SettingsError: it cannot be read, is of another database, or the driver is not installed.
    """

    def __init__(self, url: str, *, setting: str, writable: bool, bounds: Bounds | None = None) -> None:
        self.dialect, self._url = _parsed(url, setting)
        self._setting = setting
        self.writable = writable
        self.bounds = bounds or Bounds()
        _ = self._reader  # says at once where the driver is missing; connects to nothing

    @property
    def shown(self) -> str:
        """Its address, without what is secret."""
        return self._url.set(query={}).render_as_string(hide_password=True)

    @contextmanager
    def reading(self, *, timeout: float | None = None) -> Iterator[Connection]:
        """One snapshot of what was committed at its first statement; whatever tries to write is refused by the database.

        Args:
            timeout: of each statement, instead of `statement_timeout`.

        Raises:
            SettingsError: a table or a column is not there.
            NotSent, Unauthorised, Unavailable: not reached, not let in, too slow. Nothing was done.
        """
        with self._connected(self._reader, timeout) as connection, self._told():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is committed when the block ends well.

        Raises:
            Refused: the database does not take it: a constraint, a trigger, a value.
            InDoubt: the connection broke during the commit.
            NotSent, Unauthorised, Unavailable: as `reading`; a table or column that is not there is Unavailable too.
        """
        if not self.writable:
            raise SettingsError(
                f"{self._setting} is only read.",
                advice="Writing wants `writable = true` in the partner's file.",
            )
        with self._connected(self._writer, None) as connection:
            with self._told(writing=True):
                yield connection
            with self._told(writing=True, committing=True):
                connection.commit()

    def ping(self) -> str:
        """What the database calls itself. Raises as `reading`."""
        question = "SELECT sqlite_version()" if self.dialect == "sqlite" else "SELECT version()"
        with self.reading() as connection:
            answer = str(connection.exec_driver_sql(question).scalar_one())
        return f"SQLite {answer}" if self.dialect == "sqlite" else answer.split(" on ")[0]

    @made_once
    def is_mariadb(self) -> bool:
        """Whether it is MariaDB. Connects at the first look."""
        return self.dialect == "mysql" and "mariadb" in self.ping().lower()

    def quoted(self, name: str) -> str:
        """An identifier as its SQL writes it; of `schema.table` each part."""
        if self.dialect == "sqlite":
            # Of "name" SQLite makes a text where there is no such column; of `name` never.
            return ".".join("`" + part.replace("`", "``") + "`" for part in name.split("."))
        preparer = self._reader.dialect.identifier_preparer
        return ".".join(preparer.quote_identifier(part) for part in name.split("."))

    def close(self) -> None:
        """Close idle connections."""
        self._reader.dispose()
        if self.writable:
            self._writer.dispose()

    # -- connections

    @made_once
    def _reader(self) -> Engine:
        return self._engine(read_only=True)

    @made_once
    def _writer(self) -> Engine:
        return self._engine(read_only=False)

    def _engine(self, *, read_only: bool) -> Engine:
        bounds = self.bounds
        options: dict[str, Any] = {}
        if self.dialect == "postgresql":
            options["connect_args"] = {"connect_timeout": max(2, int(bounds.connect_timeout))}
        elif self.dialect == "mysql":
            options["connect_args"] = {
                "connect_timeout": max(1, int(bounds.connect_timeout)),
                "read_timeout": max(bounds.scan_timeout, bounds.statement_timeout) + 10,
                "charset": "utf8mb4",
            }
        else:
            options["connect_args"] = {"timeout": bounds.lock_timeout, "check_same_thread": False}
        try:
            engine = create_engine(
                self._url,
                pool_size=bounds.pool,
                max_overflow=0,
                pool_timeout=bounds.connect_timeout,
                pool_pre_ping=self.dialect != "sqlite",
                pool_recycle=1800,
                pool_use_lifo=True,
                hide_parameters=True,
                **options,
            )
        except ImportError:
            extra = _EXTRA[self.dialect]
            raise SettingsError(
                f"{self._setting}: the driver for {self.dialect} is not installed.",
                advice=f"pip install 'soapbridge[{extra}]'",
            ) from None
        _PREPARE[self.dialect](engine, bounds, read_only)
        return engine

    @contextmanager
    def _connected(self, engine: Engine, timeout: float | None) -> Iterator[Connection]:
        try:
            connection = engine.connect()
            try:
                connection.begin()
                self._limit(connection, timeout)
            except BaseException:
                connection.close()
                raise
        except PoolTimeout:
            raise Unavailable(
                f"All {self.bounds.pool} connections to {self.shown} are in use.",
                retry_after=1.0,
                advice="Raise `pool` in the partner's file, or lower `concurrency` in its settings.",
            ) from None
        except (SQLAlchemyError, OSError) as error:
            raise self._outcome(failure_of(error), connecting=True) from error
        try:
            yield connection
        finally:
            connection.close()  # rolls back what is still open

    def _limit(self, connection: Connection, timeout: float | None) -> None:
        seconds = self.bounds.statement_timeout if timeout is None else timeout
        if self.dialect == "postgresql":
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {int(seconds * 1000)}")
        elif self.dialect == "mysql":
            mariadb = bool(getattr(connection.dialect, "is_mariadb", False))
            limit = (
                f"max_statement_time = {seconds:g}"
                if mariadb
                else f"max_execution_time = {seconds * 1000:.0f}"
            )
            connection.exec_driver_sql(f"SET SESSION {limit}")
        else:
            _interrupt_after(connection, seconds)

    @contextmanager
    def _told(self, *, writing: bool = False, committing: bool = False) -> Iterator[None]:
        try:
            yield
        except BridgeError:
            raise
        except Exception as error:
            if not is_of_driver(error):
                raise
            raise self._outcome(failure_of(error), writing=writing, committing=committing) from error

    def _outcome(
        self, failure: Failure, *, connecting: bool = False, writing: bool = False, committing: bool = False
    ) -> BridgeError:
        words, code = failure.words, failure.code
        if failure.cause == "not_let_in":
            return Unauthorised(
                f"{self.shown} does not let us: {words} ({code}). Nothing was done.",
                advice=f"Correct user and password in {self._setting}, or the rights that this user has.",
            )
        if connecting and failure.cause != "busy":
            return NotSent(
                f"{self.shown} cannot be reached: {words}. Nothing was done.",
                advice=f"See that it runs, and that {self._setting} is right.",
            )
        if committing and failure.cause in ("lost", "unknown", "unreachable"):
            return InDoubt(
                f"The connection to {self.shown} broke during the commit: {words}.",
                advice="Look there whether it was done before it is repeated.",
            )
        if failure.cause == "schema" and not writing:
            return SettingsError(
                f"{self.shown}: {words} ({code}).",
                advice="The partner's tables are not as its file says: correct one or the other. `soapbridge columns` shows both.",
            )
        if failure.cause in ("refused", "read_only", "unknown"):
            return Refused(
                f"The database refused it: {words} ({code}). Nothing was done.",
                advice="Correct the values, or the statement in the partner's file.",
            )
        return Unavailable(
            f"{self.shown} did not do it: {words} ({code}). Nothing was done.", advice="It may be repeated."
        )


def quoting(dialect: Dialect) -> Callable[[str], str]:
    """How a dialect writes identifiers, where it must; of `schema.table` each part."""
    preparer = make_url(f"{_DRIVERS[dialect][1]}://").get_dialect()().identifier_preparer
    return lambda name: ".".join(preparer.quote(part) for part in name.split("."))


def dialect_of(url: str, setting: str) -> Dialect:
    """Which database a URL names. Raises SettingsError as `Database`."""
    return _parsed(url, setting)[0]


def _parsed(url: str, setting: str) -> tuple[Dialect, URL]:
    if not url:
        raise SettingsError(f"{setting} is not set.", advice=_FORMS)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # Never quoted: it may hold a password.
        raise SettingsError(f"{setting} cannot be read as the URL of a database.", advice=_FORMS) from None
    if parsed.drivername not in _DRIVERS:
        raise SettingsError(f"{setting} cannot be a {parsed.drivername!r} database.", advice=_FORMS)
    dialect, driver = _DRIVERS[parsed.drivername]
    if dialect == "sqlite" and (not parsed.database or parsed.database == ":memory:"):
        raise SettingsError(f"{setting} names no file.", advice=_FORMS)
    if dialect == "sqlite":
        # A file that is not there is a mistake, never a new database.
        file = quote(str(Path(str(parsed.database)).absolute()))
        return dialect, parsed.set(
            drivername=driver, database=f"file:{file}", query={"mode": "rw", "uri": "true"}
        )
    return dialect, parsed.set(drivername=driver)


# -- what every connection is told when it is opened


def _prepare_postgresql(engine: Engine, bounds: Bounds, read_only: bool) -> None:
    @event.listens_for(engine, "connect")
    def prepare(driver: Any, _record: Any) -> None:
        with driver.cursor() as cursor:
            cursor.execute("SET TIME ZONE 'UTC'")
            cursor.execute(f"SET lock_timeout = {int(bounds.lock_timeout * 1000)}")
            cursor.execute("SET idle_in_transaction_session_timeout = '1h'")
            if read_only:
                cursor.execute("SET default_transaction_read_only = on")
                cursor.execute("SET default_transaction_isolation = 'repeatable read'")
        driver.commit()


def _prepare_mysql(engine: Engine, bounds: Bounds, read_only: bool) -> None:
    @event.listens_for(engine, "connect")
    def prepare(driver: Any, _record: Any) -> None:
        level = "REPEATABLE READ" if read_only else "READ COMMITTED"
        with driver.cursor() as cursor:
            cursor.execute("SET SESSION time_zone = '+00:00'")
            # Otherwise what is too long is cut, and what is no number is 0.
            cursor.execute(
                "SET SESSION sql_mode = CONCAT_WS(',', NULLIF(@@sql_mode, ''), 'STRICT_ALL_TABLES')"
            )
            cursor.execute(f"SET SESSION innodb_lock_wait_timeout = {max(1, int(bounds.lock_timeout))}")
            cursor.execute(f"SET SESSION TRANSACTION ISOLATION LEVEL {level}")
            cursor.execute(f"SET SESSION TRANSACTION {'READ ONLY' if read_only else 'READ WRITE'}")


def _prepare_sqlite(engine: Engine, bounds: Bounds, read_only: bool) -> None:
    @event.listens_for(engine, "connect")
    def prepare(driver: sqlite3.Connection, _record: Any) -> None:
        driver.isolation_level = None  # BEGIN is ours to say
        driver.execute("PRAGMA foreign_keys = ON")
        functions.add_to(driver)
        if read_only:
            driver.execute("PRAGMA query_only = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


_PREPARE: Final = {
    "postgresql": _prepare_postgresql,
    "mysql": _prepare_mysql,
    "sqlite": _prepare_sqlite,
}


def _interrupt_after(connection: Connection, seconds: float) -> None:
    """SQLite has no limit of its own: it asks from time to time whether to go on. The limit is the transaction's."""
    deadline = time.monotonic() + seconds
    driver = cast("sqlite3.Connection", connection.connection.driver_connection)
    driver.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
