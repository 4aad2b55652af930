"""A contract as Python types, for editors and type checkers: the text of a `.pyi`, and the same names at run time.

A handler gets instances of the codec's classes; a `Stub` writes down what their fields hold, so that `order.line[0].sku` is
completed and a misspelt name is found before a request is. `Types` gives the very classes by the names of the stub.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.contract.stubs.names import TypeNames, module_name
from bridge.contract.stubs.text import Stub

if TYPE_CHECKING:
    from bridge.contract import Contract

__all__ = ["Stub", "TypeNames", "Types", "module_name"]


class Types:
    """The classes of a contract's complex types by their names in the stub: `orders.types.Line(sku="A-1")`.

    For `isinstance`, and for values whose type a dict cannot say: members of an abstract type.
    """

    def __init__(self, contract: Contract) -> None:
        self._codec = contract.codec
        self._known = TypeNames(contract).complex_types

    def __getattr__(self, name: str) -> type[Any]:
        found = self._known.get(name)
        if found is None:
            raise AttributeError(
                f"The contract has no type {name}. It has: {', '.join(sorted(self._known))}."
            )
        return self._codec.class_of(found)

    def __dir__(self) -> list[str]:
        return sorted(self._known)
