"""Python source that writes plain values of one complex type, and the functions it calls."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from bridge.contract.codec.fields import Field, Layout
from bridge.contract.codec.markup import Prefixes, escape, escape_attribute
from bridge.contract.codec.names import Names
from bridge.contract.codec.order import certain_names, document_order
from bridge.contract.codec.simple import Scalars, put_boolean, put_decimal, put_integer
from bridge.contract.model import ANY_TYPE, AttributeUse, ComplexType, ElementDecl, Model, SimpleType


class NotPlain(TypeError):
    """This value needs the complete writer."""


def put_string(value: Any) -> str:
    # Nothing unprintable and none of the three: what `escape` would look for more slowly.
    if (
        value.__class__ is str
        and value.isprintable()
        and "<" not in value
        and "&" not in value
        and ">" not in value
    ):
        return value
    if value.__class__ is not str and not isinstance(value, str):
        raise NotPlain
    return escape(value)


def put_attribute(value: Any) -> str:
    if value.__class__ is not str and not isinstance(value, str):
        raise NotPlain
    return escape_attribute(value)


def not_plain(*_: Any) -> Any:
    raise NotPlain


_OWN_NAMES: dict[object, str] = {
    put_decimal: "put_decimal",
    put_integer: "put_integer",
    put_boolean: "put_boolean",
}
"""The functions that generated code calls by their own names."""
_NEVER_ESCAPED = frozenset({"date", "dateTime", "time", "float", "double", "base64Binary", "hexBinary"})
"""Built-ins whose text is made here, and has no markup in it."""
_NO_XML_NAME = re.compile(r"[\s{}'\"\\\\]").search


class WriterSource:
    """Writes `def E<number>(o, tag)`; no lines for a type that needs the complete writer."""

    def __init__(self, model: Model, scalars: Scalars, prefixes: Prefixes, names: Names) -> None:
        self._model = model
        self._scalars = scalars
        self._prefixes = prefixes
        self._names = names

    def lines(self, number: int, complex_type: ComplexType, layout: Layout) -> Iterator[str]:
        if layout.of_kind("items") or complex_type.abstract or document_order(layout.plan) is None:
            return
        if any(self._is_scoped(f) or _NO_XML_NAME(f.xml_name.rpartition("}")[2]) for f in layout.fields):
            return  # names stand in the source, so a schema that libxml2 has not seen must not bring code in them
        certain = certain_names(complex_type.particle) if complex_type.particle is not None else frozenset()
        yield f"def E{number}(o, tag):"
        yield f"    if o.__class__ is not C{number}:"
        yield f"        o = C{number}(**o) if o.__class__ is dict else not_plain(o)"
        yield "    s = f'<{tag}'"
        for f in layout.fields:
            if f.use is not None:
                yield from self._write_attribute(f, f.use)
            elif f.kind == "any_attribute":
                yield f"    if o.{f.name}: not_plain()"
        # What stands in every message goes into one f-string: as few steps as by hand.
        text = ">"
        if layout.of_kind("text"):
            assert complex_type.simple is not None
            text += "{" + self._put(complex_type.simple, f"o.{layout.of_kind('text')[0].name}") + "}"
        for f in document_order(layout.plan) or ():
            if f.xml_name in certain and not f.repeated and f.declaration and not f.declaration.nillable:
                text += self._write_element(f.declaration, self._tag(f.declaration), f"o.{f.name}")
                continue
            if text:
                yield f"    s += f'{text}'"
                text = ""
            yield from self._write_field(f)
        yield f"    return s + f'{text}</{{tag}}>'"

    def _tag(self, declaration: ElementDecl) -> str:
        return self._prefixes.qualified(declaration.name)

    def _is_scoped(self, f: Field) -> bool:
        if f.use is not None:
            return self._scalars.of(f.use.type).scoped
        if f.declaration is None:
            return False
        resolved = self._model.type(f.declaration.type)
        if isinstance(resolved, ComplexType):
            return resolved.simple is not None and self._scalars.of(resolved.simple).scoped
        return self._scalars.of(resolved).scoped

    def _write_attribute(self, f: Field, use: AttributeUse) -> Iterator[str]:
        name = self._prefixes.qualified(use.name)
        if use.name.startswith("{http://www.w3.org/XML/1998/namespace}"):
            name = f"xml:{use.name.rpartition('}')[2]}"
        put = self._put(use.type, "v", attribute=True)
        yield f"    v = o.{f.name}"
        yield f"    if v is not None: s += f' {name}=\"{{{put}}}\"'"

    def _write_field(self, f: Field) -> Iterator[str]:
        """Lines that write a field that may be absent, nil, or there several times."""
        if f.kind == "wildcard":
            yield f"    for v in o.{f.name}: s += tostring(v, with_tail=False, encoding='unicode')"
            return
        assert f.declaration is not None
        tag, nil = self._tag(f.declaration), f.declaration.nillable
        element = f"f'{self._write_element(f.declaration, tag, 'v')}'"
        yield f"    v = o.{f.name}"
        if f.repeated:
            if nil:
                element = f"('<{tag} xsi:nil=\"true\"/>' if v is NIL else {element})"
            yield "    if v.__class__ is not list: not_plain()"
            yield f"    s += ''.join([{element} for v in v])"
            return
        if nil:
            yield f"    if v is NIL: s += '<{tag} xsi:nil=\"true\"/>'"
        yield f"    {'elif' if nil else 'if'} v is not None: s += {element}"

    def _write_element(self, declaration: ElementDecl, tag: str, value: str) -> str:
        """The inside of an f-string in single quotes that writes one element."""
        resolved = self._model.type(declaration.type)
        if isinstance(resolved, SimpleType):
            return f"<{tag}>{{{self._put(resolved, value)}}}</{tag}>"
        if resolved.name == ANY_TYPE:
            return "{not_plain()}"
        return f'{{E{self._names.number(resolved)}({value}, "{tag}")}}'

    def _put(self, simple: SimpleType, value: str, *, attribute: bool = False) -> str:
        """An expression (without single quotes) that gives a value's text, escaped where it can need it."""
        writer = self._scalars.of(simple)
        known = _OWN_NAMES.get(writer.encode)
        if known is not None:
            return f"{known}({value})"
        if writer.python == "str":
            put = "put_attribute" if attribute else "put_string"
            return f"t if (t := {value}).__class__ is str and t.isalnum() else {put}(t)"
        put = f"{self._names.bind(writer.encode, 'put')}({value})"
        if simple.builtin in _NEVER_ESCAPED:
            return put
        return f"{'escape_attribute' if attribute else 'escape'}({put})"
