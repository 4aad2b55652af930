"""What a duplicate costs: the same CreatePurchaseOrder of 20 lines again, against the first time.

The request is parsed, validated, decoded and hashed like any other; its answer comes out of the store, and the journal
gets its line. On SQLite in process, one call after the other, each with a commit and a sync of its own; CPU time.
"""

from __future__ import annotations

from benchmarks.durable import caller, fresh, sqlite, stored
from benchmarks.measure import Budget, cpu_microseconds

DUPLICATE = 0.5


def run() -> tuple[list[str], list[Budget]]:
    with sqlite() as url:
        application = stored(url)
        again = fresh()
        caller(application, lambda: again)()
        taken = cpu_microseconds(
            {"first": caller(application), "duplicate": caller(application, lambda: again)}, seconds=1.5
        )
    lines = ["| | CPU µs |", "|---|---|", *(f"| {name} | {figure:.0f} |" for name, figure in taken.items())]
    budget = Budget("a duplicate, of the first time", taken["duplicate"] / taken["first"], DUPLICATE)
    return lines, [budget]
