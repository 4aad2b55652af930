"""`soapbridge serve`: answer contracts over HTTP."""

from __future__ import annotations

import functools
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bridge.cli.bridges import Target, apply_shipped_rules, open_bridge
from bridge.cli.output import AsJson, ConfigFile, aside, document, say
from bridge.settings import Settings

if TYPE_CHECKING:
    from bridge.app import Bridge
    from bridge.contract import Operation
    from bridge.handlers import Service

Host = Annotated[str | None, typer.Option("--host", help="Address to listen on.")]
Port = Annotated[int | None, typer.Option("--port", help="Port to listen on; 0 takes any free one.")]
Workers = Annotated[int | None, typer.Option("--workers", help="Processes; more than one needs PostgreSQL.")]


def serve(
    target: Target = None,
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Answer the shipped ERP contracts, or a bridge of your own, until SIGTERM or Ctrl-C."""
    run(target, host, port, workers, as_json=as_json, config=config, delivers=False)


def run(
    target: str | None,
    host: str | None,
    port: int | None,
    workers: int | None,
    *,
    as_json: bool,
    config: str | None,
    delivers: bool,
) -> None:
    """Answers, and where it `delivers` also sends what waits for partners."""
    from bridge import log
    from bridge.host import platform, server

    platform.fill_standard_descriptors()
    # A socket that was handed over is listened on in any case, and what it is open to decides who must be known.
    given = {"server.host": platform.handed_host() or host, "server.port": port, "server.workers": workers}
    bridge = open_bridge(target, config, given)
    log.configure(bridge.settings.log)
    bridge.check(complete=False)
    for reason in bridge.unanswered():
        aside(f"warning: it will be answered with a Server fault: {reason}")
    for warning in [door.says for door in bridge.open_doors()] + (
        bridge.misread_partners() if delivers else []
    ):
        aside(f"warning: {warning}")
    if target is None:
        apply_shipped_rules(bridge)
    announce = functools.partial(_announce, bridge, as_json=as_json, delivers=delivers)
    if bridge.settings.server.workers == 1:
        server.serve(lambda: bridge, bridge.settings, ready=announce, delivers=delivers)
        return
    announce(bridge.settings.server.port)
    bridge.close()  # each process makes its own connections
    make = functools.partial(_in_process, target, config, given)
    server.serve(make, bridge.settings, delivers=delivers)


def _in_process(target: str | None, config: str | None, given: dict[str, Any]) -> Bridge:
    """The bridge again, in a process of its own."""
    from bridge import log

    bridge = open_bridge(target, config, given)
    log.configure(bridge.settings.log)
    return bridge


def _announce(bridge: Bridge, port: int, *, as_json: bool, delivers: bool) -> None:
    """Where to reach it, once it can be reached; and whom it delivers to."""
    from bridge.access.doors import needs_credentials

    partners = list(bridge.settings.partners) if delivers else []
    base = base_url(bridge.settings, port)
    services = {base + path: service for path, service in bridge.services.items()}
    if as_json:
        listed = [{"name": found.name, "url": url, "wsdl": f"{url}?wsdl"} for url, found in services.items()]
        delivering = {"partners": partners} if delivers else {}
        document({"ok": True, "url": base, "services": listed, **delivering})
        sys.stdout.flush()
        return
    store = bridge.store.shown if bridge.store is not None else "none: nothing is kept"
    say(f"soapbridge answers at {base}/  (store: {store})", "bold")
    for url, service in services.items():
        say(f"  {service.name:<14} {url}")
        say(f"  {'its WSDL':<14} {url}?wsdl")
    if delivers:
        say(f"  {'delivers to':<14} {', '.join(partners) or 'nobody: the settings name no partner'}")
    command = _curl(services)
    if command and needs_credentials(bridge.settings):
        command = command.replace("curl ", "curl -H 'X-API-Key: …' ", 1)
    if command:
        say("\nTo send a message, paste this into another terminal:", "bold")
        say(f"  {command}")
    say(f"\nWhat came in: {_program()} journal list. Stop with Ctrl-C.")
    sys.stdout.flush()


def _program() -> str:
    """How to call this program in another terminal: `make run` does not put it on the PATH."""
    if shutil.which("soapbridge"):
        return "soapbridge"
    return sys.argv[0] if Path(sys.argv[0]).name == "soapbridge" else "python -m bridge"


def base_url(settings: Settings, port: int) -> str:
    """What a client reaches this bridge by: `server.public_url`, else the address it listens on."""
    if settings.server.public_url:
        return settings.server.public_url.rstrip("/")
    host = settings.server.host
    if host in ("", "0.0.0.0", "::"):  # noqa: S104 - an address to listen on is none to send to
        host = "127.0.0.1"
    host = f"[{host}]" if ":" in host else host
    return f"{'https' if settings.tls.certificate else 'http'}://{host}:{port}"


def _curl(services: dict[str, Service]) -> str:
    """A line for a shell: one of the checkout's samples where they are, else a message made up from the contract."""
    for url, service in services.items():
        for operation in service.contract.operations.values():
            if (
                operation.problem is None
                and operation.input is not None
                and operation.key in service.handlers
            ):
                return _curl_for(url, service, operation)
    return ""


def _curl_for(url: str, service: Service, operation: Operation) -> str:
    from bridge.cli.sample import envelope, payload_of

    version: Literal["1.1", "1.2"] = "1.2" if operation.soap_versions == {"1.2"} else "1.1"
    action = next(iter(sorted(operation.soap_actions)), "")
    samples = sorted(
        Path("samples", service.name, operation.name).glob(f"good-1-*soap{version.replace('.', '')}.xml")
    )
    if samples:
        data = f"@{samples[0].resolve()}"  # wherever the other terminal stands
    else:
        payload = payload_of(service.contract, operation, optional=False)
        # Without its declaration: UTF-8 is what XML is without one, and the command stays on one line.
        data = envelope(service.contract, version, payload, operation.input_headers).partition("?>\n")[2]
    headers = (
        [f"Content-Type: application/soap+xml; charset=utf-8; action={_quoted(action)}"]
        if version == "1.2"
        else ["Content-Type: text/xml; charset=utf-8", f"SOAPAction: {_quoted(action)}"]
    )
    words = [
        "curl",
        "-s",
        *(word for header in headers for word in ("-H", header)),
        "--data-binary",
        data,
        url,
    ]
    return shlex.join(words)


def _quoted(action: str) -> str:
    return f'"{action}"'
