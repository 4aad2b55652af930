"""What became of a call: every row of docs/partners.md, against a socket that misbehaves that way."""

from __future__ import annotations

import email.utils
import gzip
import socket
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Callable
from typing import Any

import pytest
import trustme

from bridge.errors import (
    DeliveredUnreadable,
    HandlerError,
    InDoubt,
    NotSent,
    PartnerError,
    Refused,
    Unauthorised,
    Unavailable,
    Unpresentable,
)

from .conftest import ECHOED, GOOD, NS, SOAP12, RawServer, answering, envelope, fault, http

Start = Callable[..., RawServer]
Make = Callable[..., Any]

ECHO = {"text": "hello"}
HTML = "<html><head><title>Service is down</title></head><body>sorry</body></html>"
CLOSED = f'<Closed xmlns="{NS}"><until>2026-02-01</until></Closed>'


def outcome(partner: Any, operation: str = "Echo", values: Any = ECHO, **options: Any) -> PartnerError:
    """The outcome of a call that does not end well; it says who, what and which exchange."""
    with pytest.raises(PartnerError) as caught:
        partner.call(operation, values, **options)
    error = caught.value
    assert (error.partner, error.operation) == ("desk", operation)
    assert error.exchange_id
    assert error.advice
    return error


# -- NotSent: no byte of the request was written --------------------------------------------------------------------


def test_nobody_listens(partner: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    error = outcome(partner(f"http://127.0.0.1:{port}/"))
    assert type(error) is NotSent
    assert "Nobody listens" in str(error)
    assert error.repeat == "safe"


def test_a_name_that_does_not_exist(partner: Make) -> None:
    error = outcome(partner("http://no-such-host.invalid/"))
    assert type(error) is NotSent


def test_a_name_that_is_looked_up_for_too_long(partner: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def look_up(*_: Any, **__: Any) -> None:
        over.wait(5)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    error = outcome(partner("http://slow-names.invalid/", connect_timeout=0.1))
    over.set()
    assert type(error) is NotSent
    assert "within 0.1 seconds" in str(error)


def test_no_connection_in_time(partner: Make) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = []
        for _ in range(3):  # fills the queue of those who wait to be accepted
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(full.getsockname())
            waiting.append(one)
        error = outcome(partner(f"http://127.0.0.1:{full.getsockname()[1]}/", connect_timeout=0.2))
        for one in waiting:
            one.close()
    assert type(error) is NotSent
    assert "No connection" in str(error)


def test_a_certificate_that_nobody_vouches_for(server: Start, partner: Make) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    listening = server(answering(http(body=GOOD)), context)
    error = outcome(partner(listening.url))
    assert type(error) is NotSent
    assert "TLS" in str(error)
    assert not listening.requests


def test_a_server_that_does_not_speak_tls(server: Start, partner: Make) -> None:
    listening = server(lambda connection, _: connection.sendall(b"220 mail ready\r\n"))
    error = outcome(partner(listening.url.replace("http:", "https:")))
    assert type(error) is NotSent
    assert "does not speak TLS" in str(error)
    assert "http://" in error.advice


def test_a_handshake_that_never_ends(server: Start, partner: Make) -> None:
    listening = server(lambda _, listening: listening.over.wait(5))
    error = outcome(partner(listening.url.replace("http:", "https:"), connect_timeout=0.2))
    assert type(error) is NotSent


# -- Unpresentable: our own guard refused it ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"txt": "hello"}, "no field 'txt'"),
        ({"number": 1}, "text"),
        ({"text": "hello", "number": "one"}, "expected int"),
        ("hello", "Expected Echo"),
    ],
)
def test_values_that_break_the_contract_never_leave(
    server: Start, partner: Make, values: Any, said: str
) -> None:
    listening = server(answering(http(body=GOOD)))
    error = outcome(partner(listening.url), values=values)
    assert type(error) is Unpresentable
    assert said in str(error).replace("Expected int", "expected int")
    assert listening.connections == 0


def test_headers_are_checked_too(server: Start, partner: Make) -> None:
    listening = server(answering(http(body=GOOD)))
    error = outcome(partner(listening.url), headers={"Session": 5})
    assert type(error) is Unpresentable
    error = outcome(partner(listening.url), headers={"Sesion": "s"})
    assert "Sesion is not declared" in str(error)
    assert listening.connections == 0


# -- HTTP statuses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "headers", "expected", "said"),
    [
        ("401 Unauthorized", ["WWW-Authenticate: Basic"], Unauthorised, "401"),
        ("403 Forbidden", [], Unauthorised, "403"),
        ("407 Proxy Authentication Required", [], Unauthorised, "407"),
        ("429 Too Many Requests", [], Unavailable, "429"),
        ("503 Service Unavailable", ["Retry-After: 120"], Unavailable, "in 120 seconds"),
        ("503 Service Unavailable", [], InDoubt, "HTML page titled \"Service is down\""),
        ("500 Internal Server Error", [], InDoubt, "HTML page"),
        ("502 Bad Gateway", [], InDoubt, "HTML page"),
        ("504 Gateway Timeout", [], InDoubt, "HTML page"),
        ("200 OK", [], InDoubt, "HTML page"),
        ("301 Moved Permanently", ["Location: https://new.example/desk"], Unavailable, "https://new.example/desk"),
        ("302 Found", ["Location: /login"], Unavailable, "/login"),
        ("307 Temporary Redirect", ["Location: /there"], Unavailable, "/there"),
        ("308 Permanent Redirect", [], Unavailable, "does not name"),
        ("303 See Other", ["Location: /result/7"], InDoubt, "303"),
        ("404 Not Found", [], Unavailable, "Check `endpoint`"),
        ("405 Method Not Allowed", [], Unavailable, "405"),
        ("408 Request Timeout", [], Unavailable, "408"),
        ("410 Gone", [], Unavailable, "410"),
        ("400 Bad Request", [], Refused, "400"),
        ("413 Content Too Large", [], Refused, "413"),
        ("415 Unsupported Media Type", [], Refused, "415"),
        ("406 Not Acceptable", [], InDoubt, "406"),
        ("101 Switching Protocols", [], InDoubt, "101"),
        ("599 Whatever", [], InDoubt, "599"),
    ],
)  # fmt: skip
def test_an_answer_that_is_no_soap_is_judged_by_its_status(
    server: Start, partner: Make, status: str, headers: list[str], expected: type[PartnerError], said: str
) -> None:
    listening = server(answering(http(status, HTML, *headers, content_type="text/html")))
    error = outcome(partner(listening.url))
    assert type(error) is expected
    assert said in str(error)
    assert error.status == int(status[:3])
    assert len(listening.requests) == 1, "nothing is repeated, and no redirect followed"


def test_retry_after_may_be_a_date(server: Start, partner: Make) -> None:
    when = email.utils.formatdate(time.time() + 90, usegmt=True)
    listening = server(answering(http("503 Service Unavailable", HTML, f"Retry-After: {when}")))
    error = outcome(partner(listening.url))
    assert isinstance(error, Unavailable)
    assert error.retry_after is not None
    assert 60 < error.retry_after <= 90


@pytest.mark.parametrize("text", ["soon", "", "-5", "Fri, 99 Jan 2026 00:00:00 GMT"])
def test_a_retry_after_that_says_nothing_is_none(server: Start, partner: Make, text: str) -> None:
    listening = server(answering(http("429 Too Many Requests", "", f"Retry-After: {text}")))
    error = outcome(partner(listening.url))
    assert isinstance(error, Unavailable)
    assert error.retry_after is None


# -- the connection ends or stalls --------------------------------------------------------------------------------------


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def after_reading(
    then: Callable[[socket.socket, RawServer], Any],
) -> Callable[[socket.socket, RawServer], None]:
    def behave(connection: socket.socket, listening: RawServer) -> None:
        listening.read(connection)
        then(connection, listening)

    return behave


@pytest.mark.parametrize(
    ("then", "said"),
    [
        (lambda connection, _: reset(connection), "broke the connection"),
        (lambda connection, _: connection.close(), "without a word"),
        (lambda connection, _: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n<half"), "middle"),
        (lambda connection, _: connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\n<half"), "middle"),
        (lambda connection, _: connection.sendall(b"HTTP/1.1 200"), ""),
        (lambda connection, _: connection.sendall(b"SSH-2.0-OpenSSH_9\r\n"), "not HTTP"),
        (lambda connection, _: connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 50), "not HTTP"),
        (lambda connection, _: connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n"), "not HTTP"),
    ],
)  # fmt: skip
def test_what_was_processed_and_then_dropped_is_in_doubt(
    server: Start, partner: Make, then: Any, said: str
) -> None:
    listening = server(after_reading(then))
    error = outcome(partner(listening.url))
    assert type(error) is InDoubt
    assert said in str(error)
    assert error.repeat == "unknown"
    assert len(listening.requests) == 1


def test_a_reset_before_the_request_was_read_is_in_doubt_once_bytes_were_written(
    server: Start, partner: Make
) -> None:
    listening = server(lambda connection, _: reset(connection))
    error = outcome(partner(listening.url), values={"text": "x" * 100_000})
    # The system may tell of the reset before the first byte was taken over, or after.
    assert type(error) is InDoubt or (type(error) is NotSent and "Nothing was sent" in str(error))


def test_silence_ends_at_the_read_timeout(server: Start, partner: Make) -> None:
    listening = server(after_reading(lambda _, one: one.over.wait(5)))
    error = outcome(partner(listening.url, read_timeout=0.2))
    assert type(error) is InDoubt
    assert "nothing came for 0.2 seconds" in str(error)


def drip(data: bytes) -> Callable[[socket.socket, RawServer], None]:
    def then(connection: socket.socket, listening: RawServer) -> None:
        for number in range(len(data)):
            connection.sendall(data[number : number + 1])
            if listening.over.wait(0.1):
                return

    return after_reading(then)


@pytest.mark.parametrize(
    "start", [b"HTTP/1.1 200 OK\r\nServer: x", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"]
)
def test_bytes_that_trickle_in_end_at_the_deadline(server: Start, partner: Make, start: bytes) -> None:
    def behave(connection: socket.socket, listening: RawServer) -> None:
        listening.read(connection)
        connection.sendall(start)
        while not listening.over.wait(0.05):
            connection.sendall(b"a")

    error = outcome(partner(server(behave).url, read_timeout=5.0), deadline=0.4)
    assert type(error) is InDoubt
    assert "the 0.4 seconds for the whole call were over" in str(error)


def test_a_request_written_in_part_is_in_doubt(server: Start, partner: Make) -> None:
    listening = server(lambda _, one: one.over.wait(5))  # reads nothing
    error = outcome(partner(listening.url, read_timeout=0.3), values={"text": "x" * 20_000_000})
    assert type(error) is InDoubt
    assert "bytes were written" in str(error)


def test_an_answer_before_the_request_was_read_counts(server: Start, partner: Make) -> None:
    def behave(connection: socket.socket, listening: RawServer) -> None:
        connection.recv(1000)
        connection.sendall(http("413 Content Too Large", "", "Connection: close"))
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1_000_000):  # as servers do, so that their answer is not lost in a reset
            pass

    error = outcome(partner(server(behave).url), values={"text": "x" * 3_000_000})
    assert type(error) is Refused


# -- replies too large ---------------------------------------------------------------------------------------------------


def test_a_reply_announced_as_too_large_is_not_read(server: Start, partner: Make) -> None:
    listening = server(
        after_reading(lambda c, _: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"))
    )
    error = outcome(partner(listening.url))
    assert type(error) is InDoubt
    assert "larger than 10485760 bytes" in str(error)


def test_ten_megabytes_that_were_not_announced(server: Start, partner: Make) -> None:
    def then(connection: socket.socket, _: RawServer) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n")
        for _ in range(170):
            connection.sendall(b"x" * 65536)

    error = outcome(partner(server(after_reading(then)).url))
    assert type(error) is InDoubt
    assert "larger than" in str(error)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_compressed_reply_that_swells_is_stopped(server: Start, partner: Make, coding: str) -> None:
    plain = b"<a>" + b"0" * 50_000_000
    bomb = gzip.compress(plain, 1) if coding == "gzip" else zlib.compress(plain, 1)
    error = outcome(partner(server(answering(http("200 OK", bomb, f"Content-Encoding: {coding}"))).url))
    assert type(error) is InDoubt
    assert "compressed" in str(error)


def test_a_content_encoding_that_nobody_asked_for(server: Start, partner: Make) -> None:
    error = outcome(partner(server(answering(http("200 OK", GOOD, "Content-Encoding: br"))).url))
    assert type(error) is InDoubt
    assert "Content-Encoding" in str(error)


def test_an_honest_compressed_reply_is_read(server: Start, partner: Make) -> None:
    listening = server(answering(http("200 OK", gzip.compress(GOOD.encode()), "Content-Encoding: gzip")))
    assert partner(listening.url).call("Echo", ECHO).text == "hello"


# -- replies off contract ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (envelope(ECHOED.replace(">1<", ">zero<")), "count"),
        (envelope(ECHOED.replace("EchoResponse", "Surprise")), "Surprise"),
        (envelope(""), "Body is empty"),
        (envelope(ECHOED + ECHOED), "2"),
        (envelope(ECHOED, SOAP12), "speaks SOAP 1.2"),
        (envelope(ECHOED, headers=f'<c:Credit xmlns:c="{NS}">-1</c:Credit>'), "Credit"),
        (envelope(ECHOED, headers='<x:New xmlns:x="urn:x" s:mustUnderstand="1"/>'), "New"),
    ],
)
def test_a_reply_that_breaks_the_contract_was_delivered(
    server: Start, partner: Make, body: str, said: str
) -> None:
    error = outcome(partner(server(answering(http(body=body))).url))
    assert type(error) is DeliveredUnreadable
    assert said in str(error)
    assert error.repeat == "useless"
    assert "Never repeat" in error.advice


def test_every_violation_of_a_reply_is_listed(server: Start, partner: Make) -> None:
    body = envelope(f'<EchoResponse xmlns="{NS}"><count>zero</count><more/></EchoResponse>')
    error = outcome(partner(server(answering(http(body=body))).url))
    assert isinstance(error, DeliveredUnreadable)
    assert len(error.violations) >= 3


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (GOOD[:-20], "text/xml"),
        ("", "text/xml"),
        ("<a/>", "text/xml"),
        ("{}", "application/json"),
        (GOOD, "text/plain"),
        (f'<!DOCTYPE a [<!ENTITY e "x">]>{GOOD}', "text/xml"),
        (GOOD, "text/xml; charset=klingon"),
        (GOOD, "multipart/related; boundary=x"),
    ],
)
def test_what_does_not_tell_whether_it_was_done_is_in_doubt(
    server: Start, partner: Make, body: str, content_type: str
) -> None:
    error = outcome(partner(server(answering(http(body=body, content_type=content_type))).url))
    assert type(error) is InDoubt


@pytest.mark.parametrize(
    "content_type", ["text/xml", "application/xml", "application/soap+xml; charset=utf-8", ""]
)
def test_a_media_type_of_xml_is_good_enough(server: Start, partner: Make, content_type: str) -> None:
    assert (
        partner(server(answering(http(body=GOOD, content_type=content_type))).url).call("Echo", ECHO).count
        == 1
    )


def test_interim_answers_are_passed_over(server: Start, partner: Make) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    assert partner(server(answering(interim + http(body=GOOD))).url).call("Echo", ECHO).count == 1


# -- faults -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["500 Internal Server Error", "200 OK", "400 Bad Request"])
@pytest.mark.parametrize("code", ["s:Server", "s:Client"])
def test_a_declared_fault_is_the_partners_verdict_and_comes_decoded(
    server: Start, partner: Make, status: str, code: str
) -> None:
    error = outcome(partner(server(answering(http(status, fault(code, "closed", CLOSED)))).url))
    assert type(error) is Refused
    assert (error.name, error.reason) == ("Closed", "closed")
    assert str(error.value.until) == "2026-02-01"
    assert "2026-02-01" in error.detail


@pytest.mark.parametrize(
    ("code", "expected", "read_as"),
    [
        ("s:Client", Refused, "Client"),
        ("Client", Refused, "Client"),
        ("s:Client.Authentication", Refused, "Client"),
        ("s:Server", InDoubt, "Server"),
        ("s:Server.userException", InDoubt, "Server"),
        ("s:MustUnderstand", Refused, "MustUnderstand"),
        ("s:VersionMismatch", Refused, "VersionMismatch"),
        ("OrderClosed", InDoubt, "OrderClosed"),
        ("", InDoubt, ""),
    ],
)
def test_an_undeclared_fault_is_judged_by_its_code(
    server: Start, partner: Make, code: str, expected: type[PartnerError], read_as: str
) -> None:
    body = fault(code, "why not", '<x xmlns="urn:x">more</x>')
    error = outcome(partner(server(answering(http("500 Internal Server Error", body))).url))
    assert type(error) is expected
    assert (error.code, error.reason, error.detail) == (read_as, "why not", '<x xmlns="urn:x" xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">more</x>')  # fmt: skip


@pytest.mark.parametrize(("code", "expected"), [("s:Client", Refused), ("s:Server", InDoubt)])
def test_a_declared_fault_that_breaks_the_contract_says_which_and_why(
    server: Start, partner: Make, code: str, expected: type[PartnerError]
) -> None:
    body = fault(code, "closed", f'<Closed xmlns="{NS}"><until>tomorrow</until></Closed>')
    error = outcome(partner(server(answering(http("500 Internal Server Error", body))).url))
    assert type(error) is expected
    assert "the fault Closed, which breaks the contract" in str(error)
    assert "until" in str(error)
    if isinstance(error, Refused):
        assert (error.name, error.value) == ("Closed", None)
        assert error.violations


def test_a_fault_of_soap_12_gives_subcodes_and_the_english_reason(server: Start, partner: Make) -> None:
    body = envelope(
        "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value xmlns:m='urn:m'>m:Late</s:Value></s:Subcode></s:Code>"
        "<s:Reason><s:Text xml:lang='de'>zu spät</s:Text><s:Text xml:lang='en'>too late</s:Text></s:Reason>"
        "</s:Fault>",
        SOAP12,
    )
    error = outcome(partner(server(answering(http("400 Bad Request", body))).url, soap="1.2"))
    assert type(error) is Refused
    assert error.fault is not None
    assert (error.code, error.fault.subcodes, error.reason) == ("Sender", ("{urn:m}Late",), "too late")


def test_credentials_that_a_fault_refuses_are_unauthorised(server: Start, partner: Make) -> None:
    wsse = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
    body = fault("w:FailedAuthentication", "who are you").replace(
        "<faultcode>", f'<faultcode xmlns:w="{wsse}">'
    )
    error = outcome(partner(server(answering(http("500 Internal Server Error", body))).url))
    assert type(error) is Unauthorised


def test_a_long_fault_is_cut(server: Start, partner: Make) -> None:
    body = fault("s:Server", "r" * 100_000, f"<x>{'d' * 100_000}</x>")
    error = outcome(partner(server(answering(http("500 Internal Server Error", body))).url))
    assert len(error.reason) <= 1000
    assert len(error.detail) <= 4000
    assert len(str(error)) < 1500


def test_a_good_reply_with_a_bad_status_is_in_doubt(server: Start, partner: Make) -> None:
    error = outcome(partner(server(answering(http("500 Internal Server Error", GOOD))).url))
    assert type(error) is InDoubt


# -- one-way ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer", [http("202 Accepted"), http("200 OK"), http("204 No Content"), http(body=envelope(""))]
)
def test_a_one_way_request_is_accepted_without_an_answer(server: Start, partner: Make, answer: bytes) -> None:
    assert partner(server(answering(answer)).url).call("Notify", {"text": "x"}) is None


def test_a_one_way_request_may_be_refused_all_the_same(server: Start, partner: Make) -> None:
    error = outcome(
        partner(server(answering(http("500 Internal Server Error", fault("s:Client")))).url),
        "Notify",
        {"text": "x"},
    )
    assert type(error) is Refused


def test_202_to_a_request_that_wants_a_reply_is_in_doubt(server: Start, partner: Make) -> None:
    error = outcome(partner(server(answering(http("202 Accepted"))).url))
    assert type(error) is InDoubt


# -- client certificates -----------------------------------------------------------------------------------------------------


# TLS 1.2 tells while shaking hands, and only that it failed; 1.3 tells what is missing, after the request was written.
@pytest.mark.parametrize(
    ("version", "expected"), [(ssl.TLSVersion.TLSv1_2, NotSent), (ssl.TLSVersion.TLSv1_3, Unauthorised)]
)
def test_a_partner_that_wants_our_certificate_does_not_let_us_in_without(
    server: Start, partner: Make, tmp_path: Any, version: ssl.TLSVersion, expected: type[PartnerError]
) -> None:
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = version
    ca.issue_cert("localhost").configure_cert(context)
    ca.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    listening = server(answering(http(body=GOOD)), context)
    error = outcome(partner(listening.url, ca=tmp_path / "ca.pem"))
    assert type(error) is expected
    assert not listening.requests

    ours = ca.issue_cert("bridge@example.com")
    ours.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "ours.pem"))
    let_in = partner(listening.url, ca=tmp_path / "ca.pem", certificate=tmp_path / "ours.pem")
    assert let_in.call("Echo", ECHO).text == "hello"


def test_an_operation_that_does_not_exist_is_the_callers_mistake(partner: Make) -> None:
    with pytest.raises(HandlerError, match="Did you mean 'Echo'"):
        partner("http://127.0.0.1:9/").call("Eco", ECHO)
