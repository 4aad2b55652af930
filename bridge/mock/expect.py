"""What a test expects a mock to be asked, what it is to answer then, and a report of what did not happen.

    erp.expect("CreatePurchaseOrder").matching("//sku = 'A-1'").times_out().then_reply({"orderNumber": "PO-1"})

Each answer is a step; steps are used up in order, each once unless `times` or `always` says otherwise.
"""

from __future__ import annotations

import fnmatch
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from bridge.contract import Operation
from bridge.contract.codec.values import ComplexValue
from bridge.errors import HandlerError
from bridge.mock.answers import (
    DROPS,
    DUPLICATES,
    HUGE,
    OFF_CONTRACT,
    SAMPLE,
    Answer,
    Drop,
    Duplicate,
    Facts,
    Match,
)
from bridge.mock.broken import IN_THE_PAYLOAD, require_payload
from bridge.mock.namespaces import compiled
from bridge.mock.received import Received
from bridge.mock.values import Values, named_or_nearest

_MISSES = 50
_NAMED = 3


@dataclass(slots=True)
class _Step:
    answer: Answer
    times: int | None = 1
    used: int = 0

    @property
    def left(self) -> int | None:
        return None if self.times is None else self.times - self.used


@dataclass(frozen=True, slots=True)
class _Miss:
    """A request of this operation that did not match, and in what."""

    number: int
    differences: tuple[str, ...]


class Expectation:
    """Requests of one operation that a test expects, with the answers they get. Made by `Mock.expect`.

    What makes no sense raises at once: a value that the contract does not admit, an XPath that cannot be read.
    """

    def __init__(self, operation: Operation, values: Values, place: str) -> None:
        self.operation = operation
        self.place = place
        self._values = values
        self._steps: list[_Step] = []
        self._match: Match | None = None
        self._predicate: Callable[[Any], Any] | None = None
        self._wanted: tuple[Mapping[str, Any], Any] | None = None
        self._headers: Mapping[str, str] = {}
        self._lock = threading.Lock()
        self._misses: list[_Miss] = []
        self._extra: list[int] = []

    # What is expected

    def matching(
        self,
        xpath: str | Callable[[Any], Any] | None = None,
        predicate: Callable[[Any], Any] | None = None,
        *,
        values: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        namespaces: Mapping[str, str] | None = None,
    ) -> Self:
        """Only requests for which all of these hold.

        Args:
            xpath: over the payload, as a document of its own; without any prefix it is about local names.
            predicate: called with the decoded payload; true for a request that is meant. May stand first, too.
            values: fields of the payload, as far as they matter: `{"supplier": "S-1"}`.
            headers: HTTP headers; `*` in a value stands for anything.
            namespaces: prefix → namespace for the XPath; those of the contract need not be said.

        Raises:
            HandlerError: the XPath cannot be read.
            EncodeError: there is no such field, or a value is none of its type.
        """
        if callable(xpath):
            xpath, predicate = None, xpath
        if xpath is not None:
            self._match = compiled(xpath, self._values.contract, namespaces or {})
        if predicate is not None:
            self._predicate = predicate
        if values is not None:
            self._wanted = values, self._values.request(self.operation, values)
        self._headers = headers or self._headers
        return self

    def times(self, count: int) -> Self:
        """The last answer named is given to `count` requests, all of which must come."""
        if count < 1:
            raise ValueError(f"times({count}): at least 1; what must not come is found with strict=True")
        self._last().times = count
        return self

    def always(self) -> Self:
        """The last answer named is given to every further request, be there none or many."""
        self._last().times = None
        return self

    # Answers

    def reply(self, value: Any = SAMPLE) -> Self:
        """This reply: tables and lists, or an instance; a sample where nothing is given."""
        return self._step(Answer(value=self._reply(value)))

    def fault(self, name: str, value: Any = SAMPLE, *, text: str = "") -> Self:
        """The declared fault `name` with this detail (a sample where none is given); or Client or Server with `text`."""
        if name in ("Client", "Server") and name not in self.operation.faults:
            code: Literal["Client", "Server"] = "Client" if name == "Client" else "Server"
            return self._step(Answer(code=code, text=text or "The mock was told to answer so."))
        detail = self._values.fault(self.operation, name, value)
        return self._step(Answer(fault=name, value=detail))

    def times_out(self) -> Self:
        """Processed, and never answered: the connection stays open until the client gives up."""
        return self._step(Answer(delay=float("inf")))

    def drops(self, when: Drop = "after") -> Self:
        """The connection is cut: "before" or "after" processing, or in "mid-reply"."""
        return self._step(Answer(drop=_one_of(when, DROPS, "drops")))

    def off_contract(
        self, way: str, value: Any = SAMPLE, *, size: int = HUGE, bytes_per_second: float = 0.0
    ) -> Self:
        """A reply broken in a named way (docs/mock.md lists them), made from `value` or a sample."""
        known = [one for one in OFF_CONTRACT if one != "as-given"]
        _one_of(way, known, "off_contract")
        if way in IN_THE_PAYLOAD:
            require_payload(self.operation, way)
        answer = Answer(
            value=self._reply(value), off_contract=way, size=size, bytes_per_second=bytes_per_second
        )
        return self._step(answer)

    def status(
        self, status: int, *, headers: Mapping[str, str] | None = None, body: str | bytes = b""
    ) -> Self:
        """Plain HTTP, without an envelope: `status(503, headers={"Retry-After": "30"})`."""
        content = body.encode() if isinstance(body, str) else body
        return self._step(Answer(status=status, headers=tuple((headers or {}).items()), body=content))

    def delayed(self, seconds: float) -> Self:
        """The last answer named comes that much later."""
        last = self._last()
        last.answer = replace(last.answer, delay=seconds)
        return self

    def duplicated(self, what: Duplicate = "request") -> Self:
        """The last answer named belongs to a "request" taken twice, or to a "reply" sent twice."""
        last = self._last()
        last.answer = replace(last.answer, duplicate=_one_of(what, DUPLICATES, "duplicated"))
        return self

    # The same, for a sentence that goes on.
    then_reply = reply
    then_fault = fault
    then_times_out = times_out
    then_drops = drops
    then_off_contract = off_contract
    then_status = status

    def _reply(self, value: Any) -> Any:
        return value if value is SAMPLE else self._values.reply(self.operation, value)

    def _step(self, answer: Answer) -> Self:
        self._steps.append(_Step(answer))
        return self

    def _last(self) -> _Step:
        if not self._steps:
            self._steps.append(_Step(Answer()))
        return self._steps[-1]

    # Asked by the mock

    def differences(self, facts: Facts) -> list[str]:
        """In what a request of this operation is not the one that is meant; empty when it is."""
        found = []
        for name, pattern in self._headers.items():
            given = facts.header(name)
            if not any(fnmatch.fnmatchcase(value, pattern) for value in given):
                found.append(f"header {name} is {', '.join(given) or 'missing'}, expected {pattern}")
        if self._wanted is not None:
            found += _differences(*self._wanted, facts.value, "")
        if self._match is not None and not self._match(facts):
            found.append(f"the XPath does not hold: {self._match.text}")
        if self._predicate is not None and not self._predicate(facts.value):
            found.append(f"the predicate does not hold: {getattr(self._predicate, '__name__', 'predicate')}")
        return found

    def take(self, facts: Facts) -> Answer | None:
        """The answer to this request; None when it is not meant, or is one too many."""
        if facts.operation != self.operation.key:
            return None
        differences = self.differences(facts)
        with self._lock:
            if differences:
                self._misses = [*self._misses, _Miss(facts.number, tuple(differences))][-_MISSES:]
                return None
            if not self._steps:
                self._last()
            for step in self._steps:
                if step.left is None or step.left > 0:
                    step.used += 1
                    return step.answer
            return None

    def matches(self, facts: Facts) -> bool:
        return facts.operation == self.operation.key and not self.differences(facts)

    def note_extra(self, number: int) -> None:
        """A request that matched when every answer had been used."""
        with self._lock:
            self._extra.append(number)

    # Told to the test

    def report(self, received: Sequence[Received]) -> str:
        """What did not happen, and what came instead; "" when all did."""
        with self._lock:
            steps = self._steps or [_Step(Answer())]
            missing = [(step.left, step.answer) for step in steps if step.left]
            used = sum(step.used for step in steps)
            misses, extra = list(self._misses), list(self._extra)
        if not missing and not extra:
            return ""
        wanted = sum(step.times or 0 for step in steps)
        lines = [f"{self.operation.key}{self._conditions()}  ({self.place})"]
        answers = ", then ".join(_counted(step.times, step.answer) for step in steps)
        lines.append(f"  expected {_requests(wanted)}: {answers}")
        lines.append(f"  came: {used}" + (f"; not asked for: {_rest(missing)}" if missing else ""))
        if extra:
            lines.append(f"  {len(extra)} too many: {', '.join(f'#{number}' for number in extra[:10])}")
        if missing:
            lines += [f"  {line}" for line in self._instead(misses, received)]
        return "\n".join(lines)

    def _conditions(self) -> str:
        said = [f"{name}: {value}" for name, value in self._headers.items()]
        said += [f"values {self._wanted[0]}"] if self._wanted is not None else []
        said += [self._match.text] if self._match is not None else []
        said += [getattr(self._predicate, "__name__", "a predicate")] if self._predicate is not None else []
        return f" where {' and '.join(said)}" if said else ""

    def _instead(self, misses: Sequence[_Miss], received: Sequence[Received]) -> Iterator[str]:
        if misses:
            nearest = min(misses, key=lambda miss: len(miss.differences))
            more = len(nearest.differences) - _NAMED
            yield f"nearest is #{nearest.number}: {'; '.join(nearest.differences[:_NAMED])}" + (
                f"; and {more} more differences" if more > 0 else ""
            )
            return
        refused = [one for one in received if one.operation == self.operation.key and one.refused]
        if refused:
            yield f"#{refused[-1].number} was refused: {refused[-1].refused}"
        elif not received:
            yield "nothing came at all"
        else:
            others = [f"#{one.number} {one.operation or 'an unknown operation'}" for one in received[-5:]]
            yield f"what came: {', '.join(others)}"


def _rest(missing: Sequence[tuple[int | None, Answer]]) -> str:
    return ", ".join(_counted(left, answer) for left, answer in missing)


def _counted(times: int | None, answer: Answer) -> str:
    if times is None:
        return f"{answer.words} (always)"
    return answer.words if times == 1 else f"{times} × {answer.words}"


def _requests(count: int) -> str:
    return "1 request" if count == 1 else f"{count} requests"


def _differences(named: Any, wanted: Any, given: Any, path: str) -> list[str]:
    """Where `given` is not what is wanted of it: tables by the fields `named`, lists item by item, the rest by ==."""
    if isinstance(named, Mapping) and isinstance(wanted, ComplexValue) and isinstance(given, ComplexValue):
        return [
            one
            for name in named
            for one in _differences(
                named[name], _get(wanted, name), _get(given, name), f"{path}.{name}".lstrip(".")
            )
        ]
    if isinstance(named, list) and isinstance(given, list) and len(named) == len(wanted) == len(given):
        items = enumerate(zip(named, wanted, given, strict=True))
        return [one for at, three in items for one in _differences(*three, f"{path}[{at}]")]
    return (
        [] if wanted == given else [f"{path or 'the payload'} is {_short(given)}, expected {_short(wanted)}"]
    )


def _get(value: ComplexValue, name: str) -> Any:
    """A field by its Python name or its XML name; None where a subclass of another branch has no such field."""
    field = name if name in value.xml_names.values() else value.xml_names.get(name, "")
    return getattr(value, field, None)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}…"


def _one_of(word: Any, known: Any, what: str) -> Any:
    if word not in known:
        raise HandlerError(
            f"{what}({word!r}): there is no such way.", advice=named_or_nearest(str(word), set(known))
        )
    return word
