"""What it costs to know who calls, and to write down who did what: a durable CreatePurchaseOrder of 20 lines.

Nobody has to be known; an API key; HTTP Basic, whose password was right before and is remembered; and nobody has to be known, with the
audit on. Where nobody has to be known no gatekeeper is asked anything, so that the first row is what a request costs without access
control. On SQLite in process, one call after the other; CPU time of the thread that answers. What the audit's own thread does beside is
the last row: twenty requests' entries written at once, its share of one.
"""

from __future__ import annotations

import tempfile
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from benchmarks.durable import CONTRACT, caller, sqlite
from benchmarks.measure import Budget, cpu_microseconds
from bridge.access.issuing import Issuing
from bridge.app import Bridge
from bridge.audit.trail import Trail
from bridge.erp.purchasing import create_purchase_order
from bridge.settings import Settings
from bridge.settings import Store as StoreSettings
from bridge.settings.security import Audit, Caller, Role

AUDITED = 1.02
TOGETHER = 20
PASSWORD = "correct horse battery staple"

CALLERS = {"crm": Caller(roles=("all",))}


def run() -> tuple[list[str], list[Budget]]:
    with ExitStack() as stack:
        anybody = stack.enter_context(_bridge())
        known = stack.enter_context(_bridge(CALLERS))
        audited = stack.enter_context(_bridge(audited=True))
        assert known.store is not None
        issuing = Issuing(known.store, known.settings, who="benchmark")
        issuing.password("crm", PASSWORD)
        _, api_key = issuing.api_key("crm")
        basic = "Basic " + b64encode(f"crm:{PASSWORD}".encode()).decode()
        application, audited_one = known.wsgi(), caller(audited.wsgi())
        taken = cpu_microseconds(
            {
                "nobody has to be known": caller(anybody.wsgi()),
                "an API key": caller(application, HTTP_X_API_KEY=api_key),
                "HTTP Basic, remembered": caller(application, HTTP_AUTHORIZATION=basic),
                "nobody has to be known, audited": audited_one,
            },
            seconds=1.5,
            clock=time.thread_time,
        )
        beside = _beside(audited, audited_one)
    lines = ["| | CPU µs |", "|---|---|", *(f"| {name} | {figure:.0f} |" for name, figure in taken.items())]
    lines.append(f"| beside, by the audit's thread | {beside:.0f} |")
    ratio = taken["nobody has to be known, audited"] / taken["nobody has to be known"]
    return lines, [Budget("a durable request with the audit on, of one without", ratio, AUDITED)]


@contextmanager
def _bridge(callers: dict[str, Caller] | None = None, *, audited: bool = False) -> Iterator[Bridge]:
    """With a store of its own."""
    with sqlite() as url, tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            store=StoreSettings(url=url),
            audit=Audit(enabled=audited, key_file=Path(folder, "audit.pem")),
            callers=callers or {},
            roles={"all": Role(operations=("*",))} if callers else {},
        )
        bridge = Bridge(settings)
        service = bridge.serve(CONTRACT, idempotency_key="requestId")
        service.operation("CreatePurchaseOrder")(create_purchase_order)
        yield bridge
        assert bridge.store is not None
        bridge.store.close()


def _beside(audited: Bridge, one: Callable[[], object]) -> float:
    """CPU time of writing one request's entry, in µs."""
    trail = audited.audit
    assert isinstance(trail, Trail)
    taken = []
    for _ in range(10):
        trail.write()
        for _ in range(TOGETHER):
            one()
        began = time.thread_time()
        trail.write()
        taken.append((time.thread_time() - began) / TOGETHER * 1e6)
    return median(taken)  # not the least: the thread itself may have come in between
