"""`soapbridge up` and `soapbridge worker` as processes: a document accepted by one arrives at a partner, whoever is stopped."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from bridge.mock import Mock
from tests.acceptance.shipped_erp import ROOT, SOAP, ErpProcess, environment

EVENTS = ROOT / "wsdl/crm/events-1.wsdl"
RELAY = f"""
from bridge import Bridge

bridge = Bridge.load()
events = bridge.serve({str(EVENTS)!r}, idempotency_key="eventId")
crm = bridge.partner("crm")

def values(event):
    return {{
        "eventId": event.eventId, "occurredAt": event.occurredAt, "sequence": event.sequence, "sku": event.sku,
        "warehouse": event.warehouse,
        **{{name: {{"value": getattr(event, name).value, "unit": getattr(event, name).unit}}
           for name in ("onHand", "reserved", "available")}},
    }}

@events.operation("StockLevelChanged")
def stock_level_changed(event, call):
    crm.send("StockLevelChanged", event, mapping=values, ordering_key=event.sku)
    return {{"eventId": event.eventId, "outcome": "accepted"}}
"""
SETTINGS = """
[partners.crm]
wsdl = "{wsdl}"
endpoint = "{url}"
keeps_id = true
first_delay = 0.1
deadline = 2

[delivery]
lease = 5
sweep = 0.5
"""


@pytest.fixture(scope="module")
def crm() -> Iterator[Mock]:
    with Mock(EVENTS) as mock:
        yield mock


@pytest.fixture
def folder(tmp_path: Path, crm: Mock) -> Path:
    return prepared(tmp_path, crm)


def prepared(folder: Path, crm: Mock) -> Path:
    """A bridge that passes events on to a partner."""
    (folder / "relay.py").write_text(RELAY)
    (folder / "bridge.toml").write_text(SETTINGS.format(wsdl=EVENTS, url=crm.url))
    return folder


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, crm: Mock) -> Iterator[ErpProcess]:
    """It accepts, and delivers nothing."""
    with ErpProcess(prepared(tmp_path_factory.mktemp("served"), crm), "relay:bridge") as bridge:
        yield bridge
    assert "Traceback" not in bridge.log


def event(sku: str, sequence: int) -> bytes:
    amounts = "".join(f'<{name} unit="H87">1</{name}>' for name in ("onHand", "reserved", "available"))
    return (
        f'<s:Envelope xmlns:s="{SOAP["1.1"]}"><s:Body><StockLevelChanged xmlns="urn:soapbridge:crm:events:1">'
        f"<eventId>{sku}:{sequence}</eventId><occurredAt>2026-03-02T10:15:30Z</occurredAt><sequence>{sequence}</sequence>"
        f"<sku>{sku}</sku><warehouse>WH-NB1</warehouse>{amounts}</StockLevelChanged></s:Body></s:Envelope>"
    ).encode()


def arrived(crm: Mock, sku: str) -> list[int]:
    return [one.value.sequence for one in crm.received if one.value is not None and one.value.sku == sku]


def until(found: Callable[[], object], log: Callable[[], str] = str) -> None:
    deadline = time.monotonic() + 30
    while not found():
        assert time.monotonic() < deadline, log()
        time.sleep(0.02)


class Worker:
    """`soapbridge worker` in a folder."""

    def __init__(self, folder: Path, *words: str, **variables: str) -> None:
        self.file = folder / "worker.log"
        with self.file.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bridge", "worker", *words, "--json"],
                cwd=folder,
                env=environment(**variables),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self.process.stdout is not None
        self.announced = ""
        for line in self.process.stdout:
            self.announced += line
            if line == "}\n":
                break
        assert self.announced, self.log

    @property
    def log(self) -> str:
        return self.file.read_text()

    def stop(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.communicate(timeout=30)
        assert self.process.returncode == 0, self.log

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate(timeout=20)


def test_up_answers_and_delivers_in_order_and_stops_without_losing_any(folder: Path, crm: Mock) -> None:
    bridge = ErpProcess(folder, "relay:bridge")
    bridge.verb = "up"
    with bridge:
        assert bridge.announced["partners"] == ["crm"]
        for sequence in range(1, 6):
            for sku in ("A", "B"):
                assert bridge.post("events", event(sku, sequence)).status == 200
        until(lambda: arrived(crm, "A")[4:] and arrived(crm, "B")[4:], lambda: bridge.log)
        bridge.stop()
    assert arrived(crm, "A") == arrived(crm, "B") == [1, 2, 3, 4, 5]
    assert "Traceback" not in bridge.log


def test_serve_accepts_and_leaves_delivering_to_a_worker_beside_it(served: ErpProcess, crm: Mock) -> None:
    assert served.post("events", event("BESIDE", 1)).status == 200
    with Worker(served.folder, "relay:bridge") as worker:
        assert '"crm"' in worker.announced
        until(lambda: arrived(crm, "BESIDE") == [1], lambda: worker.log)
        assert served.post("events", event("BESIDE", 2)).status == 200
        until(lambda: arrived(crm, "BESIDE") == [1, 2], lambda: worker.log)
        worker.stop(signal.SIGINT)
        assert "Traceback" not in worker.log


def test_a_worker_that_is_stopped_finishes_what_it_sends_and_says_how_it_is(
    served: ErpProcess, crm: Mock
) -> None:
    for sequence in (1, 2):
        assert served.post("events", event("STOPPED", sequence)).status == 200
    crm.expect("StockLevelChanged").matching("//sku = 'STOPPED' and //sequence = 1").reply().delayed(1.0)
    name = f"soapbridge-test-{uuid.uuid4().hex}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(f"\0{name}")
        told.settimeout(20)
        systemd = {"NOTIFY_SOCKET": f"@{name}", "WATCHDOG_USEC": "400000"}
        with Worker(served.folder, "relay:bridge", **systemd) as worker:
            assert told.recv(1024) == b"READY=1\nWATCHDOG=1"
            assert told.recv(1024) == b"WATCHDOG=1"
            until(lambda: arrived(crm, "STOPPED") == [1], lambda: worker.log)
            worker.stop()
            said = told.recv(1024)
            while said == b"WATCHDOG=1":
                said = told.recv(1024)
            assert said == b"STOPPING=1"
    with Worker(served.folder, "relay:bridge") as worker:
        until(lambda: arrived(crm, "STOPPED")[1:], lambda: worker.log)
        worker.stop()
    assert arrived(crm, "STOPPED") == [1, 2], "what was being sent was not settled"


def test_a_second_signal_ends_a_worker_at_once(served: ErpProcess, crm: Mock) -> None:
    assert served.post("events", event("TWICE", 1)).status == 200
    crm.expect("StockLevelChanged").matching("//sku = 'TWICE'").reply().delayed(1.5)
    with Worker(served.folder, "relay:bridge") as worker:
        until(lambda: arrived(crm, "TWICE") == [1], lambda: worker.log)
        worker.process.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            worker.process.wait(0.3)
        worker.process.terminate()
        assert worker.process.wait(10) == 128 + signal.SIGTERM


def test_check_names_a_partner_that_documents_wait_for_and_nobody_knows(served: ErpProcess) -> None:
    assert served.post("events", event("UNKNOWN", 1)).status == 200
    settings = served.folder / "bridge.toml"
    text = settings.read_text()
    settings.write_text(text.replace("partners.crm", "partners.crm-2"))
    warnings = served.command("check")["warnings"]
    settings.write_text(text)
    assert any("partner crm," in warning for warning in warnings), warnings


@pytest.mark.postgres
def test_two_processes_and_a_worker_on_postgresql_deliver_together(
    folder: Path, crm: Mock, postgresql_server: Any
) -> None:
    postgresql_server.psql("CREATE DATABASE delivering")
    url = postgresql_server.get_uri(database="delivering").replace("postgresql://", "postgresql+psycopg://")
    bridge = ErpProcess(folder, "relay:bridge", "--workers", "2", SOAPBRIDGE_STORE_URL=url)
    bridge.verb = "up"
    bridge.take_free_port()
    with bridge:
        bridge.wait_until_ready()
        with Worker(folder, "relay:bridge", SOAPBRIDGE_STORE_URL=url) as worker:
            for sequence in range(1, 11):
                for sku in ("P", "Q", "R"):
                    assert bridge.post("events", event(sku, sequence)).status == 200
                if sequence == 5:
                    worker.process.kill()
            for sku in ("P", "Q", "R"):
                until(lambda sku=sku: arrived(crm, sku)[-1:] == [10], lambda: bridge.log)
                assert list(dict.fromkeys(arrived(crm, sku))) == list(range(1, 11))
        bridge.stop()
