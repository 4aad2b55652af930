"""`soapbridge mock`: a partner made of its contract."""

from __future__ import annotations

import json
import signal
import sys
import threading
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.contracts import Wsdl, open_contract
from bridge.cli.output import ConfigFile, aside, say
from bridge.settings import load

if TYPE_CHECKING:
    from bridge.mock import Mock, Received

PORT = 8090


def mock(
    wsdl: Wsdl,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="Port to listen on; 0 takes any free one.")] = PORT,
    script: Annotated[
        str | None, typer.Option("--script", metavar="FILE", help="Rules in TOML: what to answer to what.")
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", help="0 answers with the fullest sample; others vary, alike each time.")
    ] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="A line of JSON with the address, then one for each request.")
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Answer a contract with samples, or as a script says, until SIGTERM or Ctrl-C."""
    from bridge import log
    from bridge.mock import Mock

    settings = load(config)
    log.configure(settings.log)
    made = Mock(
        open_contract(wsdl, settings),
        script=script,
        seed=seed,
        host=host,
        port=port,
        settings=settings,
        listener=_print_line if as_json else _say_line,
    )
    for problem in made.contract.problems:
        aside(f"warning: it will be answered with a fault: {problem}")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with made:
        _announce(made, as_json=as_json)
        stop.wait()


def _announce(made: Mock, *, as_json: bool) -> None:
    if as_json:
        _print(
            {
                "ok": True,
                "url": made.url,
                "wsdl": made.wsdl_url,
                "received": f"{made.base_url}/received",
                "operations": list(made.contract.operations),
            }
        )
        return
    say(f"{made.contract.name} is mocked at {made.url}", "bold")
    say(f"  its WSDL       {made.wsdl_url}")
    say(f"  what came      {made.base_url}/  (as JSON: {made.base_url}/received)")
    say("\nEach request is told here. Stop with Ctrl-C.")
    sys.stdout.flush()


def _say_line(one: Received) -> None:
    rule = f"  ({one.rule})" if one.rule else ""
    say(f"#{one.number} {one.at:%H:%M:%S} {one.operation or 'unknown operation'} → {one.answered}{rule}")
    if one.refused:
        say(f"   {one.refused}", "yellow")
    sys.stdout.flush()


def _print_line(one: Received) -> None:
    """No payload: `GET /received` has it."""
    _print(one.summary())


def _print(content: dict[str, object]) -> None:
    typer.echo(json.dumps(content, ensure_ascii=False, default=str))
    sys.stdout.flush()
