"""Secret values are nowhere: not in messages, not in what is said about them."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lxml import etree

from bridge.contract.explain.violation import Violation
from bridge.errors import InvalidRequest
from bridge.fields.masking import (
    Secrets,
    is_secret,
    mask,
    masked_row,
    masked_text,
    masked_violation,
    values,
)
from bridge.fields.path import FieldPath
from bridge.fields.words import clean
from bridge.soap.envelope import seal
from bridge.soap.masking import masked_request

PIN = (FieldPath.read("customer/pin"),)
TAX = (FieldPath.read("customer/@tax"),)
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"


def envelope(payload: str, headers: str = "") -> bytes:
    return seal("1.1", payload, headers)


def test_a_field_is_masked_in_requests_replies_and_fault_details() -> None:
    payload = "<r><customer><pin>123456</pin></customer></r>"
    fault = f"<soap:Fault><faultcode>c</faultcode><faultstring/><detail>{payload}</detail></soap:Fault>"
    for text in (envelope(payload), envelope(fault), payload.encode()):
        root = etree.fromstring(text)
        assert mask(root, PIN) == ["123456"]
        assert b"<pin>***</pin>" in etree.tostring(root)


def test_a_field_elsewhere_is_masked_only_where_the_message_was_not_found_valid() -> None:
    text = envelope("<r><pin>123456</pin></r>")
    assert values(etree.fromstring(text), PIN) == []
    assert values(etree.fromstring(text), PIN, anywhere=True) == ["123456"]


def test_attributes_and_what_is_inside_a_secret_element() -> None:
    root = etree.fromstring('<r><customer tax="DE1234"><pin><a b="1">x</a>yz</pin>tail</customer></r>')
    assert values(root, (*PIN, *TAX)) == ["x", "yz", "DE1234"]
    mask(root, (*PIN, *TAX))
    assert etree.tostring(root) == b'<r><customer tax="***"><pin>***</pin>tail</customer></r>'


def test_secrets_go_by_operation_and_all_hold_where_it_is_not_known() -> None:
    secrets = Secrets.read(["A customer/pin", "B order/card"])
    assert secrets.of("A") == PIN
    assert len(secrets.of(None)) == 2
    assert secrets.of("C") == ()
    assert secrets
    assert not Secrets()


def violation(path: str, found: str) -> Violation:
    text = f"“{found}” does not match the pattern of pin"
    return Violation(
        kind="pattern",
        path=path,
        offset=0,
        line=1,
        found=found,
        expected="6 digits",
        messages={"en": text, "zh": text},
    )


@pytest.mark.parametrize("found", ["7", "12", "12345x", "a" * 500])
@pytest.mark.parametrize(
    "path", ["/R/customer/pin", "/R/customer[2]/pin[1]", "/R/pin", "/R/customer/pin/inner"]
)
def test_a_violation_at_a_secret_field_tells_what_was_wanted_and_not_what_was_there(
    path: str, found: str
) -> None:
    shown = masked_violation(violation(path, found), PIN, [])
    assert shown.found == "***"
    assert all(f"“{found}”" not in text and "6 digits" in text for text in shown.messages.values())
    row = masked_row(
        {"kind": "pattern", "path": path, "found": found, "expected": "6 digits", "message": found}, PIN, []
    )
    assert (row["found"], f"“{found}”" in row["message"]) == ("***", False)


def test_other_violations_stay_as_they_are() -> None:
    one = violation("/R/customer/name", "12345x")
    assert masked_violation(one, PIN, ["98765"]) == one


def test_a_secret_value_is_masked_in_what_is_said_of_another_field() -> None:
    one = violation("/R/customer/name", "123456")
    assert "123456" not in str(masked_violation(one, PIN, ["123456"]))


def test_an_error_says_it_without_the_value() -> None:
    first = violation("/R/customer/pin", "12345x")
    error = InvalidRequest(f"The request breaks its contract 1 time: {first}", [first])
    clean(error, PIN, [])
    assert "12345x" not in str(error) + repr(error) + repr(error.args)
    assert "breaks its contract 1 time: /R/customer/pin" in str(error)


@pytest.mark.parametrize(
    ("place", "path", "secret"),
    [
        ("/R/customer/@tax", TAX, True),
        ("/R/@tax", TAX, True),
        ("/R/customer/tax", TAX, False),
        ("/R/customer", PIN, False),
        ("/R/customer/pin/@a", PIN, True),
        ("", PIN, False),
    ],
)
def test_places_of_violations(place: str, path: tuple[FieldPath, ...], secret: bool) -> None:
    assert is_secret(place, path) is secret


@given(
    value=st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=4, max_size=300),
    before=st.text(max_size=20),
    cut=st.sampled_from([80, 200, 10_000]),
)
@example(value="  padded  value ", before="", cut=80)
@settings(max_examples=150, deadline=None)
def test_no_text_quotes_a_secret_value(value: str, before: str, cut: int) -> None:
    shown = value if len(value) <= cut else value[: cut - 1] + "…"
    for form in (shown, " ".join(value.split()), repr(value)):
        text = masked_text(f"{before}{form}!", [value])
        needle = value[: min(len(value), cut - 1)]
        if len(needle.strip()) >= 4 and needle not in before:
            assert needle not in text.replace(before, "", 1)


# -- credentials in requests


def kept(request: bytes, secret: tuple[str, ...] = ()) -> bytes:
    return masked_request(request, request, secret)


TOKEN = "<w:UsernameToken><w:Username>u</w:Username><w:Password>hush</w:Password></w:UsernameToken>"


@pytest.mark.parametrize(
    "text",
    [
        envelope("<a/>", f'<w:Security xmlns:w="{WSSE}">{TOKEN}</w:Security>'),
        envelope("<a/>", f'<w:Security xmlns:w="{WSSE}" soap:actor="urn:other">{TOKEN}</w:Security>' * 2),
        envelope(f'<w:Security xmlns:w="{WSSE}">{TOKEN}</w:Security>'),
        envelope(
            "<a/>",
            f'<x><w:UsernameToken xmlns:w="{WSSE}"><w:Password>hush</w:Password></w:UsernameToken></x>',
        ),
        envelope(
            "<a/>",
            f'<Security xmlns="http://schemas.xmlsoap.org/ws/2002/07/secext">{TOKEN.replace("w:", "")}</Security>',
        ),
    ],
    ids=["header", "other actor, twice", "in the Body", "wrapped", "a draft's namespace"],
)
def test_credentials_in_a_request_are_not_kept(text: bytes) -> None:
    assert b"hush" not in kept(text)
    assert b"hush" in text


WSU = WSSE.replace("secext", "utility")
SIGNED = (
    f'<w:Security xmlns:w="{WSSE}"><u:Timestamp xmlns:u="{WSU}"><u:Created>2026-01-01T00:00:00Z</u:Created></u:Timestamp>'
    f'<w:BinarySecurityToken ValueType="{WSSE}#X509v3">MIIC</w:BinarySecurityToken>'
    '<d:Signature xmlns:d="http://www.w3.org/2000/09/xmldsig#"><d:SignatureValue>AbCd</d:SignatureValue></d:Signature>'
)


def test_a_signed_request_without_a_password_is_kept_as_it_came() -> None:
    text = envelope("<a/>", f"{SIGNED}</w:Security>")
    assert kept(text) is text


def test_of_a_signed_request_with_a_password_all_stays_but_that_and_the_nonce() -> None:
    token = "<w:UsernameToken><w:Username>ann</w:Username><w:Password>hush</w:Password><w:Nonce>bm9uY2U=</w:Nonce></w:UsernameToken>"
    found = kept(envelope("<a/>", f"{SIGNED}{token}</w:Security>"))
    assert b"hush" not in found
    assert b"bm9uY2U=" not in found
    for part in (b"ann", b"MIIC", b"AbCd", b"2026-01-01T00:00:00Z"):
        assert part in found


@pytest.mark.parametrize(
    "token",
    [
        f'<w:BinarySecurityToken ValueType="{WSSE}#GSS_Kerberosv5_AP_REQ">hush</w:BinarySecurityToken>',
        "<w:BinarySecurityToken>hush</w:BinarySecurityToken>",
        '<s:Assertion xmlns:s="urn:oasis:names:tc:SAML:2.0:assertion"><s:Subject>hush</s:Subject></s:Assertion>',
        "<unknown>hush</unknown>",
    ],
    ids=["Kerberos", "no type", "SAML", "unknown"],
)
def test_tokens_that_let_in_whoever_has_them_are_not_kept(token: str) -> None:
    assert b"hush" not in kept(envelope("<a/>", f"{SIGNED}{token}</w:Security>"))


def test_a_security_header_that_the_settings_name_goes_as_a_whole() -> None:
    assert b"AbCd" not in kept(envelope("<a/>", f"{SIGNED}</w:Security>"), ("Security",))


def test_header_blocks_that_the_settings_name_are_not_kept() -> None:
    text = envelope("<a/>", '<Login xmlns="urn:l"><key>hush</key></Login>')
    assert b"hush" not in kept(text, ("Login",))
    assert kept(text) is text


@pytest.mark.parametrize("charset", ["utf-8", "utf-16", "utf-16-le", "utf-32"])
def test_of_a_request_that_cannot_be_read_nothing_behind_the_first_word_of_credentials_is_kept(
    charset: str,
) -> None:
    broken = f'<s:Envelope><s:Header><w:Security xmlns:w="{WSSE}">{TOKEN}</w:Security><unclosed>'.encode(
        charset
    )
    found = masked_request(broken, b"")
    assert "hush".encode(charset)[-8:] not in found
    assert b"hush" not in found.replace(b"\0", b"")


def test_a_request_without_credentials_is_kept_as_it_came() -> None:
    text = envelope("<a>plain</a>")
    assert kept(text) is text
    assert masked_request(b"\xff\xfe not xml", b"") == b"\xff\xfe not xml"


def test_what_is_behind_the_header_of_a_masked_request_stays_as_it_came() -> None:
    header = f'<w:Security xmlns:w="{WSSE}">{TOKEN}</w:Security>'
    text = envelope("<a  b = 'c'/><![CDATA[d]]>\r\n<!-- e -->", header)
    assert kept(text).endswith(text[text.index(b"</soap:Header>") :])
    assert b"hush" not in kept(text)


HIDDEN = f'<w:Security xmlns:w="{WSSE}">{TOKEN}</w:Security>'


@pytest.mark.parametrize(
    "text",
    [
        envelope("<a/>", f"<!-- </soap:Header> -->{HIDDEN}"),
        envelope("<a/>", f"<b><![CDATA[</soap:Header>]]></b>{HIDDEN}"),
        envelope("<a/>", f"<b><?c </soap:Header>?></b>{HIDDEN}"),
        envelope("<a/>", f"<b><soap:Header/></b>{HIDDEN}"),
        envelope("<a/>", f"<b><soap:Header></soap:Header></b>{HIDDEN}"),
        envelope("<a/>", f"<b c='&lt;/soap:Header>'/>{HIDDEN}"),
        envelope(f"<soap:Header>{HIDDEN}</soap:Header>").replace(
            b"<soap:Body>", b"<soap:Header/><soap:Body>"
        ),
        envelope("<a/>", HIDDEN).replace(b"</soap:Header>", b"</soap:Header\n>"),
        envelope("<a/>", HIDDEN).replace(b"<soap:Header>", b"<soap:Header a='>'>"),
        envelope("<a/>", HIDDEN).replace(b"<soap:Envelope ", b"<soap:Envelope a='>' "),
        envelope("<a/>", HIDDEN).replace(b"<soap:Envelope ", b"<!-- <soap:Header> --><soap:Envelope "),
        envelope("<a/>", HIDDEN).replace(b"soap:", b"").replace(b"xmlns:soap", b"xmlns"),
        envelope(HIDDEN, HIDDEN),
        envelope(
            f"<x><l:Login xmlns:l='urn:l'>-</l:Login>{HIDDEN}</x>", "<l:Login xmlns:l='urn:l'>hush</l:Login>"
        ),
    ],
)
def test_nothing_in_or_around_a_header_makes_us_keep_a_credential(text: bytes) -> None:
    etree.fromstring(text)
    found = kept(text, ("Login",))
    assert b"hush" not in found
    etree.fromstring(found)


def test_masking_finds_its_own_marks_alone_the_second_time() -> None:
    once = kept(envelope("<a/>", f'<w:Security xmlns:w="{WSSE}">{TOKEN}</w:Security>'))
    assert b"***" in once
    assert kept(kept(once)) == kept(once)


def test_random_garbage_never_raises() -> None:
    chance = random.Random(4711)
    for _ in range(200):
        garbage = (
            bytes(chance.choices(range(256), k=40))
            + b"Password"
            + bytes(chance.choices(range(256), k=9))
            + b"hush"
        )
        assert b"hush" not in masked_request(garbage, b"")
