"""`soapbridge columns`: what a partner's tables look like, held against its file; and the lines that pin it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.output import AsJson, ConfigFile, finish, say
from bridge.cli.partners import PartnerName, setting_of
from bridge.errors import SettingsError

if TYPE_CHECKING:
    from bridge.partners.database.backend import DatabaseBackend


def columns(
    partner: PartnerName,
    entity: Annotated[str | None, typer.Argument(help="One of its entities; all, if not given.")] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """The columns that are read of a partner's own tables, as its file can pin them; ends with 1 where they do not fit."""
    from bridge.partners import kinds

    setting = setting_of(partner, config, kind="database")
    if entity is not None and entity not in setting.file.entities:
        raise SettingsError(
            f"{partner} has no entity {entity}.", advice=f"It has {', '.join(setting.file.entities)}."
        )
    backend: DatabaseBackend = kinds.backend(setting)  # type: ignore[assignment] # it is of the kind database
    try:
        found = [_looked(backend, name) for name in setting.file.entities if entity in (None, name)]
    finally:
        backend.close()
    if not as_json:
        for one in found:
            say(f"[entities.{one['entity']}.expects]", "bold")
            for name, shown in one["columns"].items():
                say(f"{json.dumps(name)} = {json.dumps(shown)}")
            if one["mistake"]:
                say(one["mistake"], "red")
            say()
    wrong = [one["entity"] for one in found if one["mistake"]]
    step = (
        f"Not read: {', '.join(wrong)}."
        if wrong
        else "All fit. Lines in the partner's file pin them: any change then stops the entity, also after a restart."
    )
    finish(step, ok=not wrong, as_json=as_json, content={"entities": found})


def _looked(backend: DatabaseBackend, name: str) -> dict[str, Any]:
    from bridge.partners.database.sources import fingerprint_of, found_columns

    declared = backend.declared[name]
    shown: dict[str, str] = {}
    mistake = ""
    try:
        with backend.database.reading() as connection:
            shown = fingerprint_of(declared, found_columns(connection, declared))
            backend.sources.of(connection, name, run=True)
    except SettingsError as error:
        mistake = str(error)
    return {"entity": name, "columns": shown, "mistake": mistake}
