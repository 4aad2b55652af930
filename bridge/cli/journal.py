"""`soapbridge journal`: what came in and went out, with verdict, violations and envelopes."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bridge.cli.bridges import open_store
from bridge.cli.output import AsJson, ConfigFile, finish, say, table
from bridge.cli.replay import replay
from bridge.cli.selecting import Who, moment
from bridge.errors import SettingsError

if TYPE_CHECKING:
    from bridge.cli.masking import Masking
    from bridge.store import Entry, Store

app = typer.Typer(help="Read the journal: every envelope in and out with its verdict.", no_args_is_help=True)
app.command("replay")(replay)

Most = Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="At most so many, the newest.")]
Before = Annotated[
    int | None, typer.Option("--before", metavar="NUMBER", help="The next page: the last number of this one.")
]


@app.command("list")
def list_entries(
    contract: Annotated[str | None, typer.Option("--contract", help="Only this contract.")] = None,
    operation: Annotated[str | None, typer.Option("--operation", help="Only this operation.")] = None,
    verdict: Annotated[
        list[str] | None,
        typer.Option(
            "--verdict",
            help="accepted, refused, invalid_request, invalid_reply, fault or failed; repeatable.",
        ),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="ISO 8601; without a zone it is UTC.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Before this time.")] = None,
    reference: Annotated[
        str | None, typer.Option("--reference", help="The business document's number.")
    ] = None,
    partner: Annotated[
        str | None, typer.Option("--partner", help="Only exchanges with this partner.")
    ] = None,
    way: Annotated[
        Literal["in", "out"] | None, typer.Option("--way", help="Only what came in, or only what we called.")
    ] = None,
    limit: Most = 20,
    before: Before = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """The newest exchanges, those that meet every condition."""
    masking = _masking(config)
    with open_store(config) as store:
        found = store.journal.list(
            contract=contract,
            operation=operation,
            verdicts=verdicts(verdict or []),
            reference=reference,
            partner=partner,
            direction=way,
            since=moment("--since", since),
            until=moment("--until", until),
            before=before,
            limit=limit,
        )
    _answer(tuple(map(masking.exchange, found)), limit, as_json)


@app.command("find")
def find(
    text: Annotated[
        str, typer.Argument(help="Part of an id, a number, a fault, a violation, or of an envelope.")
    ],
    limit: Most = 20,
    before: Before = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Exchanges that hold a text. In envelopes it is found with exact case; may read the whole journal."""
    masking = _masking(config)
    with open_store(config) as store:
        found = store.journal.find(text, before=before, limit=limit)
    if not found:
        finish("Nothing holds this text.", ok=False, as_json=as_json, content={"exchanges": []})
    _answer(tuple(map(masking.exchange, found)), limit, as_json)


@app.command("show")
def show(
    exchange_id: Annotated[
        str, typer.Argument(metavar="ID", help="From X-Exchange-Id, a fault, a log or a list.")
    ],
    unmask: Annotated[
        bool,
        typer.Option("--unmask", help="Also fields that are declared secret. Who does it and why is kept."),
    ] = False,
    why: Annotated[str, typer.Option("--why", help="Why; written down. Needed with --unmask.")] = "",
    *,
    who: Who,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """One exchange with its envelopes. Fields that the settings declare secret are `***`."""
    if unmask and not why.strip():
        raise SettingsError("It is not said why.", advice="Give --why: it is written down.")
    masking = _masking(config)
    with open_store(config) as store:
        entry = store.journal.show(exchange_id)
        if entry is not None and unmask:
            _write_down(store, entry, who, why)  # before anything is shown
        elif entry is not None:
            entry = masking.exchange(entry)
    if entry is None:
        finish(
            f"There is no exchange {exchange_id}. The newest: soapbridge journal list",
            ok=False,
            as_json=as_json,
            content={"exchange": None},
        )
    if not as_json:
        _print(entry)
    finish(_advice(entry), as_json=as_json, content={"exchange": _as_json(entry, whole=True)})


def _masking(config: str | None) -> Masking:
    from bridge.cli.masking import Masking
    from bridge.settings import load

    return Masking(load(config))


def _write_down(store: Store, entry: Entry, who: str, why: str) -> None:
    """That somebody sees what is secret: kept with what people do by hand, which is never removed."""
    from bridge.store import by_hand, deliveries
    from bridge.store.by_hand import NewAct
    from bridge.store.clock import stored

    with store.transaction() as transaction:
        session = transaction.session
        at = stored(deliveries.now(session))
        by_hand.record(
            session,
            NewAct(at, who, why.strip(), "unmask", partner=entry.partner, exchange_id=entry.exchange_id),
        )


_COLUMNS = (
    "number",
    "began (UTC)",
    "way",
    "partner",
    "contract",
    "operation",
    "verdict",
    "HTTP",
    "ms",
    "exchange",
)


def _answer(found: tuple[Entry, ...], limit: int, as_json: bool) -> None:
    if found and not as_json:
        table(
            _COLUMNS,
            (
                (
                    entry.id,
                    entry.received_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
                    entry.direction,
                    entry.partner,
                    entry.contract,
                    entry.operation,
                    f"{entry.verdict}, duplicate" if entry.duplicate_of else entry.verdict,
                    entry.http_status,
                    f"{entry.duration_us / 1000:.1f}",
                    entry.exchange_id,
                )
                for entry in found
            ),
        )
        say()
    if not found:
        next_step = "The journal has nothing like that."
    elif len(found) == limit:
        next_step = f"More: the same with --before {found[-1].id}. One of them: soapbridge journal show ID"
    else:
        next_step = "One of them with its envelopes: soapbridge journal show ID"
    finish(next_step, as_json=as_json, content={"exchanges": [_as_json(entry) for entry in found]})


def _print(entry: Entry) -> None:
    facts = (
        ("exchange", entry.exchange_id),
        ("received", f"{entry.received_at.astimezone(UTC).isoformat(sep=' ', timespec='milliseconds')}"),
        ("took", f"{entry.duration_us / 1000:.1f} ms"),
        ("direction", entry.direction),
        ("operation", " ".join(part for part in (entry.contract, entry.operation) if part)),
        ("SOAP", entry.soap_version),
        ("partner", entry.partner),
        ("to" if entry.direction == "out" else "from", entry.remote),
        ("reference", entry.reference),
        ("duplicate of", entry.duplicate_of),
        ("verdict", entry.verdict),
        ("HTTP status", entry.http_status),
        ("fault", entry.fault_code),
        ("reason", entry.fault_reason),
    )
    table(("", ""), ((name, value) for name, value in facts if value not in (None, "")))
    if entry.violations:
        say(f"\n{entry.violation_count} violations", "bold")
        for violation in entry.violations:
            say(f"  {violation.get('path', '')}: {violation.get('message', '')}")
    for name, envelope, size in (
        ("request", entry.request, entry.request_size),
        ("reply", entry.reply, entry.reply_size),
    ):
        say(f"\n{name}" + (f", {size} bytes" if size is not None else ", not kept"), "bold")
        if envelope:
            say(as_text(envelope))
    say()


def as_text(envelope: bytes) -> str:
    """Bytes from the wire as a terminal can take them: decoded as they say, control characters made visible."""
    from bridge.errors import Refusal
    from bridge.soap.charset import to_utf8

    try:
        text = to_utf8(envelope, None).decode("utf-8")
    except Refusal:
        text = envelope.decode("utf-8", "backslashreplace")
    return "".join(
        one if one.isprintable() or one in "\n\t" else f"\\x{ord(one):02x}"
        for one in text.replace("\r\n", "\n")
    )


def _advice(entry: Entry) -> str:
    if entry.direction == "out":
        return _advice_on_call(entry)
    match entry.verdict:
        case "refused" | "invalid_request":
            return "The sender mends the request and sends it again."
        case "invalid_reply" | "failed":
            return (
                "Ours to mend: nothing of this exchange was kept, so the sender may repeat it unchanged. With today's code: "
                f"soapbridge journal replay {entry.exchange_id}"
            )
        case "fault":
            return "Answered with a fault that the contract declares: the sender decides."
        case _ if entry.duplicate_of:
            return f"A duplicate: it got the answer of {entry.duplicate_of}, and nothing was done again."
        case _:
            return "Accepted and stored."


def _advice_on_call(entry: Entry) -> str:
    """Of an exchange that we began; docs/partners.md has the outcomes."""
    match entry.verdict:
        case "accepted":
            return "Done by the partner."
        case "invalid_request":
            return "Nothing was sent: correct the values."
        case "invalid_reply":
            return "The partner did it, and its reply breaks the contract: never repeat it."
        case "fault" | "refused":
            return "The partner's verdict: correct the request."
        case _ if entry.fault_code == "InDoubt":
            return "It may have been done or not: ask the partner, by the exchange's id where it keeps that."
        case _:
            return "Nothing was done by the partner: safe to repeat once the cause has passed."


def _as_json(entry: Entry, *, whole: bool = False) -> dict[str, Any]:
    import dataclasses

    content = dataclasses.asdict(entry)
    request, reply = content.pop("request"), content.pop("reply")
    content["received_at"] = entry.received_at.isoformat()
    if whole:
        content |= {"request": request and as_text(request), "reply": reply and as_text(reply)}
    return content


def verdicts(given: list[str]) -> list[Any]:
    """Raises SettingsError for one that there is not."""
    from typing import get_args

    from bridge.store import Verdict

    known = get_args(Verdict)
    wrong = [one for one in given if one not in known]
    if wrong:
        raise SettingsError(f"There is no verdict {wrong[0]}.", advice=f"There are {', '.join(known)}.")
    return given
