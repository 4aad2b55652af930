from __future__ import annotations

import pytest
from lxml import etree

from bridge.errors import Refusal
from bridge.soap.addressing import LONGEST, UNDERSTOOD, WSA, WSA_2004, Addressing, read
from bridge.soap.envelope import NAMESPACES, check_understood, open_envelope
from bridge.soap.fault import fault_bytes, from_error
from bridge.soap.xml import parse

BOTH = pytest.mark.parametrize("ns", [WSA, WSA_2004])
ANONYMOUS = {WSA: f"{WSA}/anonymous", WSA_2004: f"{WSA_2004}/role/anonymous"}


def addressed(ns: str, headers: str) -> Addressing | None:
    text = (
        f'<s:Envelope xmlns:s="{NAMESPACES["1.2"]}" xmlns:w="{ns}"><s:Header>{headers}</s:Header>'
        '<s:Body><o xmlns="urn:x"/></s:Body></s:Envelope>'
    )
    envelope = open_envelope(parse(text.encode())[0])
    check_understood(envelope, UNDERSTOOD)
    return read(envelope)


def refused(ns: str, headers: str) -> Refusal:
    with pytest.raises(Refusal) as caught:
        addressed(ns, headers)
    return caught.value


@BOTH
def test_the_headers_are_understood_read_and_answered(ns: str) -> None:
    found = addressed(
        ns,
        '<w:MessageID s:mustUnderstand="1"> urn:uuid:1&amp;2 </w:MessageID><w:Action s:mustUnderstand="1">urn:x/Do</w:Action>'
        f'<w:To s:mustUnderstand="1">http://here/</w:To><w:RelatesTo>urn:0</w:RelatesTo><w:RelatesTo>urn:9</w:RelatesTo>'
        f'<w:ReplyTo s:mustUnderstand="1"><w:Address> {ANONYMOUS[ns]} </w:Address></w:ReplyTo>'
        f"<w:FaultTo><w:Address>{ANONYMOUS[ns]}</w:Address></w:FaultTo>",
    )
    assert found == Addressing(
        ns=ns,
        message_id="urn:uuid:1&2",
        action="urn:x/Do",
        to="http://here/",
        relates_to=("urn:0", "urn:9"),
    )
    blocks = etree.fromstring(
        f"<h>{found.reply_headers(action='urn:x/DoResponse', message_id='urn:uuid:3')}</h>"
    )
    assert [(block.tag, block.text) for block in blocks] == [
        (f"{{{ns}}}To", ANONYMOUS[ns]),
        (f"{{{ns}}}Action", "urn:x/DoResponse"),
        (f"{{{ns}}}MessageID", "urn:uuid:3"),
        (f"{{{ns}}}RelatesTo", "urn:uuid:1&2"),
    ]


def test_a_message_without_addressing_has_none() -> None:
    assert addressed(WSA, '<h xmlns="urn:h"/>') is None


@BOTH
def test_headers_for_another_node_are_not_read(ns: str) -> None:
    assert addressed(ns, '<w:MessageID s:role="urn:somebody">x</w:MessageID>') is None


@BOTH
@pytest.mark.parametrize("name", ["ReplyTo", "FaultTo"])
@pytest.mark.parametrize("address", ["http://elsewhere/", f"{WSA}/none", "", "x" * 900])
def test_an_answer_to_elsewhere_is_refused_before_anything_is_done(ns: str, name: str, address: str) -> None:
    error = refused(ns, f"<w:{name}><w:Address>{address}</w:Address></w:{name}>")
    assert error.code == "Client"
    assert name in error.message
    assert len(error.message) < 400
    expected = ["InvalidAddressingHeader", "OnlyAnonymousAddressSupported"]
    if ns == WSA_2004:
        expected = ["InvalidMessageInformationHeader"]
    assert list(error.subcodes) == [f"{{{ns}}}{code}" for code in expected]


def test_an_endpoint_without_address_is_refused() -> None:
    assert refused(WSA, "<w:ReplyTo/>").subcodes[-1] == f"{{{WSA}}}MissingAddressInEPR"


@pytest.mark.parametrize("name", ["MessageID", "Action", "To", "From", "ReplyTo", "FaultTo"])
def test_a_header_that_stands_twice_is_refused(name: str) -> None:
    block = f"<w:{name}><w:Address>{WSA}/anonymous</w:Address></w:{name}>"
    assert refused(WSA, block * 2).subcodes == (
        f"{{{WSA}}}InvalidAddressingHeader",
        f"{{{WSA}}}InvalidCardinality",
    )


def test_headers_of_two_versions_are_refused() -> None:
    error = refused(WSA, f'<w:To>x</w:To><o:Action xmlns:o="{WSA_2004}">y</o:Action>')
    assert "two versions" in error.message


def test_an_id_that_would_have_to_be_repeated_is_bounded() -> None:
    found = addressed(WSA, f"<w:MessageID>{'x' * LONGEST}</w:MessageID>")
    assert found is not None
    assert len(found.message_id) == LONGEST
    assert "1000 characters" in refused(WSA, f"<w:MessageID>{'x' * (LONGEST + 1)}</w:MessageID>").message


def test_reference_parameters_of_the_reply_endpoint_come_back_as_headers_with_the_prefixes_of_their_values() -> (
    None
):
    found = addressed(
        WSA,
        f'<w:ReplyTo><w:Address>{WSA}/anonymous</w:Address><w:ReferenceParameters xmlns:p="urn:p">'
        '<p:ticket kind="p:k">7</p:ticket></w:ReferenceParameters></w:ReplyTo>',
    )
    assert found is not None
    (ticket,) = etree.fromstring(f"<h>{found.reference_headers}</h>")
    assert (ticket.tag, ticket.text, ticket.nsmap["p"]) == ("{urn:p}ticket", "7", "urn:p")
    assert ticket.get(f"{{{WSA}}}IsReferenceParameter") == "true"
    assert found.reference_headers in found.reply_headers(action="a", message_id="m")


@BOTH
def test_a_fault_relates_to_its_request_and_has_the_generic_action(ns: str) -> None:
    found = addressed(ns, "<w:MessageID>urn:1</w:MessageID>")
    assert found is not None
    headers = found.fault_headers(message_id="urn:2")
    assert ("soap/fault" if ns == WSA else "addressing/fault") in headers
    assert ">urn:1</wsa:RelatesTo>" in headers


def test_rule_2_an_addressing_fault_is_about_a_header_and_has_no_detail() -> None:
    fault = from_error(refused(WSA, "<w:To/><w:To/>"), "01EX")
    assert b"Detail" not in fault_bytes("1.2", fault)
    assert b"[exchange 01EX]" in fault_bytes("1.2", fault)


def test_a_mandatory_security_header_is_not_understood_yet() -> None:
    wsse = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
    error = refused(WSA, f'<x:Security xmlns:x="{wsse}" s:mustUnderstand="1"/>')
    assert error.code == "MustUnderstand"
    assert error.not_understood == (f"{{{wsse}}}Security",)
