"""The server as a process: SIGTERM, a taken port, several processes on PostgreSQL."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import bridge
from bridge.app import Bridge
from bridge.errors import SettingsError
from bridge.host.server import ServerOptions, run, serve
from bridge.settings import Server, Settings
from tests.integration.host.conftest import HERE, Running, echo
from tests.ports import free_port

PROGRAM = """
import functools, os, pathlib, sys, time
from bridge.app import Bridge
from bridge.host.server import serve
from bridge.settings import Data, Server, Settings, Store

def make(url):
    data = Data(folder=pathlib.Path(__file__).parent / "data")
    bridge = Bridge(Settings(data=data, store=Store(url=url)), store=bool(url))
    desk = bridge.serve({wsdl!r})

    @desk.operation("Echo")
    def answer(request, call):
        if request.text == "slow":
            time.sleep(1)
        return {{"text": str(os.getpid()), "count": 1}}

    return bridge

if __name__ == "__main__":
    workers, port, url = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    settings = Settings(server=Server(workers=workers, port=port, grace=5), store=Store(url=url))
    serve(functools.partial(make, url), settings, ready=lambda port: print(port, flush=True))
"""


def start(tmp_path: Path, workers: int, port: int, url: str = "") -> subprocess.Popen[str]:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(wsdl=str(HERE / "desk-1.wsdl")))
    return subprocess.Popen(
        [sys.executable, program, str(workers), str(port), url],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(bridge.__file__).parents[1])},
    )


def at(port: int) -> Running:
    return Running(Bridge(store=False), [], port=port)


def test_sigterm_finishes_what_is_in_hand_and_ends_with_0(tmp_path: Path) -> None:
    process = start(tmp_path, 1, free_port())
    assert process.stdout is not None
    made = at(int(process.stdout.readline()))
    body = echo("slow")
    with made.connect() as connection:
        head = f"POST /services/desk HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        assert connection.makefile("rb").read().startswith(b"HTTP/1.1 200")
    assert process.wait(10) == 0
    process.stdout.close()


def test_a_taken_port_is_told_with_advice() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"Cannot listen on 127.0.0.1:{port}"):
            run(lambda: Bridge(store=False).wsgi(), ServerOptions(port=port))


def test_several_processes_on_sqlite_are_refused() -> None:
    with pytest.raises(SettingsError, match="PostgreSQL"):
        serve(lambda: Bridge(), Settings(server=Server(workers=2)))


@pytest.mark.postgres
def test_several_processes_answer_on_postgresql_and_stop_together(
    tmp_path: Path, empty_postgresql_url: str
) -> None:
    port = free_port()
    process = start(tmp_path, 2, port, empty_postgresql_url)
    made, answers, deadline = at(port), set(), time.monotonic() + 30
    while len(answers) < 2 and time.monotonic() < deadline:
        try:
            answer = made.post(echo())
        except (OSError, AssertionError):
            time.sleep(0.2)
            continue
        assert answer.status == 200, answer.text
        answers.add(answer.text)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert len(answers) == 2, "one process answered everything"
    with pytest.raises(OSError, match="refused"):
        made.connect()
    assert process.stdout is not None
    process.stdout.close()
