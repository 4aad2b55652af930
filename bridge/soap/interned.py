"""Keeps hostile names from filling the memory for good.

libxml2 keeps every element, attribute and prefix name and every namespace it has seen in a dictionary that lxml shares
by thread and never empties (measured with lxml 6.1: 1 MB of new names in a request is 1.2 MB of memory for as long as
the thread lives). Messages that fit a contract bring no new names; refused ones may bring any number. So the names of
refused messages are counted, and a thread that has taken its share parses the rest of its life in threads that end at
once, and their dictionaries with them (about 0.1 ms a message).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")

SHARE = 4 * 1024 * 1024
"""Bytes of names from refused messages that one thread may keep."""

_ENTRY = 48  # bytes that the dictionary needs for a name, besides its characters
_LOOKED_AT = 256 * 1024  # of a longer message the rest is taken to be alike
_NAMES = re.compile(rb"""</?([^\s<>/="'&;!?]+)|\s([^\s<>/="'&;]+)\s*=\s*["'](?:([^"'\s<]{12,}))?""")


class InternedNames:
    """What one thread has taken from refused messages. Not for sharing: one in each thread."""

    def __init__(self, share: int = SHARE) -> None:
        self._share = share
        self._known: set[bytes] = set()
        self._spent = 0

    @property
    def exhausted(self) -> bool:
        return self._spent > self._share

    def count(self, utf8: bytes) -> None:
        """Takes the names of a refused message into account; the same names again cost nothing."""
        if self.exhausted or not utf8:
            return
        part = utf8[:_LOOKED_AT]
        names = {name for found in _NAMES.findall(part) for name in found if name} - self._known
        cost = sum(len(name) + _ENTRY for name in names)
        self._spent += cost * len(utf8) // len(part)
        self._known |= names
        if self._spent > self._share:
            self._known.clear()


def in_passing_thread(work: Callable[[], _T]) -> _T:
    """`work()` in a thread of its own that ends with it; its exceptions are raised here."""
    results: list[_T] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:  # noqa: BLE001 - carried over to the caller, whatever it is
            errors.append(error)

    thread = threading.Thread(target=run, name="parse")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
