"""A partner that takes events and holds those that it is told to hold, in a process of its own; run with an address to listen on.

Each request is a line of JSON in `arrived.jsonl` before it is answered. One for an item of which there is a file `hold-ITEM`
is answered when that file has gone; one that comes again meanwhile is answered at once.
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from lxml import etree

ARRIVED = Path("arrived.jsonl")
ANSWER = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    '<StockLevelChangedResponse xmlns="urn:soapbridge:crm:events:1"><eventId>{}</eventId><outcome>accepted</outcome>'
    "</StockLevelChangedResponse></s:Body></s:Envelope>"
)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = etree.fromstring(self.rfile.read(int(self.headers["Content-Length"])))
        event, item, number = (
            body.findtext(f".//{{*}}{name}") or "" for name in ("eventId", "sku", "sequence")
        )
        hold = Path(f"hold-{item}")
        held = hold.exists() and hold.read_text() == ""
        if held:
            hold.write_text("held")
        line = {
            "from": self.client_address[0],
            "path": self.path,
            "id": self.headers.get("Idempotency-Key"),
            "item": item,
            "number": int(number),
        }
        with ARRIVED.open("a") as arrived:
            arrived.write(json.dumps(line) + "\n")
        while held and hold.exists():
            time.sleep(0.02)
        answer = ANSWER.format(event).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/xml; charset=utf-8")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


class Partner(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Who was cut off, or gave up, leaves its connection broken."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


if __name__ == "__main__":
    server = Partner((sys.argv[1], 80), Handler)
    print("listening", flush=True)
    server.serve_forever()
