"""A violation while it is being found, and the short forms in which it quotes the message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lxml import etree

from bridge.contract.explain.messages import NOTHING, listed
from bridge.contract.explain.violation import LANGUAGES
from bridge.contract.model import AttributeUse, ComplexType, Documentation, ElementDecl, Model, Wildcard
from bridge.contract.schema.facets import Breach
from bridge.contract.schema.particles import local_of

SPACE = " \t\n\r"
"""The only white space XML knows."""

FOUND_LIMIT = 200
"""Characters of the message that a violation may carry."""

QUOTED = 80
"""Characters of the message quoted within a sentence."""

NEIGHBOURS = 4
"""Elements named before and after a misplaced one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A violation before it has a path and an offset: `suffix` is what the path adds to the anchor's."""

    kind: str
    anchor: etree._Element
    fields: Mapping[str, Mapping[str, str]]
    suffix: str = ""
    found: str = ""
    expected: str = ""
    documentation: tuple[Documentation, ...] = ()


class Notebook:
    """The notes of one pass, in the order they were taken."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.notes: list[Note] = []

    def say(
        self,
        kind: str,
        anchor: etree._Element,
        subject: ElementDecl | AttributeUse | ComplexType | Wildcard | None,
        *,
        suffix: str = "",
        name: str = "",
        parent: str = "",
        value: str = "",
        rule: Sequence[str] | str = "",
        count: int = 0,
        bound: int = 0,
        found: str = "",
        expected: str = "",
    ) -> None:
        shown = name or (suffix[1:] if suffix.startswith("/@") else shown_name(anchor))
        fields = {}
        for language in LANGUAGES:
            said, was = (rule if isinstance(rule, str) else listed(rule, language)), bounded(value, QUOTED)
            if kind == "wrong-namespace":
                said, was = said or NOTHING[language], was or NOTHING[language]
            fields[language] = fields_of(
                name=shown, parent=parent, value=was, rule=said, count=count, bound=bound
            )
        words = subject.documentation if subject is not None else ()
        if not words and isinstance(subject, ElementDecl):
            words = self._model.type(subject.type).documentation
        elif not words and isinstance(subject, AttributeUse):
            words = subject.type.documentation
        self.add(kind, anchor, fields, suffix, found, expected or fields["en"]["rule"], words)

    def add(
        self,
        kind: str,
        anchor: etree._Element,
        fields: Mapping[str, Mapping[str, str]],
        suffix: str,
        found: str,
        expected: str,
        words: tuple[Documentation, ...],
    ) -> None:
        self.notes.append(
            Note(
                kind=kind,
                anchor=anchor,
                fields=fields,
                suffix=suffix,
                found=bounded(found, FOUND_LIMIT),
                expected=expected,
                documentation=words,
            )
        )


def fields_of(
    *, name: str = "", parent: str = "", value: str = "", rule: str = "", count: int = 0, bound: int = 0
) -> dict[str, str]:
    return {
        "name": name,
        "parent": parent,
        "value": value,
        "rule": rule,
        "count": str(count),
        "bound": str(bound),
    }


def bounded(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def shown_name(element: etree._Element) -> str:
    return bounded(local_of(str(element.tag)), QUOTED)


def shown_tag(element: etree._Element) -> str:
    return f"<{shown_name(element)}>"


def own_text(element: etree._Element) -> str:
    """The element's own text; what comments and processing instructions say is not text."""
    if not len(element):
        return element.text or ""
    return (element.text or "") + "".join(child.tail or "" for child in element)


def shown_content(element: etree._Element) -> str:
    return own_text(element).strip(SPACE) or "".join(shown_tag(child) for child in element.iterchildren("*"))


def clark_name(text: str, element: etree._Element) -> str | None:
    """The QName in an xsi:type as a Clark name; None where its prefix is not declared."""
    prefix, _, local = text.strip(SPACE).rpartition(":")
    namespace = element.nsmap.get(prefix or None)
    if namespace is None:
        return None if prefix else local
    return f"{{{namespace}}}{local}"


def order_around(order: Sequence[str], name: str) -> list[str]:
    """The contract's order near one element."""
    names = list(dict.fromkeys(order))
    at = names.index(name) if name in names else 0
    first, last = max(0, at - NEIGHBOURS), at + NEIGHBOURS + 1
    shown = [local_of(other) for other in names[first:last]]
    return (["…"] if first else []) + shown + (["…"] if last < len(names) else [])


def value_length(breach: Breach) -> int:
    simple, value = breach.type, breach.value
    if simple.variety == "list":
        return len(value.split())
    if simple.builtin == "hexBinary":
        return len(value) // 2
    if simple.builtin == "base64Binary":
        solid = value.replace(" ", "")
        return len(solid) // 4 * 3 - solid.count("=")
    return len(value)
