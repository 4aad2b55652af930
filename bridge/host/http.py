"""HTTP/1.1 between a socket and a WSGI application: whole requests in, whole replies out.

llhttp (httptools) parses, uvicorn owns sockets, signals and processes, uvloop the event loop. What is here is the
piece between: a request is handed to a worker thread only when its last byte has arrived, so a slow client holds a
few kilobytes and never a thread, and every limit is kept while the bytes come in:

    header_bytes, headers     431, before they are all read
    body_bytes                413, from Content-Length before `100 Continue` is sent, or while chunks arrive
    header_timeout            the connection is closed
    body_timeout              408
    held_bytes, waiting       503 with Retry-After
    connections, and of one address: 503 with Retry-After

A reply is written in one piece. A client that does not read its reply is cut off after `write_timeout`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter, deque
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Literal, Protocol
from urllib.parse import unquote_to_bytes

import httptools

from bridge.errors import Refusal
from bridge.host.refused import refusal_answer
from bridge.soap.refusals import refuse

STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}
WITHOUT_BODY = frozenset({204, 304})
LINGER = 2.0
"""Seconds that a refused client has to read why, while what it still sends is thrown away."""

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """What a connection may cost. Bytes, seconds, counts; the defaults fit an ERP's documents.

    `held_bytes` bounds the bodies of all connections of a process together, from their first byte to their answer.
    """

    header_bytes: int = 32 * 1024
    headers: int = 100
    body_bytes: int = 10 * 1024 * 1024
    held_bytes: int = 160 * 1024 * 1024
    header_timeout: float = 10.0
    body_timeout: float = 20.0
    idle_timeout: float = 60.0
    write_timeout: float = 30.0
    connections: int = 2_000
    connections_per_address: int = 500
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    """Who sends for many: their connections are counted with all, not by address."""


@dataclass(slots=True)
class Request:
    """One whole request, as the worker gets it. `headers` have lower-case names, in order of arrival."""

    connection: Connection
    method: bytes
    url: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    keep_alive: bool

    def environ(self) -> dict[str, Any]:
        """PEP 3333's environ without `wsgi.input`; names with an underscore are dropped, for `X_Forwarded_For`
        would become the same key as `X-Forwarded-For`. SSL_CLIENT_CERT is the client's certificate in PEM."""
        connection = self.connection
        parsed = httptools.parse_url(self.url)
        path = parsed.path or b"/"
        if b"%" in path:
            path = unquote_to_bytes(path)
        query = parsed.query
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.method.decode("latin-1"),
            "SCRIPT_NAME": "",
            "PATH_INFO": path.decode("latin-1"),
            "QUERY_STRING": query.decode("latin-1") if query else "",
            "wsgi.url_scheme": connection.scheme,
        }
        for name, value in self.headers:
            key = ENVIRON_NAMES.get(name)
            if key is None:
                if b"_" in name:
                    continue
                key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
            text = value.decode("latin-1")
            environ[key] = f"{environ[key]},{text}" if key in environ else text
        environ.update(connection.environ)
        return environ


ENVIRON_NAMES = {
    name.encode(): name.upper().replace("-", "_") for name in ("content-type", "content-length")
} | {
    name.encode(): "HTTP_" + name.upper().replace("-", "_")
    for name in ("host", "soapaction", "user-agent", "accept", "accept-encoding", "connection", "authorization",
                 "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "content-encoding", "idempotency-key")
}  # fmt: skip


def _content_type(headers: list[tuple[bytes, bytes]]) -> str | None:
    return next((value.decode("latin-1") for name, value in headers if name == b"content-type"), None)


class Dispatcher(Protocol):
    """Whoever takes whole requests off the connection: the pool of worker threads."""

    def submit(self, request: Request) -> bool:
        """Takes the request, to answer it with `connection.reply` in the loop's thread; False when too much waits."""


@dataclass(slots=True, eq=False)
class Entrance:
    """What the connections of one process share."""

    limits: HttpLimits
    dispatcher: Dispatcher
    connections: set[Any] = field(default_factory=set)
    handshakes: set[Any] = field(default_factory=set)
    """Tasks of connections that are not secure yet."""
    open: int = 0
    """Connections and handshakes."""
    places: Counter[str] = field(default_factory=Counter)
    """The same, by where they are from."""
    held_bytes: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    """What was refused in here, by HTTP status."""
    stopping: bool = False
    sweeper: asyncio.TimerHandle | None = None

    def place(self, peer: Any) -> str:
        """What connections of one origin are counted by: the address, of IPv6 the first half, for a machine has the whole
        of the other. "" where it is not counted: a proxy, a socket without addresses."""
        if not isinstance(peer, tuple):
            return ""
        address = ip_address(peer[0].partition("%")[0])
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if any(address in network for network in self.limits.proxies):
            return ""
        return str(IPv6Network((address, 64), strict=False)) if address.version == 6 else str(address)

    def enter(self, place: str) -> str | None:
        """Counts one more from there; or tells why there are too many."""
        if self.open >= self.limits.connections:
            return "Too many connections."
        if place and self.places[place] >= self.limits.connections_per_address:
            return "Too many connections from your address."
        self.open += 1
        if place:
            self.places[place] += 1
        return None

    def leave(self, place: str) -> None:
        """One that had entered has gone."""
        self.open -= 1
        if place:
            self.places[place] -= 1
            if not self.places[place]:
                del self.places[place]

    def sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Once a second, closes what is overdue: one timer for all, instead of one for each request."""
        now = loop.time()
        for connection in list(self.connections):
            if connection.deadline < now:
                connection.overdue()
        self.sweeper = loop.call_later(1.0, self.sweep, loop) if self.connections else None


class Connection(asyncio.Protocol):
    """One connection: what is being received and what is being answered, each in its own state.

    Requests of a pipeline are answered one after the other; reading pauses while one of them waits.
    """

    def __init__(self, entrance: Entrance, uvicorn_state: Any) -> None:
        self.entrance = entrance
        self.limits = entrance.limits
        self.uvicorn = uvicorn_state
        self.loop = asyncio.get_running_loop()
        self.parser = httptools.HttpRequestParser(self)
        self.transport: asyncio.Transport = None  # type: ignore[assignment]
        self.environ: dict[str, Any] = {}
        self.place: str | None = None  # where it is counted; None: nowhere yet
        self.scheme = "http"
        self.deadline = 0.0
        # what is being received
        self.receiving: Literal["", "headers", "body"] = ""
        self.began_in_this_chunk = False
        self.header_bytes = 0
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.body: list[bytes] = []
        self.body_bytes = 0
        self.held_bytes = 0
        self.owes_continue = False
        # what is being answered
        self.answering: Request | None = None
        self.waiting: deque[Request] = deque()
        self.write_paused = False
        self.last = False  # the request at hand is the last one of this connection
        self.stopping = entrance.stopping  # the server stops: what is arriving is the last one
        self.served = False  # it has had an answer
        self.closing = False

    # asyncio.Protocol

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        entrance = self.entrance
        if self.place is None:
            place = entrance.place(transport.get_extra_info("peername"))
            too_many = entrance.enter(place)
            if too_many is not None:
                self._refuse(503, too_many, ("Retry-After", "5"))
                transport.close()  # now: nobody sweeps what is not counted
                return
            self.place = place
        entrance.connections.add(self)
        self.uvicorn.connections.add(self)
        if entrance.sweeper is None:
            entrance.sweeper = self.loop.call_later(1.0, entrance.sweep, self.loop)
        self.deadline = self.loop.time() + self.limits.header_timeout
        self._describe_peer()

    def _describe_peer(self) -> None:
        peer = self.transport.get_extra_info("peername")
        here = self.transport.get_extra_info("sockname")
        if isinstance(peer, tuple):
            self.environ["REMOTE_ADDR"], self.environ["REMOTE_PORT"] = str(peer[0]), str(peer[1])
        if isinstance(here, tuple):
            self.environ["SERVER_NAME"], self.environ["SERVER_PORT"] = str(here[0]), str(here[1])
        session = self.transport.get_extra_info("ssl_object")
        if session is not None:
            self.scheme = "https"
            certificate = session.getpeercert(binary_form=True)
            if certificate:
                self.environ["SSL_CLIENT_CERT"] = ssl.DER_cert_to_PEM_cert(certificate)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closing = True
        self.waiting.clear()
        self.body.clear()
        self._hold(-self.held_bytes)
        self.deadline = float("inf")
        if self.place is not None:
            self.entrance.leave(self.place)
            self.place = None
        self.entrance.connections.discard(self)
        self.uvicorn.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        if self.closing or self.last:
            return
        self.began_in_this_chunk = False
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(400, "This is not an HTTP/1.1 request.")
        else:
            if self.receiving == "headers" and not self.began_in_this_chunk:
                self.header_bytes += len(data)
                if self.header_bytes > self.limits.header_bytes:
                    self._refuse(431, f"The headers are larger than {self.limits.header_bytes} bytes.")

    def _decline_upgrade(self, rest: bytes) -> None:
        """`Upgrade: h2c` (Java's client sends it) is an offer, declined by answering in HTTP/1.1. llhttp takes it for
        accepted and stops after the headers, so the request is read again without it."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refuse(400, "This is no proxy.")
            return
        lines = [b"%b %b HTTP/1.1\r\n" % (method, self.url)]
        lines += [b"%b: %b\r\n" % pair for pair in self.headers if pair[0] not in (b"upgrade", b"connection")]
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(b"".join([*lines, b"\r\n", rest]))

    def eof_received(self) -> bool:
        # Half-closed, the reply may still be read; TLS knows no such state.
        return self.answering is not None and self.scheme == "http"

    def pause_writing(self) -> None:
        self.write_paused = True
        self.transport.pause_reading()
        self._set_deadline()

    def resume_writing(self) -> None:
        self.write_paused = False
        if self.answering is None:
            self._go_on()
        self._set_deadline()

    # httptools' callbacks

    def on_message_begin(self) -> None:
        self.url, self.headers, self.body, self.body_bytes = b"", [], [], 0
        self.owes_continue = False
        self.receiving = "headers"
        self.header_bytes = 0
        self.began_in_this_chunk = True
        self._set_deadline()

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"expect":
            self.owes_continue = value.lower() == b"100-continue"
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self.closing or self.last or self.parser.should_upgrade():
            return
        self.receiving = "body"
        if self.parser.get_http_version() == "0.9":  # whoever speaks it could not read our answer
            self._refuse(400, "This is not an HTTP/1.1 request.")
            return
        size = len(self.url)
        for name, value in self.headers:
            size += len(name) + len(value)
            # llhttp has seen to it that there is one length, and that it is digits
            if name == b"content-length" and int(value) > self.limits.body_bytes:
                self._too_large()
                return
        if size > self.limits.header_bytes or len(self.headers) > self.limits.headers:
            self._refuse(431, "The headers are larger, or more, than this service takes.")
            return
        self._set_deadline()
        if self.owes_continue and self.answering is None:
            self._continue()

    def on_body(self, data: bytes) -> None:
        if self.closing or self.last:
            return
        self.body_bytes += len(data)
        if self.body_bytes > self.limits.body_bytes:
            self._too_large()
            return
        self._hold(len(data))
        if self.entrance.held_bytes > self.limits.held_bytes:
            self._refuse_body(refuse("busy", headers=(("Retry-After", "5"),)))
            return
        self.body.append(data)

    def on_message_complete(self) -> None:
        if self.closing or self.last or self.parser.should_upgrade():
            return
        self.receiving = ""
        request = Request(
            connection=self,
            method=self.parser.get_method(),
            url=self.url,
            headers=self.headers,
            body=self.body[0] if len(self.body) == 1 else b"".join(self.body),
            keep_alive=self.parser.should_keep_alive(),
        )
        self.body = []
        if self.stopping or not request.keep_alive:
            self._take_no_more()
        if self.answering is None:
            self._hand_over(request)
        else:
            self.waiting.append(request)
            self.transport.pause_reading()

    # Answering

    def _hand_over(self, request: Request) -> None:
        self.answering = request
        self._set_deadline()
        if not self.entrance.dispatcher.submit(request):
            status, headers, body = refusal_answer(
                refuse("busy"), request.method, _content_type(request.headers)
            )
            self.entrance.refused[status] += 1
            self.reply(request, status, [("Retry-After", "5"), *headers], body)

    def reply(self, request: Request, status: int, headers: Headers, body: bytes) -> None:
        """Writes the reply to `request`, then begins with the next one of the pipeline. In the loop's thread."""
        if self.closing or self.answering is not request:
            return
        final = self.last and not self.waiting
        self.transport.write(self._encode(request.method, status, headers, body, final))
        self.uvicorn.total_requests += 1
        self.answering = None
        self.served = True
        self._hold(-len(request.body))
        if final:
            self._close()
            return
        self._go_on()
        self._set_deadline()

    def _go_on(self) -> None:
        """The next of the pipeline, else whatever arrives; nothing while answers wait that the client has not read."""
        if self.write_paused or self.closing:
            return
        if self.waiting:
            self._hand_over(self.waiting.popleft())
        elif not self.last:
            self.transport.resume_reading()
            if self.owes_continue and self.receiving == "body":
                self._continue()

    def _hold(self, size: int) -> None:
        self.held_bytes += size
        self.entrance.held_bytes += size

    def _continue(self) -> None:
        self.owes_continue = False
        self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _encode(self, method: bytes, status: int, headers: Headers, body: bytes, final: bool) -> bytes:
        head = STATUS_LINES.get(status) or f"HTTP/1.1 {status} \r\n".encode()
        for name, value in self.uvicorn.default_headers:  # Date
            head += name + b": " + value + b"\r\n"
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        # The answer to HEAD brings the length that GET would have.
        length = "" if status in WITHOUT_BODY or method == b"HEAD" else f"Content-Length: {len(body)}\r\n"
        close = "Connection: close\r\n" if final else ""
        head += f"{lines}{length}{close}\r\n".encode("latin-1", "replace")
        return head if method == b"HEAD" or status in WITHOUT_BODY else head + body

    # Ending

    def _set_deadline(self) -> None:
        """Until when the present state may last. Arriving bytes do not move it, so dripping does not help."""
        limits = self.limits
        if self.closing or self.write_paused:
            allowed = limits.write_timeout
        elif self.answering is not None:
            allowed = float("inf")  # the time a worker takes is the pool's affair
        elif self.receiving:
            allowed = limits.header_timeout if self.receiving == "headers" else limits.body_timeout
        else:
            allowed = limits.idle_timeout
        self.deadline = self.loop.time() + allowed

    def _too_large(self) -> None:
        self._refuse_body(refuse("too_large", most=self.limits.body_bytes))

    def _refuse_body(self, refusal: Refusal) -> None:
        """The headers are read: what is refused is a message, and its sender understands a fault."""
        method = self.parser.get_method()
        self._say_and_close(*refusal_answer(refusal, method, _content_type(self.headers)))

    def _refuse(self, status: int, reason: str, *headers: tuple[str, str]) -> None:
        """What is refused is no message yet."""
        lines = [*headers, ("Content-Type", "text/plain; charset=utf-8")]
        self._say_and_close(status, lines, reason.encode() + b"\n")

    def _say_and_close(self, status: int, headers: Headers, body: bytes) -> None:
        """Says why and closes, for where this request ends cannot be told. An earlier request that is being
        answered gets its reply first; then the connection closes, and this one stays unanswered."""
        if self.answering is not None:
            self._take_no_more()
            return
        self.entrance.refused[status] += 1
        self.transport.write(self._encode(b"", status, headers, body, True))
        self.closing = True
        self.deadline = self.loop.time() + LINGER
        if self.transport.can_write_eof():
            # Closed at once, with bytes unread, the system would reset the connection and the reply might be lost.
            self.transport.write_eof()
        else:
            self.transport.close()

    def _take_no_more(self) -> None:
        self.last = True
        self.receiving = ""
        self.body.clear()

    def _close(self) -> None:
        self.closing = True
        self.transport.close()
        self._set_deadline()

    def overdue(self) -> None:
        """The deadline of the present state has passed."""
        if self.closing or self.write_paused:
            self.transport.abort()
        elif self.receiving == "body":
            self._refuse_body(refuse("slow_body"))
        else:
            self._close()

    def shutdown(self) -> None:
        """uvicorn's call at a graceful stop: a request that is in our hands is answered, then we close.

        Who connected and has not been answered yet is about to ask: the system took the connection in our name, so
        its first request may be under way, and is waited for a little.
        """
        self.stopping = True
        if self.answering is not None:
            self._take_no_more()
        elif not self.receiving and self.served:
            self._close()
        elif self.receiving != "body":
            self.deadline = min(self.deadline, self.loop.time() + LINGER)
