"""`soapbridge journal replay`: requests of the journal through today's code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from bridge.cli import selecting
from bridge.cli.bridges import open_bridge
from bridge.cli.output import AsJson, ConfigFile, finish, say, table
from bridge.cli.selecting import Who
from bridge.errors import SettingsError

if TYPE_CHECKING:
    from bridge.cli.masking import Masking
    from bridge.replay import Replay, Replayed
    from bridge.store import Entry, Journal

PAGE = 200


def replay(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID]... [MODULE:BRIDGE]",
            help="Exchanges; and your bridge, without which it is the shipped ERP.",
        ),
    ] = None,
    contract: Annotated[str | None, typer.Option("--contract", help="Only of this contract.")] = None,
    operation: Annotated[str | None, typer.Option("--operation", help="Only this operation.")] = None,
    partner: Annotated[str | None, typer.Option("--partner", help="Only from this partner.")] = None,
    verdict: Annotated[
        list[str] | None,
        typer.Option(
            "--verdict", help="Only those that ended like this: failed, invalid_reply, …; repeatable."
        ),
    ] = None,
    cause: Annotated[
        str | None, typer.Option("--cause", help="Only those whose fault's reason holds this text.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="ISO 8601; without a zone it is UTC.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Before this time.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many, the oldest.")] = 1000,
    anew: Annotated[
        bool,
        typer.Option("--anew", help="Also what was answered before: do it again, and keep the new answer."),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do it. Without it nothing is kept and nobody is called.")
    ] = False,
    why: Annotated[str, typer.Option("--why", help="Why; written down. Needed with --yes.")] = "",
    *,
    who: Who,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Requests that came in once, answered by today's code: to see what would be answered, or (--yes) to do it."""
    from bridge.cli.journal import verdicts
    from bridge.cli.masking import Masking

    ids = [one for one in arguments or () if ":" not in one]
    targets = [one for one in arguments or () if ":" in one]
    filters = (contract, operation, partner, verdict, cause, since, until)
    if len(targets) > 1 or bool(ids) == any(one is not None for one in filters):
        raise SettingsError(
            "It is not said what to replay." if not ids else "Ids are given, and conditions too.",
            advice="Give ids of exchanges, or conditions like --verdict failed --since 2026-11-22T08:00.",
        )
    if yes and not why.strip():
        raise SettingsError("It is not said why.", advice="Give --why: it is written down.")
    bridge = open_bridge(targets[0] if targets else None, config)
    store = bridge.store
    assert store is not None
    try:
        if not ids:
            chosen: dict[str, object] = {
                "contract": contract,
                "operation": operation,
                "partner": partner,
                "verdicts": verdicts(verdict or []),
                "since": selecting.moment("--since", since),
                "until": selecting.moment("--until", until),
            }
            ids = list(_matching(store.journal, chosen, cause, limit))
        done = list(_each(bridge.replay, ids, who=who, why=why, dry_run=not yes, anew=anew))
    finally:
        bridge.close()
    _tell(ids, done, yes, as_json, Masking(bridge.settings))


def _each(
    replay: Replay, ids: list[str], *, who: str, why: str, dry_run: bool, anew: bool
) -> Iterator[Replayed]:
    for exchange_id in ids:
        found = replay(exchange_id, who=who, why=why, dry_run=dry_run, anew=anew)
        if found is not None:
            yield found


def _matching(journal: Journal, chosen: dict[str, object], cause: str | None, limit: int) -> list[str]:
    """Ids, the oldest first: what came in first is done first."""
    found: list[Entry] = []
    before: int | None = None
    while True:
        page = journal.list(direction="in", before=before, limit=PAGE, **chosen)  # type: ignore[arg-type]
        found += (entry for entry in page if cause is None or cause in (entry.fault_reason or ""))
        if len(page) < PAGE:
            break
        before = page[-1].id
    return [entry.exchange_id for entry in reversed(found)][:limit]


def _tell(ids: list[str], done: list[Replayed], yes: bool, as_json: bool, masking: Masking) -> NoReturn:
    from bridge.cli.journal import as_text
    from bridge.replay import as_fields

    if done and not as_json:
        table(
            ("exchange", "contract", "operation", "was", "is now" if yes else "would be", "new exchange", ""),
            (
                (
                    one.first.exchange_id,
                    one.first.contract,
                    one.first.operation,
                    one.first.verdict,
                    one.verdict and f"{one.verdict}, duplicate" if one.duplicate_of else one.verdict,
                    one.exchange_id,
                    one.says or _first_line(one.reason),
                )
                for one in done
            ),
        )
        if len(done) == 1 and done[0].reply:
            say("\nreply", "bold")
            say(as_text(masking.answer(done[0].first, done[0].reply)))
        say()
    content = [
        as_fields(one)
        | ({"reply": as_text(masking.answer(one.first, one.reply))} if len(done) == 1 and one.reply else {})
        for one in done
    ]
    well = bool(done) and len(done) == len(ids) and all(one.went_well for one in done)
    finish(_next(ids, done, yes), ok=well, as_json=as_json, content={"dryRun": not yes, "replayed": content})


def _next(ids: list[str], done: list[Replayed], yes: bool) -> str:
    if not ids:
        return "No exchange is like that. What there is: soapbridge journal list"
    if not done:
        return f"There is no exchange {ids[0]}. The newest: soapbridge journal list"
    well = sum(one.went_well for one in done)
    if any(one.duplicate_of for one in done):
        return (
            "What was answered before got that answer again, and nothing was done. To do it all the same and keep the new "
            "answer: --anew"
        )
    if yes:
        left = f" {len(done) - well} ended otherwise, see above." if well < len(done) else ""
        return f"{well} done.{left} What was done by hand: soapbridge deliveries acts"
    if not well:
        return "Nothing was kept. It would not be accepted as it is: mend the cause first."
    return f"Nothing was kept. {well} of {len(done)} would be accepted. To do it: --yes --why …"


def _first_line(text: str | None) -> str:
    return (text or "").partition("\n")[0][:200]
