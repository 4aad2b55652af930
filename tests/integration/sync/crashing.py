"""Runs a flow again and again in processes that end themselves with SIGKILL at one of its points, or beside each other.

    python -m tests.integration.sync.crashing STORE_URL FOLDER killed|together

Prints how each process ended: JSON.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bridge.sync import points
from tests.integration.sync.conftest import ACCOUNTS
from tests.integration.sync.partners import Company, SqliteRows

LEASE = 0.5
FLOW = dataclasses.replace(ACCOUNTS, batch=3)


def now() -> datetime:
    return datetime.now(UTC)


def company(url: str, folder: Path) -> Company:
    crm, erp = SqliteRows(folder / "crm.sqlite", now), SqliteRows(folder / "erp.sqlite", now)
    return Company(url, folder, {"accounts": FLOW}, crm=crm, erp=erp, lease=LEASE)


def killing(point: points.Point) -> Callable[[points.Point], None]:
    """Ends this process when it comes to that point."""

    def observe(reached: points.Point) -> None:
        if reached == point:
            os.kill(os.getpid(), signal.SIGKILL)

    return observe


def child(work: Callable[[], object]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
    return pid


def ended(pid: int) -> str:
    _, status = os.waitpid(pid, 0)
    return "killed" if os.WIFSIGNALED(status) else str(os.WEXITSTATUS(status))


def killed(url: str, folder: Path) -> dict[str, str]:
    """One process for each point; each goes on where the one before it was ended."""
    became = {}
    for point in points.POINTS:

        def work(point: points.Point = point) -> None:
            here = company(url, folder)
            here.deliver()
            points.observers.append(killing(point))
            here.bridge.flows.run("accounts")
            here.bridge.flows.look_after()

        became[point] = ended(child(work))
        time.sleep(1.2 * LEASE)
    return became


def together(url: str, folder: Path) -> dict[str, str]:
    """Four at once, until all is read."""

    def work() -> None:
        here = company(url, folder)
        for _ in range(10):
            here.bridge.flows.run("accounts")

    pids = [child(work) for _ in range(4)]
    return {str(number): ended(pid) for number, pid in enumerate(pids)}


if __name__ == "__main__":
    _, store_url, place, way = sys.argv
    print(json.dumps((killed if way == "killed" else together)(store_url, Path(place))))
