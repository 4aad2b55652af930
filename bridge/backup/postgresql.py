"""Copies of a PostgreSQL store: made by pg_dump of a snapshot whose rows were counted, put back in one transaction.

The rows are counted in a transaction that lends its snapshot to pg_dump, so that what is counted is what is copied. What is
copied is the schema that the store's tables are in, handlers' own tables there included.

Put back is a script: pg_restore writes it, psql runs it. Ours are the beginning of its transaction, and the end: the rows are counted and
it commits. (psql's own `--single-transaction` would commit a script that was broken off, too: where this process is killed, say.)

Both are told where the server is, and the password, by a file that only this user may read: arguments and environment can be
looked at by others.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import IO, Any, Final, NamedTuple

from sqlalchemy import Connection, func, select, table, text

from bridge.backup.tools import Tools
from bridge.errors import StoreBusy, StoreError

_PART: Final = 256 * 1024
_LONGEST_REASON: Final = 500
_SAID_OTHERWISE: Final = frozenset({"service", "servicefile", "passfile", "options"})
_NEW_DEFAULTS: Final = {"sslcertmode": "allow"}
"""What libpq 16 and later tells although nobody has set it, and older tools refuse to read."""
_TABLES: Final = text(
    "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') "
    "AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e') ORDER BY c.relname"
)
_OTHERS: Final = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = current_user "
    "AND pid <> pg_backend_pid()"
)
_EMPTY: Final = """
DO $soapbridge$ DECLARE doomed text; BEGIN
  FOREACH doomed IN ARRAY coalesce((SELECT array_agg(statement ORDER BY turn) FROM (
    SELECT format('DROP %s IF EXISTS %I.%I CASCADE', kind, :schema, c.relname), c.oid, CASE kind WHEN 'TABLE' THEN 1 ELSE 2 END
      FROM (SELECT *, CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
            WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END AS kind FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f')) c
      WHERE relnamespace = :schema::regnamespace
    UNION ALL
    SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', oid::regprocedure), oid, 3 FROM pg_proc WHERE pronamespace = :schema::regnamespace
    UNION ALL
    SELECT format('DROP TYPE IF EXISTS %I.%I CASCADE', :schema, typname), oid, 4 FROM pg_type
      WHERE typnamespace = :schema::regnamespace AND typtype IN ('e', 'd', 'r')
  ) found (statement, oid, turn)
  WHERE NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = found.oid AND d.deptype = 'e')), '{}')
  LOOP EXECUTE doomed; END LOOP;
END $soapbridge$;
"""
"""Empties the schema. Tables go first: what belongs to them goes with them, and is no longer there when its turn comes."""


class Place(NamedTuple):
    """Where a store is, as PostgreSQL's tools are told."""

    parameters: Mapping[str, str]
    major: int
    schema: str


def place_of(connection: Connection) -> Place:
    """Of the server that this connection is to, whichever of several it is.

    Raises:
        StoreError: the connection's role has no schema to use.
    """
    info = _driver(connection).info
    parameters = {
        name: value
        for name, value in info.get_parameters().items()
        if name not in _SAID_OTHERWISE and _NEW_DEFAULTS.get(name) != value
    }
    parameters |= {
        "host": info.host,
        "hostaddr": info.hostaddr,
        "port": str(info.port),
        "user": info.user,
        "dbname": info.dbname,
        "password": info.password,
    }
    schema = connection.execute(text("SELECT current_schema()")).scalar()
    if schema is None:
        raise StoreError(
            "The database has no schema for the store.", advice="Name one in its search_path, and make it."
        )
    return Place(
        {name: value for name, value in parameters.items() if value}, info.server_version // 10_000, schema
    )


def revision_and_rows(connection: Connection) -> tuple[str, dict[str, int]]:
    """The revision of the schema, and how many rows each table has; no revision where it was never migrated."""
    names = tables(connection)
    rows = {name: connection.scalar(select(func.count()).select_from(table(name))) or 0 for name in names}
    if "alembic_version" not in rows:
        return "", rows
    return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or ""), rows


def tables(connection: Connection) -> list[str]:
    """Of the schema that the store is in."""
    return [name for (name,) in connection.execute(_TABLES)]


def dump(connection: Connection, place: Place, tools: Tools, *, wait: float) -> Iterator[bytes]:
    """What pg_dump writes of the connection's snapshot. It must be a reading one, with no savepoint, and stay until the end.

    Args:
        wait: seconds to wait for a table that is being migrated.

    Raises:
        StoreError: pg_dump failed, with its words.
    """
    snapshot = connection.execute(text("SELECT pg_export_snapshot()")).scalar()
    with _service(place) as environment, tempfile.TemporaryFile() as said:
        command = [
            tools.path("pg_dump"), "--format=custom", "--compress=0", f"--snapshot={snapshot}",
            f"--schema={_quoted(place.schema)}", f"--lock-wait-timeout={int(wait * 1000)}", "--no-password",
        ]  # fmt: skip
        with _process(
            command, environment, said, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            while part := process.stdout.read(_PART):
                yield part
            _ended_well(process, "pg_dump", said)


def look_through(content: Iterable[bytes], tools: Tools) -> None:
    """Have pg_restore read a dump to its end.

    Raises:
        StoreError: it cannot be read.
    """
    for _ in _script(content, tools, []):
        pass


def others(connection: Connection) -> int:
    """How many connections this user has to the database beside this one."""
    return int(connection.execute(_OTHERS).scalar() or 0)


def restore(
    content: Iterable[bytes],
    place: Place,
    tools: Tools,
    *,
    empty: bool,
    rows: Callable[[], Mapping[str, int]],
) -> None:
    """Put a dump back, all of it or nothing.

    Args:
        empty: whatever is in the schema goes first; what extensions brought, and other schemas, stay.
        rows: how many rows each table must have in the end; asked for when the dump was read to its end.

    Raises:
        StoreError: it could not be, with the tool's words; nothing was changed.
    """
    with _service(place) as environment, tempfile.TemporaryFile() as said:
        command = [
            tools.path("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--no-password",
            "--output=/dev/null", "--file=-",
        ]  # fmt: skip
        with _process(
            command, environment, said, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        ) as process:
            assert process.stdin is not None
            try:
                process.stdin.write(_before(place.schema, empty))
                for part in _script(
                    content, tools, [f"--schema={place.schema}", "--no-owner", "--no-privileges"]
                ):
                    process.stdin.write(part)
                    process.stdin.flush()  # else psql would be idle while we wait for more
                process.stdin.write(_after(place.schema, rows()))
                process.stdin.close()
            except BrokenPipeError:
                process.wait()  # its words tell why it went
            _ended_well(process, "psql", said)


def _before(schema: str, empty: bool) -> bytes:
    script = "BEGIN; SET LOCAL lock_timeout = '10s'; SET LOCAL client_min_messages = warning;\n"
    return (script + _EMPTY.replace(":schema", _literal(schema)) if empty else script).encode()


def _after(schema: str, rows: Mapping[str, int]) -> bytes:
    """The end of the transaction, unless a table has not the rows that were counted."""
    checks = "".join(
        f"IF (SELECT count(*) FROM {_quoted(schema)}.{_quoted(name)}) <> {count} THEN "  # noqa: S608 - quoted
        f"RAISE EXCEPTION 'a table has not the rows that were counted: %', {_literal(name)}; END IF;\n"
        for name, count in rows.items()
    )
    return f"\nDO $soapbridge$ BEGIN\n{checks}END $soapbridge$;\nCOMMIT;\n".encode()


def _script(content: Iterable[bytes], tools: Tools, options: list[str]) -> Iterator[bytes]:
    """What pg_restore makes of a dump; it is fed by a thread, for it writes while it reads."""
    failure: list[BaseException] = []

    def feed(into: IO[bytes]) -> None:
        try:
            with into:
                for part in content:
                    into.write(part)
        except BrokenPipeError:
            pass  # it went before the end, and its words tell why
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that reads
            failure.append(error)

    command = [tools.path("pg_restore"), "--file=-", *options]
    with (
        tempfile.TemporaryFile() as said,
        _process(command, None, said, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        feeder = Thread(target=feed, args=(process.stdin,), name="soapbridge-restore", daemon=True)
        feeder.start()
        while part := process.stdout.read(_PART):
            yield part
        feeder.join()
        if failure:
            raise failure[0]
        _ended_well(process, "pg_restore", said)


@contextmanager
def _process(
    command: list[str], environment: Mapping[str, str] | None, said: IO[bytes], *, stdin: int, stdout: int
) -> Iterator[subprocess.Popen[bytes]]:
    """A tool that is gone at the end, one way or the other. What it says goes to `said`."""
    process = subprocess.Popen(command, env=environment, stdin=stdin, stdout=stdout, stderr=said)  # noqa: S603 - ours
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        process.wait()


def _ended_well(process: subprocess.Popen[bytes], name: str, said: IO[bytes]) -> None:
    if process.wait() == 0:
        return
    said.seek(0)
    words = said.read().decode("utf-8", "replace").strip()
    kind = StoreBusy if "lock timeout" in words or "lock_timeout" in words else StoreError
    raise kind(
        f"{name} failed: {words[:_LONGEST_REASON] or f'exit status {process.returncode}'}",
        advice="Nothing was changed.",
    )


@contextmanager
def _service(place: Place) -> Iterator[dict[str, str]]:
    """An environment in which the tools know where the server is."""
    if any("\n" in value for value in place.parameters.values()):
        raise StoreError("The address of the database has a line break in it.", advice="Mend store.url.")
    with tempfile.TemporaryDirectory(prefix="soapbridge-") as folder:
        file = Path(folder) / "pg_service.conf"
        lines = (f"{name}={value}" for name, value in place.parameters.items())
        file.touch(mode=0o600)
        file.write_text("\n".join(["[soapbridge]", *lines, ""]), "utf-8")
        yield {**os.environ, "PGSERVICEFILE": str(file), "PGSERVICE": "soapbridge"}


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
