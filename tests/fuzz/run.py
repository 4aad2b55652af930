"""One target fuzzed: so many mutations of its seeds, the same for the same seed; what was found."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from tests.fuzz.mutate import mutated
from tests.fuzz.targets import Finding, Target


@dataclass
class Outcome:
    """`counts` by what became of each; `findings` are (number of the run, what, the body)."""

    target: str
    seed: int
    runs: int = 0
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    findings: list[tuple[int, str, bytes]] = field(default_factory=list)


def fuzz(target: Target, runs: int, seed: int, tell: Callable[[Outcome], None] = lambda _: None) -> Outcome:
    """Tries every seed as it is, then `runs` mutations. Ends after the tenth finding."""
    outcome = Outcome(target.name, seed)
    begun = time.monotonic()
    for body in target.seeds:
        _try(target, body, outcome)
    for number in range(runs):
        random = Random(f"{target.name}/{seed}/{number}")  # each run by itself, so that one can be done again
        _try(target, mutated(random, random.choice(target.seeds), target.seeds), outcome)
        outcome.seconds = time.monotonic() - begun
        if len(outcome.findings) >= 10:
            break
        if number % 1000 == 999:
            tell(outcome)
    return outcome


def _try(target: Target, body: bytes, outcome: Outcome) -> None:
    outcome.runs += 1
    try:
        outcome.counts[target.try_one(body)] += 1
    except Finding as finding:
        outcome.findings.append((outcome.runs, str(finding), finding.body))
    except Exception as error:  # whatever it is, nobody was to see it
        outcome.findings.append((outcome.runs, f"{type(error).__name__}: {error}"[:600], body))
