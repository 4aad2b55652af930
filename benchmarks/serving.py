"""A server process to measure, and the client that loads it.

    python -m benchmarks.serving NAME [URL]      what `Server` starts: one worker, any free port

The server tells its port, then answers each line on its standard input with what it has used so far. It ends when
its standard input does, so that none outlives the benchmark that started it.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

APPLICATIONS = {
    "floor": "benchmarks.floor:application",
    "bridge": "benchmarks.hosted:bridge_application",
    "spyne": "benchmarks.hosted:spyne_application",
    "constant": "benchmarks.durable:constant",
    "unstored": "benchmarks.durable:unstored",
    "stored": "benchmarks.durable:stored",
    "counterpart_soap": "benchmarks.counterpart:soap",
    "counterpart_rest": "benchmarks.counterpart:rest",
}
"""What can be served, by name; `stored` and `counterpart_…` take a database's URL."""


class Server:
    """One application behind the bridge's own HTTP server, one worker, in a process of its own."""

    def __init__(self, name: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.serving", name, *arguments],
            cwd=Path(__file__).parents[1],
            env={**os.environ, **({_FIRST_CORE: str(_CORES[0])} if len(_CORES) > 1 else {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(self._answer()["port"])

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server ended with status {self._process.wait()}; its reason is above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _ask(self) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._answer()

    def cpu(self) -> float:
        """Seconds of CPU (user and system, all threads) that the server has used so far."""
        return float(self._ask()["cpu"])

    def resident(self) -> int:
        """Bytes of memory that the server holds now."""
        return int(self._ask()["resident"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        assert self._process.stdout is not None
        self._process.stdout.close()


class Load:
    """A client that costs next to nothing: requests made beforehand, over a few connections that stay open.

    Each connection has one request under way; replies are read in the order of the connections.
    """

    def __init__(self, port: int, connections: int = 4) -> None:
        if len(_CORES) > 1:
            _pin(_CORES[-1])
        self._sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
        for one in self._sockets:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, requests: Iterable[bytes], *, expect: Sequence[bytes] = (b"200",)) -> int:
        """Sends every request, reads every reply; returns how many.

        Raises:
            RuntimeError: a reply has another status than those expected.
        """
        under_way = 0
        sockets = self._sockets
        count = -1
        for count, request in enumerate(requests):
            one = sockets[count % len(sockets)]
            if under_way == len(sockets):
                self._receive(one, expect)
                under_way -= 1
            one.sendall(request)
            under_way += 1
        for position in range(count + 1 - under_way, count + 1):
            self._receive(sockets[position % len(sockets)], expect)
        return count + 1

    @staticmethod
    def _receive(one: socket.socket, expect: Sequence[bytes]) -> None:
        data = one.recv(262_144)
        head = data.find(b"\r\n\r\n")
        while head < 0:
            data += _more(one)
            head = data.find(b"\r\n\r\n")
        if data[9:12] not in expect:
            raise RuntimeError(f"unexpected reply: {data[:2000]!r}")
        at = data.lower().index(b"content-length:", 0, head)
        missing = head + 4 + int(data[at + 15 : data.index(b"\r\n", at)]) - len(data)
        while missing > 0:
            missing -= len(_more(one))

    def close(self) -> None:
        for one in self._sockets:
            one.close()


def _more(one: socket.socket) -> bytes:
    data = one.recv(262_144)
    if not data:
        raise RuntimeError("the server closed the connection")
    return data


def post(path: str, body: bytes) -> bytes:
    """The bytes of a request as a client on a connection that stays open sends it."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/xml; charset=utf-8\r\n"
        f'SOAPAction: ""\r\nContent-Length: {len(body)}\r\n\r\n'
    ).encode() + body


def resident_bytes() -> int:
    """Memory that this process holds: now, where /proc tells, else the most it ever held."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")


def application(name: str, *arguments: str) -> Callable[..., Any]:
    module, _, function = APPLICATIONS[name].partition(":")
    made: Callable[..., Any] = getattr(importlib.import_module(module), function)(*arguments)
    return made


_CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
_FIRST_CORE = "SOAPBRIDGE_BENCHMARK_CORE"
"""Servers run on the first core, the client on the last, so that nobody measures how the system moves threads about."""


def _pin(core: int) -> None:
    os.sched_setaffinity(0, {core})


def _report() -> None:
    for _ in sys.stdin:
        print(json.dumps({"cpu": time.process_time(), "resident": resident_bytes()}), flush=True)
    os.kill(os.getpid(), signal.SIGTERM)


def _serve(name: str, *arguments: str) -> None:
    from bridge.host.server import ServerOptions, run

    logging.disable(logging.WARNING)  # refused requests are meant to be refused here

    if _FIRST_CORE in os.environ:
        _pin(int(os.environ[_FIRST_CORE]))

    def ready(port: int) -> None:
        print(json.dumps({"port": port}), flush=True)
        threading.Thread(target=_report, daemon=True).start()

    run(lambda: application(name, *arguments), ServerOptions(port=0, grace=1.0), ready=ready)


if __name__ == "__main__":
    _serve(*sys.argv[1:])
