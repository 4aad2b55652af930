"""Reading and writing the common messages at the speed of hand-written code: Python source made from the layout.

One function a type and direction, made when the first value of the type passes. A reader trusts the order that the schema
has just confirmed, so a required element costs no look at its name. A writer takes plain values only. Everything else
(xsi:type, items, mixed content, a mistake) is left to `reading` and `writing`, which must give the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from lxml import etree

from bridge.contract.codec.classes import Classes
from bridge.contract.codec.fields import Choice, Field, Layout, Layouts, Plan
from bridge.contract.codec.markup import Prefixes, detach, escape, escape_attribute
from bridge.contract.codec.reading import Reader, type_identity
from bridge.contract.codec.simple import (
    Scalar,
    Scalars,
    collapse,
    decode_scoped,
    put_boolean,
    put_decimal,
    put_integer,
)
from bridge.contract.codec.values import NIL
from bridge.contract.model import (
    ANY_TYPE,
    XSI,
    AttributeUse,
    ComplexType,
    ElementDecl,
    Group,
    Model,
    Particle,
    SimpleType,
)


class NotPlain(TypeError):
    """This value needs the complete writer."""


class _End:
    """Stands after an element's last child."""

    tag = None


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


_READERS: dict[object, str] = {Decimal: "Decimal", int: "int", collapse: "collapse"}
_WRITERS: dict[object, str] = {
    put_decimal: "put_decimal",
    put_integer: "put_integer",
    put_boolean: "put_boolean",
}
"""The functions that generated code calls by their own names."""
_NEVER_ESCAPED = frozenset({"date", "dateTime", "time", "float", "double", "base64Binary", "hexBinary"})
"""Built-ins whose text is made here, and has no markup in it."""


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
        self._scalars = scalars
        self._reader = reader
        self._prefixes = prefixes
        self._lock = threading.RLock()
        self._numbers: dict[str, int] = {}
        self._final: set[str] = set()
        self._bound: dict[int, tuple[object, str]] = {}
        self.namespace: dict[str, Any] = {
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

    def reader(self, complex_type: ComplexType) -> Callable[[etree._Element], Any]:
        """element → value, for content without xsi attributes and comments."""
        found: Callable[[etree._Element], Any] = self._made("D", complex_type)
        return found

    def writer(self, complex_type: ComplexType) -> Callable[[Any, str], str]:
        """(value, qualified tag) → element text. Raises TypeError for all but plain values."""
        found: Callable[[Any, str], str] = self._made("E", complex_type)
        return found

    def _made(self, letter: str, complex_type: ComplexType) -> Any:
        number = self._number(complex_type)
        with self._lock:
            if f"{letter}{number}" not in self._final:
                self._make(letter, number, complex_type)
                self._final.add(f"{letter}{number}")
        return self.namespace[f"{letter}{number}"]

    def _number(self, complex_type: ComplexType) -> int:
        """The number in the type's function names; on first sight, binds functions that make themselves."""
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

    def _first_use(self, letter: str, complex_type: ComplexType) -> Callable[..., Any]:
        def make_and_call(*args: Any) -> Any:
            return self._made(letter, complex_type)(*args)

        return make_and_call

    def _make(self, letter: str, number: int, complex_type: ComplexType) -> None:
        layout = self._layouts.of(complex_type)
        self.namespace[f"C{number}"] = self._classes.of(complex_type)
        lines = list(
            self._reader_source(number, complex_type, layout)
            if letter == "D"
            else self._writer_source(number, complex_type, layout)
        )
        if not lines:
            complete = self._reader.complex
            self.namespace[f"{letter}{number}"] = (
                (lambda element: complete(complex_type, element)) if letter == "D" else not_plain
            )
            return
        source = "\n".join(lines)
        exec(compile(source, f"<{complex_type.identity} {letter}>", "exec"), self.namespace)  # noqa: S102 - our own source

    def _bind(self, thing: object, hint: str) -> str:
        """A name for an object that generated code uses."""
        known = self._bound.get(id(thing))
        if known is None:
            known = self._bound.setdefault(id(thing), (thing, f"{hint}_{len(self._bound)}"))
            self.namespace[known[1]] = thing
        return known[1]

    # -- readers ----------------------------------------------------------------------------------------------

    def _reader_source(self, number: int, complex_type: ComplexType, layout: Layout) -> Iterator[str]:
        if layout.of_kind("items", "any_attribute") or len(layout.of_kind("wildcard")) > 1:
            return
        if any(self._heads_group(f) for f in layout.of_kind("element")):
            return
        yield f"def D{number}(el):"
        if layout.of_kind("attribute"):
            yield "    get = el.get"
        certain_order = _is_ordered(layout.plan) and not layout.of_kind("wildcard")
        order = _document_order(layout.plan) if certain_order else None
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
        certain = _certain(complex_type.particle) if complex_type.particle is not None else frozenset()
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
            complete = self._bind(self._complete_reader(f.declaration), "read")
            return f"{complete}({variable})"
        return f"D{self._number(resolved)}({variable})"

    def _complete_reader(self, declaration: ElementDecl) -> Callable[[etree._Element], Any]:
        return lambda element: self._reader.element(declaration, element)

    def _read_text(self, simple: SimpleType, variable: str, declaration: ElementDecl | None) -> str:
        instead = (declaration.fixed or declaration.default or "") if declaration is not None else ""
        reader = self._scalars.of(simple)
        if reader.scoped:
            scoped = self._bind(_scoped_reader(reader), "scoped")
            return f"{scoped}({variable}.text or {instead!r}, {variable})"
        return self._convert(simple, f"{variable}.text or {instead!r}")

    def _convert(self, simple: SimpleType, text: str) -> str:
        reader = self._scalars.of(simple)
        known = _READERS.get(reader.decode)
        if known is not None:
            return f"{known}({text})"
        if simple.white_space == "preserve" and reader.python == "str":
            return f"({text})"
        return f"{self._bind(reader.decode, 'get')}({text})"

    def _read_attribute(self, use: AttributeUse) -> str:
        reader = self._scalars.of(use.type)
        if reader.scoped:
            scoped = self._bind(_scoped_reader(reader), "scoped")
            return f"(None if (raw := get({use.name!r})) is None else {scoped}(raw, el))"
        if use.required:
            return self._convert(use.type, f"get({use.name!r})")
        if use.type.variety == "atomic" and use.type.white_space == "preserve":
            return f"get({use.name!r})"
        return f"(None if (raw := get({use.name!r})) is None else {self._convert(use.type, 'raw')})"

    # -- writers ----------------------------------------------------------------------------------------------

    def _writer_source(self, number: int, complex_type: ComplexType, layout: Layout) -> Iterator[str]:
        if layout.of_kind("items") or complex_type.abstract or _document_order(layout.plan) is None:
            return
        if any(self._is_scoped(f) for f in layout.fields):
            return
        certain = _certain(complex_type.particle) if complex_type.particle is not None else frozenset()
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
        for f in _document_order(layout.plan) or ():
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
        return f'{{E{self._number(resolved)}({value}, "{tag}")}}'

    def _put(self, simple: SimpleType, value: str, *, attribute: bool = False) -> str:
        """An expression (without single quotes) that gives a value's text, escaped where it can need it."""
        writer = self._scalars.of(simple)
        known = _WRITERS.get(writer.encode)
        if known is not None:
            return f"{known}({value})"
        if writer.python == "str":
            put = "put_attribute" if attribute else "put_string"
            return f"t if (t := {value}).__class__ is str and t.isalnum() else {put}(t)"
        put = f"{self._bind(writer.encode, 'put')}({value})"
        if simple.builtin in _NEVER_ESCAPED:
            return put
        return f"{'escape_attribute' if attribute else 'escape'}({put})"

    # -- namespaces -------------------------------------------------------------------------------------------

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


def _scoped_reader(reader: Scalar) -> Callable[[str, etree._Element], Any]:
    return lambda text, element: decode_scoped(reader, text, element.nsmap)


def _namespace(clark: str) -> str:
    return clark[1:].rpartition("}")[0] if clark.startswith("{") else ""


def _document_order(plan: Plan) -> tuple[Field, ...] | None:
    """The fields in the order in which they can stand in a document, each once; None where there is no such order.

    Branches of a choice exclude each other, so any order among them serves, unless they share a field.
    """
    order: list[Field] = []

    def walk(part: Plan) -> bool:
        if isinstance(part, Field):
            if part in order:
                return False
            order.append(part)
            return True
        if isinstance(part, Choice) and any(not isinstance(p, Field) for p in part.parts):
            fields = [f for p in part.parts for f in _plan_fields(p)]
            if len(fields) != len(set(fields)):
                return False
        return all(walk(p) for p in part.parts)

    return tuple(order) if walk(plan) else None


def _is_ordered(plan: Plan) -> bool:
    return isinstance(plan, Field) or (
        (isinstance(plan, Choice) or plan.ordered) and all(_is_ordered(part) for part in plan.parts)
    )


def _plan_fields(plan: Plan) -> list[Field]:
    if isinstance(plan, Field):
        return [plan]
    return [f for part in plan.parts for f in _plan_fields(part)]


def _certain(particle: Particle) -> frozenset[str]:
    """The elements that stand in every valid document exactly once."""
    if particle.min_occurs != 1 or particle.max_occurs != 1:
        return frozenset()
    if isinstance(particle.term, ElementDecl):
        return frozenset({particle.term.name})
    if isinstance(particle.term, Group) and particle.term.kind == "sequence":
        return frozenset().union(*(_certain(inner) for inner in particle.term.particles))
    return frozenset()
