"""Every action of a script, seen from a client's socket."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
from urllib.parse import urlsplit

import pytest
from lxml import etree

from bridge.contract import load
from bridge.mock import server
from bridge.mock.answers import Match
from tests.integration.mock.conftest import DESK, echo, get, post

RULE = '[[rule]]\noperation = "Echo"\n'


def raw(url: str, body: bytes, *, keep: bool = False) -> socket.socket:
    """A connection on which one request was sent."""
    parts = urlsplit(url)
    client = socket.create_connection((parts.hostname, parts.port), timeout=10)
    connection = "keep-alive" if keep else "close"
    client.sendall(
        f"POST {parts.path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n"
        f"Connection: {connection}\r\n\r\n".encode()
        + body
    )
    return client


def read_all(client: socket.socket) -> bytes:
    with client:
        return b"".join(iter(lambda: client.recv(65536), b""))


# Which rule


def test_the_first_rule_that_fits_decides(desk):
    mock = desk(
        """
        [[rule]]
        operation = "Echo"
        match = "//text = 'b' and number > 3"
        reply = { text = "first", count = 1 }

        [[rule]]
        match = "//d:text = 'b'"
        status = 404
        """
    )
    assert post(mock.url, echo("b", 4)).text("text") == "first"
    assert post(mock.url, echo("b", 3)).status == 404
    assert post(mock.url, echo("c", 4)).text("text") == "c"
    assert [one.rule.rpartition(":")[2] for one in mock.received] == ["2", "7", ""]


def test_a_prefix_may_be_ones_own(desk):
    mock = desk(
        f'[namespaces]\nmy = "urn:test:desk:1"\n{RULE}match = "/my:Echo[my:text=\'x\']"\nstatus = 410\n'
    )
    assert (post(mock.url, echo("x")).status, post(mock.url, echo("y")).status) == (410, 200)


def test_rules_by_header_by_turn_and_for_a_while(desk):
    mock = desk(
        f'{RULE}header = {{ "X-Tenant" = "north*" }}\nstatus = 403\n'
        f"{RULE}nth = [2, 3]\nstatus = 429\n{RULE}times = 1\nstatus = 503\n"
    )
    assert post(mock.url, echo(), **{"x-tenant": "north-7"}).status == 403
    assert [post(mock.url, echo()).status for _ in range(4)] == [429, 429, 503, 200]


# What is answered


def test_a_reply_of_values(desk):
    answer = post(desk(f'{RULE}reply = {{ text = "as told", count = 42 }}\n').url, echo())
    assert (answer.text("text"), answer.text("count")) == ("as told", "42")


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_reply_from_a_file_payload_or_envelope(desk, tmp_path, wrapped):
    payload = '<EchoResponse xmlns="urn:test:desk:1"><text>filed</text><count>3</count></EchoResponse>'
    envelope = f'<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body>{payload}</e:Body></e:Envelope>'
    (tmp_path / "reply.xml").write_text(envelope if wrapped else payload)
    answer = post(desk(f'{RULE}reply_file = "reply.xml"\n').url, echo())
    assert answer.text("text") == "filed"


@pytest.mark.parametrize(("version", "status"), [("1.1", 500), ("1.2", 400)])
def test_a_declared_fault_with_values_or_a_sample(desk, version, status):
    content_type = "text/xml" if version == "1.1" else "application/soap+xml"
    mock = desk(
        f'{RULE}times = 1\nfault = {{ name = "Closed", values = {{ until = 2026-12-24 }} }}\n{RULE}fault = "Closed"\n'
    )
    first = post(mock.url, echo(version=version), content_type=content_type)
    second = post(mock.url, echo(version=version), content_type=content_type)
    assert (first.status, second.status) == (status, status)
    assert first.text("until") == "2026-12-24"
    assert second.text("until")
    assert [one.answered for one in mock.received] == ["fault Closed", "fault Closed"]


def test_a_plain_fault_says_nothing_of_ours(desk):
    mock = desk(f'{RULE}fault = {{ code = "Server", text = "Database down" }}\n')
    for version, code in (("1.1", "faultcode"), ("1.2", "Value")):
        content_type = "text/xml" if version == "1.1" else "application/soap+xml"
        answer = post(mock.url, echo(version=version), content_type=content_type)
        assert answer.status == 500
        assert answer.payload.findtext(f".//{{*}}{code}").endswith(
            "Server" if version == "1.1" else "Receiver"
        )
        assert b"Database down" in answer.body
        assert b"urn:soapbridge" not in answer.body


def test_plain_http_with_headers_and_body(desk):
    mock = desk(f'{RULE}status = 503\nheaders = {{ "Retry-After" = "30" }}\nbody = "later"\n')
    answer = post(mock.url, echo())
    assert (answer.status, answer.headers["Retry-After"], answer.body) == (503, "30", b"later")
    moved = desk(f'{RULE}status = 302\nheaders = {{ Location = "http://127.0.0.1:1/" }}\n')
    assert post(moved.url, echo()).headers["Location"] == "http://127.0.0.1:1/"


# When it comes


def test_a_late_answer_comes_late(desk):
    began = time.monotonic()
    assert post(desk(f"{RULE}delay = 0.2\n").url, echo("late")).text("text") == "late"
    assert time.monotonic() - began >= 0.2


def test_answers_that_wait_hold_nobody_up(desk):
    mock = desk(f"{RULE}match = \"//text = 'late'\"\ndelay = 600\n")
    waiting = [raw(mock.url, echo("late")) for _ in range(2 * server.THREADS)]
    while len(mock.received) < len(waiting):
        time.sleep(0.01)
    assert post(mock.url, echo("now")).text("text") == "now"
    mock.close()  # at once: nothing waits for 600 seconds
    for client in waiting:
        client.close()


def test_an_answer_that_never_comes(desk):
    mock = desk(f"{RULE}delay = inf\n")
    with pytest.raises(TimeoutError):
        post(mock.url, echo(), timeout=0.2)
    (one,) = mock.received
    assert (one.answered, one.status) == ("no answer", None)
    assert get(f"{mock.base_url}/received").status == 200


def test_a_client_that_gives_up_frees_its_connection(desk):
    mock = desk(f"{RULE}delay = inf\n")
    client = raw(mock.url, echo())
    while not len(mock.received):
        time.sleep(0.01)
    client.shutdown(socket.SHUT_WR)
    assert read_all(client) == b""


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_dropped_connection_is_reset_without_a_byte(desk, when):
    mock = desk(f'{RULE}drop = "{when}"\n')
    with pytest.raises(ConnectionResetError):
        read_all(raw(mock.url, echo()))
    (one,) = mock.received
    assert one.answered == (
        "dropped before processing" if when == "before" else "sample reply, dropped after processing"
    )
    assert one.status is None


def test_half_a_reply_and_then_the_end(desk):
    mock = desk(f'{RULE}drop = "mid-reply"\n')
    parts = urlsplit(mock.url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    connection.request("POST", parts.path, echo(), {"Content-Type": "text/xml"})
    response = connection.getresponse()
    with pytest.raises(http.client.IncompleteRead) as cut:
        response.read()
    assert cut.value.partial
    assert cut.value.expected
    connection.close()


def test_a_request_taken_twice(desk):
    mock = desk(
        f'{RULE}times = 1\nduplicate = "request"\nreply = {{ text = "first", count = 1 }}\n'
        f'{RULE}reply = {{ text = "second", count = 2 }}\n'
    )
    assert post(mock.url, echo()).text("text") == "second"
    assert [(one.duplicate, one.value.text) for one in mock.received] == [(False, "hello"), (True, "hello")]
    assert len({one.exchange_id for one in mock.received}) == 2


def test_a_reply_sent_twice(desk):
    said = read_all(raw(desk(f'{RULE}duplicate = "reply"\n').url, echo()))
    assert said.count(b"HTTP/1.1 200 OK") == 2
    assert said.count(b"EchoResponse>") == 2


# What breaks the contract


def off(desk, way: str, more: str = "", body: bytes | None = None):
    return post(desk(f'{RULE}off_contract = "{way}"\n{more}').url, body or echo())


@pytest.mark.parametrize("way", ["missing-element", "wrong-type", "unknown-element"])
def test_a_payload_that_is_not_valid(desk, way):
    answer = off(desk, way)
    assert answer.status == 200
    assert answer.payload.tag == "{urn:test:desk:1}EchoResponse"
    assert not load(DESK).compile().validate(answer.payload)


def test_what_is_broken_may_be_a_reply_of_ones_own(desk):
    answer = off(desk, "wrong-type", 'reply = { text = "mine", count = 5 }\n')
    assert (answer.text("text"), answer.text("count")) == ("mine", "not a value")


def test_a_payload_of_somebody_elses_namespace(desk):
    assert off(desk, "wrong-namespace").payload.tag == "{urn:example:somebody-else}EchoResponse"


def test_a_file_as_it_is(desk, tmp_path):
    (tmp_path / "odd.xml").write_text('<?xml version="1.0"?>\n<Surprise><unclosed></Surprise>')
    answer = off(desk, "as-given", 'reply_file = "odd.xml"\n')
    assert b"<soap:Body><Surprise><unclosed></Surprise></soap:Body>" in answer.body
    (tmp_path / "odd.xml").write_text("<Envelope>not ours</Envelope>")
    assert off(desk, "as-given", 'reply_file = "odd.xml"\n').body == b"<Envelope>not ours</Envelope>"


def test_a_page_for_people(desk):
    answer = off(desk, "html")
    assert (answer.status, answer.headers.get_content_type()) == (200, "text/html")
    assert b"<h1>" in answer.body


def test_nothing(desk):
    answer = off(desk, "empty")
    assert (answer.status, answer.body) == (200, b"")


def test_an_envelope_that_ends_in_the_middle(desk):
    answer = off(desk, "truncated")
    assert int(answer.headers["Content-Length"]) == len(answer.body) > 50
    with pytest.raises(etree.XMLSyntaxError):
        etree.fromstring(answer.body)


def test_a_reply_that_is_said_to_be_text(desk):
    answer = off(desk, "wrong-content-type")
    assert answer.headers.get_content_type() == "text/plain"
    assert answer.text("text") == "hello"


def test_a_huge_reply_is_valid(desk):
    answer = off(desk, "huge", "size = 300000\n")
    assert 300_000 <= len(answer.body) < 301_000
    (payload,) = etree.fromstring(answer.body)[-1].iterchildren(etree.Element)
    assert load(DESK).compile().validate(payload)


def test_a_slow_reply_comes_in_pieces_and_whole(desk):
    client = raw(desk(f'{RULE}off_contract = "slow"\nbytes_per_second = 4000\n').url, echo("slow " * 100))
    pieces = list(iter(lambda: client.recv(65536), b""))
    client.close()
    assert len(pieces) > 2
    assert b"".join(pieces).endswith(b"</soap:Envelope>")


def test_a_slow_reply_ends_with_its_client_and_with_the_mock(desk):
    mock = desk(f'{RULE}off_contract = "slow"\n')
    gone = raw(mock.url, echo())
    gone.recv(10)
    gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    gone.close()
    waiting = raw(mock.url, echo())
    waiting.recv(10)
    mock.close()
    waiting.close()


def test_no_rule_is_asked_about_a_request_that_breaks_the_contract(desk):
    mock = desk(f"{RULE}status = 503\n")
    assert post(mock.url, echo(number=None).replace(b"text>", b"txet>")).status == 500
    assert mock.received[0].violations
    assert post(mock.url, echo()).status == 503


def test_an_xpath_that_gives_no_number_does_not_hold(desk):
    mock = desk(f'{RULE}match = "number(//text)"\nstatus = 404\n')
    assert (post(mock.url, echo("x")).status, post(mock.url, echo("1")).status) == (200, 404)


def test_an_xpath_that_does_not_end_is_given_up(desk, monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(server, "STUCK_AFTER", 0.05)
    mock = desk(f"{RULE}match = \"//text = 'x'\"\nstatus = 404\n")
    monkeypatch.setattr(Match, "__call__", lambda self, facts: release.wait(10))
    answer = post(mock.url, echo())
    assert answer.status == 500
    assert b"did not come to an end" in answer.body
    release.set()


def test_a_large_payload_fits_no_rule_with_an_xpath(desk):
    mock = desk(f'{RULE}match = "//text"\nstatus = 404\n')
    assert post(mock.url, echo("x" * 1_100_000)).status == 200
    assert post(mock.url, echo("x")).status == 404
