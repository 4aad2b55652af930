"""Python source that reads one complex type, for content without xsi attributes and comments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from lxml import etree

from bridge.contract.codec.fields import Field, Layout
from bridge.contract.codec.names import Names
from bridge.contract.codec.order import certain_names, document_order, is_ordered
from bridge.contract.codec.reading import Reader
from bridge.contract.codec.simple import Scalar, Scalars, collapse, decode_scoped
from bridge.contract.model import ANY_TYPE, AttributeUse, ComplexType, ElementDecl, Model, SimpleType

_OWN_NAMES: dict[object, str] = {Decimal: "Decimal", int: "int", collapse: "collapse"}
"""The functions that generated code calls by their own names."""


class ReaderSource:
    """Writes `def D<number>(el)`; no lines for a type that needs the complete reader."""

    def __init__(self, model: Model, scalars: Scalars, reader: Reader, names: Names) -> None:
        self._model = model
        self._scalars = scalars
        self._reader = reader
        self._names = names

    def lines(self, number: int, complex_type: ComplexType, layout: Layout) -> Iterator[str]:
        if layout.of_kind("items", "any_attribute") or len(layout.of_kind("wildcard")) > 1:
            return
        if any(self._heads_group(f) for f in layout.of_kind("element")):
            return
        yield f"def D{number}(el):"
        if layout.of_kind("attribute"):
            yield "    get = el.get"
        certain_order = is_ordered(layout.plan) and not layout.of_kind("wildcard")
        order = document_order(layout.plan) if certain_order else None
        if order is None:
            yield from self._reader_by_name(layout)
        else:
            yield from self._reader_by_order(complex_type, order)
        arguments = ", ".join(self._argument(complex_type, layout, f, order) for f in layout.fields)
        yield f"    return C{number}({arguments})"

    def _heads_group(self, f: Field) -> bool:
        declaration = f.declaration
        if declaration is None or not declaration.is_global:
            return False
        return self._model.substitutes(declaration.name) != (declaration,)

    def _argument(
        self, complex_type: ComplexType, layout: Layout, f: Field, order: tuple[Field, ...] | None
    ) -> str:
        if f.kind == "text":
            assert complex_type.simple is not None
            return self._read_text(complex_type.simple, "el", None)
        if f.use is not None:
            return self._read_attribute(f.use)
        if order is not None and f not in order and f.kind == "element":
            return "[]" if f.repeated else "None"
        return f"f{layout.fields.index(f)}" if order is None else f"v_{f.name}"

    def _reader_by_order(self, complex_type: ComplexType, order: tuple[Field, ...]) -> Iterator[str]:
        certain = certain_names(complex_type.particle) if complex_type.particle is not None else frozenset()
        sure = [f.xml_name in certain and not f.repeated for f in order]
        if not order:
            return
        if all(sure):
            yield f"    {', '.join(f'c_{f.name}' for f in order)}, = el"
            yield from (f"    v_{f.name} = {self._read(f, f'c_{f.name}')}" for f in order)
            return
        if all(sure[:-1]) and order[-1].repeated:
            *first, last = order
            if first:
                yield f"    {', '.join(f'c_{f.name}' for f in first)}, *rest = el"
                yield from (f"    v_{f.name} = {self._read(f, f'c_{f.name}')}" for f in first)
            yield f"    v_{last.name} = [{self._read(last, 'c')} for c in {'rest' if first else 'el'}]"
            return
        yield "    following = iter(el)"
        yield "    c = next(following, END)"
        if not sure[0]:
            yield "    tag = c.tag"
        for index, f in enumerate(order):
            if index == len(order) - 1:
                advance = ""
            elif sure[index + 1] and not f.repeated:
                advance = "; c = next(following, END)"  # the next one is certain: nobody asks its name
            else:
                advance = "; c = next(following, END); tag = c.tag"
            yield from self._read_in_order(f, sure[index], advance)

    def _read_in_order(self, f: Field, is_sure: bool, advance: str) -> Iterator[str]:
        read = self._read(f, "c")
        if f.repeated:
            yield f"    v_{f.name} = []"
            yield f"    while tag == {f.xml_name!r}:"
            yield f"        v_{f.name}.append({read}){advance or '; c = next(following, END); tag = c.tag'}"
        elif is_sure:
            yield f"    v_{f.name} = {read}{advance}"
        else:
            yield f"    if tag == {f.xml_name!r}:"
            yield f"        v_{f.name} = {read}{advance}"
            yield "    else:"
            yield f"        v_{f.name} = None"

    def _reader_by_name(self, layout: Layout) -> Iterator[str]:
        """Any order (xs:all, branches that share names, a wildcard among the elements)."""
        elements, wild = layout.of_kind("element"), layout.of_kind("wildcard")
        for f in (*elements, *wild):
            yield f"    f{layout.fields.index(f)} = {'[]' if f.repeated else 'None'}"
        yield "    for c in el:"
        yield "        tag = c.tag"
        word = "if"
        for f in elements:
            variable = f"f{layout.fields.index(f)}"
            read = self._read(f, "c")
            yield f"        {word} tag == {f.xml_name!r}:"
            yield (
                f"            {variable}.append({read})" if f.repeated else f"            {variable} = {read}"
            )
            word = "elif"
        for f in wild:
            yield "        else:" if elements else "        if True:"
            yield f"            f{layout.fields.index(f)}.append(detach(c))"

    def _read(self, f: Field, variable: str) -> str:
        assert f.declaration is not None
        resolved = self._model.type(f.declaration.type)
        if isinstance(resolved, SimpleType):
            return self._read_text(resolved, variable, f.declaration)
        if resolved.name == ANY_TYPE:
            return f"detach({variable})"
        if resolved.content == "simple" and (f.declaration.default or f.declaration.fixed):
            complete = self._names.bind(self._complete_reader(f.declaration), "read")
            return f"{complete}({variable})"
        return f"D{self._names.number(resolved)}({variable})"

    def _complete_reader(self, declaration: ElementDecl) -> Callable[[etree._Element], Any]:
        return lambda element: self._reader.element(declaration, element)

    def _read_text(self, simple: SimpleType, variable: str, declaration: ElementDecl | None) -> str:
        instead = (declaration.fixed or declaration.default or "") if declaration is not None else ""
        reader = self._scalars.of(simple)
        if reader.scoped:
            scoped = self._names.bind(_scoped_reader(reader), "scoped")
            return f"{scoped}({variable}.text or {instead!r}, {variable})"
        return self._convert(simple, f"{variable}.text or {instead!r}")

    def _convert(self, simple: SimpleType, text: str) -> str:
        reader = self._scalars.of(simple)
        known = _OWN_NAMES.get(reader.decode)
        if known is not None:
            return f"{known}({text})"
        if simple.white_space == "preserve" and reader.python == "str":
            return f"({text})"
        return f"{self._names.bind(reader.decode, 'get')}({text})"

    def _read_attribute(self, use: AttributeUse) -> str:
        reader = self._scalars.of(use.type)
        if reader.scoped:
            scoped = self._names.bind(_scoped_reader(reader), "scoped")
            return f"(None if (raw := get({use.name!r})) is None else {scoped}(raw, el))"
        if use.required:
            return self._convert(use.type, f"get({use.name!r})")
        if use.type.variety == "atomic" and use.type.white_space == "preserve":
            return f"get({use.name!r})"
        return f"(None if (raw := get({use.name!r})) is None else {self._convert(use.type, 'raw')})"


def _scoped_reader(reader: Scalar) -> Callable[[str, etree._Element], Any]:
    return lambda text, element: decode_scoped(reader, text, element.nsmap)
