"""The names that generated functions know each other by."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from bridge.contract.model import ComplexType

Make = Callable[[str, int, ComplexType], None]


class Names:
    """One namespace for all generated functions of a contract: `D7` reads type 7, `E7` writes it, `C7` is its class.

    A function is made by `make` when it is first called; until then its name is bound to one that makes it.
    """

    def __init__(self, known: dict[str, Any], make: Make) -> None:
        self.namespace = known
        self._make = make
        self._lock = threading.RLock()
        self._numbers: dict[str, int] = {}
        self._final: set[str] = set()
        self._bound: dict[int, tuple[object, str]] = {}

    def function(self, letter: str, complex_type: ComplexType) -> Any:
        """The finished function."""
        number = self.number(complex_type)
        with self._lock:
            if f"{letter}{number}" not in self._final:
                self._make(letter, number, complex_type)
                self._final.add(f"{letter}{number}")
        return self.namespace[f"{letter}{number}"]

    def number(self, complex_type: ComplexType) -> int:
        """The number in the type's function names."""
        number = self._numbers.get(complex_type.identity)
        if number is not None:
            return number
        with self._lock:
            number = self._numbers.get(complex_type.identity, len(self._numbers))
            if complex_type.identity not in self._numbers:
                self.namespace[f"D{number}"] = self._first_use("D", complex_type)
                self.namespace[f"E{number}"] = self._first_use("E", complex_type)
                self._numbers[complex_type.identity] = number
        return number

    def bind(self, thing: object, hint: str) -> str:
        """A name for an object that generated code uses."""
        known = self._bound.get(id(thing))
        if known is None:
            with self._lock:
                known = self._bound.setdefault(id(thing), (thing, f"{hint}_{len(self._bound)}"))
                self.namespace[known[1]] = thing
        return known[1]

    def _first_use(self, letter: str, complex_type: ComplexType) -> Callable[..., Any]:
        def make_and_call(*args: Any) -> Any:
            return self.function(letter, complex_type)(*args)

        return make_and_call
