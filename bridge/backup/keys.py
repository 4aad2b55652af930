"""Which key backups are encrypted with: one of their own (`backup.key_file`), or the one that wraps the data keys (`at_rest`)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import shlex
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

from bridge.errors import SettingsError
from bridge.settings import Settings

LENGTH: Final = 32
_PURPOSE: Final = b"soapbridge backup 1"
_COMMAND_SECONDS: Final = 60.0


class BackupKey(NamedTuple):
    """A secret of 32 bytes, from which the key of each file is derived."""

    secret: bytes

    def __repr__(self) -> str:
        return f"<BackupKey {self.id}>"

    @property
    def id(self) -> str:
        """Names the key and does not tell it."""
        return hashlib.sha256(_PURPOSE + b" id" + self.secret).hexdigest()[:12]

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
    if settings.at_rest.key_file is not None:
        return read_key(settings.at_rest.key_file)
    if settings.at_rest.key_command:
        return _printed_key(settings.at_rest.key_command)
    return None


def read_key(file: Path) -> BackupKey:
    """The key in a file: 32 bytes in base64, and nothing else.

    Raises:
        SettingsError: it cannot be read, or is none.
    """
    try:
        text = file.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"The key file {file} cannot be read: {error.strerror or error}.",
            advice="Let this user read it, and nobody else.",
        ) from None
    return _key(text, f"The file {file}")


def _printed_key(command: str) -> BackupKey:
    try:
        done = subprocess.run(  # noqa: S603 - the operator's command, and no shell
            shlex.split(command), capture_output=True, check=True, timeout=_COMMAND_SECONDS
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise SettingsError(
            f"The command at_rest.key_command did not give a key: {type(error).__name__}.",
            advice="Run it by hand, as this user.",
        ) from None
    return _key(done.stdout, "What at_rest.key_command printed")


def _key(text: bytes, shown: str) -> BackupKey:
    try:
        secret = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        secret = b""
    if len(secret) != LENGTH:
        raise SettingsError(
            f"{shown} is no key: {LENGTH} bytes in base64 are wanted.",
            advice="Make one that only this user may read: (umask 077; openssl rand -base64 32 > FILE).",
        )
    return BackupKey(secret)
