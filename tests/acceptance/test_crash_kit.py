"""The crash kit in short: kill -9 at every named point and elsewhere, on each database with one kind of partner. `make crash` is the
long form, docs/crash-kit.md tells what is looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.delivery.points import POINTS
from tests.crash.plan import Options
from tests.crash.report import Report
from tests.crash.run import run

SHORT = {"documents": 80, "kills": len(POINTS), "topologies": 1, "minutes": 1.0}


def assert_kept(report: Report) -> None:
    assert report.kept, "\n".join(report.lines())
    assert sum(report.kills.values()) >= len(POINTS)
    assert report.verdict.counts["accepted"] > 70


@pytest.mark.slow
def test_on_sqlite_a_partner_that_keeps_our_id_gets_all_once_and_in_order(tmp_path: Path) -> None:
    assert_kept(run(Options(store="sqlite", partner="keeps-id", **SHORT), tmp_path, print))


@pytest.mark.slow
@pytest.mark.postgres
def test_on_postgresql_a_partner_that_keeps_none_gets_nothing_again_without_a_decision(
    tmp_path: Path, postgresql_server: object
) -> None:
    tmp_path.chmod(0o755)  # PostgreSQL's user must pass through
    assert_kept(run(Options(store="postgresql", partner="keeps-none", **SHORT), tmp_path, print))
