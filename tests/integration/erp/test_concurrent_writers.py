"""Many writers at once, in threads and in processes, and one that is killed: the books stay right."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import text

import bridge
from bridge.store import Store

WRITER = Path(__file__).with_name("writer.py")
SKUS = ("S-1", "S-2", "S-3")
WAREHOUSES = ("WH-A", "WH-B", "WH-C")


def start_writer(url: str, seed: int, requests: int, size: int = 6) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, WRITER, url, str(seed), str(requests), str(size)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(bridge.__file__).parents[1])},
    )


def seed_stock(erp: ModuleType, store: Store) -> None:
    erp.update(store, *(erp.receipt(sku, place, "20") for sku in SKUS for place in WAREHOUSES))


def check_the_books(store: Store) -> None:
    """Balances are the sum of movements and of what reservations hold, nothing is promised twice, and every document has
    all of its movements."""
    with store.reading() as session:
        wrong = session.execute(
            text(
                "SELECT b.sku, b.warehouse, b.on_hand, coalesce(sum(m.quantity), 0) AS moved FROM stock_balance b "
                "LEFT JOIN stock_movement m ON m.sku = b.sku AND m.warehouse = b.warehouse "
                "GROUP BY b.sku, b.warehouse, b.on_hand "
                "HAVING b.on_hand <> coalesce(sum(m.quantity), 0) OR b.on_hand < 0"
            )
        ).all()
        assert not wrong
        wrong = session.execute(
            text(
                "SELECT b.sku, b.warehouse, b.reserved, coalesce(sum(l.reserved), 0) FROM stock_balance b "
                "LEFT JOIN reservation_line l ON l.sku = b.sku AND l.warehouse = b.warehouse "
                "GROUP BY b.sku, b.warehouse, b.on_hand, b.reserved "
                "HAVING b.reserved <> coalesce(sum(l.reserved), 0) OR b.reserved > b.on_hand"
            )
        ).all()
        assert not wrong
        open_ones = session.execute(
            text(
                "SELECT r.id, r.state, sum(l.reserved) FROM reservation r "
                "JOIN reservation_line l ON l.reservation_id = r.id GROUP BY r.id, r.state "
                "HAVING (r.state = 'open') <> (sum(l.reserved) > 0)"
            )
        ).all()
        assert not open_ones
        halves = session.execute(
            text(
                "SELECT d.id, d.movement_count, count(DISTINCT m.movement) FROM stock_document d "
                "LEFT JOIN stock_movement m ON m.document_id = d.id GROUP BY d.id, d.movement_count "
                "HAVING d.movement_count <> count(DISTINCT m.movement)"
            )
        ).all()
        assert not halves


def documents(store: Store) -> set[str]:
    with store.reading() as session:
        return set(session.execute(text("SELECT request_id FROM stock_document")).scalars())


def test_sixteen_threads_that_take_the_same_goods_never_take_more_than_there_is(
    erp: ModuleType, store: Store
) -> None:
    erp.update(store, erp.receipt("S", "WH-A", "100"), erp.receipt("S", "WH-B", "100"))
    taken, faults, errors = [], set(), []

    def take() -> None:
        try:
            for _ in range(10):
                try:
                    erp.update(store, erp.issue("S", "WH-A", "1"), erp.issue("S", "WH-B", "1"))
                    taken.append(1)
                except erp.Fault as fault:
                    faults.add(fault.name)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=take) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors
    assert len(taken) == 100
    assert faults == {"InsufficientStock"}
    assert erp.stock(store, "S") == {("S", "WH-A"): 0, ("S", "WH-B"): 0}
    check_the_books(store)


def test_threads_that_lock_the_same_places_in_different_orders_all_finish(
    erp: ModuleType, store: Store
) -> None:
    places = [(sku, place) for sku in SKUS for place in WAREHOUSES]
    errors: list[BaseException] = []

    def post(number: int) -> None:
        try:
            for turn in range(6):
                order = places[number:] + places[:number]
                if turn % 2:
                    order.reverse()
                erp.update(store, *(erp.receipt(sku, place, "1") for sku, place in order))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=post, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors
    assert set(erp.stock(store, *SKUS).values()) == {36}
    check_the_books(store)


def test_one_request_sent_by_eight_threads_at_once_is_posted_once(erp: ModuleType, store: Store) -> None:
    answers: list[str] = []
    together = threading.Barrier(8)

    def send() -> None:
        together.wait()
        try:
            erp.update(store, erp.receipt("S", "WH-A", "5"), request="same")
            answers.append("posted")
        except erp.Fault as fault:
            answers.append(fault.name)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answers) == ["KeyReused"] * 7 + ["posted"]
    assert erp.stock(store, "S") == {("S", "WH-A"): 5}


def test_processes_that_write_at_once_keep_the_books_right(
    erp: ModuleType, store: Store, store_url: str
) -> None:
    seed_stock(erp, store)
    writers = [start_writer(store_url, seed, 60) for seed in range(3)]
    printed = [writer.communicate(timeout=60)[0].split("\n") for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    lines = [line for lines in printed for line in lines if line]
    assert len(lines) == 180
    accepted = {line.split()[0] for line in lines if line.startswith("w")}
    assert accepted <= documents(store)
    assert len(accepted) > 20
    check_the_books(store)


def test_a_killed_process_leaves_nothing_half_written(erp: ModuleType, store: Store, store_url: str) -> None:
    seed_stock(erp, store)
    for seed in range(4):
        writer = start_writer(store_url, seed, 100_000, size=120)
        assert writer.stdout is not None
        accepted = [writer.stdout.readline() for _ in range(3)]
        time.sleep(0.01 * seed + 0.003)
        writer.send_signal(signal.SIGKILL)
        accepted += writer.stdout.readlines()
        writer.stdout.close()
        writer.wait(10)
        promised = {line.split()[0] for line in accepted if line.startswith("w") and line.endswith("\n")}
        assert promised <= documents(store)
        check_the_books(store)
    erp.update(store, erp.receipt("S-1", "WH-A", "1"))


@pytest.mark.postgres
def test_work_that_postgresql_ends_for_anothers_sake_is_run_again(
    erp: ModuleType, postgresql_url: str
) -> None:
    store = Store(postgresql_url)
    for name in ("a", "b"):
        with store.transaction() as transaction:
            transaction.session.execute(text("INSERT INTO item VALUES (:name, 'H87', 0)"), {"name": name})
    runs: list[str] = []
    both_hold_one = threading.Barrier(2)

    def lock(first: str, second: str) -> None:
        def work(transaction: object) -> None:
            runs.append(first)
            session = transaction.session  # type: ignore[attr-defined]
            session.execute(text("UPDATE item SET created_at = created_at + 1 WHERE sku = :s"), {"s": first})
            if len(runs) <= 2:
                both_hold_one.wait(10)
            session.execute(text("UPDATE item SET created_at = created_at + 1 WHERE sku = :s"), {"s": second})

        store.run(work)

    threads = [threading.Thread(target=lock, args=pair) for pair in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with store.reading() as session:
        assert session.execute(text("SELECT created_at FROM item ORDER BY sku")).scalars().all() == [2, 2]
    assert len(runs) == 3
    store.close()
