"""Runs the benchmarks, prints their tables and says which budgets were kept.

python -m benchmarks                    all of them, a quarter of an hour
python -m benchmarks --only over_http durable
python -m benchmarks --strict           exit status 1 when a budget is missed
python -m benchmarks --write            docs/benchmarks.md anew, and the table in docs/choosing.md; with --only their sections
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import (
    access,
    at_rest,
    big_contract,
    calling,
    delivery,
    duplicate,
    durable,
    in_process,
    mapping,
    memory,
    modes,
    over_http,
    reconciliation,
    signature,
    staging,
    start_up,
    sync,
    wss,
)
from benchmarks.page import Result, budget_table, put, render, renewed, verdict

SUITE = {
    "in_process": ("In process", in_process),
    "over_http": ("Over HTTP", over_http),
    "durable": ("Durable", durable),
    "duplicate": ("Duplicates", duplicate),
    "at_rest": ("Encryption at rest", at_rest),
    "access": ("Who calls, and who did what", access),
    "wss": ("WS-Security", wss),
    "calling": ("Calling a partner", calling),
    "delivery": ("Delivery", delivery),
    "mapping": ("Mapping", mapping),
    "staging": ("Tables between a partner and us", staging),
    "sync": ("Flows", sync),
    "modes": ("Three modes, one flow", modes),
    "reconciliation": ("Reconciliation", reconciliation),
    "signature": ("Signatures", signature),
    "big_contract": ("A vendor-sized contract", big_contract),
    "memory": ("Memory", memory),
    "start_up": ("Start-up", start_up),
}

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
CHOOSING = PAGE.with_name("choosing.md")


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0, or with --strict 1 when a budget was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="What the bridge costs.")
    parser.add_argument("--only", nargs="+", choices=SUITE, metavar="NAME", help=f"of {', '.join(SUITE)}")
    parser.add_argument("--strict", action="store_true", help="exit status 1 when a budget is missed")
    parser.add_argument(
        "--write",
        action="store_true",
        help="write docs/benchmarks.md, with --only their sections, and the table in docs/choosing.md",
    )
    chosen = parser.parse_args(arguments)

    results = []
    for name in chosen.only or SUITE:
        title, module = SUITE[name]
        print(f"\n## {title}\n", flush=True)
        lines, budgets = module.run()
        results.append(Result(title, module.__doc__ or "", lines, budgets))
        print("\n".join(lines), "", *budget_table(budgets), sep="\n", flush=True)
    print(f"\n{verdict(results)}")
    if chosen.write:
        page = renewed(PAGE.read_text("utf-8"), results) if chosen.only else render(results)
        PAGE.write_text(page, encoding="utf-8")
        for measured in (one.lines for one in results if one.title == SUITE["modes"][0]):
            CHOOSING.write_text(put(CHOOSING.read_text("utf-8"), "modes", measured), encoding="utf-8")
        print(f"Written: {PAGE.relative_to(Path.cwd()) if PAGE.is_relative_to(Path.cwd()) else PAGE}")
    missed = any(not budget.kept for result in results for budget in result.budgets)
    return 1 if chosen.strict and missed else 0


if __name__ == "__main__":
    sys.exit(main())
