"""The processes of a run: started, killed, started again, each in a slot that outlives them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bridge.delivery.points import POINTS
from tests.crash.control import Trigger
from tests.crash.plan import AT_ACCEPTING, Role

ROOT = Path(__file__).parents[2]
GRACE = 30.0
"""Seconds that a process has to end after SIGTERM."""


def environment() -> dict[str, str]:
    """This process's, without settings of a bridge, and with this checkout importable."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SOAPBRIDGE_")}
    return kept | {"PYTHONPATH": str(ROOT)}


class Member:
    """One process at a time. `words` are what `tests.crash.entry` runs, or with `hooked=False` a module and its words.

    `passes`: the named points that it comes by.
    """

    def __init__(
        self,
        name: str,
        role: Role,
        words: Sequence[object],
        folder: Path,
        *,
        passes: Sequence[str] = (),
        hooked: bool = True,
    ) -> None:
        self.name, self.role, self.passes = name, role, frozenset(passes)
        self.file_limit = 0
        self._words = [str(word) for word in words]
        self._folder = folder
        self._hooked = hooked
        self._trigger_file = folder / f"{name}.trigger"
        self.trigger = Trigger(self._trigger_file)
        self.process: subprocess.Popen[bytes] | None = None
        self.finished = False
        """It has ended of its own accord, with nothing left to do."""

    @property
    def log(self) -> Path:
        return self._folder / f"{self.name}.log"

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Returns at once; how far it has come is its own business."""
        command = self._words
        if self._hooked:
            hooks = ["--trigger", str(self._trigger_file), "--clock", str(self._folder / "clock")]
            limit = ["--file-limit", str(self.file_limit)] if self.file_limit else []
            command = ["tests.crash.entry", *hooks, *limit, "--", *command]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=self._folder,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def arm(self, point: str, passings: int) -> None:
        self.trigger.arm(POINTS.index(point), passings)

    def kill(self) -> None:
        """SIGKILL to it and all that it has started."""
        assert self.process is not None
        _signal_group(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def wait(self) -> int | None:
        """Its exit status, or None where it had to be killed because it did not end in time."""
        assert self.process is not None
        try:
            return self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self.kill()
            return None


def end_all(members: Sequence[Member]) -> dict[str, int | None]:
    """SIGTERM to all that run, at the same moment; exit statuses by name, None where one had to be killed."""
    running = [member for member in members if member.runs]
    for member in running:
        assert member.process is not None
        member.process.send_signal(signal.SIGTERM)
    return {member.name: member.wait() for member in running}


def kill_all(members: Sequence[Member]) -> None:
    for member in members:
        if member.runs:
            member.kill()


def _signal_group(process: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process, number)


def bridge_members(commands: Sequence[str], ports: Sequence[int], folder: Path) -> list[Member]:
    """The processes of a topology: hosts on these ports, and workers."""
    found: list[Member] = []
    hosts = iter(ports)
    leaving = [point for point in POINTS if point not in AT_ACCEPTING]
    for number, command in enumerate(commands, start=1):
        target = (command, "tests.crash.service:bridge")
        name = f"{command}-{number}"
        if command == "worker":
            found.append(Member(name, "worker", target, folder, passes=leaving))
            continue
        passes = POINTS if command == "up" else AT_ACCEPTING
        words = (*target, "--port", next(hosts))
        found.append(Member(name, "host", words, folder, passes=passes))
    return found
