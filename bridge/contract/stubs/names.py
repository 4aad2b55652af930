"""Which types a contract's operations can bring along, and what each is called in Python.

Walked from the operations on, so that a stub reads from the messages down and holds nothing that no message can hold.
Derived types (xsi:type) and substitutes come along, because a message may hold them.
"""

from __future__ import annotations

import keyword
import re
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from bridge.contract.codec.classes import class_name
from bridge.contract.codec.fields import Field, python_name
from bridge.contract.model import ANY_TYPE, ComplexType, ElementDecl, SimpleType, TypeRef

if TYPE_CHECKING:
    from bridge.contract import Contract

MOST_ENUMERATED = 400
"""Values of an enumeration that a stub lists; a longer one (all languages of the world) is a plain str there."""


def module_name(contract: Contract) -> str:
    """What the stub is called: the contract's name as a Python module, with its major version from 2 on."""
    name = contract.name if contract.major == 1 else f"{contract.name}_{contract.major}"
    name = re.sub(r"\W+", "_", name.lower()).strip("_") or "contract"
    if name[0].isdigit():
        name = f"contract_{name}"
    return f"{name}_" if keyword.iskeyword(name) else name


class TypeNames:
    """The types in the order in which the operations lead to them.

    `complex_types` by Python name: the class's own, with a number where two have the same. `enumerations`, likewise, are the
    named simple types that list their values.
    """

    def __init__(self, contract: Contract) -> None:
        contract.compile()  # finds the operations that cannot be used
        self._model = contract.model
        self._codec = contract.codec
        self._taken: set[str] = set()
        self._names: dict[str, str] = {}
        self._enumerations: dict[str, str] = {}
        self.complex_types: dict[str, ComplexType] = {}
        self.enumerations: dict[str, SimpleType] = {}
        self._waiting: deque[TypeRef] = deque()
        for operation in contract.operations.values():
            if operation.problem is None:
                for element in (*operation.elements, *operation.optional_elements):
                    self._waiting.append(self._model.element(element).type)
        while self._waiting:
            self._meet(self._model.type(self._waiting.popleft()))

    def of(self, complex_type: ComplexType) -> str:
        """The Python name of a type that was met."""
        return self._names[complex_type.identity]

    def of_enumeration(self, simple: SimpleType) -> str | None:
        """The alias of a named simple type that lists its values; None for any other."""
        return self._enumerations.get(simple.name or "")

    def free(self, wanted: str) -> str:
        """`wanted`, with a number behind it where a type has that name, and taken from now on."""
        name, number = wanted, 1
        while {name, f"{name}Dict"} & self._taken:
            number += 1
            name = f"{wanted}_{number}"
        self._taken |= {name, f"{name}Dict"}
        return name

    def standing_for(self, declaration: ElementDecl) -> tuple[ElementDecl, ...]:
        """The declarations whose elements may stand in its place: itself, unless it is abstract, and its substitutes."""
        return self._model.substitutes(declaration.name) if declaration.is_global else (declaration,)

    def _meet(self, found: SimpleType | ComplexType) -> None:
        if isinstance(found, SimpleType):
            self._meet_simple(found)
        elif found.identity not in self._names and found.name != ANY_TYPE:
            name = self.free(class_name(found))
            self._names[found.identity] = name
            self.complex_types[name] = found
            layout = self._codec.layout_of(found)
            if layout.base is not None:
                self._waiting.append(layout.base)
            if found.simple is not None:
                self._meet_simple(found.simple)
            self._waiting.extend(ref for field in layout.fields for ref in self._leads_to(field))
            if found.name is not None:
                self._waiting.extend(self._model.derived(found.name))

    def _leads_to(self, field: Field) -> Iterable[TypeRef]:
        if field.use is not None:
            yield field.use.type
        declared = field.items.values() if field.declaration is None else (field.declaration,)
        for declaration in declared:
            yield declaration.type
            yield from (other.type for other in self.standing_for(declaration))

    def _meet_simple(self, simple: SimpleType) -> None:
        for part in (simple.item, *simple.members):
            if part is not None:
                self._meet_simple(part)
        if simple.name is None or simple.name in self._enumerations:
            return
        if 1 < len(simple.enumeration) <= MOST_ENUMERATED and simple.variety == "atomic":
            name = self.free(python_name(simple.name, set()))
            self._enumerations[simple.name] = name
            self.enumerations[name] = simple
