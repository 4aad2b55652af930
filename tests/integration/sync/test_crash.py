"""A flow whose process is killed at any of its points, and four processes that run it at once: each record arrives, and once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.sync import crashing

RECORDS = 12
ROOT = Path(__file__).parents[3]


def in_processes(url: str, folder: Path, way: str) -> dict[str, str]:
    command = [sys.executable, "-m", "tests.integration.sync.crashing", url, str(folder), way]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("way", ["killed", "together"])
def test_every_record_arrives_once_whatever_becomes_of_the_processes(
    store_url: str, tmp_path: Path, way: str
) -> None:
    company = crashing.company(store_url, tmp_path)
    for number in range(RECORDS):
        company.crm.edit("accounts", f"A-{number:02}", no=f"A-{number:02}", name="North", level="A")
    company.close()
    ended = in_processes(store_url, tmp_path, way)
    assert "1" not in ended.values()
    if way == "killed":
        assert set(ended.values()) == {"killed"}, ended
    company = crashing.company(store_url, tmp_path)
    assert isinstance(company.erp, crashing.SqliteRows)
    for _ in range(3):
        company.sync()
    assert company.erp.writes_of("customers") == {f"A-{number:02}": 1 for number in range(RECORDS)}
    assert company.bridge.flows.problems() == []
    assert company.bridge.flows.run("accounts").counts["send"] == 0
    company.close()
