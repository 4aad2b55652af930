"""`soapbridge check` on the folders that the bridge writes to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bridge.cli import app


def test_check_warns_of_a_data_folder_that_others_may_look_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data"

    def warnings() -> list[str]:
        done = CliRunner().invoke(app, ["check", "--json"])
        assert done.exit_code == 0, done.output
        return [one for one in json.loads(done.output)["warnings"] if "chmod" in one]

    assert warnings() == []
    data.chmod(0o755)
    (warning,) = warnings()
    assert "chmod 700 data" in warning
