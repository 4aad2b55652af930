"""Memory over 100,000 requests: what the server's process holds at the end, against after the first 10,000.

Over HTTP, on the shipped contract with an SQLite store, every order with a request id of its own. Of ten requests
four are orders of 1 line, two of 20, two break the contract in three fields, one asks for an operation that there is
not, under names never used before, and one has such names inside an order: libxml2 keeps every name it has read, so
strangers could fill the memory with them. Resident memory of the server's process, as the system tells it.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import durable
from benchmarks.measure import Budget
from benchmarks.serving import Load, Server, post

REQUESTS = 100_000
WARM_UP = 10_000
STEP = 10_000
GROWTH = 5.0
"""Percent of what is held after the warm-up."""

SAMPLES = durable.SAMPLE.parent
EXPECTED = (b"200", b"500")


def mix(count: int) -> Iterator[bytes]:
    """`count` requests, none like the other."""
    large = durable.SAMPLE.read_bytes()
    small = (SAMPLES / "good-1-line-soap11.xml").read_bytes()
    small_id = _between(small, b"<pur:requestId>", b"<")
    bad = (SAMPLES / "bad-three-fields-soap11.xml").read_bytes()
    for number in range(count):
        fresh = b"mem-%014d" % number
        match number % 10:
            case 0 | 1 | 2 | 3:
                body = small.replace(small_id, fresh)
            case 4 | 5:
                body = large.replace(durable.SAMPLE_ID, fresh)
            case 6 | 7:
                body = bad
            case 8:
                body = small.replace(b"CreatePurchaseOrder", b"Create%dOrder" % number)
            case _:
                body = small.replace(b"pur:currency", b"pur:currency%d" % number)
        yield post(durable.PATH, body)


def _between(text: bytes, before: bytes, after: bytes) -> bytes:
    start = text.index(before) + len(before)
    return text[start : text.index(after, start)]


def run() -> tuple[list[str], list[Budget]]:
    held: dict[int, int] = {}
    with durable.sqlite() as url, Server("stored", url) as server:
        load = Load(server.port)
        requests = mix(REQUESTS)
        for sent in range(STEP, REQUESTS + 1, STEP):
            load.send((next(requests) for _ in range(STEP)), expect=EXPECTED)
            held[sent] = server.resident()
        load.close()
    warm, last = held[WARM_UP], held[REQUESTS]
    lines = [
        "| requests | " + " | ".join(f"{sent:,}" for sent in held) + " |",
        "|---" * (len(held) + 1) + "|",
        "| MB held | " + " | ".join(f"{size / 1e6:.1f}" for size in held.values()) + " |",
    ]
    return lines, [
        Budget("growth of memory from 10,000 to 100,000 requests", (last / warm - 1) * 100, GROWTH, unit="%")
    ]
