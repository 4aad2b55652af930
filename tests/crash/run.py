"""One run: the bridge, its producers and its partner are started, disturbed as the plan says, left in peace, and judged."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.crash import evidence
from tests.crash.databases import Databases
from tests.crash.documents import Reception, read
from tests.crash.judge import SETTLED, judge
from tests.crash.killer import Killer
from tests.crash.plan import Options
from tests.crash.report import Report
from tests.crash.stage import Say, Stage

QUIET: Final = 60.0
"""Seconds without any disturbance after which everything must have ended."""


def run(options: Options, folder: Path, say: Say) -> Report:
    """Everything, in a folder that is empty at first and holds every log afterwards."""
    began = time.monotonic()
    report = Report(options)
    with Databases(options.store, folder) as database:
        report.disk = _how_full(options, mounted=database.disk.mounted)
        stage = Stage(options, folder, database, report, say)
        try:
            stage.start()
            Killer(stage).work(until=began + 60 * options.minutes)
            _leave_in_peace(stage)
            stage.end_bridge()
        finally:
            stage.kill()
        _judge(stage)
    report.seconds = time.monotonic() - began
    (folder / "report.json").write_text(json.dumps(report.as_data(), indent=1))
    return report


def _how_full(options: Options, *, mounted: bool) -> str:
    if mounted:
        return "tmpfs"
    return "RLIMIT_FSIZE" if options.store == "sqlite" else "never full"


def _leave_in_peace(stage: Stage) -> None:
    """No disturbance any more: everything that was accepted must come to its end."""
    stage.say("left in peace")
    stage.clock.value = 0
    stage.raise_budget(2.0)
    url = stage.database.url
    ended = SETTLED if stage.options.partner == "keeps-id" or stage.has_person else SETTLED | {"in_doubt"}
    _until(stage, "producers", lambda: all(one.finished for one in stage.producers))
    _until(stage, "deliveries", lambda: evidence.states(url).keys() <= ended)


def _until(stage: Stage, what: str, done: Callable[[], bool]) -> None:
    until = time.monotonic() + QUIET
    while not done():
        if time.monotonic() > until:
            states = evidence.states(stage.database.url)
            stage.report.verdict.found("stuck", what, f"not at an end after {QUIET:.0f} s in peace: {states}")
            return
        stage.tend()
        time.sleep(0.1)


def _judge(stage: Stage) -> None:
    url, report = stage.database.url, stage.report
    receptions = read(stage.folder / "received.jsonl", Reception)
    entries, kind = evidence.entries(url), stage.options.partner
    found = judge(stage.receipts(), receptions, entries, kind=kind, final=stage.has_person)
    found.violations[:0] = report.verdict.violations
    report.verdict = found
    if not found.kept:
        evidence.dump(url, stage.folder / "tables.jsonl")
