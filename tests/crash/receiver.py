"""The partner: a real SOAP server over HTTP in a process of its own, which nobody kills.

    keeps-id    knows a document again by its Idempotency-Key and does it once
    keeps-none  does whatever comes, as often as it comes

By seeded chance it misbehaves as partners do (`BEHAVIOURS`). Each request that arrived whole is written down, and synced,
before it is answered: the judge's only source of what was really done.

    python -m tests.crash.receiver --kind keeps-id --log received.jsonl --seed 7

prints its port. It refuses with the declared fault only those documents that `--refuse` names.
"""

from __future__ import annotations

import argparse
import random
import socket
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Literal, get_args

from tests.crash import documents
from tests.crash.documents import Document, Log, Reception

Kind = Literal["keeps-id", "keeps-none"]
KINDS: Final = get_args(Kind)

BEHAVIOURS: Final[Mapping[str, float]] = {
    "busy": 0.02,  # 503 with Retry-After, nothing done
    "broken": 0.02,  # 503 without, nothing done: who sent it cannot know
    "dropped_before": 0.03,  # the connection ends, nothing done
    "dropped_after": 0.03,  # the same, but it was done
    "late": 0.01,  # done, and answered when nobody waits any more
    "fault_after": 0.02,  # done, and answered with a Server fault
}
"""How often each happens; else it answers as it should."""

DOES: Final = frozenset({"good", "dropped_after", "late", "fault_after"})
"""The behaviours under which a document is applied."""


@dataclass
class Partner:
    """What the partner knows. `pause` are the seconds that make an answer late."""

    kind: Kind
    log: Log
    chance: random.Random
    pause: float
    behaviours: Mapping[str, float] = field(default_factory=lambda: BEHAVIOURS)
    refused: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self._done: set[str] = set()
        self._lock = threading.Lock()

    def take(self, document: Document, entry: str, exchange: str) -> str:
        """Handle one request; returns how to answer it. One after the other: the log is the order in which things were done."""
        with self._lock:
            answer = "refused" if document.id in self.refused else self._behaviour()
            known = self.kind == "keeps-id" and bool(entry) and entry in self._done
            applied = answer in DOES and not known
            if applied:
                self._done.add(entry)
            self.log.write(
                Reception(
                    time.monotonic(),
                    document.id,
                    document.key,
                    document.stream,
                    document.number,
                    entry,
                    exchange,
                    applied,
                    answer,
                )
            )
            return answer

    def _behaviour(self) -> str:
        drawn = self.chance.random()
        for name, share in self.behaviours.items():
            drawn -= share
            if drawn < 0:
                return name
        return "good"


class Handler(BaseHTTPRequestHandler):
    """One connection; stays open between requests."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet for head and body
    timeout = 60
    server: Desk

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:  # its sender was killed in the middle of it: it never came
            self.close_connection = True
            return
        partner = self.server.partner
        document = documents.document_of(body)
        entry = (self.headers.get("Idempotency-Key") or "").strip('"')
        answer = partner.take(document, entry, self.headers.get("X-Exchange-Id") or "")
        if answer.startswith("dropped"):
            self.close_connection = True
            return
        if answer == "late":
            time.sleep(partner.pause)
        self._answer(answer, document, entry)

    def _answer(self, answer: str, document: Document, entry: str) -> None:
        if answer in ("busy", "broken"):
            retry = {"Retry-After": "1"} if answer == "busy" else {}
            self._send(503, b"come back later", "text/plain", retry)
        elif answer == "refused":
            self._send(500, documents.undone(document.id), "text/xml; charset=utf-8", {})
        elif answer == "fault_after":
            self._send(500, documents.server_fault(), "text/xml; charset=utf-8", {})
        else:
            self._send(200, documents.response(entry or document.id), "text/xml; charset=utf-8", {})

    def _send(self, status: int, body: bytes, media: str, more: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": media, "Content-Length": str(len(body)), **more}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """The log of receptions is enough."""


class Desk(ThreadingHTTPServer):
    """The server around a partner, on a free port of loopback."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, partner: Partner) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.partner = partner

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed leaves its connection broken; anything else is a mistake of the kit, and seen."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.crash.receiver")
    parser.add_argument("--kind", choices=KINDS, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pause", type=float, default=1.5, help="seconds that make an answer late")
    parser.add_argument("--calm", action="store_true", help="never misbehave")
    parser.add_argument("--refuse", action="append", default=[], help="id of a document to refuse")
    given = parser.parse_args(words)
    partner = Partner(
        given.kind,
        Log(given.log),
        random.Random(given.seed),
        given.pause,
        {} if given.calm else BEHAVIOURS,
        frozenset(given.refuse),
    )
    desk = Desk(partner)
    print(desk.server_address[1], flush=True)
    desk.serve_forever()


if __name__ == "__main__":
    main()
