"""Sixteen clients at once, most of them wrong: each reads about its own mistakes only, and good ones are answered."""

from __future__ import annotations

import random
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.acceptance.shipped_erp import ErpProcess, ask, get_order, order

THREADS = 16
ROUNDS = 25
MARK = re.compile(rb"MK\d\d-\d\d-[A-Z0-9]+")


@dataclass
class Seen:
    """What one client found; marks look like MK07-12-SKU and name thread, round and place."""

    wrong: list[str] = field(default_factory=list)
    placed: list[str] = field(default_factory=list)
    slowest_good: float = 0.0
    quoted: int = 0


def bad_requests(mark: str) -> list[tuple[bytes, str]]:
    """Requests that each hold marks of their own in a different kind of mistake, with the code they get."""
    good = order(f"{mark}-ID")
    return [
        (order(f"{mark}-ID", sku=f"{mark}-SKU_", quantity=f"{mark}-QTY"), "Client"),
        (good.replace(b"<pur:currency>", f'<pur:currency no="{mark}-ATTR">'.encode()), "Client"),
        (good.replace(b"<pur:currency>EUR</pur:currency>", f"<{mark}-NAME/>".encode()), "Client"),
        (good.replace(b">EUR<", f">{mark}-CUR<".encode()) * 2, "Client"),  # two documents: not well-formed
        (good.replace(b"</pur:order>", f"</{mark}-END>".encode()), "Client"),
        (good.replace(b":CreatePurchaseOrder", f":{mark}-OP".encode()), "Client"),
        (
            good.replace(
                b"<soap:Body>",
                f'<soap:Header><x:{mark}-HDR xmlns:x="urn:x" soap:mustUnderstand="1"/></soap:Header><soap:Body>'.encode(),
            ),
            "MustUnderstand",
        ),
        (
            good.replace(b"http://schemas.xmlsoap.org/soap/envelope/", f"urn:{mark}-ENV".encode()),
            "VersionMismatch",
        ),
        (good[: len(good) // 2] + f"<!-- {mark}-CUT".encode(), "Client"),
        (good.replace(b"<soap:Body>", f'<!DOCTYPE a SYSTEM "{mark}-DTD"><soap:Body>'.encode()), "Client"),
        (get_order(f"{mark}-GET"), "Client"),  # a declared fault: NotFound
    ]


def client(erp: ErpProcess, number: int, start: threading.Barrier) -> Seen:
    seen = Seen()
    choose = random.Random(number)
    connection = erp.connection()
    start.wait()
    for round_ in range(ROUNDS):
        mark = f"MK{number:02d}-{round_:02d}"
        body, code = choose.choice(bad_requests(mark))
        own = set(MARK.findall(body))
        got = ask(connection, "POST", "/services/purchasing", body, Content_Type="text/xml")
        seen.quoted += bool(MARK.search(got.body))
        fault = got.fault
        if fault is None or fault.code != code:
            seen.wrong.append(f"{mark}: {got.status} {got.text[:500]}")
        foreign = {
            found
            for found in MARK.findall(got.body)
            if found not in own and not any(mine.startswith(found) for mine in own)
        }
        if foreign:
            seen.wrong.append(f"{mark} read about {foreign}")
        if round_ % 5 == number % 5:
            began = time.perf_counter()
            placed = f"{mark}-GOOD"
            reply = ask(connection, "POST", "/services/purchasing", order(placed), Content_Type="text/xml")
            seen.slowest_good = max(seen.slowest_good, time.perf_counter() - began)
            if reply.status == 200:
                seen.placed.append(placed)
            else:
                seen.wrong.append(f"good {placed}: {reply.status} {reply.text[:500]}")
    connection.close()
    return seen


def test_no_fault_quotes_another_clients_request_and_good_ones_are_answered(erp: ErpProcess) -> None:
    start = threading.Barrier(THREADS)
    with ThreadPoolExecutor(THREADS) as pool:
        everyone = list(pool.map(lambda number: client(erp, number, start), range(THREADS)))
    assert not [wrong for seen in everyone for wrong in seen.wrong]
    assert sum(seen.quoted for seen in everyone) > THREADS * ROUNDS / 4  # else nothing was tried
    assert max(seen.slowest_good for seen in everyone) < 5
    placed = [request_id for seen in everyone for request_id in seen.placed]
    assert len(placed) == THREADS * ROUNDS // 5
    for request_id in placed[::7]:
        assert erp.post("purchasing", get_order(request_id)).status == 200
    refused = erp.post("purchasing", get_order("MK00-00-ID"))  # nothing of a refused request was kept
    assert refused.fault is not None
    assert refused.fault.declared == "NotFound"
