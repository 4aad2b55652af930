"""Where in a message something stands: its path by names, its byte offset and line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import TypeAlias
from xml.parsers import expat

from lxml import etree

from bridge.contract.schema.particles import local_of

Place: TypeAlias = "tuple[int | None, int | None]"
"""(byte offset, line), each None where unknown."""


class Paths:
    """Paths of elements below `top`, by local names; an index only where the name repeats among siblings."""

    def __init__(self, top: etree._Element, prefix: str = "") -> None:
        self._top = top
        self._prefix = prefix
        # Siblings are counted once per parent: a hundred violations among 100,000 siblings would else take minutes.
        self._steps: dict[etree._Element, dict[etree._Element, str]] = {}

    def of(self, element: etree._Element) -> str:
        steps = []
        current: etree._Element | None = element
        while current is not None and current is not self._top:
            parent = current.getparent()
            steps.append(local_of(str(current.tag)) if parent is None else self._step(parent, current))
            current = parent
        steps.append(local_of(str(self._top.tag)))
        return "/".join((self._prefix, *reversed(steps)))

    def _step(self, parent: etree._Element, child: etree._Element) -> str:
        known = self._steps.get(parent)
        if known is None:
            by_name: dict[str, list[etree._Element]] = {}
            for sibling in parent.iterchildren("*"):
                by_name.setdefault(local_of(str(sibling.tag)), []).append(sibling)
            known = self._steps[parent] = {
                element: name if len(same) == 1 else f"{name}[{number}]"
                for name, same in by_name.items()
                for number, element in enumerate(same, 1)
            }
        return known[child]


def by_libxml2_path(top: etree._Element, path: str) -> etree._Element | None:
    """The element that libxml2's own path (`/*/p:line[2]/*[3]`) means; `top` is its first step."""
    current = top
    for step in path.split("/")[2:]:
        name, _, index = step.rstrip("]").partition("[")
        wanted = int(index) if index else 1
        for child in current.iterchildren("*"):
            shown = local_of(str(child.tag))
            wanted -= name == "*" or name == (f"{child.prefix}:{shown}" if child.prefix else shown)
            if wanted == 0:
                current = child
                break
        else:
            return None
    return current


def places(source: bytes | None, elements: Iterable[etree._Element]) -> Mapping[etree._Element, Place]:
    """Offset and line of each element's start tag. `source` is the UTF-8 text of the elements' whole document."""
    wanted = set(elements)
    if not wanted:
        return {}
    top = next(iter(wanted)).getroottree().getroot()
    numbers: dict[int, etree._Element] = {}
    for number, element in enumerate(top.iter("*")):
        if element in wanted:
            numbers[number] = element
            if len(numbers) == len(wanted):
                break
    tags = {} if source is None else _start_tags(source, set(numbers))
    return {element: tags.get(number, (None, None)) for number, element in numbers.items()}


class _Enough(Exception):
    """All start tags wanted were seen."""


def _start_tags(source: bytes, numbers: set[int]) -> dict[int, Place]:
    found: dict[int, Place] = {}
    last = max(numbers, default=-1)
    count = 0
    parser = expat.ParserCreate("UTF-8")

    def start(name: str, attributes: object) -> None:
        nonlocal count
        if count in numbers:
            found[count] = (parser.CurrentByteIndex, parser.CurrentLineNumber)
        if count >= last:
            raise _Enough
        count += 1

    parser.StartElementHandler = start
    # Another text than the elements were parsed from may be an error to expat: what was seen until then holds.
    # Entities are no concern: the message was parsed before, and a DOCTYPE refused.
    with contextlib.suppress(_Enough, expat.ExpatError):
        parser.Parse(source, True)
    return found
