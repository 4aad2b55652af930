"""Value → element text, for everything a schema allows, with a path to whatever does not fit.

This is the complete writer; `generated` writes plain values faster and leaves everything else, and every mistake, to it.
It checks Python types and names. Whether the text is valid is the guard's question, which reads the bytes that leave.

Source: XML Schema 1.0 Part 1 section 2.6 (xsi attributes), 3.3.6 (substitution).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lxml import etree

from bridge.contract.codec.classes import Classes
from bridge.contract.codec.fields import Choice, Field, Layouts, Plan
from bridge.contract.codec.markup import Prefixes, escape, escape_attribute
from bridge.contract.codec.reading import type_identity
from bridge.contract.codec.simple import Scalars, encode_scoped
from bridge.contract.codec.values import ComplexValue, Element, Nil, TypedValue
from bridge.contract.model import ANY_TYPE, XSI, AttributeUse, ComplexType, ElementDecl, Model, SimpleType
from bridge.errors import EncodeError


class ForeignValue(EncodeError, TypeError):
    """A value of another contract's class."""


class Writer:
    """Writes one payload; made anew for each, because it collects the namespaces used."""

    def __init__(
        self, model: Model, layouts: Layouts, classes: Classes, scalars: Scalars, prefixes: Prefixes
    ) -> None:
        self._model = model
        self._layouts = layouts
        self._classes = classes
        self._scalars = scalars
        self._prefixes = prefixes
        self._used: set[str] = set()

    def payload(self, declaration: ElementDecl, value: Any) -> str:
        """The element's text, with every namespace it uses declared on it."""
        path = f"/{_local(declaration.name)}"
        if isinstance(value, etree._Element):
            return self._given(declaration, value, path)  # it brings its own namespaces
        text = self._element(declaration, value, path)
        start = 1 + len(self._name(declaration.name))
        if isinstance(value, Element):
            start = 1 + len(self._name(value.name))
        return f"{text[:start]}{self._prefixes.declarations(self._used)}{text[start:]}"

    def _name(self, clark: str) -> str:
        namespace, brace, _ = clark.rpartition("}")
        if brace:
            self._used.add(namespace[1:])
        return self._prefixes.qualified(clark)

    def _xsi_type(self, clark: str) -> str:
        self._used.add(XSI)
        return f' xsi:type="{self._name(clark)}"'

    # -- elements ---------------------------------------------------------------------------------------------

    def _element(self, declaration: ElementDecl, value: Any, path: str) -> str:
        if isinstance(value, Element):
            return self._element(self._member(declaration, value.name, path), value.value, path)
        tag = self._name(declaration.name)
        if isinstance(value, Nil):
            return self._nil(declaration, tag, value, path)
        if isinstance(value, etree._Element):
            return self._given(declaration, value, path)
        if isinstance(value, TypedValue):
            named = self._model.type(value.type) if self._model.has_type(value.type) else None
            if not isinstance(named, SimpleType):
                raise EncodeError(f"There is no simple type {value.type}.", path=path)
            return self._simple(tag, self._xsi_type(value.type), named, value.value, path)
        declared = self._model.type(declaration.type)
        if isinstance(declared, SimpleType):
            return self._simple(tag, "", declared, value, path)
        return self._complex(declaration, declared, tag, value, path)

    def _member(self, head: ElementDecl, name: str, path: str) -> ElementDecl:
        members = (
            {member.name: member for member in self._model.substitutes(head.name)} if head.is_global else {}
        )
        members.setdefault(head.name, head)
        if name not in members:
            known = ", ".join(sorted(members))
            raise EncodeError(
                f"{name} cannot stand for {head.name}.", path=path, advice=f"Use one of: {known}."
            )
        return members[name]

    def _nil(self, declaration: ElementDecl, tag: str, value: Nil, path: str) -> str:
        self._used.add(XSI)
        if value.xsi_type is not None and not self._model.has_type(value.xsi_type):
            raise EncodeError(f"There is no type {value.xsi_type}.", path=path)
        resolved = self._model.type(value.xsi_type or declaration.type)
        uses = {use.name: use for use in resolved.attributes} if isinstance(resolved, ComplexType) else {}
        attributes = "" if value.xsi_type is None else self._xsi_type(value.xsi_type)
        scope: dict[str, str] = {}
        for name, given in value.attributes.items():
            if name in uses:
                attributes += self._attribute(uses[name], given, path, scope)
            else:
                attributes += self._free_attribute(name, given, path)
        return f'<{tag}{_scope(scope)} xsi:nil="true"{attributes}/>'

    def _given(self, declaration: ElementDecl, value: etree._Element, path: str) -> str:
        """An lxml element for an element of any type: written as it is, under the name it brings."""
        if type_identity(declaration.type) != ANY_TYPE:
            raise EncodeError("An lxml element can only stand where the contract allows any type.", path=path)
        if value.tag != declaration.name:
            raise EncodeError(f"The element is called {value.tag}, not {declaration.name}.", path=path)
        return _serialised(value)

    def _simple(self, tag: str, attributes: str, simple: SimpleType, value: Any, path: str) -> str:
        scope: dict[str, str] = {}
        text = self._text(simple, value, path, scope)
        return f"<{tag}{_scope(scope)}{attributes}>{text}</{tag}>"

    def _text(
        self,
        simple: SimpleType,
        value: Any,
        path: str,
        scope: dict[str, str],
        escaping: Callable[[str], str] = escape,
    ) -> str:
        writer = self._scalars.of(simple)
        with _placed(path):
            return escaping(encode_scoped(writer, value, scope) if writer.scoped else writer.encode(value))

    # -- complex types ----------------------------------------------------------------------------------------

    def _complex(
        self, declaration: ElementDecl, declared: ComplexType, tag: str, value: Any, path: str
    ) -> str:
        value, actual = self._instance(declaration, declared, value, path)
        xsi_type = ""
        if actual.identity != declared.identity:
            xsi_type = self._xsi_type(actual.identity)
        layout = self._layouts.of(actual)
        scope: dict[str, str] = {}
        attributes = xsi_type + self._attributes(layout.fields, value, path, scope)
        text = "".join(
            self._text(actual.simple, getattr(value, f.name), path, scope)
            for f in layout.of_kind("text")
            if actual.simple is not None and getattr(value, f.name) is not None
        )
        content = text + self._plan(layout.plan, value, path)
        return f"<{tag}{_scope(scope)}{attributes}>{content}</{tag}>"

    def _instance(
        self, declaration: ElementDecl, declared: ComplexType, value: Any, path: str
    ) -> tuple[Any, ComplexType]:
        """The value as an instance of its class, and the type it says it is."""
        if isinstance(value, Mapping):
            if declared.abstract:
                known = ", ".join(_local(name) for name in self._model.derived(declared.identity))
                raise EncodeError(
                    f"{self._classes.of(declared).__name__} is abstract: a dict does not say which type it is.",
                    path=path,
                    advice=f"Give an instance of one of: {known}.",
                )
            return self._from_mapping(declared, value, path), declared
        if not isinstance(value, ComplexValue):
            expected = self._classes.of(declared).__name__
            raise EncodeError(
                f"Expected {expected} or a dict, got {type(value).__name__}.",
                path=path,
                advice=f"Its fields are: {', '.join(f.name for f in self._layouts.of(declared).fields)}.",
            )
        if not self._classes.owns(type(value)):
            raise ForeignValue(
                f"This {type(value).__name__} belongs to another contract.",
                path=path,
                advice="Say how its fields become ours with mapping=, or give a dict.",
            )
        actual = self._model.type(value.xml_type)
        assert isinstance(actual, ComplexType)
        if actual.identity != declared.identity and not self._derives(actual, declared):
            raise EncodeError(
                f"{type(value).__name__} is not {self._classes.of(declared).__name__} nor derived from it.",
                path=path,
            )
        return value, actual

    def _derives(self, actual: ComplexType, declared: ComplexType) -> bool:
        if actual.name is None:
            return False
        return declared.name == ANY_TYPE or actual.name in self._model.derived(declared.identity)

    def _from_mapping(self, declared: ComplexType, given: Mapping[str, Any], path: str) -> ComplexValue:
        made = self._classes.of(declared)
        names = {f.name for f in self._layouts.of(declared).fields}
        fields = {}
        for name, value in given.items():
            target = name if name in names else made.xml_names.get(name)
            if target is None:
                known = ", ".join(f.name for f in self._layouts.of(declared).fields) or "nothing"
                raise EncodeError(
                    f"{made.__name__} has no field {name!r}.", path=path, advice=f"It has: {known}."
                )
            fields[target] = value
        return made(**fields)

    # -- content ----------------------------------------------------------------------------------------------

    def _plan(self, plan: Plan, value: Any, path: str) -> str:
        if isinstance(plan, Field):
            return self._field(plan, value, path)
        if isinstance(plan, Choice):
            return self._choice(plan, value, path)
        return "".join(self._plan(part, value, path) for part in plan.parts)

    def _choice(self, choice: Choice, value: Any, path: str) -> str:
        """The branch that covers every field set; where none does, the values contradict each other."""
        branches = [set(_fields(part)) for part in choice.parts]
        chosen = {f for branch in branches for f in branch if _is_set(getattr(value, f.name))}
        for branch, part in zip(branches, choice.parts, strict=True):
            if chosen <= branch:
                return self._plan(part, value, path)
        names = ", ".join(sorted(f.name for f in chosen))
        raise EncodeError(f"Only one side of a choice can be set, not all of: {names}.", path=path)

    def _field(self, f: Field, value: Any, path: str) -> str:
        given = getattr(value, f.name)
        if f.kind == "items":
            return "".join(self._item(f, item, path) for item in self._list(f, given, path))
        if f.kind == "wildcard":
            return "".join(self._any(item, path) for item in self._list(f, given, path))
        assert f.declaration is not None
        path = f"{path}/{_local(f.declaration.name)}"
        if f.repeated:
            return "".join(
                self._element(f.declaration, item, f"{path}[{index}]")
                for index, item in enumerate(self._list(f, given, path), 1)
            )
        return "" if given is None else self._element(f.declaration, given, path)

    def _list(self, f: Field, given: Any, path: str) -> list[Any]:
        if given is None:
            return []
        if not isinstance(given, list | tuple):
            raise EncodeError(f"{f.name} repeats: expected a list, got {type(given).__name__}.", path=path)
        return list(given)

    def _item(self, f: Field, item: Any, path: str) -> str:
        if f.mixed and isinstance(item, str):
            with _placed(path):
                return escape(item)
        if isinstance(item, etree._Element):
            return self._any(item, path)
        if not (isinstance(item, tuple) and len(item) == 2):
            raise EncodeError(f"{f.name} takes (name, value) pairs, got {type(item).__name__}.", path=path)
        name, value = item
        declaration = f.item_declaration(name) or self._substituting(f, name)
        if declaration is None:
            known = ", ".join(f.item_name(tag) for tag in f.items)
            raise EncodeError(f"{f.name} has no element {name!r}.", path=path, advice=f"It has: {known}.")
        return self._element(declaration, value, f"{path}/{_local(declaration.name)}")

    def _substituting(self, f: Field, name: str) -> ElementDecl | None:
        for declaration in f.items.values():
            if declaration.is_global:
                for member in self._model.substitutes(declaration.name):
                    if member.name == name:
                        return member
        return None

    def _any(self, item: Any, path: str) -> str:
        if not isinstance(item, etree._Element):
            raise EncodeError(f"A wildcard takes lxml elements, got {type(item).__name__}.", path=path)
        return _serialised(item)

    # -- attributes -------------------------------------------------------------------------------------------

    def _attributes(self, fields: tuple[Field, ...], value: Any, path: str, scope: dict[str, str]) -> str:
        text = ""
        for f in fields:
            given = getattr(value, f.name) if f.kind in ("attribute", "any_attribute") else None
            if given is None:
                continue
            if f.use is not None:
                text += self._attribute(f.use, given, path, scope)
            else:
                text += "".join(self._free_attribute(name, item, path) for name, item in given.items())
        return text

    def _attribute(self, use: AttributeUse, value: Any, path: str, scope: dict[str, str]) -> str:
        path = f"{path}/@{_local(use.name)}"
        text = self._text(use.type, value, path, scope, escape_attribute)
        return f' {self._attribute_name(use.name)}="{text}"'

    def _free_attribute(self, name: str, value: Any, path: str) -> str:
        if not isinstance(value, str):
            raise EncodeError(f"{name}: a free attribute takes str, got {type(value).__name__}.", path=path)
        path = f"{path}/@{_local(name)}"
        with _placed(path):
            etree.QName(name)  # ValueError for what is no name, and would be markup
            return f' {self._attribute_name(name)}="{escape_attribute(value)}"'

    def _attribute_name(self, clark: str) -> str:
        if clark.startswith("{http://www.w3.org/XML/1998/namespace}"):
            return f"xml:{_local(clark)}"
        return self._name(clark)


@contextmanager
def _placed(path: str) -> Iterator[None]:
    """Says where it was that a value did not fit."""
    try:
        yield
    except (TypeError, AttributeError, ValueError) as error:
        message = f"{str(error)[:200]}."
        raise EncodeError(message[:1].upper() + message[1:], path=path) from error


def _fields(plan: Plan) -> list[Field]:
    if isinstance(plan, Field):
        return [plan]
    return [f for part in plan.parts for f in _fields(part)]


def _is_set(value: Any) -> bool:
    return value is not None and value != []


def _scope(declarations: dict[str, str]) -> str:
    return "".join(
        f' xmlns:{prefix}="{escape_attribute(namespace)}"' for namespace, prefix in declarations.items()
    )


def _serialised(element: etree._Element) -> str:
    return etree.tostring(element, with_tail=False, encoding="unicode")


def _local(clark: str) -> str:
    return clark.rpartition("}")[2]
