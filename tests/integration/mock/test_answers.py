"""A mock without a script: what it answers, how it refuses, what it shows."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import zeep
from lxml import etree

from bridge.app import Bridge
from bridge.contract import load
from bridge.errors import ContractError, SettingsError
from bridge.host.root import Root
from bridge.mock import Mock
from bridge.settings import Server as ServerSettings
from bridge.settings import Settings
from bridge.soap.envelope import seal
from bridge.soap.limits import Limits
from tests.integration.mock.conftest import DESK, echo, get, post


@pytest.mark.parametrize(("version", "content_type"), [("1.1", "text/xml"), ("1.2", "application/soap+xml")])
def test_a_request_is_answered_with_a_sample_in_its_own_version(desk, version, content_type):
    mock = desk()
    answer = post(mock.url, echo(version=version), content_type=content_type)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith(content_type)
    assert load(DESK).compile().validate(answer.payload)
    assert [(one.operation, one.soap_version) for one in mock.received] == [("Echo", version)]


def test_the_declared_reply_headers_are_there(desk):
    answer = post(desk().url, echo())
    (header,) = etree.fromstring(answer.body)[0]
    assert header.tag == "{urn:test:desk:1}Credit"
    assert int(header.text) >= 0


def test_a_one_way_request_is_accepted_and_an_empty_body_answered(desk):
    mock = desk()
    notify = b'<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body><Notify xmlns="urn:test:desk:1"><text>x</text></Notify></Body></Envelope>'
    ping = b'<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body/></Envelope>'
    assert (post(mock.url, notify).status, post(mock.url, notify).body) == (202, b"")
    assert post(mock.url, ping).payload.tag == "{urn:test:desk:1}PingResponse"


def test_values_of_the_request_stand_in_the_sample(desk):
    assert post(desk().url, echo("this very text")).text("text") == "this very text"


def test_a_request_that_breaks_the_contract_gets_the_fault_that_the_bridge_gives(desk):
    bad = b'<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body><Echo xmlns="urn:test:desk:1"><number>many</number><x/></Echo></Body></Envelope>'
    mock = desk()
    answer = post(mock.url, bad)
    bridge = Bridge(store=False)
    service = bridge.serve(load(DESK))
    service.operation("Echo")(lambda echo, call: None)
    theirs = b"".join(
        Root(bridge)(
            {
                "REQUEST_METHOD": "POST",
                "PATH_INFO": service.path,
                "CONTENT_TYPE": "text/xml",
                "CONTENT_LENGTH": str(len(bad)),
                "wsgi.input": __import__("io").BytesIO(bad),
            },
            lambda *_: None,
        )
    )

    def without_ids(body: bytes) -> bytes:
        return re.sub(rb"[0-9a-f]{12}-[0-9a-f]{10}-[0-9a-f]+", b"ID", body)

    assert answer.status == 500
    assert without_ids(answer.body) == without_ids(theirs)
    (one,) = mock.received
    assert len(one.violations) >= 3
    assert one.refused
    assert one.value is None
    assert one.answered == "fault Client"


def test_the_contract_is_served_with_the_mocks_own_address(desk):
    mock = desk()
    wsdl = etree.fromstring(get(mock.wsdl_url).body)
    assert set(wsdl.xpath("//@location")) == {mock.url}
    assert get(f"{mock.url}?xsd=../../etc/passwd").status == 404


def test_zeep_calls_it_from_its_wsdl_alone(desk):
    mock = desk()
    client = zeep.Client(mock.wsdl_url)
    said = client.service.Echo(text="hello", _soapheaders=None)
    assert said.body.text == "hello"
    assert mock.received[0].value.text == "hello"


def test_the_paths_of_the_contracts_own_addresses_answer_too(desk):
    mock = desk()
    assert post(f"{mock.base_url}/branch", echo()).status == 200
    assert b"/services/desk" in get(f"{mock.base_url}/branch?wsdl").body
    assert post(f"{mock.base_url}/elsewhere", echo()).status == 404


def test_other_methods_are_refused_as_the_bridge_does(desk):
    answer = get(desk().url, method="PUT")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, POST")


def test_a_body_in_chunks_is_read(desk):
    mock = desk()
    parts = urlsplit(mock.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as client:
        body = echo("in chunks")
        client.sendall(
            b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n"
            b"Connection: close\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (parts.path.encode(), len(body), body)
        )
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"in chunks" in answer


def test_the_same_seed_gives_the_same_replies():
    def replies(seed: int) -> list[bytes]:
        request = b'<GetStock xmlns="urn:soapbridge:erp:inventory:1"><sku>A-1</sku></GetStock>'
        with Mock("inventory", seed=seed) as mock:
            return [post(mock.url, seal("1.1", request.decode())).body for _ in range(6)]

    assert replies(7) == replies(7)
    assert len(set(replies(7))) > 1
    assert replies(7) != replies(8)
    assert len(set(replies(0))) == 1


def test_what_came_can_be_listed_and_forgotten(desk):
    mock = desk()
    post(
        mock.url, echo("<&>".replace("<", "&lt;").replace("&>", "&amp;&gt;")), Authorization="Basic c2VjcmV0"
    )
    listed = json.loads(get(f"{mock.base_url}/received").body)
    (one,) = listed["received"]
    assert listed["total"] == 1
    assert (one["operation"], one["value"], one["status"], one["answered"]) == (
        "Echo",
        {"text": "<&>"},
        200,
        "sample reply",
    )
    assert ["authorization", "***"] in one["headers"]
    assert "c2VjcmV0" not in json.dumps(one)
    assert mock.received[0].header("Authorization") == "Basic c2VjcmV0"
    page = get(f"{mock.base_url}/")
    assert b"Mock of desk" in page.body
    assert b"&lt;text&gt;" in page.body
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert get(f"{mock.base_url}/received", method="DELETE").status == 204
    assert json.loads(get(f"{mock.base_url}/received").body) == {"total": 1, "received": []}


def test_only_the_newest_are_kept(desk):
    mock = desk(keep=3)
    for number in range(5):
        post(mock.url, echo(str(number)))
    assert [one.value.text for one in mock.received] == ["2", "3", "4"]
    assert mock.received.total == 5
    assert mock.received[-1].number == 5


def test_the_settings_of_a_bridge_do_not_become_the_mocks(desk):
    settings = Settings(server=ServerSettings(public_url="https://bridge.example.com"))
    mock = desk(settings=settings)
    assert b"bridge.example.com" not in get(mock.wsdl_url).body
    small = desk(settings=Settings(limits=Limits(max_bytes=200)))
    assert post(small.url, echo("x" * 300)).status == 413


def test_a_contract_may_be_called_what_it_likes(tmp_path):
    odd = tmp_path / "订单 desk-2.wsdl"
    odd.write_bytes(DESK.read_bytes())
    with Mock(odd) as mock:
        assert mock.url.isascii()
        assert post(mock.url, echo()).status == 200
        assert get(mock.wsdl_url).status == 200


def test_an_error_of_the_mocks_own_is_an_answer_too(desk, monkeypatch):
    mock = desk(listener=lambda one: 1 / 0)
    assert post(mock.url, echo()).status == 200
    monkeypatch.setattr("bridge.mock.received_json", lambda mocked: 1 / 0)
    assert get(f"{mock.base_url}/received").status == 500


def test_the_exchange_id_is_in_the_answer_and_in_the_list(desk):
    mock = desk()
    answer = post(mock.url, echo())
    assert answer.headers["X-Exchange-Id"] == mock.received[0].exchange_id


def test_many_at_once_are_all_answered_and_all_listed(desk):
    mock = desk()
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda number: post(mock.url, echo(str(number))).text("text"), range(100)))
    assert answers == [str(number) for number in range(100)]
    assert sorted(one.number for one in mock.received) == list(range(1, 101))


def test_a_closed_mock_leaves_no_thread_and_no_port():
    before = set(threading.enumerate())
    with Mock(DESK) as mock:
        post(mock.url, echo())
        parts = urlsplit(mock.url)
        idle = socket.create_connection((parts.hostname, parts.port))
    assert set(threading.enumerate()) == before
    idle.settimeout(10)
    with contextlib.suppress(ConnectionResetError):
        assert idle.recv(1) == b""  # cut, not left open
    idle.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((parts.hostname, parts.port))
    mock.close()


def test_a_port_that_is_taken_is_said_so():
    with Mock(DESK) as mock, pytest.raises(SettingsError, match=r"Cannot listen on .*Choose another port"):
        Mock(DESK, port=urlsplit(mock.url).port).start()


def test_a_contract_that_cannot_be_read_or_answered_is_said_so(tmp_path):
    with pytest.raises(ContractError):
        Mock(tmp_path / "none.wsdl")
    encoded = DESK.read_text().replace('use="literal"', 'use="encoded"')
    (tmp_path / "encoded.wsdl").write_text(encoded)
    with pytest.raises(SettingsError, match="encoded"):
        Mock(tmp_path / "encoded.wsdl")
