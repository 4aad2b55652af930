"""Which of PostgreSQL's tools are taken, among those that a machine has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.backup import tools
from bridge.errors import SettingsError

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts tools of a version into a folder of this machine, which has no others."""
    folders: list[Path] = []
    monkeypatch.setattr(tools, "_folders", lambda: iter(folders))

    def of(version: str, *, names: tuple[str, ...] = tools.NAMES) -> Path:
        folder = tmp_path / version.split()[-1]
        folder.mkdir()
        for name in names:
            (folder / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
            (folder / name).chmod(0o755)
        folders.append(folder)
        return folder

    return of


def test_those_of_the_servers_version_are_taken_wherever_they_are(install: Install) -> None:
    install("15.18 (Debian 15.18-0+deb12u1)")
    install("18.4")
    folder = install("16.14")
    assert tools.find(16) == (folder, 16)


def test_where_there_are_none_the_nearest_newer_ones_are_taken(install: Install) -> None:
    install("18.4")
    folder = install("17beta2")
    install("15.18")
    assert tools.find(16) == (folder, 17)


def test_older_ones_are_refused_by_name(install: Install) -> None:
    install("15.18")
    with pytest.raises(
        SettingsError, match=r"version 16 were found.*version 15 in .*too old.*postgresql-client-16"
    ):
        tools.find(16)


def test_a_folder_that_lacks_one_of_them_is_none(install: Install) -> None:
    install("16.14", names=("pg_dump", "psql"))
    with pytest.raises(SettingsError, match="there are none"):
        tools.find(16)


def test_the_folder_that_is_named_is_the_only_one_looked_at(install: Install, tmp_path: Path) -> None:
    install("16.14")
    named = install("17.1")
    assert tools.find(16, named).folder == named
    with pytest.raises(SettingsError, match=r"backup\.tools.*there are none"):
        tools.find(16, tmp_path)


def test_what_is_no_tool_at_all_is_passed_over(install: Install) -> None:
    install("no version")
    folder = install("16.14")
    assert tools.find(16).folder == folder
