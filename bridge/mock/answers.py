"""What a mock does with a request, as data: answers, and the rules that choose one. Pure.

A rule has conditions, all of which must hold, and one answer. Rules are tried in order and the first that fits decides;
where none does, the answer is a sample reply.
"""

from __future__ import annotations

import fnmatch
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal

from lxml import etree

from bridge.soap.text import local_name

Drop = Literal["", "before", "after", "mid-reply"]
Duplicate = Literal["", "request", "reply"]

DROPS: dict[Drop, str] = {
    "before": "the connection is reset, nothing was processed",
    "after": "processed, then the connection is reset and no byte of the reply is sent",
    "mid-reply": "half of the reply is sent, then the connection is closed",
}
DUPLICATES: dict[Duplicate, str] = {
    "request": "the request is taken as if it had come twice; the sender gets the second answer",
    "reply": "the reply is sent twice on one connection",
}
OFF_CONTRACT: dict[str, str] = {
    "missing-element": "the first required element is not there",
    "wrong-type": "the first value whose type can be wrong is",
    "unknown-element": "one element more than the contract has",
    "wrong-namespace": "the right names in a namespace of somebody else",
    "as-given": "`reply_file` as it is, whatever the contract says",
    "html": "a page for people, with status 200",
    "empty": "status 200 and no body",
    "truncated": "the envelope ends in the middle, and Content-Length says so too",
    "wrong-content-type": "the reply, said to be text/plain",
    "huge": "a valid reply blown up to `size` bytes",
    "slow": "a valid reply, `bytes_per_second` at a time",
}
HUGE = 12 * 1024 * 1024
"""Bytes of a huge reply, unless its rule says: more than clients of the bridge take by default."""
MOST_XPATH_BYTES = 1024 * 1024
"""Payload that an XPath is still evaluated on; a rule with `match` does not fit a larger one."""


class Sample:
    """In place of a value: a sample that the contract admits."""

    def __repr__(self) -> str:
        return "sample"


SAMPLE: Final = Sample()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What to do with one request. Without anything said, a sample reply at once.

    At most one of `fault` (a declared fault's name, with `value`), `code` (Client or Server, with `text`) and `status`
    (plain HTTP, with `headers` and `body`) is given; else `value` is the reply. `payload` is a reply as text that is
    sent unchecked. `delay` is in seconds; infinity never answers. `bytes_per_second` 0.0 sends at once.
    """

    value: Any = SAMPLE
    payload: str | None = None
    fault: str = ""
    code: Literal["", "Client", "Server"] = ""
    text: str = ""
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    delay: float = 0.0
    drop: Drop = ""
    duplicate: Duplicate = ""
    off_contract: str = ""
    size: int = HUGE
    bytes_per_second: float = 0.0

    @property
    def times_out(self) -> bool:
        return self.delay == float("inf")

    @property
    def words(self) -> str:
        """The answer in a few words, for lists and reports."""
        if self.times_out:
            return "no answer"
        if self.drop == "before":
            return "dropped before processing"
        if self.status is not None:
            said = f"HTTP {self.status}"
        elif self.fault or self.code:
            said = f"fault {self.fault or self.code}"
        elif self.off_contract:
            said = f"off contract: {self.off_contract}"
        else:
            said = "sample reply" if self.value is SAMPLE else "reply"
        ending = {"after": ", dropped after processing", "mid-reply": ", dropped in the middle"}
        said += ending.get(self.drop, "")
        said += f", {self.duplicate} twice" if self.duplicate else ""
        return said + (f" after {self.delay:g} s" if self.delay else "")


PLAIN = Answer()
"""A sample reply at once."""


@dataclass(eq=False)
class Facts:
    """What rules may ask about one valid request.

    `nth` counts the requests of its operation from 1, `number` all that the mock has received.
    """

    operation: str
    nth: int
    number: int
    headers: tuple[tuple[str, str], ...]
    body: etree._Element | None
    value: Any

    @cached_property
    def document(self) -> etree._Element | None:
        """The payload as a document of its own; None where there is none, or it is too large for an XPath."""
        text = None if self.body is None else etree.tostring(self.body, encoding="utf-8", with_tail=False)
        return None if text is None or len(text) > MOST_XPATH_BYTES else etree.fromstring(text)

    @cached_property
    def without_namespaces(self) -> etree._Element | None:
        """The same with local names only."""
        if self.document is None:
            return None
        copy = etree.fromstring(etree.tostring(self.document))
        for element in copy.iter(etree.Element):
            element.tag = local_name(str(element.tag))
            for name in [str(name) for name in element.attrib if str(name).startswith("{")]:
                element.attrib[local_name(name)] = element.attrib.pop(name)
        return copy

    def header(self, name: str) -> list[str]:
        """The values of an HTTP header, whatever its case."""
        return [value for given, value in self.headers if given.lower() == name.lower()]


class Match:
    """An XPath over the payload. Without any prefix it is about local names, whatever their namespace.

    Raises etree.XPathError for an expression that cannot be compiled, or calls what there is not.
    """

    def __init__(self, text: str, namespaces: Mapping[str, str], *, prefixed: bool) -> None:
        self.text = text
        self._prefixed = prefixed
        self._xpath = etree.XPath(text, namespaces=dict(namespaces), regexp=False)
        self._xpath(etree.Element("any"))  # functions are looked up when they are called

    def __call__(self, facts: Facts) -> bool:
        """Whether it holds: true, a node found, a text that is not empty, a number that is not 0."""
        document = facts.document if self._prefixed else facts.without_namespaces
        if document is None:
            return False
        found = self._xpath(document.getroottree())
        return found == found and bool(found)  # NaN is not even itself


@dataclass(eq=False)
class Rule:
    """Conditions and an answer. `operation` None is every operation; `times` None is for ever."""

    answer: Answer
    operation: str | None = None
    match: Match | None = None
    header: Mapping[str, str] = field(default_factory=dict)
    nth: frozenset[int] = frozenset()
    times: int | None = None
    place: str = ""
    used: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def fits(self, facts: Facts) -> bool:
        """Whether all conditions hold; how often it was used is not asked."""
        if self.operation not in (None, facts.operation) or (self.nth and facts.nth not in self.nth):
            return False
        for name, pattern in self.header.items():
            if not any(fnmatch.fnmatchcase(value, pattern) for value in facts.header(name)):
                return False
        return self.match is None or self.match(facts)

    def take(self) -> bool:
        """Uses it once; False when it was used as often as it may be."""
        with self._lock:
            if self.times is not None and self.used >= self.times:
                return False
            self.used += 1
            return True
