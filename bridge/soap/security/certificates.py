"""Certificates that signatures are checked with, found by the ways in which a message may name one.

Trust is by the certificate itself, not by who issued it: whoever may sign has theirs written down here. A message only ever
*chooses* among them, so a lenient look-up is no danger: the signature has to fit the key of what was found.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from bridge.errors import SettingsError
from bridge.soap.security.algorithms import PublicKey

LEAST_RSA_BITS = 2048
_LONGEST_NAME = 4096
_CURVES = ("secp256r1", "secp384r1", "secp521r1")


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """One certificate; times in seconds since the epoch."""

    der: bytes
    public_key: PublicKey
    subject: str
    not_before: float
    not_after: float
    serial: int
    issuer_name: str
    issuer: tuple[str, ...]
    """`name_values` of its issuer's name."""
    key_identifier: bytes
    """What it says its key is called; where it says nothing, SHA-1 of the key."""
    computed_identifier: bytes
    """SHA-1 of the key, by which some call it whatever the certificate says."""

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Self:
        """Raises SettingsError for a key that no signature should be trusted with."""
        subject = certificate.subject.rfc4514_string()
        key = certificate.public_key()
        if isinstance(key, rsa.RSAPublicKey):
            if key.key_size < LEAST_RSA_BITS:
                raise SettingsError(
                    f"The certificate `{subject}` has an RSA key of {key.key_size} bits.",
                    advice=f"Ask for one with {LEAST_RSA_BITS} or more.",
                )
        elif not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in _CURVES:
            raise SettingsError(
                f"The key of the certificate `{subject}` is of a kind that signatures are not checked with here.",
                advice="Ask for one with an RSA key, or an elliptic one on P-256, P-384 or P-521.",
            )
        computed = x509.SubjectKeyIdentifier.from_public_key(key).digest
        try:
            named = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        except (x509.ExtensionNotFound, ValueError):  # none, or extensions that cannot be read
            named = computed
        issuer = certificate.issuer.rfc4514_string()
        return cls(
            certificate.public_bytes(Encoding.DER),
            key,
            subject,
            certificate.not_valid_before_utc.timestamp(),
            certificate.not_valid_after_utc.timestamp(),
            certificate.serial_number,
            issuer,
            name_values(issuer),
            named,
            computed,
        )

    @property
    def thumbprint(self) -> bytes:
        """SHA-1 of it: a name in messages, no proof of anything."""
        return hashlib.sha1(self.der, usedforsecurity=False).digest()


class Trusted:
    """The certificates that a signature may have been made with; several of one signer while one replaces another."""

    def __init__(self, certificates: Iterable[Certificate]) -> None:
        self.by_der = {one.der: one for one in certificates}
        self.by_thumbprint = {one.thumbprint: one for one in self.by_der.values()}

    @classmethod
    def of(cls, pems: Iterable[bytes]) -> Self:
        """Those in texts that hold one PEM certificate or several.

        Raises:
            SettingsError: a text holds none, or one with a key that is too weak.
        """
        return cls(one for pem in pems for one in read_certificates(pem))

    def by_serial(self, issuer: str, serial: int) -> list[Certificate]:
        """Those with this serial number and issuer."""
        if len(issuer) > _LONGEST_NAME:
            return []
        values = name_values(issuer)
        return [one for one in self.by_der.values() if one.serial == serial and one.issuer == values]

    def by_key_identifier(self, identifier: bytes) -> list[Certificate]:
        """Those whose key is called so: several where a certificate was renewed for the same key."""
        return [
            one for one in self.by_der.values() if identifier in (one.key_identifier, one.computed_identifier)
        ]


def read_certificates(pem: bytes) -> list[Certificate]:
    """Raises SettingsError where there is none, or one with a key that is too weak."""
    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise SettingsError(
            "There is no certificate in PEM form.",
            advice="PEM is text that begins with `-----BEGIN CERTIFICATE-----`; "
            "`openssl x509 -inform DER -in FILE` makes it of DER.",
        ) from None
    return [Certificate.of(one) for one in found]


_PARTS = re.compile(r'(?:[^,;+"\\]|\\.|"(?:[^"\\]|\\.)*")+', re.DOTALL)
_ESCAPED = re.compile(rb"\\([0-9A-Fa-f]{2})|\\(.)", re.DOTALL)


def name_values(name: str) -> tuple[str, ...]:
    """The values in a distinguished name as text (RFC 4514 and its many variants), sorted.

    Types and order are left out of the comparison: `S=` is `ST=`, `E=` is `1.2.840.113549.1.9.1=`, some write the root last.
    """
    return tuple(sorted(_value(part.partition("=")[2]) for part in _PARTS.findall(name) if "=" in part))


def _value(text: str) -> str:
    text = text.strip()
    if text.startswith("#"):  # DER of the value, in hexadecimal: a tag, a length, characters
        try:
            der = bytes.fromhex(text[1:])
        except ValueError:
            der = b""
        if len(der) >= 2 and der[1] == len(der) - 2:
            text = der[2:].decode("utf-8", "replace")
    elif len(text) >= 2 and text[0] == text[-1] == '"':
        text = text[1:-1]
    octets = _ESCAPED.sub(
        lambda found: bytes.fromhex(found[1].decode()) if found[1] else found[2],
        text.encode("utf-8", "replace"),
    )
    return " ".join(octets.decode("utf-8", "replace").split()).casefold()


def path_end(der: bytes) -> bytes | None:
    """The last certificate of a PkiPath (X.509 Certificate Token Profile 1.1, section 3.2): the one whose key signs. None
    where the octets are no such path."""
    content = _contents(der, 0)
    if content is None or content[1] != len(der):
        return None
    at, end = content
    last = None
    while at < end:
        inner = _contents(der, at)
        if inner is None or inner[1] > end:
            return None
        last = der[at : inner[1]]
        at = inner[1]
    return last


def _contents(der: bytes, at: int) -> tuple[int, int] | None:
    """(begin, end) of what is in the SEQUENCE at `at`; None where there is no whole one."""
    if len(der) < at + 2 or der[at] != 0x30:
        return None
    length, begin = der[at + 1], at + 2
    if length >= 0x80:
        size = length & 0x7F
        if not 1 <= size <= 4 or len(der) < begin + size:
            return None
        length = int.from_bytes(der[begin : begin + size])
        begin += size
    return (begin, begin + length) if begin + length <= len(der) else None
