"""docs/settings.md and bridge.toml are made from the keys; whoever changes a key runs `make docs`."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from bridge.cli.settings import as_markdown, as_toml
from bridge.settings import NAMED_SECTIONS, keys, load, named_keys

ROOT = Path(__file__).parents[3]


def test_the_page_about_settings_is_current() -> None:
    assert (ROOT / "docs/settings.md").read_text("utf-8") == as_markdown(), "run `make docs`"


def test_the_commented_bridge_toml_is_current() -> None:
    assert (ROOT / "bridge.toml").read_text("utf-8") == as_toml(), "run `make docs`"


def test_the_commented_bridge_toml_with_its_keys_uncommented_sets_every_key_to_its_default(
    tmp_path: Path,
) -> None:
    names = {key.name for key in keys()}
    lines = [
        line[2:] if line.startswith("# ") and line[2:].split(" = ")[0] in names and " = " in line else line
        for line in as_toml().splitlines()
    ]
    file = tmp_path / "bridge.toml"
    file.write_text("\n".join(lines), "utf-8")
    table = tomllib.loads(file.read_text("utf-8"))
    assert {f"{section}.{name}" for section in table for name in table[section]} == {
        key.path for key in keys()
    }
    settings, defaults = load(file, environ={}), load(tmp_path_without_settings(tmp_path), environ={})
    assert settings.server == defaults.server
    assert settings.journal == defaults.journal


def tmp_path_without_settings(folder: Path) -> Path:
    file = folder / "empty.toml"
    file.write_text("", "utf-8")
    return file


def test_every_setting_is_read_by_something() -> None:
    package = ROOT / "bridge"
    code = "\n".join(
        path.read_text("utf-8")
        for path in package.rglob("*.py")
        if path.parent != package / "settings" and path != package / "soap/limits.py"
    )
    every = [*keys(), *(key for group in NAMED_SECTIONS for key in named_keys(group))]
    unread = [key.path for key in every if not re.search(rf"\.{key.name}\b", code)]
    assert not unread, "a setting that nothing reads is a promise that nobody keeps"
