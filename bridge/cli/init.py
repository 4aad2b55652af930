"""`soapbridge init`: a project that runs, made of a WSDL."""

from __future__ import annotations

import functools
import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.completion import operations
from bridge.cli.contracts import open_contract
from bridge.cli.output import AsJson, ConfigFile, aside, finish, say, writing
from bridge.errors import ContractError, SettingsError
from bridge.settings import load

if TYPE_CHECKING:
    from bridge.contract import Contract
    from bridge.starter import Plan

_WSDL_FOLDER = "wsdl"


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="NAME", help="The folder to make; it must not be there yet.")
    ],
    wsdl: Annotated[
        str,
        typer.Option("--wsdl", metavar="FILE", help="The contract to answer, or the name of a shipped one."),
    ],
    operation: Annotated[
        list[str] | None,
        typer.Option(
            "--operation", help="Only this operation; may be given several times.", autocompletion=operations
        ),
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Make a project of a WSDL: handlers, settings, samples, a test and types. It runs at once and its test passes."""
    if folder.exists():
        raise SettingsError(f"{folder} is there already.", advice="Take another name; nothing was written.")
    original = open_contract(wsdl, load(config))
    # Made near its place and moved there whole: a project is there, or nothing is.
    near = next(parent for parent in folder.absolute().parents if parent.is_dir())
    with writing(folder), tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=near) as made:
        project = Path(made) / folder.name
        try:
            plan = _write(project, folder.name, original, operation or [])
        except ContractError as error:
            theirs = f"{Path(original.file).parent}/"
            said = str(error).replace(f"{project}/{_WSDL_FOLDER}/", theirs)
            said = said.replace(f"\n- {_WSDL_FOLDER}/", f"\n- {theirs}")
            finish(
                f"Nothing was written. {said}",
                ok=False,
                as_json=as_json,
                content={"folder": None, "problem": said},
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
        project.rename(folder)
    for key, reason in plan.left_out.items():
        aside(f"warning: {key} is left out: {reason}")
    for problem in plan.problems:
        aside(f"warning: `soapbridge check` will not be content: {problem}")
    if not as_json:
        handlers = len(plan.operations)
        say(
            f"{folder}: {handlers} handler{'s' if handlers > 1 else ''} in service.py, with samples and a test."
        )
        for line in ("soapbridge check service:bridge", "pytest", "soapbridge serve service:bridge"):
            say(f"  {line}")
    finish(
        f"Next: cd {shlex.quote(str(folder))}, run these, then edit service.py.",
        as_json=as_json,
        content={
            "folder": str(folder),
            "operations": [found.operation.key for found in plan.operations],
            "left_out": plan.left_out,
            "problems": list(plan.problems),
        },
    )


def _write(project: Path, name: str, original: Contract, wanted: list[str]) -> Plan:
    """Writes the contract's copy, then all that is made of that copy."""
    from bridge.cli.sample import sample_text
    from bridge.cli.stubs import command
    from bridge.contract import load as load_contract
    from bridge.contract.stubs import Stub
    from bridge.starter import plan as plan_project
    from bridge.starter import project as texts

    copies = original.copies()
    for path, content in copies.files.items():
        _put(project / _WSDL_FOLDER / path, content)
    contract = load_contract(
        project / _WSDL_FOLDER / copies.wsdl, catalog=project / _WSDL_FOLDER if copies.needs_catalog else None
    )
    wsdl = f"{_WSDL_FOLDER}/{copies.wsdl}"
    plan = plan_project(contract, functools.partial(sample_text, contract), wanted, root=f"{project}/")
    stub = Stub(contract, made_by=command([wsdl], Path("stubs")))
    made = texts(plan, stub, name=name, wsdl=wsdl, catalog=copies.needs_catalog)
    for path, text in made.items():
        _put(project / path, text.encode())
    return plan


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
