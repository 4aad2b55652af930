"""Certificates for tests, self-signed, made when they are needed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


class Pair(NamedTuple):
    """Files in PEM: a certificate, and the key that belongs to it."""

    certificate: Path
    key: Path


def self_signed(folder: Path, name: str, *, elliptic: bool = True, days: int = 30) -> Pair:
    """`NAME.pem` and `NAME.key` in `folder`; an elliptic key is made a hundred times faster."""
    key = ec.generate_private_key(ec.SECP256R1()) if elliptic else rsa.generate_private_key(65537, 2048)
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    pair.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    # PKCS#8's older form for RSA, which every client reads.
    form = PrivateFormat.PKCS8 if elliptic else PrivateFormat.TraditionalOpenSSL
    pair.key.write_bytes(key.private_bytes(Encoding.PEM, form, NoEncryption()))
    return pair
