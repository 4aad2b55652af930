"""Certificates and keys that settings name, read from their files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from bridge.errors import SettingsError
from bridge.soap.security.certificates import Certificate, Trusted, read_certificates
from bridge.soap.security.signing import NamedBy, Signer

T = TypeVar("T")


def signer(certificate: Path, key: Path | None, *, named_by: NamedBy, setting: str) -> Signer:
    """Who signs with this certificate; `key` None: its key is in the same file.

    Args:
        setting: that names the certificate, for what is said of a mistake.

    Raises:
        SettingsError: a file cannot be read, or the two do not belong together.
    """
    pem = _read(certificate, setting)
    private = pem if key is None else _read(key, f"{setting}_key")
    return _said(lambda: Signer.of(private, pem, named_by=named_by), certificate, setting)


def trusted(files: Iterable[Path], *, setting: str) -> Trusted:
    """The certificates in these files. Raises SettingsError."""
    found: list[Certificate] = []
    for file in files:
        pem = _read(file, setting)
        found += _said(lambda pem=pem: read_certificates(pem), file, setting)  # type: ignore[misc]
    return Trusted(found)


def _read(file: Path, setting: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"{setting}: {file} cannot be read: {error.strerror or error}.",
            advice="Name a file that this user may read.",
        ) from error


def _said(make: Callable[[], T], file: Path, setting: str) -> T:
    """What is made; of a mistake is said where it stands."""
    try:
        return make()
    except SettingsError as error:
        raise SettingsError(f"{setting}: {file}: {error.message}", advice=error.advice) from error
