"""What loading a contract looked at, so that a later load can tell whether anything changed; and the cache it asks.

A contract depends on every file it read, and on every file it looked for and did not find: one that appears later
may be taken instead of the catalog's.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol


class Cache(Protocol):
    """Where a contract keeps what it worked out. Whatever is kept may be gone at any time.

    Keys are hexadecimal digests. `get` gives the bytes of the last `put`, None when there are none; neither raises.
    """

    def get(self, key: str) -> bytes | None: ...
    def put(self, key: str, value: bytes) -> None: ...


def remote_key(url: str) -> str:
    """Where a document of the network is kept."""
    return hashlib.sha256(b"remote\0" + url.encode()).hexdigest()


class Trace:
    """The files and addresses that one load looked at.

    `complete` is False when something was not to be had that may be there the next moment: nothing is kept then.
    """

    def __init__(self) -> None:
        self._read: dict[str, tuple[str, bytes]] = {}
        self._absent: set[str] = set()
        self._fetched: dict[str, bytes] = {}
        self.complete = True

    def read(self, path: Path, location: str, content: bytes) -> None:
        self._read[str(path)] = (location, content)

    def absent(self, path: Path) -> None:
        """No file there, or none that can be read."""
        self._absent.add(str(path))

    def fetched(self, url: str, content: bytes) -> None:
        self._fetched[url] = content

    def plain(self) -> dict[str, Any]:
        """As JSON can hold it, contents by their digest."""
        return {
            "read": [[path, location, _digest(content)] for path, (location, content) in self._read.items()],
            "absent": sorted(self._absent),
            "fetched": [[url, _digest(content)] for url, content in self._fetched.items()],
        }


def unchanged(trace: dict[str, Any], cache: Cache) -> dict[str, bytes] | None:
    """The contents by location when everything is as it was (see `Trace.plain`); None when anything is not."""
    contents: dict[str, bytes] = {}
    for path, location, digest in trace["read"]:
        content = _content(path)
        if content is None or os.path.realpath(path) != location or _digest(content) != digest:
            return None
        contents[location] = content
    if any(_content(path) is not None for path in trace["absent"]):
        return None
    fetched: Sequence[tuple[str, str]] = trace["fetched"]
    for url, digest in fetched:
        content = cache.get(remote_key(url))
        if content is None or _digest(content) != digest:
            return None
        contents[url] = content
    return contents


def _content(path: str) -> bytes | None:
    try:
        return Path(path).read_bytes()
    except OSError:
        return None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
