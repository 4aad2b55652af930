"""Copies of an SQLite store: taken by SQLite's own backup API in one step, and put back by it.

In one step the copy is one snapshot, and those who write go on meanwhile: what they commit waits in the WAL. (In
several steps it begins anew with every commit of theirs, and under load never ends.) Put back is by the same API, into the
file that is there, in one transaction: cut off in the middle, the file is as it was before.

The copy is plain until it is encrypted, so it lies beside the store's file, which is as secret, for its owner only, and is
removed whatever happens; what a killed process left, the next one removes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bridge.errors import StoreBusy, StoreError

_WAIT_SECONDS: Final = 10.0
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"


@contextmanager
def scratch(file: Path) -> Iterator[Path]:
    """A folder beside the store's file that only its owner may look into; gone with what is in it at the end.

    Raises:
        StoreBusy: another backup of this store is being made, or put back.
        StoreError: it cannot be made.
    """
    prefix = f"{file.name}-backup-"
    try:
        lock = os.open(f"{file}-backup.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(
            f"{file.parent} cannot be written: {error.strerror or error}.",
            advice="The copy is taken beside the store's file: run this as the user whose store it is.",
        ) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreBusy(
                f"Another process makes or restores a backup of {file}.", advice="Wait for its end."
            ) from None
        for left in file.parent.glob(f"{prefix}*"):
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=prefix) as folder:
            yield Path(folder)
    finally:
        os.close(lock)


def copy(file: Path, target: Path) -> None:
    """One snapshot of what was committed. Others read and write meanwhile.

    Raises:
        StoreError: there is no room, or the file is damaged.
    """
    if not file.exists():
        raise StoreError(f"There is no store at {file}.", advice="There is nothing to keep yet.")
    needed = sum(one.stat().st_size for one in (file, Path(f"{file}-wal")) if one.exists())
    free = shutil.disk_usage(target.parent).free
    if free < needed:
        raise StoreError(
            f"The copy of {file} needs {needed / 1e6:.0f} MB beside it, and {free / 1e6:.0f} MB are free.",
            advice="Make room, then repeat.",
        )
    with _explained(file), closing(_connect(file)) as source, closing(_connect(target)) as copied:
        # The target is nobody's yet: what keeps it from being half there after a fall is of no use.
        copied.execute("PRAGMA synchronous = OFF")
        source.backup(copied, pages=-1)


def revision_and_rows(file: Path) -> tuple[str, dict[str, int]]:
    """The revision of the schema, and how many rows each table has; no revision where it was never migrated."""
    with _explained(file), closing(_connect(file)) as connection:
        names = [name for (name,) in connection.execute(_TABLES)]
        count = "SELECT count(*) FROM "
        rows = {name: int(_one(connection, count + _quoted(name))) for name in names}
        if "alembic_version" not in names:
            return "", rows
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return ("" if found is None else str(found[0])), rows


def write(content: Iterable[bytes], target: Path) -> None:
    """The file that was copied."""
    with target.open("xb") as file:
        for part in content:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())


def verify(file: Path, rows: Mapping[str, int]) -> None:
    """Have SQLite look at every page, and count.

    Raises:
        StoreError: it is damaged, or not what was copied.
    """
    with _explained(file), closing(_connect(file)) as connection:
        verdict = _one(connection, "PRAGMA integrity_check(1)")
    if verdict != "ok":
        raise StoreError(f"What was copied is damaged: {verdict}.", advice="Take another backup.")
    _, found = revision_and_rows(file)
    if found != rows:
        wrong = [name for name in {*found, *rows} if found.get(name) != rows.get(name)]
        raise StoreError(
            f"What was copied has not the rows that were counted: {', '.join(sorted(wrong))}.",
            advice="Take another backup.",
        )


def has_tables(file: Path) -> bool:
    """Whether there is anything that would be lost. A file that SQLite cannot read is something, too."""
    if not file.exists() or not file.stat().st_size:
        return False
    try:
        with closing(_connect(file)) as connection:
            return connection.execute(_TABLES).fetchone() is not None
    except sqlite3.DatabaseError:
        return True


def put(restored: Path, file: Path) -> Path | None:
    """Put what was restored in the place of the store, of which nobody may make use; where the old one is kept, if there was one.

    Raises:
        StoreBusy: somebody uses the store.
        StoreError: it cannot be written.
    """
    aside = Path(f"{file}-before-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.urandom(3).hex()}")
    if not file.exists() or not file.stat().st_size:
        return _renamed(restored, file, None)
    with closing(_connect(file, wait=1.0)) as target:
        try:
            _take_for_ourselves(target)
        except sqlite3.OperationalError as error:
            raise StoreBusy(
                f"Somebody uses {file}: nothing was changed.",
                advice="Stop what serves it, delivers from it or looks at it; then repeat.",
            ) from error
        except sqlite3.DatabaseError:
            pass  # damaged: nobody can use it, and no copy can be taken of it
        else:
            os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            with _explained(file), closing(_connect(aside)) as kept, closing(_connect(restored)) as source:
                target.backup(kept, pages=-1)
                source.backup(target, pages=-1)
            return aside
    for ending in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            Path(f"{file}{ending}").rename(f"{aside}{ending}")
    return _renamed(restored, file, aside)


def _renamed(restored: Path, file: Path, aside: Path | None) -> Path | None:
    if aside is not None:
        file.rename(aside)
    restored.chmod(0o600)
    os.replace(restored, file)  # noqa: PTH105 - says that it takes the place of what is there
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return aside


def _take_for_ourselves(connection: sqlite3.Connection) -> None:
    """Leaving the WAL is possible only for the last one who has the file open; from then on nobody else gets in."""
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    mode = _one(connection, "PRAGMA journal_mode = DELETE")
    if mode != "delete":
        raise sqlite3.OperationalError("database is locked")
    connection.execute("BEGIN EXCLUSIVE")
    connection.execute("COMMIT")  # the lock stays: locking_mode
    connection.execute("PRAGMA synchronous = FULL")


def _connect(file: Path, *, wait: float = _WAIT_SECONDS) -> sqlite3.Connection:
    return sqlite3.connect(file, timeout=wait, isolation_level=None)


def _one(connection: sqlite3.Connection, statement: str) -> int | str:
    found: int | str = connection.execute(statement).fetchone()[0]
    return found


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(
            f"The SQLite file {file} cannot be copied: {error}.",
            advice="See that there is room, and that it is no other file.",
        ) from error
