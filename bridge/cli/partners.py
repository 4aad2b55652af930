"""A partner of the settings, for commands that look at what it is made of."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.errors import SettingsError
from bridge.settings import load

if TYPE_CHECKING:
    from bridge.partners.kinds import Setting

PartnerName = Annotated[
    str, typer.Argument(metavar="PARTNER", help="A name from the settings: [partners.NAME].")
]


def setting_of(name: str, config: str | None, *, kind: str) -> Setting:
    """What a partner of that kind is made of; nothing is asked of it.

    Raises:
        SettingsError: there is none of that name, it is of another kind, or its file is wrong.
    """
    from bridge.partners import entities
    from bridge.partners.kinds import Setting

    settings = load(config)
    options = settings.partners.get(name)
    if options is None:
        near = difflib.get_close_matches(name, list(settings.partners), n=1)
        guess = f"Did you mean {near[0]}? " if near else ""
        raise SettingsError(
            f"There is no partner {name} in the settings.",
            advice=f"{guess}There are: {', '.join(settings.partners) or 'none'}.",
        )
    if options.kind != kind or options.entities is None:
        missing = "" if options.entities is not None else ", and no file says what it has (`entities`)"
        raise SettingsError(
            f"The partner {name} is of the kind {options.kind}{missing}.",
            advice=f'This wants kind = "{kind}" and entities = "FILE" under [partners.{name}].',
        )
    return Setting(name, options, entities.read(options.entities), settings.limits, lambda: None)
