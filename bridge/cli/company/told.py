"""The month, told: a bar for each flow while it moves, and at the end a page that a manager understands."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bridge.cli.company.month import Month, Story
from bridge.cli.company.systems import World
from bridge.cli.output import finish, say, table

CUSTOMERS, ORDERS, PAYMENTS = 500, 2500, 2000

_HEADINGS = {
    "customers": "Customers: CRM (REST) → ERP (SOAP)",
    "orders": "Orders: shop (its database) → ERP (SOAP)",
    "payments": "Payments: bank (its database) → accounting (staging tables)",
}


def play(
    folder: Path,
    *,
    keep: Path | None,
    as_json: bool,
    counts: tuple[int, int, int] = (CUSTOMERS, ORDERS, PAYMENTS),
) -> NoReturn:
    """Play the month in this folder and end the command: 1 where anything is not as it should be."""
    customers, orders, payments = counts
    world = World(folder, customers=customers, orders=orders, payments=payments)
    world.fill()
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=as_json,
        transient=True,
    )
    with bars:
        tasks = {
            name: bars.add_task(_HEADINGS[name], total=total)
            for name, total in zip(_HEADINGS, counts, strict=True)
        }

        def tell(line: str) -> None:
            if not as_json:
                bars.console.print(line, highlight=False)

        story = Story(
            world, tell=tell, progress=lambda name, count: bars.update(tasks[name], completed=count)
        )
        month = story.run()
    if not as_json:
        _print(month)
    finish(_next(month, keep), ok=month.well, as_json=as_json, content=_content(month))


def _print(month: Month) -> None:
    say(
        f"\nThe month: {month.documents:,} documents in {month.seconds:.0f} seconds, three currencies.",
        "bold",
    )
    table(
        ("", "what went wrong", "what became of it"),
        (("✓" if one.well else "✗", one.what, one.outcome) for one in month.lines),
    )
    say("\nBoth sides, at the end:", "bold")
    rows: list[tuple[object, ...]] = []
    for one in month.reconciled:
        mark = "✓" if one["outcome"] == "same" else "✗"
        rows.append(
            (mark, _HEADINGS[one["rule"]], f"{one['source']:,}", f"{one['target']:,}", one["differences"])
        )
        rows += [("", f"    {name}", here, there, "") for name, (here, there) in one["sums"].items()]
    table(("", "", "source", "target", "differences"), rows)
    say()


def _next(month: Month, keep: Path | None) -> str:
    if not month.well:
        return "Something did not come out as it should: see the lines with ✗."
    if keep is not None:
        return f"The settings, mappings and reports are in {keep}; docs/flows.md and docs/reconciliation.md explain them."
    return "Nothing is lost, and both sides hold the same figures. To read its settings and reports: soapbridge demo company --keep FOLDER"


def _content(month: Month) -> dict[str, object]:
    return {
        "documents": month.documents,
        "seconds": round(month.seconds, 1),
        "happened": [{"what": one.what, "outcome": one.outcome, "well": one.well} for one in month.lines],
        "reconciled": month.reconciled,
    }
