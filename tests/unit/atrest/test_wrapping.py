"""The wrapping key: where it comes from, and that nobody gets to see it."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.atrest.wrapping import WrappingKey, wrapping_key
from bridge.errors import SettingsError
from bridge.settings import AtRest


@given(
    secret=st.binary(min_size=32, max_size=32),
    data=st.binary(min_size=32, max_size=32),
    at=st.integers(0, 39),
)
def test_a_wrapped_key_opens_with_its_own_key_and_unchanged_only(secret: bytes, data: bytes, at: int) -> None:
    key = WrappingKey(secret)
    wrapped = key.wrap(data)
    assert key.unwrap(wrapped) == data
    assert WrappingKey.new().unwrap(wrapped) is None
    changed = bytearray(wrapped)
    changed[at] ^= 1
    assert key.unwrap(bytes(changed)) is None


def test_a_key_is_written_for_its_owner_only_and_never_over_another(tmp_path: Path) -> None:
    file = tmp_path / "a.key"
    key = WrappingKey.new()
    key.write(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert wrapping_key(AtRest(key_file=file)) == key
    with pytest.raises(SettingsError, match="is there already"):
        WrappingKey.new().write(file)


@pytest.mark.parametrize(
    "content", ["", "abc", b64encode(b"x" * 31).decode(), b64encode(b"s" * 33).decode() + "!"]
)
def test_a_file_without_a_key_is_refused_and_not_quoted(tmp_path: Path, content: str) -> None:
    file = tmp_path / "a.key"
    file.write_text(content)
    with pytest.raises(SettingsError, match="holds no key") as caught:
        wrapping_key(AtRest(key_file=file))
    assert not content or content not in str(caught.value)


@pytest.mark.parametrize("command", ["false", "no-such-program-of-ours", "echo short", "'unclosed"])
def test_a_command_that_gives_no_key_is_refused(command: str) -> None:
    with pytest.raises(SettingsError, match=r"at_rest\.key_command"):
        wrapping_key(AtRest(key_command=command))


def test_a_command_is_not_given_to_a_shell(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        wrapping_key(AtRest(key_command=f"echo x; touch {tmp_path}/made"))
    assert not (tmp_path / "made").exists()


def test_file_and_command_together_are_a_contradiction(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="both set"):
        wrapping_key(AtRest(key_file=tmp_path / "k", key_command="true"))


def test_nobody_sees_the_key() -> None:
    key = WrappingKey(b"A" * 32)
    assert "A" * 8 not in repr(key) + str(key) + key.name
    assert b64encode(key.secret).decode() not in repr(key)
