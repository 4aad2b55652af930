"""`soapbridge call`: one request to a partner, from JSON, and its reply as JSON."""

from __future__ import annotations

import dataclasses
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from bridge.cli.completion import operations, wsdls
from bridge.cli.contracts import find_operation, open_contract
from bridge.cli.output import ConfigFile, aside, document
from bridge.errors import (
    BridgeError,
    DeliveredUnreadable,
    EncodeError,
    PartnerError,
    Refused,
    SettingsError,
    Unpresentable,
)
from bridge.settings import Settings, load

if TYPE_CHECKING:
    from bridge.contract import Operation
    from bridge.partners.soap import Outgoing, SoapPartner

Output = Literal["text", "json", "xml"]

_WRONG = (Refused, Unpresentable, DeliveredUnreadable)
"""Outcomes that say that what was sent, or came, is wrong: status 1. After the others it is as if nothing was checked."""


def call(
    partner: Annotated[
        str,
        typer.Argument(
            metavar="WSDL",
            help="A file, the name of a shipped contract, or of a partner in the settings.",
            autocompletion=wsdls,
        ),
    ],
    operation: Annotated[
        str,
        typer.Argument(
            metavar="OPERATION", help="One of those `contract show` lists.", autocompletion=operations
        ),
    ],
    data: Annotated[
        str,
        typer.Option("--json", metavar="JSON", help="The request: JSON, @FILE, or @- for standard input."),
    ] = "",
    endpoint: Annotated[
        str, typer.Option("--endpoint", metavar="URL", help="Where; else as the WSDL says.")
    ] = "",
    soap: Annotated[Literal["auto", "1.1", "1.2"], typer.Option("--soap", help="SOAP version.")] = "auto",
    service: Annotated[str, typer.Option("--service", help="The service, where the WSDL has several.")] = "",
    port: Annotated[str, typer.Option("--port", help="Its port, where several would do.")] = "",
    header: Annotated[
        list[str] | None,
        typer.Option(
            "--header", metavar="NAME=VALUE", help="A declared header block; JSON where it is no text."
        ),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", min=0.01, help="Seconds for the whole call.")
    ] = None,
    output: Annotated[
        Output,
        typer.Option(
            "--output", help="text: the reply's JSON; json: all of it for programs; xml: the envelope."
        ),
    ] = "text",
    config: ConfigFile = None,
) -> None:
    """Send one request, validated, and print what came back; says what became of it when nothing did."""
    settings = load(config)
    try:
        called = _partner(
            partner,
            settings,
            operation,
            endpoint=endpoint,
            soap=soap,
            service=service,
            port=port,
            timeout=timeout,
        )
        found = find_operation(called.contract, operation)
        values = _values(called, found, data)
        blocks = _headers(called, found, header or [])
        with _quiet():
            exchange = called.exchange(found.key, values, headers=blocks, deadline=timeout)
    except (PartnerError, EncodeError) as error:
        _failed(error, output)
    if output == "xml":
        typer.echo(exchange.reply.decode("utf-8", "replace"))
    elif output == "json":
        document({"ok": True, **_about(called, found, exchange)})
    else:
        reply = _reply(called, found, exchange)
        if reply is not None:
            document(reply)
        aside(f"{found.key}: answered in {exchange.seconds * 1000:.0f} ms, exchange {exchange.id}.")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without a log: what became of the call is said by this command."""
    log = logging.getLogger("bridge.partners")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


def _partner(
    name: str,
    settings: Settings,
    operation: str,
    *,
    timeout: float | None,
    **given: Any,
) -> SoapPartner:
    """The partner of that name in the settings, with what the command line says instead; else the contract's."""
    from bridge.app import Bridge
    from bridge.partners.soap import SoapPartner

    options: dict[str, Any] = {key: value for key, value in given.items() if value not in ("", "auto")}
    if timeout is not None:
        options |= {"deadline": timeout, "read_timeout": timeout}
    configured = settings.partners.get(name)
    if configured is not None:
        changed = dataclasses.replace(configured, **options)
        return Bridge(dataclasses.replace(settings, partners={**settings.partners, name: changed})).partner(
            name
        )
    contract = open_contract(name, settings)
    key = find_operation(contract, operation).key
    return SoapPartner(contract, operation=key, limits=settings.limits, **options)


def _values(partner: SoapPartner, operation: Operation, data: str) -> Any:
    from bridge.contract.codec.as_json import read

    if operation.input is None:
        if data:
            raise EncodeError(f"{operation.key} takes nothing.", advice="Leave --json out.")
        return None
    if not data:
        raise SettingsError(
            f"{operation.key} takes {operation.input}: give it with --json.",
            advice=f"To start from: soapbridge sample {partner.contract.file} {operation.key} --values",
        )
    try:
        return partner.contract.codec.json.values(operation.input, read(_text(data)))
    except ValueError as error:
        raise EncodeError(
            f"--json cannot be read: {error}.", advice="Quote it for the shell, or use @FILE."
        ) from error


def _text(data: str) -> str:
    if not data.startswith("@"):
        return data
    if data == "@-":
        return sys.stdin.read()
    try:
        return Path(data[1:]).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{data[1:]} cannot be read: {error}.") from error


def _headers(partner: SoapPartner, operation: Operation, given: list[str]) -> dict[str, Any]:
    """Header values by name. What begins like JSON is read as such, anything else is text."""
    from bridge.contract.codec.as_json import read

    declared = {one.name.rpartition("}")[2]: one.name for one in operation.input_headers}
    declared |= {name: name for name in declared.values()}
    values = {}
    for pair in given:
        name, equals, text = pair.partition("=") if not pair.startswith("{") else _clark_pair(pair)
        if not equals or name not in declared:
            raise EncodeError(
                f"There is no header {name!r}.",
                advice=f"Write NAME=VALUE. Declared: {', '.join(declared) or 'none'}.",
            )
        try:
            data = read(text) if text[:1] in ("{", "[") else text
        except ValueError as error:
            raise EncodeError(f"--header {name} cannot be read: {error}.") from error
        values[declared[name]] = partner.contract.codec.json.values(declared[name], data)
    return values


def _clark_pair(pair: str) -> tuple[str, str, str]:
    """`{namespace}name=value`, whose namespace may hold an equals sign."""
    namespace, brace, rest = pair.partition("}")
    name, equals, text = rest.partition("=")
    return f"{namespace}{brace}{name}", equals, text


def _reply(partner: SoapPartner, operation: Operation, exchange: Outgoing) -> Any:
    if operation.output is None or exchange.value is None:
        return None
    return partner.contract.codec.json.document(operation.output, exchange.value)


def _about(partner: SoapPartner, operation: Operation, exchange: Outgoing) -> dict[str, Any]:
    return {
        "exchange": exchange.id,
        "operation": operation.key,
        "endpoint": partner.target.address,
        "soap": partner.target.version,
        "status": exchange.status,
        "seconds": round(exchange.seconds, 6),
        "reply": _reply(partner, operation, exchange),
        "headers": {
            name: partner.contract.codec.json.document(name, value)
            for name, value in exchange.headers.items()
        },
    }


def _failed(error: BridgeError, output: Output) -> NoReturn:
    """What became of it: for people on standard error, for programs as one document. Exit status 1 or 2."""
    wrong = isinstance(error, (*_WRONG, EncodeError))
    violations = getattr(error, "violations", ())
    if output == "json":
        content: dict[str, Any] = {
            "ok": False,
            "outcome": error.outcome if isinstance(error, PartnerError) else "Unpresentable",
            "message": error.message,
            "whose": error.whose,
            "repeat": error.repeat,
            "path": getattr(error, "path", ""),
            "violations": [{"path": one.path, "message": str(one)} for one in violations],
        }
        if isinstance(error, PartnerError):
            content |= {"exchange": error.exchange_id, "status": error.status}
            if error.fault is not None:
                content["fault"] = {"code": error.code, "reason": error.reason, "detail": error.detail}
            if isinstance(error, Refused):
                content["name"] = error.name
            if (seconds := getattr(error, "retry_after", None)) is not None:
                content["retry_after"] = seconds
        document(content | ({"next": error.advice} if error.advice else {}))
    else:
        name = error.outcome if isinstance(error, PartnerError) else "Unpresentable"
        place = f"{path}: " if (path := getattr(error, "path", "")) else ""
        aside(f"{name}: {place}{error.message}")
        for one in violations:
            aside(f"  {one}")
        if isinstance(error, PartnerError) and error.detail:
            aside(f"  {error.detail}")
        aside(f"Repeat: {_REPEAT[error.repeat]}. {error.advice}".rstrip())
    raise typer.Exit(1 if wrong else 2)


_REPEAT = {
    "safe": "safe, nothing was done",
    "useless": "no use",
    "unknown": "not certain that nothing was done",
}
