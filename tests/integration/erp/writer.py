"""A process that moves stock at random until it has made its number of requests, or is killed.

writer.py URL SEED REQUESTS: prints a line `id movements` once a request is accepted, `short` when it is refused.
"""

from __future__ import annotations

import random
import sys

import erp_requests as erp

from bridge.store import Store

SKUS = ("S-1", "S-2", "S-3")
WAREHOUSES = ("WH-A", "WH-B", "WH-C")


def work(store: Store, seed: int, requests: int, *, size: int = 6) -> None:
    choose = random.Random(seed)
    for number in range(requests):
        movements = []
        for _ in range(choose.randint(1, size)):
            sku, amount = choose.choice(SKUS), str(choose.randint(1, 9))
            source, target = choose.sample(WAREHOUSES, 2)
            kind = choose.random()
            if kind < 0.35:
                movements.append(erp.receipt(sku, source, amount))
            elif kind < 0.7:
                movements.append(erp.issue(sku, source, amount))
            else:
                movements.append(erp.transfer(sku, source, target, amount))
        try:
            name = f"w{seed}-{number}"
            erp.update(store, *movements, request=name)
            print(name, len(movements), flush=True)
        except erp.Fault as fault:
            print("short" if fault.name == "InsufficientStock" else fault.name, flush=True)


if __name__ == "__main__":
    work(Store(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), size=int((sys.argv[4:] or ["6"])[0]))
