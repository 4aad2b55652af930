"""The command `soapbridge`.

Every command has `--json` where a program may read it, ends non-zero when what it checked is wrong, and says
last what to do next. Exit status: 0 well, 1 what was checked is wrong, 2 the command could not be carried out.

A module of this package is imported when its command is given, and the engine when the command needs it: to import all of them,
and to have typer read all their parameters, takes as long as making a project.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Annotated, Any, Final

import typer

from bridge.errors import BridgeError

MODULES: Final = {
    "up": "up",
    "serve": "serve",
    "worker": "worker",
    "init": "init",
    "check": "check",
    "validate": "validate",
    "sample": "sample",
    "mock": "mock",
    "demo": "demo",
    "call": "call",
    "map": "map",
    "handover": "handover",
    "migrate": "store",
    "settings": "settings",
    "contract": "contract",
    "callers": "callers",
    "credentials": "credentials",
    "journal": "journal",
    "duplicates": "duplicates",
    "deliveries": "deliveries",
    "schedules": "schedules",
    "staging": "staging",
    "columns": "columns",
    "flows": "flows",
    "reconcile": "reconcile",
    "retention": "retention",
    "certs": "certs",
    "backup": "backup",
    "restore": "restore",
    "keys": "keys",
    "audit": "audit",
}
"""Where each command is, in the order of `--help`. A module with an `app` has commands of its own."""


def commands(only: str | None = None) -> typer.Typer:
    """The command line with all commands; with `only` that one, where there is one of that name."""
    made = typer.Typer(
        name="soapbridge",
        help="Stands between a CRM and an ERP that speak SOAP: hosts contracts, validates every message, explains refusals.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    made.callback()(_options)
    for name in [only] if only in MODULES else MODULES:
        module = import_module(f"bridge.cli.{MODULES[name]}")
        if hasattr(module, "app"):
            made.add_typer(module.app, name=name)
        else:
            made.command(name)(getattr(module, name))
    return made


def __getattr__(name: str) -> Any:
    """`app`: the whole command line, made when somebody asks for it."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()["app"] = made = commands()
    return made


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"soapbridge {version('soapbridge')}")
        except PackageNotFoundError:
            typer.echo("soapbridge, run from its sources without being installed")
        raise typer.Exit


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
        commands(only=sys.argv[1] if len(sys.argv) > 1 else None)()
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
