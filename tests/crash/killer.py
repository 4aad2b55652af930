"""The killer: does to the running processes what the plan says, each thing at a moment that chance chooses."""

from __future__ import annotations

import random
import time
from typing import Final

from bridge.delivery.points import POINTS
from tests.crash.members import Member
from tests.crash.plan import Disturbance, disturbances
from tests.crash.stage import Stage

PATIENCE: Final = 15.0
"""Seconds until a process that does not come by its named point is killed where it is."""

KEPT_BACK: Final = 0.85
"""The share of the documents that are put while the plan is carried out; the others are for points that nobody came by."""

MORE_AFTER: Final = 0.5
"""Seconds that nobody comes by it before more documents are let in."""


class Killer:
    """Disturbs what is on the stage; what it did is in the stage's report."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._report = stage.report
        self._chance = random.Random(f"{stage.options.seed}/moments")
        self._share = self._most = 0.0
        self._hit: set[str] = set()

    def work(self, *, until: float) -> None:
        """All that is planned, or as much as can be done until then (monotonic)."""
        planned = disturbances(self._stage.options)
        for number, disturbance in enumerate(planned, start=1):
            if time.monotonic() > until:
                self._report.undone = len(planned) - number + 1
                break
            self._share, self._most = (
                KEPT_BACK * number / len(planned),
                KEPT_BACK * (number + 2) / len(planned),
            )
            self._stage.raise_budget(self._share)
            time.sleep(self._chance.uniform(0.02, 0.3))
            self._do(disturbance)
            self._stage.tend()
        self._most = 1.0
        for point in POINTS:
            if point not in self._hit:
                self._kill_at_point(point, 1)
                self._stage.tend()
        self._report.missed = [point for point in POINTS if point not in self._hit]

    def _do(self, disturbance: Disturbance) -> None:
        stage, what, count = self._stage, disturbance.what, disturbance.count
        match disturbance.act:
            case "point":
                self._kill_at_point(what, count)
            case "kill":
                self._kill_anywhere(what)
            case "term":
                self._report.others["SIGTERM to all of the bridge"] += 1
                stage.next_topology()
            case "store":
                stage.say("kill postgresql")
                stage.database.kill()
                self._report.kills["postgresql"] += 1
            case "full":
                self._fill_disk(count / 10)
            case "clock":
                stage.say(f"clock {count:+d} s")
                stage.clock.value = count
                self._report.others["clock jumps"] += 1
                time.sleep(1.0)

    def _kill_at_point(self, point: str, passings: int) -> None:
        """Whoever of those that come by it does so first; where none does in time, one is killed where it is."""
        candidates = [one for one in self._stage.members if point in one.passes and not one.finished]
        for one in candidates:
            one.arm(point, passings)
        began = more = time.monotonic()
        while not any(one.trigger.pulled for one in candidates) and time.monotonic() < began + PATIENCE:
            time.sleep(0.02)
            if time.monotonic() > more + MORE_AFTER:
                more = time.monotonic()
                self._share = min(self._share + 0.005, self._most)
                self._stage.raise_budget(self._share)
                self._stage.tend()
        killed = [one for one in candidates if one.trigger.pulled]
        for one in candidates:
            one.trigger.disarm()
        for one in killed:
            one.kill()  # it kills itself; where it was started again meanwhile, there is one to wait for and it lives
            self._hit.add(point)
            self._count(f"at {point}", one)
        if not killed:
            self._kill_anywhere(candidates[0].role if candidates else "host")

    def _kill_anywhere(self, role: str) -> None:
        running = [one for one in self._stage.members if one.runs]
        victims = [one for one in running if one.role == role] or running
        if victims:
            victim = self._chance.choice(victims)
            victim.kill()
            self._count("anywhere", victim)

    def _count(self, place: str, victim: Member) -> None:
        self._stage.say(f"kill {victim.name} {place}")
        self._report.kills[f"{victim.role} {place}"] += 1

    def _fill_disk(self, seconds: float) -> None:
        database = self._stage.database
        if database.disk.mounted:
            self._stage.say(f"disk full for {seconds:.1f} s")
            database.disk.fill()
            time.sleep(seconds)
            database.disk.free()
        elif self._stage.options.store == "sqlite":
            self._stage.say(f"files cannot grow for {seconds:.1f} s")
            largest = max(file.stat().st_size for file in database.disk.folder.iterdir())
            self._limit_files(largest + 8192)
            time.sleep(seconds)
            self._limit_files(0)
        else:
            return  # no small disk can be mounted here, and PostgreSQL's processes are not ours to limit
        self._report.others["disk full"] += 1

    def _limit_files(self, limit: int) -> None:
        self._stage.end_bridge()
        for member in self._stage.bridge:
            member.file_limit = limit
            member.start()
