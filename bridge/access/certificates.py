"""Certificates that callers show: exactly these, whoever issued them.

The authority (`tls.client_ca`) says with whom TLS is spoken at all; who somebody is, the certificate itself says.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bridge.errors import SettingsError

if TYPE_CHECKING:
    from bridge.settings.security import Caller

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")


class KnownCertificate(NamedTuple):
    """One of a caller's, in DER; worth nothing after `until`."""

    caller: str
    der: bytes
    until: datetime


def fingerprint(der: bytes) -> bytes:
    """What a certificate is found by."""
    return hashlib.sha256(der).digest()


def pem_to_ders(text: str) -> list[bytes]:
    """The certificates of a PEM text, in DER. Raises ValueError: one of them is no base64."""
    try:
        return [base64.b64decode("".join(found.split()), validate=True) for found in _PEM.findall(text)]
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def read(callers: Mapping[str, Caller]) -> dict[bytes, KnownCertificate]:
    """All certificates that settings name, by their fingerprints.

    Raises:
        SettingsError: a file cannot be read, holds no certificate, or one that is another caller's as well.
    """
    known: dict[bytes, KnownCertificate] = {}
    mistakes: list[str] = []
    for name, caller in callers.items():
        for file in caller.certificates:
            try:
                found = _in_file(name, file)
            except (OSError, ValueError) as error:
                mistakes.append(
                    f"callers.{name}.certificates: {file}: {getattr(error, 'strerror', None) or error}"
                )
                continue
            for one in found:
                other = known.setdefault(fingerprint(one.der), one)
                if other.caller != name:
                    mistakes.append(
                        f"callers.{name}.certificates: {file} is also a certificate of {other.caller}"
                    )
    if mistakes:
        raise SettingsError.of(mistakes)
    return known


def versions(callers: Mapping[str, Caller]) -> tuple[int, ...]:
    """Changes whenever one of the files was replaced. A file that is not there is none yet."""
    return tuple(_changed(file) for file in _files(callers))


def _files(callers: Mapping[str, Caller]) -> Iterable[Path]:
    return (file for caller in callers.values() for file in caller.certificates)


def _changed(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def _in_file(name: str, file: Path) -> list[KnownCertificate]:
    from cryptography import x509  # here: few bridges know certificates, and it takes its time to import

    ders = pem_to_ders(file.read_text("latin-1"))
    if not ders:
        raise ValueError("holds no certificate (PEM)")
    return [
        KnownCertificate(name, der, x509.load_der_x509_certificate(der).not_valid_after_utc) for der in ders
    ]
