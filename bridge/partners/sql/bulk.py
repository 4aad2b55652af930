"""A statement's rows as the driver gives them, batch by batch, with nothing kept of those before.

By a server-side cursor on PostgreSQL, an unbuffered one on MySQL, and SQLite's own, which never holds more than a row. SQLAlchemy
would make an object of each row, which costs as much as reading it.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, Final

from sqlalchemy import Connection, text

BATCH: Final = 5000
"""Rows of a batch: enough that a batch costs less than its rows, few enough to be nothing in memory."""


def batches(
    connection: Connection, statement: str, parameters: Mapping[str, Any]
) -> Generator[list[tuple[Any, ...]], None, None]:
    """The rows, never an empty batch."""
    compiled = text(statement).bindparams(**parameters).compile(dialect=connection.dialect)
    given: Any = compiled.params
    if compiled.positiontup is not None:
        given = tuple(compiled.params[name] for name in compiled.positiontup)
    cursor = _cursor(connection)
    try:
        cursor.execute(str(compiled), given)
        while rows := cursor.fetchmany(BATCH):
            yield rows if type(rows) is list else list(rows)
    except GeneratorExit:
        if connection.dialect.name == "mysql":
            _leave(cursor)
            connection.invalidate()
        raise
    finally:
        cursor.close()


def _leave(cursor: Any) -> None:
    """PyMySQL would first read all the rest, however much it is: in `close`, and again when the result is collected."""
    cursor.connection = None
    if cursor._result is not None:
        cursor._result.unbuffered_active = False


def _cursor(connection: Connection) -> Any:
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "postgresql":
        return driver.cursor(name="soapbridge_scan")
    if connection.dialect.name == "sqlite":
        return driver.cursor()
    from pymysql.cursors import SSCursor

    return driver.cursor(SSCursor)
