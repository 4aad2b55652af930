"""Counts exchanges as they end, in a few additions each.

Which series there are is known before the first request: operations come from the contracts, partners from the
settings. So each (service, operation, partner) has a row of cells with a fixed place, and nothing that a stranger
sends makes a new one: what names no operation counts as the operation "", what names no partner of ours as "other".
"""

from __future__ import annotations

import hashlib
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from bridge.errors import InvalidMessage, InvalidReply, RefusalCode
from bridge.exchange import Exchange
from bridge.handlers import Service
from bridge.inbound import Observer
from bridge.ops.board import Board
from bridge.store import Verdict

VERDICTS: tuple[str, ...] = get_args(Verdict)
CODES: tuple[str, ...] = get_args(RefusalCode)
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds: from what a small message takes to where `server.stuck_after` writes a thread off."""

NOBODY = ""
"""The partner of a request of which it is not known who sent it."""
OTHER = "other"

GAUGES = ("in_flight", "waiting", "connections", "held_bytes", "pid")
COUNTERS = ("refused_400", "refused_408", "refused_413", "refused_431", "refused_503",
            "threads_replaced", "not_journaled")  # fmt: skip
FIGURES = GAUGES + COUNTERS
"""What a process publishes about itself, beside the rows: how it stands now, and what it counted elsewhere."""

_CODES = len(VERDICTS)
_REQUEST_VIOLATIONS = _CODES + len(CODES)
_REPLY_VIOLATIONS = _REQUEST_VIOLATIONS + 1
_DUPLICATES = _REQUEST_VIOLATIONS + 2
_REQUEST_BYTES = _REQUEST_VIOLATIONS + 3
_REPLY_BYTES = _REQUEST_VIOLATIONS + 4
_MICROSECONDS = _REQUEST_VIOLATIONS + 5
_BUCKETS = _REQUEST_VIOLATIONS + 6
WIDTH = _BUCKETS + len(BUCKETS) + 1


@dataclass(frozen=True, slots=True)
class Row:
    """What was counted of one operation of one partner. `buckets` are not cumulative; the last is above all bounds."""

    service: str
    operation: str
    partner: str
    verdicts: Mapping[str, int]
    codes: Mapping[str, int]
    request_violations: int
    reply_violations: int
    duplicates: int
    request_bytes: int
    reply_bytes: int
    seconds: float
    buckets: tuple[int, ...]


Source = Callable[[], Mapping[str, int]]


class Meter:
    """The counts of the services of one bridge.

    Args:
        services: those that are served.
        partners: the names that the settings know.
        folder: where the processes of one server share what they count; None for one process.
    """

    def __init__(
        self, services: Iterable[Service], *, partners: Iterable[str] = (), folder: Path | None = None
    ) -> None:
        self.partners = (NOBODY, *dict.fromkeys([*partners, OTHER]))
        names = [
            (label(service), operation, partner)
            for service in services
            for operation in ("", *service.contract.operations)
            for partner in self.partners
        ]
        self._offsets = {name: len(FIGURES) + number * WIDTH for number, name in enumerate(names)}
        layout = repr((FIGURES, VERDICTS, CODES, BUCKETS, names))
        self.board = Board(
            len(FIGURES) + len(names) * WIDTH,
            folder=folder,
            name=hashlib.sha256(layout.encode()).hexdigest()[:16],
        )
        self.sources: list[Source] = []
        """Give figures by their names in FIGURES; those of one name are added up."""
        self._lock = threading.Lock()
        # A process before us may have left its counts; how it stood is of no use to anyone.
        self._before = {
            name: 0 if name in GAUGES else self.board.cells[number] for number, name in enumerate(FIGURES)
        }

    def observer(self, service: Service) -> Observer:
        """What is to be called with each exchange of `service` when it has ended, and its seconds."""
        own = label(service)
        places = {
            (operation or None, partner or None): offset
            for (name, operation, partner), offset in self._offsets.items()
            if name == own
        }
        verdicts = {verdict: number for number, verdict in enumerate(VERDICTS)}
        codes = {code: _CODES + number for number, code in enumerate(CODES)}
        cells, lock = self.board.cells, self._lock

        def observe(exchange: Exchange, seconds: float) -> None:
            plan, error = exchange.plan, exchange.error
            operation = None if plan is None else plan.key
            place = places.get((operation, exchange.partner))
            if place is None:
                place = places[operation, OTHER]
            bucket = place + _BUCKETS + bisect_left(BUCKETS, seconds)
            with lock:  # between reading a cell and writing it another thread may come
                cells[place + verdicts[exchange.verdict]] += 1
                cells[place + _REQUEST_BYTES] += len(exchange.body)
                cells[place + _REPLY_BYTES] += len(exchange.reply)
                cells[place + _MICROSECONDS] += int(seconds * 1e6)
                cells[bucket] += 1
                if exchange.fault_code is not None:
                    cells[place + codes[exchange.fault_code]] += 1
                if exchange.duplicate_of is not None:
                    cells[place + _DUPLICATES] += 1
                if error is not None and isinstance(error, InvalidMessage):
                    ours = isinstance(error, InvalidReply)
                    which = _REPLY_VIOLATIONS if ours else _REQUEST_VIOLATIONS
                    cells[place + which] += len(error.violations)

        return observe

    def publish(self) -> None:
        """Writes what the sources say where every process can read it. Once a second, and when figures are asked for."""
        sums = dict.fromkeys(FIGURES, 0)
        for source in self.sources:
            for name, value in source().items():
                sums[name] += value
        for number, name in enumerate(FIGURES):
            self.board.cells[number] = self._before[name] + sums[name]

    def rows(self) -> Iterator[Row]:
        """Of all processes together: every row in which something was counted."""
        everyone = [reading.cells for reading in self.board.readings()]
        for (service, operation, partner), offset in self._offsets.items():
            cells = [
                sum(one) for one in zip(*(own[offset : offset + WIDTH] for own in everyone), strict=True)
            ]
            if not any(cells):
                continue
            yield Row(
                service,
                operation,
                partner,
                dict(zip(VERDICTS, cells[:_CODES], strict=True)),
                dict(zip(CODES, cells[_CODES:_REQUEST_VIOLATIONS], strict=True)),
                cells[_REQUEST_VIOLATIONS],
                cells[_REPLY_VIOLATIONS],
                cells[_DUPLICATES],
                cells[_REQUEST_BYTES],
                cells[_REPLY_BYTES],
                cells[_MICROSECONDS] / 1e6,
                tuple(cells[_BUCKETS:]),
            )

    def figures(self) -> dict[str, int]:
        """FIGURES without `pid`, of all processes together; how they stand now only of those that live."""
        sums = dict.fromkeys(FIGURES, 0)
        for reading in self.board.readings():
            for number, name in enumerate(FIGURES):
                if reading.alive or name in COUNTERS:
                    sums[name] += reading.cells[number]
        del sums["pid"]
        return sums

    def processes(self) -> dict[int, int]:
        """Process ids of the living, by their number in the server."""
        place = FIGURES.index("pid")
        found = {reading.number: reading.cells[place] for reading in self.board.readings() if reading.alive}
        return {number: pid for number, pid in sorted(found.items()) if pid}


def label(service: Service) -> str:
    """A service as figures name it: `purchasing`, of a further major `purchasing/2`."""
    return service.path.removeprefix("/services/")
