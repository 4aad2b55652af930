"""Every attack, one after the other, on one bridge: what came back, how long it took, what it left in memory, and whether the next
honest request was answered."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.security import credentials, messages, signatures, transport
from tests.security.attack import Attack, wrong
from tests.security.target import Target

MEMORY = 160 * 1024 * 1024
"""How much one attack may leave behind in the process: what Python and malloc keep of the largest message they have seen."""


@dataclass
class Result:
    """One attack and what became of it. `problems` empty: as it must be."""

    attack: Attack
    seen: list[str] = field(default_factory=list)
    tries: int = 0
    seconds: float = 0.0
    """Of the slowest try."""
    memory: int = 0
    """Bytes by which the process had grown afterwards."""
    honest: float = 0.0
    """Seconds until the next honest request was answered."""
    problems: list[str] = field(default_factory=list)


def every() -> list[Attack]:
    return [*messages.attacks(), *signatures.attacks(), *credentials.attacks(), *transport.attacks()]


def run(attacks: Iterable[Attack], folder: Path, say: Callable[[Result], None]) -> list[Result]:
    """Starts a bridge in the folder and attacks it."""
    results = []
    with Target(folder) as target:
        for attack in attacks:
            result = _one(attack, target)
            results.append(result)
            say(result)
        assert target.erp.process is not None
        if target.erp.process.poll() is not None:
            results[-1].problems.append("the bridge has ended")
    return results


def _one(attack: Attack, target: Target) -> Result:
    before, called = target.memory(), target.listener.called
    began = time.perf_counter()
    result = Result(attack)
    try:
        seen = attack.run(target)
        result.problems += wrong(attack, seen)
        result.seen = list(dict.fromkeys(str(one) for one in seen))
        result.tries = len(seen)
        result.seconds = max((one.seconds for one in seen), default=0.0) or time.perf_counter() - began
        result.honest = target.be_honest()
    except (AssertionError, OSError) as error:
        result.problems.append(f"{type(error).__name__}: {error}")
    result.memory = target.memory() - before
    if result.memory > MEMORY:
        result.problems.append(f"it left {result.memory / 1e6:.0f} MB behind")
    if target.listener.called > called:
        result.problems.append("the bridge called where the attack wanted it to")
    return result
