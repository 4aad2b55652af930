"""The file that a backup is: a header that anybody may read, then pieces that are encrypted one by one.

    b"soapbridge backup 1\\n"
    length of the header (4 bytes, big-endian), header (JSON)
    length of a piece (4), piece        what was copied, compressed; again and again
    length of a piece (4), last piece   the summary (JSON): what must be found in it

The key of a file is derived (HKDF-SHA256) from the secret and a salt of the file's own, so a piece's nonce need only be its
number, and whether it is the last. With each piece goes the digest of the header. So a piece that was changed, moved or left
out, a header that was changed and a file that was cut off are all found: each is a StoreError, before anything of the piece is used.

Without a key the pieces are plain, each followed by a digest chained to the one before: that shows damage, and no tampering.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, BinaryIO, Final, Protocol

from bridge.backup.keys import BackupKey
from bridge.errors import SettingsError, StoreError

MAGIC: Final = b"soapbridge backup 1\n"
PIECE: Final = 1024**2
"""Bytes of compressed content in a piece."""

_TAG: Final = 16
_SALT: Final = 32
_LONGEST: Final = PIECE + 64 * 1024
"""No piece and no header is longer: what says so is no backup."""
_LEVEL: Final = 1
"""zlib's: envelopes shrink to a tenth, and 100 MB take a second or two."""
_LENGTH: Final = struct.Struct(">I")
_NONCE: Final = struct.Struct(">QI")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What anybody who has the file may know."""

    dialect: str
    """`sqlite` or `postgresql`: what kind of store was copied."""
    revision: str
    """Of its schema."""
    made_at: str
    """ISO 8601, UTC."""
    version: str
    """Of the soapbridge that made it."""
    server: int = 0
    """PostgreSQL's major version; 0 on SQLite."""
    schema: str = ""
    """PostgreSQL's schema that was copied."""
    key_id: str = ""
    """Which key opens it (`BackupKey.id`); empty: none is needed."""
    salt: str = ""

    @classmethod
    def read(cls, text: bytes) -> Header:
        """Raises ValueError or TypeError: this is no header."""
        header = cls(**json.loads(text))
        for one in fields(cls):
            if type(getattr(header, one.name)) is not (int if one.name == "server" else str):
                raise TypeError(one.name)
        datetime.fromisoformat(header.made_at)
        if header.key_id and len(bytes.fromhex(header.salt)) != _SALT:
            raise ValueError("salt")
        return header


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What must be found in what was copied."""

    rows: Mapping[str, int]
    """By table."""
    bytes: int
    sha256: str


class BackupWriter:
    """Writes a backup into a file opened for it. `write` what is copied, then `end`; without that the file is no backup."""

    def __init__(self, file: BinaryIO, header: Header, key: BackupKey | None) -> None:
        self._file = file
        self._compress = zlib.compressobj(_LEVEL)
        self._digest = hashlib.sha256()
        self._size = 0
        self._waiting = bytearray()
        head = json.dumps(asdict(header), ensure_ascii=False).encode()
        self._seal = _sealing(header, head, key)
        file.write(MAGIC + _LENGTH.pack(len(head)) + head)

    def write(self, content: bytes) -> None:
        self._digest.update(content)
        self._size += len(content)
        self._waiting += self._compress.compress(content)
        while len(self._waiting) >= PIECE:
            self._put(bytes(self._waiting[:PIECE]))
            del self._waiting[:PIECE]

    def end(self, rows: Mapping[str, int]) -> Summary:
        """Write what is left and the summary; returns when all of it is on the disk."""
        self._waiting += self._compress.flush()
        for start in range(0, len(self._waiting), PIECE):
            self._put(bytes(self._waiting[start : start + PIECE]))
        summary = Summary(rows=dict(rows), bytes=self._size, sha256=self._digest.hexdigest())
        self._put(json.dumps(asdict(summary), ensure_ascii=False).encode(), last=True)
        self._file.flush()
        os.fsync(self._file.fileno())
        return summary

    def _put(self, plain: bytes, *, last: bool = False) -> None:
        piece = self._seal.seal(plain, last=last)
        self._file.write(_LENGTH.pack(len(piece)) + piece)


class BackupReader:
    """Reads a backup. Making one reads the header alone.

    Args:
        file: opened for reading, at its beginning.
        shown: its name, for messages.

    Raises:
        StoreError: it is no backup.
    """

    def __init__(self, file: BinaryIO, shown: str) -> None:
        self._file = file
        self._shown = shown
        if file.read(len(MAGIC)) != MAGIC:
            raise StoreError(
                f"{shown} is no backup of soapbridge.", advice="`soapbridge backup list` names them."
            )
        try:
            self._head = self._framed()
            self.header = Header.read(self._head)
        except (TypeError, ValueError):
            raise self._damaged("its header cannot be read") from None

    def content(self, key: BackupKey | None, *, plain: bool = False) -> Iterator[bytes]:
        """What was copied, piece by piece. Ends with the last one verified; `summary` is there from then on.

        Args:
            plain: one that is not encrypted may be read, which anybody can have made.

        Raises:
            SettingsError: it needs a key, or another one, or it is not encrypted.
            StoreError: it was damaged or changed. What came before is what was written.
        """
        seal = _sealing(self.header, self._head, self._fitting(key, plain))
        inflate, digest, size = zlib.decompressobj(), hashlib.sha256(), 0
        for packed in self._pieces(seal):
            rest = packed
            while rest:
                try:
                    content = inflate.decompress(rest, PIECE)
                except zlib.error:
                    raise self._damaged("its content cannot be unpacked") from None
                rest = inflate.unconsumed_tail
                digest.update(content)
                size += len(content)
                if content:
                    yield content
        if not inflate.eof or (size, digest.hexdigest()) != (self.summary.bytes, self.summary.sha256):
            raise self._damaged("its content is not what its summary says")

    summary: Summary

    def _pieces(self, seal: _Seal) -> Iterator[bytes]:
        """All but the last, which becomes `summary`. One is read ahead, for only the end of the file tells which is the last."""
        piece = self._framed()
        while following := self._framed(may_end=True):
            yield self._opened(seal, piece, last=False)
            piece = following
        try:
            self.summary = Summary(**json.loads(self._opened(seal, piece, last=True)))
        except (TypeError, ValueError):
            raise self._damaged("its summary cannot be read") from None

    def _opened(self, seal: _Seal, piece: bytes, *, last: bool) -> bytes:
        try:
            return seal.open(piece, last=last)
        except ValueError:
            raise self._damaged("a part of it was changed, or is missing") from None

    def _framed(self, *, may_end: bool = False) -> bytes:
        head = self._file.read(_LENGTH.size)
        if may_end and not head:
            return b""
        length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else _LONGEST + 1
        piece = self._file.read(length) if length <= _LONGEST else b""
        if not length or len(piece) != length:
            raise self._damaged("it is cut off")
        return piece

    def _fitting(self, key: BackupKey | None, plain: bool) -> BackupKey | None:
        wanted = self.header.key_id
        if not wanted:
            if plain:
                return None
            raise SettingsError(
                f"{self._shown} is not encrypted: whoever can write where it is kept can have made it.",
                advice="Where you know where it comes from: --plain, or backup.plain.",
            )
        if key is None:
            raise SettingsError(
                f"{self._shown} is encrypted, and no key is given.",
                advice=f"Name the file with the key {wanted}: --key-file, or backup.key_file.",
            )
        if key.id != wanted:
            raise SettingsError(
                f"{self._shown} is encrypted with the key {wanted}; the key given is {key.id}.",
                advice="Name the file with that key: --key-file. A backup from before a change of keys needs the key of then.",
            )
        return key

    def _damaged(self, how: str) -> StoreError:
        return StoreError(
            f"The backup {self._shown} cannot be used: {how}.",
            advice="Nothing was changed. Take another one: soapbridge backup list.",
        )


class _Seal(Protocol):
    """Of one file, from its first piece to its last. `open` raises ValueError where the piece is not the one sealed."""

    def seal(self, plain: bytes, *, last: bool) -> bytes: ...

    def open(self, piece: bytes, *, last: bool) -> bytes: ...


def _sealing(header: Header, head: bytes, key: BackupKey | None) -> _Seal:
    if key is None:
        return _Plain(head)
    return _Encrypted(head, key.derived(bytes.fromhex(header.salt)))


class _Encrypted:
    """AES-256-GCM."""

    def __init__(self, head: bytes, secret: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher = AESGCM(secret)
        self._about = hashlib.sha256(head).digest()
        self._number = 0

    def seal(self, plain: bytes, *, last: bool) -> bytes:
        return self._cipher.encrypt(self._nonce(last), plain, self._about)

    def open(self, piece: bytes, *, last: bool) -> bytes:
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(self._nonce(last), piece, self._about)
        except InvalidTag:
            raise ValueError("changed") from None

    def _nonce(self, last: bool) -> bytes:
        self._number += 1
        return _NONCE.pack(self._number, last)


class _Plain:
    """Each piece followed by the beginning of a digest over it and all before it."""

    def __init__(self, head: bytes) -> None:
        self._so_far = hashlib.sha256(head)

    def seal(self, plain: bytes, *, last: bool) -> bytes:
        return plain + self._mark(plain, last)

    def open(self, piece: bytes, *, last: bool) -> bytes:
        plain, mark = piece[:-_TAG], piece[-_TAG:]
        if self._mark(plain, last) != mark:
            raise ValueError("changed")
        return plain

    def _mark(self, plain: bytes, last: bool) -> bytes:
        self._so_far.update(plain + bytes([last]))
        return self._so_far.digest()[:_TAG]


def fresh_salt() -> str:
    return os.urandom(_SALT).hex()


def as_json(header: Header, summary: Summary | None = None) -> dict[str, Any]:
    """For programs: what a backup says of itself."""
    shown = {name: value for name, value in asdict(header).items() if name != "salt"}
    return shown if summary is None else shown | asdict(summary)
