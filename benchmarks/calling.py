"""One call to a partner, through guard and codec, as part of what plain zeep's CPU is for the same call.

The shipped CreatePurchaseOrder with 20 lines; values in, values out. Both send to the same server on the loopback, a
process of its own that answers the same each time; what counts is the CPU time of the calling process (user and
system), the best round, the contenders in turn. zeep is used as its manual shows it: its own classes, its own transport,
no validation. Ours validates request and reply, counts what was written and keeps a deadline.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import zeep
from lxml import etree
from zeep.helpers import serialize_object

from benchmarks.measure import Budget, cpu_microseconds
from benchmarks.serving import Server
from bridge.partners.soap import SoapPartner
from bridge.shipped import contracts

OPERATION = "CreatePurchaseOrder"
SAMPLE = Path(__file__).parents[1] / "samples" / "purchasing" / OPERATION / "good-20-lines-soap11.xml"
OF_ZEEP = 0.18


def run() -> tuple[list[str], list[Budget]]:
    with Server("constant") as server:
        cost = cpu_microseconds(callers(f"http://127.0.0.1:{server.port}/services/purchasing"), seconds=1.0)
    ratio = cost["ours"] / cost["zeep"]
    lines = [
        "| | CPU µs a call | of plain zeep |",
        "|---|---|---|",
        f"| plain zeep | {cost['zeep']:.0f} | 1 |",
        f"| ours | {cost['ours']:.0f} | {ratio:.3f} |",
    ]
    return lines, [Budget("a call of 20 lines, of plain zeep's CPU", ratio, OF_ZEEP)]


def callers(endpoint: str) -> dict[str, Callable[[], Any]]:
    """A call by plain zeep, and by us."""
    wsdl = contracts()["purchasing"]
    payload = etree.parse(SAMPLE).getroot()[-1][0]
    partner = SoapPartner(wsdl, endpoint=endpoint)
    ours = partner.contract.codec.decode(str(payload.tag), payload)
    client = zeep.Client(str(wsdl))
    proxy = client.create_service(next(iter(client.wsdl.bindings)), endpoint)[OPERATION]
    element = client.get_element(payload.tag)
    theirs = serialize_object(element.parse(payload, client.wsdl.types), dict)
    return {"zeep": lambda: proxy(**theirs), "ours": lambda: partner.call(OPERATION, ours)}
