"""Why a message breaks its contract: every violation, not only the first, each where it stands and in plain words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

from bridge.contract.explain.content import Contents
from bridge.contract.explain.messages import said
from bridge.contract.explain.notes import Note
from bridge.contract.explain.places import Paths, by_libxml2_path, places
from bridge.contract.explain.violation import LANGUAGES, Violation
from bridge.contract.explain.walk import Schemas, Walk
from bridge.contract.model import ElementDecl
from bridge.contract.schema.facets import Leaves
from bridge.contract.schema.particles import local_of

__all__ = ["Explainer", "LibxmlError", "Violation"]

MOST_VIOLATIONS = 100
_EFFORT = 300_000
"""Elements visited and search steps taken before we stop looking: about two seconds."""

_SUBJECT = re.compile(r"^Element '(?P<element>[^']*)'(?:, attribute '(?P<attribute>[^']*)')?: ")
_SEQUENCE = re.compile(r"key-sequence \[(.*)\]")
_VALUE = re.compile(r"'([^']*)'")
_IDENTITY = "SCHEMAV_CVC_IDC"
_CONTENT = "SCHEMAV_ELEMENT_CONTENT"
_AT_PARENT = frozenset({"missing-element", "missing-choice", "too-few"})


@dataclass(frozen=True, slots=True)
class LibxmlError:
    """One entry of libxml2's error log: its name for the error, its path, its words."""

    name: str
    path: str
    message: str


class Explainer:
    """Explains messages of one contract. Safe to use from several threads; what it learns about types it keeps."""

    def __init__(self, model: Schemas) -> None:
        self._model = model
        self._contents = Contents(model)
        self._leaves = Leaves()

    def explain(
        self,
        declaration: ElementDecl,
        element: etree._Element,
        *,
        source: bytes | None = None,
        prefix_path: str = "",
        libxml2: Sequence[LibxmlError] = (),
        limit: int = MOST_VIOLATIONS,
        effort: int = _EFFORT,
    ) -> tuple[list[Violation], bool]:
        """The violations of `element`, in the document's order, and whether there are more than were looked for.

        `source` is the UTF-8 text of the whole document that `element` stands in. `libxml2` is what the validator
        itself had to say: from it come rules of identity (key, unique, keyref), and whatever our walk did not see.
        """
        walk = Walk(self._model, self._contents, self._leaves, limit, effort)
        walk.run(element, declaration)
        notes = [*walk.notes, *_unseen(walk.notes, element, libxml2)]
        truncated = walk.truncated or len(notes) > limit
        return self._placed(notes[:limit], element, source, prefix_path), truncated

    def wrong_root(
        self, expected: str, element: etree._Element, *, source: bytes | None = None, prefix_path: str = ""
    ) -> Violation:
        """The violation of a message whose element is not the declared one."""
        found = str(element.tag)
        if local_of(found) != local_of(expected):
            shown, wanted = local_of(found), local_of(expected)
        else:
            shown, wanted = found, expected
        fields = {language: {"rule": wanted, "value": shown} for language in LANGUAGES}
        words = self._model.element(expected).documentation if self._model.has_element(expected) else ()
        note = Note(
            kind="wrong-root",
            anchor=element,
            fields=fields,
            found=found,
            expected=expected,
            documentation=words,
        )
        return self._placed([note], element, source, prefix_path)[0]

    def unexplained(
        self, element: etree._Element, *, source: bytes | None = None, prefix_path: str = ""
    ) -> Violation:
        """The violation of a message that libxml2 refuses without a word: there is always one."""
        rule = "The validator refuses this message and does not say why."
        fields = {language: {"name": local_of(str(element.tag)), "rule": rule} for language in LANGUAGES}
        return self._placed(
            [Note(kind="other", anchor=element, fields=fields)], element, source, prefix_path
        )[0]

    def _placed(
        self, notes: Sequence[Note], top: etree._Element, source: bytes | None, prefix_path: str
    ) -> list[Violation]:
        where = places(source, (note.anchor for note in notes))
        order = {element: number for number, element in enumerate(where)}
        paths = Paths(top, prefix_path)
        violations = []
        for note in sorted(notes, key=lambda note: order[note.anchor]):
            offset, line = where[note.anchor]
            violations.append(
                Violation(
                    kind=note.kind,
                    path=paths.of(note.anchor) + note.suffix,
                    offset=offset,
                    line=line,
                    found=note.found,
                    expected=note.expected,
                    messages=said(note.kind, note.fields),
                    documentation=note.documentation,
                )
            )
        return violations


def _unseen(notes: Sequence[Note], top: etree._Element, errors: Sequence[LibxmlError]) -> list[Note]:
    """libxml2's errors at elements where the walk saw nothing, at them or directly below them."""
    seen = {note.anchor for note in notes}
    seen.update(parent for note in notes if (parent := note.anchor.getparent()) is not None)
    # What is missing is told at the parent; libxml2 blames the child that stands where it should be.
    incomplete = {note.anchor for note in notes if note.kind in _AT_PARENT}
    found = []
    for error in errors:
        identity = error.name == _IDENTITY
        element = by_libxml2_path(top, error.path) if error.path else _holder(top, error.message)
        if element is None:
            element = top
        if element in seen and not (identity and _is_about_values(error)):
            continue
        if error.name == _CONTENT and element.getparent() in incomplete:
            continue
        words = _SUBJECT.sub("", error.message)
        subject = _SUBJECT.match(error.message)
        attribute = local_of(subject["attribute"]) if subject is not None and subject["attribute"] else ""
        name = f"@{attribute}" if attribute else local_of(str(element.tag))
        found.append(
            Note(
                kind="identity" if identity else "other",
                anchor=element,
                fields={language: {"name": name, "rule": words} for language in LANGUAGES},
                suffix=f"/@{attribute}" if attribute else "",
                found=(element.text or "").strip()[:200],
                expected=words,
            )
        )
    return found


def _holder(top: etree._Element, message: str) -> etree._Element | None:
    """The element with the values of a reference that leads nowhere: libxml2 tells its name and values, not its path."""
    subject = _SUBJECT.match(message)
    sequence = _SEQUENCE.search(message)
    if subject is None or sequence is None:
        return None
    values = set(_VALUE.findall(sequence[1]))
    for element in top.iter(subject["element"]):
        held = {" ".join(str(value).split()) for value in element.attrib.values()}
        held.update(" ".join((inner.text or "").split()) for inner in element.iter("*"))
        if values <= held:
            return element
    return None


def _is_about_values(error: LibxmlError) -> bool:
    """Two equal keys, or a reference to none, are faults of their own; a key that is incomplete follows from another."""
    return "Duplicate key-sequence" in error.message or "No match found" in error.message
