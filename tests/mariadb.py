"""A private MariaDB for tests: a server of Debian's package on a folder and a loopback port of its own, gone at the end."""

from __future__ import annotations

import getpass
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pymysql

from tests.ports import free_port

NEEDS = "no mariadbd here: apt-get install mariadb-server"


def find() -> tuple[str, str] | None:
    """The server and what makes its folder; None where they are not installed."""
    folders = "/usr/sbin:/usr/bin:/usr/local/bin:/usr/libexec"
    server = shutil.which("mariadbd") or shutil.which("mariadbd", path=folders)
    install = shutil.which("mariadb-install-db") or shutil.which("mariadb-install-db", path=folders)
    return None if server is None or install is None else (server, install)


class MariaDb:
    """A running server. `url(name)` is that of a database of that name."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.port = port
        self._process = process

    def execute(self, *statements: str) -> None:
        with self._connect() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def url(self, name: str) -> str:
        return f"mysql+pymysql://bridge:secret@127.0.0.1:{self.port}/{name}"

    def _connect(self) -> pymysql.Connection:  # type: ignore[type-arg]
        return pymysql.connect(
            host="127.0.0.1", port=self.port, user="bridge", password="secret", autocommit=True
        )

    def wait(self, seconds: float) -> None:
        """Until it answers."""
        end = time.monotonic() + seconds
        while True:
            try:
                self._connect().close()
                return
            except pymysql.Error:
                if self._process.poll() is not None or time.monotonic() > end:
                    raise
                time.sleep(0.05)


@contextmanager
def running(folder: Path) -> Iterator[MariaDb]:
    """A server with its data in `folder`; the user `bridge` may do everything. Its disk is not waited for."""
    found = find()
    assert found is not None
    server, install = found
    data = folder / "data"
    user = getpass.getuser()
    subprocess.run(
        [
            install,
            f"--datadir={data}",
            f"--user={user}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    start = folder / "start.sql"
    start.write_text(
        "CREATE USER bridge@'127.0.0.1' IDENTIFIED BY 'secret';\nGRANT ALL ON *.* TO bridge@'127.0.0.1' WITH GRANT OPTION;\n"
    )
    port = free_port()
    with (folder / "log").open("wb") as log:
        process = _started(server, folder, user, port, start, log)
    try:
        made = MariaDb(port, process)
        made.wait(30)
        yield made
    finally:
        process.terminate()
        process.wait(30)


def _started(
    server: str, folder: Path, user: str, port: int, start: Path, log: IO[bytes]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            server,
            "--no-defaults",
            f"--datadir={folder / 'data'}",
            f"--user={user}",
            f"--socket={folder / 's'}",
            f"--pid-file={folder / 'pid'}",
            f"--port={port}",
            "--bind-address=127.0.0.1",
            f"--init-file={start}",
            "--skip-name-resolve",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-buffer-pool-size=128M",
            "--performance-schema=off",
        ],
        stdout=subprocess.DEVNULL,
        stderr=log,
    )
