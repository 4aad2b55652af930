"""WS-Security 1.1: what a Security header says, whether it is true, and how to write one.

Pure: trees in, trees and verdicts out. Which secret belongs to a name, whether a nonce was used before and what the time is, the
caller tells. Specification: OASIS Web Services Security: SOAP Message Security 1.1, UsernameToken Profile 1.1, X.509 Certificate
Token Profile 1.1; W3C XML Signature, second edition.
"""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
DS = "http://www.w3.org/2000/09/xmldsig#"
SECURITY = f"{{{WSSE}}}Security"


@dataclass(frozen=True, slots=True, eq=False)
class Verified:
    """What a Security header proved. `username` came with the right password or digest, `certificate` (DER) is whose key signed,
    `signed` are the very elements of the message that the signature covers, `fresh` whether a Timestamp was there and holds."""

    username: str | None = None
    certificate: bytes | None = None
    signed: tuple[etree._Element, ...] = ()
    fresh: bool = False
