from __future__ import annotations

import base64
from pathlib import Path

import pytest

from bridge.backup.keys import key_of, read_key
from bridge.errors import SettingsError
from bridge.settings import Settings
from bridge.settings.security import AtRest, Backup


def file_with(folder: Path, name: str, secret: bytes) -> Path:
    file = folder / name
    file.write_bytes(base64.b64encode(secret) + b"\n")
    return file


def test_the_key_of_backups_goes_before_that_of_what_is_at_rest(tmp_path: Path) -> None:
    own, at_rest = file_with(tmp_path, "own", b"o" * 32), file_with(tmp_path, "at-rest", b"r" * 32)
    both = Settings(backup=Backup(key_file=own), at_rest=AtRest(key_file=at_rest))
    assert key_of(both) == read_key(own)
    assert key_of(Settings(at_rest=AtRest(key_file=at_rest))) == read_key(at_rest)
    assert key_of(Settings(at_rest=AtRest(key_command=f"cat {at_rest}"))) == read_key(at_rest)
    assert key_of(Settings()) is None


@pytest.mark.parametrize(
    "text", [b"", b"not base64 !", base64.b64encode(b"too short"), base64.b64encode(bytes(33))]
)
def test_what_is_no_key_is_refused_and_not_quoted(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(text)
    with pytest.raises(SettingsError, match="32 bytes in base64") as raised:
        read_key(file)
    assert not text or text.decode() not in str(raised.value)


def test_a_key_that_cannot_be_read_is_said_with_its_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"missing cannot be read: No such file"):
        read_key(tmp_path / "missing")
    with pytest.raises(SettingsError, match="gave no key"):
        key_of(Settings(at_rest=AtRest(key_command="false")))
    with pytest.raises(SettingsError, match="gave no key"):
        key_of(Settings(at_rest=AtRest(key_command="/no/such/command")))
