"""`soapbridge staging`: the tables between a partner and us: the statements that make them, and what waits in them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bridge.cli.output import AsJson, ConfigFile, finish, say, table
from bridge.cli.partners import PartnerName, setting_of
from bridge.errors import SettingsError

if TYPE_CHECKING:
    from bridge.partners.staging.standing import Standing

app = typer.Typer(
    help="Tables between a partner and us: print them, and show what waits.", no_args_is_help=True
)

DialectName = Literal["postgresql", "mysql", "sqlite"]


@app.command()
def ddl(
    partner: PartnerName,
    dialect: Annotated[
        DialectName | None,
        typer.Option(help="Which database; that of the partner's URL, if not given. mysql is MariaDB too."),
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Print the statements that make a partner's tables, for whoever owns the database. Nothing is run."""
    from bridge.partners.sql.database import dialect_of, quoting
    from bridge.partners.staging.ddl import ddl as script
    from bridge.partners.staging.layout import layouts

    setting = setting_of(partner, config, kind="staging")
    chosen = dialect or dialect_of(setting.options.database, f"partners.{partner}.database")
    found = layouts(setting.file, chosen)
    if found.mistakes:
        raise SettingsError.of(found.mistakes)
    typer.echo(script(found, chosen, quoting(chosen)), nl=False)


@app.command()
def status(partner: PartnerName, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """What waits in each table, how old the oldest is, and what was rejected with its reason."""
    from bridge.partners import kinds

    setting = setting_of(partner, config, kind="staging")
    backend = kinds.backend(setting)
    try:
        found: list[Standing] = backend.standing()  # type: ignore[attr-defined] # it is of the kind staging
    finally:
        backend.close()
    rejected = sum(one.rejected for one in found)
    late = sum(one.late for one in found)
    if not as_json:
        table(
            ("entity", "way", "table", "new", "claimed", "late", "rejected", "lag"),
            (
                (one.entity, one.way, one.table, one.new, one.claimed, one.late, one.rejected, _age(one.lag))
                for one in found
            ),
        )
        _say_rejected(found)
        say()
    if rejected:
        step = "Rejected rows have their reason beside them: correct the record and write a new row."
    elif late:
        step = "Claimed rows whose time has run out are new again at the next claim."
    else:
        step = "Nothing was rejected."
    content = [
        dataclasses.asdict(one) | {"examples": [row._asdict() for row in one.examples]} for one in found
    ]
    finish(step, ok=not rejected, as_json=as_json, content={"tables": content})


def _say_rejected(found: list[Standing]) -> None:
    rows = [(one.table, row) for one in found for row in one.examples]
    if not rows:
        return
    say()
    table(
        ("rejected in", "row", "record", "reason", "explanation"),
        ((name, row.seq, row.record_id, row.reason, row.explanation) for name, row in rows),
    )


def _age(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
