"""Numbers that all processes of one server can read: an array of 64-bit integers for each process.

With one process the array is memory. With several each writes into a file of its own in a folder they share, mapped
into memory, so that adding costs the same, whoever is asked for figures reads what all of them counted, and what a
killed process counted is still there.

A process holds a lock on its file as long as it lives. A file whose lock is free belonged to a process that has ended:
its counts stand, its momentary figures do not, and the next process that starts goes on where it left off. So there
are never more files than processes at one time, and counts never go back.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from array import array
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

CELL = 8


@dataclass(frozen=True, slots=True)
class Reading:
    """The cells of one process as they were. `number` is its place among the processes of the server."""

    number: int
    cells: array[int] | memoryview
    alive: bool


class Board:
    """The cells of this process; `readings` has those of all.

    Args:
        size: how many cells, the same in all processes that share `folder`.
        folder: None for a server of one process.
        name: tells boards of different layouts in one folder apart: only those of the same name are read.
    """

    def __init__(self, size: int, *, folder: Path | None = None, name: str = "board") -> None:
        self.size = size
        self.folder = folder
        self.name = name
        self.number = 0
        if folder is None:
            self.cells = memoryview(bytearray(size * CELL)).cast("q")
        else:
            self._file = self._take(folder)
            self.cells = memoryview(mmap.mmap(self._file, size * CELL)).cast("q")

    def readings(self) -> Iterator[Reading]:
        yield Reading(self.number, self.cells, True)
        if self.folder is None:
            return
        for path in sorted(self.folder.glob(f"{self.name}-*")):
            number = int(path.name.rpartition("-")[2])
            if number != self.number:
                with suppress(OSError), path.open("rb") as file:
                    cells = array("q", file.read(self.size * CELL))
                    if len(cells) == self.size:  # else it is being made
                        yield Reading(number, cells, not _is_free(file.fileno()))

    def _take(self, folder: Path) -> int:
        """A file that no living process holds; the lock is kept as long as the descriptor is open."""
        for number in count():
            path = folder / f"{self.name}-{number}"
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                continue
            self.number = number
            os.truncate(file, self.size * CELL)
            return file
        raise AssertionError("unreachable: count() has no end")


def _is_free(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
