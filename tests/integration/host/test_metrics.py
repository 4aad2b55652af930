"""Figures over HTTP, read as Prometheus reads them."""

from __future__ import annotations

import dataclasses
import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bridge.app import Bridge
from bridge.errors import SettingsError
from bridge.host.server import ServerOptions, run
from bridge.settings import Data, Journal, Metrics, Server, Settings
from bridge.store.idempotency import RequestIdentity, claim
from tests.integration.host.conftest import Answer, Running, echo, envelope, running
from tests.ports import free_port

Values = Callable[..., float]


def scrape(desk: Running, port: int | None = None) -> Values:
    """value(name, label=...): the sum of the samples with these labels."""
    connection = http.client.HTTPConnection("127.0.0.1", port or desk.port, timeout=10)
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status == 200, text
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]

    def value(name: str, **labels: str) -> float:
        found = [one.value for one in samples if one.name == name and labels.items() <= one.labels.items()]
        assert found, f"no {name} {labels} in:\n{text}"
        return sum(found)

    return value


def test_exchanges_are_counted_by_how_they_ended(kept: Running) -> None:
    kept.post(echo())
    kept.post(echo("closed"))
    kept.post(echo("break"))
    kept.post(echo("off contract"))
    kept.post(envelope('<Echo xmlns="urn:test:desk:1"><text/><number>x</number><other/></Echo>'))
    kept.post(envelope('<Nothing xmlns="urn:test:desk:1"/>'))
    kept.post(b"<no")
    value = scrape(kept)

    def requests(verdict: str, operation: str) -> float:
        labels = {"service": "desk", "operation": operation, "partner": "", "verdict": verdict}
        return value("soapbridge_requests_total", **labels)

    for verdict in ("accepted", "fault", "failed", "invalid_reply", "invalid_request"):
        assert requests(verdict, "Echo") == 1
    assert requests("refused", "") == 2
    assert value("soapbridge_violations_total", operation="Echo", message="request") >= 2
    assert value("soapbridge_violations_total", operation="Echo", message="reply") == 1
    assert value("soapbridge_faults_total", operation="Echo", code="Client") == 2
    assert value("soapbridge_faults_total", operation="Echo", code="Server") == 2
    assert value("soapbridge_request_duration_seconds_count", operation="Echo") == 5
    assert value("soapbridge_request_duration_seconds_bucket", operation="Echo", le="+Inf") == 5
    assert value("soapbridge_request_bytes_total", operation="Echo") > 5 * len(echo()) - 100
    assert value("soapbridge_reply_bytes_total", operation="Echo") > 500


def test_the_process_its_store_and_its_disks_are_shown(kept: Running) -> None:
    value = scrape(kept)
    assert value("soapbridge_store_reachable") == 1
    assert value("soapbridge_disk_free_bytes", use="store") > 0
    assert value("soapbridge_disk_size_bytes", use="data") > value("soapbridge_disk_free_bytes", use="data")
    assert value("soapbridge_build_info") == 1
    assert value("process_resident_memory_bytes", process="0") > 1e6
    assert value("process_open_fds", process="0") > 3
    assert value("soapbridge_connections") >= 1
    assert value("soapbridge_requests_waiting") == value("soapbridge_requests_in_flight") == 0


def test_a_store_that_is_lost_is_a_figure_and_the_others_are_still_there(kept: Running) -> None:
    store = kept.bridge.store
    assert store is not None
    assert store.file is not None
    store.close()
    store.file.rename(store.file.with_name("elsewhere"))
    assert scrape(kept)("soapbridge_store_reachable") == 0


def test_a_request_that_nobody_knows_the_end_of_grows_old(kept: Running) -> None:
    assert scrape(kept)("soapbridge_oldest_unsettled_seconds", kind="request") == 0
    assert kept.bridge.store is not None
    long_ago = int((time.time() - 3600) * 1e6)
    with kept.bridge.store.transaction() as transaction:
        claim(
            transaction.session,
            RequestIdentity("", "desk", "Echo", "4711"),
            payload_hash=b"",
            exchange_id="x",
            now=long_ago,
            oldest=0,
            lease_until=long_ago + 1,
        )
    assert scrape(kept)("soapbridge_oldest_unsettled_seconds", kind="request") >= 3600


def test_what_the_entrance_refuses_is_counted_by_status(desk: Running) -> None:
    before = scrape(desk)
    desk.send(b"this is no request\r\n\r\n")
    desk.request("POST", "/services/desk", headers={"X-Long": "x" * 40_000})
    desk.request("POST", "/services/desk", headers={"Content-Length": "999999999"})
    after = scrape(desk)
    for status in ("400", "431", "413"):
        name = "soapbridge_http_refused_total"
        assert after(name, status=status) == before(name, status=status) + 1


def test_figures_are_shown_while_requests_are_turned_away() -> None:
    working, go_on = threading.Event(), threading.Event()

    def work(request: Any, call: Any) -> Any:
        working.set()
        go_on.wait(10)
        return {"text": "done", "count": 1}

    def prepare(bridge: Bridge) -> None:
        bridge.services["/services/desk"].handlers["Echo"] = work

    settings = Settings(server=Server(threads=1, waiting=1))
    with running(settings, prepare=prepare) as desk, ThreadPoolExecutor(2) as senders:
        first = senders.submit(desk.post, echo())
        assert working.wait(10)
        second = senders.submit(desk.post, echo())
        turned_away: Answer | None = None
        while turned_away is None or turned_away.status != 503:  # until the second one waits
            if scrape(desk)("soapbridge_requests_waiting") == 1:
                turned_away = desk.post(echo())
        value = scrape(desk)
        assert value("soapbridge_requests_in_flight") == 1
        assert value("soapbridge_requests_waiting") == 1
        assert value("soapbridge_http_refused_total", status="503") == 1
        go_on.set()
        assert first.result().status == second.result().status == 200


def test_what_the_journal_leaves_out_is_counted(tmp_path: Path) -> None:
    settings = Settings(data=Data(folder=tmp_path), journal=Journal(refused_per_minute=0))
    with running(settings, store=True) as desk:
        desk.post(b"<no")
        desk.post(b"<no")
        assert scrape(desk)("soapbridge_journal_dropped_total") == 2


def test_strangers_find_nothing_there(desk: Running) -> None:
    nothing = desk.request("GET", "/nothing")
    for headers in ({"Host": "bridge.example.com"}, {"X-Forwarded-For": "10.0.0.7"}):
        answer = desk.request("GET", "/metrics", headers=headers)
        assert (answer.status, answer.body) == (404, nothing.body)
    assert desk.request("POST", "/metrics", b"x").status == 404
    assert desk.request("HEAD", "/metrics").status == 200


@pytest.fixture
def own_port() -> int:
    return free_port()


@pytest.fixture
def apart(own_port: int) -> Iterator[Running]:
    with running(Settings(metrics=Metrics(port=own_port))) as made:
        yield made


def test_a_port_of_their_own_has_the_figures_and_nothing_else(apart: Running, own_port: int) -> None:
    apart.post(echo())
    assert scrape(apart, own_port)("soapbridge_requests_total", verdict="accepted") == 1
    assert apart.request("GET", "/metrics").status == 404
    beside = dataclasses.replace(apart, port=own_port)
    assert beside.request("GET", "/").status == 404
    assert beside.post(echo()).status == 404


def test_on_a_port_of_their_own_strangers_are_told_which_setting(own_port: int) -> None:
    with running(Settings(metrics=Metrics(port=own_port, allow=("10.0.0.0/8",)))) as made:
        answer = dataclasses.replace(made, port=own_port).request("GET", "/metrics")
        assert answer.status == 403
        assert "metrics.allow" in answer.text


def test_a_port_that_is_taken_is_a_mistake_before_anything_is_served() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        options = ServerOptions(port=0, metrics=("127.0.0.1", taken.getsockname()[1]))
        with pytest.raises(SettingsError, match=r"for figures.*metrics\.port"):
            run(lambda: pytest.fail("nothing should be made"), options)
