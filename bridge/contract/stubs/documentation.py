"""What a contract's author wrote, made short enough for a docstring."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.contract.model import Documentation

_LONGEST = 400


def english(documentation: Sequence[Documentation]) -> str:
    """The English note, else the one without a language, else the first; on one line and not too long."""

    def rank(note: Documentation) -> int:
        return 0 if note.language.lower().startswith("en") else 1 if not note.language else 2

    if not documentation:
        return ""
    text = " ".join(min(documentation, key=rank).text.split())
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 1].rpartition(" ")[0] + " …"
    return text
