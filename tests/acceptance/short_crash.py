"""The crash kit in short: kill -9 at every named point and elsewhere, on one database with one kind of partner. `make crash` is the
long form, docs/crash-kit.md tells what is looked at. A file for each database, so that both run at the same time."""

from __future__ import annotations

from pathlib import Path

from bridge.delivery.points import POINTS
from tests.crash.plan import Options, StoreKind
from tests.crash.receiver import Kind
from tests.crash.run import run


def assert_kept(store: StoreKind, partner: Kind, folder: Path) -> None:
    kills = len(POINTS)
    options = Options(store=store, partner=partner, documents=80, kills=kills, topologies=1, minutes=1.0)
    report = run(options, folder, print)
    assert report.kept, "\n".join(report.lines())
    assert sum(report.kills.values()) >= kills
    assert report.verdict.counts["accepted"] > 70
