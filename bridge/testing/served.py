"""A server over real HTTP on loopback, for simulators of systems with an API: what it answers a subclass says, what goes wrong a test.

class Shop(Served):
    def answer(self, request: Asked) -> Said:
        return Said(200, {"sku": request.path.rpartition("/")[2]})

with Shop() as shop:
    shop.goes_wrong(Said(503, headers={"Retry-After": "1"}))        # the next request, before it is acted upon
    shop.goes_wrong(CUT, when="POST /orders", after=True)           # done, and the connection cut before the answer
    ...
    assert shop.asked[-1].path == "/orders"
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from bridge.partners.http import json_body


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as it came. `path` without its query, and as it was meant: `%2F` is a slash in it; `segments` are what stood between the
    slashes that part it. Names of headers are in small letters."""

    method: str
    path: str
    segments: tuple[str, ...]
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Its body; None where there is none."""
        return json_body.read(self.body) if self.body else None

    @property
    def form(self) -> dict[str, str]:
        """Its body, as forms send it."""
        return dict(parse_qsl(self.body.decode()))


@dataclass(frozen=True, slots=True)
class Said:
    """An answer. `content` is JSON unless it is bytes; None: there is no body. `wait`: seconds before it is given; `cut`: the connection
    ends without it."""

    status: int = 200
    content: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    wait: float = 0.0
    cut: bool = False


CUT: Final = Said(cut=True)
"""The connection ends without an answer."""


@dataclass(slots=True)
class _Fault:
    said: Said
    when: str
    after: bool
    times: int


class Served:
    """A server that is started by `with`. Subclasses say what it answers, under its lock: one request after the other."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        """Every request, in the order in which they came."""
        self.lock = threading.RLock()
        self._faults: list[_Fault] = []
        self._server: ThreadingHTTPServer | None = None

    def answer(self, request: Asked) -> Said:
        """What is answered."""
        raise NotImplementedError

    def goes_wrong(self, said: Said, *, when: str = "", after: bool = False, times: int = 1) -> None:
        """The next requests are answered with this.

        Args:
            when: only those whose `METHOD /path` has this in it.
            after: they are acted upon first.
        """
        with self.lock:
            self._faults.append(_Fault(said, when, after, times))

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        assert self._server is not None, "start it: `with` …"
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    def said_to(self, request: Asked) -> Said:
        """The answer to a request, or what goes wrong instead."""
        with self.lock:
            self.asked.append(request)
            fault = next(
                (one for one in self._faults if one.when in f"{request.method} {request.path}"), None
            )
            if fault is not None:
                fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
                if not fault.after:
                    return fault.said
            said = self.answer(request)
            return said if fault is None else fault.said


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    owner: Served

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def close_request(self, request: Any) -> None:
        self._open.discard(request)
        super().close_request(request)

    def server_close(self) -> None:
        super().server_close()
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def handle_error(self, *_: Any) -> None:
        pass  # a client that has gone is none of ours


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        parts = urlsplit(self.path)
        asked = Asked(
            method=self.command,
            path=unquote(parts.path),
            segments=tuple(unquote(one) for one in parts.path.split("/")[1:]),
            params=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(self.headers.get("Content-Length") or 0)),
        )
        assert isinstance(self.server, _Server)
        said = self.server.owner.said_to(asked)
        if said.wait:
            time.sleep(said.wait)
        if said.cut:
            self.close_connection = True
            return
        self._say(said)

    def _say(self, said: Said) -> None:
        is_json = said.content is not None and not isinstance(said.content, bytes)
        body = json_body.write(said.content) if is_json else (said.content or b"")
        self.send_response_only(said.status)
        headers = {"Content-Type": "application/json"} if is_json else {}
        for name, value in {**headers, **said.headers}.items():
            self.send_header(name, value)
        if said.status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if said.status not in (204, 304):
            self.wfile.write(body)
        self.wfile.flush()
