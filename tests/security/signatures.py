"""Attacks on signatures: wrapped, forged, by somebody else, over too little, asking for more. Every message would store an order if
it were taken, and none may be stored."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from lxml import etree

from bridge.soap.security import DS
from bridge.soap.security.canonical import EXCLUSIVE, FORMS
from bridge.soap.security.signing import BODY, TIMESTAMP, Signer, sign
from bridge.soap.xml import parse
from tests.acceptance.shipped_erp import order
from tests.security.attack import Attack
from tests.security.callers import PARTS, evil_order, secured, stamped
from tests.security.target import Seen, Target, body_of, post
from tests.signatures import ADDRESSING, MESSAGE_ID
from tests.wrapping import ATTACKS, EVIL
from tests.wrapping import Attack as Move

Change = Callable[[str], str]
EVIL_START: Final = EVIL.removesuffix("</o:order>").encode()
MORE: Final = "http://www.w3.org/2001/04/xmldsig-more#"
RSA_SHA256: Final = f"{MORE}rsa-sha256"
SHA256: Final = "http://www.w3.org/2001/04/xmlenc#sha256"


def new_order() -> tuple[str, str]:
    """The id of an order, and the payload that would store it."""
    request_id = f"forged-{uuid.uuid4().hex[:12]}"
    return request_id, body_of(order(request_id))


def _refused(target: Target, message: bytes, *ids: str, who: bytes = b"") -> list[Seen]:
    """What comes back; none of these orders may be there."""
    seen = target.send(post(message, who=who), address=target.new_address())
    stored = [one for one in ids if target.known(one)]
    assert not stored, "an order was stored that nobody signed"
    return [seen]


def _wrapped(move: Move, target: Target) -> list[Seen]:
    """strict's order, which is on its way; of it another is made."""
    (signed_id, signed), (evil_id, evil) = new_order(), new_order()
    root = parse(target.callers.signed(signed))[0]
    move(root)
    message = etree.tostring(root)
    assert (EVIL_START in message) == move.__name__.startswith(("body", "two", "the_whole"))
    return _refused(target, evil_order(message, evil), signed_id, evil_id)


def _as_it_was_signed(target: Target) -> list[Seen]:
    """Shows that what is made of these messages is refused for what was made of it, and that an order that is stored is found."""
    seen = []
    for who in ("strict", "mallory"):
        request_id, payload = new_order()
        message = target.callers.signed(payload, who)
        if who == "mallory":
            message = _sign_again(message.decode(), target.callers.signers[who])
        seen.append(target.send(post(message, who=b""), address=target.new_address()))
        assert target.known(request_id), "the order was not stored"
    return seen


def _sign_again(text: str, signer: Signer) -> bytes:
    """With a right SignatureValue over what SignedInfo says now."""
    root = parse(text.encode())[0]
    info, value = next(root.iter(f"{{{DS}}}Signature"))[:2]
    octets = FORMS[EXCLUSIVE].octets(info)
    value.text = base64.b64encode(signer.method.make(signer.private_key, octets)).decode()
    return etree.tostring(root)


def _changed(change: Change, target: Target, *, who: str = "mallory", again: bool = True) -> list[Seen]:
    """A signed message, changed. `again`: signed anew after that, as somebody with a key of its own can."""
    request_id, payload = new_order()
    text = target.callers.signed(payload, who).decode()
    changed = change(text).replace("URL", target.url)
    assert changed != text
    message = _sign_again(changed, target.callers.signers[who]) if again else changed.encode()
    return _refused(target, message, request_id)


def _over(parts: Iterable[str], target: Target, *, who: str = "strict", age: float = 0.0) -> list[Seen]:
    """A right signature, over these parts, of a message of that age."""
    request_id, payload = new_order()
    message = sign(stamped(payload, age=age), target.callers.signers[who], parts)
    return _refused(target, message, request_id)


def _without_timestamp(target: Target) -> list[Seen]:
    request_id, payload = new_order()
    header = f'<a:MessageID xmlns:a="{ADDRESSING}">urn:uuid:{uuid.uuid4()}</a:MessageID>'
    message = sign(secured(payload, before=header), target.callers.signers["strict"], (BODY, MESSAGE_ID))
    return _refused(target, message, request_id)


def _without_message_id(target: Target) -> list[Seen]:
    """The block that strict's signatures have to cover is not there at all."""
    request_id, payload = new_order()
    root = etree.fromstring(stamped(payload))
    root[0].remove(root[0][0])
    message = sign(etree.tostring(root), target.callers.signers["strict"], (BODY, TIMESTAMP))
    return _refused(target, message, request_id)


def _unsigned(target: Target) -> list[Seen]:
    """strict's API key alone; with a Timestamp that nobody signed."""
    request_id, payload = new_order()
    plain, stamp = secured(payload), stamped(payload)
    who = target.callers.api_key("strict")
    return [seen for one in (plain, stamp) for seen in _refused(target, one, request_id, who=who)]


def _two_persons(target: Target) -> list[Seen]:
    """mallory's API key, strict's signature."""
    request_id, payload = new_order()
    message = target.callers.signed(payload)
    return _refused(target, message, request_id, who=target.callers.api_key("mallory"))


def _anothers_token(target: Target) -> list[Seen]:
    """Signed by mallory; the token says strict."""
    signers = target.callers.signers
    mine, theirs = (base64.b64encode(signers[one].certificate.der).decode() for one in ("mallory", "strict"))
    return _changed(lambda text: text.replace(mine, theirs), target, again=False)


def _swap(old: str, new: str, count: int = 1) -> Change:
    return lambda text: text.replace(old, new, count)


def _first_uri(uri: str) -> Change:
    """The first reference, which is the Timestamp's, means something else."""

    def change(text: str) -> str:
        start = text.index('<ds:Reference URI="') + len('<ds:Reference URI="')
        return text[:start] + uri + text[text.index('"', start) :]

    return change


def _transform(algorithm: str, inside: str = "") -> Change:
    return _swap(
        f'<ds:Transform Algorithm="{EXCLUSIVE}"/>',
        f'<ds:Transform Algorithm="{algorithm}">{inside}</ds:Transform>',
    )


def _key_info(inside: str) -> Change:
    def change(text: str) -> str:
        start, end = text.index("<ds:KeyInfo>"), text.index("</ds:KeyInfo>")
        return text[:start] + "<ds:KeyInfo>" + inside + text[end:]

    return change


def _repeated(start: str, end: str, count: int) -> Change:
    """The first element between these stands there so often."""

    def change(text: str) -> str:
        at = text.index(start)
        stop = text.index(end, at) + len(end)
        return text[:at] + text[at:stop] * count + text[stop:]

    return change


XSLT: Final = (
    '<x:stylesheet xmlns:x="http://www.w3.org/1999/XSL/Transform" version="1.0"><x:template match="/">'
    "<x:value-of select=\"document('URL/x')\"/></x:template></x:stylesheet>"
)
IN_SECURITY: Final = "</wsse:Security>"

BY_AN_INSIDER: Final[dict[str, Change]] = {
    "an XSLT transform that calls an address": _transform(
        "http://www.w3.org/TR/1999/REC-xslt-19991116", XSLT
    ),
    "an XPath transform": _transform(
        "http://www.w3.org/TR/1999/REC-xpath-19991116",
        f'<x:XPath xmlns:x="{DS}">count(//. | //@* | //namespace::*)</x:XPath>',
    ),
    "an XPath filter": _transform("http://www.w3.org/2002/06/xmldsig-filter2"),
    "a base64 transform": _transform(f"{DS}base64"),
    "a reference to an address": _first_uri("URL/x"),
    "a reference to a file": _first_uri("file:///etc/passwd"),
    "a reference to the whole document": _first_uri(""),
    "a reference by XPointer": _first_uri("#xpointer(//*)"),
    "a key to be fetched from an address (RetrievalMethod)": _key_info('<ds:RetrievalMethod URI="URL/key"/>'),
    "a token to be fetched from an address": _swap('<wsse:Reference URI="#', '<wsse:Reference URI="URL/#'),
    "a key in place of a certificate (KeyValue)": _key_info(
        "<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>AQAB</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>"
    ),
    "no KeyInfo": _key_info(""),
    "HMAC with what everybody knows (algorithm confusion)": _swap(RSA_SHA256, f"{DS}hmac-sha1"),
    "RSA with SHA-1": _swap(RSA_SHA256, f"{DS}rsa-sha1"),
    "RSA with MD5": _swap(RSA_SHA256, f"{MORE}rsa-md5"),
    "a digest by SHA-1": _swap(SHA256, f"{DS}sha1"),
    "an algorithm that there is not": _swap(RSA_SHA256, "urn:none"),
    "10,000 references": _repeated("<ds:Reference ", "</ds:Reference>", 10_000),
    "10,000 transforms": _repeated("<ds:Transform ", "/>", 10_000),
    "10,000 hints at a certificate": _repeated(
        "<wsse:SecurityTokenReference", "</wsse:SecurityTokenReference>", 10_000
    ),
    "a SignedInfo of 5 MB": _swap("<ds:SignedInfo>", "<ds:SignedInfo>" + " " * 5_000_000),
    "two signatures": _repeated("<ds:Signature ", "</ds:Signature>", 2),
    "5,000 tokens": _repeated("<wsse:BinarySecurityToken", "</wsse:BinarySecurityToken>", 5_000),
    "two Timestamps": _repeated("<wsu:Timestamp", "</wsu:Timestamp>", 2),
    "two Security headers": _repeated("<wsse:Security ", IN_SECURITY, 2),
    "an Id twice": _swap("<s:Header>", '<s:Header><x xmlns="urn:x" Id="timestamp"/>'),
    "an encrypted key": _swap(
        IN_SECURITY, f'<e:EncryptedKey xmlns:e="http://www.w3.org/2001/04/xmlenc#"/>{IN_SECURITY}'
    ),
    "a SAML assertion": _swap(
        IN_SECURITY, f'<a:Assertion xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion"/>{IN_SECURITY}'
    ),
}
"""Each made by mallory, whose key and certificate are right, and signed anew."""

FROM_OUTSIDE: Final[dict[str, Change]] = {
    "the Body is changed": _swap('unit="H87">10<', 'unit="H87">9999<'),
    "the Timestamp is changed": _swap("<wsu:Created>2", "<wsu:Created>1"),
    "SignedInfo is changed": _first_uri("#other"),
    "no SignatureValue": lambda text: (
        text[: text.index("<ds:SignatureValue>") + 19] + text[text.index("</ds:SignatureValue>") :]
    ),
    "a comment in the SignatureValue": _swap("<ds:SignatureValue>", "<ds:SignatureValue><!-- -->"),
    "a header that sends the answer elsewhere, added after signing": _swap(
        "<s:Header>",
        f'<s:Header><a:ReplyTo xmlns:a="{ADDRESSING}"><a:Address>URL/x</a:Address></a:ReplyTo>',
    ),
}
"""What somebody on the way does to strict's message."""


def _forgeries() -> dict[str, Callable[[Target], list[Seen]]]:
    return {
        "a certificate of the same name, by another authority": partial(_over, PARTS, who="twin"),
        "a certificate of the same authority, of nobody who is known": partial(_over, PARTS, who="stranger"),
        "signed by one caller, with another's token": _anothers_token,
        "one caller's API key, another's signature": _two_persons,
        "no signature, an API key that is right": _unsigned,
        "no Timestamp": _without_timestamp,
        "made an hour ago": partial(_over, PARTS, age=3600),
        "made in an hour": partial(_over, PARTS, age=-3600),
        "the Body is not covered": partial(_over, (TIMESTAMP, MESSAGE_ID)),
        "the Timestamp is not covered": partial(_over, (BODY, MESSAGE_ID)),
        "a header that must be covered is not": partial(_over, (BODY, TIMESTAMP)),
        "a header that must be covered is not there": _without_message_id,
    }


def attacks() -> list[Attack]:
    """All of them, in the order of the page."""
    told = [
        Attack(
            theme="Signature wrapping",
            name="none: the messages as they were signed",
            must="taken; the orders are stored",
            allowed=(200,),
            run=_as_it_was_signed,
        )
    ]
    told += [
        Attack(
            theme="Signature wrapping",
            name=move.__name__.replace("_", " "),
            must="refused; no order is stored, neither the new one nor the old",
            allowed=(400, 401, 500),
            run=partial(_wrapped, move),
        )
        for move in ATTACKS
    ]
    runs: dict[str, Callable[[Target], list[Seen]]] = _forgeries()
    runs |= {
        name: partial(_changed, change, who="strict", again=False) for name, change in FROM_OUTSIDE.items()
    }
    runs |= {f"by an insider: {name}": partial(_changed, change) for name, change in BY_AN_INSIDER.items()}
    told += [
        Attack(
            theme="Signatures",
            name=name,
            must="refused; no order is stored and nobody is called",
            allowed=(400, 401, 500),
            run=run,
        )
        for name, run in runs.items()
    ]
    return told
