"""Which key backups are encrypted with: one of their own (`backup.key_file`), or the one that wraps the data keys (`at_rest`)."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from bridge.atrest.wrapping import LENGTH, WrappingKey, wrapping_key
from bridge.settings import Settings

_PURPOSE: Final = b"soapbridge backup 1"


class BackupKey(NamedTuple):
    """A secret of 32 bytes, from which the key of each file is derived."""

    secret: bytes

    def __repr__(self) -> str:
        return f"<BackupKey {self.id}>"

    @property
    def id(self) -> str:
        """Names the key and does not tell it; the same name as `soapbridge keys list` has for it."""
        return WrappingKey(self.secret).name

    def derived(self, salt: bytes) -> bytes:
        """The key of one file."""
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        return HKDF(algorithm=SHA256(), length=LENGTH, salt=salt, info=_PURPOSE).derive(self.secret)


def key_of(settings: Settings) -> BackupKey | None:
    """The key that the settings name; None where they name none.

    Raises:
        SettingsError: it cannot be read, or is none.
    """
    if settings.backup.key_file is not None:
        return read_key(settings.backup.key_file)
    found = wrapping_key(settings.at_rest)
    return None if found is None else BackupKey(found.secret)


def read_key(file: Path) -> BackupKey:
    """The key in a file: 32 bytes in base64, and nothing else.

    Raises:
        SettingsError: it cannot be read, or is none.
    """
    return BackupKey(WrappingKey.from_file(file).secret)
