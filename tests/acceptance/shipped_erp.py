"""The shipped bridge as a process of its own, and what a client of it needs: nothing here imports the bridge."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest
from lxml import etree

from tests.ports import free_port

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
SOAP = {
    "1.1": "http://schemas.xmlsoap.org/soap/envelope/",
    "1.2": "http://www.w3.org/2003/05/soap-envelope",
}
TYPES = {"1.1": "text/xml", "1.2": "application/soap+xml"}
VIOLATIONS = "urn:soapbridge:violations:1"
FAULTS = "urn:soapbridge:common:faults:1"


def environment(**more: str) -> dict[str, str]:
    """This process's, without settings of a bridge, and with this checkout importable."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SOAPBRIDGE_")}
    return kept | {"PYTHONPATH": str(ROOT), "COLUMNS": "120"} | more


class ErpProcess:
    """`soapbridge serve` in a folder; the same folder can be served again after it ended."""

    def __init__(self, folder: Path, *words: str, **variables: str) -> None:
        self.folder = folder
        self.words = words
        self.variables = variables
        self.port = 0
        self.announced: dict[str, Any] = {}
        self.program: tuple[str, ...] = (sys.executable, "-m", "bridge")
        self.verb = "serve"
        self.pass_fds: tuple[int, ...] = ()
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.stop()

    def start(self) -> None:
        """Returns once it has announced its addresses, on the port it had before if it had one."""
        with (self.folder / "serve.log").open("ab") as errors:
            self.process = subprocess.Popen(
                [*self.program, self.verb, *self.words, "--port", str(self.port), "--json"],
                cwd=self.folder,
                env=environment(**self.variables),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                pass_fds=self.pass_fds,
            )
        assert self.process.stdout is not None
        text = ""
        for line in self.process.stdout:
            text += line
            if line == "}\n":
                break
        if not text:
            self.process.communicate(timeout=20)
            pytest.fail(f"the bridge did not start:\n{self.log}")
        self.announced = json.loads(text)
        self.port = int(self.announced["url"].rpartition(":")[2])

    def stop(self) -> None:
        """SIGTERM, after which it must end with status 0."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=20)
        assert self.process.returncode == 0, self.log

    def kill(self) -> None:
        """SIGKILL: no chance to tidy up."""
        assert self.process is not None
        self.process.kill()
        self.process.communicate(timeout=20)

    def take_free_port(self) -> None:
        """Several workers cannot each take any free port."""
        self.port = free_port()

    def wait_until_ready(self) -> None:
        """Several workers announce their address before they answer."""
        deadline = time.monotonic() + 30
        while True:
            try:
                if self.request("GET", "/readyz").status == 200:
                    return
            except (OSError, http.client.HTTPException):
                pass
            assert time.monotonic() < deadline, self.log
            time.sleep(0.1)

    @property
    def log(self) -> str:
        return (self.folder / "serve.log").read_text()

    def url(self, service: str) -> str:
        return f"{self.announced['url']}/services/{service}"

    def socket(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Underscores in header names stand for dashes."""
        connection = self.connection()
        try:
            return ask(connection, method, path, body, **headers)
        finally:
            connection.close()

    def post(self, service: str, body: bytes, *, version: str = "1.1", **headers: str) -> Answer:
        return self.request(
            "POST", f"/services/{service}", body, **{"Content_Type": TYPES[version]} | headers
        )

    def run(self, *words: object) -> subprocess.CompletedProcess[str]:
        """Another command in this bridge's folder."""
        return subprocess.run(
            [sys.executable, "-m", "bridge", *map(str, words)],
            cwd=self.folder,
            env=environment(**self.variables),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def command(self, *words: object, status: int = 0) -> dict[str, Any]:
        """What another command says of this bridge's folder, as data."""
        done = self.run(*words, "--json")
        assert done.returncode == status, done.stdout + done.stderr
        content: dict[str, Any] = json.loads(done.stdout)
        return content


def ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None = None,
    **headers: str,
) -> Answer:
    """One request on a connection that stays open."""
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    reply = connection.getresponse()
    return Answer(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def root(self) -> etree._Element:
        return etree.fromstring(self.body)

    def find(self, name: str) -> str | None:
        """Text of the first element with this local name."""
        found = self.root.find(f".//{{*}}{name}")
        return None if found is None else found.text

    @property
    def fault(self) -> Fault | None:
        """What a client reads out of the answer; the same for both SOAP versions."""
        for version, ns in SOAP.items():
            found = self.root.find(f"{{{ns}}}Body/{{{ns}}}Fault")
            if found is not None:
                return _fault(version, found)
        return None


@dataclass(frozen=True)
class Fault:
    version: str
    code: str  # local name; its namespace has been checked to be the envelope's
    reason: str
    detail: list[etree._Element]

    @property
    def declared(self) -> str | None:
        """Name of the shipped contracts' fault in the detail."""
        names = [etree.QName(element) for element in self.detail]
        return next((name.localname for name in names if name.namespace == FAULTS), None)

    @property
    def paths(self) -> list[str]:
        """Of the violations, in the order told."""
        return [
            path.text or ""
            for element in self.detail
            for path in element.iterfind(f"{{{VIOLATIONS}}}violation/{{{VIOLATIONS}}}path")
        ]

    @property
    def total(self) -> int | None:
        """How many violations there are; None where the fault is about something else."""
        for element in self.detail:
            if element.tag == f"{{{VIOLATIONS}}}violations":
                return int(element.get("total", "-1"))
        return None


def _fault(version: str, found: etree._Element) -> Fault:
    if version == "1.1":
        code, reason, detail = found.find("faultcode"), found.findtext("faultstring"), found.find("detail")
    else:
        s = f"{{{SOAP['1.2']}}}"
        code, reason = found.find(f"{s}Code/{s}Value"), found.findtext(f"{s}Reason/{s}Text")
        detail = found.find(f"{s}Detail")
    assert code is not None
    assert code.text is not None
    prefix, _, local = code.text.rpartition(":")
    assert code.nsmap[prefix or None] == SOAP[version]
    return Fault(version, local, reason or "", [] if detail is None else list(detail))


def order(request_id: str, *, sku: str = "BRG-6204-2RS", quantity: str = "10", version: str = "1.1") -> bytes:
    """A purchase order of one line; parts of it may be wrong on purpose."""
    sample = SAMPLES / f"purchasing/CreatePurchaseOrder/good-1-line-soap{version.replace('.', '')}.xml"
    text = sample.read_text(encoding="utf-8")
    start, end = text.index("requestId>") + len("requestId>"), text.index("</pur:requestId>")
    text = text[:start] + request_id + text[end:]
    for old, new in ((">BRG-6204-2RS<", f">{sku}<"), ('unit="H87">10<', f'unit="H87">{quantity}<')):
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text.encode()


def get_order(request_id: str) -> bytes:
    return (
        f'<s:Envelope xmlns:s="{SOAP["1.1"]}"><s:Body><GetPurchaseOrder xmlns="urn:soapbridge:erp:purchasing:1">'
        f"<purchaseOrder><requestId>{request_id}</requestId></purchaseOrder></GetPurchaseOrder></s:Body></s:Envelope>"
    ).encode()
