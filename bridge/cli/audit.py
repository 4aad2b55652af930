"""`soapbridge audit`: who did what, when, and how it ended; whether anybody has changed it since; and taking a caller out."""

from __future__ import annotations

import csv
import getpass
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bridge.cli.bridges import open_store
from bridge.cli.output import AsJson, ConfigFile, finish, say, table, writing
from bridge.cli.selecting import moment
from bridge.errors import SettingsError
from bridge.settings import Settings, load

if TYPE_CHECKING:
    from datetime import datetime

    from bridge.audit.chain import Entry
    from bridge.audit.trail import Trail
    from bridge.audit.verify import Report

app = typer.Typer(help="Who did what, when, and whether anybody has changed it since.", no_args_is_help=True)

Event = Annotated[str | None, typer.Option("--event", help="Only these: exchange, act, login_refused, …")]
Who = Annotated[str | None, typer.Option("--by", help="Only what this caller or person did.")]
Subject = Annotated[
    str | None, typer.Option("--subject", help="Only what was done to this: an exchange's id, say.")
]
Outcome = Annotated[str | None, typer.Option("--outcome", help="Only what ended so.")]
Since = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="ISO 8601; without a zone it is UTC.")
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Before this time.")]
DoneBy = Annotated[str, typer.Option("--who", help="For the record; the user of this machine, if not given.")]
Why = Annotated[str, typer.Option("--why", help="For the record.")]

COLUMNS = ("time", "event", "who", "subject", "outcome", "about", "chain", "seq")


@app.command("list")
def list_entries(
    event: Event = None,
    by: Who = None,
    subject: Subject = None,
    outcome: Outcome = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="The newest.")] = 20,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """The newest entries, those that meet every condition."""
    from bridge.store import audit as rows

    wanted = rows.conditions(event=event, who=by, subject=subject, outcome=outcome, **_span(since, until))
    with open_store(config) as store, store.reading() as session:
        found = [as_fields(_entry(row)) for row in rows.newest(session, wanted, limit=limit)]
    if found and not as_json:
        table(COLUMNS[:6], ([_cell(one[name]) for name in COLUMNS[:6]] for one in found))
        say()
    next_step = (
        "Whether all of it is as it was: soapbridge audit verify" if found else "There is no such entry."
    )
    finish(next_step, as_json=as_json, content={"entries": found})


@app.command("export")
def export(
    form: Annotated[Literal["csv", "jsonl"], typer.Option("--format", help="csv or jsonl.")] = "csv",
    out: Annotated[
        Path | None, typer.Option("--out", help="File; standard output, if not given. Never overwritten.")
    ] = None,
    event: Event = None,
    by: Who = None,
    subject: Subject = None,
    outcome: Outcome = None,
    since: Since = None,
    until: Until = None,
    config: ConfigFile = None,
) -> None:
    """Entries as CSV or JSON lines, oldest first, however many there are. With their hashes: a copy can be compared later."""
    from bridge.store import audit as rows

    wanted = rows.conditions(event=event, who=by, subject=subject, outcome=outcome, **_span(since, until))
    with open_store(config) as store, store.reading() as session:
        found = (_entry(row) for row in rows.newest(session, wanted, oldest_first=True))
        if out is None:
            _export(found, form, sys.stdout)
            return
        with writing(out), out.open("x", encoding="utf-8", newline="") as file:
            count = _export(found, form, file)
    finish(f"{count} entries are in {out}.")


@app.command("verify")
def verify(
    checkpoints: Annotated[
        list[Path] | None,
        typer.Option(
            "--checkpoints", metavar="FILE", help="Checkpoints that were kept elsewhere; repeatable."
        ),
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Look whether any entry, checkpoint, journaled exchange or act was changed, removed, inserted or reordered; reads all of them."""
    from bridge.audit import head
    from bridge.audit.verify import Verification

    settings = load(config)
    trusted = _trusted(settings)
    kept = [one for file in checkpoints or () for one in head.read(file)]
    with open_store(config) as store:
        report = Verification(store, trusted, kept).run()
    content = _as_fields(report)
    if not as_json:
        _print(report, content)
    if not report.ok:
        count = "One thing is" if len(report.findings) == 1 else f"{len(report.findings)} things are"
        next_step = f"{count} not as it should be. What each means, and what to do: docs/audit.md"
        finish(next_step, ok=False, as_json=as_json, content=content)
    finish(_advice(report), as_json=as_json, content=content)


@app.command("checkpoint")
def checkpoint(
    out: Annotated[
        Path | None, typer.Option("--out", help="File to add it to; standard output, if not given.")
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Sign the last entries of all chains now, for a place that whoever may write to the database cannot write to."""
    with _trail(config) as trail:
        trail.note("checkpoint", who=getpass.getuser())
        line = trail.checkpoint()
    if out is None:
        typer.echo(line)
        return
    with writing(out), out.open("a", encoding="ascii") as file:
        file.write(f"{line}\n")
    finish(f"Added to {out}. Keep it elsewhere; later: soapbridge audit verify --checkpoints {out}")


@app.command("key")
def key(as_json: AsJson = False, config: ConfigFile = None) -> None:
    """The public key that this host signs with; other hosts name it in `audit.trusted`. Made where there is none."""
    from bridge.audit import key_file
    from bridge.audit.keys import SigningKey

    signing = SigningKey(key_file(load(config)))
    content = {"public": signing.public, "name": signing.name, "file": str(signing.file)}
    if not as_json:
        say(signing.public)
    finish(
        f'Where others verify: trusted = ["{signing.public}"] under [audit].',
        as_json=as_json,
        content=content,
    )


@app.command("erase")
def erase(
    caller: Annotated[str, typer.Argument(help="A caller's name, as the entries have it.")],
    why: Why = "",
    who: DoneBy = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Take a caller out: what entries tell of it, and its exchanges in the journal. The chains stay whole; who did it and why is kept."""
    from bridge.audit import erase as erasing

    if not why.strip() and not dry_run:
        raise SettingsError(
            "It is not said why.", advice='Add --why "what for": it is kept with the erasure.'
        )
    with _trail(config) as trail:
        done = erasing.erase(
            trail, caller, who=who.strip() or getpass.getuser(), why=why.strip(), dry_run=dry_run
        )
    content = {"erased": not dry_run, **done._asdict()}
    if not done.entries and not done.kept:
        finish(f"Nothing is known of a caller {caller}.", ok=False, as_json=as_json, content=content)
    verb = "would be" if dry_run else "are"
    next_step = (
        f"{done.entries} entries {verb} erased, {done.exchanges} of them exchanges that {verb} removed."
    )
    if done.kept:
        next_step += f" {done.kept} tell about something that is still open: settle it, then repeat."
    finish(next_step, as_json=as_json, content=content)


@contextmanager
def _trail(config: str | None) -> Iterator[Trail]:
    """The trail of this command, which ends with it."""
    from bridge.audit import follow
    from bridge.audit.trail import Trail

    settings = load(config)
    with open_store(config) as store:
        trail = follow(store, settings)
        if not isinstance(trail, Trail):
            raise SettingsError("No audit trail is kept.", advice="Set audit.enabled = true.")
        yield trail


def _trusted(settings: Settings) -> Any:
    """The keys of the settings, and this host's own. Raises SettingsError where there are none."""
    from bridge.audit import key_file
    from bridge.audit.keys import SigningKey, TrustedKeys

    own = SigningKey(key_file(settings))
    public = [*settings.audit.trusted, *([own.public] if own.is_there else [])]
    if not public:
        raise SettingsError(
            f"There is no key to verify with: {own.file} is not there, and audit.trusted names none.",
            advice="`soapbridge audit key`, on the host that signs, shows what belongs into audit.trusted.",
        )
    return TrustedKeys(public)


def _span(since: str | None, until: str | None) -> dict[str, int | None]:
    return {"since": _stored(moment("--since", since)), "until": _stored(moment("--until", until))}


def _stored(at: datetime | None) -> int | None:
    from bridge.store.clock import stored

    return None if at is None else stored(at)


def _entry(row: Any) -> Entry:
    from bridge.audit.chain import Entry

    return Entry(*row)


def as_fields(one: Entry) -> dict[str, Any]:
    """An entry for people and programs."""
    from bridge.store.clock import moment as moment_of

    return {
        "time": moment_of(one.at).astimezone(UTC).isoformat(timespec="microseconds"),
        "event": one.event,
        "who": one.who,
        "subject": one.subject,
        "outcome": "(erased)" if one.is_erased else one.outcome,
        "about": one.details,
        "chain": one.chain,
        "seq": one.seq,
        "hash": bytes(one.hash).hex(),
    }


def _cell(value: object) -> object:
    """One of a table: details without digests, which nobody reads."""
    if isinstance(value, dict):
        return ", ".join(f"{name}={_short(one)}" for name, one in value.items() if name != "row")
    return value


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _export(entries: Iterator[Entry], form: str, file: Any) -> int:
    count = 0
    columns = (*COLUMNS, "hash")
    lines = csv.writer(file)
    if form == "csv":
        lines.writerow(columns)
    for one in entries:
        fields = as_fields(one)
        if form == "csv":
            about = json.dumps(fields["about"], ensure_ascii=False) if fields["about"] else ""
            lines.writerow([_inert({**fields, "about": about}[name]) for name in columns])
        else:
            file.write(json.dumps(fields, ensure_ascii=False) + "\n")
        count += 1
    return count


def _inert(value: object) -> object:
    """What a spreadsheet takes for text: a caller's name may be what a stranger typed."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value


def _as_fields(report: Report) -> dict[str, Any]:
    import dataclasses

    content = dataclasses.asdict(report)
    content["findings"] = [one._asdict() for one in report.findings]
    return content


def _print(report: Report, content: dict[str, Any]) -> None:
    names = {
        "chains": "chains",
        "entries": "entries",
        "checkpoints": "checkpoints",
        "kept_elsewhere": "checkpoints kept elsewhere",
        "exchanges": "exchanges as they were",
        "acts": "acts as they were",
        "removed": "exchanges removed, with a tombstone",
        "erased": "entries erased, with a tombstone",
        "swept": "exchanges found after their process had died",
        "before": "exchanges from before the trail: not covered",
        "young": "exchanges and acts too young to be missed",
        "uncovered": "entries without a checkpoint yet",
    }
    table(("", ""), ((label, content[name]) for name, label in names.items()))
    say()
    for one in report.findings:
        say(f"{one.kind:<10} {one.place}: {one.says}", "red")


def _advice(report: Report) -> str:
    if not report.entries:
        return "There is nothing yet."
    if not report.kept_elsewhere:
        return (
            "Nothing was changed. That nothing is missing at the end only a checkpoint tells that was kept elsewhere: "
            "audit.checkpoints, --checkpoints FILE."
        )
    return "Nothing was changed, and nothing is missing up to the last checkpoint that was kept."
