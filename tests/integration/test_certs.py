"""`soapbridge certs` and what it says next: the settings that it prints are settings."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bridge.cli import commands
from bridge.settings import load


def certs(*words: str) -> dict[str, object]:
    done = CliRunner().invoke(commands(only="certs"), ["certs", *words, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    content: dict[str, object] = json.loads(done.stdout)
    return content


def test_one_command_makes_all_and_prints_settings_that_can_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = certs("--client", "crm", "--host", "bridge.example.com")
    assert told["made"] == [
        f"certs/{name}" for name in ("ca.key", "ca.pem", "server.key", "server.pem", "crm.key", "crm.pem")
    ]
    file = tmp_path / "bridge.toml"
    file.write_text(str(told["settings"]))
    settings = load(str(file))
    assert settings.tls.client_certificate == "optional"
    for made in (settings.tls.certificate, settings.tls.key, settings.tls.client_ca):
        assert made is not None
        assert made.exists()
    assert settings.callers["crm"].certificates[0].exists()
    assert tomllib.loads(file.read_text())["callers"]["crm"]


def test_a_second_run_adds_what_is_missing_and_writes_nothing_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    certs()
    before = (tmp_path / "certs/server.pem").read_bytes()
    assert certs("--client", "wms")["made"] == ["certs/wms.key", "certs/wms.pem"]
    assert certs()["made"] == []
    assert (tmp_path / "certs/server.pem").read_bytes() == before
