"""`soapbridge flows`: what moves between partners by itself, how far it is, and what could not go through."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bridge.cli.bridges import open_bridge
from bridge.cli.output import AsJson, ConfigFile, finish, say, table
from bridge.errors import SettingsError

if TYPE_CHECKING:
    from bridge.app import Bridge
    from bridge.store.flow_problems import ProblemRow
    from bridge.sync import Change, Flows, Report, Standing
    from bridge.sync.flow import Flow

app = typer.Typer(
    help="What moves between partners by itself: list it, run it, and mend what could not go through.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="The flow: [flows.NAME] in the settings.")]
OfBridge = Annotated[
    str | None,
    typer.Option("--bridge", metavar="MODULE:BRIDGE", help="Your bridge, where code of yours maps."),
]
Who = Annotated[
    str,
    typer.Option("--who", help="Who does it; without it the login name.", default_factory=getpass.getuser),
]
Why = Annotated[str, typer.Option("--why", help="Why; it is written down.")]
Numbers = Annotated[list[int], typer.Argument(metavar="NUMBER...", help="From `flows problems`.")]


@app.command("list")
def list_flows(target: OfBridge = None, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Every flow: from where to where, when, how far it is, and how many records could not go through."""
    with _flows(target, config) as flows:
        found = [flows.standing(name) for name in flows.names]
    if found and not as_json:
        table(
            ("flow", "from", "to", "when", "seen up to (UTC)", "state", "problems"),
            (
                (
                    one.name,
                    one.source,
                    f"{one.target}{' and back' if one.direction == 'two-way' else ''}",
                    one.trigger,
                    _when(one.watermark),
                    _state(one),
                    one.problems or None,
                )
                for one in found
            ),
        )
        say()
    broken = [one.name for one in found if one.mistakes]
    stuck = [one.name for one in found if one.problems]
    if broken:
        next_step = f"Cannot run: {', '.join(broken)}. What is wrong: soapbridge flows show {broken[0]}"
    elif stuck:
        next_step = f"Records could not go through: soapbridge flows problems {stuck[0]}"
    elif found:
        next_step = "To run one now: soapbridge flows run NAME; what it would do: with --dry-run"
    else:
        next_step = "No flow is set: [flows.NAME], docs/flows.md"
    content = {"flows": [_standing_as_json(one) for one in found]}
    finish(next_step, ok=not broken, as_json=as_json, content=content)


@app.command("show")
def show(name: Name, target: OfBridge = None, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """One flow: how it is set, how far it is, what became of its last run, and what is wrong with it."""
    with _flows(target, config) as flows:
        one = flows.standing(name)
        whole = None if one.mistakes else flows.flow(name)
    content = _standing_as_json(one) | ({} if whole is None else _rules_as_json(whole))
    if not as_json:
        shown = ((key, _cell(value)) for key, value in content.items() if value not in (None, [], ""))
        table(("", ""), shown)
        say()
    if one.mistakes:
        finish("Correct the settings, then: soapbridge check", ok=False, as_json=as_json, content=content)
    finish(f"What it would do now: soapbridge flows run {name} --dry-run", as_json=as_json, content=content)


@app.command("run")
def run(
    name: Name,
    full: Annotated[
        bool, typer.Option("--full", help="Look at every record, and find those that are gone.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be sent, field by field; nothing is done.")
    ] = False,
    ids: Annotated[
        list[str] | None, typer.Option("--id", help="Only this record of the source, now; repeatable.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="With --id: also where it was sent just so.")
    ] = False,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, help="With --dry-run: records shown at most.")
    ] = 50,
    target: OfBridge = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Move what was changed since the last run, now and in this process. What is sent leaves by `soapbridge up` or `worker`."""
    if ids and (full or dry_run):
        raise SettingsError("--id goes with neither --full nor --dry-run.", advice="Leave one out.")
    with _flows(target, config) as flows:
        if dry_run:
            _dry_run(flows, name, full=full, limit=limit, as_json=as_json)
        if ids:
            report = flows.request(name, ids, force=force)
        else:
            with _progress(flows, name, wanted=not as_json) as progress:
                report = flows.run(name, full=full, progress=progress)
    _finish_run(report, as_json=as_json)


@app.command("pause")
def pause(
    name: Name,
    who: Who,
    why: Why = "",
    as_json: AsJson = False,
    config: ConfigFile = None,
    target: OfBridge = None,
) -> None:
    """Have a flow stand still, in every process, until it is resumed."""
    with _flows(target, config) as flows:
        done = flows.pause(name, who=who, why=why)
    said = f"{name} stands still" if done else f"{name} stood still before"
    finish(
        f"{said}. To let it go: soapbridge flows resume {name} --why TEXT",
        as_json=as_json,
        content={"done": done},
    )


@app.command("resume")
def resume(
    name: Name,
    who: Who,
    why: Why = "",
    as_json: AsJson = False,
    config: ConfigFile = None,
    target: OfBridge = None,
) -> None:
    """Let a paused flow go on where it stopped."""
    with _flows(target, config) as flows:
        done = flows.resume(name, who=who, why=why)
    said = f"{name} goes on at its time" if done else f"{name} was not paused by hand"
    finish(f"{said}. At once: soapbridge flows run {name}", as_json=as_json, content={"done": done})


@app.command("problems")
def list_problems(
    name: Annotated[str | None, typer.Argument(help="Only of this flow.")] = None,
    stage: Annotated[
        str | None, typer.Option("--stage", help="read, map, validate, conflict, duplicate or refused.")
    ] = None,
    record: Annotated[str | None, typer.Option("--record", help="Only of this record.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that were solved or dismissed.")
    ] = False,
    number: Annotated[
        int | None, typer.Option("--show", metavar="NUMBER", help="One, with its record.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000)] = 50,
    target: OfBridge = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Records that could not go through, each with why and what mends it."""
    from bridge.store.flow_problems import STAGES

    if stage is not None and stage not in STAGES:
        raise SettingsError(f"There is no stage {stage}.", advice=f"There are {', '.join(STAGES)}.")
    with _flows(target, config) as flows:
        if number is not None:
            _show_problem(flows.problem(number), as_json=as_json)
        found = flows.problems(
            flow=name,
            stage=next((one for one in STAGES if one == stage), None),
            record_id=record,
            everything=everything,
            limit=limit,
        )
    if found and not as_json:
        table(
            ("number", "flow", "record", "stage", "since (UTC)", "times", "state", "explanation"),
            (
                (
                    one.id,
                    one.flow,
                    one.record_id or "(a page)",
                    one.stage,
                    _when(one.first_at),
                    one.times,
                    one.state,
                    one.explanation.splitlines()[0][:120],
                )
                for one in found
            ),
        )
        say()
    next_step = (
        f"What mends one: soapbridge flows problems --show {found[0].id}"
        if found
        else "Nothing is in the way."
    )
    finish(next_step, as_json=as_json, content={"problems": [_problem_as_json(one) for one in found]})


@app.command("retry")
def retry(
    numbers: Numbers,
    who: Who,
    why: Why = "",
    prefer: Annotated[
        Literal["source", "target"] | None,
        typer.Option("--prefer", help="After a conflict: whose values go."),
    ] = None,
    target: OfBridge = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Try records again as they are now, once their cause is mended."""
    done: list[dict[str, Any]] = []
    with _flows(target, config) as flows:
        for number in numbers:
            report = flows.retry(number, who=who, why=why, prefer=prefer)
            done.append({"number": number, **_report_as_json(report)})
    failed = [one["number"] for one in done if one["problems"]]
    if not as_json:
        for one in done:
            say(f"{one['number']}: {'; '.join(one['problems']) or 'it goes'}")
    if failed:
        finish(
            f"Still in the way: soapbridge flows problems --show {failed[0]}",
            ok=False,
            as_json=as_json,
            content={"retried": done},
        )
    finish("What was sent: soapbridge deliveries list --open", as_json=as_json, content={"retried": done})


@app.command("dismiss")
def dismiss(
    numbers: Numbers,
    who: Who,
    why: Why = "",
    target: OfBridge = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Leave records as they are on both sides; they go again when they are changed."""
    with _flows(target, config) as flows:
        for number in numbers:
            flows.dismiss(number, who=who, why=why)
    finish("Dismissed, and written down.", as_json=as_json, content={"dismissed": numbers})


# -- what is shown


@contextmanager
def _flows(target: str | None, config: str | None) -> Iterator[Flows]:
    bridge: Bridge = open_bridge(target, config)
    try:
        yield bridge.flows
    finally:
        bridge.close()


@contextmanager
def _progress(flows: Flows, name: str, *, wanted: bool) -> Iterator[Callable[[Report], object]]:
    """A bar on a terminal, told after every page; elsewhere nothing."""
    import sys

    if not wanted or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    way = flows.flow(name).forth
    try:
        total: int | None = way.reader.totals(way.entity.name).count
    except Exception:  # noqa: BLE001 - a bar without an end will do
        total = None
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=total)
        yield lambda report: bar.update(
            task, completed=report.read, description=f"{name}: {report.counts['send']} to send"
        )


def _dry_run(flows: Flows, name: str, *, full: bool, limit: int, as_json: bool) -> None:
    shown: list[Change] = []
    more = 0

    def keep(change: Change) -> None:
        nonlocal more
        if len(shown) < limit:
            shown.append(change)
        else:
            more += 1

    report = flows.dry_run(name, full=full, show=keep)
    if not as_json:
        for one in shown:
            _say_change(one)
        if more:
            say(f"and {more} more", "dim")
        say()
    changes = [
        {
            "way": one.way,
            "record": one.record_id,
            "would": one.became,
            "fields": {field: {"was": was, "would be": new} for field, (was, new) in one.fields.items()},
            "explanation": one.explanation or None,
        }
        for one in shown
    ]
    content = {**_report_as_json(report), "changes": changes, "more": more}
    finish(f"{_counted(report)}. To do it: soapbridge flows run {name}", as_json=as_json, content=content)


def _say_change(one: Change) -> None:
    arrow = "<-" if one.way == "back" else "->"
    match one.became:
        case "problem":
            say(f"! {one.record_id}: {one.explanation}", "yellow")
        case "delete":
            say(f"- {one.record_id}", "red")
        case _:
            say(f"{arrow} {one.record_id}", "bold")
            for field, (was, new) in one.fields.items():
                say(f"     {field}: {_value(was)} -> {_value(new)}")


def _finish_run(report: Report, *, as_json: bool) -> None:
    content = _report_as_json(report)
    match report.outcome:
        case "failed":
            finish(report.reason, ok=False, as_json=as_json, content=content)
        case "busy":
            finish(
                f"{report.flow} is running in another process.", ok=False, as_json=as_json, content=content
            )
        case "paused":
            next_step = f"{report.flow} is paused: soapbridge flows resume {report.flow} --why TEXT"
            finish(next_step, ok=False, as_json=as_json, content=content)
    said = _counted(report) + (f". {report.reason}" if report.reason else "")
    if report.counts["problem"]:
        next_step = f"{said}. What could not go through: soapbridge flows problems {report.flow}"
    else:
        next_step = f"{said}. What has still to leave: soapbridge deliveries list --open"
    finish(next_step, as_json=as_json, content=content)


def _show_problem(one: ProblemRow, *, as_json: bool) -> None:
    content = _problem_as_json(one)
    if not as_json:
        table(("", ""), ((key, value) for key, value in content.items() if value is not None))
        say()
    next_step = (
        f"soapbridge flows retry {one.id} --why TEXT, or soapbridge flows dismiss {one.id} --why TEXT"
        if one.state == "open"
        else f"It is {one.state}."
    )
    finish(next_step, as_json=as_json, content={"problem": content})


def _counted(report: Report) -> str:
    words = {
        "send": "to send",
        "delete": "to delete over there",
        "problem": "could not go through",
        "waits": "wait for a document on its way",
        "same": "alike over there",
        "echo": "our own echo",
        "known": "known",
    }
    parts = [f"{report.counts[name]} {said}" for name, said in words.items() if report.counts[name]]
    return f"{report.read} read: {', '.join(parts)}" if parts else f"{report.read} read, nothing to do"


def _state(one: Standing) -> str:
    if one.mistakes:
        return "cannot run"
    if one.paused:
        return f"paused: {one.paused}"
    if one.running:
        return f"runs ({one.running})"
    return "never ran" if one.outcome is None else f"{one.outcome} {_when(one.last_ended)}"


def _standing_as_json(one: Standing) -> dict[str, Any]:
    return {
        "name": one.name,
        "source": one.source,
        "target": one.target,
        "direction": one.direction,
        "trigger": one.trigger,
        "seenUpTo": _iso(one.watermark),
        "seenBackUpTo": _iso(one.back_watermark),
        "lagSeconds": None if one.lag is None else round(one.lag, 1),
        "running": one.running,
        "paused": one.paused,
        "began": _iso(one.last_began),
        "ended": _iso(one.last_ended),
        "outcome": one.outcome,
        "reason": one.reason,
        "problems": one.problems,
        "mistakes": list(one.mistakes),
    }


def _rules_as_json(flow: Flow) -> dict[str, Any]:
    options = flow.options
    return {
        "mapping": None if options.mapping is None else str(options.mapping),
        "conflict": options.conflict,
        "owner": options.owner,
        "sourceOwns": list(options.source_owns),
        "targetOwns": list(options.target_owns),
        "match": list(options.match),
        "overlapSeconds": options.overlap,
        "deletes": options.deletes or "ignored",
    }


def _report_as_json(report: Report) -> dict[str, Any]:
    return {
        "flow": report.flow,
        "outcome": report.outcome,
        "reason": report.reason or None,
        "read": report.read,
        "delivered": report.delivered,
        "counts": dict(report.counts),
        "problems": report.problems,
    }


def _problem_as_json(one: ProblemRow) -> dict[str, Any]:
    return {
        "number": one.id,
        "flow": one.flow,
        "side": one.side,
        "record": one.record_id or None,
        "stage": one.stage,
        "state": one.state,
        "since": _iso(one.first_at),
        "last": _iso(one.last_at),
        "times": one.times,
        "explanation": one.explanation,
        "repair": one.repair,
        "delivery": one.entry_id,
        "who": one.who,
        "why": one.why,
        "values": one.record,
    }


def _iso(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()


def _when(value: datetime | None) -> str:
    return "" if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _cell(value: Any) -> Any:
    return "\n".join(map(str, value)) if isinstance(value, list) else value


def _value(value: Any) -> str:
    return "(nothing)" if value is None else str(value)
