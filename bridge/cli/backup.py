"""`soapbridge backup`: a copy of the store while others write, which copies there are, and whether one can be used."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.output import AsJson, ConfigFile, finish, say, table
from bridge.errors import SettingsError
from bridge.settings import Settings, load

if TYPE_CHECKING:
    from bridge.backup import Backups

app = typer.Typer(
    help="Copy the store into one encrypted file, while others write; list and verify such files.",
    invoke_without_command=True,
)

File = Annotated[
    str, typer.Argument(metavar="FILE", help="A backup, or `latest`: the newest in `backup.folder`.")
]
KeyFile = Annotated[
    str | None,
    typer.Option(
        "--key-file",
        metavar="FILE",
        help="The key it was encrypted with, where that is not the one in the settings.",
    ),
]
Plain = Annotated[bool, typer.Option("--plain", help="One that is not encrypted will do.")]


@app.callback()
def make(
    context: typer.Context,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="FILE", help="A file to make, instead of one in `backup.folder`."),
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Without encryption where there is no key.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Copy the store into one encrypted file, while others write; list and verify such files."""
    if context.invoked_subcommand is not None:
        return
    from bridge.backup.container import as_json as shown

    with open_backups(config) as (backups, _):
        made = backups.make(None if to is None else Path(to), who=getpass.getuser(), plain=plain or None)
    rows = sum(made.summary.rows.values())
    size = made.file.stat().st_size
    if not as_json:
        say(f"{made.file}: {rows} rows of {len(made.summary.rows)} tables, {size / 1e6:.1f} MB.")
        for gone in made.removed:
            say(f"no longer kept: {gone.name}", "dim")
        if not made.header.key_id:
            say("It is not encrypted: whoever has it has every message.", "yellow")
    content = {"file": made.file, "size": size, "removed": made.removed, **shown(made.header, made.summary)}
    finish(
        f"To see that it can be used: soapbridge backup verify {made.file}", as_json=as_json, content=content
    )


@app.command("list")
def list_backups(as_json: AsJson = False, config: ConfigFile = None) -> None:
    """The backups in `backup.folder`, newest first."""
    from bridge.backup import listing

    folder = _folder(load(config))
    kept = listing(folder)
    if not as_json:
        table(
            ("file", "made (UTC)", "MB"),
            ((one.file.name, f"{one.made_at:%Y-%m-%d %H:%M:%S}", f"{one.bytes / 1e6:.1f}") for one in kept),
        )
        say()
    finish(
        "To see that one can be used: soapbridge backup verify latest"
        if kept
        else f"There are none in {folder}: soapbridge backup",
        as_json=as_json,
        content={
            "folder": folder,
            "backups": [
                {"file": one.file, "made_at": one.made_at.astimezone(UTC).isoformat(), "size": one.bytes}
                for one in kept
            ],
        },
    )


@app.command("verify")
def verify(
    file: File = "latest",
    key_file: KeyFile = None,
    plain: Plain = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Read a backup to its end: nothing was changed or cut off, the key fits, and the database's own tools can read it."""
    from bridge.backup import read_key
    from bridge.backup.container import as_json as shown
    from bridge.errors import StoreError

    with open_backups(config) as (backups, settings):
        named = named_backup(file, settings)
        try:
            checked = backups.verify(
                named, key=None if key_file is None else read_key(Path(key_file)), plain=plain or None
            )
        except StoreError as error:
            finish(str(error), ok=False, as_json=as_json, content={"file": named, "mistake": str(error)})
    header, summary = checked.header, checked.summary
    if not as_json:
        say(
            f"{named.name}: {sum(summary.rows.values())} rows of {len(summary.rows)} tables, made {header.made_at}."
        )
        if not checked.in_full:
            say(
                "Every byte is as it was written. PostgreSQL's pg_restore is not here, and has not read it.",
                "yellow",
            )
    finish(
        f"It can be used: soapbridge restore {named}",
        as_json=as_json,
        content={"file": named, "in_full": checked.in_full, **shown(header, summary)},
    )


def named_backup(file: str, settings: Settings) -> Path:
    """The file that a person named: `latest`, a path, or a name in the folder."""
    from bridge.backup import listing

    if file == "latest":
        kept = listing(_folder(settings))
        if not kept:
            raise SettingsError(f"There is no backup in {settings.backup.folder}.", advice="Name the file.")
        return kept[0].file
    path, folder = Path(file), settings.backup.folder
    return folder / file if not path.exists() and folder is not None and (folder / file).exists() else path


@contextmanager
def open_backups(config: str | None) -> Iterator[tuple[Backups, Settings]]:
    """Backups of the store that the settings name; whether it is there is seen when something is done."""
    from bridge.audit import follow
    from bridge.backup import Backups
    from bridge.store import Store

    settings = load(config)
    store = Store(settings.store_url, wait=settings.store.wait)
    try:
        yield Backups(store, settings, notes=follow(store, settings)), settings
    finally:
        store.close()


def _folder(settings: Settings) -> Path:
    if settings.backup.folder is None:
        raise SettingsError(
            "It is not said where backups are kept.", advice="Set backup.folder, or name the file."
        )
    return settings.backup.folder


def at(moment: str) -> str:
    """A header's time, for people."""
    return f"{datetime.fromisoformat(moment).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
