"""Signing an envelope: what is to be signed gets an Id, its digest goes into a Signature, and that into the Security header.

Everything is written in the form that other implementations read: exclusive canonical XML, SHA-256, one reference for each part,
the certificate named in one of five ways.
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Self

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from lxml import etree

from bridge.errors import EncodeError, SettingsError
from bridge.soap.envelope import NAMESPACES, open_envelope
from bridge.soap.security import DS, SECURITY, WSSE, WSU
from bridge.soap.security.algorithms import DIGESTS, SIGNATURES, PrivateKey, SignatureMethod
from bridge.soap.security.canonical import EXCLUSIVE, Canonical, type_prefixes
from bridge.soap.security.certificates import Certificate, read_certificates
from bridge.soap.security.tokens import BASE64, BINARY_TOKEN, KEY_IDENTIFIER, THUMBPRINT, X509V3
from bridge.soap.text import attribute, escape
from bridge.soap.xml import read_own

NamedBy = Literal["token", "issuer_serial", "key_identifier", "thumbprint", "certificate"]
"""How a signature names its certificate: by a BinarySecurityToken in the header, or in its KeyInfo in one of four ways."""

BODY, TIMESTAMP, TOKEN = "Body", "Timestamp", "BinarySecurityToken"
_SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
_RSA = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
_ECDSA = {
    "secp256r1": "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
    "secp384r1": "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
    "secp521r1": "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512",
}
_ID = f"{{{WSU}}}Id"
_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'

etree.register_namespace("wsu", WSU)  # the prefix of the Ids that are given to parts


@dataclass(frozen=True, slots=True, eq=False)
class Signer:
    """A private key, its certificate, and how the two are used."""

    private_key: PrivateKey
    certificate: Certificate
    method: SignatureMethod
    named_by: NamedBy = "token"

    @classmethod
    def of(
        cls,
        private_key: bytes,
        certificate: bytes,
        *,
        password: bytes | None = None,
        named_by: NamedBy = "token",
    ) -> Self:
        """Both in PEM. Beside the certificate there may be those of its issuers.

        Raises:
            SettingsError: one cannot be read, the key is too weak, or the two do not belong together.
        """
        try:
            loaded = load_pem_private_key(private_key, password)
        except (ValueError, TypeError):
            raise SettingsError(
                "The private key cannot be read.",
                advice="It has to be in PEM form, and its password right where it has one.",
            ) from None
        if isinstance(loaded, rsa.RSAPrivateKey):
            method = _RSA
        elif isinstance(loaded, ec.EllipticCurvePrivateKey) and loaded.curve.name in _ECDSA:
            method = _ECDSA[loaded.curve.name]
        else:
            raise SettingsError(
                "The private key is of a kind that is not signed with here.",
                advice="Use an RSA key, or an elliptic one on P-256, P-384 or P-521.",
            )
        public = loaded.public_key()
        for one in read_certificates(certificate):
            if one.public_key == public:
                return cls(loaded, one, SIGNATURES[method], named_by)
        raise SettingsError(
            "The private key and the certificate do not belong together.",
            advice="Give the certificate that was issued for this key.",
        )


def sign(envelope: bytes, signer: Signer, parts: Iterable[str] = (BODY, TIMESTAMP)) -> bytes:
    """The envelope with a signature over `parts` in its Security header; nothing may change these octets afterwards.

    `parts` are `Body`, `Timestamp`, `BinarySecurityToken` (that of the signature), and Clark names of header blocks, of which
    those that are there are signed.

    Raises:
        EncodeError: the envelope has not one Security header, or no Timestamp that was to be signed.
    """
    root = read_own(envelope)
    opened = open_envelope(root, reply=True)
    security = _only(opened.headers, SECURITY, "Security header")
    token = None
    if signer.named_by == "token":
        token = etree.SubElement(security, BINARY_TOKEN, {"ValueType": X509V3, "EncodingType": BASE64})
        token.text = _base64(signer.certificate.der)
        _identified(token)
    wanted = set(parts)
    elements: list[etree._Element] = []
    if TIMESTAMP in wanted:
        elements.append(_only(security, f"{{{WSU}}}Timestamp", "Timestamp"))
    elements += [block for block in opened.headers if block.tag in wanted and block is not security]
    if BODY in wanted:
        elements += root.iterchildren(f"{{{NAMESPACES[opened.version]}}}Body")
    if TOKEN in wanted and token is not None:
        elements.append(token)
    if not elements:
        raise EncodeError("Nothing of the envelope is to be signed.")
    references = "".join([_reference(element) for element in elements])
    security.append(read_own(_signature(signer, references, token).encode()))
    signed_info, value = security[-1][0], security[-1][1]
    value.text = _base64(signer.method.make(signer.private_key, _form(signed_info).octets(signed_info)))
    return _DECLARATION + etree.tostring(root, encoding="utf-8")


def _only(elements: Iterable[etree._Element], tag: str, what: str) -> etree._Element:
    found = [element for element in elements if element.tag == tag]
    if len(found) != 1:
        raise EncodeError(f"An envelope to be signed has one {what}, this one has {len(found)}.")
    return found[0]


def _identified(element: etree._Element) -> str:
    """Its Id, given now where it has none."""
    identifier = element.get(_ID)
    if identifier is None:
        identifier = f"id-{secrets.token_hex(16)}"
        element.set(_ID, identifier)
    return identifier


def _form(element: etree._Element) -> Canonical:
    return Canonical(exclusive=True, comments=False, prefixes=type_prefixes(element))


def _reference(element: etree._Element) -> str:
    identifier, form = _identified(element), _form(element)
    digest = _base64(DIGESTS[_SHA256](form.octets(element)).digest())
    listed = ""
    if form.prefixes:
        listed = (
            f'<c:InclusiveNamespaces xmlns:c="{EXCLUSIVE}" PrefixList={attribute(" ".join(form.prefixes))}/>'
        )
    return (
        f"<ds:Reference URI={attribute('#' + identifier)}><ds:Transforms>"
        f'<ds:Transform Algorithm="{EXCLUSIVE}">{listed}</ds:Transform></ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{_SHA256}"/><ds:DigestValue>{digest}</ds:DigestValue></ds:Reference>'
    )


def _signature(signer: Signer, references: str, token: etree._Element | None) -> str:
    return (
        f'<ds:Signature xmlns:ds="{DS}"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"/>'
        f'<ds:SignatureMethod Algorithm="{signer.method.identifier}"/>{references}</ds:SignedInfo><ds:SignatureValue/>'
        f'<ds:KeyInfo><wsse:SecurityTokenReference xmlns:wsse="{WSSE}">{_named(signer, token)}'
        f"</wsse:SecurityTokenReference></ds:KeyInfo></ds:Signature>"
    )


def _named(signer: Signer, token: etree._Element | None) -> str:
    """The inside of the SecurityTokenReference."""
    certificate = signer.certificate
    if token is not None:
        return f'<wsse:Reference URI={attribute("#" + _identified(token))} ValueType="{X509V3}"/>'
    if signer.named_by == "issuer_serial":
        return (
            f"<ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>{escape(certificate.issuer_name)}</ds:X509IssuerName>"
            f"<ds:X509SerialNumber>{certificate.serial}</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data>"
        )
    if signer.named_by == "certificate":
        return (
            f"<ds:X509Data><ds:X509Certificate>{_base64(certificate.der)}</ds:X509Certificate></ds:X509Data>"
        )
    kind, identifier = (
        (THUMBPRINT, certificate.thumbprint)
        if signer.named_by == "thumbprint"
        else (KEY_IDENTIFIER, certificate.key_identifier)
    )
    return f'<wsse:KeyIdentifier EncodingType="{BASE64}" ValueType="{kind}">{_base64(identifier)}</wsse:KeyIdentifier>'


def _base64(octets: bytes) -> str:
    return b64encode(octets).decode("ascii")
