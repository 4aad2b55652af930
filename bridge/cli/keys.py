"""`soapbridge keys`: the keys that encrypt what is kept; making, listing and replacing them while everything serves."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.bridges import open_store
from bridge.cli.output import AsJson, ConfigFile, aside, finish, say, table
from bridge.errors import SettingsError
from bridge.settings import load

if TYPE_CHECKING:
    from bridge.atrest.keyring import Keyring
    from bridge.store import Store

app = typer.Typer(help="Keys that encrypt what the store keeps.", no_args_is_help=True)


@app.command("new")
def new(
    file: Annotated[
        Path, typer.Argument(help="A file that is not there yet; only its owner will be able to read it.")
    ],
    as_json: AsJson = False,
) -> None:
    """Make a wrapping key: 256 random bits, in base64."""
    from bridge.atrest.wrapping import WrappingKey

    key = WrappingKey.new()
    key.write(file)
    finish(
        f"Key {key.name} is in {file}. Keep a copy where the store's backups are not; without it they are worth nothing.\n"
        f'Next, in bridge.toml: key_file = "{file}" under [at_rest] for what the store keeps, or under [backup] for backups.',
        as_json=as_json,
        content={"key": key.name, "file": str(file)},
    )


@app.command("list")
def list_keys(as_json: AsJson = False, config: ConfigFile = None) -> None:
    """The data keys of the store, and which wrapping keys open each."""
    from bridge.atrest.wrapping import wrapping_key
    from bridge.store import data_keys
    from bridge.store.clock import moment

    given = wrapping_key(load(config).at_rest)
    with open_store(config, sealed=False) as store, store.reading() as session:
        keys = data_keys.all_keys(session)
    name = None if given is None else given.name
    listed = [
        {
            "data_key": key.id,
            "made": moment(key.created_at).isoformat(),
            "retired": None if key.retired_at is None else moment(key.retired_at).isoformat(),
            "wrapped_by": sorted(key.wraps),
            "opens": name in key.wraps,
        }
        for key in keys
    ]
    if not as_json:
        table(
            ("data key", "made (UTC)", "retired (UTC)", "wrapped by", "opens with the key of the settings"),
            (
                (
                    one["data_key"],
                    str(one["made"])[:19],
                    str(one["retired"] or "in use")[:19],
                    ", ".join(sorted(key.wraps)),
                    "yes" if one["opens"] else "no",
                )
                for one, key in zip(listed, keys, strict=True)
            ),
        )
        say()
    closed = [one["data_key"] for one in listed if not one["opens"]]
    if given is None:
        next_step = (
            "The settings give no key: nothing is encrypted. To begin: soapbridge keys new FILE"
            if not keys
            else (
                "The settings give no key, and these are needed to read what the store keeps: set at_rest.key_file."
            )
        )
    elif closed:
        next_step = f"The settings' key {name} does not open all of them: set the one that does."
    else:
        next_step = f"All open with the settings' key {name}. To replace it: soapbridge keys rotate --to FILE"
    finish(
        next_step,
        ok=not closed,
        as_json=as_json,
        content={"settings_key": name, "data_keys": listed},
    )


@app.command("rotate")
def rotate(
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            metavar="FILE",
            help="A new wrapping key (`keys new`): every data key will open with it as well.",
        ),
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """A new data key for all that is written from now on; with --to a new wrapping key as well. While everything serves."""
    from bridge.atrest import rotation
    from bridge.atrest.wrapping import WrappingKey
    from bridge.audit import follow

    new = None if to is None else WrappingKey.from_file(to)
    with _keyring(config) as (store, keyring):
        old = keyring.wrapping.name
        number = rotation.rotate(store, keyring, to=new)
        about = {"opened_by": [old, *([] if new is None else [new.name])]}
        notes = follow(store, load(config))
        notes.note("keys_rotated", who=getpass.getuser(), subject=str(number), outcome="done", about=about)
    next_step = "What was written before stays as it is; to encrypt that anew: soapbridge keys reencrypt"
    if new is not None:
        next_step = (
            f"Both {old} and {new.name} open everything now. Next: set at_rest.key_file to {to} on every host and restart; then\n"
            f"soapbridge keys forget {old}"
        )
    finish(
        f"Data key {number} is used by all processes within seconds. {next_step}",
        as_json=as_json,
        content={"data_key": number, "opened_by": [old] + ([new.name] if new is not None else [])},
    )


@app.command("forget")
def forget(
    name: Annotated[str, typer.Argument(metavar="KEY", help="A wrapping key's name, from `keys list`.")],
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Have an old wrapping key open nothing any more."""
    from bridge.atrest import rotation
    from bridge.audit import follow

    with _keyring(config) as (store, keyring):
        count = rotation.forget(store, keyring, name)
        follow(store, load(config)).note(
            "key_forgotten", who=getpass.getuser(), subject=name, outcome="done", about={"data_keys": count}
        )
    finish(
        f"{name} opens none of the {count} data keys any more. Older backups still open with it: keep it as long as those.",
        as_json=as_json,
        content={"forgotten": name, "data_keys": count},
    )


@app.command("reencrypt")
def reencrypt(as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Encrypt with the present key what is kept in the clear or under an older one. May be interrupted, and begun again."""
    from bridge.atrest import rotation

    told = ""

    def progress(step: rotation.Reencrypted) -> None:
        nonlocal told
        line = f"{step.table}: {step.rewritten} of {step.seen}"
        if not as_json and step.seen % 10_000 < rotation.BATCH_ROWS and line != told:
            aside(line)
            told = line

    with _keyring(config) as (store, keyring):
        counts = rotation.reencrypt(store, keyring, progress=progress)
    rows = ", ".join(f"{count} of {name}" for name, count in counts.items() if count)
    finish(
        f"Encrypted anew: {rows or 'nothing, all was'}.",
        as_json=as_json,
        content={"rewritten": counts},
    )


@contextmanager
def _keyring(config: str | None) -> Iterator[tuple[Store, Keyring]]:
    from bridge.atrest.keyring import Keyring

    with open_store(config) as store:
        if not isinstance(store.cipher, Keyring):
            raise SettingsError(
                "The settings give no key: nothing is encrypted.",
                advice="Make one with `soapbridge keys new FILE`, and set at_rest.key_file.",
            )
        yield store, store.cipher
