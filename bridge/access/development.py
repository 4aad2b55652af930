"""Certificates to develop and test with: an authority of one's own, the bridge's certificate, one for each client.

    ca.pem  ca.key              the authority; `tls.client_ca`, and what clients are told to trust
    server.pem  server.key      `tls.certificate` and `tls.key`
    NAME.pem  NAME.key          what a client shows in TLS or signs with: `[callers.NAME] certificates`

The authority and the server have keys on P-256, which is quick; clients have RSA, for much of what signs XML knows nothing else.
Files are readable by their owner only, and none is ever written over: whoever trusts an authority would trust it no more.
Nobody looks after these keys, so nothing that matters should trust them: the names say so.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bridge.errors import SettingsError

ORGANISATION: Final = "soapbridge development, not to be trusted"
LOCAL: Final = ("localhost", "127.0.0.1", "::1")
"""Names that the server's certificate always has."""
RSA_BITS: Final = 2048
YEARS_OF_AUTHORITY: Final = 10
DAYS: Final = 365

_RESERVED: Final = ("ca", "server")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Authority:
    """The authority whose files are in `folder`: read where they are there, else made. Makes certificates beside them.

    Raises SettingsError where only one of its files is there, they cannot be read, or do not belong together.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: list[Path] = []
        """What was written, in order; what was there already is not among it."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._key, self.certificate = self._read() if self._is_there("ca") else self._begin()

    def server(self, names: Iterable[str] = (), *, days: int = DAYS) -> Path:
        """The bridge's own certificate, for these host names and addresses and those of this machine; where it is kept.

        What is there already stays, whatever its names are.
        """
        if not self._is_there("server"):
            alternative = x509.SubjectAlternativeName(
                [_general_name(name) for name in dict.fromkeys([*LOCAL, *names])]
            )
            usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
            self._issue(
                "server", "soapbridge", ec.generate_private_key(ec.SECP256R1()), days, alternative, usage
            )
        return self.folder / "server.pem"

    def client(self, name: str, *, days: int = DAYS) -> Path:
        """The certificate of a client, whose common name is `name`; where it is kept. What is there already stays."""
        if not _NAME.fullmatch(name) or name in _RESERVED:
            raise SettingsError(
                f"A client cannot be called {name!r}: its files are named for it.",
                advice="Take letters, digits, dots, dashes and underscores, not ca or server; best the name of `[callers.NAME]`.",
            )
        if not self._is_there(name):
            usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
            key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
            self._issue(name, name, key, days, usage)
        return self.folder / f"{name}.pem"

    def _begin(self) -> tuple[PrivateKey, x509.Certificate]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _subject("development authority")
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        certificate = (
            _builder(subject, subject, key, 365 * YEARS_OF_AUTHORITY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(authority=True), critical=True)
            .add_extension(identifier, critical=False)
            .sign(key, hashes.SHA256())
        )
        self._write("ca", key, certificate)
        return key, certificate

    def _read(self) -> tuple[PrivateKey, x509.Certificate]:
        try:
            key = serialization.load_pem_private_key((self.folder / "ca.key").read_bytes(), password=None)
            certificate = x509.load_pem_x509_certificate((self.folder / "ca.pem").read_bytes())
        except (OSError, ValueError, TypeError) as error:
            raise SettingsError(
                f"The authority in {self.folder} cannot be read: {error}.",
                advice="Name another folder (--folder), or mend ca.pem and ca.key.",
            ) from None
        if (
            not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
            or key.public_key() != certificate.public_key()
        ):
            raise SettingsError(
                f"ca.key in {self.folder} is not the key of ca.pem.",
                advice="Name another folder (--folder); an authority is its two files together.",
            )
        return key, certificate

    def _is_there(self, name: str) -> bool:
        files = [self.folder / f"{name}.pem", self.folder / f"{name}.key"]
        there = [file for file in files if file.exists()]
        if len(there) == 1:
            raise SettingsError(
                f"{there[0]} is there, and the other half of it is not.",
                advice="Move it away; nothing is written over.",
            )
        return bool(there)

    def _issue(
        self, file: str, name: str, key: PrivateKey, days: int, *extensions: x509.ExtensionType
    ) -> None:
        issuer_key: Any = self._key.public_key()
        builder = (
            _builder(_subject(name), self.certificate.subject, key, days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(authority=False), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        self._write(file, key, builder.sign(self._key, hashes.SHA256()))

    def _write(self, name: str, key: PrivateKey, certificate: x509.Certificate) -> None:
        text = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        for ending, content in (("key", text), ("pem", certificate.public_bytes(serialization.Encoding.PEM))):
            file = self.folder / f"{name}.{ending}"
            # With its rights from the first byte, and only where nothing is: another process may be at it too.
            file.touch(mode=0o600, exist_ok=False)
            file.write_bytes(content)
            self.made.append(file)


def _builder(subject: x509.Name, issuer: x509.Name, key: PrivateKey, days: int) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # clocks of two machines differ
        .not_valid_after(now + timedelta(days=days))
    )


def _subject(name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name.encode("idna").decode())
    except UnicodeError:
        raise SettingsError(
            f"{name!r} is neither a host name nor an address.",
            advice="Write it as clients write it in the URL.",
        ) from None
