"""Fields declared secret, replaced by `***` wherever a message, or words about one, is shown or kept.

Names are enough here, and no contract is needed: a command that shows an old message may not have its contract. Elements that may
stand under other names are refused when the settings are checked (`places.stand_ins`).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from lxml import etree

from bridge.contract.explain.violation import Violation
from bridge.fields.path import Field, FieldPath, local
from bridge.soap.envelope import NAMESPACES

MASK = "***"

_CUT = (80, 200)
"""Characters after which violations cut what they quote, and what they found."""

SHORTEST = 4
"""Characters of a value that is looked for in texts: a shorter one is found everywhere. In its own place it is masked in any case."""

_ENVELOPES = {f"{{{namespace}}}Envelope": namespace for namespace in NAMESPACES.values()}
_INSTEAD = {
    "en": "{path} breaks the contract ({kind}). Its value is secret and not shown. Wanted is: {expected}.",
    "zh": "{path} 不符合契约（{kind}）。其值保密，不予显示。应为：{expected}。",
}
"""What is said of a violation at a secret field, whose own words quote the value."""
_INDEX = re.compile(r"\[[0-9]+\]")


class Secrets:
    """What of the messages of one service, or one partner, is secret. Empty ones cost nothing: they are false."""

    def __init__(self, fields: Iterable[Field] = ()) -> None:
        by_operation: dict[str, list[FieldPath]] = {}
        for field in fields:
            by_operation.setdefault(field.operation, []).append(field.path)
        self._by_operation = {name: tuple(paths) for name, paths in by_operation.items()}
        self._all = tuple(path for paths in self._by_operation.values() for path in paths)

    @classmethod
    def read(cls, texts: Iterable[str]) -> Secrets:
        """As settings name them. Raises ValueError for one that cannot be read."""
        return cls([Field.read(text) for text in texts])

    def __bool__(self) -> bool:
        return bool(self._all)

    def of(self, operation: str | None) -> tuple[FieldPath, ...]:
        """Those of one operation; all of them where it is not known which it is."""
        return self._all if operation is None else self._by_operation.get(operation, ())


def mask(root: etree._Element, paths: Collection[FieldPath], *, anywhere: bool = False) -> list[str]:
    """Replaces secret values in an envelope, or in a payload alone; what they were, as they stood there.

    Args:
        anywhere: also elements and attributes of a secret field's name in other places. For messages that were not found valid: the
            value may stand in the wrong place.
    """
    return [_replace(node, attribute) for node, attribute in _secret(root, paths, anywhere=anywhere)]


def values(root: etree._Element | None, paths: Collection[FieldPath], *, anywhere: bool = False) -> list[str]:
    """The secret values of a message, which is left as it is."""
    if root is None or not paths:
        return []
    return [
        text
        for node, attribute in _secret(root, paths, anywhere=anywhere)
        for text in ([str(node.get(attribute))] if attribute is not None else map(str, node.itertext()))
        if text.strip()
    ]


def masked_text(text: str, secret: Iterable[str]) -> str:
    """Words about a message without its secret values: whole, or as far as a violation shows them."""
    shown = {form for value in secret for form in _forms(value)}
    for form in sorted(shown, key=len, reverse=True):
        text = text.replace(form, MASK)
    return text


def masked_violation(
    violation: Violation, paths: Collection[FieldPath], secret: Collection[str]
) -> Violation:
    """The violation without secret values: what was found at a secret field is not shown, nor its value anywhere else."""
    if violation.found and is_secret(violation.path, paths):
        messages = {
            language: text.format(path=violation.path, kind=violation.kind, expected=violation.expected)
            for language, text in _INSTEAD.items()
        }
        return dataclasses.replace(violation, found=MASK, messages=messages)
    messages = {language: masked_text(text, secret) for language, text in violation.messages.items()}
    return dataclasses.replace(violation, found=masked_text(violation.found, secret), messages=messages)


def masked_row(
    row: Mapping[str, Any], paths: Collection[FieldPath], secret: Collection[str]
) -> dict[str, Any]:
    """The same for a violation as the journal has it."""
    found, path = str(row.get("found") or ""), str(row.get("path") or "")
    if found and found != MASK and is_secret(path, paths):
        message = _INSTEAD["en"].format(path=path, kind=row.get("kind"), expected=row.get("expected"))
        return {**row, "found": MASK, "message": message}
    message = masked_text(str(row.get("message") or ""), secret)
    return {**row, "found": masked_text(found, secret), "message": message}


def is_secret(place: str, paths: Iterable[FieldPath]) -> bool:
    """Whether a violation's path (`/CreateCustomer/customer/idNumber`) is that of a secret field, or inside one; also one of its
    name in a place where it does not belong."""
    names = _INDEX.sub("", place).strip("/").split("/")
    steps = [step for step in names[1:] if not step.startswith("@")]
    attribute = names[-1][1:] if names[-1].startswith("@") else None
    there = FieldPath(tuple(steps), attribute)
    for path in paths:
        if path.covers(there):
            return True
        named = steps if path.attribute is None else [attribute]
        if path.name in named:
            return True
    return False


def _secret(
    root: etree._Element, paths: Collection[FieldPath], *, anywhere: bool
) -> Iterator[tuple[etree._Element, str | None]]:
    """(element, its secret attribute or None for all of it)."""
    for path in paths:
        for payload in _payloads(root):
            found = [payload]
            for step in path.steps:
                found = [
                    child for node in found for child in node.iterchildren("*") if local(child.tag) == step
                ]
            yield from _at(found, path.attribute)
        if anywhere:
            named = root.iter("*")
            if path.attribute is None:
                named = (node for node in root.iter("*") if local(node.tag) == path.name and node is not root)
            yield from _at(list(named), path.attribute)


def _at(
    found: Iterable[etree._Element], attribute: str | None
) -> Iterator[tuple[etree._Element, str | None]]:
    for node in found:
        if attribute is None:
            yield node, None
        else:
            for name in map(str, node.attrib):
                if local(name) == attribute:
                    yield node, name


def _payloads(root: etree._Element) -> Iterator[etree._Element]:
    """What the Body holds, and what a fault's detail does; of a payload alone itself."""
    namespace = _ENVELOPES.get(str(root.tag))
    if namespace is None:
        yield root
        return
    for body in root.iterchildren(f"{{{namespace}}}Body"):
        for child in body.iterchildren("*"):
            if child.tag == f"{{{namespace}}}Fault":
                for detail in child.iterchildren("detail", f"{{{namespace}}}Detail"):
                    yield from detail.iterchildren("*")
            else:
                yield child


def _replace(node: etree._Element, attribute: str | None) -> str:
    if attribute is not None:
        value = str(node.get(attribute))
        node.set(attribute, MASK)
        return value
    value, tail = "".join(map(str, node.itertext())), node.tail
    node.clear()
    node.text, node.tail = MASK, tail
    return value


def _forms(value: str) -> Iterator[str]:
    """How a text may quote a value: as it stands, without white space around or inside, cut after 200 characters, as Python
    shows it."""
    collapsed = " ".join(value.split())
    for form in (value, value.strip(), collapsed):
        for one in (form, *(form[: most - 1] for most in _CUT), repr(form)[1:-1]):
            if len(one) >= SHORTEST:
                yield one
