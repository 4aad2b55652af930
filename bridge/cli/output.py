"""What commands say: to people with rich, to programs as one JSON document, and last what to do next."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from bridge.errors import SettingsError

if TYPE_CHECKING:
    from rich.console import Console

Style = Literal["bold", "dim", "red", "green", "yellow"]

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, for programs.")]
ConfigFile = Annotated[
    str | None,
    typer.Option("--config", metavar="FILE", help="Settings file; ./bridge.toml where there is one."),
]


@contextlib.contextmanager
def writing(place: str | os.PathLike[str]) -> Iterator[None]:
    """Around what makes files: a folder that does not let us is the user's to change, and no trace helps them."""
    try:
        yield
    except OSError as error:
        raise SettingsError(
            f"{os.fspath(place)} cannot be written: {error.strerror or error}.",
            advice="Name another place, or let this user write there; then repeat.",
        ) from error


@functools.cache
def console() -> Console:
    """Standard output, for tables. No markup and no highlighting: `line[3]` in a path is data, not a style."""
    from rich.console import Console

    # Into a file or pipe rich would cut tables at 80 columns.
    width = None if sys.stdout.isatty() else 240
    return Console(markup=False, highlight=False, emoji=False, soft_wrap=True, width=width)


def say(text: str = "", style: Style | None = None) -> None:
    """A line for people. Without rich, whose import takes as long as reading a contract."""
    colour = False if os.environ.get("NO_COLOR") else None  # None: where it is a terminal
    foreground = None if style in (None, "bold", "dim") else style
    typer.secho(text, fg=foreground, bold=style == "bold" or None, dim=style == "dim" or None, color=colour)


def aside(text: str) -> None:
    """A remark on standard error, where standard output is a document that may be piped."""
    typer.echo(text, err=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    console().print(grid, soft_wrap=False)


def document(content: Any) -> None:
    """JSON on standard output. What JSON lacks (decimals, times, paths) goes as text."""
    typer.echo(json.dumps(content, ensure_ascii=False, indent=2, default=str))


def finish(
    next_step: str, *, ok: bool = True, as_json: bool = False, content: Mapping[str, Any] | None = None
) -> NoReturn:
    """End a command: the JSON document or the last line, and exit status 0, or 1 for "what I checked is wrong"."""
    if as_json:
        document({"ok": ok, **(content or {})} | ({"next": next_step} if next_step else {}))
    else:
        say(next_step, "green" if ok else "yellow")
    raise typer.Exit(0 if ok else 1)
