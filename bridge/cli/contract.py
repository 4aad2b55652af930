"""`soapbridge contract`: what a WSDL offers, whether it can be used, and how the engine does over many of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.contracts import Wsdl, local, open_contract
from bridge.cli.output import AsJson, ConfigFile, finish, say, table
from bridge.cli.stubs import stubs
from bridge.settings import load

if TYPE_CHECKING:
    from bridge.contract import Contract, Operation
    from bridge.errors import ContractError

app = typer.Typer(help="Show or check a contract, or write its Python types.", no_args_is_help=True)
app.command("stubs")(stubs)


@app.command("show")
def show(wsdl: Wsdl, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """What a contract offers: operations, elements, faults, ports."""
    contract = open_contract(wsdl, load(config))
    operations = list(contract.operations.values())
    if not as_json:
        _print(contract, operations)
    usable = [found for found in operations if found.problem is None]
    example = usable[0].key if usable else "OPERATION"
    finish(
        f"A message to start from: soapbridge sample {wsdl} {example}",
        as_json=as_json,
        content={
            "file": contract.file,
            "name": contract.name,
            "major": contract.major,
            "operations": [_operation(found) for found in operations],
            "ports": [
                {
                    "service": port.service,
                    "name": port.name,
                    "address": port.address,
                    "soap": port.soap_version,
                }
                for port in contract.ports
            ],
        },
    )


def _print(contract: Contract, operations: list[Operation]) -> None:
    say(f"{contract.name}, major version {contract.major}", "bold")
    say(contract.file)
    say()
    table(
        ("operation", "request", "reply", "declared faults", "SOAP", "usable"),
        (
            (
                found.key,
                local(found.input),
                "(one-way)" if found.one_way else local(found.output),
                ", ".join(found.faults),
                " ".join(sorted(found.soap_versions)) or "any",
                "no" if found.problem else "yes",
            )
            for found in operations
        ),
    )
    say()
    table(
        ("service", "port", "SOAP", "address in the WSDL"),
        ((port.service, port.name, port.soap_version or "other", port.address) for port in contract.ports),
    )
    say()


def _operation(found: Operation) -> dict[str, Any]:
    return {
        "key": found.key,
        "style": found.style,
        "one_way": found.one_way,
        "input": found.input,
        "output": found.output,
        "input_headers": [
            {"name": header.name, "required": header.required} for header in found.input_headers
        ],
        "faults": dict(found.faults),
        "soap_actions": sorted(found.soap_actions),
        "soap_versions": sorted(found.soap_versions),
        "documentation": [{"language": note.language, "text": note.text} for note in found.documentation],
        "problem": str(found.problem) if found.problem else None,
    }


@app.command("check")
def check(wsdl: Wsdl, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Whether a contract can be used as it is: reads and compiles all of it, and lists every problem."""
    from bridge.errors import ContractError

    contract = open_contract(wsdl, load(config))
    try:
        contract.compile()
    except ContractError as error:
        problems: list[ContractError] = [
            error,
            *(found for found in contract.problems if str(found) != str(error)),
        ]
    else:
        problems = list(contract.problems)
    operations = list(contract.operations.values())
    usable = sum(found.problem is None for found in operations)
    if not as_json:
        for problem in problems:
            say(str(problem), "red")
        say(f"{usable} of {len(operations)} operations can be used.")
    next_step = (
        f"Nothing to mend. Its operations: soapbridge contract show {wsdl}"
        if not problems
        else "Mend the places above and check again. Operations without a problem can be used meanwhile."
    )
    finish(
        next_step,
        ok=not problems,
        as_json=as_json,
        content={
            "file": contract.file,
            "operations": len(operations),
            "usable": usable,
            "problems": [
                {
                    "file": problem.file,
                    "line": problem.line,
                    "message": problem.message,
                    "advice": problem.advice,
                }
                for problem in problems
            ],
        },
    )


_CENSUS_KEYS = ("name", "complete", "operations", "works", "messages", "envelopes", "refused", "reason")


@app.command("corpus")
def corpus(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Each subfolder with a WSDL is one contract.")
    ],
    catalog: Annotated[
        list[Path] | None,
        typer.Option(
            "--catalog", metavar="FOLDER", help="Schemas to import from; FOLDER/_standard where there is one."
        ),
    ] = None,
    least: Annotated[
        int | None,
        typer.Option(
            "--least", metavar="N", help="Fail when fewer contracts are complete; else all must be."
        ),
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a page for documentation.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Put every contract of a folder to the test: each operation sampled, validated, decoded, encoded, compared."""
    from bridge.contract import Catalog
    from bridge.contract.census import COLUMNS, page, row, take

    standard = folder / "_standard"
    folders = [*(catalog or ([standard] if standard.is_dir() else [])), *load(config).contracts.catalog]
    findings = take(folder, Catalog(folders))
    complete = sum(finding.complete for finding in findings)
    if markdown:
        typer.echo(page(findings), nl=False)
        return
    if not as_json:
        table(COLUMNS, (row(finding) for finding in findings))
        say()
        say(f"{complete} of {len(findings)} contracts with every operation.")
    ok = complete >= (len(findings) if least is None else least)
    finish(
        "One of them in detail: soapbridge contract check WSDL",
        ok=ok,
        as_json=as_json,
        content={
            "complete": complete,
            "contracts": [dict(zip(_CENSUS_KEYS, cells, strict=True)) for cells in map(row, findings)],
        },
    )
