"""What a driver's error means: whether anything was done, whose it is, and in words without the statement's values.

| cause | PostgreSQL (SQLSTATE) | MySQL, MariaDB (number) | SQLite |
|---|---|---|---|
| unreachable | no state while connecting, 08, 57P03 | 2002, 2003, 2005 | CANTOPEN |
| not_let_in | 28, 42501, 3D000 | 1044, 1045, 1049, 1142, 1143, 1227, 1370, 1698 | AUTH, PERM |
| lost | no state, 08, 57P01, 57P02 | 2006, 2013, 2014, 2055 | IOERR |
| busy | 40001, 40P01, 55P03, 57014, 53, 25P03 | 1040, 1203, 1205, 1213, 1317, 1969, 3024 | BUSY, LOCKED, INTERRUPT, FULL |
| schema | 42P01, 42703, 42883, 3F000, 42P10 | 1054, 1146, 1051, 1305 | "no such table", "no such column" |
| refused | 22, 23, 44, P0001 | 1048, 1062, 1216, 1217, 1264, 1265, 1292, 1364, 1366, 1406, 1451, 1452, 3819, 4025, 1644 | CONSTRAINT, MISMATCH, TOOBIG |
| read_only | 25006 | 1290, 1792, 1836 | READONLY |
"""

from __future__ import annotations

import sqlite3
from typing import Final, Literal, NamedTuple

from sqlalchemy.exc import DBAPIError

Cause = Literal["unreachable", "not_let_in", "lost", "busy", "schema", "refused", "read_only", "unknown"]

LONGEST = 300

_POSTGRESQL: Final[tuple[tuple[str, Cause], ...]] = (
    ("57P03", "unreachable"),
    ("42501", "not_let_in"),
    ("3D000", "not_let_in"),
    ("28", "not_let_in"),
    ("57P01", "lost"),
    ("57P02", "lost"),
    ("08", "lost"),
    ("40001", "busy"),
    ("40P01", "busy"),
    ("55P03", "busy"),
    ("57014", "busy"),
    ("25P03", "busy"),
    ("53", "busy"),
    ("42P01", "schema"),
    ("42703", "schema"),
    ("42883", "schema"),
    ("3F000", "schema"),
    ("42P10", "schema"),
    ("22", "refused"),
    ("23", "refused"),
    ("44", "refused"),
    ("P0001", "refused"),
    ("25006", "read_only"),
)
"""By how a SQLSTATE begins."""

_MYSQL: Final[tuple[tuple[tuple[int, ...], Cause], ...]] = (
    ((2002, 2003, 2005), "unreachable"),
    ((1044, 1045, 1049, 1142, 1143, 1227, 1370, 1698), "not_let_in"),
    ((0, 2006, 2013, 2014, 2055), "lost"),
    ((1040, 1203, 1205, 1213, 1317, 1969, 3024), "busy"),
    ((1051, 1054, 1146, 1305), "schema"),
    ((1048, 1062, 1216, 1217, 1264, 1265, 1292, 1364, 1366, 1406, 1451, 1452, 1644, 3819, 4025), "refused"),
    ((1290, 1792, 1836), "read_only"),
)

_SQLITE: Final[tuple[tuple[str, Cause], ...]] = (
    ("SQLITE_CANTOPEN", "unreachable"),
    ("SQLITE_NOTADB", "unreachable"),
    ("SQLITE_AUTH", "not_let_in"),
    ("SQLITE_PERM", "not_let_in"),
    ("SQLITE_IOERR", "lost"),
    ("SQLITE_BUSY", "busy"),
    ("SQLITE_LOCKED", "busy"),
    ("SQLITE_INTERRUPT", "busy"),
    ("SQLITE_FULL", "busy"),
    ("SQLITE_CONSTRAINT", "refused"),
    ("SQLITE_MISMATCH", "refused"),
    ("SQLITE_TOOBIG", "refused"),
    ("SQLITE_READONLY", "read_only"),
)
"""By how the name of the error begins."""


class Failure(NamedTuple):
    """`code` is the database's own: a SQLSTATE, a number, a name. `words` are what it said, without a statement's values
    where it keeps the two apart."""

    cause: Cause
    code: str
    words: str


def failure_of(error: BaseException) -> Failure:
    """What an error of a driver, or one that SQLAlchemy has wrapped, means."""
    found = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(found, sqlite3.Error):
        return _sqlite(found)
    root = type(found).__module__.partition(".")[0]
    if root == "psycopg":
        return _postgresql(found)
    if root == "pymysql":
        return _mysql(found)
    return Failure("unknown", type(found).__name__, _short(str(found)))


def is_of_driver(error: BaseException) -> bool:
    """Whether it comes from a database's driver."""
    root = type(error).__module__.partition(".")[0]
    return isinstance(error, DBAPIError | sqlite3.Error) or root in ("psycopg", "pymysql")


def _postgresql(error: BaseException) -> Failure:
    state: str | None = getattr(error, "sqlstate", None)
    diagnosis = getattr(error, "diag", None)
    words = getattr(diagnosis, "message_primary", None) or str(error)
    if state is None:
        # Raised by psycopg itself: there is no connection, or no longer.
        lost = type(error).__name__ in ("OperationalError", "AdminShutdown", "ConnectionTimeout")
        return Failure("lost" if lost else "unknown", type(error).__name__, _short(words))
    return Failure(_by_beginning(_POSTGRESQL, state), state, _short(words))


def _mysql(error: BaseException) -> Failure:
    number = error.args[0] if error.args and isinstance(error.args[0], int) else None
    words = str(error.args[1]) if len(error.args) > 1 else str(error)
    if number is None:
        lost = type(error).__name__ in ("InterfaceError", "OperationalError")
        return Failure("lost" if lost else "unknown", type(error).__name__, _short(words))
    cause: Cause = next((cause for numbers, cause in _MYSQL if number in numbers), "unknown")
    return Failure(cause, str(number), _short(words))


def _sqlite(error: sqlite3.Error) -> Failure:
    name = getattr(error, "sqlite_errorname", "") or type(error).__name__
    words = _short(str(error))
    if (
        words.startswith(("no such table", "no such column", "no such view"))
        or "has no column named" in words
    ):
        return Failure("schema", name, words)
    return Failure(_by_beginning(_SQLITE, name), name, words)


def _by_beginning(table: tuple[tuple[str, Cause], ...], code: str) -> Cause:
    return next((cause for beginning, cause in table if code.startswith(beginning)), "unknown")


def _short(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
