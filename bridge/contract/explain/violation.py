"""One breach of a contract by one message, told so that whoever sent it can mend it without asking us."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.contract.model import Documentation

LANGUAGES = ("en", "zh")
"""Languages in which every violation speaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One breach.

    `kind` is a stable word for programs, a key of `messages.TEXTS` (`missing-element`, `pattern` …).
    `path` goes by local names from the message's element: `/CreatePurchaseOrder/order/line[3]/quantity`,
    `/…/line[3]/@unit`; an index stands only where the name repeats among siblings. For something missing it
    is the path that the missing thing would have.
    `offset` is the byte offset (0-based) of a start tag in the UTF-8 source, `line` its line (1-based): the
    tag of the element the path names or, for something missing or misplaced text, of the element around it.
    Both are None where the source is not known.
    `found` is what was there, at most 200 characters, "" for nothing; `expected` what the contract wants.
    `messages` is a whole sentence by language, `documentation` the contract author's words on that field.
    """

    kind: str
    path: str
    offset: int | None
    line: int | None
    found: str
    expected: str
    messages: Mapping[str, str]
    documentation: tuple[Documentation, ...] = ()

    def __str__(self) -> str:
        return f"{self.path}: {self.messages['en']}"
