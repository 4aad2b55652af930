"""`soapbridge retention`: remove now what is no longer kept, or count it."""

from __future__ import annotations

from typing import Annotated

import typer

from bridge.cli.bridges import open_store
from bridge.cli.output import AsJson, ConfigFile, finish, say, table
from bridge.settings import load


def retention(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be removed.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Remove what has ended and is no longer kept (`[retention]`), a little at a time: others may go on meanwhile."""
    from bridge.audit import follow
    from bridge.delivery import retention as upkeep

    settings = load(config)
    with open_store(config) as store:
        if dry_run:
            counts = upkeep.count(store, settings)
        else:
            removing = follow(store, settings).removing
            counts = upkeep.remove(store, settings, removing=removing, seconds=None)
    if not as_json:
        table(("what", "would go" if dry_run else "removed"), counts.items())
        say()
    next_step = (
        "To remove it: soapbridge retention"
        if dry_run
        else "Its room in the store is used again. `soapbridge up` and `soapbridge worker` do this by themselves."
    )
    finish(next_step, as_json=as_json, content={"removed": not dry_run, "rows": counts})
