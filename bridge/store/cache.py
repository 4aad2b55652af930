"""What can be worked out again, kept in files: contracts as they were loaded, documents that were fetched.

Never trusted blindly. The folder and its files must be our own and writable by nobody else; every file carries a digest
of its content, and one that does not fit counts as absent. Files appear whole or not at all, so that several processes
may use one folder. Nothing here ever raises: without a cache everything works, later.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import stat
import tempfile
from pathlib import Path

log = logging.getLogger(__name__)

MOST_BYTES = 256 * 1024 * 1024
"""Size of the whole folder. The largest published contracts take 10 MB each; those unused the longest go first."""

_KEY = re.compile(r"[0-9a-f]{64}")
_HEADER = b"soapbridge cache 1\n"
_DIGEST = 32


class FileCache:
    """A folder of entries, made when the first is put. `most` bounds its size, in bytes."""

    def __init__(self, folder: Path, *, most: int = MOST_BYTES) -> None:
        self._folder = folder
        self._most = most

    def get(self, key: str) -> bytes | None:
        """The bytes of the last `put`; None when there are none that can be trusted."""
        path = self._path(key)
        try:
            if not _ours(self._folder.stat()):
                return None
            with path.open("rb") as file:
                if not _ours(os.fstat(file.fileno())):
                    return None
                content = file.read()
            os.utime(path)  # used now: the last to go
        except OSError:
            return None
        start = len(_HEADER) + _DIGEST
        value = content[start:]
        if content[:start] != _HEADER + hashlib.sha256(value).digest():
            log.warning("the cache's file %s is damaged; it is made anew", path)
            return None
        return value

    def put(self, key: str, value: bytes) -> None:
        """Keep `value`, unless it is larger than the whole folder may be, or the disk does not take it."""
        path = self._path(key)
        content = _HEADER + hashlib.sha256(value).digest() + value
        if len(content) > self._most:
            return
        try:
            # One by one: parents made on the way would be open to everybody.
            self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.mkdir(mode=0o700, exist_ok=True)
            if not _ours(self._folder.stat()):
                log.warning("%s is not used as a cache: others may write there", self._folder)
                return
            self._make_room(len(content), path)
            _write(path, content)
        except OSError as error:
            log.warning("the cache cannot be written: %s", error)

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError("a cache's key is a SHA-256 digest in hexadecimal")
        return self._folder / key

    def _make_room(self, wanted: int, path: Path) -> None:
        files = []
        for found in self._folder.iterdir():
            with contextlib.suppress(OSError):  # another process was faster
                status = found.stat()
                if stat.S_ISREG(status.st_mode) and found != path:
                    files.append((status.st_mtime, status.st_size, found))
        size = wanted + sum(size for _, size, _ in files)
        for _, freed, found in sorted(files):
            if size <= self._most:
                return
            found.unlink(missing_ok=True)
            size -= freed


def _ours(status: os.stat_result) -> bool:
    """Whether nobody but us could have written there."""
    if os.name != "posix":
        return True
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all. Not synchronised with the disk: what a power cut leaves behind does not fit its digest."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix="new-")  # readable by the owner only
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
