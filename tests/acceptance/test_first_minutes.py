"""What `make run` prints, pasted into another terminal that stands somewhere else."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.shipped_erp import ROOT, Answer, environment


@pytest.mark.parametrize("checkout", [True, False], ids=["in a checkout", "in an empty folder"])
def test_the_printed_curl_line_works_from_anywhere(tmp_path: Path, checkout: bool) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    elsewhere.mkdir()
    if checkout:
        (here / "samples").symlink_to(ROOT / "samples")
    command = [sys.executable, "-m", "bridge", "serve", "--port", "0"]
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(
            command, cwd=here, env=environment(), stdout=subprocess.PIPE, stderr=log, text=True
        ) as server,
    ):
        try:
            assert server.stdout is not None
            line = next((line for line in server.stdout if line.strip().startswith("curl ")), "")
            done = subprocess.run(
                ["sh", "-c", line], cwd=elsewhere, capture_output=True, timeout=20, check=False
            )
        finally:
            server.send_signal(signal.SIGTERM)
            rest = server.stdout.read() if server.stdout is not None else ""
    assert ("@/" in line) is checkout
    assert b"documentNumber" in done.stdout, (line, done.stdout, done.stderr)
    assert Answer(200, {}, done.stdout).fault is None
    assert "journal list" in rest
