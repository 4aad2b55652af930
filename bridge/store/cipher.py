"""What of the store is encrypted, and how: columns, places, the form of what is kept.

Sealed are the envelopes of the journal and what it quotes of them, documents that must leave, answers kept for repeats, and access tokens. `SEALED`
is the one list; `bridge.atrest` has the keys. What is kept of a `bytes` column is

    "\\0SB" 0x01 | number of the data key, 4 bytes | nonce, 12 bytes | ciphertext with its tag (AES-256-GCM)

and of a text column `sealed:` and the same in base64. The place where it stands (`journal/request/<exchange id>`) is authenticated:
what was moved to another row or column does not open. What was written before there was a key stays readable as it is.
"""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from typing import Final, NamedTuple, Protocol

from bridge.errors import StoreError

MAGIC: Final = b"\0SB\x01"
TEXT: Final = "sealed:"
KEY_BYTES: Final = 4
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
OVERHEAD: Final = len(MAGIC) + KEY_BYTES + NONCE_BYTES + TAG_BYTES
"""Bytes that what is sealed is longer."""


class SealedColumns(NamedTuple):
    """Columns of a table whose content is sealed; `named_by` is the column that tells one row's place from another's. With `kind` only rows
    of that kind."""

    table: str
    named_by: str
    of_bytes: tuple[str, ...] = ()
    of_text: tuple[str, ...] = ()
    kind: str = ""


SEALED: Final = (
    SealedColumns("journal", "exchange_id", ("request", "reply"), ("violations", "fault_reason")),
    SealedColumns("outbox", "entry_id", (), ("headers", "payload")),
    SealedColumns("idempotency", "id", (), ("headers", "answer")),
    SealedColumns("difference", "reconciliation_id", (), ("content",)),
    SealedColumns("partner_token", "partner", (), ("content",)),
    SealedColumns("credential", "caller", (), ("secret",), kind="wss_password"),
    SealedColumns("flow_link", "name", (), ("source_known", "target_known", "sent", "read")),
    SealedColumns("flow_problem", "name", (), ("explanation", "repair", "record")),
)


class Cipher(Protocol):
    """Encrypts what is written and decrypts what is read. Used by many threads."""

    def seal(self, plain: bytes, place: str) -> bytes:
        """What is kept instead of `plain`."""

    def open(self, kept: bytes, place: str) -> bytes:
        """What `seal` was given; `kept` itself where it was never sealed.

        Raises:
            StoreError: the key is not there, or what is kept was changed or moved.
        """

    def refresh(self) -> None:
        """Look which keys there are now. Called every few seconds, between transactions. Raises as the database does."""


def place(table: str, column: str, name: object) -> str:
    """Where something stands, as it is authenticated."""
    return f"{table}/{column}/{name}"


def fresh_name() -> str:
    """A name for a row, to tell its place from that of another where it has none of its own."""
    return os.urandom(8).hex()


def is_sealed(kept: bytes | str) -> bool:
    """Whether this is what a cipher made."""
    return kept.startswith(MAGIC) if isinstance(kept, bytes) else kept.startswith(TEXT)


def seal_bytes(cipher: Cipher | None, plain: bytes | None, where: str) -> bytes | None:
    """What a column of bytes keeps."""
    return plain if cipher is None or plain is None else cipher.seal(plain, where)


def seal_text(cipher: Cipher | None, plain: str | None, where: str) -> str | None:
    """What a column of text keeps."""
    if cipher is None or plain is None:
        return plain
    return TEXT + b64encode(cipher.seal(plain.encode(), where)).decode("ascii")


def open_bytes(cipher: Cipher | None, kept: bytes | None, where: str) -> bytes | None:
    """What a column of bytes was given. Raises StoreError."""
    if kept is None or not kept.startswith(MAGIC):
        return kept
    if cipher is None:
        raise _without_key()
    return cipher.open(kept, where)


def open_text(cipher: Cipher | None, kept: str | None, where: str) -> str | None:
    """What a column of text was given. Raises StoreError."""
    if kept is None or not kept.startswith(TEXT):
        return kept
    if cipher is None:
        raise _without_key()
    return cipher.open(b64decode(kept[len(TEXT) :]), where).decode()


def _without_key() -> StoreError:
    return StoreError(
        "What the store keeps is encrypted, and no key was given.",
        advice="Set `at_rest.key_file` or `at_rest.key_command`, as it was when this was written.",
    )
