"""What delivery costs: documents that a partner takes without doing anything, from the outbox to delivered.

The runner, the gate and the drain as they are shipped; the partner does nothing but give a record of the exchange for the
journal, with both envelopes, as one over SOAP does. Compared with a bare loop on the same store and as many threads, which
for each document leases its row, calls the same partner and updates that row, and keeps no order, no attempts, no journal,
and nothing of what a process leaves behind when it dies. Many keys: the documents are of twenty; one hot key: all are of
one; single: each has a key of its own, which must find a place at the gate. Documents a second by the clock on the wall, the
best of several rounds, the contenders in turn; a disk, SQLite with WAL and synchronous=FULL, PostgreSQL with fsync.

Idle: the CPU time of a `soapbridge worker` with one partner and nothing to do. Wake-up: from the end of a commit in one
process to the moment when a runner in another one sends.
"""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import text

from benchmarks import durable
from benchmarks.measure import Budget
from benchmarks.waiting import Receiver, idle_share
from bridge.delivery.accept import accept
from bridge.delivery.drain import Drain
from bridge.delivery.gate import Gate, GateOptions
from bridge.delivery.policy import Answer, Rules
from bridge.delivery.runner import Destination, Runner
from bridge.delivery.sender import Delivery, Document
from bridge.ids import new_exchange_id
from bridge.settings import Delivery as Options
from bridge.store import ExchangeRecord, Store, Transaction
from bridge.store.outbox import NewEntry
from bridge.store.statements import Prepared

OF_BARE = 0.6
HOT = 0.5
IDLE_PERCENT = 2.0
WAKE_MS = 50.0

THREADS = 4
DOCUMENTS = 1200
SINGLE = 400
KEYS = 20
ROUNDS = 3
WAKES = 40
PARTNER = "nobody"
PAYLOAD = "<order>" + "x" * 1000 + "</order>"
ENVELOPE = f"<Envelope><Body>{PAYLOAD}</Body></Envelope>".encode()
REPLY = b"<Envelope><Body><ok/></Body></Envelope>"


class Nobody:
    """A partner that takes everything and does nothing. `sent` is called with each document."""

    name = PARTNER
    rules = Rules(keeps_id=True)

    def __init__(self, sent: Callable[[Document], object]) -> None:
        self._sent = sent

    def deliver(self, document: Document, *, exchange_id: str) -> Delivery:
        self._sent(document)
        record = ExchangeRecord(
            exchange_id=exchange_id,
            received_at=datetime.now(UTC),
            duration_us=0,
            verdict="accepted",
            direction="out",
            contract="orders",
            operation=document.operation,
            soap_version="1.1",
            partner=PARTNER,
            http_status=200,
            request=ENVELOPE,
            reply=REPLY,
        )
        return Delivery(outcome="Delivered", record=record)

    def ask(self, document: Document) -> Answer:
        return "unknown"


def runner_of(store: Store, sent: Callable[[Document], object]) -> Runner:
    """The runner of a process, with one partner that takes everything."""
    sender = Nobody(sent)
    options = Options(threads=THREADS)
    gate = Gate(PARTNER, GateOptions(concurrency=THREADS))

    def drains(
        *, owner: str, lease: int, stopping: Callable[[], bool], crowded: Callable[[], bool]
    ) -> Callable[[str], bool]:
        return Drain(store, sender, gate, owner=owner, lease=lease, stopping=stopping, crowded=crowded)

    destination = Destination(name=PARTNER, concurrency=THREADS, furthest=86_400.0, gate=gate, drains=drains)
    return Runner(store, [destination], options)


def put(store: Store, ordering_keys: list[str]) -> None:
    """A document for each of these, in one transaction."""
    with store.transaction() as transaction:
        for name in ordering_keys:
            accept(store, transaction, NewEntry(new_exchange_id(), PARTNER, name, "Put", PAYLOAD))


_rounds = itertools.count()


def delivering(store: Store, keys: int, documents: int = DOCUMENTS) -> float:
    """Documents a second, from the start of a runner until the last is with the partner."""
    began = next(_rounds)  # a key of its own in each round: single ones are new ones
    names = [f"key-{began}-{number % keys}" for number in range(documents)]
    for start in range(0, documents, 100):
        put(store, names[start : start + 100])
    left, all_sent = itertools.count(1), threading.Event()

    def sent(document: Document) -> None:
        if next(left) == documents:
            all_sent.set()

    runner = runner_of(store, sent)
    start_at = time.perf_counter()
    runner.start()
    if not all_sent.wait(120):
        raise RuntimeError(f"not all of {documents} documents were sent on {store.shown}")
    seconds = time.perf_counter() - start_at
    runner.stop(10.0)
    return documents / seconds


_SKIP = {"sqlite": "", "postgresql": " FOR UPDATE SKIP LOCKED"}
_LEASE = {
    dialect: Prepared(
        text(
            "UPDATE bare SET lease_until = :until WHERE id = (SELECT id FROM bare WHERE lease_until IS NULL "
            f"ORDER BY id LIMIT 1{skip}) RETURNING id, payload"
        ),
        "until",
    )
    for dialect, skip in _SKIP.items()
}
_DONE = Prepared(text("UPDATE bare SET done_at = :now WHERE id = :id"), "now", "id")
_FILL = Prepared(text("INSERT INTO bare (id, payload) VALUES (:id, :payload)"), "id", "payload")


def bare(store: Store) -> float:
    """Documents a second through a loop that only leases and updates."""
    with store.transaction() as transaction:
        session = transaction.session
        session.execute(text("DROP TABLE IF EXISTS bare"))
        session.execute(
            text(
                "CREATE TABLE bare (id BIGINT PRIMARY KEY, payload TEXT, lease_until BIGINT, done_at BIGINT)"
            )
        )
        session.execute(text("CREATE INDEX bare_free ON bare (id) WHERE lease_until IS NULL"))
        session.run_many(_FILL, [(number, PAYLOAD) for number in range(DOCUMENTS)])
    partner = Nobody(lambda document: None)

    def take(transaction: Transaction) -> tuple[int, str] | None:
        rows = transaction.session.rows(_LEASE[store.dialect], (time.time_ns() // 1000,))
        return (rows[0][0], rows[0][1]) if rows else None

    def done(transaction: Transaction, *, number: int) -> None:
        transaction.session.run(_DONE, (time.time_ns() // 1000, number))

    def loop(_: int) -> None:
        while (taken := store.run(take)) is not None:
            number, payload = taken
            partner.deliver(Document(str(number), PARTNER, "", "Put", payload), exchange_id="")
            store.run(partial(done, number=number))

    with ThreadPoolExecutor(THREADS) as threads:
        began = time.perf_counter()
        list(threads.map(loop, range(THREADS)))
        return DOCUMENTS / (time.perf_counter() - began)


def measured(store: Store) -> dict[str, float]:
    """Documents a second, by contender."""
    contenders: dict[str, Callable[[], float]] = {
        "bare": partial(bare, store),
        "many": partial(delivering, store, KEYS),
        "hot": partial(delivering, store, 1),
        "single": partial(delivering, store, SINGLE, SINGLE),
    }
    best = dict.fromkeys(contenders, 0.0)
    for _ in range(ROUNDS):
        for name, run in contenders.items():
            best[name] = max(best[name], run())
    return best


def wake_ups(store: Store) -> list[float]:
    """Milliseconds from the end of a commit here to the send in another process, of single documents for a runner at rest."""
    with Receiver(store_url(store)) as receiver:
        found = []
        for number in range(WAKES):
            # Not in step with anything that looks at intervals.
            time.sleep(0.1 + 0.025 * number / WAKES)
            with store.transaction() as transaction:
                entry = NewEntry(new_exchange_id(), PARTNER, f"wake-{number % 5}", "Put", PAYLOAD)
                accept(store, transaction, entry)
            committed = time.monotonic()
            entry_id, sent = receiver.next()
            if entry_id != entry.entry_id:
                raise RuntimeError(f"{entry_id} was sent, {entry.entry_id} was expected")
            found.append((sent - committed) * 1000)
        return found


_urls: dict[str, str] = {}


def store_url(store: Store) -> str:
    return _urls[store.shown]


@contextmanager
def stores() -> Iterator[dict[str, Store]]:
    """A store on each database that there is here, by the database's name."""
    with durable.sqlite() as file, durable.postgresql() as server:
        urls = {"SQLite": file} | ({"PostgreSQL": server} if server is not None else {})
        made = {name: Store(url) for name, url in urls.items()}
        for name, store in made.items():
            store.migrate()
            _urls[store.shown] = urls[name]
        try:
            yield made
        finally:
            for store in made.values():
                store.close()


def run() -> tuple[list[str], list[Budget]]:
    lines = [
        "| database | bare loop, documents a second | many keys | one hot key | single | many / bare | hot / many "
        "| idle worker, % of a core | wake-up, median ms |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    budgets = []
    with stores() as made:
        for name, store in made.items():
            idle = idle_share(store_url(store)) * 100
            wake = statistics.median(wake_ups(store))
            found = measured(store)
            of_bare, hot = found["many"] / found["bare"], found["hot"] / found["many"]
            lines.append(
                f"| {name} | {found['bare']:,.0f} | {found['many']:,.0f} | {found['hot']:,.0f} | {found['single']:,.0f} "
                f"| {of_bare:.2f} | {hot:.2f} | {idle:.2f} | {wake:.1f} |"
            )
            budgets += [
                Budget(f"delivery on {name}, of a bare loop", of_bare, OF_BARE, at_most=False),
                Budget(f"delivery on {name}, one hot key, of many keys", hot, HOT, at_most=False),
                Budget(f"idle worker on {name}", idle, IDLE_PERCENT, unit="% of a core"),
                Budget(f"from commit to send on {name}, median", wake, WAKE_MS, unit="ms"),
            ]
        if "PostgreSQL" not in made:
            lines += ["", "PostgreSQL was not measured: `pip install 'soapbridge[dev]'` brings a server."]
    return lines, budgets
