"""What is wrong with fields that settings name, before the first message shows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from bridge.contract import Contract, Operation
from bridge.errors import BridgeError
from bridge.fields import places
from bridge.fields.path import Field
from bridge.fields.places import Place


def secret_mistakes(contract: Contract, texts: Iterable[str], where: str) -> list[str]:
    """A sentence for each field declared secret that no message has, or that messages may hold under another name."""
    mistakes = []
    fields: list[Field] = []
    for text in texts:
        try:
            fields.append(Field.read(text))
        except ValueError as error:
            mistakes.append(f"{where}: {error}.")
    for field in fields:
        try:
            operation = operation_of(contract, field)
            found = [
                one
                for one in (operation.input, *answers(operation))
                if one is not None and places.find(contract.model, one, field.path) is not None
            ]
        except (ValueError, BridgeError) as error:
            mistakes.append(f"{where}: {error}.")
            continue
        if not found:
            mistakes.append(f"{where}: no message of {operation.key} has {field.path}.")
        named = {step for other in fields if other.operation == field.operation for step in other.path.steps}
        others = {name for one in found for name in places.stand_ins(contract.model, one, field.path)}
        if missing := sorted(others - named):
            mistakes.append(
                f"{where}: in {field} other elements may stand in the place of what is named: "
                f"{', '.join(missing)}. Name them too."
            )
    return mistakes


def operation_of(contract: Contract, field: Field) -> Operation:
    """Raises ValueError when the contract has no such operation, or it cannot be used."""
    found = contract.operations.get(field.operation)
    if found is None:
        near = get_close_matches(field.operation, contract.operations, n=1)
        guess = f"did you mean {near[0]}? " if near else ""
        raise ValueError(
            f"{contract.file} has no operation {field.operation}; {guess}there are {', '.join(contract.operations)}"
        )
    if found.problem is not None:
        raise ValueError(f"{field.operation} cannot be used: {found.problem}")
    return found


def answers(operation: Operation) -> Iterator[str]:
    """The elements that an operation answers with: its output's, its faults'."""
    if operation.output is not None:
        yield operation.output
    yield from operation.faults.values()


def hidden_places(contract: Contract, field: Field) -> dict[str, Place]:
    """Where a field is to be hidden, by the element of the answer.

    Raises:
        ValueError: there is no such field, or an answer cannot be without it.
    """
    operation = operation_of(contract, field)
    found = {
        element: place
        for element in answers(operation)
        if (place := places.find(contract.model, element, field.path)) is not None
    }
    if not found:
        raise ValueError(f"no answer of {operation.key} has {field.path}")
    for place in found.values():
        if place.how is None:
            raise ValueError(f"{field} cannot be hidden: {place.why}")
    return found
