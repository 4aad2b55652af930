"""The key that signs the audit trail, and the public ones that are trusted.

Ed25519. The private key is a PEM file for its owner only, made when it is first needed. A public key is told as its 32 bytes in
base64; `name_of` makes the short name of it that checkpoints carry.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import secrets
from collections.abc import Iterable, Mapping
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.errors import SettingsError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

# cryptography takes as long to import as a small command runs: only where something is signed or verified.


class SigningKey:
    """The key in `file`. Nothing is read or made before it is needed.

    Raises SettingsError: the file cannot be read, written, or is none; or others than its owner may read it.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def sign(self, message: bytes) -> bytes:
        """64 bytes. Makes the key where there is none."""
        return self._private.sign(message)

    @cached_property
    def public(self) -> str:
        """Its public key in base64. Makes the key where there is none."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        raw = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return base64.b64encode(raw).decode()

    @cached_property
    def name(self) -> str:
        """What checkpoints call it by."""
        return name_of(self.public)

    @property
    def is_there(self) -> bool:
        """Whether it was made already."""
        return self.file.exists()

    @cached_property
    def _private(self) -> Ed25519PrivateKey:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            if not self.file.exists():
                _make(self.file)
            pem = self.file.read_bytes()
            mode = self.file.stat().st_mode
        except OSError as error:
            raise SettingsError(
                f"The audit's key {self.file} cannot be used: {error.strerror or error}.",
                advice="Let this user read it, or set audit.key_file to another place.",
            ) from error
        if os.name == "posix" and mode & 0o077:
            raise SettingsError(
                f"Others than its owner may use the audit's key {self.file}.", advice=f"chmod 600 {self.file}"
            )
        try:
            key = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise SettingsError(
                f"{self.file} holds no Ed25519 key in PEM.",
                advice="Name the right file in audit.key_file, or one that is not there: it is made.",
            )
        return key


class TrustedKeys:
    """Public keys, by name. Raises SettingsError for a text that is none."""

    def __init__(self, public: Iterable[str]) -> None:
        self._keys: Mapping[str, Ed25519PublicKey] = {name_of(text): _public(text) for text in public}

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._keys)

    def verify(self, message: bytes, signature: bytes, *, name: str | None = None) -> bool:
        """Whether one of them, or that of this name, has signed this."""
        from cryptography.exceptions import InvalidSignature

        keys = self._keys.values() if name is None else filter(None, [self._keys.get(name)])
        for key in keys:
            with contextlib.suppress(InvalidSignature):
                key.verify(signature, message)
                return True
        return False


def name_of(public: str) -> str:
    """The short name of a public key: 16 hex digits."""
    return sha256(public.encode()).hexdigest()[:16]


def _public(text: str) -> Ed25519PublicKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))
    except (ValueError, binascii.Error):
        raise SettingsError(
            f"{text!r} is no public key of an audit trail.",
            advice="`soapbridge audit key` shows it, on the host that signs with it.",
        ) from None


def _make(file: Path) -> None:
    """Whole or not at all, and never in the place of one that is there: of several processes the first one makes it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}-{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as made:
            made.write(pem)
            made.flush()
            os.fsync(made.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)
    finally:
        draft.unlink()
