"""What the store and the disks say when they are asked, in a time that a scrape can wait for."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLate
from dataclasses import dataclass
from pathlib import Path

from bridge.backup.folder import newest_at
from bridge.store import Store
from bridge.store.backlog import Backlog
from bridge.store.flows import FlowFigures, figures

log = logging.getLogger(__name__)

PATIENCE = 2.0
"""Seconds that an answer of the store may take: Prometheus waits for ten, and a store that hangs is a figure too."""


@dataclass(frozen=True, slots=True)
class StoreState:
    """`unsettled` is the age in seconds of the oldest entry of each kind, 0.0 where there is none; `backlog` what must still
    leave, by partner; `flows` how each flow stands; `backup_age` that of the newest backup, infinite where there is none, None where none are asked for."""

    reachable: bool
    unsettled: dict[str, float]
    backlog: tuple[Backlog, ...] = ()
    backup_age: float | None = None
    flows: tuple[FlowFigures, ...] = ()


class StoreProbe:
    """Asks the store in a thread of its own; while a question hangs, no second one is asked.

    Args:
        partners: those to tell of even where nothing was ever sent to them.
        backups: the folder that backups are kept in.
    """

    def __init__(self, store: Store, partners: Iterable[str] = (), backups: Path | None = None) -> None:
        self.store = store
        self.backups = backups
        self.partners = tuple(partners)
        self._lock = threading.Lock()
        self._asked: Future[StoreState] | None = None

    def state(self, patience: float = PATIENCE) -> StoreState:
        """Raises nothing: what cannot be asked in time is not reachable, and then nothing is known of entries."""
        with self._lock:
            asked = self._asked
            if asked is None or asked.done():
                asked = self._asked = Future()
                threading.Thread(
                    target=self._ask, args=(asked,), name="soapbridge-probe", daemon=True
                ).start()
        try:
            return asked.result(patience)
        except TooLate:
            return StoreState(False, {})

    def _ask(self, asked: Future[StoreState]) -> None:
        try:
            self.store.check()
            now = time.time()
            ages = {
                kind: 0.0 if since is None else max(0.0, now - since.timestamp())
                for kind, since in self.store.oldest_unsettled().items()
            }
            backlog = tuple(self.store.backlog(self.partners))
            with self.store.reading() as session:
                flows = tuple(figures(session))
        except Exception as error:  # noqa: BLE001 - whatever it is, the store cannot be used
            log.warning("the store cannot be used: %s", type(error).__name__)
            asked.set_result(StoreState(False, {}, backup_age=self._backup_age()))
        else:
            asked.set_result(StoreState(True, ages, backlog, self._backup_age(), flows))

    def _backup_age(self) -> float | None:
        if self.backups is None:
            return None
        newest = newest_at(self.backups)
        return math.inf if newest is None else max(0.0, time.time() - newest.timestamp())


@dataclass(frozen=True, slots=True)
class Disk:
    """`use` is what the bridge keeps there: `data` or `store`. Bytes."""

    use: str
    free: int
    size: int


def disks(data: Path, file: Path | None = None) -> Iterator[Disk]:
    """The disks that the bridge writes to: that of the data folder, and that of the SQLite file where there is one."""
    yield _disk("data", data)
    if file is not None:
        yield _disk("store", file.parent)


LOW = 1024**3
"""Bytes: with less than this free, `check` warns. A full disk refuses every request that writes."""


def folder_warnings(data: Path, file: Path | None = None) -> list[str]:
    """What an operator should know about where the bridge writes; empty when all is well."""
    found = [
        f"{disk.free / 1024**2:.0f} MB are free where the {WORDS[disk.use]} is: when there is nothing left, every request "
        "that writes is refused. Make room."
        for disk in disks(data, file)
        if disk.free < LOW
    ]
    for path in (data, file):
        if path is not None and path.exists() and path.stat().st_mode & 0o077:
            mode = "700" if path.is_dir() else "600"
            found.append(
                f"Others on this machine may look into {path}, and every message is in there: chmod {mode} {path}"
            )
    return list(dict.fromkeys(found))


WORDS = {"data": "data folder", "store": "store's file"}


def _disk(use: str, folder: Path) -> Disk:
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    found = os.statvfs(existing)
    return Disk(use, found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)
