"""What encryption at rest costs: a durable CreatePurchaseOrder of 20 lines, with a key and without.

With a key both envelopes, and the answer kept for repeats, are encrypted (AES-256-GCM) before they are stored. On SQLite in process, one
call after the other, each with a commit and a sync of its own; CPU time.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.durable import CONTRACT, caller, sqlite, stored
from benchmarks.measure import Budget, cpu_microseconds
from bridge.app import Bridge
from bridge.atrest.wrapping import WrappingKey
from bridge.erp.purchasing import create_purchase_order
from bridge.settings import AtRest, Settings
from bridge.settings import Store as StoreSettings

ENCRYPTED = 1.15


def run() -> tuple[list[str], list[Budget]]:
    with sqlite() as plain, sqlite() as sealed, tempfile.TemporaryDirectory() as folder:
        key = Path(folder, "key")
        WrappingKey.new().write(key)
        bridge = Bridge(Settings(store=StoreSettings(url=sealed), at_rest=AtRest(key_file=key)))
        service = bridge.serve(CONTRACT, idempotency_key="requestId")
        service.operation("CreatePurchaseOrder")(create_purchase_order)
        taken = cpu_microseconds(
            {"in the clear": caller(stored(plain)), "encrypted": caller(bridge.wsgi())}, seconds=1.5
        )
    lines = ["| | CPU µs |", "|---|---|", *(f"| {name} | {figure:.0f} |" for name, figure in taken.items())]
    ratio = taken["encrypted"] / taken["in the clear"]
    return lines, [Budget("a durable request with encryption at rest, of one without", ratio, ENCRYPTED)]
