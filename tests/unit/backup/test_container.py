"""The file that a backup is: whatever is done to it, what comes out is what went in, or an error."""

from __future__ import annotations

import io
import os
import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.backup import container
from bridge.backup.container import MAGIC, BackupReader, BackupWriter, Header, fresh_salt
from bridge.backup.keys import BackupKey
from bridge.errors import SettingsError, StoreError

KEY = BackupKey(bytes(range(32)))
HEADER = Header(dialect="sqlite", revision="0006", made_at="2026-11-26T01:00:00+00:00", version="0.1.0")
ROWS = {"item": 2}


def written(content: list[bytes], key: BackupKey | None) -> bytes:
    header = HEADER if key is None else replace(HEADER, key_id=key.id, salt=fresh_salt())
    file = _File()
    writer = BackupWriter(file, header, key)
    for part in content:
        writer.write(part)
    writer.end(ROWS)
    return file.getvalue()


class _File(io.BytesIO):
    """A file in memory, as far as a writer needs one on a disk."""

    def fileno(self) -> int:
        return _NOWHERE


_NOWHERE = os.open(os.devnull, os.O_WRONLY)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "PIECE", 64)
    monkeypatch.setattr(os, "fsync", lambda _: None)


def read(file: bytes, key: BackupKey | None) -> bytes:
    return b"".join(BackupReader(io.BytesIO(file), "one").content(key, plain=key is None))


def pieces(file: bytes) -> tuple[bytes, list[bytes]]:
    """What comes before the pieces, and each with its length."""
    place = len(MAGIC)
    place += 4 + struct.unpack_from(">I", file, place)[0]
    head, found = file[:place], []
    while place < len(file):
        end = place + 4 + struct.unpack_from(">I", file, place)[0]
        found.append(file[place:end])
        place = end
    return head, found


keys = pytest.mark.parametrize("key", [KEY, None], ids=["encrypted", "plain"])


@keys
@pytest.mark.parametrize(
    "content", [[], [b""], [b"a"], [os.urandom(1000), b"", os.urandom(64)], [bytes(100_000)]]
)
def test_what_went_in_comes_out(content: list[bytes], key: BackupKey | None) -> None:
    file = written(content, key)
    reader = BackupReader(io.BytesIO(file), "one")
    assert b"".join(reader.content(key, plain=True)) == b"".join(content)
    assert (reader.summary.rows, reader.summary.bytes) == (ROWS, sum(map(len, content)))


@given(st.data())
def test_any_changed_bit_is_found(data: st.DataObject) -> None:
    for key in (KEY, None):
        file = bytearray(written([os.urandom(300)], key))
        place = data.draw(st.integers(len(MAGIC), len(file) - 1))
        file[place] ^= 1 << data.draw(st.integers(0, 7))
        with pytest.raises((StoreError, SettingsError)):
            read(bytes(file), key)


@given(st.data())
def test_a_file_that_is_cut_off_anywhere_is_found(data: st.DataObject) -> None:
    for key in (KEY, None):
        file = written([os.urandom(300)], key)
        with pytest.raises((StoreError, SettingsError)):
            read(file[: data.draw(st.integers(0, len(file) - 1))], key)


@keys
@pytest.mark.parametrize(
    "change",
    [
        lambda found: [found[1], found[0], *found[2:]],
        lambda found: found[1:],
        lambda found: [found[0], *found],
        lambda found: found[:-1],
        lambda found: [*found, found[-1]],
        lambda found: [found[-1]],
        lambda found: [],
    ],
    ids=["swapped", "first gone", "first twice", "last gone", "last twice", "last alone", "none"],
)
def test_pieces_in_another_order_or_number_are_found(change: object, key: BackupKey | None) -> None:
    head, found = pieces(written([os.urandom(300)], key))
    assert len(found) > 4
    with pytest.raises(StoreError):
        read(head + b"".join(change(found)), key)  # type: ignore[operator]


@keys
def test_a_piece_of_another_backup_is_found(key: BackupKey | None) -> None:
    head, mine = pieces(written([os.urandom(300)], key))
    _, others = pieces(written([os.urandom(300)], key))
    with pytest.raises(StoreError, match="changed"):
        read(head + b"".join([mine[0], others[1], *mine[2:]]), key)


@keys
def test_the_header_that_anybody_may_read_cannot_be_changed_by_anybody(key: BackupKey | None) -> None:
    file = written([b"content"], key)
    assert BackupReader(io.BytesIO(file), "one").header.revision == "0006"
    with pytest.raises(StoreError, match="changed"):
        read(file.replace(b'"revision": "0006"', b'"revision": "0005"'), key)


def test_equal_content_gives_other_bytes_each_time() -> None:
    one, other = written([b"the same"], KEY), written([b"the same"], KEY)
    assert pieces(one)[1][0] != pieces(other)[1][0]


def test_what_is_no_backup_is_told_from_one_that_is_damaged() -> None:
    with pytest.raises(StoreError, match="is no backup of soapbridge"):
        BackupReader(io.BytesIO(b"SQLite format 3\0"), "one")
    with pytest.raises(StoreError, match="cut off"):
        BackupReader(io.BytesIO(MAGIC + b"\xff\xff\xff\xff{"), "one")


def test_the_missing_and_the_wrong_key_are_named_and_the_secret_is_not() -> None:
    file = written([b"content"], KEY)
    with pytest.raises(SettingsError, match=f"no key is given.*{KEY.id}"):
        read(file, None)
    with pytest.raises(SettingsError, match=f"with the key {KEY.id}; the key given is"):
        read(file, BackupKey(b"w" * 32))
    assert KEY.secret.hex() not in repr(KEY)
    assert repr(KEY) == f"<BackupKey {KEY.id}>"


def test_one_that_is_not_encrypted_is_not_taken_for_one_of_ours() -> None:
    file = written([b"what a stranger wrote"], None)
    for key in (KEY, None):
        with pytest.raises(SettingsError, match=r"not encrypted.*--plain"):
            list(BackupReader(io.BytesIO(file), "one").content(key))
