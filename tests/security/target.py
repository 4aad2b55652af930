"""The bridge that is attacked: the shipped one as a process of its own, over TLS, and what is seen of it from outside and inside."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import sqlite3
import ssl
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from lxml import etree

from tests.acceptance.shipped_erp import SOAP, TYPES, ErpProcess, ask, get_order, order
from tests.security.callers import SETTINGS as CALLERS
from tests.security.callers import basic, prepare

SERVICE: Final = "/services/purchasing"
INSIDER: Final = b"X-API-Key: ^\r\n"
"""A line of a request that `Target.send` writes the attacker's own API key into."""
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
        (folder / "bridge.toml").write_text(_SETTINGS + CALLERS)
        self.callers = prepare(folder)
        self.listener = Listener()
        self.erp = _SecureErp(folder)
        self.second: _SecureErp | None = None
        self._asked = 0
        self._addresses = 0
        self.erp.trusted = ssl.create_default_context(cafile=str(folder / "certs/ca.pem"))

    def __enter__(self) -> Self:
        self.erp.start()
        self.order = f"honest-{uuid.uuid4().hex[:8]}"
        self.be_honest(create=True)
        assert self.known(self.order), "what an attack has stored would not be found"
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()
        if self.second is not None:
            self.second.__exit__()
        self.erp.__exit__()

    def another(self) -> _SecureErp:
        """A second process on the same store, started when it is first asked for."""
        if self.second is None:
            self.second = _SecureErp(self.folder)
            self.second.trusted = self.erp.trusted
            self.second.start()
        return self.second

    def new_address(self) -> str:
        """An address on loopback that nothing came from yet, so that earlier failures do not count."""
        self._addresses += 1
        return f"127.0.{1 + self._addresses // 250}.{1 + self._addresses % 250}"

    def be_honest(self, *, create: bool = False) -> float:
        """An honest client's request, on a connection of its own; the seconds that it took. It proves who it is with an API key,
        by HTTP Basic, with a UsernameToken and with a signature in turn. AssertionError where it is not served."""
        turn, self._asked = self._asked % 4, self._asked + 1
        payload = body_of(order(self.order) if create else get_order(self.order))
        headers = {"Content_Type": TYPES["1.1"]}
        body = envelope(payload).encode()
        match turn:
            case 0:
                headers["X_API_Key"] = self.callers.api_keys["crm"]
            case 1:
                headers["Authorization"] = basic("crm", self.callers.password)
            case 2:
                body = self.callers.digest(payload)
            case 3:
                body = self.callers.signed(payload, "crm")
        began = time.perf_counter()
        connection = self.erp.connection()
        try:
            answer = ask(connection, "POST", SERVICE, body, **headers)
        finally:
            connection.close()
        assert answer.status == 200, f"an honest request ({turn}) got {answer.status}: {answer.body[:300]!r}"
        return time.perf_counter() - began

    def send(self, *pieces: bytes, pause: float = 0.0, address: str = ATTACKER, second: bool = False) -> Seen:
        """Bytes on a connection of their own, and the first answer that is not interim; `second`: from the other process."""
        pieces = tuple(self.as_insider(piece) for piece in pieces)
        process = self.another() if second else self.erp
        began = time.perf_counter()
        with process.from_address(address) as connection:
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

    def as_insider(self, request: bytes) -> bytes:
        """The request, proved to be from the attacker where it says so."""
        return request.replace(INSIDER, self.callers.api_key("mallory"))

    def known(self, request_id: str) -> bool:
        """Whether an order of that id was stored, by whoever: what the bridge says would depend on who asks."""
        database = f"file:{self.folder}/data/bridge.sqlite?mode=ro"
        with contextlib.closing(sqlite3.connect(database, uri=True)) as store:
            (count,) = store.execute(
                "SELECT count(*) FROM purchase_order WHERE request_id = ?", (request_id,)
            ).fetchone()
        return bool(count)

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
    body: bytes,
    *,
    version: str = "1.1",
    charset: str = "",
    path: str = SERVICE,
    extra: bytes = b"",
    who: bytes = INSIDER,
) -> bytes:
    """A whole request. `who`: the header line that says who it is from, b"" for none."""
    kind = TYPES[version] + (f"; charset={charset}" if charset else "")
    head = f"POST {path} HTTP/1.1\r\nHost: bridge\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + who + extra + b"\r\n" + body


def body_of(message: bytes) -> str:
    """What is in its Body, as text that stands for itself."""
    (payload,) = etree.fromstring(message)[-1]
    return etree.tostring(payload, encoding="unicode", with_tail=False)


def envelope(
    payload: str, *, version: str = "1.1", header: str = "", before: str = "", root: str = ""
) -> str:
    """Around `payload`; `before` comes before the Envelope, `root` into its start tag."""
    inside = f"<s:Header>{header}</s:Header>" if header else ""
    return (
        f'{before}<s:Envelope xmlns:s="{SOAP[version]}"{root}>{inside}<s:Body>{payload}</s:Body></s:Envelope>'
    )
