"""Element → value, for everything a schema allows: xsi:nil, xsi:type, substitution, wildcards, mixed content, comments.

This is the complete reader. `generated` reads the common messages, those without any of the above, several times faster,
and must agree with this one.

Source: XML Schema 1.0 Part 1 section 2.6 (xsi attributes), 3.3.6 (substitution), 3.10.4 (wildcards).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, cast

from lxml import etree

from bridge.contract.codec.classes import Classes
from bridge.contract.codec.fields import Field, Layout, Layouts, Plan
from bridge.contract.codec.markup import detach, text_of
from bridge.contract.codec.simple import XML_SPACE, Scalars, clark_name, decode_scoped
from bridge.contract.codec.values import NIL, Element, Nil, TypedValue
from bridge.contract.model import ANY_TYPE, XSI, ComplexType, ElementDecl, Model, SimpleType, TypeRef
from bridge.errors import DecodeError

XSI_NIL = f"{{{XSI}}}nil"
XSI_TYPE = f"{{{XSI}}}type"
_XSI_PREFIX = f"{{{XSI}}}"


Shortcut: TypeAlias = Callable[[ComplexType], Callable[[etree._Element], Any]]

holds_rarities = etree.XPath(
    "descendant-or-self::*/@xsi:* or descendant::comment() or descendant::processing-instruction()",
    namespaces={"xsi": XSI},
)
"""Whether an element holds what only the complete reader understands. Three questions, not one about their union: libxml2
makes a union by comparing each node with all others, which took minutes for 100,000 comments."""


class Reader:
    """Reads elements that the schema has admitted.

    `shortcut` gives a faster reader for the parts of a message that hold no rarities: a nil in one line of an order
    need not slow down the other lines.
    """

    def __init__(
        self,
        model: Model,
        layouts: Layouts,
        classes: Classes,
        scalars: Scalars,
        shortcut: Shortcut | None = None,
    ) -> None:
        self._shortcut = shortcut
        self._model = model
        self._layouts = layouts
        self._classes = classes
        self._tables: dict[str, dict[str, tuple[Field, ElementDecl]]] = {}
        self._scalars = scalars

    def element(self, declaration: ElementDecl, element: etree._Element) -> Any:
        """The value of an element: None never, NIL where it is nil."""
        named = element.get(XSI_TYPE)
        declared = type_identity(declaration.type)
        actual = clark_name(named, element.nsmap) if named is not None else declared
        if element.get(XSI_NIL, "").strip(XML_SPACE) in ("true", "1"):
            return self._nil(declaration.type, actual if actual != declared else None, element)
        if declared == ANY_TYPE and named is None:
            return detach(element)
        resolved = self._model.type(cast("str", actual) if named is not None else declaration.type)
        if isinstance(resolved, ComplexType):
            if resolved.name == ANY_TYPE:
                return detach(element)
            if self._shortcut is not None and resolved.content == "elements" and not holds_rarities(element):
                return self._shortcut(resolved)(element)
            return self.complex(resolved, element, declaration)
        value = self._simple(resolved, element, declaration)
        return value if named is None or actual == declared else TypedValue(cast("str", actual), value)

    def complex(
        self, complex_type: ComplexType, element: etree._Element, declaration: ElementDecl | None = None
    ) -> Any:
        layout = self._layouts.of(complex_type)
        found: dict[str, Any] = {}
        self._attributes(layout, element, found)
        for text in layout.of_kind("text"):
            assert complex_type.simple is not None
            found[text.name] = self._simple(complex_type.simple, element, declaration)
        if layout.of_kind("element", "items", "wildcard"):
            self._children(complex_type, layout, element, found)
        return self._classes.of(complex_type)(**found)

    def _nil(self, declared: TypeRef, named: str | None, element: etree._Element) -> Nil:
        """`named` is the type that xsi:type gives, where it is another than the declared one."""
        resolved = self._model.type(declared if named is None else named)
        attributes: dict[str, Any] = {}
        uses = {use.name: use for use in resolved.attributes} if isinstance(resolved, ComplexType) else {}
        for name, raw in ((str(name), str(raw)) for name, raw in element.items()):
            if name in uses:
                attributes[name] = self._value(uses[name].type, raw, element)
            elif not name.startswith(_XSI_PREFIX):
                attributes[name] = raw
        return Nil(attributes, named) if attributes or named is not None else NIL

    def _simple(self, simple: SimpleType, element: etree._Element, declaration: ElementDecl | None) -> Any:
        text = text_of(element)
        if not text and declaration is not None:
            text = declaration.fixed or declaration.default or ""
        return self._value(simple, text, element)

    def _value(self, simple: SimpleType, text: str, element: etree._Element) -> Any:
        reader = self._scalars.of(simple)
        try:
            return decode_scoped(reader, text, element.nsmap) if reader.scoped else reader.decode(text)
        except (ValueError, ArithmeticError) as error:
            raise DecodeError(
                f"{text[:200]!r} cannot be read as {simple.builtin or simple.variety}.",
                path=etree.QName(element).localname,
                advice="Send a value of that type.",
            ) from error

    def _attributes(self, layout: Layout, element: etree._Element, found: dict[str, Any]) -> None:
        known = set()
        for f in layout.of_kind("attribute"):
            assert f.use is not None
            known.add(f.use.name)
            raw = element.get(f.use.name)
            if raw is not None:
                found[f.name] = self._value(f.use.type, raw, element)
        for f in layout.of_kind("any_attribute"):
            free = ((str(name), str(value)) for name, value in element.items())
            found[f.name] = {
                name: value for name, value in free if name not in known and not name.startswith(_XSI_PREFIX)
            }

    def _children(
        self, complex_type: ComplexType, layout: Layout, element: etree._Element, found: dict[str, Any]
    ) -> None:
        table = self._table(complex_type, layout)
        wild = layout.of_kind("wildcard")
        position: int = 0
        behind = _wildcards_before(layout.plan) if len(wild) > 1 else {}
        mixed = next((f for f in layout.of_kind("items") if f.mixed), None)
        for f in layout.of_kind("element", "items", "wildcard"):
            if f.repeated:
                found[f.name] = []
        if mixed is not None:
            _add_text(found[mixed.name], element.text)
        for child in element:
            if isinstance(child.tag, str):
                entry = table.get(child.tag)
                if entry is not None:
                    self._place(entry, child, found)
                    position = behind.get(entry[0], position)
                else:
                    position = self._wild(layout, wild, position, child, found)
            if mixed is not None:
                _add_text(found[mixed.name], child.tail)

    def _place(self, entry: tuple[Field, ElementDecl], child: etree._Element, found: dict[str, Any]) -> None:
        f, declaration = entry
        value = self.element(declaration, child)
        head = f.declaration
        if f.kind == "items":
            name = f.item_name(child.tag) if child.tag in f.items else child.tag
            found[f.name].append((name, value))
            return
        if head is not None and declaration.name != head.name:
            value = Element(declaration.name, value)
        if f.repeated:
            found[f.name].append(value)
        else:
            found[f.name] = value

    def _wild(
        self,
        layout: Layout,
        wild: tuple[Field, ...],
        position: int,
        child: etree._Element,
        found: dict[str, Any],
    ) -> int:
        """The first wildcard from `position` on that admits the child takes it; returns its position."""
        namespace: str = child.tag[1:].rpartition("}")[0]
        for f in (*wild[position:], *wild[:position]):
            if any(w.admits(namespace) for w in f.wildcards):
                found[f.name].append(detach(child))
                return wild.index(f)
        for f in layout.of_kind("items"):
            if f.wildcards:
                found[f.name].append(detach(child))
                return position
        raise DecodeError(f"The element {child.tag} has no place here.", advice="Remove it.")

    def _table(self, complex_type: ComplexType, layout: Layout) -> dict[str, tuple[Field, ElementDecl]]:
        """Tag → the field it fills and the declaration it is read by, substitution group members included."""
        table = self._tables.get(complex_type.identity)
        if table is None:
            table = {}
            for f in layout.of_kind("element", "items"):
                declarations = [f.declaration] if f.declaration is not None else list(f.items.values())
                for declaration in declarations:
                    table[declaration.name] = (f, declaration)
                    if declaration.is_global:
                        for member in self._model.substitutes(declaration.name):
                            table.setdefault(member.name, (f, member))
            self._tables[complex_type.identity] = table
        return table


def _wildcards_before(plan: Plan) -> dict[Field, int]:
    """How many wildcards stand before each element: behind it, those have had their turn."""
    counts: dict[Field, int] = {}
    passed = 0

    def walk(part: Plan) -> None:
        nonlocal passed
        if not isinstance(part, Field):
            for inner in part.parts:
                walk(inner)
        elif part.kind == "wildcard":
            passed += 1
        else:
            counts[part] = passed

    walk(plan)
    return counts


def type_identity(ref: TypeRef) -> str | None:
    """The name or identity of a type reference; None for an anonymous simple type."""
    if isinstance(ref, str):
        return ref
    return ref.identity if isinstance(ref, ComplexType) else ref.name


def _add_text(content: list[Any], text: str | None) -> None:
    """Text on both sides of a comment is one piece."""
    if not text:
        return
    if content and isinstance(content[-1], str):
        content[-1] += text
    else:
        content.append(text)
