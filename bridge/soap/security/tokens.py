"""Which certificate a KeyInfo speaks of (X.509 Certificate Token Profile 1.1, section 3.2; SOAP Message Security 1.1, section 7).

Understood: a BinarySecurityToken that is referred to (X509v3, X509PKIPathv1), issuer and serial number, SubjectKeyIdentifier,
SHA-1 thumbprint, and the certificate itself. A KeyValue or KeyName is passed over: anybody can write one.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterator

from lxml import etree

from bridge.errors import Refusal
from bridge.soap.refusals import refuse
from bridge.soap.security import DS, WSSE
from bridge.soap.security.certificates import Certificate, Trusted, path_end
from bridge.soap.text import local_name

_X509_PROFILE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#"
X509V3 = f"{_X509_PROFILE}X509v3"
PKI_PATH = f"{_X509_PROFILE}X509PKIPathv1"
KEY_IDENTIFIER = f"{_X509_PROFILE}X509SubjectKeyIdentifier"
THUMBPRINT = "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#ThumbprintSHA1"
BASE64 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"

BINARY_TOKEN = f"{{{WSSE}}}BinarySecurityToken"
TOKEN_REFERENCE = f"{{{WSSE}}}SecurityTokenReference"
_IGNORED = frozenset({f"{{{DS}}}KeyValue", f"{{{DS}}}KeyName"})
_X509_DATA = f"{{{DS}}}X509Data"
_ISSUER_SERIAL = [f"{{{DS}}}X509IssuerName", f"{{{DS}}}X509SerialNumber"]
_MOST_HINTS = 10  # a chain of certificates is three or four long

Find = Callable[[str], etree._Element]
"""The element that `#id` means. Raises Refusal."""


def named_certificates(key_info: etree._Element, trusted: Trusted, find: Find) -> list[Certificate]:
    """The trusted certificates that a KeyInfo names, empty where what it names is not trusted.

    Raises:
        Refusal: it names none in a way that is understood.
    """
    tokens = [child for child in key_info if child.tag not in _IGNORED]
    if len(tokens) != 1:
        raise malformed(f"KeyInfo has {len(tokens)} references to a token")
    token = tokens[0]
    if token.tag == TOKEN_REFERENCE and len(token) != 1:
        raise malformed(f"SecurityTokenReference has {len(token)} children")
    found: list[Certificate] = []
    for hint in token if token.tag == TOKEN_REFERENCE else (token,):
        found += _by_x509_data(hint, trusted) if hint.tag == _X509_DATA else _by_hint(hint, trusted, find)
    return list(dict.fromkeys(found))


def _by_hint(hint: etree._Element, trusted: Trusted, find: Find) -> Iterator[Certificate]:
    kind = hint.get("ValueType", X509V3)
    if hint.tag == f"{{{WSSE}}}Reference":
        yield from _by_der(certificate_of(find(hint.get("URI", ""))), trusted)
    elif hint.tag != f"{{{WSSE}}}KeyIdentifier":
        raise unsupported_token(local_name(str(hint.tag)))
    elif kind == KEY_IDENTIFIER:
        yield from trusted.by_key_identifier(octets(hint))
    elif kind == THUMBPRINT:
        found = trusted.by_thumbprint.get(octets(hint))
        if found is not None:
            yield found
    elif kind == X509V3:
        yield from _by_der(octets(hint), trusted)
    else:
        raise unsupported_token(kind)


def _by_x509_data(data: etree._Element, trusted: Trusted) -> Iterator[Certificate]:
    hints = list(data)
    if not 1 <= len(hints) <= _MOST_HINTS:
        raise malformed(f"X509Data has {len(hints)} children")
    for hint in hints:
        if hint.tag == f"{{{DS}}}X509Certificate":
            yield from _by_der(octets(hint), trusted)
        elif hint.tag == f"{{{DS}}}X509SKI":
            yield from trusted.by_key_identifier(octets(hint))
        elif hint.tag == f"{{{DS}}}X509IssuerSerial":
            if [child.tag for child in hint] != _ISSUER_SERIAL:
                raise malformed("X509IssuerSerial does not consist of X509IssuerName and X509SerialNumber")
            issuer, serial = map(text, hint)
            if not (serial.isascii() and serial.isdigit() and len(serial) <= 50):
                raise malformed("X509SerialNumber is no number")
            yield from trusted.by_serial(issuer, int(serial))


def _by_der(der: bytes | None, trusted: Trusted) -> Iterator[Certificate]:
    found = trusted.by_der.get(der) if der is not None else None
    if found is not None:
        yield found


def certificate_of(token: etree._Element) -> bytes | None:
    """DER of the certificate in a BinarySecurityToken; None where it holds no whole one.

    Raises:
        Refusal: it is another kind of token.
    """
    if token.tag != BINARY_TOKEN:
        raise unsupported_token(local_name(str(token.tag)))
    kind, encoding = token.get("ValueType", ""), token.get("EncodingType", BASE64)
    if kind not in (X509V3, PKI_PATH):
        raise unsupported_token(kind or "BinarySecurityToken without ValueType")
    if encoding != BASE64:
        raise unsupported_token(encoding)
    return path_end(octets(token)) if kind == PKI_PATH else octets(token)


# What elements of a signature hold. A comment among them has another tag than any element, and so has no place anywhere.


def text(element: etree._Element) -> str:
    """Its text, without white space around. Raises Refusal where something else is in it."""
    if len(element):
        raise malformed(f"{local_name(str(element.tag))} holds more than text")
    return (element.text or "").strip()


def octets(element: etree._Element) -> bytes:
    """What its base64 stands for. Raises Refusal."""
    return from_base64(text(element), local_name(str(element.tag)))


def from_base64(written: str, name: str) -> bytes:
    """What base64 stands for. Raises Refusal, that of an element of this name."""
    try:
        return binascii.a2b_base64(written, strict_mode=True)
    except ValueError:
        pass  # in lines, mostly
    try:
        return binascii.a2b_base64("".join(written.split()), strict_mode=True)
    except ValueError:
        raise malformed(f"{name} is no base64") from None


def malformed(problem: str) -> Refusal:
    """The refusal of a signature that is not built by the rules."""
    return refuse("signature_form", problem=problem, subcodes=(f"{{{WSSE}}}InvalidSecurity",))


def unsupported_token(found: str) -> Refusal:
    """The refusal of a token of another kind."""
    return refuse("token_kind", found=found, subcodes=(f"{{{WSSE}}}UnsupportedSecurityToken",))
