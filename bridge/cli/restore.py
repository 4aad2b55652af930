"""`soapbridge restore`: a backup in the place of the store that the settings name."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.backup import File, KeyFile, Plain, at, named_backup, open_backups
from bridge.cli.output import AsJson, ConfigFile, finish, say


def restore(
    file: File,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="What is in the store may go; an SQLite file is kept under another name."
        ),
    ] = False,
    migrate: Annotated[
        bool, typer.Option("--migrate", help="Upgrade an older schema after it was put back.")
    ] = False,
    no_hold: Annotated[
        bool,
        typer.Option(
            "--no-hold", help="Let open documents leave for partners at once: nothing left after the backup."
        ),
    ] = False,
    key_file: KeyFile = None,
    plain: Plain = False,
    who: Annotated[
        str, typer.Option("--who", help="For the record; the user of this machine, if not given.")
    ] = "",
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Put a backup in the place of the store, all of it or nothing. Stop what serves first. A store that is not empty is left as it is."""
    from bridge.backup import read_key
    from bridge.backup.container import as_json as shown

    with open_backups(config) as (backups, settings):
        restored = backups.restore(
            named_backup(file, settings),
            key=None if key_file is None else read_key(Path(key_file)),
            plain=plain or None,
            overwrite=overwrite,
            migrate=migrate,
            hold=not no_hold,
            who=who.strip() or getpass.getuser(),
        )
    if not as_json:
        rows = restored.summary.rows
        say(f"{sum(rows.values())} rows of {len(rows)} tables, as they were {at(restored.header.made_at)}.")
        if restored.migrated_from:
            say(f"Upgraded from revision {restored.migrated_from}.")
        if restored.kept:
            say(f"What was there before is in {restored.kept}; remove it when you are sure.")
        if restored.held:
            say(
                "Held, because nobody here knows what they got since: "
                + ", ".join(restored.held)
                + ". Ask them, settle what they "
                "have, then: soapbridge deliveries release --partner NAME --why TEXT",
                "yellow",
            )
    finish(
        "Next: soapbridge check, then soapbridge up",
        as_json=as_json,
        content={
            "kept": restored.kept,
            "held": restored.held,
            "migrated_from": restored.migrated_from,
            **shown(restored.header, restored.summary),
        },
    )
