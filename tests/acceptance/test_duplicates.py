"""The same request from many clients at once, over HTTP, on both databases: one order, equal answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.acceptance.shipped_erp import Answer, ErpProcess, ask, order

CLIENTS = 32


@pytest.fixture
def erp(tmp_path: Path) -> Iterator[ErpProcess]:
    with ErpProcess(tmp_path) as erp:
        yield erp


def at_once(erp: ErpProcess, request_id: str) -> list[Answer]:
    start = threading.Barrier(CLIENTS)

    def send(number: int) -> Answer:
        version = "1.2" if number % 2 else "1.1"
        connection = erp.connection()
        try:
            connection.connect()
            start.wait(30)
            content_type = "application/soap+xml" if number % 2 else "text/xml"
            body = order(request_id, version=version)
            return ask(connection, "POST", "/services/purchasing", body, Content_Type=content_type)
        finally:
            connection.close()

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(send, range(CLIENTS)))


def payload(answer: Answer) -> bytes:
    (body,) = answer.root.iterchildren("{*}Body")
    return etree.tostring(body[0], method="c14n", exclusive=True)


def check(answers: list[Answer], erp: ErpProcess) -> None:
    assert {answer.status for answer in answers} == {200}
    assert len({payload(answer) for answer in answers}) == 1
    assert len({answer.headers["x-exchange-id"] for answer in answers}) == CLIENTS
    listed = erp.command("journal", "list", "--operation", "CreatePurchaseOrder", "--limit", 100)["exchanges"]
    firsts = [entry for entry in listed if entry["duplicate_of"] is None]
    assert len(listed) == CLIENTS
    assert len(firsts) == 1
    assert {entry["duplicate_of"] for entry in listed} == {None, firsts[0]["exchange_id"]}
    assert len({entry["reference"] for entry in listed}) == 1


def test_32_clients_at_the_same_instant_make_one_order(erp: ErpProcess) -> None:
    check(at_once(erp, "all-at-once"), erp)


@pytest.mark.postgres
def test_32_clients_of_two_processes_make_one_order(tmp_path: Path, postgresql_server: Any) -> None:
    postgresql_server.psql("CREATE DATABASE duplicates")
    url = postgresql_server.get_uri(database="duplicates").replace("postgresql://", "postgresql+psycopg://")
    erp = ErpProcess(tmp_path, "--workers", "2", SOAPBRIDGE_STORE_URL=url)
    erp.take_free_port()
    with erp:
        erp.wait_until_ready()
        check(at_once(erp, "all-at-once"), erp)


def test_killed_in_the_middle_of_repeats_no_order_is_made_twice(tmp_path: Path) -> None:
    erp = ErpProcess(tmp_path)
    numbers: dict[str, set[str]] = {}
    lock = threading.Lock()
    for round_ in range(3):
        erp.start()
        enough = threading.Event()

        def repeat(name: str, enough: threading.Event = enough, most: int = 12 * (round_ + 1)) -> None:
            connection = erp.connection()
            try:
                for turn in range(200):
                    request_id = (
                        f"{name}-{turn // 3}"  # each request three times in a row, and by two clients
                    )
                    answer = ask(
                        connection, "POST", "/services/purchasing", order(request_id), Content_Type="text/xml"
                    )
                    number = answer.find("orderNumber")
                    assert number is not None, answer.text
                    with lock:
                        numbers.setdefault(request_id, set()).add(number)
                        if len(numbers) >= most:
                            enough.set()
            except OSError:
                pass  # the server is gone
            except Exception as error:
                if type(error).__module__ != "http.client":
                    raise
            finally:
                connection.close()

        with ThreadPoolExecutor(4) as pool:
            clients = [pool.submit(repeat, f"kill-{round_}-{number % 2}") for number in range(4)]
            assert enough.wait(30)
            erp.kill()
            for client in clients:
                client.result()
    with erp:
        for request_id, given in numbers.items():
            assert len(given) == 1, request_id
            again = erp.post("purchasing", order(request_id))
            assert again.find("orderNumber") in given
