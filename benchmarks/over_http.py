"""Requests over HTTP: the bridge, the hand-written floor and plain Spyne, each behind the bridge's own HTTP server.

One worker process each; the client is another process with four connections that stay open and requests made
beforehand. What counts is the CPU time of the server's process (user and system, all its threads) for a fixed number
of requests after a warm-up, the contenders in turn, the median of the rounds. So the client costs the servers
nothing, and a busy machine changes little.

The floor is what an expert would write for this one contract: lxml parse, XMLSchema validation, decoding and reply by
hand, and nothing of what else the bridge does (replies validated, faults, limits, exchange ids). Plain Spyne has its
own lxml validator; the same HTTP server carries it, which is faster than those it is usually run on.
"""

from __future__ import annotations

from contextlib import ExitStack
from statistics import median

from benchmarks.measure import Budget
from benchmarks.messages import SIZES, order
from benchmarks.serving import Load, Server, post

FLOOR = {1: 0.5, 20: 0.65, 200: 0.78}
SPYNE = 5.0

PATHS = {"floor": "/services/orders", "bridge": "/services/orders", "spyne": "/"}
ROUNDS = 7
SECONDS = 0.35
"""CPU time of one round of one contender."""


class Contender:
    """A server under load with one kind of request."""

    def __init__(self, server: Server, load: Load, request: bytes) -> None:
        self.server = server
        self._load = load
        self._request = request
        self.count = 40
        self.count = max(40, int(SECONDS / self.seconds()))
        self.seconds()

    def seconds(self) -> float:
        """Seconds of the server's CPU for one request, over one round."""
        before = self.server.cpu()
        self._load.send(self._request for _ in range(self.count))
        return (self.server.cpu() - before) / self.count


def per_second(servers: dict[str, Server], lines: int) -> dict[str, float]:
    """Requests per CPU-second of each server."""
    with ExitStack() as stack:
        contenders = {}
        for name, server in servers.items():
            load = Load(server.port)
            stack.callback(load.close)
            contenders[name] = Contender(server, load, post(PATHS[name], order("SubmitOrder", lines)))
        rounds: dict[str, list[float]] = {name: [] for name in servers}
        for _ in range(ROUNDS):
            for name, contender in contenders.items():
                rounds[name].append(contender.seconds())
    return {name: 1 / median(seconds) for name, seconds in rounds.items()}


def run() -> tuple[list[str], list[Budget]]:
    lines = [
        "| lines | hand-written, requests per CPU-second | ours | plain Spyne | ours / hand-written | ours / Spyne |",
        "|---|---|---|---|---|---|",
    ]
    budgets: list[Budget] = []
    with ExitStack() as stack:
        servers = {name: stack.enter_context(Server(name)) for name in PATHS}
        for size in SIZES:
            rate = per_second(servers, size)
            floor, spyne = rate["bridge"] / rate["floor"], rate["bridge"] / rate["spyne"]
            lines.append(
                f"| {size} | {rate['floor']:,.0f} | {rate['bridge']:,.0f} | {rate['spyne']:,.0f} "
                f"| {floor:.2f} | {spyne:.1f} |"
            )
            budgets += [
                Budget(f"HTTP, {size} lines, of the hand-written floor", floor, FLOOR[size], at_most=False),
                Budget(f"HTTP, {size} lines, of plain Spyne", spyne, SPYNE, at_most=False),
            ]
    return lines, budgets
