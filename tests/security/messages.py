"""Attacks with XML: WS-Attacker's list and what else is known, each in both SOAP versions and, where a parser decides, three encodings."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from tests.acceptance.shipped_erp import SOAP, order
from tests.security.attack import Attack
from tests.security.target import Seen, Target, envelope, post

REFUSED: Final = (400, 413, 500)
"""A Fault of the sender's: 500 in SOAP 1.1, 400 in 1.2, 413 where it is too much."""
NS: Final = "urn:soapbridge:erp:purchasing:1"
GET: Final = f'<g:GetPurchaseOrder xmlns:g="{NS}"><g:purchaseOrder><g:requestId>%s</g:requestId></g:purchaseOrder></g:GetPurchaseOrder>'

Make = Callable[[Target, str], str]
"""The text of a message for this target, in this SOAP version."""


def _encodings(text: str) -> Iterator[tuple[bytes, str]]:
    """As UTF-8, UTF-16 with a BOM and declared, UTF-16 without either."""
    yield text.encode("utf-8", "surrogatepass"), "utf-8"
    yield b"\xff\xfe" + text.encode("utf-16-le", "surrogatepass"), "utf-16"
    yield text.encode("utf-16-be", "surrogatepass"), ""


def _in_all_encodings(make: Make, target: Target) -> list[Seen]:
    return [
        target.send(post(body, version=version, charset=charset))
        for version in SOAP
        for body, charset in _encodings(make(target, version))
    ]


def _in_both_versions(make: Make, target: Target) -> list[Seen]:
    return [
        target.send(post(make(target, version).encode("utf-8", "surrogatepass"), version=version))
        for version in SOAP
    ]


# Entities and whatever else a document may ask for

LAUGHS: Final = '<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))


def _with_dtd(subset: str, use: str = "&x;", name: str = "s:Envelope") -> Make:
    return lambda target, version: envelope(
        GET % use, version=version, before=f"<!DOCTYPE {name} [{subset.replace('URL', target.url)}]>"
    )


def _in_attribute(subset: str) -> Make:
    return lambda target, version: envelope(
        (GET % "x").replace("<g:requestId>", '<g:requestId a="&x;">'),
        version=version,
        before=f"<!DOCTYPE s [{subset.replace('URL', target.url)}]>",
    )


def _before(text: str) -> Make:
    return lambda target, version: envelope(
        GET % "x", version=version, before=text.replace("URL", target.url)
    )


def _payload(text: str) -> Make:
    return lambda target, version: envelope(text.replace("URL", target.url), version=version)


DTDS: Final[dict[str, Make]] = {
    "entity expansion in content (billion laughs)": _with_dtd(LAUGHS, "&a9;"),
    "entity expansion in an attribute": _in_attribute(LAUGHS + '<!ENTITY x "&a9;">'),
    "quadratic blow-up": _with_dtd(f'<!ENTITY x "{"x" * 50_000}">', "&x;" * 5_000),
    "an entity that contains itself": _with_dtd('<!ENTITY x "&y;"><!ENTITY y "&x;">'),
    "parameter entities that multiply": _with_dtd(
        '<!ENTITY % a "ha"><!ENTITY % b "%a;%a;%a;"><!ENTITY % c "%b;%b;%b;">%c;'
    ),
    "external entity, a file, in content": _with_dtd('<!ENTITY x SYSTEM "file:///etc/passwd">'),
    "external entity, an address, in content": _with_dtd('<!ENTITY x SYSTEM "URL/x">'),
    "external entity in an attribute": _in_attribute('<!ENTITY x SYSTEM "URL/x">'),
    "external parameter entity": _with_dtd('<!ENTITY % p SYSTEM "URL/p.dtd">%p;', "x"),
    "external DTD": _before('<!DOCTYPE s SYSTEM "URL/e.dtd">'),
    "external DTD by a public name": _before('<!DOCTYPE s PUBLIC "-//X//X" "URL/e.dtd">'),
    "attribute defaults from a DTD": _with_dtd('<!ATTLIST g:requestId a CDATA "x">', "x"),
    "a DTD that says nothing": _before("<!DOCTYPE s>"),
    "an entity that nobody declared": _payload(GET % "&lol;"),
}

ASKS: Final[dict[str, Make]] = {
    "XInclude of a file": _payload(
        GET % '<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>'
    ),
    "XInclude of an address": _payload(
        GET % '<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="URL/x" parse="text"/>'
    ),
    "xsi:type that the contract does not have": _payload(
        (GET % "x").replace(
            "<g:requestId>",
            '<g:requestId xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="g:Nothing">',
        )
    ),
    "a style sheet as processing instruction": _before('<?xml-stylesheet href="URL/x.xsl"?>'),
    "a processing instruction inside": _payload(GET % "<?php system('id') ?>"),
}


# Coercive parsing, counts, sizes


def _nested(depth: int, *, closed: bool, prefix: str = "") -> str:
    return f"<{prefix}a>" * depth + (f"</{prefix}a>" * depth if closed else "")


def _inside(text: str) -> Make:
    return _payload((GET % "x").replace("<g:purchaseOrder>", text + "<g:purchaseOrder>"))


def _in_header(text: str) -> Make:
    return lambda _, version: envelope(GET % "x", version=version, header=text)


def _colliding(alphabet: tuple[str, ...], length: int) -> list[str]:
    return ["".join(letters) for letters in itertools.product(alphabet, repeat=length)]


DJBX31A: Final = _colliding(("Aa", "BB"), 14)
"""16,384 names with one hash, in Java's and PHP's old way of hashing."""
DJBX33A: Final = _colliding(("tt", "uS", "v2"), 9)
"""19,683 of the same in libxml2's old way."""


def _lines(count: int) -> Make:
    def make(_: Target, version: str) -> str:
        text = order("array", version=version).decode()
        start, end = text.index("<pur:line>"), text.index("</pur:line>") + len("</pur:line>")
        return text[:start] + text[start:end] * count + text[end:]

    return make


COUNTS: Final[dict[str, Make]] = {
    "coercive parsing: 50,000 levels, never closed, in the Body": _inside(_nested(50_000, closed=False)),
    "coercive parsing: 5,000 levels, closed, in the Body": _inside(_nested(5_000, closed=True)),
    "coercive parsing: 200 levels, in the Header": _in_header(_nested(200, closed=True)),
    "coercive parsing: 5,000 levels, each with a prefix of its own": _inside(
        "".join(f'<p{n}:a xmlns:p{n}="u:{n}">' for n in range(5_000))
    ),
    "element count: 400,000 empty elements": _inside("<a/>" * 400_000),
    "element count: 150,000 header blocks": _in_header("<a/>" * 150_000),
    "array: 10,000 lines of an order": _lines(10_000),
    "attribute count: 30,000 on one element": _inside(
        "<a " + " ".join(f'b{n}=""' for n in range(30_000)) + "/>"
    ),
    "attribute count: 150,000 on all elements together": _inside('<a b="" c="" d=""/>' * 50_000),
    "namespaces: 30,000 declared on one element": _inside(
        "<a " + " ".join(f'xmlns:n{n}="u:{n}"' for n in range(30_000)) + "/>"
    ),
    "the same prefix declared 50,000 times, inside each other by 90": _inside(
        ('<n:a xmlns:n="u:1">' * 90 + "</n:a>" * 90) * 500
    ),
    "one attribute twice": _inside('<a b="1" b="2"/>'),
    "hash collision: 16,384 attributes (DJBX31A)": _inside(
        "<a " + " ".join(f'{name}=""' for name in DJBX31A) + "/>"
    ),
    "hash collision: 19,683 attributes (DJBX33A)": _inside(
        "<a " + " ".join(f'{name}=""' for name in DJBX33A) + "/>"
    ),
    "hash collision: 19,683 elements (DJBX33A)": _inside("".join(f"<{name}/>" for name in DJBX33A)),
    "hash collision: 200 namespaces (DJBX31A)": _inside(
        "<a " + " ".join(f'xmlns:{name}="{name}"' for name in DJBX31A[:200]) + "/>"
    ),
    "a name of a million characters": _inside("<" + "a" * 1_000_000 + "/>"),
    "a namespace of a million characters": _inside('<n:a xmlns:n="' + "u" * 1_000_000 + '"/>'),
    "a namespace of 100,000 characters, used 20,000 times (2 GB of canonical XML)": _inside(
        '<n:a xmlns:n="' + "u" * 100_000 + '">' + "<n:a/>" * 20_000 + "</n:a>"
    ),
    "an attribute of six million characters": _inside('<a b="' + "x" * 6_000_000 + '"/>'),
    "a text of six million characters": _payload(GET % ("x" * 6_000_000)),
    "two million character references": _payload(GET % ("&#65;" * 1_900_000)),
    "CDATA sections, 400,000 of them": _payload(GET % ("<![CDATA[x]]>" * 400_000)),
    "a comment of nine million characters": _inside("<!--" + "x" * 9_000_000 + "-->"),
    "comments, 300,000 of them": _inside("<!---->" * 300_000),
    "comments, as many as there may be": _inside("<!---->" * 99_000),
    "an attribute of 100,000 line breaks": _payload(
        (GET % "x").replace("<g:requestId>", '<g:requestId a="' + "&#10;" * 100_000 + '">')
    ),
    "ten thousand violations": _inside("<g:nothing/>" * 10_000),
    "digits without end in a number": lambda _, version: order(
        "digits", quantity="1" * 3_000_000, version=version
    ).decode(),
    "an exponent in a decimal": lambda _, version: order(
        "exponent", quantity="1e999999999", version=version
    ).decode(),
    "a text against a pattern that backtracks": lambda _, version: order(
        "pattern", sku="A" * 5_000 + "!", version=version
    ).decode(),
}


# Envelopes that say two things at once


def _spoofed_action(target: Target) -> list[Seen]:
    """The action says "read", the Body says "create": the Body must win, whatever a filter before us believed."""
    actions = ["urn:soapbridge:erp:purchasing:1/GetPurchaseOrder", "GetPurchaseOrder", "", "x" * 5000]
    return [
        target.send(post((envelope(GET % "nobody")).encode(), extra=f'SOAPAction: "{action}"\r\n'.encode()))
        for action in actions
    ]


def _addressed(name: str, version: str, url: str) -> str:
    wsa = "http://www.w3.org/2005/08/addressing"
    return envelope(
        GET % "x",
        version=version,
        header=f'<w:{name} xmlns:w="{wsa}"><w:Address>{url}/{name}</w:Address></w:{name}>',
    )


def _wrapped(text: str) -> Make:
    """`text` with ENV for the SOAP namespace and GET for a payload."""
    return lambda _, version: text.replace("ENV", SOAP[version]).replace("GET", GET % "x")


DOUBLE: Final[dict[str, Make]] = {
    "WS-Addressing spoofing: ReplyTo elsewhere": lambda target, version: _addressed(
        "ReplyTo", version, target.url
    ),
    "WS-Addressing spoofing: FaultTo elsewhere": lambda target, version: _addressed(
        "FaultTo", version, target.url
    ),
    "two payloads in one Body": _wrapped('<s:Envelope xmlns:s="ENV"><s:Body>GETGET</s:Body></s:Envelope>'),
    "two Bodies": _wrapped('<s:Envelope xmlns:s="ENV"><s:Body>GET</s:Body><s:Body>GET</s:Body></s:Envelope>'),
    "a Header behind the Body": _wrapped(
        '<s:Envelope xmlns:s="ENV"><s:Body>GET</s:Body><s:Header/></s:Envelope>'
    ),
    "an Envelope in the Body": _wrapped(
        '<s:Envelope xmlns:s="ENV"><s:Body><s:Envelope><s:Body>GET</s:Body></s:Envelope></s:Body></s:Envelope>'
    ),
    "a Fault as request": _wrapped('<s:Envelope xmlns:s="ENV"><s:Body><s:Fault/></s:Body></s:Envelope>'),
    "no Body": _wrapped('<s:Envelope xmlns:s="ENV"/>'),
    "the Body of the other version": lambda _, version: (
        f'<s:Envelope xmlns:s="{SOAP[version]}" xmlns:o="{SOAP["1.2" if version == "1.1" else "1.1"]}">'
        f"<o:Body>{GET % 'x'}</o:Body></s:Envelope>"
    ),
    "an Envelope of a version that there is not": _wrapped(
        '<s:Envelope xmlns:s="urn:soap:9"><s:Body>GET</s:Body></s:Envelope>'
    ),
    "a header that must be understood and is not": _in_header('<x:x xmlns:x="u:x" s:mustUnderstand="1"/>'),
    "5,000 headers that must be understood and are not": _in_header(
        '<x:x xmlns:x="u:x" s:mustUnderstand="1"/>' * 5_000
    ),
    "an encrypted Body": _payload(
        '<e:EncryptedData xmlns:e="http://www.w3.org/2001/04/xmlenc#"><e:CipherData/></e:EncryptedData>'
    ),
    "characters that XML does not have": _payload(GET % "a\x00b\x01\x0b"),
    "a lone surrogate": _payload(GET % "\ud800"),
    "what comes after the end": lambda _, version: envelope(GET % "x", version=version) + "<a/>",
    "nothing but white space": lambda *_: " " * 1_000_000,
    "an element of another contract": _payload('<CancelOrder xmlns="urn:other"/>'),
}

INJECTED: Final = (
    "' OR '1'='1",
    "'; DROP TABLE journal; --",
    "${jndi:ldap://127.0.0.1/x}",
    "../../../../etc/passwd",
    "x'] | //*[name()='",
    "%s%s%s%n",
    "{{7*7}}",
    "$(id)",
)


def _injected(target: Target) -> list[Seen]:
    texts = [text.replace("&", "&amp;").replace("<", "&lt;") for text in INJECTED]
    return [target.send(post(envelope(GET % text).encode())) for text in texts]


def attacks() -> list[Attack]:
    """All of them, in the order of the page."""
    told: list[Attack] = []
    for theme, table, how, must in (
        ("Entities", DTDS, _in_all_encodings, "refused before anything is expanded; nobody is called"),
        (
            "Documents that ask for more",
            ASKS,
            _in_both_versions,
            "refused; nothing is read and nobody is called",
        ),
        ("Counts and sizes", COUNTS, _in_both_versions, "refused within a bounded time"),
        ("Envelopes that say two things", DOUBLE, _in_both_versions, "refused by a Fault; nothing is done"),
    ):
        told += [
            Attack(theme=theme, name=name, must=must, allowed=REFUSED, run=partial(how, make))
            for name, make in table.items()
        ]
    told.append(
        Attack(
            theme="Envelopes that say two things",
            name="SOAPAction spoofing: the action names another operation",
            must="the Body decides; the action is not believed",
            allowed=(500,),
            run=_spoofed_action,
        )
    )
    told.append(
        Attack(
            theme="Envelopes that say two things",
            name="SQL, XPath, paths, templates and commands in an id",
            must="a text like any other: no such order",
            allowed=(500,),
            run=_injected,
        )
    )
    return told
