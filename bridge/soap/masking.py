"""Envelopes without credentials, as the journal keeps them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection

from lxml import etree

from bridge.soap.envelope import NAMESPACES
from bridge.soap.xml import read_own

MASK = "***"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"

_SECURITY, _USERNAME_TOKEN, _PASSWORD, _BINARY_TOKEN = (
    f"{{{WSSE}}}{name}" for name in ("Security", "UsernameToken", "Password", "BinarySecurityToken")
)
_WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
_OPEN = frozenset(
    {
        "{http://www.w3.org/2000/09/xmldsig#}Signature",
        f"{{{_WSU}}}Timestamp",
        f"{{{_WSU}}}Created",
        f"{{{WSSE}}}Username",
    }
)
"""What a Security header holds that lets nobody in. Signatures have to stay: what was signed cannot be denied later."""
_HEADERS = tuple(f"{{{namespace}}}Header" for namespace in NAMESPACES.values())
_WORDS = (b"Security", b"UsernameToken", b"Password")
"""One of which stands wherever there is something to hide; in BinarySecurityToken too."""


def is_secret(name: str, secret: Collection[str]) -> bool:
    """Whether a header block (Clark name) holds credentials: `Security` of any draft of WS-Security, and those of these local or Clark
    names."""
    local = name.rpartition("}")[2]
    return name in secret or local in secret or (local == "Security" and ("wss" in name or "secext" in name))


def masked(envelope: bytes, secret: Collection[str] = (), *, ours: bool = False) -> bytes:
    """The envelope with the content of its secret header blocks replaced; else the very bytes.

    `wsse:Security` is always one; `secret` are local or Clark names of others. `ours` is what we wrote, which can be
    read whatever its size. What cannot be read came from the partner and is kept as it is: our secrets are in what we
    wrote.
    """
    if not secret and b"Security" not in envelope:
        return envelope
    try:
        root = read_own(envelope) if ours else etree.fromstring(envelope, outside_parser())
    except etree.XMLSyntaxError:
        return envelope
    return _bytes(root) if _mask(root, secret) else envelope


def masked_request(body: bytes, source: bytes, secret: Collection[str] = ()) -> bytes:
    """A request that came in, fit to be kept: without passwords, bearer tokens and the header blocks `secret`, wherever tokens stand.

    Signatures, timestamps, certificates and names of users stay: they tell who sent it, and the signature can be verified again.

    Args:
        body: as it came, after content coding.
        source: the same in UTF-8, found well-formed and within limits; empty where it was not.

    A request that cannot be read is cut before the first word that tells of credentials: what follows may be a password.
    """
    if not source:
        return _cut(body, secret)
    if not secret and not any(word in source for word in _WORDS):
        return body
    root, rest = _read(*_apart(source, secret), source)
    hidden = [block for block in _blocks(root, secret) if block.tag != _SECURITY or _named(block, secret)]
    for holder in root.iter(_SECURITY, _USERNAME_TOKEN):
        hidden += (child for child in holder.iterchildren("*") if _is_credential(child))
    hidden += root.iter(_PASSWORD)
    hidden += (token for token in root.iter(_BINARY_TOKEN) if not _is_certificate(token))
    if not hidden:
        return body
    for element in hidden:
        _empty(element)
    written = _bytes(root)
    return written[: written.rindex(b"</")] + rest if rest else written


_UP_TO_HEADER = re.compile(
    rb"(?:<\?xml[^<>]*\?>)?\s*(<((?:[^\s<>/:]+:)?)Envelope(?:\s[^<>]*)?>\s*)<\2Header[\s>]"
)
"""The Envelope's start tag, its prefix, and the first of the Header's. A value of an attribute has no `<`; one with a `>` is not
matched."""


def _apart(source: bytes, secret: Collection[str]) -> tuple[bytes, bytes]:
    """A document of the envelope's beginning up to the end of its Header, and the rest of `source`, in which there is nothing to hide:
    an order of two hundred lines is not read again for the sake of one password. All of it and nothing where that is not plain to see.
    """
    begin = _UP_TO_HEADER.match(source)
    if begin is None:
        return source, b""
    prefix = begin[2]
    closing = b"</%bHeader>" % prefix
    end = source.find(closing, begin.end())
    inside, rest = source[begin.start(1) : end], source[end + len(closing) :]
    # In comments and CDATA a tag is none; and where a Header is within the Header, the first end tag is the wrong one.
    if end < 0 or b"<!" in inside or b"<?" in inside or inside.count(b"<%bHeader" % prefix) > 1:
        return source, b""
    if any(word in rest for word in (*_WORDS, *(name.rpartition("}")[2].encode() for name in secret))):
        return source, b""
    return b"%b%b</%bEnvelope>" % (inside, closing, prefix), rest


def _read(head: bytes, rest: bytes, source: bytes) -> tuple[etree._Element, bytes]:
    """The tree of what `_apart` set aside; of the whole where that is no document of its own after all."""
    if rest:
        with contextlib.suppress(etree.XMLSyntaxError):
            return read_own(head), rest
    return read_own(source), b""


def _is_credential(child: etree._Element) -> bool:
    """Of what a Security header or a UsernameToken holds: everything but what is known to be none."""
    if child.tag == _USERNAME_TOKEN:
        return False  # it is looked into
    return not (child.tag in _OPEN or (child.tag == _BINARY_TOKEN and _is_certificate(child)))


def _is_certificate(token: etree._Element) -> bool:
    """X.509, single or as a path; other tokens (Kerberos) let in whoever has them."""
    return "x509" in token.get("ValueType", "").lower()


def _cut(body: bytes, secret: Collection[str]) -> bytes:
    """Of UTF-16 and UTF-32 every byte of the words is there, with zeros between."""
    names = b"|".join([*_WORDS, *(re.escape(name.rpartition("}")[2].encode()) for name in secret)])
    if re.search(names, body.replace(b"\0", b"")) is None:
        return body
    found = re.search(names, body)
    return (body[: found.start()] if found is not None else b"") + MASK.encode()


def _mask(root: etree._Element, secret: Collection[str]) -> bool:
    hidden = _blocks(root, secret)
    for block in hidden:
        _empty(block)
    return bool(hidden)


def _blocks(root: etree._Element, secret: Collection[str]) -> list[etree._Element]:
    return [
        block
        for header in root.iterchildren(*_HEADERS)
        for block in header.iterchildren("*")
        if is_secret(str(block.tag), secret)
    ]


def _named(block: etree._Element, secret: Collection[str]) -> bool:
    return str(block.tag) in secret or str(block.tag).rpartition("}")[2] in secret


def _empty(element: etree._Element) -> None:
    tail = element.tail
    element.clear()
    element.text, element.tail = MASK, tail


def _bytes(root: etree._Element) -> bytes:
    return etree.tostring(root, encoding="utf-8", xml_declaration=True)


def outside_parser() -> etree.XMLParser:
    """With libxml2's limits: for what came from outside."""
    return etree.XMLParser(resolve_entities=False, no_network=True)
