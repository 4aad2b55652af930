from __future__ import annotations

import fcntl
import math
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bridge.errors import InvalidReply, InvalidRequest, Refusal
from bridge.handlers import Service
from bridge.inbound import Inbound
from bridge.ops import exposition
from bridge.ops.meter import BUCKETS, Meter, Row
from bridge.ops.probe import Disk, StoreState
from bridge.store import Verdict
from bridge.store.flows import FlowFigures
from tests.unit.ops.conftest import ended


def only(meter: Meter) -> Row:
    (row,) = meter.rows()
    return row


def samples(
    meter: Meter, state: StoreState | None = None
) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = exposition.text(meter, state, [Disk("data", 5, 10)]).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_an_exchange_counts_in_the_row_of_its_operation(service: Service, inbound: Inbound) -> None:
    meter = Meter([service])
    meter.observer(service)(ended(inbound), 0.25)
    row = only(meter)
    assert (row.service, row.operation, row.partner) == ("purchasing", "GetPurchaseOrder", "")
    assert (row.request_bytes, row.reply_bytes, row.seconds) == (100, 40, 0.25)
    assert {verdict: count for verdict, count in row.verdicts.items() if count} == {"accepted": 1}


def test_every_word_of_the_journal_is_counted(service: Service, inbound: Inbound) -> None:
    meter = Meter([service])
    observe = meter.observer(service)
    for verdict in get_args(Verdict):
        observe(ended(inbound, verdict=verdict), 0.1)
    assert only(meter).verdicts == dict.fromkeys(get_args(Verdict), 1)


def test_what_names_no_operation_counts_as_one(service: Service, inbound: Inbound) -> None:
    meter = Meter([service])
    observe = meter.observer(service)
    for found in range(50):
        refused = Refusal(f"There is no operation {found}.")
        observe(ended(inbound, None, "refused", error=refused, fault_code="Client"), 0.001)
    row = only(meter)
    assert (row.operation, row.verdicts["refused"], row.codes["Client"]) == ("", 50, 50)


def test_partners_come_from_the_settings_and_never_from_what_is_sent(
    service: Service, inbound: Inbound
) -> None:
    meter = Meter([service], partners=["webshop"])
    observe = meter.observer(service)
    for partner in (None, "webshop", *(f"stranger-{number}" for number in range(50))):
        observe(ended(inbound, partner=partner), 0.1)
    assert {row.partner: row.verdicts["accepted"] for row in meter.rows()} == {
        "": 1,
        "webshop": 1,
        "other": 50,
    }


def test_violations_of_requests_and_of_our_replies_are_told_apart(service: Service, inbound: Inbound) -> None:
    meter = Meter([service])
    observe = meter.observer(service)
    three: list[object] = [object()] * 3
    observe(ended(inbound, verdict="invalid_request", error=InvalidRequest("no", three)), 0.1)  # type: ignore[arg-type]
    observe(ended(inbound, verdict="invalid_reply", error=InvalidReply("no", three[:1])), 0.1)  # type: ignore[arg-type]
    row = only(meter)
    assert (row.request_violations, row.reply_violations) == (3, 1)


def test_a_duplicate_counts_as_what_it_is_answered_with_and_as_a_duplicate(
    service: Service, inbound: Inbound
) -> None:
    meter = Meter([service])
    meter.observer(service)(ended(inbound, duplicate_of="01993c5b2f1a-9f2c1e77b0-1"), 0.1)
    row = only(meter)
    assert (row.duplicates, row.verdicts["accepted"]) == (1, 1)


@pytest.mark.parametrize(
    ("seconds", "bucket"), [(0.0, 0), (0.001, 0), (0.0011, 1), (30.0, 13), (31.0, 14), (9_000.0, 14)]
)
def test_a_duration_falls_into_the_first_bucket_that_holds_it(
    service: Service, inbound: Inbound, seconds: float, bucket: int
) -> None:
    meter = Meter([service])
    meter.observer(service)(ended(inbound), seconds)
    assert only(meter).buckets.index(1) == bucket
    value = samples(meter)
    for number, bound in enumerate((*map(str, BUCKETS), "+Inf")):
        labels = (
            ("le", bound),
            ("operation", "GetPurchaseOrder"),
            ("partner", ""),
            ("service", "purchasing"),
        )
        assert value["soapbridge_request_duration_seconds_bucket", labels] == (number >= bucket)


def test_nothing_is_lost_between_threads(service: Service, inbound: Inbound) -> None:
    meter = Meter([service])
    observe, exchange = meter.observer(service), ended(inbound)
    threads = [
        threading.Thread(target=lambda: [observe(exchange, 0.001) for _ in range(5_000)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    row = only(meter)
    assert row.verdicts["accepted"] == sum(row.buckets) == 20_000
    assert row.request_bytes == 2_000_000


def test_processes_of_one_server_answer_for_all_of_them(
    service: Service, inbound: Inbound, tmp_path: Path
) -> None:
    one, two = Meter([service], folder=tmp_path), Meter([service], folder=tmp_path)
    one.observer(service)(ended(inbound), 0.1)
    two.observer(service)(ended(inbound), 0.1)
    two.sources.append(lambda: {"waiting": 3, "refused_503": 2})
    two.publish()
    for meter in (one, two):
        assert only(meter).verdicts["accepted"] == 2
        assert (meter.figures()["waiting"], meter.figures()["refused_503"]) == (3, 2)


def test_how_a_process_stood_ends_with_it_and_what_it_counted_does_not(
    service: Service, inbound: Inbound, tmp_path: Path
) -> None:
    one, two = Meter([service], folder=tmp_path), Meter([service], folder=tmp_path)
    two.observer(service)(ended(inbound), 0.1)
    two.sources.append(lambda: {"pid": 4711, "waiting": 3, "refused_503": 2})
    two.publish()
    fcntl.flock(two.board._file, fcntl.LOCK_UN)  # as if its process had ended
    assert (one.figures()["waiting"], one.figures()["refused_503"]) == (0, 2)
    assert one.processes() == {}
    heir = Meter([service], folder=tmp_path)
    heir.sources.append(lambda: {"pid": 4712, "waiting": 1, "refused_503": 1})
    for _ in range(2):
        heir.publish()
    assert (one.figures()["waiting"], one.figures()["refused_503"]) == (1, 3)
    assert one.processes() == {1: 4712}
    assert only(heir).verdicts["accepted"] == 1


def test_flows_are_shown_with_how_far_they_are_behind(service: Service) -> None:
    ago = datetime.now(UTC) - timedelta(hours=1)
    flows = (FlowFigures("accounts", ago, 2), FlowFigures("stock", None, 0))
    value = samples(Meter([service]), StoreState(True, {}, flows=flows))
    assert 3600 <= value["soapbridge_flow_lag_seconds", (("flow", "accounts"),)] < 3700
    assert value["soapbridge_flow_lag_seconds", (("flow", "stock"),)] == math.inf
    assert value["soapbridge_flow_problems", (("flow", "accounts"),)] == 2


def test_store_and_disks_are_shown(service: Service) -> None:
    meter = Meter([service])
    value = samples(meter, StoreState(True, {"request": 12.5}))
    assert value["soapbridge_store_reachable", ()] == 1
    assert value["soapbridge_oldest_unsettled_seconds", (("kind", "request"),)] == 12.5
    assert value["soapbridge_disk_free_bytes", (("use", "data"),)] == 5
    assert samples(meter, StoreState(False, {}))["soapbridge_store_reachable", ()] == 0
    assert ("soapbridge_store_reachable", ()) not in samples(meter)
