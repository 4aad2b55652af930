"""One API: a request with its pass, at its place in time, and what its answer means.

What a status means is `bridge.partners.http.outcomes`. Many APIs say in the body what went wrong, some of them inside HTTP 200: `Errors`
says where, and what each code means. A pass that is not taken any more is replaced and the request sent once again, which does nothing
twice: the partner did not let the first one in. If the second is not let in either, it is Unauthorised.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, Protocol
from urllib.parse import urlencode

from bridge.errors import (
    DeliveredUnreadable,
    InDoubt,
    PartnerError,
    Refused,
    Unauthorised,
    Unavailable,
)
from bridge.partners.http import json_body, outcomes
from bridge.partners.http.bucket import Bucket
from bridge.partners.http.client import Client, harmless
from bridge.partners.http.letting_in import Doorman, Pass
from bridge.partners.http.wire import IN_DOUBT, Answer
from bridge.soap.text import echo

Meaning = Literal[
    "token", "unauthorised", "unavailable", "refused", "not_found", "conflict", "in_doubt", "good"
]
MEANINGS: Final = (
    "token", "unauthorised", "unavailable", "refused", "not_found", "conflict", "in_doubt", "good",
)  # fmt: skip
_UNREADABLE: Final = "Never repeat it: it was done. Correct the partner's file, or tell the partner."


@dataclass(frozen=True, slots=True)
class Code:
    """What a code of the partner's means. `after`: seconds to wait, where it is unavailable."""

    meaning: Meaning
    after: float | None = None


class Verdict(NamedTuple):
    """What became of a request, by its answer; no error: it went well. `pass_refused`: another pass may be let in."""

    error: PartnerError | None = None
    pass_refused: bool = False


class Judge(Protocol):
    """Tells what an answer means. `value` is its JSON, None where there is none."""

    def verdict(self, request: Request, value: Any, answer: Answer) -> Verdict: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Where replies say that something went wrong. `at` "": they do not, and the status says all.

    `other` is what a code means that is neither in `good` nor in `codes`, where the status is 2xx or 4xx.
    """

    at: str = ""
    message: str = ""
    good: tuple[str, ...] = ()
    codes: Mapping[str, Code] = field(default_factory=dict)
    other: Meaning = "refused"

    def verdict(self, request: Request, value: Any, answer: Answer) -> Verdict:
        code, told = self._said(value)
        found = self.codes.get(code) if code else None
        if answer.status_code == 304:
            return Verdict()
        if found is None and (not code or answer.status_code >= 300):
            shown = f"{code}: {told}" if code and told else code or told
            error = outcomes.judge(answer, names_record=request.names_record, said=shown)
            return Verdict(error, answer.status_code == 401)
        found = found or Code(self.other)
        return Verdict(meant(found, code, told, answer), found.meaning == "token")

    def _said(self, value: Any) -> tuple[str, str]:
        """The code inside a reply, "" where there is none or a good one, and what it says for people."""
        code = json_body.at(value, self.at) if self.at else None
        said = json_body.at(value, self.message) if self.message else None
        told = "" if said is None or isinstance(said, dict | list) else str(said)
        if code is None or isinstance(code, dict | list) or str(code) in self.good:
            return "", told
        return str(code), told


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked. `names_record`: 404 speaks of that record. `reads`: it changes nothing."""

    method: str
    path: str
    params: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    reads: bool = True
    names_record: bool = False
    deadline: float | None = None

    @property
    def text(self) -> bytes:
        """What was asked, for the journal: without headers, which have credentials."""
        query = f"?{urlencode(self.params)}" if self.params else ""
        body = b"" if self.body is None else b"\n\n" + json_body.write(self.body)
        return f"{self.method} {self.path}{query}".encode() + body


@dataclass(frozen=True, slots=True)
class Reply:
    """What came: the JSON, None where there was none (204, 304)."""

    value: Any
    answer: Answer


class _Tried(NamedTuple):
    """One request and what became of it. `pass_refused`: it was not let in, and may be with another pass."""

    reply: Reply
    error: PartnerError | None
    pass_refused: bool


class Api:
    """Safe to use from several threads.

    Args:
        client: gives the connections to where a pass is good for.
        judge: what answers mean.
        headers: go along with every request.
    """

    def __init__(
        self,
        client: Callable[[Pass], Client],
        doorman: Doorman,
        *,
        judge: Judge = Errors(),
        bucket: Bucket | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._client = client
        self._doorman = doorman
        self._judge = judge
        self._bucket = bucket or Bucket()
        self._headers = dict(headers or {})

    def ask(self, request: Request) -> Reply:
        """
        Raises:
            PartnerError: what became of it.
        """
        try:
            return self._let_in(request)
        except PartnerError as error:
            if isinstance(error, Unavailable) and error.retry_after and error.status in (200, 429, 503):
                self._bucket.shut(error.retry_after)
            raise (harmless(error) if request.reads else error) from error

    def _let_in(self, request: Request) -> Reply:
        letting = self._doorman.get()
        tried = self._once(request, letting)
        if tried.pass_refused:
            another = self._doorman.another(letting)
            if another is not None:
                tried = self._once(request, another)
        if tried.error is not None:
            raise tried.error
        return tried.reply

    def _once(self, request: Request, letting: Pass) -> _Tried:
        self._bucket.take()
        answer = self._client(letting).request(
            request.method,
            request.path,
            params=(*request.params, *letting.params),
            headers={**self._headers, **request.headers, **letting.headers},
            body=_body(request, letting),
            deadline=request.deadline,
        )
        value, problem = _read(answer)
        error, pass_refused = self._judge.verdict(request, value, answer)
        if error is None and problem is not None:
            error = _unreadable(answer, problem)
        if error is not None:
            error.status, error.reply = answer.status_code, answer.content
        return _Tried(Reply(value, answer), error, pass_refused)


def _body(request: Request, letting: Pass) -> bytes | None:
    if request.body is None:
        return None
    return json_body.write({**request.body, **letting.body} if letting.body else request.body)


def meant(found: Code, code: str, told: str, answer: Answer) -> PartnerError | None:
    """The outcome of a code inside a reply; None for one that is good."""
    said = f"The partner answered {echo(code, 100)}" + (f": {echo(told, 500)}" if told else "") + "."
    match found.meaning:
        case "good":
            return None
        case "token":
            return Unauthorised(
                f"{said} It does not take our token, and nothing was done.",
                advice="Check the credentials before anything is sent again.",
            )
        case "unauthorised":
            return Unauthorised(
                f"{said} It does not let us do this, and nothing was done.",
                advice="Check what the credentials may do there.",
            )
        case "unavailable":
            seconds = outcomes.busy(answer).retry_after or found.after
            return Unavailable(
                f"{said} It did not take the request.", retry_after=seconds, advice="Repeating is safe."
            )
        case "not_found":
            return Refused(said, name="NotFound", advice="There is no such record there: was it deleted?")
        case "conflict":
            return Refused(
                said, name="Conflict", advice="It was changed there meanwhile, or exists: read it again."
            )
        case "in_doubt":
            return InDoubt(said, advice=IN_DOUBT)
        case _:
            return Refused(said, advice="The request is not what the partner takes: correct it.")


def _read(answer: Answer) -> tuple[Any, str | None]:
    """The JSON of an answer, and what is wrong with it."""
    if not answer.content.strip() or answer.status_code in (204, 304):
        return None, None
    try:
        return json_body.read(answer.content, answer.headers.get("Content-Type") or ""), None
    except ValueError as error:
        return None, str(error)


def _unreadable(answer: Answer, problem: str) -> PartnerError:
    """2xx with what cannot be read. A page of HTML comes from something between: nobody knows what was done."""
    said = f"The partner answered {outcomes.named(answer.status_code)}, and its reply cannot be used: {problem}.{outcomes.page(answer)}"
    if "html" in (answer.headers.get("Content-Type") or "").lower():
        return InDoubt(said, advice=IN_DOUBT)
    return DeliveredUnreadable(said, advice=_UNREADABLE)


def always(client: Client) -> Callable[[Pass], Client]:
    """The same connections for every pass."""
    return functools.partial(_given, client)


def _given(client: Client, _: Pass) -> Client:
    return client
