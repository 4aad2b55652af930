"""Reading and writing the common messages at the speed of hand-written code: Python source made from the layout.

One function a type and direction, made when the first value of the type passes. A reader trusts the order that the schema
has just confirmed, so a required element costs no look at its name. A writer takes plain values only. Everything else
(xsi:type, items, mixed content, a mistake) is left to `reading` and `writing`, which must give the same.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from lxml import etree

from bridge.contract.codec.classes import Classes
from bridge.contract.codec.fields import Layouts
from bridge.contract.codec.markup import Prefixes, detach, escape, escape_attribute
from bridge.contract.codec.names import Names
from bridge.contract.codec.reader_source import ReaderSource
from bridge.contract.codec.reading import Reader, type_identity
from bridge.contract.codec.simple import Scalars, collapse, put_boolean, put_decimal, put_integer
from bridge.contract.codec.values import NIL
from bridge.contract.codec.writer_source import WriterSource, not_plain, put_attribute, put_string
from bridge.contract.model import ANY_TYPE, XSI, ComplexType, ElementDecl, Model, SimpleType


class _End:
    """Stands after an element's last child."""

    tag = None


_KNOWN: dict[str, Any] = {
    "Decimal": Decimal,
    "collapse": collapse,
    "detach": detach,
    "put_string": put_string,
    "put_attribute": put_attribute,
    "put_decimal": put_decimal,
    "put_integer": put_integer,
    "put_boolean": put_boolean,
    "escape": escape,
    "escape_attribute": escape_attribute,
    "not_plain": not_plain,
    "tostring": etree.tostring,
    "END": _End,
    "NIL": NIL,
}


class Generated:
    """The generated readers and writers of one contract."""

    def __init__(
        self,
        model: Model,
        layouts: Layouts,
        classes: Classes,
        scalars: Scalars,
        reader: Reader,
        prefixes: Prefixes,
    ) -> None:
        self._model = model
        self._layouts = layouts
        self._classes = classes
        self._reader = reader
        self._names = Names(dict(_KNOWN), self._make)
        self._readers = ReaderSource(model, scalars, reader, self._names)
        self._writers = WriterSource(model, scalars, prefixes, self._names)

    def reader(self, complex_type: ComplexType) -> Callable[[etree._Element], Any]:
        """element → value, for content without xsi attributes and comments."""
        found: Callable[[etree._Element], Any] = self._names.function("D", complex_type)
        return found

    def writer(self, complex_type: ComplexType) -> Callable[[Any, str], str]:
        """(value, qualified tag) → element text. Raises TypeError for all but plain values."""
        found: Callable[[Any, str], str] = self._names.function("E", complex_type)
        return found

    def _make(self, letter: str, number: int, complex_type: ComplexType) -> None:
        layout = self._layouts.of(complex_type)
        namespace = self._names.namespace
        namespace[f"C{number}"] = self._classes.of(complex_type)
        source = self._readers if letter == "D" else self._writers
        lines = list(source.lines(number, complex_type, layout))
        if lines:
            code = compile("\n".join(lines), f"<{complex_type.identity} {letter}>", "exec")
            exec(code, namespace)  # noqa: S102 - our own source: names are checked, values are literals
        elif letter == "D":
            complete = self._reader.complex
            namespace[f"D{number}"] = lambda element: complete(complex_type, element)
        else:
            namespace[f"E{number}"] = not_plain

    def namespaces(self, declaration: ElementDecl) -> frozenset[str]:
        """Every namespace that plain values of this element can use; xsi where something may be nil."""
        found: set[str] = set()
        seen: set[str] = set()
        waiting: list[ElementDecl] = [declaration]
        while waiting:
            current = waiting.pop()
            found.add(_namespace(current.name))
            if current.nillable:
                found.add(XSI)
            resolved = self._model.type(current.type)
            identity = type_identity(current.type)
            if (
                isinstance(resolved, SimpleType)
                or identity is None
                or identity in seen
                or identity == ANY_TYPE
            ):
                continue
            seen.add(identity)
            found.update(_namespace(use.name) for use in resolved.attributes)
            waiting.extend(
                d
                for f in self._layouts.of(resolved).fields
                for d in (f.declaration, *f.items.values())
                if d is not None
            )
        return frozenset(found - {"", "http://www.w3.org/XML/1998/namespace"})


def _namespace(clark: str) -> str:
    return clark[1:].rpartition("}")[0] if clark.startswith("{") else ""
