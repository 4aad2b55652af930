"""What `verify` takes, what it refuses and how it says so; every signature here was made by `sign` and then changed."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from bridge.errors import EncodeError, Refusal
from bridge.soap.media import Version
from bridge.soap.security import DS, SECURITY, WSSE, WSU
from bridge.soap.security.algorithms import DIGESTS, SIGNATURES, SignatureMethod
from bridge.soap.security.canonical import FORMS
from bridge.soap.security.certificates import Trusted
from bridge.soap.security.signature import MOST_REFERENCES, verify
from bridge.soap.security.signing import BODY, TIMESTAMP, TOKEN, NamedBy, sign
from bridge.soap.security.tokens import PKI_PATH, X509V3
from bridge.soap.xml import parse
from tests.signatures import (
    HEADERS,
    MESSAGE_ID,
    NOW,
    PAYLOAD,
    body_of,
    certificate,
    envelope,
    identity,
    signature_of,
    signed,
    verified,
)

NAMES: tuple[NamedBy, ...] = ("token", "issuer_serial", "key_identifier", "thumbprint", "certificate")
D = f"{{{DS}}}"


def refused(root: etree._Element, trusted: Trusted | None = None, now: float = NOW) -> str:
    """The last part of the subcode, and the message."""
    with pytest.raises(Refusal) as caught:
        verified(root, trusted, now)
    (subcode,) = caught.value.subcodes
    assert subcode.startswith(f"{{{WSSE}}}")
    assert caught.value.advice
    return f"{subcode.partition('}')[2]}: {caught.value.message}"


def signed_again(root: etree._Element) -> etree._Element:
    """With a right SignatureValue over the SignedInfo that is there now: what a hostile partner could send."""
    info, value = signature_of(root)[:2]
    signer = identity().signer()
    form = FORMS[info[0].get("Algorithm", "")]
    value.text = base64.b64encode(signer.method.make(signer.private_key, form.octets(info))).decode()
    return parse(etree.tostring(root))[0]


# -- what holds


@pytest.mark.parametrize("named_by", NAMES)
@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_what_is_signed_holds_and_covers_its_parts(version: Version, named_by: NamedBy) -> None:
    root = signed(envelope(headers=HEADERS, version=version), (BODY, TIMESTAMP, MESSAGE_ID), named_by)
    found = verified(root)
    assert found.covers(body_of(root))
    assert not found.covers(body_of(root)[0])
    assert [element.tag.rpartition("}")[2] for element in found.elements] == [
        "Timestamp",
        "MessageID",
        "Body",
    ]
    assert found.certificate.der == next(iter(identity().trusted.by_der))


@pytest.mark.parametrize("bits", [256, 384, 521])
def test_elliptic_keys_sign_and_verify(bits: int) -> None:
    who = identity("Bob", "ec", bits)
    root = signed(who=who)
    assert verified(root, who.trusted).covers(body_of(root))


@pytest.mark.parametrize("method", SIGNATURES.values(), ids=lambda one: one.identifier.rpartition("#")[2])
def test_every_algorithm_makes_what_it_takes_and_takes_nothing_else(method: SignatureMethod) -> None:
    who = identity("Bob", "ec", 256) if method.scheme == "ecdsa" else identity()
    key = who.signer().private_key
    made = method.make(key, b"octets")
    public = key.public_key()
    assert method.holds(public, made, b"octets")
    assert not method.holds(public, made, b"octet")
    for broken in (made[:-1], b"", bytes(len(made)), b"\0" + made):
        assert not method.holds(public, broken, b"octets")
    assert not any(
        other.holds(public, made, b"octets") for other in SIGNATURES.values() if other is not method
    )


def test_a_token_can_be_signed_itself() -> None:
    root = signed(parts=(BODY, TIMESTAMP, TOKEN))
    assert verified(root).covers(root.find(f".//{{{WSSE}}}BinarySecurityToken"))


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\t\n\r"), max_size=40))
def test_any_text_is_signed_as_it_is(text: str) -> None:
    order = etree.Element("{urn:orders}order", note=text)
    order.text = text
    root = signed(envelope(etree.tostring(order, encoding="unicode")), (BODY,))
    assert verified(root).covers(body_of(root))


@pytest.mark.parametrize("part", ["Body", "Timestamp", "MessageID"])
def test_a_comment_in_a_signed_part_is_refused_for_the_signature_does_not_cover_it(part: str) -> None:
    """`10<!---->00` is 10 to whoever takes the first text of an element."""
    root = signed(envelope(headers=HEADERS), (BODY, TIMESTAMP, MESSAGE_ID))
    found = next(root.iter(f"{{*}}{part}"))
    inmost = list(found.iter(etree.Element))[-1]
    comment = etree.Comment("")
    comment.tail = (inmost.text or "")[1:]
    inmost.text = (inmost.text or "")[:1]
    inmost.append(comment)
    assert refused(root) == f"FailedCheck: There is a comment in the signed part `{part}`."


def test_the_fingerprint_is_that_of_what_was_signed_however_the_signature_is_written() -> None:
    """Of an elliptic signature (r, s) another, (r, n - s), can be made without the key: it is no new message."""
    who = identity("Bob", "ec", 256)
    root = signed(who=who)
    before = verified(root, who.trusted)
    value = signature_of(root)[1]
    raw = base64.b64decode(value.text or "")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    other = raw[:32] + (order - int.from_bytes(raw[32:])).to_bytes(32)
    value.text = base64.b64encode(other).decode()
    after = verified(root, who.trusted)
    assert raw != other
    assert after.fingerprint == before.fingerprint


def test_two_messages_have_two_fingerprints() -> None:
    assert verified(signed()).fingerprint != verified(signed()).fingerprint


# -- what was changed


def changed(change: Callable[[etree._Element], None]) -> etree._Element:
    root = signed(envelope(headers=HEADERS), (BODY, TIMESTAMP, MESSAGE_ID))
    change(root)
    return parse(etree.tostring(root))[0]


def test_a_changed_part_is_named() -> None:
    def body(root: etree._Element) -> None:
        body_of(root)[0][1].text = "21"

    def created(root: etree._Element) -> None:
        root.find(f".//{{{WSU}}}Created").text = "2026-09-21T13:33:21Z"  # type: ignore[union-attr]

    assert refused(changed(body)) == "FailedCheck: The part `Body` is not what was signed."
    assert refused(changed(created)) == "FailedCheck: The part `Timestamp` is not what was signed."


@settings(max_examples=60)
@given(st.data())
def test_no_character_of_a_signed_message_can_be_changed(data: st.DataObject) -> None:
    """One byte becomes another: then it is not XML, or refused, or what is covered says what it said."""
    source = etree.tostring(signed())
    before = [
        etree.tostring(one, method="c14n", exclusive=True) for one in verified(parse(source)[0]).elements
    ]
    at = data.draw(st.integers(0, len(source) - 1))
    other = source[:at] + bytes([data.draw(st.integers(32, 126))]) + source[at + 1 :]
    try:
        root = parse(other)[0]
        signature = next(root.iter(f"{D}Signature"), None)
        found = None if signature is None else verified(root)
    except (Refusal, ValueError):
        return
    if found is not None:
        assert [etree.tostring(one, method="c14n", exclusive=True) for one in found.elements] == before


def test_a_signature_by_another_key_with_our_certificate_is_refused() -> None:
    root = signed(who=identity("Mallory"))
    token = root.find(f".//{{{WSSE}}}BinarySecurityToken")
    assert token is not None
    token.text = base64.b64encode(next(iter(identity().trusted.by_der))).decode()
    assert refused(root) == "FailedCheck: The signature is not one that we can trust."


def test_unknown_expired_early_and_wrong_are_told_in_the_same_words() -> None:
    root, wrong = signed(), signed()
    signature_of(wrong)[1].text = base64.b64encode(bytes(256)).decode()
    told = {
        refused(root, identity("Mallory").trusted),
        refused(root, Trusted([])),
        refused(root, now=NOW + 86_400 * 30),
        refused(root, now=NOW - 86_400 * 2),
        refused(wrong),
    }
    assert len(told) == 1


# -- which certificate


def test_of_two_certificates_in_overlap_each_is_taken_in_its_time() -> None:
    old, new = identity("Alice"), identity("Alice, again", begins=NOW + 86_400 * 20)
    trusted = Trusted.of([old.certificate + new.certificate])
    for who in (old, new):
        found = verified(signed(who=who), trusted, NOW + 86_400 * 25)
        assert found.certificate.der == next(iter(who.trusted.by_der))
    refused(signed(who=old), trusted, NOW + 86_400 * 40)
    assert verified(signed(who=new), trusted, NOW + 86_400 * 40)


@pytest.mark.parametrize("named_by", ["key_identifier", "issuer_serial"])
def test_a_certificate_renewed_for_the_same_key_is_found_by_what_still_is_valid(named_by: NamedBy) -> None:
    key = identity().signer().private_key
    renewed = certificate(key, "Alice", NOW + 86_400 * 20)
    trusted = Trusted.of([identity().certificate, renewed])
    root = signed(named_by=named_by)
    assert verified(root, trusted).covers(body_of(root))
    later = NOW + 86_400 * 40
    if named_by == "key_identifier":
        assert verified(root, trusted, later).certificate.not_after > later
    else:  # it says which one
        refused(root, trusted, later)


def test_a_certificate_that_does_not_name_its_key_is_found_by_the_usual_name() -> None:
    key = identity().signer().private_key
    root = signed(named_by="key_identifier")
    trusted = Trusted.of([certificate(key, "Alice", NOW - 10, identifier=False)])
    assert verified(root, trusted).covers(body_of(root))


@pytest.mark.parametrize(
    "written",
    [
        lambda name: name,
        lambda name: name.replace(",", ", "),
        lambda name: ",".join(reversed(re.split(r"(?<!\\),", name))),
        lambda name: name.replace("ST=", "S=").replace("1.2.840.113549.1.9.1=", "E="),
        lambda name: re.sub(
            r"(?<=O=)M(?:[^\\,]|\\.)*",
            lambda found: '"' + found[0].replace("\\,", ",").replace("\\+", "+") + '"',
            name,
        ),
        lambda name: name.replace("it@example.com", "#1610" + b"it@example.com".hex().upper()).replace(
            "1610", "160e"
        ),
        lambda name: name.replace("ü", "\\C3\\BC"),
        lambda name: name.upper().replace("Ü", "ü").replace("Ö", "ö"),
    ],
    ids=[
        "as we write",
        "spaces",
        "other order",
        "other types",
        "quoted",
        "hexadecimal",
        "escaped",
        "other case",
    ],
)
def test_an_issuer_is_known_however_its_name_is_written(written: Callable[[str], str]) -> None:
    root = signed(named_by="issuer_serial")
    name = root.find(f".//{D}X509IssuerName")
    assert name is not None
    assert name.text is not None
    name.text = written(name.text)
    assert verified(root).covers(body_of(root))


def test_another_issuer_or_serial_number_is_not_known() -> None:
    for tag, other in (
        ("X509IssuerName", "CN=Eve"),
        ("X509SerialNumber", "17"),
        ("X509IssuerName", "x" * 5000),
    ):
        root = signed(named_by="issuer_serial")
        next(root.iter(f"{D}{tag}")).text = other
        assert refused(root).startswith("FailedCheck: The signature is not one")


@pytest.mark.parametrize("number", ["-1", "1" * 60, "0x10", "١", "1e3", ""])
def test_a_serial_number_that_is_none_is_refused(number: str) -> None:
    root = signed(named_by="issuer_serial")
    next(root.iter(f"{D}X509SerialNumber")).text = number
    assert refused(root).startswith("InvalidSecurity: ")


def test_a_path_of_certificates_is_taken_by_its_end() -> None:
    root = signed()
    token = root.find(f".//{{{WSSE}}}BinarySecurityToken")
    assert token is not None
    ours = x509.load_pem_x509_certificate(identity().certificate).public_bytes(Encoding.DER)
    other = x509.load_pem_x509_certificate(identity("Mallory").certificate).public_bytes(Encoding.DER)

    def path(*certificates: bytes) -> str:
        inside = b"".join(certificates)
        return base64.b64encode(b"\x30\x82" + len(inside).to_bytes(2) + inside).decode()

    token.set("ValueType", PKI_PATH)
    token.text = path(other, ours)
    assert verified(root).covers(body_of(root))
    token.text = path(ours, other)
    refused(root)
    for broken in (
        b"",
        b"\x30",
        b"\x30\x80",
        b"\x30\x85\0\0\0\0\1x",
        b"\x30\x05ab",
        b"\x31\x00",
        b"\x30\x00",
    ):
        token.text = base64.b64encode(broken).decode()
        refused(root)


def test_a_key_in_the_message_is_not_looked_at() -> None:
    """KeyValue: whoever signs could write any."""
    root = signed(named_by="certificate")
    key_info = signature_of(root)[2]
    key_info.insert(0, etree.fromstring(f'<KeyValue xmlns="{DS}"><RSAKeyValue/></KeyValue>'))
    assert verified(root).covers(body_of(root))
    key_info.remove(key_info[1])
    assert refused(root) == (
        "InvalidSecurity: The signature is not built as it should be: KeyInfo has 0 references to a token."
    )


# -- what is not accepted


def with_algorithm(tag: str, algorithm: str) -> etree._Element:
    root = signed(parts=(BODY,))
    next(signature_of(root).iter(f"{D}{tag}")).set("Algorithm", algorithm)
    return signed_again(root) if tag != "CanonicalizationMethod" else root


@pytest.mark.parametrize(
    ("tag", "algorithm"),
    [
        ("SignatureMethod", f"{DS}hmac-sha1"),
        ("SignatureMethod", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"),
        ("SignatureMethod", f"{DS}rsa-sha1"),
        ("SignatureMethod", f"{DS}dsa-sha1"),
        ("SignatureMethod", "http://www.w3.org/2001/04/xmldsig-more#rsa-md5"),
        ("SignatureMethod", ""),
        ("DigestMethod", f"{DS}sha1"),
        ("DigestMethod", "http://www.w3.org/2001/04/xmldsig-more#md5"),
        ("Transform", "http://www.w3.org/TR/1999/REC-xslt-19991116"),
        ("Transform", "http://www.w3.org/TR/1999/REC-xpath-19991116"),
        ("Transform", "http://www.w3.org/2002/06/xmldsig-filter2"),
        ("Transform", f"{DS}base64"),
        ("Transform", "http://www.w3.org/2002/07/decrypt#XML"),
        ("CanonicalizationMethod", f"{DS}minimal"),
        ("CanonicalizationMethod", "http://www.w3.org/2010/xml-c14n2"),
    ],
)
def test_other_algorithms_are_refused_by_name(tag: str, algorithm: str) -> None:
    told = refused(with_algorithm(tag, algorithm))
    assert told == f"UnsupportedAlgorithm: The algorithm `{algorithm}` is not accepted in a signature."


def test_the_secret_of_an_hmac_is_not_taken_from_a_certificate() -> None:
    root = with_algorithm("SignatureMethod", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256")
    assert "hmac-sha256" in refused(root)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "#",
        "#nobody",
        "http://example.com/a",
        "file:///etc/passwd",
        "#xpointer(/)",
        "#xpointer(id('a'))",
        "id",
    ],
)
def test_a_reference_to_anything_but_a_part_is_refused(uri: str) -> None:
    root = signed(parts=(BODY,))
    signature_of(root)[0][2].set("URI", uri)
    assert refused(signed_again(root)).startswith(f"InvalidSecurity: The signature refers to `{uri}`")


def test_the_security_header_and_the_signature_cannot_be_signed() -> None:
    for tag in (SECURITY, f"{D}Signature"):
        root = signed(parts=(BODY,))
        next(root.iter(tag)).set(f"{{{WSU}}}Id", "whole")
        signature_of(root)[0][2].set("URI", "#whole")
        assert refused(signed_again(root)).startswith("InvalidSecurity: The signature refers to `#whole`")


@pytest.mark.parametrize(
    "attribute", ["Id", "ID", "id", "{http://www.w3.org/XML/1998/namespace}id", f"{{{WSU}}}Id"]
)
@pytest.mark.parametrize("place", ["payload", "header", "security", "envelope"])
def test_an_id_that_stands_there_twice_is_refused(attribute: str, place: str) -> None:
    """In the Body that is signed too: signed together with it by a partner that is hostile, or careless."""
    name = attribute.replace(f"{{{WSU}}}", "u:").replace("{http://www.w3.org/XML/1998/namespace}", "xml:")
    extra = f'<x:e xmlns:x="urn:x" xmlns:u="{WSU}" {name}="twice"/>'
    payload = PAYLOAD.replace("<o:count>", f"{extra}<o:count>") if place == "payload" else PAYLOAD
    source = envelope(payload, headers=f"<x:h xmlns:x='urn:x'>{extra}</x:h>" if place == "header" else "")
    if place == "security":
        source = source.replace(b"</w:Security>", extra.encode() + b"</w:Security>")
    if place == "envelope":
        source = source.replace(b"<s:Envelope ", f'<s:Envelope xmlns:u="{WSU}" {name}="twice" '.encode())
    source = source.replace(b"<u:Timestamp", b'<u:Timestamp u:Id="twice"')
    told = refused(signed(source))
    assert told == "InvalidSecurity: The Id `twice` stands in the message more than once."


@pytest.mark.parametrize("identifier", ["a b", "a&b", 'a"b', "a<b", "ä", "a'b"])
def test_ids_with_strange_characters_are_told_apart_as_well(identifier: str) -> None:
    root = parse(envelope())[0]
    body_of(root).set(f"{{{WSU}}}Id", identifier)
    assert verified(signed(etree.tostring(root))).elements
    body_of(root)[0].set("id", identifier)
    with pytest.raises(Refusal, match="more than once"):
        verified(signed(etree.tostring(root)))


def test_an_id_that_a_text_only_looks_like_is_no_second_one() -> None:
    source = envelope(PAYLOAD.replace("bearing", 'Id="twice"')).replace(
        b"<u:Timestamp", b'<u:Timestamp u:Id="twice"'
    )
    assert verified(signed(source)).elements


def test_two_references_to_the_same_part_are_refused() -> None:
    root = signed(parts=(BODY,))
    info = signature_of(root)[0]
    info.append(etree.fromstring(etree.tostring(info[2])))
    assert "two references mean the same element" in refused(signed_again(root))


def test_references_are_few() -> None:
    blocks = "".join(f'<x:h xmlns:x="urn:x" n="{n}"/>' for n in range(MOST_REFERENCES - 1))
    assert verified(signed(envelope(headers=blocks), (BODY, "{urn:x}h"))).elements
    more = signed(envelope(headers=blocks + blocks), (BODY, "{urn:x}h"))
    assert f"more than {MOST_REFERENCES} references" in refused(more)


def test_whoever_has_no_key_gets_nothing_long_canonicalised() -> None:
    """Elements that each repeat a namespace of a hundred thousand characters are not even parsed."""
    with pytest.raises(Refusal, match="namespace of more than 256"):
        signed(envelope(around=f'xmlns:long="urn:{"x" * 100_000}"'), (BODY,))
    transform = signature_of(signed(parts=(BODY,)))[0][2][0][0]
    for _ in range(5000):
        etree.SubElement(transform, "x")
    assert "SignedInfo is longer than" in refused(transform.getroottree().getroot())


def test_a_signature_elsewhere_than_in_a_security_header_is_refused() -> None:
    for place in (lambda root: root, lambda root: root[0], body_of, lambda root: body_of(root)[0]):
        root = signed()
        signature = signature_of(root)
        place(root).insert(0, signature)
        with pytest.raises(Refusal, match="stands in no Security header"):
            verify(signature, identity().trusted, NOW)


def drop(path: str) -> Callable[[etree._Element], None]:
    def change(signature: etree._Element) -> None:
        for found in signature.findall(path, {"d": DS}):
            above = found.getparent()
            assert above is not None
            above.remove(found)

    return change


def insert(path: str, text: str, at: int = 0) -> Callable[[etree._Element], None]:
    def change(signature: etree._Element) -> None:
        for found in [signature] if path == "." else signature.findall(path, {"d": DS}):
            found.insert(at, etree.fromstring(text))

    return change


@pytest.mark.parametrize(
    "change",
    [
        drop("d:KeyInfo"),
        drop("d:SignatureValue"),
        drop("d:SignedInfo"),
        drop("d:SignedInfo/d:Reference"),
        drop("d:SignedInfo/d:SignatureMethod"),
        drop("d:SignedInfo/d:CanonicalizationMethod"),
        drop("d:SignedInfo/d:Reference/d:DigestMethod"),
        drop("d:SignedInfo/d:Reference/d:DigestValue"),
        drop("d:KeyInfo/*/*"),
        drop("d:KeyInfo/*"),
        insert(".", f'<Object xmlns="{DS}"/>', 3),
        insert("d:SignedInfo", f'<Manifest xmlns="{DS}"/>', 2),
        insert("d:SignedInfo/d:SignatureMethod", f'<HMACOutputLength xmlns="{DS}">1</HMACOutputLength>'),
        insert("d:SignedInfo/d:CanonicalizationMethod", '<x xmlns="urn:x"/>'),
        insert("d:SignedInfo/d:Reference/d:Transforms", '<x xmlns="urn:x"/>'),
        insert("d:SignedInfo/d:Reference/d:DigestValue", '<x xmlns="urn:x"/>'),
        insert("d:SignatureValue", '<x xmlns="urn:x"/>'),
        insert("d:KeyInfo", f'<X509Data xmlns="{DS}"/>'),
        insert(
            "d:SignedInfo/d:Reference/d:Transforms",
            f'<Transform xmlns="{DS}" Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>',
        ),
    ],
)
def test_a_signature_that_is_built_otherwise_is_refused(change: Callable[[etree._Element], None]) -> None:
    root = signed(parts=(BODY,), named_by="certificate")
    change(signature_of(root))
    if (
        signature_of(root).find(f"{D}SignedInfo/{D}CanonicalizationMethod") is not None
        and len(signature_of(root)) > 1
    ):
        root = signed_again(root)
    assert refused(root).startswith("InvalidSecurity: The signature is not built as it should be: ")


def test_a_comment_has_no_place_where_something_is_read() -> None:
    """A reader that takes the first text only would read something else than what was signed."""
    for path in (
        "SignatureValue",
        "SignedInfo/{0}Reference/{0}DigestValue",
        "KeyInfo/*/*/{0}X509SerialNumber",
    ):
        root = signed(parts=(BODY,), named_by="issuer_serial")
        found = signature_of(root).find((f"{D}{path}").replace("{0}", D).replace("*/*/", "*/{*}X509Data/*/"))
        if found is None:
            found = next(root.iter(f"{D}X509SerialNumber"))
        text = found.text or ""
        found.text = text[:4]
        comment = etree.Comment("x")
        comment.tail = text[4:]
        found.append(comment)
        assert "holds more than text" in refused(root)


@pytest.mark.parametrize("place", ["o:item", "ds:DigestMethod"])
def test_a_namespace_that_has_no_canonical_form_is_refused(place: str) -> None:
    source = etree.tostring(signed(parts=(BODY,))).replace(
        f"<{place}".encode(), f'<{place} xmlns:r="relative"'.encode()
    )
    assert "a namespace has a relative name" in refused(parse(source)[0])


def test_other_kinds_of_token_are_refused_by_name() -> None:
    saml = "urn:oasis:names:tc:SAML:2.0:assertion"
    root = signed()
    token = root.find(f".//{{{WSSE}}}BinarySecurityToken")
    assert token is not None
    for kind in ("", f"{X509V3}x", "http://docs.oasis-open.org/wss/oasis-wss-kerberos-token-profile-1.1#GSS"):
        token.set("ValueType", kind)
        assert refused(root).startswith("UnsupportedSecurityToken: A security token of the kind")
    token.set("ValueType", X509V3)
    token.tag = f"{{{saml}}}Assertion"
    assert (
        refused(root) == "UnsupportedSecurityToken: A security token of the kind `Assertion` is not accepted."
    )
    root = signed(named_by="thumbprint")
    next(root.iter(f"{{{WSSE}}}KeyIdentifier")).set("ValueType", saml)
    assert (
        refused(root) == f"UnsupportedSecurityToken: A security token of the kind `{saml}` is not accepted."
    )


# -- xsi:type and prefixes that only values use


TYPED = (
    '<{p}order xmlns{c}="urn:orders" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xsi:type="t:special">1</{p}order>'
)


def test_the_namespace_of_an_xsi_type_cannot_be_changed_from_outside() -> None:
    payload = TYPED.format(p="o:", c=":o")
    root = signed(envelope(payload, around='xmlns:t="urn:mine"'), (BODY,))
    assert verified(root).covers(body_of(root))
    source = etree.tostring(root).replace(b'xmlns:t="urn:mine"', b'xmlns:t="urn:yours"')
    assert refused(parse(source)[0]).startswith("FailedCheck: The part `Body` is not what was signed.")


def test_where_the_signature_does_not_cover_it_the_message_is_refused() -> None:
    payload = TYPED.format(p="o:", c=":o")
    root = signed(envelope(payload, around='xmlns:t="urn:mine"'), (BODY,))
    reference = signature_of(root)[0][2]
    drop("d:Transforms/d:Transform/*")(reference)
    content = etree.tostring(body_of(root), method="c14n", exclusive=True, with_tail=False)
    next(reference.iter(f"{D}DigestValue")).text = base64.b64encode(hashlib.sha256(content).digest()).decode()
    assert refused(signed_again(root)).startswith("FailedCheck: An xsi:type in the part `Body` has a prefix")


@pytest.mark.parametrize(
    ("payload", "around"),
    [
        (TYPED.format(p="t:", c=":t"), ""),
        (TYPED.format(p="", c="").replace("t:special", "special"), ""),
        (
            TYPED.format(p="o:", c=":o").replace("t:special", "xsd:int"),
            'xmlns:xsd="http://www.w3.org/2001/XMLSchema"',
        ),
    ],
    ids=["the element's own prefix", "the default namespace", "a type of XML Schema"],
)
def test_prefixes_that_elements_use_too_need_no_list(payload: str, around: str) -> None:
    root = signed(envelope(payload, around=around), (BODY,))
    reference = signature_of(root)[0][2]
    drop("d:Transforms/d:Transform/*")(reference)
    content = etree.tostring(body_of(root), method="c14n", exclusive=True, with_tail=False)
    next(reference.iter(f"{D}DigestValue")).text = base64.b64encode(hashlib.sha256(content).digest()).decode()
    root = signed_again(root)
    assert verified(root).covers(body_of(root))


# -- signing


def test_an_envelope_without_what_is_to_be_signed_is_our_mistake() -> None:
    with pytest.raises(EncodeError, match="one Timestamp, this one has 0"):
        sign(envelope(timestamp=False), identity().signer())
    with pytest.raises(EncodeError, match="one Security header, this one has 0"):
        sign(
            b"<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body/></s:Envelope>",
            identity().signer(),
        )
    with pytest.raises(EncodeError, match="Nothing"):
        sign(envelope(), identity().signer(), [])


def test_ids_that_are_there_are_kept() -> None:
    source = envelope().replace(b"<s:Body>", f'<s:Body xmlns:u="{WSU}" u:Id="theirs">'.encode())
    root = signed(source)
    assert body_of(root).get(f"{{{WSU}}}Id") == "theirs"
    assert verified(root).covers(body_of(root))


def test_every_digest_is_one_of_the_sha_2_family() -> None:
    assert {digest(b"").name for digest in DIGESTS.values()} == {"sha256", "sha384", "sha512"}
