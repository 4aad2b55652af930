"""What the shell offers when TAB is pressed: WSDL files and shipped contracts, and the operations of the one named.

`soapbridge --install-completion` sets it up for bash, zsh and fish. Where nothing is offered, the shell completes file names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import typer

_DEPTH = 3
_MOST_FILES = 200
_MOST_FOLDERS = 500
_SKIPPED = frozenset({"node_modules", "__pycache__", "site-packages"})


def wsdls(incomplete: str) -> list[str]:
    """WSDL files below the folder typed so far, and the names of shipped contracts."""
    from bridge.shipped import contracts

    shipped = [name for name in contracts() if name.startswith(incomplete)]
    files = (path for path in _below(os.path.dirname(incomplete)) if path.startswith(incomplete))  # noqa: PTH120
    return [*shipped, *sorted(islice(files, _MOST_FILES))]


def operations(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Operations of the contract that stands before it on the command line, each with what its author wrote."""
    from bridge.cli.contracts import open_contract
    from bridge.contract.stubs.documentation import english
    from bridge.errors import BridgeError
    from bridge.settings import load

    wsdl = _named(ctx.params)
    if wsdl is None:
        return []
    try:
        contract = open_contract(wsdl, load())
    except BridgeError:
        return []
    found = (one for one in contract.operations.values() if one.problem is None)
    return [(one.key, english(one.documentation)[:80]) for one in found if one.key.startswith(incomplete)]


def _named(parameters: dict[str, Any]) -> str | None:
    wsdl = parameters.get("wsdl") or parameters.get("partner")
    return wsdl if isinstance(wsdl, str) else None


def _below(folder: str) -> Iterator[str]:
    """The WSDL files in a folder and a few levels below, as the user would write them."""
    waiting = [(Path(folder), 0)]
    for _ in range(_MOST_FOLDERS):
        if not waiting:
            return
        place, depth = waiting.pop(0)
        try:
            entries = sorted(place.iterdir())
        except OSError:
            continue
        for entry in entries:
            if entry.suffix == ".wsdl" and entry.is_file():
                yield str(entry)
            elif depth < _DEPTH and entry.is_dir() and entry.name[0] != "." and entry.name not in _SKIPPED:
                waiting.append((entry, depth + 1))
