"""Requests over HTTP: the bridge, the hand-written floor and plain Spyne, each behind the bridge's own HTTP server.

One worker process each, on the first core; the client is another process, on the last core, with four connections
that stay open and requests made beforehand. What counts is the CPU time of the server's process (user and system, all its threads) for a fixed number
of requests after a warm-up: the best of several rounds, the contenders in turn, because a busy machine only ever adds.

The floor is what an expert would write for this one contract: lxml parse, XMLSchema validation, decoding and reply by
hand, and nothing of what else the bridge does (replies validated, faults, limits, exchange ids). Plain Spyne has its
own lxml validator; the same HTTP server carries it, which is faster than those it is usually run on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial

from benchmarks.measure import Budget
from benchmarks.messages import SIZES, order
from benchmarks.serving import Load, Server, post

FLOOR = {1: 0.5, 20: 0.65, 200: 0.78}
SPYNE = 5.0

PATHS = {"floor": "/services/orders", "bridge": "/services/orders", "spyne": "/"}
ROUNDS = 9
SECONDS = 0.3
"""CPU time of one round of one contender."""


class Contender:
    """A server under load; `request` gives the bytes to send next."""

    def __init__(self, server: Server, load: Load, request: Callable[[], bytes]) -> None:
        self._server = server
        self._load = load
        self._request = request
        self._count = 100
        self._count = max(40, int(SECONDS / self.seconds()))
        self.seconds()

    def seconds(self) -> float:
        """Seconds of the server's CPU for one request, over one round."""
        requests = [self._request() for _ in range(self._count)]
        before = self._server.cpu()
        self._load.send(requests)
        return (self._server.cpu() - before) / self._count


def cpu_seconds(
    servers: Mapping[str, Server], request: Callable[[str], Callable[[], bytes]], *, connections: int = 4
) -> dict[str, float]:
    """CPU seconds of each server for one request, in its best round.

    Args:
        request: gives, by the server's name, the function that makes its requests.
    """
    with ExitStack() as stack:
        contenders = {}
        for name, server in servers.items():
            load = Load(server.port, connections)
            stack.callback(load.close)
            contenders[name] = Contender(server, load, request(name))
        best = dict.fromkeys(servers, float("inf"))
        for _ in range(ROUNDS):
            for name, contender in contenders.items():
                best[name] = min(best[name], contender.seconds())
    return best


def _request(body: bytes, name: str) -> Callable[[], bytes]:
    """The same request again and again, to where that server has it."""
    whole = post(PATHS[name], body)
    return lambda: whole


def run() -> tuple[list[str], list[Budget]]:
    lines = [
        "| lines | hand-written, requests per CPU-second | ours | plain Spyne | ours / hand-written | ours / Spyne |",
        "|---|---|---|---|---|---|",
    ]
    budgets: list[Budget] = []
    with ExitStack() as stack:
        servers = {name: stack.enter_context(Server(name)) for name in PATHS}
        for size in SIZES:
            body = order("SubmitOrder", size)
            cost = cpu_seconds(servers, partial(_request, body))
            rate = {name: 1 / seconds for name, seconds in cost.items()}
            floor, spyne = cost["floor"] / cost["bridge"], cost["spyne"] / cost["bridge"]
            lines.append(
                f"| {size} | {rate['floor']:,.0f} | {rate['bridge']:,.0f} | {rate['spyne']:,.0f} "
                f"| {floor:.2f} | {spyne:.1f} |"
            )
            budgets += [
                Budget(f"HTTP, {size} lines, of the hand-written floor", floor, FLOOR[size], at_most=False),
                Budget(f"HTTP, {size} lines, of plain Spyne", spyne, SPYNE, at_most=False),
            ]
    return lines, budgets
