"""The command `soapbridge`.

Every command has `--json` where a program may read it, ends non-zero when what it checked is wrong, and says
last what to do next. Exit status: 0 well, 1 what was checked is wrong, 2 the command could not be carried out.

The modules here import only typer and settings at their top, so that `--help` is quick; the engine is imported
by the command that needs it.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from bridge.cli import (
    call,
    check,
    contract,
    demo,
    duplicates,
    handover,
    init,
    journal,
    mock,
    sample,
    serve,
    settings,
    store,
    validate,
)
from bridge.errors import BridgeError

app = typer.Typer(
    name="soapbridge",
    help="Stands between a CRM and an ERP that speak SOAP: hosts contracts, validates every message, explains refusals.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("serve")(serve.serve)
app.command("init")(init.init)
app.command("check")(check.check)
app.command("validate")(validate.validate)
app.command("sample")(sample.sample)
app.command("mock")(mock.mock)
app.command("demo")(demo.demo)
app.command("call")(call.call)
app.command("handover")(handover.handover)
app.add_typer(contract.app, name="contract")
app.add_typer(journal.app, name="journal")
app.add_typer(duplicates.app, name="duplicates")
app.command("migrate")(store.migrate)
app.command("settings")(settings.settings)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"soapbridge {version('soapbridge')}")
        except PackageNotFoundError:
            typer.echo("soapbridge, run from its sources without being installed")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options before the command."""


def main() -> None:
    """Entry point of the console script."""
    _append_working_folder()
    try:
        app()
    except BridgeError as error:
        typer.echo(f"soapbridge: {error}", err=True)
        raise SystemExit(2) from None


def _append_working_folder() -> None:
    """Lets `serve service:bridge` find ./service.py, after everything else: a user's bridge.py shadows nothing.

    `python -m bridge` puts the folder in front; then it moves to the end.
    """
    here = os.getcwd()  # noqa: PTH109 - sys.path holds text
    if sys.path and sys.path[0] in ("", here):
        del sys.path[0]
    if here not in sys.path:
        sys.path.append(here)
