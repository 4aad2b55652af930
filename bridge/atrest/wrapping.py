"""The wrapping key: the one secret that is not in the store, from a file or from a command.

It encrypts data keys only (AES key wrap, RFC 3394), so that it can be changed without touching what they encrypt.
"""

from __future__ import annotations

import binascii
import hashlib
import os
import secrets
import shlex
import subprocess
from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bridge.errors import SettingsError
from bridge.settings import AtRest

LENGTH = 32
COMMAND_SECONDS = 30.0
"""How long `at_rest.key_command` may take."""


@dataclass(frozen=True, slots=True, repr=False)
class WrappingKey:
    """256 bits. `name` is made from them, tells nothing of them, and is what the store calls the key by."""

    secret: bytes

    def __repr__(self) -> str:
        return f"<WrappingKey {self.name}>"

    @property
    def name(self) -> str:
        return hashlib.sha256(b"soapbridge wrapping key" + self.secret).hexdigest()[:16]

    def wrap(self, data_key: bytes) -> bytes:
        """The data key as the store keeps it."""
        from cryptography.hazmat.primitives.keywrap import aes_key_wrap

        return aes_key_wrap(self.secret, data_key)

    def unwrap(self, wrapped: bytes) -> bytes | None:
        """The data key; None where another key has wrapped it, or it was changed."""
        from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

        try:
            return aes_key_unwrap(self.secret, wrapped)
        except (InvalidUnwrap, ValueError):
            return None

    @classmethod
    def new(cls) -> Self:
        return cls(secrets.token_bytes(LENGTH))

    @classmethod
    def read(cls, text: str, source: str) -> Self:
        """The key that is written in base64. Raises SettingsError, which quotes nothing of it."""
        try:
            secret = b64decode(text.strip(), validate=True)
        except (binascii.Error, ValueError):
            secret = b""
        if len(secret) != LENGTH:
            raise SettingsError(
                f"{source} holds no key: it must be {LENGTH} bytes in base64, and nothing else.",
                advice="Make one: soapbridge keys new FILE",
            )
        return cls(secret)

    @classmethod
    def from_file(cls, file: Path) -> Self:
        """Raises SettingsError: it cannot be read, or holds no key."""
        try:
            text = file.read_text("ascii", "replace")
        except OSError as error:
            raise SettingsError(
                f"The key file {file} cannot be read: {error.strerror or error}.",
                advice="Let this user read it, or make one: soapbridge keys new FILE",
            ) from None
        return cls.read(text, f"The key file {file}")

    def write(self, file: Path) -> None:
        """To a new file that only its owner can read. Raises SettingsError where there is one already."""
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise SettingsError(
                f"{file} is there already, and a key that is overwritten is lost with all that it opens.",
                advice="Name another file.",
            ) from None
        except OSError as error:
            raise SettingsError(
                f"{file} cannot be written: {error.strerror or error}.", advice="Name another place."
            ) from None
        with os.fdopen(descriptor, "wb") as out:
            out.write(b64encode(self.secret) + b"\n")
            out.flush()
            os.fsync(out.fileno())


def wrapping_key(settings: AtRest) -> WrappingKey | None:
    """The key that the settings give; None where they give none.

    Raises:
        SettingsError: the file cannot be read, the command fails, or either gives no key.
    """
    if settings.key_file is not None:
        if settings.key_command:
            raise SettingsError(
                "at_rest.key_file and at_rest.key_command are both set.", advice="Keep one of them."
            )
        return WrappingKey.from_file(settings.key_file)
    return _from_command(settings.key_command) if settings.key_command else None


def _from_command(command: str) -> WrappingKey:
    try:
        # The administrator's own words, from the settings, and no shell.
        done = subprocess.run(  # noqa: S603
            shlex.split(command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_SECONDS,
            check=True,
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        status = (
            f"status {error.returncode}"
            if isinstance(error, subprocess.CalledProcessError)
            else type(error).__name__
        )
        raise SettingsError(
            f"at_rest.key_command gave no key: {status}.",
            advice="It must print 32 bytes in base64 and end with status 0. Run it as this user.",
        ) from None
    return WrappingKey.read(done.stdout.decode("ascii", "replace"), "What at_rest.key_command printed")
