"""Plain data ⇄ values: what JSON and TOML can say, and what the codec takes and gives.

    {"sku": ["A-1"], "asOf": "2026-05-04"}     texts, numbers, lists and tables; text stands for whatever JSON lacks

`Plain.value` turns texts into decimals, dates and bytes where the contract has those, and leaves everything else to the
codec: what does not fit is its mistake to tell, with its path. `plain` goes the other way, for people and programs to read.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from typing import Any

from lxml import etree

from bridge.contract.codec.fields import Field, Layouts
from bridge.contract.codec.simple import Scalar, Scalars
from bridge.contract.codec.values import NIL, ComplexValue, Element, Nil, TypedValue
from bridge.contract.model import ComplexType, ElementDecl, Model, SimpleType
from bridge.errors import EncodeError


class Plain:
    """Reads plain data for the elements of one contract. Safe to use from several threads."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._layouts = Layouts(model)
        self._scalars = Scalars()

    def value(self, name: str, data: Any) -> Any:
        """What `Codec.encode` takes for the global element `name` (Clark name).

        None is nil where the element may be nil, else absent. An item of a repeating choice is `{name = value}` or
        `[name, value]`. Raises EncodeError, with a path, for a text that its type cannot read.
        """
        declaration = self._model.element(name)
        return self._element(declaration, data, f"/{_local(declaration.name)}")

    def _element(self, declaration: ElementDecl, data: Any, path: str) -> Any:
        if data is None:
            return NIL if declaration.nillable else None
        resolved = self._model.type(declaration.type)
        if isinstance(resolved, SimpleType):
            return self._simple(self._scalars.of(resolved), data, path)
        return self._complex(resolved, data, path)

    def _complex(self, actual: ComplexType, data: Any, path: str) -> Any:
        if not isinstance(data, Mapping):
            return data
        fields: dict[str, Field] = {}
        for one in self._layouts.of(actual).fields:
            at = "@" if one.use is not None else ""
            fields.setdefault(at + _local(one.xml_name.removeprefix("@")), one)
            fields[one.xml_name] = fields[one.name] = one
        return {
            name: self._field(fields[name], actual, given, path) if name in fields else given
            for name, given in data.items()
        }

    def _field(self, field: Field, actual: ComplexType, data: Any, path: str) -> Any:
        if field.kind == "items" and isinstance(data, list):
            return [self._item(field, one, path) for one in data]
        if field.use is not None:
            return self._simple(self._scalars.of(field.use.type), data, f"{path}/@{_local(field.use.name)}")
        if field.kind == "text" and actual.simple is not None:
            return self._simple(self._scalars.of(actual.simple), data, path)
        if field.declaration is None:
            return data
        path = f"{path}/{_local(field.declaration.name)}"
        if field.repeated and isinstance(data, list):
            return [
                self._element(field.declaration, one, f"{path}[{number}]")
                for number, one in enumerate(data, 1)
            ]
        return self._element(field.declaration, data, path)

    def _item(self, field: Field, data: Any, path: str) -> Any:
        if isinstance(data, Mapping) and len(data) == 1:
            ((name, given),) = data.items()
        elif isinstance(data, list) and len(data) == 2:
            name, given = data
        else:
            return data
        declaration = field.item_declaration(name) if isinstance(name, str) else None
        if declaration is None:
            return name, given
        return name, self._element(declaration, given, f"{path}/{_local(declaration.name)}")

    def _simple(self, scalar: Scalar, data: Any, path: str) -> Any:
        if isinstance(data, list) and scalar.item is not None:
            return [self._simple(scalar.item, one, path) for one in data]
        if scalar.python == "float" and isinstance(data, int | Decimal) and not isinstance(data, bool):
            return float(data)
        if scalar.python == "Decimal" and isinstance(data, float):
            return Decimal(repr(data))
        if not isinstance(data, str) or scalar.python == "str" or scalar.scoped:
            return data
        try:
            return scalar.decode(data)
        except (ValueError, ArithmeticError):
            raise EncodeError(f"{data!r} is no {scalar.python.split(' ')[0]}.", path=path) from None


def plain(value: Any) -> Any:
    """A decoded value as JSON can say it: tables, lists, texts, numbers; what is absent is left out, nil is None."""
    if isinstance(value, ComplexValue):
        fields = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))  # type: ignore[arg-type]
        return {name: plain(given) for name, given in fields if given is not None and given not in ([], {})}
    if isinstance(value, Nil):
        return None
    if isinstance(value, Element | TypedValue):
        return {_local(value.name if isinstance(value, Element) else value.type): plain(value.value)}
    if isinstance(value, tuple) and len(value) == 2:
        return {str(value[0]): plain(value[1])}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, etree._Element):
        return etree.tostring(value, encoding="unicode", with_tail=False)
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, float) and value - value != 0:  # INF and NaN are no JSON
        return str(value)
    return value


def _local(name: str) -> str:
    return name.rpartition("}")[2]
