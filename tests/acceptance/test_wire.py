"""Bytes on a socket: what odd but lawful clients and hostile ones send to the shipped bridge, and what they get."""

from __future__ import annotations

import gzip
import re
import socket
import time
import uuid
from typing import Any

import pytest

from tests.acceptance.shipped_erp import SAMPLES, ErpProcess, ask, get_order, order

BAD = (SAMPLES / "purchasing/CreatePurchaseOrder/bad-three-fields-soap11.xml").read_bytes()
HEAD = b"POST /services/purchasing HTTP/1.1\r\nHost: erp.example\r\nContent-Type: text/xml; charset=utf-8\r\n"


def unique() -> str:
    return f"wire-{uuid.uuid4().hex[:12]}"


def sized(body: bytes, extra: bytes = b"") -> bytes:
    return HEAD + extra + b"Content-Length: %d\r\n\r\n" % len(body) + body


def chunked(body: bytes, size: int) -> bytes:
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    return (
        b"".join(b"%x;ignored=yes\r\n%b\r\n" % (len(one), one) for one in pieces) + b"0\r\nTrailer: x\r\n\r\n"
    )


def answer(stream: Any) -> tuple[int, dict[str, str], bytes]:
    """The next answer that is not interim."""
    status = 100
    while status == 100:
        line = stream.readline()
        assert line, "the connection was closed"
        status = int(line.split()[1])
        headers = {}
        while (line := stream.readline().strip()) != b"":
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
    return status, headers, stream.read(int(headers.get("content-length", 0)))


def kept(erp: ErpProcess, request_id: str) -> bool:
    return erp.post("purchasing", get_order(request_id)).status == 200


# lawful


def test_a_chunked_and_zipped_request_that_expects_to_be_asked_is_stored(erp: ErpProcess) -> None:
    mine = unique()
    extra = b"Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\nExpect: 100-continue\r\n\r\n"
    with erp.socket() as connection, connection.makefile("rb") as stream:
        connection.sendall(HEAD + extra)
        assert stream.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert stream.readline() == b"\r\n"
        connection.sendall(chunked(gzip.compress(order(mine)), 7))
        status, headers, body = answer(stream)
    assert status == 200
    assert headers["content-type"] == "text/xml; charset=utf-8"
    assert b":orderNumber>PO-" in body
    assert kept(erp, mine)


@pytest.mark.parametrize("version", ["1.1", "1.2"])
@pytest.mark.parametrize(("wanted", "told"), [("zh-CN,zh;q=0.9", "请求有"), ("de", "The request breaks")])
def test_a_fault_is_told_once_and_in_the_language_asked_for(
    erp: ErpProcess, version: str, wanted: str, told: str
) -> None:
    bad = order(unique(), quantity="0", version=version)
    got = erp.post("purchasing", bad, version=version, Accept_Language=wanted)
    assert got.fault is not None
    assert got.fault.reason.startswith(told)
    assert len([*got.root.iter("faultstring"), *got.root.iter("{*}Text")]) == 1


def test_a_pipeline_of_good_bad_and_page_is_answered_in_order(erp: ErpProcess) -> None:
    mine = unique()
    page = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    with erp.socket() as connection, connection.makefile("rb") as stream:
        connection.sendall(sized(order(mine)) + sized(BAD) + page + sized(get_order(mine)) + sized(b"<"))
        statuses = [answer(stream)[0] for _ in range(5)]
    assert statuses == [200, 500, 200, 200, 500]


def test_a_thousand_requests_on_one_connection_good_and_bad(erp: ErpProcess) -> None:
    mine = unique()
    connection = erp.connection()
    exchanges = set()
    connection.connect()
    first = connection.sock
    try:
        for number in range(1000):
            body = BAD if number % 10 == 3 else get_order("nobody") if number else order(mine)
            got = ask(connection, "POST", "/services/purchasing", body, Content_Type="text/xml")
            assert got.status == (500 if number else 200)
            exchanges.add(got.headers["x-exchange-id"])
            assert connection.sock is first
    finally:
        connection.close()
    assert len(exchanges) == 1000


def test_a_request_that_drips_in_and_a_client_that_stops_reading_hold_nobody_up(erp: ErpProcess) -> None:
    mine = unique()
    body = order(mine)
    message = sized(body)
    stalled = [erp.socket() for _ in range(40)]
    try:
        for number, one in enumerate(stalled):  # in the request line, in the headers, in the body
            one.sendall((b"POST /serv", HEAD, message[:-1])[number % 3])
        with erp.socket() as connection, connection.makefile("rb") as stream:
            for at in range(0, len(message), 100):
                connection.sendall(message[at : at + 100])
                time.sleep(0.005)
            assert answer(stream)[0] == 200
        start = time.perf_counter()
        assert kept(erp, mine)
        assert time.perf_counter() - start < 2
    finally:
        for one in stalled:
            one.close()
    assert erp.request("GET", "/readyz").status == 200


def test_a_client_that_resets_in_the_middle_of_a_body_stores_nothing(erp: ErpProcess) -> None:
    mine = unique()
    body = order(mine)
    with erp.socket() as connection:
        connection.sendall(sized(body)[:-20])
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    assert not kept(erp, mine)


# too much


def test_a_body_over_the_limit_is_413_with_a_fault_whichever_way_it_comes(erp: ErpProcess) -> None:
    announced = HEAD + b"Content-Length: 999999999999\r\nExpect: 100-continue\r\n\r\n"
    with erp.socket() as connection, connection.makefile("rb") as stream:
        connection.sendall(announced)
        status, _, body = answer(stream)
    assert status == 413
    assert b"faultcode>soap:Client<" in body

    with erp.socket() as connection, connection.makefile("rb") as stream:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        piece = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
        try:
            for _ in range(100):
                connection.sendall(piece)
        except OSError:
            pass  # it may hang up on us, after it has said why
        try:
            assert answer(stream)[0] == 413
        except ConnectionResetError:
            pytest.fail("the refusal was lost: it must be readable by a client that is still sending")

    bomb = gzip.compress(b" " * 200_000_000, compresslevel=1)
    refused = erp.post("purchasing", bomb, Content_Encoding="gzip")
    assert refused.status == 413
    assert refused.fault is not None


@pytest.mark.parametrize(
    "payload",
    [
        "<a>" * 5_000,
        "<a>" * 5_000 + "</a>" * 5_000,
        "<a/>" * 400_000,
        "<a " + " ".join(f'b{number}="1"' for number in range(20_000)) + "/>",
        "<a " + " ".join(f'xmlns:n{number}="u{number}"' for number in range(20_000)) + "/>",
        "<" + "a" * 1_000_000 + "/>",
        "<a>" + "x" * 3_000_000 + "</a>",
        "".join(f"<n{number}/>" for number in range(60_000)),
        "&lol;",
        "<?php echo 1 ?>",
        "<![CDATA[",
        "\x00",
        "\ud800",
    ],
    ids=lambda payload: repr(payload[:12]),
)
def test_hostile_markup_is_refused_at_once_and_the_next_request_is_answered(
    erp: ErpProcess, payload: str
) -> None:
    body = order(unique()).replace(
        b"</pur:order>", payload.encode("utf-8", "surrogatepass") + b"</pur:order>"
    )
    start = time.perf_counter()
    refused = erp.post("purchasing", body)
    assert time.perf_counter() - start < 3
    assert refused.status in (413, 500)
    assert refused.fault is not None
    assert refused.fault.code == "Client"
    assert len(refused.body) < 200_000  # what was sent is not sent back
    assert not re.search(rb"/home/|/work/|Traceback|site-packages|\.py\b", refused.body)
    assert erp.post("purchasing", get_order("nobody")).fault is not None


# pages


def test_the_contract_is_served_whole_and_nothing_else(erp: ErpProcess) -> None:
    todo, seen = [f"/services/{name}?wsdl" for name in ("purchasing", "inventory")], set[str]()
    while todo:
        path = todo.pop()
        seen.add(path)
        got = erp.request("GET", path)
        assert got.status == 200
        assert got.headers["content-type"] == "text/xml; charset=utf-8"
        assert b'schemaLocation="../' not in got.body
        linked = re.findall(rf'(?:schemaLocation|location)="{erp.announced["url"]}([^"]*\?[^"]*)"', got.text)
        todo += [found for found in linked if found not in seen]
    assert len(seen) == 8  # two WSDLs, and three schemas each
    for name in (
        "../../etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "/etc/passwd",
        "nothing.xsd",
        "purchasing-1.xsd%00",
    ):
        refused = erp.request("GET", f"/services/purchasing?xsd={name}")
        assert refused.status == 404
        assert b"root:" not in refused.body
    assert erp.request("GET", "/../../etc/passwd").status == 404
    assert erp.request("GET", "/services/nobody").status == 404


def test_the_page_of_a_service_and_the_list_of_services_are_html_without_scripts(erp: ErpProcess) -> None:
    for path in ("/", "/services/purchasing", "/services/inventory"):
        got = erp.request("GET", path)
        assert got.status == 200
        assert got.headers["content-type"] == "text/html; charset=utf-8"
        assert "script" not in got.headers["content-security-policy"]
        assert b"<script" not in got.body
        head = erp.request("HEAD", path)
        assert head.status == 200
        assert head.body == b""
        assert head.headers["content-length"] == str(len(got.body))


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
def test_another_method_is_405_and_says_what_is_allowed(erp: ErpProcess, method: str) -> None:
    refused = erp.request(method, "/services/purchasing")
    assert refused.status == 405
    assert "POST" in refused.headers["allow"]


def test_health_and_readiness_are_told_in_plain_text(erp: ErpProcess) -> None:
    for path in ("/healthz", "/readyz"):
        got = erp.request("GET", path)
        assert got.status == 200
        assert got.headers["content-type"].startswith("text/plain")
