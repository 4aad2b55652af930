"""`soapbridge settings`: what is set, where it came from, and the generated pages about it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.output import AsJson, ConfigFile, finish, say, table
from bridge.settings import NAMED_SECTIONS, SECTIONS, Key, keys, keys_of, load, named_keys, shown

PRECEDENCE = (
    "A value is taken from the first of: the command line, the variable named below, for secrets the file named by that variable "
    "with `_FILE` appended, `bridge.toml`, the default. Another settings file is named by `--config` or `SOAPBRIDGE_CONFIG`. "
    "Relative paths start at the folder of the settings file when they stand there, else at the working folder. "
    "A list is written with commas in the environment. Unknown keys are refused."
)


def settings(
    as_json: AsJson = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print docs/settings.md.")] = False,
    toml: Annotated[
        bool, typer.Option("--toml", help="Print a bridge.toml with every key, commented out.")
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Show every setting with its value and where it came from."""
    if markdown or toml:
        typer.echo(as_markdown() if markdown else as_toml(), nl=False)
        return
    current = load(config)
    if as_json:
        content = {
            key.path: {"value": shown(key, current.value(key)), "source": current.sources[key.path]}
            for key in keys_of(current)
        }
        finish("", as_json=True, content={"settings": content, "file": current.file})
    rows = [
        (key.path, shown(key, current.value(key)) or key.shown, current.sources[key.path])
        for key in keys_of(current)
    ]
    table(("key", "value", "from"), rows)
    say()
    where = f"edit {current.file}" if current.file else "soapbridge settings --toml > bridge.toml"
    finish(f"To change one: {where}, or set its variable (docs/settings.md).")


def _sections() -> Iterator[tuple[str, str, list[Key]]]:
    for section, members in groupby(keys(), key=lambda key: key.section):
        yield section, inspect.getdoc(SECTIONS[section]) or "", list(members)


def _named() -> Iterator[tuple[str, str, list[Key]]]:
    for group, cls in NAMED_SECTIONS.items():
        yield f"{group}.NAME", inspect.getdoc(cls) or "", list(named_keys(group))


def as_markdown() -> str:
    """docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "<!-- Made by `make docs` from bridge/settings: change the text there. -->",
        "",
        PRECEDENCE,
    ]
    for section, about, members in (*_sections(), *_named()):
        lines += ["", f"## [{section}]", "", about.splitlines()[0], ""]
        lines += ["| key | default | meaning | variable |", "|---|---|---|---|"]
        for key in members:
            default = key.shown or f"`{_toml_value(key)}`"
            variable = f"`{key.variable}`" + (" (or `_FILE`)" if key.secret else "")
            lines.append(f"| `{key.name}` | {default}{_unit(key)} | {_help(key)} | {variable} |")
    return "\n".join(lines) + "\n"


def as_toml() -> str:
    """bridge.toml with every key at its default, commented out."""
    lines = ["# Settings of the bridge. Every key is here with its default; remove the # to set it.", "#"]
    lines += [
        f"# {line}" for line in _wrapped(PRECEDENCE.replace("the variable named below", "its variable"))
    ]
    for section, about, members in _sections():
        lines += ["", f"[{section}]", f"# {about.splitlines()[0]}"]
        for key in members:
            variable = key.variable + (f" or {key.variable}_FILE" if key.secret else "")
            default = f" Default: {key.shown}." if key.shown else ""
            lines += ["", *(f"# {line}" for line in _wrapped(_help(key) + default)), f"# {variable}"]
            lines.append(f"# {key.name} = {_toml_value(key)}" + (f"  # {key.unit}" if key.unit else ""))
    for section, about, members in _named():
        lines += ["", f"# [{section}]", *(f"# {line}" for line in _wrapped(about.splitlines()[0]))]
        for key in members:
            variable = key.variable + (f" or {key.variable}_FILE" if key.secret else "")
            lines += ["#", *(f"#   {line}" for line in _wrapped(_help(key))), f"#   {variable}"]
            lines.append(f"#   {key.name} = {_toml_value(key)}" + (f"  # {key.unit}" if key.unit else ""))
    return "\n".join(lines) + "\n"


def _help(key: Key) -> str:
    if key.choices:
        return f"{key.help} One of {', '.join(f'`{choice}`' for choice in key.choices)}."
    if key.least is not None and key.most is not None:
        return f"{key.help} {_plain(key.least)} to {_plain(key.most)}."
    if key.least is not None:
        return f"{key.help} At least {_plain(key.least)}."
    return key.help


def _plain(number: float) -> str:
    return f"{int(number):,}" if number == int(number) else f"{number:g}"


def _unit(key: Key) -> str:
    return f" {key.unit}" if key.unit else ""


def _toml_value(key: Key) -> str:
    """A default as TOML writes it. JSON's text, numbers, truth and lists are TOML's."""
    default = "" if key.default is None else key.default
    if isinstance(default, Path):
        default = str(default)
    if isinstance(default, tuple):
        default = [str(one) for one in default]
    if isinstance(default, Mapping):
        return "{}"  # JSON's pairs are not TOML's; a default has none
    return json.dumps(default, ensure_ascii=False)


def _wrapped(text: str) -> list[str]:
    import textwrap

    return textwrap.wrap(text, 108, break_long_words=False, break_on_hyphens=False)
