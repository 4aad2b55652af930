"""Attacks with HTTP and TLS: requests that can be read in two ways, that are too large, that never end, that are too many."""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable
from functools import partial
from typing import Final

from tests.acceptance.shipped_erp import get_order, order
from tests.security.attack import Attack
from tests.security.target import (
    HONEST,
    INSIDER,
    PATIENCE,
    PER_ADDRESS,
    SERVICE,
    Seen,
    Target,
    post,
    read_answer,
)

GET: Final = get_order("nobody")
HEAD: Final = f"POST {SERVICE} HTTP/1.1\r\nHost: bridge\r\nContent-Type: text/xml\r\n".encode() + INSIDER
SECOND: Final = b"POST /services/purchasing HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nG"


def _raw(*requests: bytes) -> Callable[[Target], list[Seen]]:
    return lambda target: [target.send(one) for one in requests]


def _length(value: bytes) -> bytes:
    return HEAD + b"Content-Length: " + value + b"\r\n\r\n" + GET


SMUGGLED: Final[dict[str, bytes]] = {
    "a length and chunks (CL.TE)": HEAD
    + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    + SECOND,
    "chunks spelled oddly (TE.TE)": HEAD
    + b"Transfer-Encoding: xchunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"
    + SECOND,
    "chunks before the colon": HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n" + GET,
    "a length with a sign": _length(b"+%d" % len(GET)),
    "a negative length": _length(b"-1"),
    "a length that no number holds": _length(b"9" * 40),
    "a chunk of a size that is none": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a chunk of a size that no number holds": HEAD
    + b"Transfer-Encoding: chunked\r\n\r\n"
    + b"f" * 20
    + b"\r\n",
    "a header continued on the next line": HEAD + b"X-A: 1\r\n 2\r\nContent-Length: 0\r\n\r\n",
    "a NUL in a header": HEAD + b"X-A: 1\x002\r\nContent-Length: 0\r\n\r\n",
    "a bare CR in a header": HEAD + b"X-A: 1\rX-B: 2\r\nContent-Length: 0\r\n\r\n",
    "a method that is none": b"PO ST / HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
    "HTTP/2 without being asked": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "CONNECT to elsewhere": b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n",
}

LARGE: Final[dict[str, bytes]] = {
    "a body announced as 9 TB": HEAD + b"Content-Length: 9999999999999\r\n\r\n",
    "a body of 12 MB": post(b" " * 12_000_000),
    "chunks of 1 byte, 200,000 of them": HEAD
    + b"Transfer-Encoding: chunked\r\n\r\n"
    + b"1\r\n<\r\n" * 200_000
    + b"0\r\n\r\n",
    "chunks without end": HEAD
    + b"Transfer-Encoding: chunked\r\n\r\n"
    + (b"80000\r\n" + b" " * 0x80000 + b"\r\n") * 24,
    "a gzip bomb: 200 MB in 200 kB": post(
        gzip.compress(b" " * 200_000_000, 1), extra=b"Content-Encoding: gzip\r\n"
    ),
    "a gzip bomb in a gzip": post(
        gzip.compress(gzip.compress(b" " * 100_000_000, 1), 9), extra=b"Content-Encoding: gzip, gzip\r\n"
    ),
    "a deflate bomb": post(zlib.compress(b" " * 100_000_000, 1), extra=b"Content-Encoding: deflate\r\n"),
    "gzip that is none": post(b"\x1f\x8bnonsense", extra=b"Content-Encoding: gzip\r\n"),
    "gzip that ends too early": post(gzip.compress(GET * 100)[:60], extra=b"Content-Encoding: gzip\r\n"),
    "a Content-Encoding that there is not": post(GET, extra=b"Content-Encoding: br\r\n"),
    "a charset that decodes something else (rot13)": post(GET, charset="rot13"),
    "a charset that decodes something else (zlib)": post(GET, charset="zlib"),
    "UTF-7": post(GET, charset="utf-7"),
    "an attachment (multipart/related)": post(GET).replace(b"text/xml", b"multipart/related; boundary=x"),
    "JSON": post(b"{}").replace(b"text/xml", b"application/json"),
    "a body for an address where nobody is": post(GET, path="/services/nobody"),
}

HEADERS: Final[dict[str, bytes]] = {
    "a header of 100,000 bytes": HEAD + b"X-A: " + b"x" * 100_000 + b"\r\nContent-Length: 0\r\n\r\n",
    "20,000 headers": HEAD + b"X-A: 1\r\n" * 20_000 + b"\r\n",
    "an address of 100,000 bytes": b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
}

PLACES: Final = (
    "/../../../../etc/passwd",
    "/services/purchasing?xsd=../../../../etc/passwd",
    "/services/purchasing?xsd=%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "/services/purchasing?wsdl=file:///etc/passwd",
    "/services/%00",
    "//127.0.0.1/x",
    "/services/purchasing?operation=<script>alert(1)</script>",
)


# What never ends


@contextlib.contextmanager
def _many(
    target: Target, count: int, first: bytes
) -> contextlib._GeneratorContextManager[list[ssl.SSLSocket]]:  # type: ignore[misc]
    """So many connections that have sent `first`, and stay."""
    made: list[ssl.SSLSocket] = []
    try:
        for _ in range(count):
            connection = target.erp.from_address("127.0.0.1")
            connection.sendall(target.as_insider(first))
            made.append(connection)
        yield made
    finally:
        for one in made:
            one.close()


def _stalled(first: bytes, drip: bytes, target: Target) -> list[Seen]:
    """Connections that send a byte now and then; each must be ended, and honest requests be answered meanwhile."""
    began = time.perf_counter()
    with _many(target, PER_ADDRESS // 2, first) as connections:
        until = began + 3 * PATIENCE
        while time.perf_counter() < until:
            for one in connections:
                with contextlib.suppress(OSError):
                    one.sendall(drip)
            target.be_honest()
            time.sleep(0.2)
        for one in connections:
            one.settimeout(1)
        seen = [read_answer(one) for one in connections]
    # A connection that was cut and one that was told why differ in nothing that matters.
    return list({str(one): one for one in seen}.values())


def _never_read(target: Target) -> list[Seen]:
    """Asks for the contract again and again, and reads nothing of it."""
    page = target.as_insider(
        f"GET {SERVICE}?xsd=purchasing-1.xsd HTTP/1.1\r\nHost: x\r\n".encode() + INSIDER + b"\r\n"
    )
    with _many(target, 16, b"") as connections:
        for one in connections:
            one.settimeout(0.5)
            with contextlib.suppress(OSError):
                for _ in range(400):
                    one.sendall(page * 50)
        began = time.perf_counter()
        slowest = max(target.be_honest() for _ in range(5))
        time.sleep(PATIENCE + 2)
        assert time.perf_counter() - began < 60
    return [Seen(0, {}, b"", slowest)]


def _no_handshake(target: Target) -> list[Seen]:
    """Connects as often as it may and begins no TLS; one more than that from the same address is not let in."""
    silent = []
    try:
        for _ in range(PER_ADDRESS + 20):
            silent.append(socket.create_connection(("127.0.0.1", target.erp.port), 5))
        target.be_honest()
        ended = 0
        for one in silent:
            one.settimeout(3 * PATIENCE)
            with contextlib.suppress(OSError):
                ended += one.recv(100) in (b"", b"\x15\x03\x01\x00\x02\x02\x46")
        return [Seen(0 if ended >= PER_ADDRESS else 200, {}, b"")]
    finally:
        for one in silent:
            one.close()


def _plain(target: Target) -> list[Seen]:
    """HTTP to the port of TLS."""
    with socket.create_connection(("127.0.0.1", target.erp.port), 5) as connection:
        connection.sendall(post(GET))
        with contextlib.suppress(OSError):
            return [Seen(0 if not connection.recv(1000).startswith(b"HTTP") else 200, {}, b"")]
    return [Seen(0, {}, b"")]


def _flood(body: bytes, connections: int, each: int, target: Target) -> list[Seen]:
    """Many at once, as fast as they can, from one address; an honest client asks meanwhile from another."""
    seen: list[Seen] = []
    request = post(body)

    def attack() -> None:
        for _ in range(each):
            with contextlib.suppress(OSError):
                seen.append(target.send(request))

    threads = [threading.Thread(target=attack) for _ in range(connections)]
    for one in threads:
        one.start()
    while any(one.is_alive() for one in threads):
        target.be_honest()
        time.sleep(0.05)
    for one in threads:
        one.join()
    return list({one.status: one for one in seen}.values())


def _too_many(target: Target) -> list[Seen]:
    """Connections that ask nothing, more than one address may have."""
    made = []
    try:
        for _ in range(PER_ADDRESS + 10):
            with contextlib.suppress(OSError):
                made.append(target.erp.from_address("127.0.0.1", 5))
        admitted = len(made)
        target.be_honest()
        return [Seen(0 if admitted <= PER_ADDRESS else 200, {}, b"")]
    finally:
        for one in made:
            one.close()


def _pipelined(target: Target) -> list[Seen]:
    """A thousand requests in one write: they are answered one after the other, and hold nobody up."""
    with target.erp.from_address(HONEST) as connection:
        worker = threading.Thread(
            target=lambda: _send_quietly(connection, target.as_insider(post(GET) * 1000))
        )
        worker.start()
        target.be_honest()
        seen = read_answer(connection)
    worker.join()
    return [seen]


def _send_quietly(connection: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(data)


def attacks() -> list[Attack]:
    """All of them, in the order of the page."""
    told = [
        Attack(
            theme="Requests that can be read in two ways",
            name=name,
            must="refused, and the connection closed: nothing behind it is read",
            allowed=(0, 400, 413),
            run=_raw(raw),
            fault=False,
        )
        for name, raw in SMUGGLED.items()
    ]
    told += [
        Attack(
            theme="Bodies",
            name=name,
            must="refused before it is held or looked at, with a Fault",
            allowed=(400, 404, 413, 415, 500),
            run=_raw(raw),
        )
        for name, raw in LARGE.items()
    ]
    told += [
        Attack(theme="Bodies", name=name, must="431", allowed=(400, 431), run=_raw(raw), fault=False)
        for name, raw in HEADERS.items()
    ]
    told.append(
        Attack(
            theme="Bodies",
            name="addresses that lead out of the service",
            must="not found",
            allowed=(400, 404),
            run=lambda target: [
                target.send(f"GET {place} HTTP/1.1\r\nHost: x\r\n".encode() + INSIDER + b"\r\n")
                for place in PLACES
            ],
            fault=False,
        )
    )
    slow = "each is ended after its time, without a thread; others are answered meanwhile"
    for name, first, drip in (
        ("slow headers (Slowloris)", HEAD, b"X: 1\r\n"),
        ("slow bodies (R.U.D.Y.)", HEAD + b"Content-Length: 5000\r\n\r\n", b" "),
        ("slow chunks", HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    ):
        told.append(
            Attack(
                theme="Clients that never end",
                name=f"{name}, {PER_ADDRESS // 2} of them",
                must=slow,
                allowed=(0, 408),
                run=partial(_stalled, first, drip),
                lasts=60,
            )
        )
    for name, must, allowed, run in (
        ("answers that are never read", "cut off after server.write_timeout", (0,), _never_read),
        (
            "connections without a handshake",
            "counted, and closed after server.header_timeout",
            (0,),
            _no_handshake,
        ),
        ("plain HTTP to the port of TLS", "closed", (0,), _plain),
        (
            "more connections than one address may have",
            "those above are closed; other addresses get in",
            (0,),
            _too_many,
        ),
    ):
        told.append(
            Attack(
                theme="Clients that never end",
                name=name,
                must=must,
                allowed=allowed,
                run=run,
                fault=False,
                lasts=60,
            )
        )
    large = order("flood").replace(b"</pur:order>", b"<a/>" * 60_000 + b"</pur:order>")
    for name, body, connections, each in (
        ("800 small requests over 16 connections", GET, 16, 50),
        ("48 invalid requests of 240 kB over 12 connections", large, 12, 4),
    ):
        told.append(
            Attack(
                theme="Floods",
                name=f"XML flooding: {name}",
                must="answered or told to come back; the honest client is answered meanwhile",
                allowed=(500, 503, 0),
                run=partial(_flood, body, connections, each),
                fault=False,
                lasts=60,
            )
        )
    told.append(
        Attack(
            theme="Floods",
            name="a pipeline of 1,000 requests",
            must="answered one after the other; others are answered meanwhile",
            allowed=(500,),
            run=_pipelined,
            lasts=60,
        )
    )
    return told
