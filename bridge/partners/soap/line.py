"""The line to one partner: one call at a time, from values to what became of it.

What calls (`SoapPartner.call`), deliveries (`.deliver`) and `.ping` are made of. It knows the contract, the port that was chosen, the
wire and what protects a message; who is told of a call, and where it is written down, its users decide.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import difflib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lxml import etree

from bridge.contract import Contract, Operation
from bridge.delivery.sender import Document
from bridge.errors import (
    HandlerError,
    InDoubt,
    PartnerError,
    SettingsError,
    Unavailable,
    Unpresentable,
)
from bridge.fields.masking import Secrets
from bridge.fields.masking import values as values_of
from bridge.fields.words import clean
from bridge.ids import entry_iri, exchange_iri, new_exchange_id
from bridge.partners.http.endpoint import endpoint_of
from bridge.partners.http.wire import Answer, Times, Wire, request_head
from bridge.partners.journal import verdict_of, violations_of
from bridge.partners.soap.answers import read as read_answer
from bridge.partners.soap.documents import payload_of
from bridge.partners.soap.ports import AddressingOf, Target, addressing_headers, choose, soap_action
from bridge.partners.soap.security import security_of
from bridge.settings import Partner
from bridge.soap.limits import Limits
from bridge.soap.masking import masked, outside_parser
from bridge.store import ExchangeRecord

if TYPE_CHECKING:
    from zeep.wsdl.bindings.soap import SoapBinding

    from bridge.partners.soap.calling import Conversation, Method

log = logging.getLogger(__name__)

_AGENT = "soapbridge"


@dataclass(frozen=True, slots=True)
class Pong:
    """An answer to `ping`: the HTTP status, and how long it took to get it, connection included."""

    status: int
    seconds: float


@dataclass(slots=True)
class Course:
    """What is known of one call while it is on its way. `document` is what is delivered, None for a call; `message_id` the id
    by which the partner may know a repeat, "" where there is none."""

    id: str
    operation: str
    deadline: float
    document: Document | None = None
    message_id: str = ""
    started: float = field(default_factory=time.perf_counter)
    moment: float = field(default_factory=time.time)


@dataclass(slots=True)
class Ended:
    """What became of a call. `gone`: a byte may have left. `error` is what was raised, `outcome` what it means."""

    talk: Conversation
    gone: bool = False
    value: Any = None
    error: BaseException | None = None
    outcome: PartnerError | None = None
    seconds: float = 0.0


class Line:
    """Safe to use from several threads.

    Args:
        operation: only ports that offer it (a key) are looked at.
        before_call, after_call: as `SoapPartner` has them.

    Raises:
        SettingsError: no port, or several, are left by the settings; no address; a certificate cannot be read.
    """

    def __init__(
        self,
        contract: Contract,
        settings: Partner,
        *,
        name: str,
        limits: Limits,
        operation: str = "",
        before_call: Callable[[], None] | None = None,
        after_call: Callable[[PartnerError | None], None] | None = None,
    ) -> None:
        self.contract = contract
        self.settings = settings
        self.name = name
        self.target = self._target(operation)
        self.claims = before_call is not None
        self._limits = dataclasses.replace(limits, max_bytes=settings.max_reply_bytes)
        self._before_call = before_call
        self._after_call = after_call
        self._parts = urlsplit(self.target.address)
        secure = self._parts.scheme == "https"
        self.security = security_of(settings, contract, secure=secure)
        self._wire = Wire(
            endpoint_of(self._parts, settings),
            max_bytes=settings.max_reply_bytes,
            max_ratio=limits.max_compressed_ratio,
        )
        self._path = self._parts.path + (f"?{self._parts.query}" if self._parts.query else "")
        self._fixed_headers = self._headers_of_all()
        self._secrets = self._declared_secrets()
        self._methods: dict[str, Method] = {}
        self._bindings: dict[str, SoapBinding] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Closes idle connections."""
        self._wire.close()

    def converse(self, course: Course, present: Callable[[], tuple[Any, str]]) -> Ended:
        """One call through zeep's chain. Its error is in what is returned; HandlerError where there is no such operation.

        Args:
            present: gives the values and the header blocks; what it raises ends the call.
        """
        from bridge.partners.soap.calling import Conversation

        method, binding = self.method(course.operation)
        ended: Ended

        def send(http: Mapping[str, str], body: bytes) -> Answer:
            head = self._head(course, http, body)
            if self._before_call is not None:
                self._before_call()
            ended.gone = True
            return self._wire.exchange(head, body, self._times(course))

        ended = Ended(
            Conversation(self.contract, method, self.target.version, self._limits, send, self.security)
        )
        try:
            values, blocks = present()
            if method.wsa_action:
                known = course.message_id
                message_id = entry_iri(known) if known else exchange_iri(course.id)
                blocks += addressing_headers(method.wsa_action, self.target.address, message_id)
            if self.security is not None:
                blocks += self.security.header(self.target.version)
            ended.value = ended.talk.call(binding, self.target.address, values, blocks)
        except PartnerError as problem:
            self._clean(problem, course.operation, ended.talk)
            ended.error = ended.outcome = problem
            problem.partner, problem.operation, problem.exchange_id = self.name, course.operation, course.id
        except BaseException as problem:  # noqa: BLE001 - raised again by who asked
            ended.error = problem
            if (
                ended.gone
            ):  # interrupted, or a mistake of ours: whoever keeps a claim must not take it for done
                ended.outcome = InDoubt(f"The call was broken off: {problem!r}"[:300], exchange_id=course.id)
        ended.seconds = time.perf_counter() - course.started
        if ended.gone and self._after_call is not None:
            self._after_call(ended.outcome)
        if ended.gone or isinstance(ended.error, PartnerError):
            self._log(course, ended)
        return ended

    def payload(self, operation: Operation, values: Any) -> str:
        """A document as text, encoded and found valid. Raises Unpresentable, TypeError."""
        try:
            return payload_of(self.contract, operation, values)
        except Unpresentable as problem:
            self._clean(problem, operation.key)
            raise

    def _clean(self, error: BaseException, operation: str, talk: Conversation | None = None) -> None:
        """Takes what the settings declare secret out of an error, before anybody reads it."""
        paths = self._secrets.of(operation)
        if not paths:
            return
        secret: list[str] = []
        for envelope in () if talk is None else (talk.sealed, talk.answer.content if talk.answer else b""):
            with contextlib.suppress(etree.XMLSyntaxError):
                secret += values_of(etree.fromstring(envelope, outside_parser()), paths, anywhere=True)
        clean(error, paths, secret)

    def method(self, name: str) -> tuple[Method, SoapBinding]:
        """The operation with its action, and zeep's binding for it; made at its first call."""
        binding = self._bindings.get(name)
        if binding is not None:
            return self._methods[name], binding
        from bridge.partners.soap.calling import Method, binding_of

        if name not in self.target.operations:
            self._refuse_operation(name)
        operation = self.contract.operation(name)
        action = soap_action(self.contract, operation, self.target)
        method = Method(
            operation, action, self._addressing.action(operation, action) if self._addresses else ""
        )
        with self._lock:
            self._methods[name] = method
            return method, self._bindings.setdefault(name, binding_of(self.target.version, {name: method}))

    def _refuse_operation(self, name: str) -> None:
        known = self.target.operations
        near = difflib.get_close_matches(name, known, n=1)
        guess = f"Did you mean {near[0]!r}? " if near else ""
        raise HandlerError(
            f"The partner {self.name} ({self.target.named}) has no operation {name!r}.",
            advice=f"{guess}There are: {', '.join(known) or 'none'}.",
        )

    @cached_property
    def _addressing(self) -> AddressingOf:
        return AddressingOf(self.contract)

    @cached_property
    def _addresses(self) -> bool:
        wanted = self.settings.addressing
        return wanted == "yes" or (wanted == "auto" and self._addressing.used)

    def _head(self, course: Course, http: Mapping[str, str], body: bytes) -> bytes:
        headers = {**self._fixed_headers, **http, "X-Exchange-Id": course.id}
        if course.message_id:
            headers["Idempotency-Key"] = f'"{course.message_id}"'
        try:
            return request_head("POST", self._path or "/", headers, len(body))
        except ValueError as error:
            raise Unpresentable(
                f"An HTTP header cannot hold the SOAPAction that the contract gives {course.operation}: {error}. "
                "Nothing was sent.",
                advice="Correct soapAction in the WSDL: ASCII, without line breaks.",
            ) from error

    def _times(self, course: Course) -> Times:
        return Times(self.settings.connect_timeout, self.settings.read_timeout, course.deadline)

    def _log(self, course: Course, ended: Ended) -> None:
        """What became of it: never a credential, and no payload."""
        error = ended.outcome
        log.log(
            logging.INFO if error is None else logging.WARNING,
            "exchange %s: %s of partner %s: %s (%.0f ms)",
            course.id, course.operation, self.name, "accepted" if error is None else error.outcome, ended.seconds * 1000,
        )  # fmt: skip

    def record(self, course: Course, ended: Ended, *, keeps: Callable[..., bool]) -> ExchangeRecord:
        """The journal's row, without credentials; with envelopes where they are wanted."""
        error, answer = ended.outcome, ended.talk.answer
        verdict = verdict_of(error)
        whole = keeps(accepted=error is None)
        return ExchangeRecord(
            exchange_id=course.id,
            received_at=datetime.fromtimestamp(course.moment, UTC),
            duration_us=int(ended.seconds * 1e6),
            verdict=verdict,
            direction="out",
            contract=self.contract.name,
            operation=course.operation,
            soap_version=self.target.version,
            partner=self.name,
            remote=self._parts.netloc,
            http_status=answer.status_code if answer else (error.status if error else None),
            fault_code=None if error is None else (error.code if verdict == "fault" else error.outcome),
            fault_reason=None if error is None else str(error),
            violations=violations_of(error),
            reference=None if course.document is None else course.document.reference,
            request=self._kept(ended.talk.request or ended.talk.sealed, ours=True) if whole else None,
            reply=self._kept(answer.content) if whole and answer else None,
        )

    def _kept(self, envelope: bytes, *, ours: bool = False) -> bytes:
        return masked(envelope, self.settings.secret_headers, ours=ours)

    def _declared_secrets(self) -> Secrets:
        try:
            return Secrets.read(self.settings.secret)
        except ValueError as error:
            raise SettingsError(f"partners.{self.name}.secret: {error}.") from None

    def _target(self, operation: str) -> Target:
        settings = self.settings
        return choose(
            self.contract,
            endpoint=settings.endpoint,
            service=settings.service,
            port=settings.port,
            soap=settings.soap,
            operation=operation,
        )

    def _headers_of_all(self) -> dict[str, str]:
        headers = {"Host": self._parts.netloc, "User-Agent": _AGENT, "Accept-Encoding": "gzip, deflate"}
        if self.settings.username:
            pair = f"{self.settings.username}:{self.settings.password}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode('ascii')}"
        return headers

    def ping(self, *, deadline: float | None = None) -> Pong:
        """As `SoapPartner.ping`."""
        started = time.perf_counter()
        course = Course(new_exchange_id(), "", deadline or self.settings.deadline)
        head = request_head(
            "GET", self._path or "/", {**self._fixed_headers, "X-Exchange-Id": course.id}, None
        )
        try:
            try:
                answer = self._wire.exchange(head, b"", self._times(course))
            except InDoubt as error:
                if error.status is None:
                    raise Unavailable(
                        f"Connected, but: {error.message}", advice="A GET acts on nothing."
                    ) from error
                return Pong(error.status, time.perf_counter() - started)
            if answer.status_code in (401, 403, 407, 429):
                read_answer(answer, self.target.version, self._limits, one_way=True)  # raises
            if answer.status_code in (502, 503, 504):
                raise Unavailable(
                    f"The partner answered {answer.status_code}.",
                    status=answer.status_code,
                    advice="Try later.",
                )
        except PartnerError as error:
            error.partner, error.exchange_id = self.name, course.id
            raise
        return Pong(answer.status_code, time.perf_counter() - started)
