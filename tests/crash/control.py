"""What the killer tells a running process: small files that both have mapped into memory.

A process looks at them without a system call, so that the hooks cost nothing, and they outlive a kill -9.
"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path

_WORDS = struct.Struct("=iii")
_OFFSET = struct.Struct("=q")
_SIZE = 16


def _mapped(file: Path) -> mmap.mmap:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if os.fstat(descriptor).st_size < _SIZE:
            os.ftruncate(descriptor, _SIZE)
        return mmap.mmap(descriptor, _SIZE)
    finally:
        os.close(descriptor)


class Trigger:
    """At which named point a process is to end itself: the `passings`-th time it comes by."""

    def __init__(self, file: Path) -> None:
        self._words = _mapped(file)

    def arm(self, point: int, passings: int) -> None:
        """`point` is a place in POINTS."""
        self._words[: _WORDS.size] = _WORDS.pack(point + 1, passings, 0)

    def disarm(self) -> None:
        self._words[: _WORDS.size] = _WORDS.pack(0, 0, 0)

    @property
    def pulled(self) -> bool:
        """Whether the process is ending, or has ended, by it."""
        return bool(_WORDS.unpack_from(self._words)[2])

    def passes(self, point: int) -> bool:
        """The process comes by a point; whether it is to end here."""
        armed, left, _ = _WORDS.unpack_from(self._words)
        if armed != point + 1:
            return False
        self._words[: _WORDS.size] = _WORDS.pack(armed, left - 1, int(left <= 1))
        return bool(left <= 1)


class Number:
    """One number that the kit sets and its processes read: seconds that clocks are off, documents that may be sent."""

    def __init__(self, file: Path) -> None:
        self._memory = _mapped(file)

    @property
    def value(self) -> int:
        return int(_OFFSET.unpack_from(self._memory)[0])

    @value.setter
    def value(self, number: int) -> None:
        self._memory[: _OFFSET.size] = _OFFSET.pack(number)
