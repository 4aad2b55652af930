"""`soapbridge handover`: a sheet for the partner that is going to call this bridge."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bridge.cli.bridges import Target, open_bridge
from bridge.cli.output import ConfigFile, aside, writing
from bridge.errors import SettingsError

if TYPE_CHECKING:
    from bridge.app import Bridge
    from bridge.handlers import Service


def handover(
    target: Target = None,
    service: Annotated[
        list[str] | None, typer.Option("--service", help="Only this service; may be given several times.")
    ] = None,
    caller: Annotated[
        str | None,
        typer.Option(
            "--caller",
            metavar="NAME",
            help="Whom it is for: what its roles allow, its limits, what its messages must carry.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Markdown, or HTML where it ends in .html."),
    ] = None,
    contact: Annotated[
        str | None, typer.Option("--contact", help="Whom the partner asks; else server.contact.")
    ] = None,
    language: Annotated[Literal["en", "zh"], typer.Option("--language", help="Of the sheet.")] = "en",
    config: ConfigFile = None,
) -> None:
    """Write what a partner needs to call this bridge: addresses, operations, samples, faults, limits, contact."""
    from bridge.cli.serve import base_url
    from bridge.handover import as_html, as_markdown, sheet_of

    bridge = open_bridge(target, config)
    settings = bridge.settings
    if caller and caller not in settings.callers:
        raise SettingsError(
            f"The settings know no caller {caller}.",
            advice=f"There are: {', '.join(settings.callers) or 'none'}.",
        )
    sheet = sheet_of(
        _chosen(bridge, service or []),
        settings,
        base_url(settings, settings.server.port),
        language=language,
        contact=contact or "",
        remembers=bridge.has_store,
        caller=caller or "",
    )
    html = output is not None and output.suffix.lower() in (".html", ".htm")
    text = as_html(sheet) if html else as_markdown(sheet)
    if output is None:
        typer.echo(text, nl=False)
    else:
        with writing(output):
            output.write_text(text, "utf-8")
    for reason in bridge.unanswered():
        aside(f"left out: {reason}")
    if not settings.server.public_url:
        aside("The addresses are this machine's: set server.public_url to what the partner reaches.")
    if not (contact or settings.server.contact):
        aside("The sheet names nobody to ask: give --contact, or set server.contact.")
    if caller and not settings.callers[caller].roles:
        aside(f"{caller} may ask for nothing yet: give callers.{caller} roles.")
    elif settings.callers and not caller:
        aside("It holds for all callers: --caller NAME writes what is one caller's.")
    if output is not None:
        hint = "print it to PDF from a browser" if html else "give it to the partner"
        aside(f"Written to {output}: read it, then {hint}.")


def _chosen(bridge: Bridge, names: list[str]) -> list[Service]:
    """The services named, in the bridge's order; all of them where none is."""
    services = list(bridge.services.values())
    known = [service.path.removeprefix("/services/") for service in services]
    unknown = [name for name in names if name not in known]
    if unknown or not services:
        what = f"There is no service {unknown[0]}." if unknown else "The bridge serves no contract."
        raise SettingsError(what, advice=f"There are: {', '.join(known) or 'none'}.")
    return [one for one, name in zip(services, known, strict=True) if not names or name in names]
