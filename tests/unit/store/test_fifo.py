from __future__ import annotations

import threading
import time

from bridge.store.fifo import FifoLock


def test_the_lock_is_handed_over_in_the_order_of_asking() -> None:
    lock, served = FifoLock(), []
    assert lock.acquire(1)

    def wait(number: int) -> None:
        assert lock.acquire(5)
        served.append(number)
        lock.release()

    threads = [threading.Thread(target=wait, args=(number,)) for number in range(10)]
    for number, thread in enumerate(threads, 1):
        thread.start()
        while len(lock._waiting) < number:
            time.sleep(0.001)
    lock.release()
    for thread in threads:
        thread.join(5)
    assert served == list(range(10))
    assert lock.owner is None


def test_who_gave_up_waiting_is_skipped() -> None:
    lock, had = FifoLock(), []
    assert lock.acquire(1)
    impatient = threading.Thread(target=lambda: had.append(lock.acquire(0.01)))
    impatient.start()
    impatient.join(5)
    assert had == [False]
    lock.release()
    assert lock.acquire(0)
    lock.release()


def test_never_two_hold_it_whoever_gives_up_when() -> None:
    lock, inside, most, taken = FifoLock(), 0, 0, 0

    def work() -> None:
        nonlocal inside, most, taken
        for turn in range(60):
            if not lock.acquire(0.0005 * (turn % 4)):
                continue
            inside += 1
            most = max(most, inside)
            taken += 1
            time.sleep(0.0002)
            inside -= 1
            lock.release()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert most == 1
    assert taken > 60
    assert lock.acquire(0)
