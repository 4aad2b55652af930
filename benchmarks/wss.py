"""What WS-Security costs: a digest in a UsernameToken, on a durable request that a known caller makes.

The same caller, known by its API key, and by a digest with a fresh nonce for each request, which is remembered in the store before the
handler runs. A CreatePurchaseOrder of 20 lines, in process, one after the other; CPU time, making the message not counted.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.durable import CONTRACT, caller, fresh, sqlite
from benchmarks.measure import Budget, cpu_microseconds
from bridge.access.issuing import Issuing
from bridge.app import Bridge
from bridge.atrest.wrapping import WrappingKey
from bridge.erp.purchasing import create_purchase_order
from bridge.settings import AtRest, Settings
from bridge.settings import Store as StoreSettings
from bridge.settings.security import Caller, Role
from bridge.soap.security import header, username

DIGEST = 200.0
PASSWORD = "correct horse battery staple"
_MADE = 4000


def run() -> tuple[list[str], list[Budget]]:
    with _known() as (application, api_key):
        taken = cpu_microseconds(
            {
                "an API key": caller(application, fresh, HTTP_X_API_KEY=api_key),
                "a digest": caller(application, _prepared().__next__),
            },
            seconds=1.5,
        )
    lines = [
        "| known by | CPU µs |",
        "|---|---|",
        *(f"| {name} | {figure:.0f} |" for name, figure in taken.items()),
    ]
    added = taken["a digest"] - taken["an API key"]
    return lines, [Budget("a digest adds to a durable request", added, DIGEST, unit="µs")]


@contextmanager
def _known() -> Iterator[tuple[Callable[..., Any], str]]:
    """A bridge that knows a caller, and its API key."""
    with sqlite() as url, tempfile.TemporaryDirectory() as folder:
        key = Path(folder, "key")
        WrappingKey.new().write(key)
        settings = Settings(
            store=StoreSettings(url=url),
            at_rest=AtRest(key_file=key),
            callers={"crm": Caller(roles=("all",))},
            roles={"all": Role(operations=("*",))},
        )
        bridge = Bridge(settings)
        bridge.serve(CONTRACT, idempotency_key="requestId").operation("CreatePurchaseOrder")(
            create_purchase_order
        )
        assert bridge.store is not None
        issuing = Issuing(bridge.store, settings, who="benchmark")
        issuing.wss_password("crm", PASSWORD)
        _, api_key = issuing.api_key("crm")
        yield bridge.wsgi(), api_key


def _prepared() -> Iterator[bytes]:
    """Messages with a token each, made before they are asked for: that is the client's work."""
    while True:
        yield from [_with_token(fresh()) for _ in range(_MADE)]


def _with_token(message: bytes) -> bytes:
    token = username.write("crm", PASSWORD, as_digest=True, nonce=os.urandom(16), now=time.time())
    block = f"<soap:Header>{header.write(token, version='1.1')}</soap:Header><soap:Body>"
    return message.replace(b"<soap:Body>", block.encode(), 1)
