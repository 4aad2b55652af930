"""Header blocks of a request: the declared ones that were given, as text that the contract admits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from bridge.contract import Contract, Operation
from bridge.errors import EncodeError, InvalidRequest, Unpresentable
from bridge.soap.masking import is_secret
from bridge.soap.xml import read_own


def header_blocks(
    contract: Contract, operation: Operation, given: Mapping[str, Any], *, secret: Collection[str] = ()
) -> str:
    """The blocks one after the other. `given` are values by Clark or local name; of `secret` ones no error shows a value.

    Raises:
        Unpresentable: one is not declared, breaks the contract, or is missing.
        TypeError: a value of another contract's class.
    """
    declared = {header.name: header for header in operation.input_headers}
    named = {_clark(name, declared): value for name, value in given.items()}
    problems = [f"{name} is not declared" for name in named if name not in declared]
    problems += [f"{name} is missing" for name, one in declared.items() if one.required and name not in named]
    if problems:
        raise Unpresentable(
            f"The headers of {operation.name} are not those it declares: {', '.join(problems)}.",
            advice=f"It declares: {', '.join(declared) or 'none'}.",
        )
    return "".join(_block(contract, name, value, is_secret(name, secret)) for name, value in named.items())


def _block(contract: Contract, name: str, value: Any, secret: bool) -> str:
    try:
        text = contract.codec.encode(name, value)
        source = text.encode()
        contract.guard.check(name, read_own(source), source=source, error=InvalidRequest, what="header")
    except (EncodeError, InvalidRequest) as error:
        if secret:  # journal and log repeat what is wrong with a value, and that is the value
            raise Unpresentable(
                f"The header {name} breaks its contract; what it holds is secret.",
                advice="Correct its value.",
            ) from None
        if isinstance(error, TypeError):
            raise
        violations = error.violations if isinstance(error, InvalidRequest) else ()
        raise Unpresentable(
            f"The header {name}: {error.message}",
            violations=violations,
            advice=error.advice or "Correct its value.",
        ) from error
    return text


def _clark(name: str, declared: Collection[str]) -> str:
    """The declared header of that local name, where it is one; else the name."""
    return next((one for one in declared if one.rpartition("}")[2] == name), name)
