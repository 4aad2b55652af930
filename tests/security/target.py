"""The bridge that is attacked: the shipped one as a process of its own, over TLS, and what is seen of it from outside and inside."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import ssl
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from lxml import etree

from bridge.access.development import Authority
from tests.acceptance.shipped_erp import SOAP, TYPES, ErpProcess, ask, get_order, order

SERVICE: Final = "/services/purchasing"
ATTACKER, HONEST = "127.0.0.1", "127.0.0.2"
"""Addresses on loopback that they come from: limits of an address are the attacker's."""
PER_ADDRESS: Final = 64
PATIENCE: Final = 2.0
"""Seconds that this bridge waits for headers, bodies and readers; the defaults are 10, 20 and 30."""

_SETTINGS = f"""
[server]
header_timeout = {PATIENCE}
body_timeout = {PATIENCE}
write_timeout = {PATIENCE}
connections_per_address = {PER_ADDRESS}

[tls]
certificate = "certs/server.pem"
key = "certs/server.key"

[log]
requests = "none"
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What came back to one attack. `status` 0: the connection was closed without an answer."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float = 0.0

    @property
    def fault(self) -> tuple[str, str] | None:
        """Code and reason of the Fault in it. Where SOAP 1.2 or an extension names a second code, the first is told."""
        if b"Envelope" not in self.body:
            return None
        root = etree.fromstring(self.body)
        code = root.find(".//faultcode")
        if code is None:
            code = root.find(".//{*}Fault/{*}Code/{*}Value")
        reason = root.find(".//faultstring")
        if reason is None:
            reason = root.find(".//{*}Fault/{*}Reason/{*}Text")
        if code is None or reason is None:
            return None
        return (code.text or "").rpartition(":")[2], reason.text or ""

    def __str__(self) -> str:
        if not self.status:
            return "closed"
        if self.fault is not None:
            code, reason = self.fault
            return f"{self.status} {code}: {_short(reason)}"
        words = "" if b"<" in self.body[:200] else _short(self.body.decode("utf-8", "replace"))
        return f"{self.status} {words}".strip()


def _short(reason: str) -> str:
    """Its first sentence, in one line."""
    line = " ".join(reason.split())
    return re.split(r"(?<=[^.]\.)\s", line, maxsplit=1)[0][:90]


class Listener:
    """Somewhere that the attacks want the bridge to call: it must never be called."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.socket.getsockname()[1])
        self.called = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.called += 1
            connection.close()

    def close(self) -> None:
        self.socket.close()


class _SecureErp(ErpProcess):
    """`soapbridge serve` over TLS."""

    trusted: ssl.SSLContext

    def socket(self) -> socket.socket:
        return self.from_address(ATTACKER)

    def from_address(self, address: str, timeout: float = 20) -> socket.socket:
        plain = socket.create_connection(("127.0.0.1", self.port), timeout, source_address=(address, 0))
        try:
            return self.trusted.wrap_socket(plain, server_hostname="127.0.0.1")
        except OSError:
            plain.close()
            raise

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=20, context=self.trusted, source_address=(HONEST, 0)
        )


class Target:
    """Runs in a folder of its own. `with Target(folder) as target`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        authority = Authority(folder / "certs")
        authority.server()
        (folder / "bridge.toml").write_text(_SETTINGS)
        self.listener = Listener()
        self.erp = _SecureErp(folder)
        self.erp.trusted = ssl.create_default_context(cafile=str(folder / "certs/ca.pem"))

    def __enter__(self) -> Self:
        self.erp.start()
        self.order = f"honest-{uuid.uuid4().hex[:8]}"
        self.be_honest(create=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()
        self.erp.__exit__()

    def be_honest(self, *, create: bool = False) -> float:
        """An honest client's request, on a connection of its own; the seconds that it took. AssertionError where it is not served."""
        began = time.perf_counter()
        connection = self.erp.connection()
        try:
            body = order(self.order) if create else get_order(self.order)
            answer = ask(connection, "POST", SERVICE, body, Content_Type=TYPES["1.1"])
        finally:
            connection.close()
        assert answer.status == 200, f"an honest request got {answer.status}: {answer.body[:300]!r}"
        return time.perf_counter() - began

    def send(self, *pieces: bytes, pause: float = 0.0, address: str = ATTACKER) -> Seen:
        """Bytes on a connection of their own, and the first answer that is not interim."""
        began = time.perf_counter()
        with self.erp.from_address(address) as connection:
            with contextlib.suppress(
                OSError
            ):  # the bridge may hang up while we still send; then what it said is read
                for piece in pieces:
                    connection.sendall(piece)
                    if pause:
                        time.sleep(pause)
            seen = read_answer(connection)
        return Seen(seen.status, seen.headers, seen.body, time.perf_counter() - began)

    def memory(self) -> int:
        """Resident bytes of the process that answers."""
        assert self.erp.process is not None
        status = Path(f"/proc/{self.erp.process.pid}/status").read_text()
        found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        assert found is not None
        return int(found[1]) * 1024

    def known(self, request_id: str) -> bool:
        """Whether an order of that id was stored."""
        return self.erp.post("purchasing", get_order(request_id)).status == 200

    @property
    def url(self) -> str:
        """Where the attacks want the bridge to call."""
        return f"http://127.0.0.1:{self.listener.port}"


def read_answer(connection: socket.socket) -> Seen:
    """The first answer that is not interim; status 0 where the connection ends before one."""
    stream = connection.makefile("rb")
    try:
        while line := stream.readline():
            status = int(line.split()[1])
            headers = {}
            while (line := stream.readline()) not in (b"\r\n", b""):
                name, _, value = line.decode("latin-1").partition(":")
                headers[name.lower()] = value.strip()
            if status != 100:
                return Seen(status, headers, stream.read(int(headers.get("content-length", 0))))
    except OSError:
        pass
    return Seen(0, {}, b"")


def post(
    body: bytes, *, version: str = "1.1", charset: str = "", path: str = SERVICE, extra: bytes = b""
) -> bytes:
    """A whole request."""
    kind = TYPES[version] + (f"; charset={charset}" if charset else "")
    head = f"POST {path} HTTP/1.1\r\nHost: bridge\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + extra + b"\r\n" + body


def envelope(
    payload: str, *, version: str = "1.1", header: str = "", before: str = "", root: str = ""
) -> str:
    """Around `payload`; `before` comes before the Envelope, `root` into its start tag."""
    inside = f"<s:Header>{header}</s:Header>" if header else ""
    return (
        f'{before}<s:Envelope xmlns:s="{SOAP[version]}"{root}>{inside}<s:Body>{payload}</s:Body></s:Envelope>'
    )
