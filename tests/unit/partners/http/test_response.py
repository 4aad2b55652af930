"""The head of an HTTP answer: what is HTTP/1 is read, anything else is refused, and where the body ends is never guessed."""

from __future__ import annotations

import http.client
import io
from typing import Any

import pytest

from bridge.partners.http.response import Response


class Socket:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def makefile(self, _: str) -> io.BufferedReader:
        return io.BufferedReader(io.BytesIO(self.data))  # type: ignore[arg-type]


def read(data: bytes) -> tuple[Any, bytes]:
    response = Response(Socket(data), method="POST")  # type: ignore[arg-type]
    response.begin()
    return response, response.read()


def test_names_of_headers_have_no_case_and_repeated_ones_are_joined() -> None:
    response, body = read(b"HTTP/1.1 200 OK\r\nCONTENT-length:  2 \r\nA: 1\r\na: 2\r\n\r\nokmore")
    assert (response.status, response.reason, body) == (200, "OK", b"ok")
    assert response.headers.get("a") == "1, 2"
    assert "Content-Length" in response.headers
    assert "X" not in response.headers
    assert not response.will_close


@pytest.mark.parametrize(
    ("head", "body", "closes"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end", True),
        (b"HTTP/1.1 200 OK\nContent-Length: 1\n\na", b"a", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", b"a", True),
        (b"HTTP/1.1 200\r\nContent-Length: 1\r\nConnection: close\r\n\r\na", b"a", True),
        (b"HTTP/1.1 204 No Content\r\n\r\nleft", b"", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2;x=y\r\nab\r\n0\r\nT: x\r\n\r\n", b"ab", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nab", b"ab", False),
        (b"HTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", b"a", False),
    ],
)  # fmt: skip
def test_the_body_ends_where_http_says(head: bytes, body: bytes, closes: bool) -> None:
    response, content = read(head)
    assert content == body
    assert response.will_close is closes


def test_two_ways_of_ending_spoil_the_connection() -> None:
    """RFC 9112, section 6.1: it may be an attempt at smuggling a second answer."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
    response, body = read(head)
    assert (body, response.will_close) == (b"a", True)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"SSH-2.0\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 999 X\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b",
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 300 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 30,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nall of this",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\nall of this",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 17 + b"\r\nab",
    ],
)
def test_what_is_no_http_is_refused(data: bytes) -> None:
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        read(data)
