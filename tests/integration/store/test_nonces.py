"""What may be used once: by all threads and processes that share a store, on both databases."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest
from sqlalchemy import func, select

from bridge.store import Store
from bridge.store import nonces as module
from bridge.store.clock import SECOND, host_clock
from bridge.store.nonces import Nonces
from bridge.store.tables import nonce as table

LATER = time.time() + 3600


def count(store: Store) -> int:
    with store.reading() as session:
        found: int = session.execute(select(func.count()).select_from(table)).scalar_one()
        return found


def test_a_nonce_is_taken_once_and_another_one_too(store: Store) -> None:
    nonces = Nonces(store)
    assert nonces.use(b"\x00" * 32, LATER)
    assert not nonces.use(b"\x00" * 32, LATER)
    assert nonces.use(b"\x01" * 32, LATER)
    assert not Nonces(store).use(b"\x01" * 32, LATER)


def test_what_is_too_old_is_removed_as_others_come_and_the_rest_stays(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SWEEP_SECONDS", 0.0)
    nonces = Nonces(store)
    past = time.time() - 1
    for number in range(5):
        nonces.use(bytes([number]) * 32, past)
    assert nonces.use(b"\xff" * 32, LATER)
    assert count(store) == 1
    assert not nonces.use(b"\xff" * 32, LATER)


def test_it_is_swept_now_and_then_and_not_each_time(store: Store) -> None:
    nonces = Nonces(store)
    nonces.use(b"\x00" * 32, LATER)
    for number in range(1, 4):
        nonces.use(bytes([number]) * 32, time.time() - 1)
    assert count(store) == 4


_PROCESS = """
import sys, threading
from bridge.store import Store
from bridge.store.nonces import Nonces

nonces = Nonces(Store(sys.argv[1]))
nonces.use(sys.argv[2].encode() * 32, 1e10)  # connected
print("ready", flush=True)
sys.stdin.readline()
taken = []
def use(number):
    for nonce in range(20):
        if nonces.use(bytes([nonce]) * 32, 1e10):
            taken.append(nonce)
threads = [threading.Thread(target=use, args=(n,)) for n in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(sorted(taken), flush=True)
"""


def test_of_sixteen_at_once_in_two_processes_exactly_one_takes_each(store: Store, store_url: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _PROCESS, store_url, letter],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for letter in "ab"
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        said = [process.communicate(timeout=60)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    taken = [int(one) for text in said for one in text.strip("[]\n").replace(" ", "").split(",") if one]
    assert sorted(taken) == list(range(20))


def test_those_that_wait_for_the_disk_and_those_that_do_not_work_side_by_side(store: Store) -> None:
    nonces = Nonces(store)

    def waiting(number: int) -> None:
        with store.transaction() as transaction:
            transaction.session.execute(
                table.insert().values(nonce=number.to_bytes(32), until=host_clock() + SECOND)
            )

    threads = [threading.Thread(target=waiting, args=(number,)) for number in range(6)]
    threads += [
        threading.Thread(target=nonces.use, args=((number + 100).to_bytes(32), LATER)) for number in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count(store) == 12


def test_a_light_write_waits_for_no_disk_and_the_next_other_one_does(store: Store) -> None:
    asks = "PRAGMA synchronous" if store.dialect == "sqlite" else "SHOW synchronous_commit"
    waits, does_not = ((2,), (1,)) if store.dialect == "sqlite" else (("on",), ("off",))
    for light, expected in (
        (True, does_not),
        (False, waits),
        (True, does_not),
        (True, does_not),
        (False, waits),
    ):
        link = store._database.writing(light=light)
        found = link.execute(asks, ()).fetchall()
        link.commit()
        assert found == [expected]
