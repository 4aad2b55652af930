"""One pass over a message that breaks its contract, noting every breach.

libxml2 stops looking below a parent after its first unexpected child; this walk goes on behind it. It never decides:
whether a message is valid is libxml2's verdict alone.

Source: XML Schema 1.0 Part 1, sections 3.3.4 (elements), 3.4.4 (complex types), 3.10.4 (wildcards).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lxml import etree

from bridge.contract.explain.content import ContentFault, ContentModel, Contents
from bridge.contract.explain.messages import ITEM, described, listed, rule_of
from bridge.contract.explain.notes import (
    QUOTED,
    SPACE,
    Note,
    Notebook,
    bounded,
    clark_name,
    fields_of,
    order_around,
    own_text,
    shown_content,
    shown_name,
    shown_tag,
    value_length,
)
from bridge.contract.explain.violation import LANGUAGES
from bridge.contract.model import (
    ANY_TYPE,
    XSI,
    AttributeUse,
    ComplexType,
    ElementDecl,
    Model,
    SimpleType,
    Wildcard,
)
from bridge.contract.schema.facets import Breach, Leaves, normalise
from bridge.contract.schema.particles import local_of, namespace_of
from bridge.contract.schema.value_space import value_key

_XSI_TYPE, _XSI_NIL = f"{{{XSI}}}type", f"{{{XSI}}}nil"
_XSI_NAMES = frozenset(
    {_XSI_TYPE, _XSI_NIL, f"{{{XSI}}}schemaLocation", f"{{{XSI}}}noNamespaceSchemaLocation"}
)


_UNDECLARED = ElementDecl(name="", type=ANY_TYPE)
"""Reads what a lax wildcard took in and no schema declares; xsi:nil has no meaning there."""


class Schemas(Model, Protocol):
    """A model that also knows how its types are derived."""

    def is_derived(self, name: str, base: str) -> bool: ...


@dataclass(slots=True)
class Walk:
    """State of one pass. `limit` is the number of notes, `effort` of elements and search steps, it stops at."""

    model: Schemas
    contents: Contents
    leaves: Leaves
    limit: int
    effort: int
    notebook: Notebook = field(init=False)
    truncated: bool = False
    _ids: dict[str, etree._Element] = field(default_factory=dict)
    _references: list[tuple[etree._Element, str, str, AttributeUse | ElementDecl]] = field(
        default_factory=list
    )

    def __post_init__(self) -> None:
        self.notebook = Notebook(self.model)

    @property
    def notes(self) -> list[Note]:
        return self.notebook.notes

    def run(self, top: etree._Element, declaration: ElementDecl) -> None:
        """Visits everything below `top`, in the document's order."""
        waiting = [(top, declaration)]
        while waiting:
            if len(self.notes) >= self.limit or self.effort <= 0:
                self.truncated = True
                break
            self.effort -= 1
            element, declaration = waiting.pop()
            waiting.extend(reversed(self._visit(element, declaration)))
        if not self.truncated:
            self._dangling()
        if len(self.notes) > self.limit:
            self.truncated = True
            del self.notes[self.limit :]

    # -- one element ------------------------------------------------------------------------------------------

    def _visit(
        self, element: etree._Element, declaration: ElementDecl
    ) -> list[tuple[etree._Element, ElementDecl]]:
        if declaration.abstract:
            names = [local_of(other.name) for other in self.model.substitutes(declaration.name)]
            self.notebook.say("abstract-element", element, declaration, rule=names)
            return []
        actual = self._actual_type(element, declaration)
        if actual is None:
            return []
        empty = self._nil(element, declaration, actual)
        if isinstance(actual, SimpleType):
            self._attributes(element, (), None)
            if not empty:
                self._simple_content(element, declaration, actual)
            return []
        self._attributes(element, actual.attributes, actual)
        return [] if empty else self._complex_content(element, declaration, actual)

    def _actual_type(
        self, element: etree._Element, declaration: ElementDecl
    ) -> SimpleType | ComplexType | None:
        declared = self.model.type(declaration.type)
        text = element.get(_XSI_TYPE)
        actual: SimpleType | ComplexType = declared
        if text is not None:
            name = clark_name(text, element)
            if name is None or not self.model.has_type(name):
                self._type_fault("unknown-type", element, declaration, declared, text)
                return None
            actual = self.model.type(name)
            base = declared.name
            if (
                base != ANY_TYPE
                and actual is not declared
                and not (base and self.model.is_derived(name, base))
            ):
                self._type_fault("wrong-type", element, declaration, declared, text)
                return None
        if isinstance(actual, ComplexType) and actual.abstract:
            self._type_fault("abstract-type", element, declaration, declared, text or "")
            return None
        return actual

    def _type_fault(
        self,
        kind: str,
        element: etree._Element,
        declaration: ElementDecl,
        declared: SimpleType | ComplexType,
        text: str,
    ) -> None:
        names = [declared.name, *self.model.derived(declared.name)] if declared.name else []
        usable = [local_of(name) for name in names if not getattr(self.model.type(name), "abstract", False)]
        suffix = "/@type" if text and kind != "abstract-type" else ""
        shown = shown_name(element)
        self.notebook.say(
            kind,
            element,
            declaration,
            suffix=suffix,
            name=shown,
            value=text,
            found=text,
            rule=usable or ["-"],
        )

    def _nil(
        self, element: etree._Element, declaration: ElementDecl, actual: SimpleType | ComplexType
    ) -> bool:
        """Notes what is wrong about xsi:nil; whether the content is to be passed over."""
        text = element.get(_XSI_NIL)
        if text is None or declaration is _UNDECLARED:
            return False
        said = text.strip(SPACE)
        if not declaration.nillable:
            self.notebook.say(
                "nil-not-allowed", element, declaration, suffix="/@nil", found=text, expected="no xsi:nil"
            )
            return said in ("true", "1")
        if said not in ("true", "1"):
            if said not in ("false", "0"):
                self.notebook.say(
                    "type",
                    element,
                    declaration,
                    suffix="/@nil",
                    name="@nil",
                    value=text,
                    found=text,
                    rule="true / false",
                )
            return False
        if declaration.fixed is not None:
            self.notebook.say("nil-and-fixed", element, declaration, found=text, rule=declaration.fixed)
        elif next(element.iterchildren("*"), None) is not None or own_text(element):
            self.notebook.say(
                "nil-with-content", element, declaration, found=shown_content(element), expected="no content"
            )
        return True

    # -- attributes -------------------------------------------------------------------------------------------

    def _attributes(
        self, element: etree._Element, uses: Sequence[AttributeUse], holder: ComplexType | None
    ) -> None:
        by_name = {use.name: use for use in uses}
        wildcard = holder.any_attribute if holder is not None else None
        for raw_name, raw_value in element.attrib.items():
            name, value = str(raw_name), str(raw_value)
            use = by_name.get(name)
            if use is not None:
                self._attribute(element, use, value)
            elif name not in _XSI_NAMES and not (
                wildcard is not None and wildcard.admits(namespace_of(name))
            ):
                self._unknown_attribute(element, name, value, by_name, holder)
        for use in uses:
            if use.required and element.get(use.name) is None and not self._misspelt(element, use, by_name):
                self.notebook.say(
                    "missing-attribute",
                    element,
                    use,
                    suffix=f"/@{local_of(use.name)}",
                    name=local_of(use.name),
                    parent=shown_name(element),
                    expected=described(use.type, "en"),
                )

    def _misspelt(
        self, element: etree._Element, use: AttributeUse, known: Mapping[str, AttributeUse]
    ) -> bool:
        """Whether another attribute was probably meant to be this one, and has been noted as such."""
        return any(
            str(name) not in known and local_of(str(name)).lower() == local_of(use.name).lower()
            for name in element.attrib
        )

    def _attribute(self, element: etree._Element, use: AttributeUse, value: str) -> None:
        suffix, name = f"/@{local_of(use.name)}", f"@{local_of(use.name)}"
        breach = self.leaves.breach(use.type, value, element.nsmap)
        if breach is not None:
            self._breach(breach, element, use, use.type, value, suffix=suffix, name=name)
        elif use.fixed is not None and not self._same_value(element, use, value, use.fixed):
            self.notebook.say(
                "fixed", element, use, suffix=suffix, name=name, value=value, found=value, rule=use.fixed
            )
        else:
            self._identifier(element, use, use.type, value, suffix)

    def _same_value(self, element: etree._Element, use: AttributeUse, one: str, other: str) -> bool:
        keys = [value_key(use.type, text, element.nsmap, self.leaves) for text in (one, other)]
        return keys[0] == keys[1]

    def _unknown_attribute(
        self,
        element: etree._Element,
        name: str,
        value: str,
        known: Mapping[str, AttributeUse],
        holder: ComplexType | None,
    ) -> None:
        meant = [use for use in known.values() if local_of(use.name).lower() == local_of(name).lower()]
        self.notebook.say(
            "misspelt-attribute" if meant else "unknown-attribute",
            element,
            meant[0] if meant else holder,
            suffix=f"/@{local_of(name)}",
            name=name if meant and namespace_of(name) else local_of(name),
            parent=shown_name(element),
            found=value,
            rule=[meant[0].name] if meant else [],
            expected=meant[0].name if meant else listed([local_of(other) for other in known], "en"),
        )

    # -- values -----------------------------------------------------------------------------------------------

    def _simple_content(self, element: etree._Element, declaration: ElementDecl, simple: SimpleType) -> None:
        child = next(element.iterchildren("*"), None)
        if child is not None:
            self.notebook.say(
                "no-children", child, declaration, name=shown_name(child), parent=shown_name(element),
                found=shown_tag(child), expected=described(simple, "en"),
            )  # fmt: skip
            return
        text = own_text(element)
        if not text and (declaration.default is not None or declaration.fixed is not None):
            return
        breach = self.leaves.breach(simple, text, element.nsmap)
        if breach is not None:
            self._breach(breach, element, declaration, simple, text)
        elif declaration.fixed is not None and text != declaration.fixed:
            self.notebook.say("fixed", element, declaration, value=text, found=text, rule=declaration.fixed)
        else:
            self._identifier(element, declaration, simple, text, "")

    def _breach(
        self,
        breach: Breach,
        element: etree._Element,
        subject: ElementDecl | AttributeUse,
        simple: SimpleType,
        text: str,
        *,
        suffix: str = "",
        name: str = "",
    ) -> None:
        shown = name or shown_name(element)
        facet: str = breach.facet
        patterns: tuple[str, ...] = ()
        if not breach.value and breach.item is None:
            facet = "empty-value"
        elif facet == "pattern":
            patterns = self.leaves.broken_patterns(breach.type, breach.value)
        fields = {
            language: fields_of(
                name=shown if breach.item is None else ITEM[language].format(name=shown, item=breach.item),
                value=bounded(breach.value, QUOTED),
                rule=rule_of(facet, breach.type, patterns, language),
                count=value_length(breach),
            )
            for language in LANGUAGES
        }
        words = subject.documentation or simple.documentation
        self.notebook.add(facet, element, fields, suffix, text, described(simple, "en"), words)

    def _identifier(
        self,
        element: etree._Element,
        subject: ElementDecl | AttributeUse,
        simple: SimpleType,
        text: str,
        suffix: str,
    ) -> None:
        """Remembers IDs and references to them (Part 1, 3.15.4)."""
        item = simple.item if simple.variety == "list" else simple
        if item is None or item.builtin not in ("ID", "IDREF"):
            return
        for value in normalise(simple, text).split():
            if item.builtin == "IDREF":
                self._references.append((element, value, suffix, subject))
            elif value in self._ids and self._ids[value] is not element:
                self.notebook.say("duplicate-id", element, subject, suffix=suffix, value=value, found=value)
            else:
                self._ids[value] = element

    def _dangling(self) -> None:
        for element, value, suffix, subject in self._references:
            if value not in self._ids:
                self.notebook.say("dangling-idref", element, subject, suffix=suffix, value=value, found=value)

    # -- content ----------------------------------------------------------------------------------------------

    def _complex_content(
        self, element: etree._Element, declaration: ElementDecl, actual: ComplexType
    ) -> list[tuple[etree._Element, ElementDecl]]:
        if actual.content == "simple" and actual.simple is not None:
            self._simple_content(element, declaration, actual.simple)
            return []
        children = list(element.iterchildren("*"))
        if actual.content == "empty":
            if children or own_text(element):
                self.notebook.say(
                    "not-empty", element, declaration, found=shown_content(element), expected="nothing"
                )
            return []
        if actual.content == "elements":
            self._stray_text(element, declaration)
        elif (
            declaration.fixed is not None
            and not children
            and own_text(element) not in ("", declaration.fixed)
        ):
            self.notebook.say(
                "fixed",
                element,
                declaration,
                value=own_text(element),
                found=own_text(element),
                rule=declaration.fixed,
            )
        content = self.contents.of(actual)
        names = [str(child.tag) for child in children]
        if not (actual.content == "mixed" and not children and declaration.default is not None):
            faults, cut = content.faults(names, effort=max(self.effort, 0))
            self.truncated = self.truncated or cut
            for fault in faults[: self.limit + 1 - len(self.notes)]:
                self._content_fault(fault, element, declaration, children, content)
        return list(self._descend(element, children, content))

    def _descend(
        self, element: etree._Element, children: Sequence[etree._Element], content: ContentModel
    ) -> Iterator[tuple[etree._Element, ElementDecl]]:
        for child in children:
            reader = content.reads(str(child.tag))
            if isinstance(reader, ElementDecl):
                yield child, reader
            elif isinstance(reader, Wildcard) and reader.process != "skip":
                declared = self._by_wildcard(child, element, reader)
                if declared is not None:
                    yield child, declared

    def _by_wildcard(
        self, child: etree._Element, parent: etree._Element, wildcard: Wildcard
    ) -> ElementDecl | None:
        name = str(child.tag)
        if self.model.has_element(name):
            return self.model.element(name)
        if wildcard.process == "lax":
            return _UNDECLARED
        self.notebook.say(
            "undeclared-element", child, wildcard, parent=shown_name(parent), found=shown_tag(child)
        )
        return None

    def _stray_text(self, element: etree._Element, declaration: ElementDecl) -> None:
        text = own_text(element).strip(SPACE)
        if text:
            self.notebook.say(
                "text-not-allowed", element, declaration, value=text, found=text, expected="elements, no text"
            )

    def _content_fault(
        self,
        fault: ContentFault,
        parent: etree._Element,
        declaration: ElementDecl,
        children: Sequence[etree._Element],
        content: ContentModel,
    ) -> None:
        names = [local_of(name) for name in fault.names]
        at = children[fault.child] if fault.child < len(children) else None
        subject = fault.leaf if isinstance(fault.leaf, ElementDecl) else None
        if fault.kind in ("missing-element", "missing-choice", "too-few"):
            wanted = names[0] if names else "any other element"
            name = f"/{wanted}" if names and fault.kind == "missing-element" else ""
            self.notebook.say(
                fault.kind, parent, subject if fault.kind != "missing-choice" else declaration, suffix=name, name=wanted,
                parent=shown_name(parent), rule=names, count=fault.count, bound=fault.bound,
                found=shown_tag(at) if at is not None else "", expected=self._wanted(fault, subject, names),
            )  # fmt: skip
            return
        if at is None:
            return
        rule, value = names, ""
        if fault.kind == "wrong-namespace":
            value, rule = namespace_of(str(at.tag)), [namespace_of(fault.names[0])]
        elif fault.kind == "misplaced-element":
            rule = order_around(content.order, fault.names[0])
        expected = listed(rule, "en")
        if fault.kind == "unexpected-element":
            expected = (
                listed([local_of(name) for name in dict.fromkeys(content.order)], "en") or "nothing more"
            )
        self.notebook.say(
            fault.kind, at, subject or declaration, parent=shown_name(parent), value=value, rule=rule,
            count=fault.count, bound=fault.bound, found=shown_tag(at), expected=expected,
        )  # fmt: skip

    def _wanted(self, fault: ContentFault, subject: ElementDecl | None, names: list[str]) -> str:
        if fault.kind == "missing-choice" or subject is None:
            return listed(names, "en")
        wanted = self.model.type(subject.type)
        rule = wanted if isinstance(wanted, SimpleType) else wanted.simple
        return f"{names[0]}: {described(rule, 'en')}" if rule is not None else names[0]
