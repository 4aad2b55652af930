"""`soapbridge reconcile`: whether two partners hold the same figures, which records differ and why, and mending them."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.bridges import Target, open_bridge
from bridge.cli.output import AsJson, ConfigFile, finish, say, table
from bridge.errors import SettingsError

if TYPE_CHECKING:
    from bridge.reconciliation.acts import Mended, Reconciliations
    from bridge.store.differences import DifferenceRow, RunRow

app = typer.Typer(
    help="Whether two partners hold the same figures: run a rule, look at differences, mend them.",
    no_args_is_help=True,
)

Who = Annotated[str, typer.Option("--who", help="For the record; the user of this machine, if not given.")]
Why = Annotated[str, typer.Option("--why", help="For the record.")]
Number = Annotated[int, typer.Argument(metavar="RUN", help="From `reconcile list`.")]


@app.command("run")
def run(
    name: Annotated[str, typer.Argument(help="The rule: [reconcile.NAME] in the settings.")],
    target: Target = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FOLDER", help="Write the report there, as HTML and CSV."),
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Compare both sides now. Exits with 1 where they differ."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    with _opened(target, config) as reconciliations:
        bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description} {task.completed:,.0f} records"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        with bar:
            task = bar.add_task(name, total=None)
            ended = reconciliations.run(name, lambda seen: bar.update(task, completed=seen))
        files = [] if report is None else reconciliations.write(ended.run, report)
        found = reconciliations.run_of(ended.run)
    if not as_json:
        _show_run(found)
        for file in files:
            say(f"Written: {file}")
    content = {**_run_as_json(found), "files": [str(file) for file in files]}
    same = ended.outcome == "same"
    finish(_next_step(found), ok=same, as_json=as_json, content=content)


@app.command("list")
def list_runs(
    name: Annotated[str | None, typer.Argument(help="One rule only.")] = None,
    target: Target = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000)] = 20,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Runs, newest first."""
    with _opened(target, config) as reconciliations:
        found = reconciliations.runs(name, limit=limit)
    if not as_json:
        table(
            ("run", "rule", "source", "target", "began (UTC)", "outcome", "differences"),
            (
                (
                    one.id,
                    one.rule,
                    one.source,
                    one.target,
                    f"{one.started_at:%Y-%m-%d %H:%M:%S}",
                    one.outcome or "running",
                    _count(one),
                )
                for one in found
            ),
        )
        say()
    finish(
        "To see what a run found: soapbridge reconcile show RUN"
        if found
        else "No rule was run yet: soapbridge reconcile run NAME",
        as_json=as_json,
        content={"runs": [_run_as_json(one) for one in found]},
    )


@app.command("show")
def show(
    number: Number,
    target: Target = None,
    cause: Annotated[
        str | None, typer.Option("--cause", help="Only differences with this cause: `never sent`.")
    ] = None,
    open_only: Annotated[bool, typer.Option("--open", help="Only those nobody has decided about.")] = False,
    after: Annotated[int, typer.Option("--after", help="The next page: the last number seen.")] = 0,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000)] = 50,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """What a run found: figures, causes, differences."""
    from bridge.reconciliation.report import KINDS

    with _opened(target, config) as reconciliations:
        row = reconciliations.run_of(number)
        states = ("open",) if open_only else ()
        found = reconciliations.differences(number, states=states, cause=cause, after=after, limit=limit)  # type: ignore[arg-type]
    if not as_json:
        _show_run(row)
        table(
            ("no.", "key", "what", "cause", "fields", "state"),
            (
                (one.id, one.record_key, KINDS[one.kind], one.cause, ", ".join(_names(one)), one.state)
                for one in found
            ),
        )
        say()
    content = {**_run_as_json(row), "differences": [_as_json(one) for one in found]}
    finish(
        _next_step(row, last=found[-1].id if len(found) == limit else None), as_json=as_json, content=content
    )


@app.command("difference")
def difference(
    number: Annotated[int, typer.Argument(metavar="NO", help="From `reconcile show`.")],
    target: Target = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """One difference: both sides, the delivery and the exchange that prove it, and the message that mends it."""
    from bridge.errors import BridgeError
    from bridge.reconciliation.report import shown

    with _opened(target, config) as reconciliations:
        one = reconciliations.difference(number)
        proposal, unable = None, ""
        try:
            proposal = reconciliations.proposal(number)
        except BridgeError as error:
            unable = str(error)
    if not as_json:
        say(f"{one.record_key}: {one.kind}, {one.cause}; {one.state}")
        for side in ("source", "target"):
            for record in one.content.get(side, []):
                say(f"  {side}: " + ", ".join(f"{name}={shown(value)}" for name, value in record.items()))
        if one.delivery:
            say(f"  delivery: soapbridge deliveries show {one.delivery}")
        if one.content.get("exchange"):
            say(f"  envelopes: soapbridge journal show {one.content['exchange']}")
        if one.content.get("reason"):
            say(f"  it was said: {one.content['reason']}")
        say(
            f"  would be sent: {proposal.operation} {_text(proposal.values)}"
            if proposal
            else f"  nothing is proposed: {unable}"
        )
        say()
    content = {
        **_as_json(one),
        "proposal": None
        if proposal is None
        else {"operation": proposal.operation, "values": json.loads(_text(proposal.values))},
        "unable": unable or None,
    }
    step = (
        f"To mend it: soapbridge reconcile repair {one.reconciliation_id} --only {one.id} --why TEXT"
        if proposal
        else ""
    )
    finish(step, as_json=as_json, content=content)


@app.command("repair")
def repair(
    number: Number,
    target: Target = None,
    only: Annotated[
        list[int] | None, typer.Option("--only", metavar="NO", help="These differences only.")
    ] = None,
    cause: Annotated[str | None, typer.Option("--cause", help="Only differences with this cause.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are open.")] = False,
    why: Why = "",
    who: Who = "",
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Send the messages that mend differences. Each is made of the source's record as it is now."""
    if not why.strip():
        raise SettingsError(
            "It is not said why.", advice='Add --why "what for": it is kept with what is done.'
        )
    if sum((bool(only), cause is not None, everything)) != 1:
        raise SettingsError("It is not said which.", advice="Give --only NO, --cause CAUSE or --all.")
    name = who.strip() or getpass.getuser()
    with _opened(target, config) as reconciliations:
        if only:
            mended = [reconciliations.repair(one, who=name, why=why.strip()) for one in only]
        else:
            mended = reconciliations.repair_all(number, who=name, why=why.strip(), cause=cause)
    _finish_mended(mended, as_json=as_json)


@app.command("dismiss")
def dismiss(
    differences: Annotated[list[int], typer.Argument(metavar="NO...", help="From `reconcile show`.")],
    why: Why = "",
    who: Who = "",
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Leave differences as they are. They are found again by the next run, if they are still there."""
    if not why.strip():
        raise SettingsError("It is not said why.", advice='Add --why "what for": it is kept.')
    with _opened(None, config) as reconciliations:
        name = who.strip() or getpass.getuser()
        done = [reconciliations.dismiss(one, who=name, why=why.strip()) for one in differences]
    _finish_mended(done, as_json=as_json)


@contextmanager
def _opened(target: str | None, config: str | None) -> Iterator[Reconciliations]:
    bridge = open_bridge(target, config)
    try:
        yield bridge.reconciliations
    finally:
        bridge.close()


def _finish_mended(mended: list[Mended], *, as_json: bool) -> None:
    left = [one for one in mended if not one.done]
    if not as_json:
        for one in mended:
            say(f"{one.difference} {one.record_key}: {one.says}")
        say()
    content = {
        "done": len(mended) - len(left),
        "left": len(left),
        "differences": [
            {
                "no": one.difference,
                "key": one.record_key,
                "done": one.done,
                "says": one.says,
                "entry": one.entry,
            }
            for one in mended
        ],
    }
    says = f"{len(mended) - len(left)} done, {len(left)} left."
    finish(
        f"{says} What is on its way: soapbridge deliveries list",
        ok=not left,
        as_json=as_json,
        content=content,
    )


def _show_run(row: RunRow) -> None:
    from bridge.reconciliation.report import EXPLAINED, verdict

    say(f"{row.rule}: {row.source} and {row.target}. {verdict(row)}")
    figures = row.figures
    lines: list[tuple[object, object, object]] = [
        ("records compared", figures.get("source", 0), figures.get("target", 0))
    ]
    if totals := figures.get("totals"):
        lines.append(("as each side counts", *totals))
    lines += [(name, one, other) for name, (one, other) in figures.get("sums", {}).items()]
    table(("", "source", "target"), lines)
    for cause, count in figures.get("causes", {}).items():
        english, chinese = EXPLAINED[cause]
        say(f"  {count:>8}  {english} {chinese}")
    say()


def _next_step(row: RunRow, *, last: int | None = None) -> str:
    if last is not None:
        return f"More of them: soapbridge reconcile show {row.id} --after {last}"
    if row.outcome != "different":
        return ""
    if not _count(row):
        return "What the sides add up is not what their records say: ask the side whose figure is wrong."
    return f"What differs: soapbridge reconcile show {row.id}. To mend it: soapbridge reconcile repair {row.id} --all --why TEXT"


def _count(row: RunRow) -> int:
    return sum(row.figures.get("causes", {}).values())


def _names(one: DifferenceRow) -> list[str]:
    return [pair["source"] for pair in one.content.get("differing", [])]


def _text(values: Any) -> str:
    from bridge.partners.json_text import dump

    return dump(values)


def _run_as_json(row: RunRow) -> dict[str, Any]:
    return {
        "run": row.id,
        "rule": row.rule,
        "source": row.source,
        "target": row.target,
        "window": [row.first_day, row.last_day],
        "began": row.started_at.isoformat(),
        "ended": None if row.ended_at is None else row.ended_at.isoformat(),
        "outcome": row.outcome,
        "reason": row.reason,
        "figures": dict(row.figures),
    }


def _as_json(one: DifferenceRow) -> dict[str, Any]:
    return {
        "no": one.id,
        "key": one.record_key,
        "kind": one.kind,
        "cause": one.cause,
        "state": one.state,
        "source_id": one.source_id,
        "target_id": one.target_id,
        "delivery": one.delivery,
        "repair": one.repair,
        "decided_by": one.decided_by,
        "why": one.decided_why,
        "content": dict(one.content),
    }
