"""Two processes on PostgreSQL, as `serve --workers 2` starts them: one truth, and a killed process is replaced."""

from __future__ import annotations

import http.client
import os
import signal
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.shipped_erp import SOAP, Answer, ErpProcess, get_order, order

pytestmark = pytest.mark.postgres
INVENTORY = "urn:soapbridge:erp:inventory:1"


@pytest.fixture(scope="module")
def pair(postgresql_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ErpProcess]:
    folder = tmp_path_factory.mktemp("pair")
    postgresql_server.psql("CREATE DATABASE pair")
    url = postgresql_server.get_uri(database="pair").replace("postgresql://", "postgresql+psycopg://")
    erp = ErpProcess(folder, "--workers", "2", SOAPBRIDGE_STORE_URL=url)
    erp.take_free_port()
    with erp:
        erp.wait_until_ready()
        yield erp
    assert "Traceback" not in erp.log


def workers(erp: ErpProcess) -> set[int]:
    """Processes that answer: children of the one that was started, without the helper that multiprocessing runs."""
    assert erp.process is not None
    children = Path(f"/proc/{erp.process.pid}/task/{erp.process.pid}/children").read_text().split()
    return {int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()}


def unique() -> str:
    return f"PAIR-{uuid.uuid4().hex[:12].upper()}"


def at_once(erp: ErpProcess, service: str, bodies: list[bytes]) -> list[Answer]:
    """Sent by 16 threads, each request on a connection of its own, so that both processes get some."""
    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(lambda body: erp.post(service, body), bodies))


def movement(request_id: str, sku: str, quantity: int, kind: str, reason: str) -> bytes:
    return (
        f'<s:Envelope xmlns:s="{SOAP["1.1"]}"><s:Body><UpdateStock xmlns="{INVENTORY}"><requestId>{request_id}</requestId>'
        f'<movement><sku>{sku}</sku><quantity unit="H87">{quantity}</quantity><{kind}><warehouse>WH-NB1</warehouse>'
        f"<reason>{reason}</reason></{kind}></movement></UpdateStock></s:Body></s:Envelope>"
    ).encode()


def test_the_same_order_sent_by_many_at_once_is_made_once(pair: ErpProcess) -> None:
    mine = unique()
    answers = at_once(pair, "purchasing", [order(mine)] * 32)
    for _ in range(
        20
    ):  # exchange ids name their process; which of them takes a connection is the system's choice
        if len({answer.headers["x-exchange-id"].split("-")[1] for answer in answers}) == 2:
            break
        answers += at_once(pair, "purchasing", [order(mine)] * 32)
    else:
        pytest.fail("one process answered everything")
    assert {answer.status for answer in answers} == {200}
    assert len({answer.find("orderNumber") for answer in answers}) == 1


def test_stock_is_never_promised_twice(pair: ErpProcess) -> None:
    sku = unique()
    assert pair.post("inventory", movement(unique(), sku, 10, "receipt", "purchase")).status == 200
    answers = at_once(pair, "inventory", [movement(unique(), sku, 1, "issue", "sale") for _ in range(30)])
    refused = [answer.fault.declared for answer in answers if answer.fault is not None]
    assert refused == ["InsufficientStock"] * 20
    left = pair.post(
        "inventory",
        f'<s:Envelope xmlns:s="{SOAP["1.1"]}"><s:Body><GetStock xmlns="{INVENTORY}"><sku>{sku}</sku></GetStock>'
        "</s:Body></s:Envelope>".encode(),
    )
    assert left.find("onHand") == "0"


def figures(erp: ErpProcess) -> tuple[float, int]:
    """How many purchase orders were accepted, and how many processes there are, as /metrics tells it."""
    text = erp.request("GET", "/metrics").text
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    wanted = {"service": "purchasing", "operation": "CreatePurchaseOrder", "verdict": "accepted"}
    accepted = [
        one.value
        for one in samples
        if one.name == "soapbridge_requests_total" and wanted.items() <= one.labels.items()
    ]
    return sum(accepted), sum(one.name == "process_resident_memory_bytes" for one in samples)


def test_figures_are_those_of_both_processes_whoever_is_asked_and_outlive_a_kill(pair: ErpProcess) -> None:
    before, _ = figures(pair)
    assert {
        answer.status for answer in at_once(pair, "purchasing", [order(unique()) for _ in range(40)])
    } == {200}
    deadline = time.monotonic() + 10
    while figures(pair) != (before + 40, 2):  # a process says once a second that it is there
        assert time.monotonic() < deadline, figures(pair)
        time.sleep(0.1)
    assert {figures(pair) for _ in range(20)} == {(before + 40, 2)}

    running = workers(pair)
    os.kill(max(running), signal.SIGKILL)
    deadline = time.monotonic() + 20
    while len(workers(pair) - {max(running)}) < 2:
        assert time.monotonic() < deadline, pair.log
        time.sleep(0.1)
    pair.wait_until_ready()
    assert figures(pair)[0] == before + 40


def test_a_process_that_is_killed_is_replaced_and_nothing_answered_is_lost(pair: ErpProcess) -> None:
    before = workers(pair)
    assert len(before) == 2

    def place(_: int) -> tuple[str, Any]:
        mine = unique()
        try:
            return mine, pair.post("purchasing", order(mine))
        except (OSError, http.client.HTTPException):
            return mine, None

    with ThreadPoolExecutor(8) as pool:
        placed = pool.map(place, range(200))
        first = [next(placed) for _ in range(40)]
        os.kill(min(before), signal.SIGKILL)
        answers = dict([*first, *placed])
    answered = {mine: got.find("orderNumber") for mine, got in answers.items() if got is not None}
    assert {got.status for got in answers.values() if got is not None} == {200}
    assert len(answered) >= 100

    deadline = time.monotonic() + 20
    while len(workers(pair)) < 2 or workers(pair) == before:
        assert time.monotonic() < deadline, pair.log
        time.sleep(0.1)
    pair.wait_until_ready()
    found = {mine: pair.post("purchasing", get_order(mine)).find("orderNumber") for mine in answered}
    assert found == answered
