"""A process that moves and reserves stock at random until it has made its number of requests, or is killed.

writer.py URL SEED REQUESTS: prints a line once a request is answered: `id movements` when movements are posted, `held` or
`released` for a reservation, `short` or the fault's name when it is refused.
"""

from __future__ import annotations

import random
import sys

import erp_requests as erp

from bridge.store import Store

SKUS = ("S-1", "S-2", "S-3")
WAREHOUSES = ("WH-A", "WH-B", "WH-C")
Place = tuple[str, str]


def work(store: Store, seed: int, requests: int, *, size: int = 6) -> None:
    choose = random.Random(seed)
    reserved: list[tuple[str, Place]] = []
    for number in range(requests):
        if choose.random() < 0.3:
            print(_hold(store, choose, reserved), flush=True)
            continue
        movements = []
        for _ in range(choose.randint(1, size)):
            sku, amount = choose.choice(SKUS), str(choose.randint(1, 9))
            source, target = choose.sample(WAREHOUSES, 2)
            kind = choose.random()
            if kind < 0.35:
                movements.append(erp.receipt(sku, source, amount))
            elif kind < 0.6 or not reserved:
                movements.append(erp.issue(sku, source, amount))
            elif kind < 0.7:
                number_of_one, (sku, source) = choose.choice(reserved)
                movements.append(erp.issue(sku, source, amount, reservation=number_of_one))
            else:
                movements.append(erp.transfer(sku, source, target, amount))
        try:
            name = f"w{seed}-{number}"
            erp.update(store, *movements, request=name)
            print(name, len(movements), flush=True)
        except erp.Fault as fault:
            print("short" if fault.name == "InsufficientStock" else fault.name, flush=True)


def _hold(store: Store, choose: random.Random, reserved: list[tuple[str, Place]]) -> str:
    """Reserve something, or give something back; what is to be printed."""
    try:
        if reserved and choose.random() < 0.4:
            erp.release(store, reserved.pop(choose.randrange(len(reserved)))[0])
            return "released"
        places = [(choose.choice(SKUS), choose.choice(WAREHOUSES)) for _ in range(3)]
        lines = [erp.wanted(line, *place, "2") for line, place in enumerate(places, 1)]
        reply = erp.reserve(store, *lines, partial=choose.random() < 0.5)
        reserved.append((reply["reservationNumber"], places[0]))
        return "held"
    except erp.Fault as fault:
        return "short" if fault.name == "InsufficientStock" else str(fault.name)


if __name__ == "__main__":
    work(Store(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), size=int((sys.argv[4:] or ["6"])[0]))
