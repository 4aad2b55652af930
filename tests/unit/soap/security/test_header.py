"""The Security header: which one is ours, and what stands in it."""

from __future__ import annotations

import pytest
from lxml import etree

from bridge.errors import Refusal
from bridge.soap.envelope import NAMESPACES, open_envelope
from bridge.soap.media import Version
from bridge.soap.security import DS, WSSE, WSU
from bridge.soap.security.header import SecurityHeader, find, write

TOKEN = "<w:UsernameToken/>"
STAMP = "<u:Timestamp/>"
SIGNATURE = "<d:Signature/>"


def look(*blocks: str, version: Version = "1.1", reply: bool = False) -> SecurityHeader | None:
    envelope = (
        f'<s:Envelope xmlns:s="{NAMESPACES[version]}" xmlns:w="{WSSE}" xmlns:u="{WSU}" xmlns:d="{DS}">'
        f"<s:Header>{''.join(blocks)}</s:Header><s:Body><a/></s:Body></s:Envelope>"
    )
    return find(open_envelope(etree.fromstring(envelope)), reply=reply)


def security(*tokens: str, attributes: str = "") -> str:
    return f"<w:Security {attributes}>{''.join(tokens)}</w:Security>"


def test_every_token_is_found_where_it_stands() -> None:
    found = look("<x/>", security(STAMP, TOKEN, "<w:BinarySecurityToken/>", SIGNATURE))
    assert found is not None
    assert found.timestamp is found.block[0]
    assert found.username_token is found.block[1]
    assert found.signature is found.block[3]


@pytest.mark.parametrize("blocks", [[], ["<Security/>"], [security(TOKEN, attributes='s:actor="urn:other"')]])
def test_none_is_found_where_none_is_for_us(blocks: list[str]) -> None:
    assert look(*blocks) is None


def test_one_for_another_actor_may_stand_beside_ours() -> None:
    assert look(security(attributes='s:actor="urn:other"'), security(STAMP)) is not None


@pytest.mark.parametrize(
    ("version", "role"),
    [("1.1", 's:actor="http://schemas.xmlsoap.org/soap/actor/next"'),
     ("1.2", 's:role="http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver"')],
)  # fmt: skip
def test_two_for_us_are_refused_though_their_actors_are_written_differently(
    version: Version, role: str
) -> None:
    with pytest.raises(Refusal, match="more than one wsse:Security"):
        look(security(STAMP), security(TOKEN, attributes=role), version=version)


@pytest.mark.parametrize("token", [TOKEN, STAMP, SIGNATURE, "<w:BinarySecurityToken/>"])
def test_two_of_a_kind_are_refused(token: str) -> None:
    with pytest.raises(Refusal, match="more than once"):
        look(security(token, token))


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ('<e:EncryptedKey xmlns:e="http://www.w3.org/2001/04/xmlenc#"/>', "encrypted"),
        ('<e:EncryptedData xmlns:e="http://www.w3.org/2001/04/xmlenc#"/>', "encrypted"),
        ('<e:ReferenceList xmlns:e="http://www.w3.org/2001/04/xmlenc#"/>', "encrypted"),
        ('<a:Assertion xmlns:a="urn:oasis:names:tc:SAML:1.0:assertion"/>', "SAML"),
        ('<a:Assertion xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion"/>', "SAML"),
        ("<w:SecurityTokenReference/>", "`SecurityTokenReference`"),
        ("<Timestamp/>", "`Timestamp`"),
    ],
)
def test_what_is_not_read_is_refused_as_unsupported(token: str, said: str) -> None:
    with pytest.raises(Refusal, match=said) as refused:
        look(security(token))
    assert refused.value.subcodes == (f"{{{WSSE}}}UnsupportedSecurityToken",)


def test_a_reply_may_confirm_a_signature_and_a_request_may_not() -> None:
    confirmation = '<c:SignatureConfirmation xmlns:c="http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"/>'
    assert look(security(confirmation), reply=True) is not None
    with pytest.raises(Refusal):
        look(security(confirmation))


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_what_is_written_is_found_and_must_be_understood(version: Version) -> None:
    found = look(write(f'<u:Timestamp xmlns:u="{WSU}"/>', version=version), version=version)
    assert found is not None
    assert found.timestamp is not None
    assert found.block.get(f"{{{NAMESPACES[version]}}}mustUnderstand") == "1"
