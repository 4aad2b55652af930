"""A SignedInfo whose shape is known says what it says when it is read."""

from __future__ import annotations

import pytest
from lxml import etree

from bridge.errors import Refusal
from bridge.soap.security import DS, shapes
from bridge.soap.security.shapes import Shapes, SignedInfo
from bridge.soap.security.signature import _signed_info
from bridge.soap.security.signing import BODY, TIMESTAMP, sign
from bridge.soap.xml import parse
from tests.signatures import HEADERS, MESSAGE_ID, PAYLOAD, envelope, identity, verified

SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"


def reference(
    uri: str,
    value: str,
    transforms: str = f'<d:Transforms><d:Transform Algorithm="{EXCLUSIVE}"/></d:Transforms>',
) -> str:
    return (
        f'<d:Reference URI="{uri}">{transforms}<d:DigestMethod Algorithm="{SHA256}"/>'
        f"<d:DigestValue>{value}</d:DigestValue></d:Reference>"
    )


def info(*references: str, form: str = EXCLUSIVE, between: str = "") -> bytes:
    return (
        f'<d:SignedInfo xmlns:d="{DS}"><d:CanonicalizationMethod Algorithm="{form}"/>'
        '<d:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>'
        f"{between}{''.join(references)}</d:SignedInfo>"
    ).encode()


def read(source: bytes) -> SignedInfo:
    return _signed_info(etree.fromstring(source))


@pytest.mark.parametrize("between", ["", "\n", "100 %", " %b &amp; "])
def test_what_is_found_by_shape_is_what_is_read(between: str) -> None:
    known = Shapes()
    known.remember(info(reference("#a", "AAAA"), reference("#b", "BBBB"), between=between), _signed_info)
    other = info(reference("#c-1.2:x", "a+/=" * 11), reference("#", ""), between=between)
    assert known.find(other) == read(other)


@pytest.mark.parametrize(
    "other",
    [
        info(reference("#a", "AAAA"), reference("#b", "BBBB")),
        info(reference("#a", "AAAA").replace(SHA256, f"{SHA256[:-3]}512")),
        info(reference("#a", "AAAA"), between=" "),
        info(reference("#a", "AA\nAA")),
        info(reference("#a b", "AAAA")),
        info(reference("#a&amp;b", "AAAA")),
        info(reference("#ü", "AAAA")),
        info(reference("#a", "AA<!-- -->AA")),
        info(),
    ],
)
def test_another_shape_or_a_value_out_of_the_ordinary_is_not_found(other: bytes) -> None:
    known = Shapes()
    known.remember(info(reference("#a", "AAAA")), _signed_info)
    assert known.find(info(reference("#a", "AAAA"))) is not None
    assert known.find(other) is None


@pytest.mark.parametrize(
    "odd",
    [
        info(reference("#a", "AAAA"), between=' URI="#a"'),
        info(reference("#a", "AAAA"), between=" DigestValue>AAAA"),
        info(reference("#a", "AAAA"), between=' URI="#a" DigestValue>AAAA'),
        info(reference("#a", "AAAA").replace("<d:Reference ", "<d:Reference xmlns:x=' URI=\"#a\"' ")),
        info(
            reference(
                "#a",
                "AAAA",
                f'<d:Transforms><d:Transform Algorithm="{DS}enveloped-signature"/></d:Transforms>',
            )
        ),
        info(reference("#a", "AAAA", "")),
    ],
    ids=["URI", "digest", "both", "namespace", "enveloped", "no transform"],
)
def test_a_text_that_looks_like_a_value_is_never_taken_for_one(odd: bytes) -> None:
    """Whoever signs it could have one element looked at, and another one signed."""
    known = Shapes()
    known.remember(odd, _signed_info)
    for changed in (odd, odd.replace(b"#a", b"#b", 1), odd.replace(b"AAAA", b"BBBB", 1)):
        found = known.find(changed)
        assert found is None or found == read(changed)


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "MOST_SHAPES", 3)
    known = Shapes()
    for number in range(10):
        known.remember(info(reference("#a", "AAAA"), between=" " * number), _signed_info)
        assert len(known._known) <= 3


def test_a_second_message_of_the_same_signer_is_held_to_its_own_digests() -> None:
    who = identity()

    def signed(payload: str) -> bytes:
        return sign(envelope(payload, HEADERS), who.signer(), (BODY, TIMESTAMP, MESSAGE_ID))

    first, second = signed(PAYLOAD), signed(PAYLOAD.replace("bearing", "washer"))
    for source in (first, second):
        assert len(verified(parse(source)[0], who.trusted).elements) == 3
    for changed in (
        second.replace(b"washer", b"hammer"),
        second.replace(b"urn:uuid:1", b"urn:uuid:2"),
        second.replace(b"<ds:DigestValue>", b"<ds:DigestValue>AAAA", 1),
    ):
        with pytest.raises(Refusal):
            verified(parse(changed)[0], who.trusted)


def test_an_str_transform_is_refused_by_its_name() -> None:
    name = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform"
    with pytest.raises(Refusal, match="STR-Transform"):
        read(info(reference("#a", "AAAA", f'<d:Transforms><d:Transform Algorithm="{name}"/></d:Transforms>')))
