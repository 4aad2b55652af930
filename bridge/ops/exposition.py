"""The figures as Prometheus reads them. docs/operations.md says what to do about each."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from itertools import accumulate

from lxml import etree
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from bridge.ops.meter import BUCKETS, Meter, Row
from bridge.ops.probe import Disk, StoreState
from bridge.store.backlog import Backlog
from bridge.store.flows import FlowFigures

PLACE = ("service", "operation", "partner")
BOUNDS = [*map(floatToGoString, BUCKETS), "+Inf"]


class Figures(Collector):
    """One answer's figures, in prometheus-client's families. `state` None: the bridge runs without a store."""

    def __init__(self, meter: Meter, state: StoreState | None, disks: Iterable[Disk]) -> None:
        self.meter = meter
        self.state = state
        self.disks = list(disks)

    def collect(self) -> Iterator[Metric]:
        rows = list(self.meter.rows())
        yield from _exchanges(rows)
        yield _durations(rows)
        yield from _host(self.meter.figures())
        if self.state is not None:
            yield from _store(self.state)
        yield from _disks(self.disks)
        yield _build()
        yield from _processes(self.meter.processes())


def text(meter: Meter, state: StoreState | None, disks: Iterable[Disk]) -> bytes:
    """The whole answer, in Prometheus' text format 0.0.4."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Figures(meter, state, disks))
    return generate_latest(registry)


def _exchanges(rows: list[Row]) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "soapbridge_requests",
        "Requests answered, by the journal's word for how they ended.",
        labels=[*PLACE, "verdict"],
    )
    faults = CounterMetricFamily(
        "soapbridge_faults", "Faults answered, by SOAP 1.1's fault code.", labels=[*PLACE, "code"]
    )
    violations = CounterMetricFamily(
        "soapbridge_violations",
        "Violations of the contract found, in requests and in our own replies.",
        labels=[*PLACE, "message"],
    )
    duplicates = CounterMetricFamily(
        "soapbridge_duplicates", "Requests that got the answer of an earlier one again.", labels=PLACE
    )
    received = CounterMetricFamily(
        "soapbridge_request_bytes", "Bytes of requests, after content coding.", labels=PLACE
    )
    sent = CounterMetricFamily("soapbridge_reply_bytes", "Bytes of replies, faults included.", labels=PLACE)
    for row in rows:
        place = [row.service, row.operation, row.partner]
        for verdict, count in row.verdicts.items():
            requests.add_metric([*place, verdict], count)
        for code, count in row.codes.items():
            faults.add_metric([*place, code], count)
        violations.add_metric([*place, "request"], row.request_violations)
        violations.add_metric([*place, "reply"], row.reply_violations)
        duplicates.add_metric(place, row.duplicates)
        received.add_metric(place, row.request_bytes)
        sent.add_metric(place, row.reply_bytes)
    yield from (requests, faults, violations, duplicates, received, sent)


def _durations(rows: list[Row]) -> Metric:
    family = HistogramMetricFamily(
        "soapbridge_request_duration_seconds",
        "From a thread taking the request to its answer, the commit included.",
        labels=PLACE,
    )
    for row in rows:
        cumulative = list(zip(BOUNDS, accumulate(row.buckets), strict=True))
        family.add_metric(
            [row.service, row.operation, row.partner], buckets=cumulative, sum_value=row.seconds
        )
    return family


def _host(figures: Mapping[str, int]) -> Iterator[Metric]:
    yield _gauge("soapbridge_requests_in_flight", "Requests that a thread works on.", figures["in_flight"])
    yield _gauge("soapbridge_requests_waiting", "Whole requests that wait for a thread.", figures["waiting"])
    yield _gauge("soapbridge_connections", "Open connections.", figures["connections"])
    yield _gauge(
        "soapbridge_held_bytes",
        "Bodies in memory that are being received or answered.",
        figures["held_bytes"],
    )
    refused = CounterMetricFamily(
        "soapbridge_http_refused",
        "Requests refused before any service saw them, by HTTP status; 503: overload.",
        labels=["status"],
    )
    for name, value in figures.items():
        if name.startswith("refused_"):
            refused.add_metric([name.removeprefix("refused_")], value)
    yield refused
    yield CounterMetricFamily(
        "soapbridge_threads_replaced",
        "Threads given up because one request held them for too long.",
        value=figures["threads_replaced"],
    )
    yield CounterMetricFamily(
        "soapbridge_journal_dropped",
        "Refused requests that are not in the journal: too many in a minute, or the store failed.",
        value=figures["not_journaled"],
    )


def _store(state: StoreState) -> Iterator[Metric]:
    yield _gauge(
        "soapbridge_store_reachable", "1 when the store answers and its schema fits.", state.reachable
    )
    unsettled = GaugeMetricFamily(
        "soapbridge_oldest_unsettled_seconds",
        "Age of the oldest entry that nobody knows the end of, by kind; 0: there is none.",
        labels=["kind"],
    )
    for kind, age in state.unsettled.items():
        unsettled.add_metric([kind], age)
    yield unsettled
    if state.backup_age is not None:
        yield _gauge(
            "soapbridge_backup_age_seconds",
            "Age of the newest backup in `backup.folder`; +Inf: there is none.",
            state.backup_age,
        )
    if state.reachable:
        yield from _backlog(state.backlog)
        yield from _flows(state.flows)


def _backlog(found: Iterable[Backlog]) -> Iterator[Metric]:
    entries = GaugeMetricFamily(
        "soapbridge_deliveries_open",
        "Documents that must still leave or whose end is not known, by state; 100000 are counted at most.",
        labels=["partner", "state"],
    )
    held_keys = GaugeMetricFamily(
        "soapbridge_keys_held", "Ordering keys that wait for a person.", labels=["partner"]
    )
    circuit = GaugeMetricFamily(
        "soapbridge_partner_circuit",
        "1 for the state of the partner's circuit, 0 for the others; closed is well.",
        labels=["partner", "state"],
    )
    held = GaugeMetricFamily(
        "soapbridge_partner_held", "1 when nothing leaves for it until a person lets it.", labels=["partner"]
    )
    for one in found:
        for state, count in one.entries.items():
            entries.add_metric([one.partner, state], count)
        held_keys.add_metric([one.partner], one.held_keys)
        for state in ("closed", "open", "half_open"):
            circuit.add_metric([one.partner, state], one.circuit == state)
        held.add_metric([one.partner], one.is_held)
    yield from (entries, held_keys, circuit, held)


def _flows(found: Iterable[FlowFigures]) -> Iterator[Metric]:
    lag = GaugeMetricFamily(
        "soapbridge_flow_lag_seconds",
        "Since the beginning of the last run that came to its end; +Inf: none did.",
        labels=["flow"],
    )
    problems = GaugeMetricFamily(
        "soapbridge_flow_problems",
        "Records that could not go through and wait for somebody.",
        labels=["flow"],
    )
    for one in found:
        lag.add_metric(
            [one.flow],
            math.inf if one.caught_up is None else max(0.0, time.time() - one.caught_up.timestamp()),
        )
        problems.add_metric([one.flow], one.problems)
    yield from (lag, problems)


def _disks(disks: list[Disk]) -> Iterator[Metric]:
    free = GaugeMetricFamily(
        "soapbridge_disk_free_bytes", "What may still be written, by what is kept there.", labels=["use"]
    )
    size = GaugeMetricFamily("soapbridge_disk_size_bytes", "Size of the same file systems.", labels=["use"])
    for disk in disks:
        free.add_metric([disk.use], disk.free)
        size.add_metric([disk.use], disk.size)
    yield from (free, size)


def _build() -> Metric:
    libxml2 = ".".join(map(str, etree.LIBXML_VERSION))
    labels = {"version": version("soapbridge"), "python": platform.python_version(), "libxml2": libxml2}
    family = GaugeMetricFamily("soapbridge_build_info", "What runs; always 1.", labels=list(labels))
    family.add_metric(list(labels.values()), 1)
    return family


def _processes(pids: Mapping[int, int]) -> Iterator[Metric]:
    """CPU, memory, descriptors: of each process of the server, under its number."""
    families: dict[str, Metric] = {}
    for number, pid in pids.items():
        collector = ProcessCollector(pid=lambda pid=pid: pid, registry=None)  # type: ignore[misc]
        for family in collector.collect():
            merged = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            for sample in family.samples:
                merged.add_sample(sample.name, {"process": str(number)}, sample.value)
    yield from families.values()


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(name, documentation, value=float(value))
