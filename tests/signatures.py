"""Keys, certificates and envelopes for tests of signatures; keys are made once for each process, RSA's take a while."""

from __future__ import annotations

import datetime
from functools import cache
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from lxml import etree

from bridge.soap.envelope import NAMESPACES
from bridge.soap.media import Version
from bridge.soap.security import DS, SECURITY, WSSE, WSU
from bridge.soap.security.certificates import Trusted
from bridge.soap.security.signature import Signed, verify
from bridge.soap.security.signing import BODY, TIMESTAMP, NamedBy, Signer, sign
from bridge.soap.xml import parse

NOW = 1_790_000_000.0
PAYLOAD = '<o:order xmlns:o="urn:orders"><o:item>bearing</o:item><o:count>20</o:count></o:order>'
ADDRESSING = "http://www.w3.org/2005/08/addressing"
MESSAGE_ID = f"{{{ADDRESSING}}}MessageID"
HEADERS = f'<a:MessageID xmlns:a="{ADDRESSING}">urn:uuid:1</a:MessageID>'


class Identity(NamedTuple):
    """A key and its certificate, both in PEM."""

    key: bytes
    certificate: bytes

    @property
    def trusted(self) -> Trusted:
        return Trusted.of([self.certificate])

    def signer(self, named_by: NamedBy = "token") -> Signer:
        return _signer(self, named_by)


@cache
def _signer(who: Identity, named_by: NamedBy) -> Signer:
    """Made once: reading a private key takes long, for it is checked."""
    return Signer.of(who.key, who.certificate, named_by=named_by)


@cache
def identity(
    name: str = "Alice", kind: str = "rsa", bits: int = 2048, begins: float = NOW - 86_400
) -> Identity:
    """The same for the same arguments. The certificate is good for thirty days."""
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    if kind == "rsa":
        key = rsa.generate_private_key(65537, bits)
    else:
        key = ec.generate_private_key({256: ec.SECP256R1, 384: ec.SECP384R1, 521: ec.SECP521R1}[bits]())
    return Identity(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), certificate(key, name, begins)
    )


def certificate(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, name: str, begins: float, *, identifier: bool = True
) -> bytes:
    """A certificate of its own making, in PEM; `identifier` whether it says what its key is called."""
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
            x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, "Bayern"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, 'Müller, "Söhne" + Co'),
            x509.NameAttribute(NameOID.EMAIL_ADDRESS, "it@example.com"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    start = datetime.datetime.fromtimestamp(begins, datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=30))
    )
    if identifier:
        named = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = builder.add_extension(named, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def envelope(
    payload: str = PAYLOAD,
    headers: str = "",
    version: Version = "1.1",
    around: str = "",
    timestamp: bool = True,
) -> bytes:
    """An envelope with a Security header; `around` are further attributes of the Envelope."""
    created = "<u:Created>2026-09-21T13:33:20Z</u:Created><u:Expires>2026-09-21T13:38:20Z</u:Expires>"
    inside = f'<u:Timestamp xmlns:u="{WSU}">{created}</u:Timestamp>' if timestamp else ""
    return (
        f'<s:Envelope xmlns:s="{NAMESPACES[version]}" {around}><s:Header>{headers}'
        f'<w:Security xmlns:w="{WSSE}" s:mustUnderstand="1">{inside}</w:Security></s:Header>'
        f"<s:Body>{payload}</s:Body></s:Envelope>"
    ).encode()


def signed(
    source: bytes | None = None,
    parts: tuple[str, ...] = (BODY, TIMESTAMP),
    named_by: NamedBy = "token",
    who: Identity | None = None,
) -> etree._Element:
    """The root of a signed envelope, as the receiver has it."""
    return parse(sign(source or envelope(), (who or identity()).signer(named_by), parts))[0]


def signature_of(root: etree._Element) -> etree._Element:
    """The only Signature in its Security header."""
    (found,) = root.findall(f"{{*}}Header/{SECURITY}/{{{DS}}}Signature")
    return found


def verified(root: etree._Element, trusted: Trusted | None = None, now: float = NOW) -> Signed:
    """What `verify` says of that signature."""
    return verify(signature_of(root), trusted or identity().trusted, now)


def body_of(root: etree._Element) -> etree._Element:
    """The Body that a reader of the message would take."""
    return root[-1]
