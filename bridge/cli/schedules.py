"""`soapbridge schedules`: what runs by the clock, when it ran last and what became of it; and running one by hand."""

from __future__ import annotations

import getpass
import os
import socket
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.bridges import Target, open_bridge
from bridge.cli.output import AsJson, ConfigFile, finish, say, table
from bridge.errors import SettingsError

if TYPE_CHECKING:
    from bridge.delivery.schedules import Schedule, Shown
    from bridge.store.schedules import FiringRow

app = typer.Typer(help="What runs by the clock: list it, and run one by hand.", no_args_is_help=True)


@app.command("list")
def list_schedules(target: Target = None, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Every schedule with its rule, when it is due next, and its last run."""
    from bridge.delivery.schedules import shown

    bridge = open_bridge(target, config)
    declared = {one.name: one for one in bridge.all_schedules()}
    store = bridge.store
    if store is None:
        raise _without_store()
    try:
        found = {one.name: one for one in shown(store, lease=bridge.settings.delivery.lease)}
    finally:
        bridge.close()
    names = sorted({*found, *declared})
    listed = [_as_json(name, found.get(name), declared.get(name)) for name in names]
    if not as_json:
        table(
            ("name", "rule", "next (UTC)", "last began (UTC)", "took", "outcome", "reason"),
            (_as_row(found.get(name), one) for name, one in zip(names, listed, strict=True)),
        )
        say()
    late = [one["name"] for one in listed if one["overdue"]]
    next_step = (
        f"Due and not run: {', '.join(late)}. Schedules run in `soapbridge up` and `soapbridge worker`: is one up?"
        if late
        else "To run one now: soapbridge schedules run NAME --why TEXT"
    )
    finish(next_step, as_json=as_json, content={"schedules": listed})


@app.command("run")
def run(
    name: Annotated[str, typer.Argument(help="From `schedules list`.")],
    target: Target = None,
    why: Annotated[str, typer.Option("--why", help="For the record.")] = "",
    who: Annotated[
        str, typer.Option("--who", help="For the record; the user of this machine, if not given.")
    ] = "",
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Run a schedule now, in this process. It is due again when it was; who and why is written down."""
    from bridge.delivery.schedules import Scheduler

    if not why.strip():
        raise SettingsError("It is not said why.", advice='Add --why "what for": it is kept with the run.')
    bridge = open_bridge(target, config)
    store = bridge.store
    if store is None:
        raise _without_store()
    owner = f"{socket.gethostname()}:{os.getpid()}:by-hand"
    scheduler = Scheduler(store, bridge.all_schedules(), owner=owner, lease=bridge.settings.delivery.lease)
    try:
        ended = scheduler.run_by_hand(name, who=who.strip() or getpass.getuser(), why=why.strip())
    finally:
        bridge.close()
    content = {
        "name": name,
        "outcome": ended.outcome,
        "reason": ended.reason,
        "seconds": round(ended.seconds, 3),
    }
    if ended.outcome == "failed":
        finish(f"{name} failed: {ended.reason}", ok=False, as_json=as_json, content=content)
    finish(f"{name} is done, in {ended.seconds:.1f} s.", as_json=as_json, content=content)


def _as_row(found: Shown | None, one: dict[str, Any]) -> tuple[object, ...]:
    last = None if found is None else found.last
    rule = one["rule"] if one["declared"] else f"{one['rule']} (not in this bridge)"
    return (
        one["name"],
        rule,
        "at the next start" if found is None else _when(found.due_at),
        None if last is None else _when(last.started_at),
        None if last is None or last.duration is None else _length(last.duration),
        None if last is None else last.standing,
        None if last is None or last.reason is None else last.reason.splitlines()[0][:80],
    )


def _as_json(name: str, found: Shown | None, declared: Schedule | None) -> dict[str, Any]:
    rule = found.rule if found is not None else None if declared is None else declared.rule.text
    return {
        "name": name,
        "rule": rule,
        "declared": declared is not None,
        "next": None if found is None else found.due_at.isoformat(),
        "overdue": found is not None and found.overdue is not None and found.overdue > timedelta(minutes=1),
        "last": None if found is None or found.last is None else _last_as_json(found.last),
    }


def _last_as_json(last: FiringRow) -> dict[str, Any]:
    return {
        "due": last.due_at.isoformat(),
        "began": last.started_at.isoformat(),
        "ended": None if last.ended_at is None else last.ended_at.isoformat(),
        "seconds": None if last.duration is None else last.duration.total_seconds(),
        "outcome": last.standing,
        "reason": last.reason,
        "owner": last.owner,
    }


def _when(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _length(taken: timedelta) -> str:
    return f"{taken.total_seconds():.1f} s"


def _without_store() -> SettingsError:
    return SettingsError(
        "This bridge runs without a store.", advice="Schedules are kept in one: `store.url`."
    )
