"""The command line made for one command alone."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.main import get_command

from bridge.cli import MODULES, commands


def _shape(made: object) -> object:
    """Its help, its parameters, and the same of the commands below it."""
    below = {name: _shape(found) for name, found in getattr(made, "commands", {}).items()}
    parameters = [(one.name, one.opts) for one in getattr(made, "params", [])]
    return getattr(made, "help", None), parameters, below


@pytest.mark.parametrize("name", MODULES)
def test_a_command_alone_is_the_one_among_all(name: str) -> None:
    alone, all_of_them = get_command(commands(only=name)), get_command(commands())
    assert list(getattr(alone, "commands", {})) == [name]
    assert _shape(alone.commands[name]) == _shape(all_of_them.commands[name])  # type: ignore[attr-defined]


@pytest.mark.parametrize("word", [None, "--help", "--version", "no-such-command", ""])
def test_what_names_no_command_gets_all_of_them(word: str | None) -> None:
    assert set(getattr(get_command(commands(only=word)), "commands", {})) == set(MODULES)


def test_the_command_that_is_given_does_not_import_the_others() -> None:
    code = (
        "import sys; sys.argv = ['soapbridge', 'migrate', '--help']\n"
        "from bridge.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([name for name in ('serve', 'demo', 'mock') if f'bridge.cli.{name}' in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
