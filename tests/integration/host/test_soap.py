"""What comes back over HTTP for good and bad SOAP: statuses, faults, headers. Rules by number: docs of SOAP and WS-I."""

from __future__ import annotations

import gzip
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from lxml import etree

from tests.integration.host.conftest import NS, SOAP11, SOAP12, Answer, Running, echo, envelope

MU11 = f'xmlns:s="{SOAP11}" s:mustUnderstand="1"'
MU12 = f'xmlns:s="{SOAP12}" s:mustUnderstand="true"'


def fault(answer: Answer) -> tuple[str, str]:
    """(code without prefix, reason); the fault must be well-formed for its version."""
    root = etree.fromstring(answer.body)
    ns = etree.QName(root).namespace
    found = root.find(f".//{{{ns}}}Fault")
    assert found is not None, answer.text
    if ns == SOAP11:
        children = [child.tag for child in found]
        assert children[:2] == ["faultcode", "faultstring"]  # unqualified, in this order
        assert answer.headers["content-type"] == "text/xml; charset=utf-8"
        return found.findtext("faultcode").partition(":")[2], found.findtext("faultstring")
    names = [etree.QName(child).localname for child in found]
    assert names in (["Code", "Reason"], ["Code", "Reason", "Detail"])
    assert answer.headers["content-type"] == "application/soap+xml; charset=utf-8"
    code = found.findtext(f"{{{ns}}}Code/{{{ns}}}Value").partition(":")[2]
    return code, found.findtext(f"{{{ns}}}Reason/{{{ns}}}Text")


@pytest.mark.parametrize("version", ["1.1", "1.2"])
class TestBothVersions:
    def test_a_good_request_is_answered_in_its_own_version(self, desk: Running, version: str) -> None:
        answer = desk.post(echo("你好", version), version)
        assert answer.status == 200
        assert answer.headers["content-type"].startswith(
            "text/xml" if version == "1.1" else "application/soap+xml"
        )
        root = etree.fromstring(answer.body)
        assert etree.QName(root).namespace == (SOAP11 if version == "1.1" else SOAP12)
        assert root[0][0].findtext(f"{{{NS}}}text") == "你好"
        assert answer.exchange

    def test_an_invalid_request_lists_its_violations_and_names_the_exchange(
        self, desk: Running, version: str
    ) -> None:
        body = envelope(f'<Echo xmlns="{NS}"><number>many</number></Echo>', version)
        answer = desk.post(body, version)
        assert answer.status == (500 if version == "1.1" else 400)
        code, _ = fault(answer)
        assert code == ("Client" if version == "1.1" else "Sender")
        assert "/Echo/text" in answer.text
        assert "/Echo/number" in answer.text
        assert "How often it is wanted." in answer.text
        assert answer.exchange in answer.text

    def test_a_declared_fault_carries_its_detail_alone_and_the_contracts_words(
        self, desk: Running, version: str
    ) -> None:
        answer = desk.post(echo("closed", version), version)
        assert answer.status == (500 if version == "1.1" else 400)
        assert fault(answer)[1].startswith("The desk is closed.")
        detail = etree.fromstring(answer.body).find(".//{*}detail" if version == "1.1" else ".//{*}Detail")
        assert [child.tag for child in detail] == [f"{{{NS}}}Closed"]
        assert detail[0].findtext(f"{{{NS}}}until") == "2030-01-01"

    @pytest.mark.parametrize(
        "text",
        ["break", "exit", "nothing", "list", "unknown field", "off contract", "wrong fault", "bad reply header",
         "undeclared reply header"],
    )  # fmt: skip
    def test_a_handlers_mistake_tells_the_caller_only_the_exchange(
        self, desk: Running, version: str, text: str
    ) -> None:
        answer = desk.post(echo(text, version), version)
        assert answer.status == 500
        assert fault(answer)[0] == ("Server" if version == "1.1" else "Receiver")
        assert answer.exchange in answer.text
        for secret in ("secret", "passwd", "RuntimeError", "Traceback", "colour", "handler"):
            assert secret not in answer.text

    def test_a_one_way_request_is_202_with_an_empty_body(self, desk: Running, version: str) -> None:
        desk.notified.clear()
        answer = desk.post(envelope(f'<Notify xmlns="{NS}"><text>news</text></Notify>', version), version)
        assert (answer.status, answer.body) == (202, b"")
        assert desk.notified == ["news"]
        assert answer.exchange

    def test_a_one_way_request_that_is_invalid_gets_a_fault(self, desk: Running, version: str) -> None:
        answer = desk.post(envelope(f'<Notify xmlns="{NS}"/>', version), version)
        assert "/Notify/text" in answer.text

    def test_an_operation_without_input_takes_an_empty_body(self, desk: Running, version: str) -> None:
        answer = desk.post(envelope("", version), version)
        assert answer.status == 200
        assert "pong" in answer.text

    def test_a_declared_header_is_decoded_and_its_reply_header_is_sent(
        self, desk: Running, version: str
    ) -> None:
        header = f'<d:Session xmlns:d="{NS}" {MU11 if version == "1.1" else MU12}>abc</d:Session>'
        answer = desk.post(echo("header", version, headers=header), version)
        assert answer.status == 200, answer.text
        assert ">abc<" in answer.text
        answer = desk.post(echo("reply header", version), version)
        assert etree.fromstring(answer.body).findtext(f".//{{{NS}}}Credit") == "7"

    def test_a_mandatory_header_that_is_unknown_is_a_must_understand_fault(
        self, desk: Running, version: str
    ) -> None:
        desk.notified.clear()
        header = f'<x:Other xmlns:x="urn:x" {MU11 if version == "1.1" else MU12}/>'
        body = envelope(f'<Notify xmlns="{NS}"><text>x</text></Notify>', version, header)
        answer = desk.post(body, version)
        assert answer.status == 500
        assert fault(answer)[0] == "MustUnderstand"
        assert b"etail" not in answer.body
        assert not desk.notified
        if version == "1.2":
            assert "NotUnderstood" in answer.text

    def test_mandatory_security_is_refused_as_long_as_it_is_not_checked(
        self, desk: Running, version: str
    ) -> None:
        wsse = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
        header = f'<w:Security xmlns:w="{wsse}" {MU11 if version == "1.1" else MU12}/>'
        assert fault(desk.post(echo(version=version, headers=header), version))[0] == "MustUnderstand"

    def test_the_headers_come_first_when_the_operation_is_unknown_too(
        self, desk: Running, version: str
    ) -> None:
        header = f'<x:Other xmlns:x="urn:x" {MU11 if version == "1.1" else MU12}/>'
        answer = desk.post(envelope('<Nothing xmlns="urn:x"/>', version, header), version)
        assert fault(answer)[0] == "MustUnderstand"

    @pytest.mark.parametrize(
        "payload",
        [
            '<Nothing xmlns="urn:x"/>',
            f'<EchoResponse xmlns="{NS}"><text>a</text><count>1</count></EchoResponse>',  # global, not an input
            f'<Ech\u00f6 xmlns="{NS}"/>',
            "only text",
            f'<Echo xmlns="{NS}"><text>a</text></Echo><Echo xmlns="{NS}"><text>a</text></Echo>',
            "<s:Fault><faultcode>s:Client</faultcode></s:Fault>",
        ],
    )
    def test_a_body_that_is_no_operation_is_the_senders_mistake(
        self, desk: Running, version: str, payload: str
    ) -> None:
        answer = desk.post(envelope(payload, version), version)
        assert fault(answer)[0] == ("Client" if version == "1.1" else "Sender")

    def test_ws_addressing_is_answered_with_relates_to(self, desk: Running, version: str) -> None:
        wsa = "http://www.w3.org/2005/08/addressing"
        header = (
            f'<a:MessageID xmlns:a="{wsa}">urn:uuid:1</a:MessageID><a:Action xmlns:a="{wsa}">x</a:Action>'
            f'<a:ReplyTo xmlns:a="{wsa}"><a:Address>{wsa}/anonymous</a:Address></a:ReplyTo>'
        )
        root = etree.fromstring(desk.post(echo(version=version, headers=header), version).body)
        assert root.findtext(f".//{{{wsa}}}RelatesTo") == "urn:uuid:1"
        root = etree.fromstring(desk.post(echo("closed", version, headers=header), version).body)
        assert root.findtext(f".//{{{wsa}}}RelatesTo") == "urn:uuid:1"
        away = header.replace("/anonymous", "/other")
        assert desk.post(echo(version=version, headers=away), version).status != 200

    def test_a_dtd_and_a_processing_instruction_are_refused(self, desk: Running, version: str) -> None:
        for prolog in ("<!DOCTYPE x [<!ENTITY a 'b'>]>", "<?php echo 1?>"):
            answer = desk.post(prolog.encode() + echo(version=version), version)
            assert fault(answer)[0] == ("Client" if version == "1.1" else "Sender")

    @pytest.mark.parametrize(
        "charset", ["utf-8", "utf-16", "gb18030", "gbk", "iso-8859-1", "big5", "shift_jis"]
    )
    def test_a_body_in_another_charset_is_read(self, desk: Running, version: str, charset: str) -> None:
        text = "é" if charset == "iso-8859-1" else "中"
        media = "text/xml" if version == "1.1" else "application/soap+xml"
        body = echo(text, version).decode().encode(charset)
        answer = desk.request("POST", "/services/desk", body, {"Content-Type": f"{media}; charset={charset}"})
        assert answer.status == 200, answer.text
        assert text in answer.text


def test_a_bogus_charset_is_refused(desk: Running) -> None:
    for charset in ("rot13", "zlib", "idna", "nonsense"):
        answer = desk.request(
            "POST", "/services/desk", echo(), {"Content-Type": f"text/xml; charset={charset}"}
        )
        assert answer.status in (415, 500)
        assert fault(answer)[0] == "Client"


def test_another_envelope_namespace_is_a_version_mismatch_with_upgrade(desk: Running) -> None:
    answer = desk.post(echo().replace(SOAP11.encode(), b"urn:soap:9"))
    assert answer.status == 500
    assert fault(answer)[0] == "VersionMismatch"
    assert "SupportedEnvelope" in answer.text


def test_a_service_that_speaks_only_1_2_answers_1_1_with_a_version_mismatch_in_1_1(desk: Running) -> None:
    answer = desk.post(echo(ns="urn:test:desk:2"), path="/services/desk/2")
    assert answer.status == 500
    assert fault(answer)[0] == "VersionMismatch"
    assert etree.QName(etree.fromstring(answer.body)).namespace == SOAP11
    assert desk.post(echo(version="1.2", ns="urn:test:desk:2"), "1.2", path="/services/desk/2").status == 200


def test_soapaction_decides_nothing(desk: Running) -> None:
    assert desk.post(echo(), SOAPAction='"urn:other"').status == 200


def test_an_invalid_header_is_a_fault_without_detail(desk: Running) -> None:
    header = f'<d:Session xmlns:d="{NS}"><inner/></d:Session>'
    answer = desk.post(echo(headers=header))
    assert fault(answer)[0] == "InvalidHeader"
    assert b"<detail" not in answer.body


def test_a_method_that_is_not_post_gets_405_with_allow(desk: Running) -> None:
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = desk.request(method, "/services/desk")
        assert answer.status == 405
        assert "POST" in answer.headers["allow"]
        assert answer.exchange


@pytest.mark.parametrize(
    "media",
    ["application/json", "application/octet-stream", "application/xml", "multipart/related; boundary=x", ""],
)
def test_another_media_type_gets_415(desk: Running, media: str) -> None:
    answer = desk.request("POST", "/services/desk", echo(), {"Content-Type": media} if media else {})
    assert answer.status == 415
    assert answer.exchange in answer.text


def test_an_unknown_address_gets_404(desk: Running) -> None:
    answer = desk.post(echo(), path="/services/nobody")
    assert answer.status == 404
    assert "Fault" in answer.text
    assert desk.request("GET", "/nowhere").status == 404


def test_an_empty_request_and_garbage_are_faults(desk: Running) -> None:
    for body in (b"", b"   ", b"<a", b"\x00\x01", b"<a/>", b"\xff\xfe", b"<e xmlns='urn:x'><f></e>"):
        answer = desk.post(body)
        assert fault(answer)[0] in ("Client", "VersionMismatch")
    assert desk.post(echo()).status == 200


def test_gzip_is_read_and_a_bomb_is_refused(desk: Running) -> None:
    assert desk.post(gzip.compress(echo()), Content_Encoding="gzip").status == 200
    bomb = gzip.compress(b" " * 30_000_000)
    assert desk.post(bomb, Content_Encoding="gzip").status == 413
    assert desk.post(gzip.compress(echo())[:-9], Content_Encoding="gzip").status == 400
    assert desk.post(echo(), Content_Encoding="br").status == 415


def test_href_and_id_attributes_are_just_attributes(desk: Running) -> None:
    body = envelope(f'<Echo xmlns="{NS}" id="1" href="#1"><text href="#x">a</text></Echo>')
    assert desk.post(body).status == 500
    assert desk.post(echo()).status == 200


def test_sixteen_threads_of_bad_requests_never_see_each_others_data(desk: Running) -> None:
    wrong: list[str] = []

    def attack(number: int) -> None:
        mine = f"mark{number:02d}x"
        for round_ in range(15):
            bad = envelope(f'<Echo xmlns="{NS}"><text>t</text><number>{mine}r{round_}</number></Echo>')
            text = desk.post(bad).text
            found = set(re.findall(r"mark\d\dxr\d+", text))
            if found != {f"{mine}r{round_}"}:
                wrong.append(f"{mine}r{round_} saw {found}")

    assert desk.post(echo()).status == 200
    before = threading.active_count()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(attack, range(16)))
    assert not wrong
    assert threading.active_count() <= before, "the server's threads are there from the start"
    assert desk.post(echo()).status == 200
