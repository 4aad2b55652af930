"""The killer's own mistakes, which would make a run hang or boast."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from signal import SIGKILL

import pytest

from bridge.delivery.points import POINTS
from tests.crash.killer import Killer
from tests.crash.members import Member
from tests.crash.plan import SHORT, Options
from tests.crash.report import Report
from tests.crash.stage import Stage


class StartsAgain(Stage):
    """A stage on which whoever kills itself at a point is started again before the killer looks."""

    def __init__(self, member: Member) -> None:  # nothing of a real stage is needed
        self.options, self.report = Options(), Report(Options())
        self.bridge, self.producers, self.person = [member], [], []
        self.say = lambda _: None


class PulledAtOnce(Member):
    """Pulls its trigger when it is armed, and lives: it is a new process already."""

    def arm(self, point: str, passings: int) -> None:
        super().arm(point, passings)
        assert self.trigger.passes(POINTS.index(point)) is (passings == 1)


def test_nobody_waits_for_the_end_of_a_process_that_was_started_after_the_one_that_died(
    tmp_path: Path,
) -> None:
    member = PulledAtOnce("worker-1", "worker", (), tmp_path, passes=POINTS)
    member.process = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(20)"], start_new_session=True
    )
    stage = StartsAgain(member)
    Killer(stage)._kill_at_point("taken", 1)
    assert member.process.returncode == -SIGKILL  # and not its own end, which would have been waited for
    assert stage.report.kills == {"worker at taken": 1}


@pytest.mark.parametrize(("kills", "proves"), [(SHORT - 1, True), (SHORT, False)])
def test_a_point_that_nobody_came_by_is_said_and_a_long_run_proves_nothing_without_it(
    kills: int, proves: bool
) -> None:
    report = Report(Options(kills=kills), missed=["settling"])
    assert report.kept
    assert report.proves is proves
    assert any("nothing was killed at settling" in line for line in report.lines())
    assert report.as_data()["points_missed"] == ["settling"]
    assert report.as_data()["ok"] is proves
