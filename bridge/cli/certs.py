"""`soapbridge certs`: certificates to develop with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.output import AsJson, finish, say, writing


def certs(
    client: Annotated[
        list[str] | None,
        typer.Option(
            "--client",
            metavar="NAME",
            help="Make one for a client of this name too; may be given several times.",
        ),
    ] = None,
    host: Annotated[
        list[str] | None,
        typer.Option(
            "--host",
            metavar="NAME",
            help="A name or address that clients reach the bridge by, beside localhost.",
        ),
    ] = None,
    folder: Annotated[Path, typer.Option("--folder", help="Where they are kept.")] = Path("certs"),
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="How long they are valid.")] = 365,
    as_json: AsJson = False,
) -> None:
    """Make an authority to develop with, and certificates for the bridge and its clients. What is there already stays."""
    from bridge.access.development import Authority

    with writing(folder):
        authority = Authority(folder)
        server = authority.server(host or (), days=days)
        clients = {name: authority.client(name, days=days) for name in client or ()}
    settings = _settings(server, clients)
    if not as_json:
        for file in authority.made:
            say(f"made {file}")
        say("\nFor bridge.toml:\n", "bold")
        say(settings)
    next_step = (
        f"Clients trust {folder / 'ca.pem'}: curl --cacert {folder / 'ca.pem'} …  These are for development: nobody guards their keys."
        if authority.made
        else "Everything was there already; nothing was written."
    )
    content = {
        "folder": str(folder),
        "made": [str(file) for file in authority.made],
        "authority": str(folder / "ca.pem"),
        "server": str(server),
        "clients": {name: str(file) for name, file in clients.items()},
        "settings": settings,
    }
    finish(next_step, as_json=as_json, content=content)


def _settings(server: Path, clients: dict[str, Path]) -> str:
    """What to write into the settings file. JSON's strings are TOML's."""
    lines = [
        "[tls]",
        f"certificate = {json.dumps(str(server))}",
        f"key = {json.dumps(str(server.with_suffix('.key')))}",
    ]
    if clients:
        lines += [
            f"client_ca = {json.dumps(str(server.with_name('ca.pem')))}",
            'client_certificate = "optional"',
        ]
    for name, file in clients.items():
        lines += ["", f"[callers.{json.dumps(name)}]", f"certificates = [{json.dumps(str(file))}]"]
    return "\n".join(lines)
