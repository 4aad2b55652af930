"""The Security header addressed to us: which tokens stand in it, one of a kind.

WSS SOAP Message Security 1.1, sections 5 and 6. A header block for another actor is none of our business.
"""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from bridge.soap.envelope import NAMESPACES, Envelope
from bridge.soap.media import Version
from bridge.soap.refusals import refuse
from bridge.soap.security import DS, SECURITY, WSSE
from bridge.soap.security.leaf import only
from bridge.soap.security.timestamp import TIMESTAMP
from bridge.soap.security.username import USERNAME_TOKEN
from bridge.soap.text import local_name, namespace

SIGNATURE = f"{{{DS}}}Signature"
BINARY_TOKEN = f"{{{WSSE}}}BinarySecurityToken"
_WSSE11 = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"
_CONFIRMATION = f"{{{_WSSE11}}}SignatureConfirmation"
_ENCRYPTION = "http://www.w3.org/2001/04/xmlenc#"
_SAML = ("urn:oasis:names:tc:SAML:1.0:assertion", "urn:oasis:names:tc:SAML:2.0:assertion")
_KNOWN = frozenset({USERNAME_TOKEN, TIMESTAMP, SIGNATURE, BINARY_TOKEN})


@dataclass(frozen=True, slots=True, eq=False)
class SecurityHeader:
    """The tokens of one Security header, as they stand in the tree."""

    block: etree._Element
    username_token: etree._Element | None
    timestamp: etree._Element | None
    signature: etree._Element | None


def find(envelope: Envelope, *, reply: bool = False) -> SecurityHeader | None:
    """The Security header that is addressed to us; None where there is none.

    A `reply` may confirm the signature of its request (section 8.5), which binds nothing that the connection does not bind.

    Raises:
        Refusal: there are two, one of a kind comes twice, or there is what we do not read: encryption, SAML, others.
    """
    blocks = [block for block in envelope.headers if block.tag == SECURITY and envelope.addresses_us(block)]
    if not blocks:
        return None
    if len(blocks) > 1:
        raise refuse("security_twice")
    block = blocks[0]
    for child in block.iterchildren("*"):
        ns = namespace(str(child.tag))
        if ns == _ENCRYPTION:
            raise refuse("security_encrypted", found=local_name(str(child.tag)))
        if ns in _SAML:
            raise refuse("security_saml")
    found = only(block, _KNOWN | {_CONFIRMATION} if reply else _KNOWN)
    return SecurityHeader(block, found.get(USERNAME_TOKEN), found.get(TIMESTAMP), found.get(SIGNATURE))


def write(*tokens: str, version: Version) -> str:
    """A Security header that must be understood, with these tokens in it; XML text."""
    return (
        f'<wsse:Security xmlns:wsse="{WSSE}" xmlns:s="{NAMESPACES[version]}" s:mustUnderstand="1">'
        f"{''.join(tokens)}</wsse:Security>"
    )
