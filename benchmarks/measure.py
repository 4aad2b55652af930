"""Timing that can be trusted on a shared machine: CPU time, the best of several rounds, contenders in turn."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass

ROUNDS = 7


def cpu_microseconds(
    contenders: dict[str, Callable[[], object]],
    seconds: float = 0.15,
    *,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, float]:
    """CPU time of one call of each contender, in µs: the best round of several, taken in turn (A B C A B C …). `clock` may be that of
    the calling thread alone."""
    repeats = {name: _repeats(call, seconds) for name, call in contenders.items()}
    best = dict.fromkeys(contenders, float("inf"))
    gc.collect()
    gc.disable()
    try:
        for _ in range(ROUNDS):
            for name, call in contenders.items():
                began = clock()
                for _ in range(repeats[name]):
                    call()
                best[name] = min(best[name], (clock() - began) / repeats[name] * 1e6)
    finally:
        gc.enable()
    return best


def _repeats(call: Callable[[], object], seconds: float) -> int:
    call()
    began = time.process_time()
    for _ in range(5):
        call()
    return max(3, int(seconds / ROUNDS / max((time.process_time() - began) / 5, 1e-6)))


@dataclass(frozen=True, slots=True)
class Budget:
    """One figure with its bound. `at_most` False: it must reach the bound."""

    name: str
    value: float
    bound: float
    at_most: bool = True
    unit: str = "×"

    @property
    def kept(self) -> bool:
        return self.value <= self.bound if self.at_most else self.value >= self.bound

    @property
    def wanted(self) -> str:
        return f"{'at most' if self.at_most else 'at least'} {self.bound:g}"

    def row(self) -> str:
        verdict = "kept" if self.kept else "**missed**"
        return f"| {self.name} | {self.value:.2f} {self.unit} | {self.wanted} | {verdict} |"
