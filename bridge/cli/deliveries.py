"""`soapbridge deliveries`: what leaves for partners; what waits, why, and what was done about it. The acts themselves are in
`deliveries_by_hand`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli import deliveries_by_hand, selecting
from bridge.cli.bridges import open_store
from bridge.cli.output import AsJson, ConfigFile, finish, say, table
from bridge.cli.selecting import Cause, Key, Operation, Partner, Reference, Since, States, Until
from bridge.ids import entry_iri
from bridge.settings import load

if TYPE_CHECKING:
    from bridge.delivery.acts import Deliveries
    from bridge.delivery.gate import GateState
    from bridge.delivery.standing import Situation, Waiting
    from bridge.store.by_hand import Act

app = typer.Typer(
    help="What leaves for partners: see it, hold it, let it go, send it again, give it up, settle it.",
    no_args_is_help=True,
)

Most = Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="At most so many.")]
Before = Annotated[
    int | None, typer.Option("--before", metavar="NUMBER", help="The next page: the last number of this one.")
]


@contextmanager
def opened(config: str | None) -> Iterator[Deliveries]:
    """The deliveries of the store that the settings name."""
    from bridge.delivery.acts import Deliveries

    with open_store(config) as store:
        yield Deliveries(store, load(config))


@app.command("list")
def list_deliveries(
    partner: Partner = None,
    key: Key = None,
    operation: Operation = None,
    state: States = None,
    cause: Cause = None,
    reference: Reference = None,
    since: Since = None,
    until: Until = None,
    open_only: Annotated[bool, typer.Option("--open", help="Only what is not settled.")] = False,
    needs_person: Annotated[
        bool, typer.Option("--needs-person", help="Only what stays as it is until somebody acts.")
    ] = False,
    sort: Annotated[str, typer.Option("--sort", help="newest or oldest first.")] = "newest",
    limit: Most = 20,
    before: Before = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Deliveries that meet every condition, each with why it waits."""
    from bridge.errors import SettingsError

    if sort not in ("newest", "oldest"):
        raise SettingsError(f"There is no order {sort}.", advice="There are newest and oldest.")
    with opened(config) as deliveries:
        found = deliveries.list(
            partner=partner,
            ordering_key=key,
            operation=operation,
            states=selecting.known_states(state),
            cause=cause,
            reference=reference,
            since=selecting.moment("--since", since),
            until=selecting.moment("--until", until),
            open=True if open_only else None,
            needs_person=needs_person,
            before=before,
            limit=limit,
            oldest_first=sort == "oldest",
        )
        held = deliveries.held_partners()
    if found and not as_json:
        table(_COLUMNS, map(_row, found))
        say()
    for one in held if not as_json else ():
        say(f"Nothing leaves for {one.partner}: {one.held_because}", "yellow")
    finish(
        _after_list(found, held, limit, needs_person),
        as_json=as_json,
        content={
            "heldPartners": [{"partner": one.partner, "because": one.held_because} for one in held],
            "deliveries": [_plain(asdict(waiting.entry)) | {"because": waiting.because} for waiting in found],
        },
    )


@app.command("show")
def show(
    entry_id: Annotated[str, typer.Argument(metavar="ID", help="From a list, a log or the partner.")],
    payload: Annotated[
        bool, typer.Option("--payload", help="Also what is sent: it may hold what not everybody may see.")
    ] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """One delivery: attempts, its key, what was done by hand, what happens next, what you can do."""
    entry_id = entry_id.removeprefix(entry_iri(""))
    with opened(config) as deliveries:
        found = deliveries.show(entry_id)
        sent = deliveries.payload(entry_id)
    if found is None:
        finish(
            f"There is no delivery {entry_id}. The newest: soapbridge deliveries list",
            ok=False,
            as_json=as_json,
            content={"delivery": None},
        )
    found, sent = _without_secrets(found, sent, config)
    content = _plain(asdict(found))
    if sent is not None and payload:
        content |= {"headers": sent[0], "payload": sent[1]}
    if not as_json:
        _print(found)
        for name, text in zip(("headers", "payload"), sent or (), strict=False):
            if text and payload:
                say(f"\n{name}", "bold")
                say(text)
        say()
    finish(_advice(found), as_json=as_json, content={"delivery": content})


def _without_secrets(
    found: Situation, sent: tuple[str | None, str] | None, config: str | None
) -> tuple[Situation, tuple[str | None, str] | None]:
    """What may be shown where fields of the partner's messages are declared secret: the reasons may quote them, too."""
    from bridge.cli.masking import Masking
    from bridge.fields.masking import masked_text
    from bridge.settings import load

    if sent is None:
        return found, sent
    shown, secret = Masking(load(config)).document(found.entry.partner, found.entry.operation, sent[1])
    if not secret:
        return found, sent

    def masked(reason: str | None) -> str | None:
        return None if reason is None else masked_text(reason, secret)

    attempts = tuple(replace(one, reason=masked(one.reason)) for one in found.attempts)
    entry = replace(found.entry, reason=masked(found.entry.reason))
    return replace(found, entry=entry, attempts=attempts), (sent[0], shown)


@app.command("acts")
def acts(
    entry_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Only what was done to this delivery.")
    ] = None,
    partner: Partner = None,
    key: Key = None,
    who: Annotated[str | None, typer.Option("--who", help="Only what this person did.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="ISO 8601; without a zone it is UTC.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Before this time.")] = None,
    limit: Most = 20,
    before: Before = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """What was done by hand, newest first: by whom, and why."""
    with opened(config) as deliveries:
        found = deliveries.acts(
            entry_id=entry_id,
            partner=partner,
            ordering_key=key,
            who=who,
            since=selecting.moment("--since", since),
            until=selecting.moment("--until", until),
            before=before,
            limit=limit,
        )
    if found and not as_json:
        table(
            ("number", "at (UTC)", "who", "act", "upon", "before", "after", "why"),
            (
                (act.id, _short(act.at), act.who, act.verb, _upon(act), act.before, act.after, act.why)
                for act in found
            ),
        )
        say()
    if not found:
        next_step = "Nothing was done by hand."
    elif len(found) == limit:
        next_step = f"Older ones: --before {found[-1].id}"
    else:
        next_step = "That is all. One delivery: soapbridge deliveries show ID"
    finish(next_step, as_json=as_json, content={"acts": [_plain(asdict(act)) for act in found]})


deliveries_by_hand.add_to(app)

_COLUMNS = ("number", "put in (UTC)", "partner", "key", "operation", "state", "tries", "id", "cause", "why")


def _row(waiting: Waiting) -> tuple[object, ...]:
    entry = waiting.entry
    return (
        entry.id,
        _short(entry.created_at),
        entry.partner,
        # Its own id, where it was given none.
        "" if entry.ordering_key == entry.entry_id else entry.ordering_key,
        entry.operation,
        entry.state.replace("_", " ") + (", aside" if entry.aside else ""),
        entry.attempts,
        entry.entry_id,
        entry.cause,
        waiting.because or entry.reason,
    )


def _after_list(
    found: tuple[Waiting, ...], held: tuple[GateState, ...], limit: int, needs_person: bool
) -> str:
    if held and (needs_person or not found):
        return f"Once the cause is mended: soapbridge deliveries release --partner {held[0].partner} --why …"
    if not found:
        return "Nothing needs a person." if needs_person else "No delivery is like that."
    if any(waiting.because.endswith("no runner seems to run") for waiting in found):
        return "No runner seems to run: soapbridge up, or soapbridge worker."
    older = f" Further ones: --before {found[-1].entry.id}" if len(found) == limit else ""
    return f"One of them, and what to do: soapbridge deliveries show ID.{older}"


def _print(found: Situation) -> None:
    entry, key = found.entry, found.key
    facts = (
        ("delivery", entry.entry_id),
        ("partner", entry.partner),
        ("operation", entry.operation),
        ("reference", entry.reference),
        ("state", entry.state.replace("_", " ")),
        ("waits because", found.because),
        ("cause", entry.cause),
        ("reason", entry.reason),
        ("put in", _long(entry.created_at)),
        ("settled", entry.settled_at and _long(entry.settled_at)),
        ("attempts", entry.attempts),
        ("asked about", entry.asked or None),
        ("came from exchange", entry.exchange_id),
        ("ordering key", f"{entry.ordering_key}, number {entry.seq} in it"),
        ("its key is", key and _key_text(found)),
        ("its partner's circuit", found.gate and found.gate.circuit.replace("_", " ")),
    )
    table(("", ""), ((name, value) for name, value in facts if value not in (None, "")))
    _section(
        "attempts",
        ("number", "began (UTC)", "ended", "decision", "outcome", "exchange", "by", "reason"),
        [
            (
                one.number,
                _short(one.started_at),
                one.ended_at and _short(one.ended_at),
                one.decision,
                one.outcome or "not known",
                one.exchange_id,
                one.owner,
                one.reason,
            )
            for one in found.attempts
        ],
    )
    _section(
        "its key",
        ("number in key", "id", "operation", "state", "reference"),
        [(one.seq, one.entry_id, one.operation, one.state, one.reference) for one in found.neighbours],
    )
    _section(
        "by hand",
        ("at (UTC)", "who", "act", "before", "after", "why"),
        [(_short(act.at), act.who, act.verb, act.before, act.after, act.why) for act in found.acts],
    )
    _section("what you can do", ("when", "command"), list(found.commands))


def _section(title: str, columns: tuple[str, ...], rows: list[Any]) -> None:
    if rows:
        say(f"\n{title}", "bold")
        table(columns, rows)


def _key_text(found: Situation) -> str:
    key = found.key
    assert key is not None
    text = f"{key.state}: {key.held_because}" if key.held_because else key.state
    return f"{text}, drained by {key.lease_owner}" if key.lease_owner else text


def _advice(found: Situation) -> str:
    exchanges = [one.exchange_id for one in found.attempts]
    seen = f" Its last attempt: soapbridge journal show {exchanges[-1]}" if exchanges else ""
    return f"Next: {found.next}{seen}"


def _upon(act: Act) -> str:
    if act.entry_id is not None:
        return act.entry_id
    if act.verb in ("replay", "unmask"):
        return f"exchange {act.exchange_id}"
    return f"key {act.ordering_key} of {act.partner}" if act.ordering_key else f"partner {act.partner}"


def _plain(content: Any) -> Any:
    """Moments as ISO 8601."""
    if isinstance(content, dict):
        return {name: _plain(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    return content.isoformat() if isinstance(content, datetime) else content


def _short(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _long(at: datetime) -> str:
    return f"{at.astimezone(UTC).isoformat(sep=' ', timespec='milliseconds')}"
