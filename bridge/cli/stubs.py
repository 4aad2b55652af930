"""`soapbridge contract stubs`: Python types of contracts, for editors and type checkers."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.contracts import open_contract
from bridge.cli.output import AsJson, ConfigFile, finish, say, writing
from bridge.errors import ContractError
from bridge.settings import load

if TYPE_CHECKING:
    from bridge.contract import Contract


def stubs(
    wsdls: Annotated[
        list[str],
        typer.Argument(metavar="WSDL...", help="Files, or names of shipped contracts (purchasing)."),
    ],
    output: Annotated[
        Path, typer.Option("--output", metavar="FOLDER", help="Where the .pyi files go.", file_okay=False)
    ] = Path("stubs"),
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit status 1 when a file is missing or stale.")
    ] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Write a .pyi for each contract: what handlers get and give, for completion and mypy."""
    from bridge.contract.stubs import module_name

    settings = load(config)
    texts: dict[Path, str] = {}
    services: list[str] = []
    for wsdl in wsdls:
        contract = open_contract(wsdl, settings)
        path = output / f"{module_name(contract)}.pyi"
        if path in texts:
            raise ContractError(
                f"Two contracts would both be {path}.",
                file=wsdl,
                advice="Give one of them a folder of its own.",
            )
        texts[path], service = stub_text(contract, wsdl, output, config)
        services.append(f"from {output.name}.{path.stem} import {service}")
    stale = [path for path, text in texts.items() if not path.is_file() or path.read_text("utf-8") != text]
    if not check:
        for path in stale:
            with writing(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(texts[path], encoding="utf-8")
    if not as_json:
        for path in texts:
            state = "as it should be" if path not in stale else "missing or stale" if check else "written"
            say(f"{path}: {state}")
    if check and stale:
        next_step = f"Make them anew: {command(wsdls, output, config)}"
    else:
        next_step = f"In your service, under `if TYPE_CHECKING:`: {services[0]}"
    finish(
        next_step,
        ok=not (check and stale),
        as_json=as_json,
        content={"files": [str(path) for path in texts], "stale": [str(path) for path in stale]},
    )


def stub_text(contract: Contract, wsdl: str, output: Path, config: str | None = None) -> tuple[str, str]:
    """The text of a contract's stub, with the command that makes it at its head; and the name of its service.

    Raises:
        ContractError: none of its operations can be used.
    """
    from bridge.contract.stubs import Stub

    stub = Stub(contract, made_by=command([wsdl], output, config))
    if not stub.operations:
        raise ContractError(
            "No operation of it can be used, so there is nothing to write down.",
            file=wsdl,
            advice=f"See why: soapbridge contract check {shlex.quote(wsdl)}",
        )
    return stub.text(), stub.service


def command(wsdls: list[str], output: Path, config: str | None = None) -> str:
    """The command line that makes stubs, for people to repeat."""
    words = ["soapbridge", "contract", "stubs", *wsdls]
    words += [] if output == Path("stubs") else ["--output", str(output)]
    return shlex.join([*words, *(["--config", config] if config else [])])
