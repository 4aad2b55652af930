"""UsernameToken: a name with its password, in clear or as a digest of it. UsernameToken Profile 1.1.

The digest is Base64(SHA-1(nonce + created + password)): the octets of the nonce, Created exactly as it was sent, the password in
UTF-8. It needs the clear password on both sides, and SHA-1 is what the profile knows; it keeps a password from being read, and a
message from being sent twice, and protects nothing else of the message.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass

from lxml import etree

from bridge.soap.refusals import refuse
from bridge.soap.security import WSSE, WSU
from bridge.soap.security.leaf import leaf, octets, only
from bridge.soap.security.timestamp import CREATED, read_moment, written
from bridge.soap.text import escape, local_name

USERNAME_TOKEN = f"{{{WSSE}}}UsernameToken"
_USERNAME = f"{{{WSSE}}}Username"
_PASSWORD = f"{{{WSSE}}}Password"
_NONCE = f"{{{WSSE}}}Nonce"
_PROFILE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0"
_MESSAGE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0"
TEXT = f"{_PROFILE}#PasswordText"
DIGEST = f"{_PROFILE}#PasswordDigest"
BASE64 = f"{_MESSAGE}#Base64Binary"

SHORTEST_NONCE = 8
LONGEST_NONCE = 256
"""Octets. The profile asks for 16 random ones."""


@dataclass(frozen=True, slots=True)
class UsernameToken:
    """What a token says; nothing of it has been checked but its form.

    `password` is None where it is a digest, `digest` where it is in clear. `created` is the moment, in seconds since 1970, and
    `created_text` its very text.
    """

    name: str
    password: str | None
    digest: bytes | None
    nonce: bytes | None
    created: float | None
    created_text: str

    def __repr__(self) -> str:
        return (
            f"<UsernameToken of {self.name}>"  # the others are secrets, and errors show what they are about
        )

    def is_made_with(self, password: str) -> bool:
        """Whether it is a digest of this password. Takes as long for a wrong one."""
        assert self.digest is not None
        assert self.nonce is not None
        return hmac.compare_digest(digest(self.nonce, self.created_text, password), self.digest)


def read(element: etree._Element) -> UsernameToken:
    """The token that stands there. Raises Refusal: something is missing, twice, or of a kind that is not taken."""
    found = only(element, {_USERNAME, _PASSWORD, _NONCE, CREATED})
    for wanted in (_USERNAME, _PASSWORD):
        if wanted not in found:
            raise refuse("security_lacks", found="UsernameToken", wanted=local_name(wanted))
    name = leaf(found[_USERNAME])
    kind = found[_PASSWORD].get("Type", TEXT)
    if not name or kind not in (TEXT, DIGEST):
        raise refuse("security_value", found="Password" if name else "Username")
    nonce = _read_nonce(found[_NONCE]) if _NONCE in found else None
    created = read_moment(found[CREATED]) if CREATED in found else None
    created_text = found[CREATED].text or "" if CREATED in found else ""
    if kind == TEXT:
        password = leaf(found[_PASSWORD], strip=False)
        return UsernameToken(name, password, None, nonce, created, created_text)
    if nonce is None or created is None:
        raise refuse("security_lacks", found="UsernameToken", wanted="Nonce" if nonce is None else "Created")
    return UsernameToken(name, None, octets(found[_PASSWORD]), nonce, created, created_text)


def _read_nonce(element: etree._Element) -> bytes:
    if element.get("EncodingType", BASE64) != BASE64:
        raise refuse("security_value", found="Nonce")
    nonce = octets(element)
    if not SHORTEST_NONCE <= len(nonce) <= LONGEST_NONCE:
        raise refuse("nonce_length", least=SHORTEST_NONCE, most=LONGEST_NONCE)
    return nonce


def digest(nonce: bytes, created: str, password: str) -> bytes:
    """The profile's digest, before base64."""
    return hashlib.sha1(nonce + created.encode() + password.encode(), usedforsecurity=False).digest()


def write(name: str, password: str, *, as_digest: bool, nonce: bytes, now: float) -> str:
    """A token as XML text. `nonce` is random, and used for this one message."""
    created = written(now)
    if as_digest:
        kind, content = DIGEST, base64.b64encode(digest(nonce, created, password)).decode("ascii")
    else:
        kind, content = TEXT, escape(password)
    return (
        f'<wsse:UsernameToken xmlns:wsse="{WSSE}"><wsse:Username>{escape(name)}</wsse:Username>'
        f'<wsse:Password Type="{kind}">{content}</wsse:Password>'
        f'<wsse:Nonce EncodingType="{BASE64}">{base64.b64encode(nonce).decode("ascii")}</wsse:Nonce>'
        f'<wsu:Created xmlns:wsu="{WSU}">{created}</wsu:Created></wsse:UsernameToken>'
    )
