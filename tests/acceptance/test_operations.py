"""Started as a platform starts it: sockets handed over, notifications wanted, standard error closed or abandoned."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.shipped_erp import ROOT, SAMPLES, ErpProcess, order

# What systemd does between fork and exec: the socket becomes descriptor 3, the variables name this process.
HAND_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES="soapbridge.socket")
os.execv(sys.executable, [sys.executable, "-m", "bridge", *sys.argv[2:]])
"""


class Customer(threading.Thread):
    """Sends orders, each on a connection of its own, and expects an answer to every one."""

    def __init__(self, erp: ErpProcess, name: str) -> None:
        super().__init__(name=name)
        self.erp = erp
        self.enough = threading.Event()
        self.answered: dict[str, str] = {}
        self.unanswered: list[str] = []

    def run(self) -> None:
        while not self.enough.wait(0.005):
            mine = f"{self.name}-{len(self.answered)}"
            try:
                answer = self.erp.post("purchasing", order(mine))
            except OSError as error:  # refused, reset, closed
                self.unanswered.append(f"{mine}: {error!r}")
                return
            number = answer.find("orderNumber")
            if answer.status != 200 or number is None:
                self.unanswered.append(f"{mine}: {answer.text}")
                return
            self.answered[mine] = number


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as made:
        yield made


def test_nobody_is_refused_while_the_bridge_restarts_behind_a_socket_that_stays(
    tmp_path: Path, listener: socket.socket
) -> None:
    erp = ErpProcess(tmp_path)
    erp.program = (sys.executable, "-c", HAND_OVER, str(listener.fileno()))
    erp.pass_fds = (listener.fileno(),)
    erp.start()
    assert erp.port == listener.getsockname()[1]
    customers = [Customer(erp, f"upgrade-{number}") for number in range(3)]
    for customer in customers:
        customer.start()
    for _ in range(2):
        before = sum(len(customer.answered) for customer in customers)
        while sum(len(customer.answered) for customer in customers) < before + 30:
            assert all(customer.is_alive() for customer in customers), [one.unanswered for one in customers]
            time.sleep(0.02)
        erp.stop()
        erp.start()
    for customer in customers:
        customer.enough.set()
    for customer in customers:
        customer.join(30)
        assert customer.unanswered == []
    erp.stop()
    answered = {request for customer in customers for request in customer.answered}
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / "bridge.sqlite")) as store:
        stored = [request for (request,) in store.execute("SELECT request_id FROM purchase_order")]
    assert sorted(stored) == sorted(answered)
    assert "Traceback" not in erp.log


def test_who_started_it_is_told_when_it_is_ready_alive_and_stopping(tmp_path: Path) -> None:
    name = f"soapbridge-test-{uuid.uuid4().hex}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(f"\0{name}")
        told.settimeout(20)
        erp = ErpProcess(tmp_path, NOTIFY_SOCKET=f"@{name}", WATCHDOG_USEC="1000000")
        with erp:
            assert told.recv(1024) == b"READY=1\nWATCHDOG=1"
            assert erp.request("GET", "/readyz").status == 200
            assert told.recv(1024) == b"WATCHDOG=1"
            assert erp.process is not None
            erp.process.send_signal(signal.SIGTERM)
            said = told.recv(1024)
            while said == b"WATCHDOG=1":
                said = told.recv(1024)
            assert said == b"STOPPING=1"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")
def test_systemd_understands_the_units_and_finds_little_exposed(tmp_path: Path) -> None:
    for name in ("soapbridge.service", "soapbridge-worker.service", "soapbridge.socket"):
        text = (ROOT / "deploy" / name).read_text("utf-8")
        (tmp_path / name).write_text(text.replace("/opt/soapbridge/bin/soapbridge", sys.executable))

    def analyze(*words: str) -> str:
        done = subprocess.run(
            ["systemd-analyze", *words], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    said = analyze("verify", "./soapbridge.service", "./soapbridge-worker.service", "./soapbridge.socket")
    assert "soapbridge" not in said, said
    for unit in ("./soapbridge.service", "./soapbridge-worker.service"):
        analyze("security", "--offline=true", "--threshold=20", unit)


BAD = (SAMPLES / "purchasing/CreatePurchaseOrder/bad-three-fields-soap11.xml").read_bytes()


@pytest.mark.parametrize("closed", ["2>&-", "0<&- 2>&-"])
def test_with_standard_error_closed_it_serves_and_writes_nowhere_else(tmp_path: Path, closed: str) -> None:
    erp = ErpProcess(tmp_path, SOAPBRIDGE_LOG_REQUESTS="all")
    erp.program = ("sh", "-c", f'exec "$0" "$@" {closed}', *erp.program)
    with erp:
        for number in range(3):
            assert erp.post("purchasing", BAD).status == 500
            assert erp.post("purchasing", order(f"closed-{number}")).status == 200
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / "bridge.sqlite")) as store:
        assert store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_when_nobody_reads_standard_error_any_more_it_still_serves(tmp_path: Path) -> None:
    read, write = os.pipe()
    erp = ErpProcess(tmp_path, SOAPBRIDGE_LOG_REQUESTS="all")
    redirect = "import os, sys; os.dup2(int(sys.argv[1]), 2); os.close(int(sys.argv[1])); os.execv(sys.argv[2], sys.argv[2:])"
    erp.program = (sys.executable, "-c", redirect, str(write), *erp.program)
    erp.pass_fds = (write,)
    with erp:
        os.close(write)
        assert erp.post("purchasing", order("read")).status == 200
        assert b'"verdict":"accepted"' in os.read(read, 10_000)
        os.close(read)
        for number in range(3):
            assert erp.post("purchasing", BAD).status == 500
            assert erp.post("purchasing", order(f"gone-{number}")).status == 200
