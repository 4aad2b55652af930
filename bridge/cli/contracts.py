"""Finding the contract that a command is about."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.completion import wsdls
from bridge.errors import ContractError
from bridge.settings import Settings
from bridge.shipped import contracts

if TYPE_CHECKING:
    from bridge.contract import Contract, Operation

Wsdl = Annotated[
    str,
    typer.Argument(
        metavar="WSDL",
        help="A file, or the name of a shipped contract (purchasing, events).",
        autocompletion=wsdls,
    ),
]


def open_contract(name: str, settings: Settings) -> Contract:
    """The contract of a file, a URL (where settings allow it) or a shipped contract's name.

    Raises:
        ContractError: there is none, or it cannot be read.
    """
    from bridge.contract import load

    shipped = contracts("erp") | contracts("crm")
    location: str | Path = name
    if not Path(name).exists() and "://" not in name:
        if name not in shipped:
            raise ContractError(
                f"There is no file {name} and no shipped contract of that name.",
                advice=f"Shipped are {', '.join(sorted(shipped))}.",
            )
        location = shipped[name]
    return load(location, catalog=settings.contracts.catalog, remote=settings.contracts.remote)


def shipped_contracts(settings: Settings) -> list[Contract]:
    """Every shipped contract that we answer."""
    return [open_contract(name, settings) for name in contracts()]


def find_operation(contract: Contract, name: str) -> Operation:
    """The operation by key, or by a name that only one has, whatever its case. Raises OperationUnavailable."""
    if name not in contract.operations:
        alike = [key for key, found in contract.operations.items() if found.name.lower() == name.lower()]
        if len(alike) == 1:
            name = alike[0]
    return contract.operation(name)


def local(name: str | None) -> str:
    """The local part of a Clark name, for people; "(empty)" for no element."""
    return "(empty)" if name is None else name.rpartition("}")[2]
