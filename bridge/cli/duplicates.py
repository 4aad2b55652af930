"""`soapbridge duplicates`: requests whose answer nobody knows, and settling them."""

from __future__ import annotations

import getpass
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.bridges import Target, open_bridge, open_store
from bridge.cli.output import AsJson, ConfigFile, finish, say, table
from bridge.errors import SettingsError
from bridge.settings import load

if TYPE_CHECKING:
    from bridge.app import Bridge
    from bridge.audit import Notes
    from bridge.contract import Operation
    from bridge.store import Store
    from bridge.store.idempotency import Record

app = typer.Typer(
    help="Requests that called another system and ended without an answer: list and settle them.",
    no_args_is_help=True,
)

Number = Annotated[int, typer.Argument(metavar="NUMBER", help="From `duplicates list` or the log.")]
Running = Annotated[
    bool, typer.Option("--running", help="Also one that still runs: only when its process is gone.")
]


@app.command("list")
def list_unanswered(
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=10_000, help="At most so many, the oldest.")
    ] = 50,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Requests that are running or in doubt. Those answered are in the journal."""
    from bridge.store import idempotency

    with open_store(config) as store, store.reading() as session:
        found = idempotency.unanswered(session, limit=limit)
    if found and not as_json:
        table(
            ("number", "since (UTC)", "contract", "operation", "partner", "state", "request id", "exchange"),
            (
                (
                    record.id,
                    f"{record.first_used.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
                    record.contract,
                    record.operation,
                    record.partner,
                    record.state.replace("_", " "),
                    record.idempotency_key,
                    record.exchange_id,
                )
                for record in found
            ),
        )
        say()
    next_step = "To settle one: soapbridge duplicates show NUMBER" if found else "No request is in doubt."
    finish(next_step, as_json=as_json, content={"requests": [_as_json(record) for record in found]})


@app.command("show")
def show(number: Number, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """One request, and how to settle it."""
    with open_store(config) as store:
        record = _record(store, number)
    if not as_json:
        table(("", ""), ((name, value) for name, value in _as_json(record).items() if value is not None))
        say()
    if record.state == "answered":
        finish(
            "It was answered; a repeat gets the same answer.",
            as_json=as_json,
            content={"request": _as_json(record)},
        )
    finish(
        f"The request itself: soapbridge journal show {record.exchange_id}. If it was not done over there: soapbridge "
        f"duplicates free {number}. If it was: soapbridge duplicates answer {number} --payload FILE",
        as_json=as_json,
        content={"request": _as_json(record)},
    )


@app.command("free")
def free(
    number: Number,
    running: Running = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """It was not done: the next repeat is done like a new request."""
    from bridge.audit import follow
    from bridge.store import idempotency

    with open_store(config) as store:
        with store.transaction() as transaction:
            record = _unsettled(idempotency.by_id(transaction.session, number), number, running)
            if not idempotency.free(transaction.session, number):
                raise _answered(number)
        _note(follow(store, load(config)), record, "duplicate_freed")
    finish(
        f"The next request {record.idempotency_key} to {record.operation} is done.",
        as_json=as_json,
        content={"request": _as_json(record)},
    )


@app.command("answer")
def answer(
    number: Number,
    payload: Annotated[
        Path, typer.Option("--payload", exists=True, dir_okay=False, help="The reply's payload, an XML file.")
    ],
    target: Target = None,
    running: Running = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """It was done: repeats get this answer. Your bridge's contract, by MODULE:BRIDGE, checks it."""
    from bridge.store import idempotency

    bridge = open_bridge(target, config)
    store = bridge.store
    assert store is not None
    try:
        record = _unsettled(_record(store, number), number, running)
        text = _checked(bridge, record, payload)
        with store.transaction() as transaction:
            _unsettled(idempotency.by_id(transaction.session, number), number, running)
            if not idempotency.keep_answer(transaction.session, number, answer=text):
                raise _answered(number)
        _note(bridge.audit, record, "duplicate_answered")
    finally:
        bridge.close()
    finish(
        f"Every repeat of the request {record.idempotency_key} to {record.operation} gets this answer.",
        as_json=as_json,
        content={"request": _as_json(record)},
    )


def _note(notes: Notes, record: Record, event: str) -> None:
    about = {"number": record.id, "operation": record.operation}
    notes.note(event, who=getpass.getuser(), subject=record.exchange_id, outcome="done", about=about)


def _checked(bridge: Bridge, record: Record, file: Path) -> str:
    """The payload as text of its own. Raises InvalidMessage where it is not what the operation answers."""
    from lxml import etree

    from bridge.soap.xml import parse

    operation, guard = _operation(bridge, record)
    if operation.output is None:
        raise SettingsError(f"{operation.name} answers nothing.", advice="Free the request instead.")
    root, source = parse(file.read_bytes(), charset=None, limits=bridge.settings.limits)
    guard.check(operation.output, root, source=source, what="reply")
    return etree.tostring(root, encoding="unicode", with_tail=False)


def _operation(bridge: Bridge, record: Record) -> tuple[Operation, Any]:
    service = bridge.services.get(f"/services/{record.contract}")
    operation = None if service is None else service.contract.operations.get(record.operation)
    if service is None or operation is None:
        raise SettingsError(
            f"This bridge does not answer {record.operation} of {record.contract}.",
            advice="Name the one that does: soapbridge duplicates answer ... service:bridge",
        )
    return operation, service.contract.guard


def _unsettled(record: Record | None, number: int, running: bool) -> Record:
    if record is None:
        raise SettingsError(f"There is no request {number}.", advice="soapbridge duplicates list shows them.")
    if record.state == "answered":
        raise _answered(number)
    if record.state == "running" and not running:
        raise SettingsError(
            f"The request {number} may still be running.",
            advice="Wait until it is in doubt, or say --running if its process is gone.",
        )
    return record


def _answered(number: int) -> SettingsError:
    return SettingsError(f"The request {number} was answered.", advice="An answer that was given stands.")


def _record(store: Store, number: int) -> Record:
    from bridge.store import idempotency

    with store.reading() as session:
        record = idempotency.by_id(session, number)
    if record is None:
        raise SettingsError(f"There is no request {number}.", advice="soapbridge duplicates list shows them.")
    return record


def _as_json(record: Record) -> dict[str, Any]:
    return {
        "number": record.id,
        "state": record.state,
        "since": record.first_used.isoformat(),
        "partner": record.partner or None,
        "contract": record.contract,
        "operation": record.operation,
        "requestId": record.idempotency_key,
        "exchange": record.exchange_id,
    }
