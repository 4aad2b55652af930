"""`soapbridge deliveries hold`, `release`, `resend`, `expire`, `settle`: one pattern for all.

What is selected is shown first; one is done at once, several only with --yes. Exit status 1 where something was not done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from bridge.cli import selecting
from bridge.cli.bridges import open_bridge
from bridge.cli.output import AsJson, ConfigFile, finish, say, table
from bridge.cli.selecting import (
    As,
    Cause,
    DryRun,
    Ids,
    Key,
    Operation,
    Partner,
    Reference,
    Since,
    States,
    Until,
    Who,
    Why,
    Yes,
)
from bridge.errors import SettingsError

if TYPE_CHECKING:
    from bridge.delivery.acts import Deliveries
    from bridge.delivery.deeds import Deed, Report

Run = Callable[[bool], "Report"]
"""An act, dry or not."""

SHOWN = 50
"""Deeds shown to people; programs get all."""


def _command(verb: str, does: str) -> Callable[..., None]:
    """The command of one act; those that differ in nothing but the act have one signature."""

    def command(
        ids: Ids = None,
        partner: Partner = None,
        key: Key = None,
        operation: Operation = None,
        state: States = None,
        cause: Cause = None,
        reference: Reference = None,
        since: Since = None,
        until: Until = None,
        *,
        who: Who,
        why: Why,
        dry_run: DryRun = False,
        yes: Yes = False,
        as_json: AsJson = False,
        config: ConfigFile = None,
    ) -> None:
        chosen = selecting.selection(
            ids,
            partner=partner,
            key=key,
            operation=operation,
            states=state,
            cause=cause,
            reference=reference,
            since=since,
            until=until,
        )
        with _opened(config) as deliveries:

            def run(dry: bool) -> Report:
                said: dict[str, Any] = {"who": who, "why": why, "dry_run": dry}
                if verb == "resend":
                    said["may_be_done_twice"] = yes or dry
                report: Report = getattr(deliveries, verb)(chosen, **said)
                return report

            _carry_out(run, dry_run, yes, as_json)

    command.__doc__ = does
    return command


COMMANDS = {
    "hold": "Do not send: deliveries that wait; a whole key (--partner, --key); a whole partner (--partner).",
    "release": "Let go: what is held, or waits for its next try; a whole key (--partner, --key); a partner (--partner).",
    "resend": "Send the same bytes again: what was refused, has expired, is in doubt; by id or --state also what was "
    "delivered.",
    "expire": "Give up what is not delivered: it is never sent, and the rest of its key goes on.",
}


def settle(
    ids: Ids = None,
    as_: As = None,
    ask: selecting.Ask = False,
    bridge: selecting.OfBridge = None,
    partner: Partner = None,
    key: Key = None,
    operation: Operation = None,
    cause: Cause = None,
    reference: Reference = None,
    since: Since = None,
    until: Until = None,
    *,
    who: Who,
    why: Why,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Say what became of deliveries in doubt (--as), or have the partner asked (--ask, --bridge MODULE:BRIDGE)."""
    if ask == (as_ is not None):
        raise SettingsError(
            "It is not said what became of it." if not ask else "--ask finds out what --as says.",
            advice="Give --as delivered, refused, expired or not-sent; or --ask.",
        )
    chosen = selecting.selection(
        ids,
        partner=partner,
        key=key,
        operation=operation,
        cause=cause,
        reference=reference,
        since=since,
        until=until,
    )
    if as_ is None:
        made = open_bridge(bridge, config)
        try:
            asked = made.deliveries
            _carry_out(lambda dry: asked.ask(chosen, who=who, why=why, dry_run=dry), dry_run, yes, as_json)
        finally:
            made.close()
    with _opened(config) as deliveries:
        _carry_out(
            lambda dry: deliveries.settle(chosen, as_, who=who, why=why, dry_run=dry), dry_run, yes, as_json
        )


def add_to(app: typer.Typer) -> None:
    """Make them commands of `app`."""
    for verb, does in COMMANDS.items():
        app.command(verb)(_command(verb, does))
    app.command("settle")(settle)


@contextmanager
def _opened(config: str | None) -> Iterator[Deliveries]:
    from bridge.cli.deliveries import opened

    with opened(config) as deliveries:
        yield deliveries


def _carry_out(run: Run, dry_run: bool, yes: bool, as_json: bool) -> NoReturn:
    """Do it, where it is one thing or confirmed; else show what would be done."""
    if dry_run or not yes:
        tried = run(True)
        changes = sum(deed.done for deed in tried.deeds)
        if dry_run or changes > 1:
            _tell(tried, as_json, unconfirmed=not dry_run)
        if not changes:
            _tell(tried, as_json)
    _tell(run(False), as_json)


def _tell(report: Report, as_json: bool, *, unconfirmed: bool = False) -> NoReturn:
    deeds, done, left = report.deeds, report.done, report.left
    if deeds and not as_json:
        table(
            ("delivery", "partner", "key", "before", "after", ""),
            map(_row, [*left[:SHOWN], *done[: max(0, SHOWN - len(left))]]),
        )
        if len(deeds) > SHOWN:
            say(f"… and {len(deeds) - SHOWN} more.")
        say()
    content = {
        "verb": report.verb,
        "dryRun": report.dry_run,
        "done": len(done),
        "left": len(left),
        "deeds": [asdict(deed) for deed in deeds],
    }
    finish(_next(report, unconfirmed), ok=bool(done) and not left, as_json=as_json, content=content)


def _next(report: Report, unconfirmed: bool) -> str:
    done, left = len(report.done), len(report.left)
    risky = any(deed.risky for deed in report.left)
    if not report.deeds:
        return "Nothing was selected. What there is: soapbridge deliveries list"
    if report.dry_run and done:
        doing = f"{_counted(done)} would be {_PAST[report.verb]}, nothing was done yet."
        return f"{doing} To do it: the same command {'with --yes' if unconfirmed or done > 1 else 'without --dry-run'}."
    if not done and risky:
        return "Nothing was done: it may be done twice. Where that is well: the same command with --yes."
    if not done:
        return "Nothing was done. How it stands: soapbridge deliveries show ID"
    rest = f" {_counted(left)} left as they were, see above." if left else ""
    return f"{_counted(done)} {_PAST[report.verb]}.{rest} What was done by hand: soapbridge deliveries acts"


_PAST = {
    "hold": "held",
    "release": "released",
    "resend": "sent again",
    "expire": "given up",
    "settle": "settled",
    "ask": "settled by asking",
}


def _counted(number: int) -> str:
    return "1" if number == 1 else f"{number:,}"


def _row(deed: Deed) -> tuple[object, ...]:
    upon = deed.entry_id or ("the key" if deed.ordering_key else "the partner")
    key = "" if deed.ordering_key == deed.entry_id else deed.ordering_key
    return (upon, deed.partner, key, deed.before, deed.after if deed.done else "not done", deed.says)
