"""The folder that backups are kept in: how a file is named, which is the newest, and which are no longer kept."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from bridge.errors import SettingsError, StoreError

ENDING: Final = ".backup"
_NAME: Final = re.compile(r"soapbridge-(\d{8}T\d{6})Z-[0-9a-f]{6}\.backup")
_MOMENT: Final = "%Y%m%dT%H%M%S"
_PARTIAL: Final = ".partial-"
_ABANDONED_SECONDS: Final = 2 * 86_400.0
"""A file begun longer ago than this belongs to a process that has died."""


class Kept(NamedTuple):
    """A backup in the folder."""

    file: Path
    made_at: datetime
    bytes: int


def listing(folder: Path) -> list[Kept]:
    """The backups in a folder, newest first; files of other names are nobody's business."""
    found = []
    with suppress(FileNotFoundError):
        for file in folder.iterdir():
            match = _NAME.fullmatch(file.name)
            if match is not None:
                made_at = datetime.strptime(match[1], _MOMENT).replace(tzinfo=UTC)
                with suppress(FileNotFoundError):  # another process has just removed it
                    found.append(Kept(file, made_at, file.stat().st_size))
    return sorted(found, key=lambda kept: (kept.made_at, kept.file.name), reverse=True)


def newest_at(folder: Path) -> datetime | None:
    """When the newest backup was made; None where there is none, or nobody can look."""
    try:
        kept = listing(folder)
    except OSError:
        return None
    return kept[0].made_at if kept else None


def name_for(moment: datetime) -> str:
    return f"soapbridge-{moment.astimezone(UTC):{_MOMENT}}Z-{os.urandom(3).hex()}{ENDING}"


def prune(folder: Path, keep: int, *, newest: Path) -> list[Path]:
    """Remove all but `newest` and the `keep` - 1 before it, and what processes that died had begun; which backups were removed.

    Where the clock was set back, older ones have later names: the one that was just made is never taken for the oldest.
    """
    with suppress(OSError):
        for left in folder.glob(f"{_PARTIAL}*"):
            if time.time() - left.stat().st_mtime > _ABANDONED_SECONDS:
                left.unlink(missing_ok=True)
    gone = [kept.file for kept in listing(folder) if kept.file != newest][keep - 1 :]
    for file in gone:
        file.unlink(missing_ok=True)
    return gone


@contextmanager
def new_file(file: Path) -> Iterator[BinaryIO]:
    """A file that has its name only once all of it is there; nobody but its owner may read it.

    Raises:
        SettingsError: there is one of that name.
        StoreError: it cannot be written.
    """
    if file.exists():
        raise SettingsError(
            f"There is a file {file} already.", advice="Give another name; nothing is overwritten."
        )
    partial = file.with_name(f"{_PARTIAL}{os.getpid()}-{file.name}")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(
            os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb"
        ) as opened:
            yield opened
        partial.rename(file)
        handle = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise StoreError(
            f"The backup {file} cannot be written: {error.strerror or error}.",
            advice="Make room there, or let this user write there; then repeat.",
        ) from error
    finally:
        partial.unlink(missing_ok=True)
