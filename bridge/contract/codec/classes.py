"""One slots dataclass for every complex type, made when the first value of it is.

Extension and restriction are real inheritance, so `isinstance` answers what the schema says.
"""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

from bridge.contract.codec.fields import Field, Layouts, python_name
from bridge.contract.codec.values import ComplexValue
from bridge.contract.model import ComplexType, Model


class Classes:
    """The classes of a contract's complex types, by the type's identity."""

    def __init__(self, model: Model, layouts: Layouts) -> None:
        self._model = model
        self._layouts = layouts
        self._made: dict[str, type[ComplexValue]] = {}
        self._lock = threading.RLock()

    def of(self, complex_type: ComplexType) -> type[ComplexValue]:
        made = self._made.get(complex_type.identity)
        if made is None:
            with self._lock:  # two classes for one type would each refuse the other's values
                made = self._made.get(complex_type.identity) or self._make(complex_type)
                self._made[complex_type.identity] = made
        return made

    def owns(self, cls: type[ComplexValue]) -> bool:
        return self._made.get(cls.xml_type) is cls

    def _make(self, complex_type: ComplexType) -> type[ComplexValue]:
        layout = self._layouts.of(complex_type)
        base: type[ComplexValue] = ComplexValue
        if layout.base is not None:
            base = self._base_class(layout.base)
        own = [(f.name, Any, _default(f)) for f in layout.fields[layout.inherited :]]
        short = {_without_namespace(f.xml_name): f.name for f in reversed(layout.fields)}
        exact = {f.xml_name or f.name: f.name for f in layout.fields}
        made = dataclasses.make_dataclass(
            class_name(complex_type),
            own,
            bases=(base,),
            namespace={
                # With a docstring of its own, dataclass need not work out the signature: half the cost of a class.
                "__doc__": next((d.text for d in complex_type.documentation), complex_type.identity),
                "xml_type": complex_type.identity,
                "xml_names": {**short, **exact},
            },
            slots=True,
        )
        made.__module__ = __name__
        return made

    def _base_class(self, identity: str) -> type[ComplexValue]:
        base = self._model.type(identity)
        assert isinstance(base, ComplexType)
        return self.of(base)


def class_name(complex_type: ComplexType) -> str:
    """The type's local name; for an anonymous type that of the element around it, in CamelCase."""
    local = complex_type.identity.rpartition("}")[2].rstrip("/").rpartition("/")[2]
    name = python_name(local, set())
    return name if complex_type.name is not None else name[:1].upper() + name[1:]


def _default(f: Field) -> Any:
    if f.kind == "any_attribute":
        return dataclasses.field(default_factory=dict)
    return dataclasses.field(default_factory=list) if f.repeated else None


def _without_namespace(xml_name: str) -> str:
    """`{namespace}local` as `local`, `@{namespace}local` as `@local`."""
    at = "@" if xml_name.startswith("@") else ""
    return at + xml_name.removeprefix("@").rpartition("}")[2]
