"""`soapbridge credentials`: what callers prove who they are with."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.output import AsJson, ConfigFile, finish, say, table
from bridge.errors import SettingsError

if TYPE_CHECKING:
    from bridge.access.issuing import Issuing
    from bridge.store.credentials import CredentialRow

app = typer.Typer(
    help="API keys and passwords of callers: make, list, revoke. They count in all processes within seconds.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(metavar="CALLER", help="A caller of the settings: `[callers.CALLER]`.")]


@app.command("add")
def add(
    caller: Name,
    password: Annotated[
        bool, typer.Option("--password", help="A password for HTTP Basic instead of an API key.")
    ] = False,
    wss_password: Annotated[
        bool,
        typer.Option("--wss-password", help="A password for WS-Security's digest; needs at_rest.key_file."),
    ] = False,
    file: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="FILE", help="Read the password's line from a file; - is standard input."
        ),
    ] = None,
    days: Annotated[
        float | None, typer.Option("--days", min=0.001, max=36_500, help="It holds so long; else for ever.")
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Make an API key, which is shown once and never again; or keep a password, which is asked for."""
    if password and wss_password:
        raise SettingsError("Two kinds were asked for.", advice="Give --password or --wss-password.")
    if file is not None and not (password or wss_password):
        raise SettingsError(
            "An API key is made up, not read.", advice="Give --password or --wss-password with --from."
        )
    lasts = None if days is None else timedelta(days=days)
    with issuing(config) as issued:
        content: dict[str, Any] = {"caller": caller}
        if not (password or wss_password):
            content["id"], content["apiKey"] = issued.api_key(caller, lasts=lasts)
            next_step = _how_to_use(content["apiKey"], as_json=as_json)
        else:
            given = _read_password(file)
            keep = issued.password if password else issued.wss_password
            content["id"] = keep(caller, given, lasts=lasts)
            next_step = f"Kept as number {content['id']}. To take it back: soapbridge credentials revoke {content['id']}"
    finish(next_step, as_json=as_json, content=content)


@app.command("list")
def list_credentials(
    caller: Annotated[str | None, typer.Argument(metavar="[CALLER]", help="Only those of this one.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also those revoked.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """What there is, by number; never the secrets, which nobody can see."""
    with issuing(config) as issued:
        found = issued.of(caller, revoked=every)
    now = datetime.now(UTC)
    if found and not as_json:
        table(
            ("number", "caller", "kind", "made (UTC)", "holds until (UTC)", ""),
            (
                (
                    one.id,
                    one.caller,
                    WORDS[one.kind],
                    _day(one.created_at),
                    _day(one.expires_at),
                    one.state(now),
                )
                for one in found
            ),
        )
        say()
    next_step = "To take one back: soapbridge credentials revoke NUMBER"
    if not found:
        next_step = "There are none. To make an API key: soapbridge credentials add CALLER"
    finish(next_step, as_json=as_json, content={"credentials": [_as_json(one, now) for one in found]})


@app.command("revoke")
def revoke(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="From `credentials list`.")],
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """It is worth nothing from now on, in all processes within seconds."""
    with issuing(config) as issued:
        gone = issued.revoke(number)
    finish(
        f"The {WORDS[gone.kind]} {number} of {gone.caller} lets nobody in any more, everywhere within five seconds.",
        as_json=as_json,
        content={"credential": _as_json(gone, datetime.now(UTC))},
    )


WORDS = {"api_key": "API key", "password": "password", "wss_password": "WS-Security password"}


@contextmanager
def issuing(config: str | None) -> Iterator[Issuing]:
    from bridge.access.issuing import Issuing
    from bridge.app import Bridge
    from bridge.settings import load

    bridge = Bridge(load(config))
    store = bridge.store
    assert store is not None
    try:
        yield Issuing(store, bridge.settings, who=getpass.getuser(), notes=bridge.audit)
    finally:
        store.close()


def _how_to_use(api_key: str, *, as_json: bool) -> str:
    if as_json:
        return "Send it in the HTTP header X-API-Key. It is not shown again."
    say(api_key, "bold")
    say()
    return f"It is not shown again. Send it with every request: curl -H 'X-API-Key: {api_key[:8]}…'"


def _read_password(file: str | None) -> str:
    """From a file, standard input or the terminal; never from the command line, which others see."""
    if file is None and sys.stdin.isatty():
        first = getpass.getpass("Password: ")
        if getpass.getpass("Again: ") != first:
            raise SettingsError("The two are not the same.", advice="Nothing was kept; try again.")
        return first
    try:
        text = sys.stdin.read() if file in (None, "-") else Path(file or "").read_text("utf-8")
    except OSError as error:
        raise SettingsError(
            f"{file} cannot be read: {error.strerror or error}.", advice="Name another file."
        ) from None
    lines = text.splitlines()
    if len(lines) != 1:
        raise SettingsError(f"One line was expected, and there are {len(lines)}.", advice="Nothing was kept.")
    return lines[0]


def _day(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def _as_json(one: CredentialRow, now: datetime) -> dict[str, Any]:
    return {
        "id": one.id,
        "caller": one.caller,
        "kind": one.kind,
        "state": one.state(now),
        "createdAt": one.created_at.isoformat(),
        "expiresAt": None if one.expires_at is None else one.expires_at.isoformat(),
        "revokedAt": None if one.revoked_at is None else one.revoked_at.isoformat(),
    }
