"""One WSGI call in process, request and reply both validated, as multiples of p+v.

p+v is what nobody can do without: lxml parses the request and XMLSchema validates it. Small reply: two short fields.
Large reply: the order that came, sent back. Hand-written and plain Spyne answer with the small one, unvalidated.
CPU time of the best of several rounds, the contenders in turn, no journal and no store.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from lxml import etree

from benchmarks import floor, hosted
from benchmarks.measure import Budget, cpu_microseconds
from benchmarks.messages import SIZES, order

SMALL = {1: 6.0, 20: 3.0, 200: 2.3}
LARGE = {20: 5.0, 200: 4.0}
SPYNE = 6.0


ENVIRON = {
    "REQUEST_METHOD": "POST",
    "SCRIPT_NAME": "",
    "QUERY_STRING": "",
    "SERVER_NAME": "127.0.0.1",
    "SERVER_PORT": "8080",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "wsgi.url_scheme": "http",
    "HTTP_HOST": "127.0.0.1:8080",
    "CONTENT_TYPE": "text/xml; charset=utf-8",
    "REMOTE_ADDR": "127.0.0.1",
}
"""What a WSGI server says of any request; path, length and body are to be added."""


def caller(application: Callable[..., Any], path: str, body: bytes) -> Callable[[], bytes]:
    """A function that sends `body` to the application once, checked to be answered well."""
    environ = {**ENVIRON, "PATH_INFO": path, "CONTENT_LENGTH": str(len(body))}
    statuses: list[str] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> None:
        statuses[:] = [status]

    def call() -> bytes:
        reply = application({**environ, "wsgi.input": io.BytesIO(body)}, start_response)
        text = b"".join(reply)
        if hasattr(reply, "close"):
            reply.close()
        return text

    answer = call()
    if not statuses or not statuses[0].startswith("200") or b"Fault" in answer:
        raise RuntimeError(f"{path}: {statuses} {answer[:500]!r}")
    return call


def parse_and_validate(body: bytes) -> Callable[[], object]:
    reader, compiled = floor.parser(), floor.schema()
    return lambda: compiled.validate(etree.fromstring(body, reader)[0][0])


def run() -> tuple[list[str], list[Budget]]:
    bridge, floor_application, spyne = (
        hosted.bridge_application(),
        floor.application(),
        hosted.spyne_application(),
    )
    lines = [
        "| lines | p+v µs | hand-written | ours, small reply | ours, large reply | plain Spyne | Spyne / ours |",
        "|---|---|---|---|---|---|---|",
    ]
    budgets: list[Budget] = []
    for size in SIZES:
        body, echo = order("SubmitOrder", size), order("EchoOrder", size)
        cost = cpu_microseconds(
            {
                "p+v": parse_and_validate(body),
                "floor": caller(floor_application, "/services/orders", body),
                "small": caller(bridge, "/services/orders", body),
                "large": caller(bridge, "/services/orders", echo),
                "spyne": caller(spyne, "/", body),
            }
        )
        unit = cost["p+v"]
        lines.append(
            f"| {size} | {unit:.0f} | {cost['floor'] / unit:.2f} | {cost['small'] / unit:.2f} "
            f"| {cost['large'] / unit:.2f} | {cost['spyne'] / unit:.1f} | {cost['spyne'] / cost['small']:.1f} |"
        )
        budgets.append(
            Budget(f"in process, {size} lines, small reply", cost["small"] / unit, SMALL[size], unit="p+v")
        )
        if size in LARGE:
            budgets.append(
                Budget(
                    f"in process, {size} lines, large reply", cost["large"] / unit, LARGE[size], unit="p+v"
                )
            )
        budgets.append(
            Budget(f"in process, {size} lines, times faster than plain Spyne", cost["spyne"] / cost["small"], SPYNE,
                   at_most=False)
        )  # fmt: skip
    return lines, budgets
