"""What stands in the detail of a Fault of ours: `violations` for a broken contract, `refusal` for everything else.

The namespace is public and kept for ever; xsd/common/violations-1.xsd documents it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, Protocol

from bridge.soap.limits import DEFAULT
from bridge.soap.text import ECHO, attribute, clip, escape

VIOLATIONS_NS = "urn:soapbridge:violations:1"

# A fault stays readable, and smaller than the request it answers would often be: 100 violations make about 100 kB.
_LONGEST_SENTENCE = 600
_LONGEST_PATH = 1000


class Documentation(Protocol):
    """A contract author's words on a field: `language` is a BCP 47 tag, "" where none was given."""

    @property
    def language(self) -> str: ...
    @property
    def text(self) -> str: ...


class Violation(Protocol):
    """One breach of a contract, as `bridge.contract` explains it."""

    @property
    def kind(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def offset(self) -> int | None: ...
    @property
    def line(self) -> int | None: ...
    @property
    def found(self) -> str: ...
    @property
    def expected(self) -> str: ...
    @property
    def messages(self) -> Mapping[str, str]: ...
    @property
    def documentation(self) -> Sequence[Documentation]: ...


def violations_detail(
    violations: Sequence[Violation],
    exchange_id: str,
    *,
    truncated: bool = False,
    most: int = DEFAULT.max_explained,
) -> str:
    """The element `violations`: `total` were found, the first `most` are listed; `truncated` tells that there are more."""
    listed = violations[:most]
    truncated = truncated or len(listed) < len(violations)
    return (
        f'<v:violations xmlns:v="{VIOLATIONS_NS}" exchange={attribute(exchange_id)}'
        f' total="{len(violations)}" truncated="{str(truncated).lower()}">'
        f"{''.join(map(_violation, listed))}</v:violations>"
    )


def _violation(violation: Violation) -> str:
    offset = "" if violation.offset is None else f"<v:offset>{violation.offset}</v:offset>"
    line = "" if violation.line is None else f"<v:line>{violation.line}</v:line>"
    return (
        f"<v:violation kind={attribute(violation.kind)}>"
        f"<v:path>{escape(clip(violation.path, _LONGEST_PATH))}</v:path>{offset}{line}"
        f"<v:found>{escape(clip(violation.found, ECHO))}</v:found>"
        f"<v:expected>{escape(clip(violation.expected, _LONGEST_SENTENCE))}</v:expected>"
        f"{_spoken('message', violation.messages.items())}"
        f"{_spoken('documentation', ((one.language, one.text) for one in violation.documentation))}"
        "</v:violation>"
    )


def refusal_detail(
    texts: Mapping[str, tuple[str, str]],
    exchange_id: str,
    *,
    whose: Literal["sender", "receiver"],
    repeat: Literal["safe", "useless", "unknown"],
) -> str:
    """The element `refusal`: message and advice by language, who has to act, and whether repeating does harm."""
    messages = ((language, message) for language, (message, _) in texts.items())
    advice = ((language, advice) for language, (_, advice) in texts.items() if advice)
    return (
        f'<v:refusal xmlns:v="{VIOLATIONS_NS}" exchange={attribute(exchange_id)} whose="{whose}" repeat="{repeat}">'
        f"{_spoken('message', messages)}{_spoken('advice', advice)}</v:refusal>"
    )


def _spoken(name: str, texts: Iterable[tuple[str, str]]) -> str:
    """One element for each language; `xml:lang` is left out where no language is known."""
    return "".join(
        f"<v:{name}{f' xml:lang={attribute(language)}' if language else ''}>"
        f"{escape(clip(text, _LONGEST_SENTENCE))}</v:{name}>"
        for language, text in texts
    )
