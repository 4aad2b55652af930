"""A partner reached by SOAP: what handlers, scripts and commands call.

    backoffice = SoapPartner("wsdl/crm/events-1.wsdl", endpoint="http://crm.example/services/events")
    reply = backoffice.call("OrderStatusChanged", {"order": "PO-1", "status": "confirmed"})

    entry = backoffice.send("OrderStatusChanged", {…}, ordering_key="PO-1")     # into the outbox; `deliver` calls later

The order of a call, written once:

    choose    the operation, its action
    headers   declared header blocks to text, checked
    call      zeep's chain (`calling`): encode, validate, sign; [before_call]; send; read, verify, validate, decode
    settle    [after_call], log, journal: what became of it, in a transaction of its own; a delivery's is written by who
              settles it
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import difflib
import logging
import os
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lxml import etree

from bridge import contract as contracts
from bridge.contract import Contract, Operation
from bridge.delivery.policy import Answer as PolicyAnswer
from bridge.delivery.policy import Rules
from bridge.delivery.sender import Delivery, Document
from bridge.errors import (
    HandlerError,
    InDoubt,
    NotSent,
    PartnerError,
    SettingsError,
    Unavailable,
    Unpresentable,
)
from bridge.fields.masking import Secrets
from bridge.fields.masking import values as values_of
from bridge.fields.words import clean
from bridge.ids import entry_iri, exchange_iri, new_exchange_id
from bridge.partners.journal import OutgoingJournal, verdict_of, violations_of
from bridge.partners.soap.answers import read as read_answer
from bridge.partners.soap.connection import Endpoint
from bridge.partners.soap.documents import check_name, delivery_of, headers_of, payload_of, rules_of
from bridge.partners.soap.headers import header_blocks
from bridge.partners.soap.ports import AddressingOf, Target, addressing_headers, choose, soap_action
from bridge.partners.soap.security import security_of
from bridge.partners.soap.wire import Answer, Times, Wire, request_head
from bridge.settings import Partner
from bridge.soap.limits import DEFAULT, Limits
from bridge.soap.masking import masked, outside_parser
from bridge.store import ExchangeRecord
from bridge.store.outbox import NewEntry

if TYPE_CHECKING:
    from zeep.wsdl.bindings.soap import SoapBinding

    from bridge.partners.soap.calling import Conversation, Method

log = logging.getLogger(__name__)

_AGENT = "soapbridge"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One exchange with a partner that ended well.

    `value` is the decoded reply, `headers` the declared header blocks that came with it, by Clark name; `request` and
    `reply` are the envelopes as they were on the wire, `payload` is the child of the reply's Body as it came. `seconds` is how
    long it took.
    """

    id: str
    value: Any
    headers: Mapping[str, Any]
    request: bytes
    reply: bytes
    status: int
    seconds: float
    payload: etree._Element | None = None


@dataclass(frozen=True, slots=True)
class Pong:
    """An answer to `ping`: the HTTP status, and how long it took to get it, connection included."""

    status: int
    seconds: float


Asks = Callable[[Document], bool | None]
"""Finds out whether a document was processed: True, False, or None where nobody can tell."""


@dataclass(slots=True)
class _Course:
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
class _Ended:
    """What became of a call. `gone`: a byte may have left. `error` is what was raised, `outcome` what it means."""

    talk: Conversation
    gone: bool = False
    value: Any = None
    error: BaseException | None = None
    outcome: PartnerError | None = None
    seconds: float = 0.0


class SoapPartner:
    """One system that we call. Safe to use from several threads.

    Args:
        contract: loaded, or the WSDL's file.
        name: how errors, journal and logs call it; the contract's name unless given.
        settings: address, credentials, time limits …; single ones may be given by name: `endpoint="http://…"`.
        accept: puts what `send` is given into the outbox; None: there is none.
        operation: only ports that offer it (a key) are looked at.
        limits: of the size and shape of replies, beside `max_reply_bytes`.
        journal: where exchanges are written down; None: nowhere.
        before_call: called when the request is ready and nothing has left; what it raises stops the call.
        after_call: told what became of a call that `before_call` let go: None when it ended well.

    Raises:
        ContractError: the WSDL cannot be read.
        SettingsError: no port, or several, are left by the settings; no address; a certificate cannot be read.
    """

    def __init__(
        self,
        contract: Contract | str | os.PathLike[str],
        *,
        name: str = "",
        settings: Partner | None = None,
        limits: Limits = DEFAULT,
        journal: OutgoingJournal | None = None,
        before_call: Callable[[], None] | None = None,
        after_call: Callable[[PartnerError | None], None] | None = None,
        accept: Callable[[NewEntry], None] | None = None,
        operation: str = "",
        **options: Any,
    ) -> None:
        self.contract = contract if isinstance(contract, Contract) else contracts.load(contract)
        self.settings = dataclasses.replace(settings or Partner(), **options)
        self.name = name or self.contract.name
        self.contract.compile()
        self.target = self._target(operation)
        self._limits = dataclasses.replace(limits, max_bytes=self.settings.max_reply_bytes)
        self._journal = journal
        self._before = before_call
        self._after = after_call
        self._accept = accept
        self._ask: Asks | None = None
        self._parts = urlsplit(self.target.address)
        self._security = security_of(self.settings, self.contract, secure=self._parts.scheme == "https")
        self._wire = Wire(
            _endpoint(
                self._parts.hostname or "", self._parts.port, self._parts.scheme == "https", self.settings
            ),
            max_bytes=self.settings.max_reply_bytes,
            max_ratio=limits.max_compressed_ratio,
        )
        self._path = self._parts.path + (f"?{self._parts.query}" if self._parts.query else "")
        self._fixed_headers = self._headers_of_all()
        self._secrets = self._declared_secrets()
        self._methods: dict[str, Method] = {}
        self._bindings: dict[str, SoapBinding] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<SoapPartner {self.name} at {self.target.address}>"

    @property
    def claims(self) -> bool:
        """Whether a handler's request is claimed before a call: those of `bridge.partner` do that."""
        return self._before is not None

    @property
    def has_outbox(self) -> bool:
        """Whether it takes what is to be sent later."""
        return self._accept is not None

    def close(self) -> None:
        """Closes idle connections."""
        self._wire.close()

    def call(
        self,
        operation: str,
        values: Any = None,
        *,
        headers: Mapping[str, Any] | None = None,
        deadline: float | None = None,
    ) -> Any:
        """The decoded reply, as handlers get messages; None for a one-way operation.

        Args:
            operation: its key in the contract.
            values: an instance of the input's class or a dict, as handlers return them.
            headers: declared header blocks by Clark or local name.
            deadline: seconds for the whole call, instead of the setting.

        Raises:
            PartnerError: what became of it: NotSent, Unpresentable, Unavailable, Unauthorised, Refused, InDoubt,
                DeliveredUnreadable (docs/partners.md).
            HandlerError: the contract has no such operation.
            CallInsideTransaction: the handler has begun to write.
            TypeError: `values` are of another contract's class.
        """
        return self.exchange(operation, values, headers=headers, deadline=deadline).value

    def exchange(
        self,
        operation: str,
        values: Any = None,
        *,
        headers: Mapping[str, Any] | None = None,
        deadline: float | None = None,
        idempotency_key: str = "",
    ) -> Outgoing:
        """As `call`, with reply headers, envelopes and the exchange's id.

        Args:
            idempotency_key: goes along as `Idempotency-Key` and, where addressing is on, as wsa:MessageID: by it the partner can
                tell a repeat. Letters, digits, `-` and `_`.
        """
        method, _ = self._method(operation)
        if deadline is not None and not deadline > 0:
            raise HandlerError(
                f"A deadline of {deadline} seconds leaves no time.", advice="Give more than 0."
            )
        course = _Course(
            new_exchange_id(),
            method.operation.key,
            deadline or self.settings.deadline,
            message_id=idempotency_key,
        )

        def present() -> tuple[Any, str]:
            secret = self.settings.secret_headers
            return values, header_blocks(self.contract, method.operation, headers or {}, secret=secret)

        ended = self._converse(course, present)
        if self._journal is not None and (ended.gone or isinstance(ended.error, PartnerError)):
            self._journal.write(self._record(course, ended))
        if ended.error is not None:
            raise ended.error
        talk, answer = ended.talk, ended.talk.answer
        assert answer is not None
        return Outgoing(
            course.id,
            ended.value,
            talk.headers,
            talk.request,
            answer.content,
            answer.status_code,
            ended.seconds,
            None if talk.envelope is None else talk.envelope.body,
        )

    def send(
        self,
        operation: str,
        values: Any = None,
        *,
        mapping: Callable[[Any], Any] | None = None,
        ordering_key: str | None = None,
        reference: str | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> Document:
        """Put a document into the outbox, in the transaction of the handler, or of the `with bridge.transaction()` block,
        that calls this. It is sent after the commit, and never where there is none. `id` of what is returned is the entry's.

        Args:
            operation: its key in the contract.
            values: as for `call`.
            mapping: makes the values that the operation takes out of `values`.
            ordering_key: documents with the same one reach the partner one after the other, in this order. None: in no order.
            reference: the document's number, by which people find it.
            headers: as for `call`, without credentials.

        Raises:
            Unpresentable: what is to be sent breaks the contract; nothing was accepted.
            HandlerError: there is no such operation, no transaction, or no outbox; an ordering key or a reference that is
                empty, or longer than 500 bytes.
            TypeError: the values are of another contract's class.
        """
        if self._accept is None:
            raise HandlerError(
                f"The partner {self.name} has no outbox.",
                advice="Take it from a bridge with a store: bridge.partner(NAME).",
            )
        method, _ = self._method(operation)
        check_name("ordering key", ordering_key)
        check_name("reference", reference)
        given = values if mapping is None else mapping(values)
        entry_id = new_exchange_id()
        document = Document(
            entry_id,
            self.name,
            entry_id if ordering_key is None else ordering_key,
            method.operation.key,
            self._payload(method.operation, given),
            headers_of(self.contract, method.operation, headers or {}, self.settings),
            reference,
        )
        self._accept(
            NewEntry(
                entry_id=document.id,
                partner=document.partner,
                ordering_key=document.ordering_key,
                operation=document.operation,
                payload=document.payload,
                headers=document.headers,
                reference=document.reference,
            )
        )
        return document

    def asks(self, function: Asks) -> Asks:
        """Decorator: `function` finds out what became of a document in doubt, and answers True, False or None (unknown)."""
        self._ask = function
        return function

    # -- what delivery asks of a partner (`bridge.delivery.sender.Sender`)

    @property
    def rules(self) -> Rules:
        """What decides about its deliveries."""
        return rules_of(self.settings, can_ask=self._ask is not None)

    def deliver(self, document: Document, *, exchange_id: str) -> Delivery:
        """Send a document of the outbox, once. Its id goes with it: `Idempotency-Key`, and wsa:MessageID where addressing is
        on. Nothing is journaled here: the record is in the answer."""
        from bridge.partners.soap.calling import Ready

        course = _Course(exchange_id, document.operation, self.settings.deadline, document, document.id)
        try:
            ended = self._converse(course, lambda: (Ready(document.payload), document.headers or ""))
        except HandlerError as error:  # the contract was changed after this was accepted
            return delivery_of(Unpresentable(f"{error.message} Nothing was sent.", advice=error.advice), None)
        broken = ended.error
        if broken is not None and not isinstance(broken, PartnerError):
            if not isinstance(broken, Exception):
                raise broken
            log.error("exchange %s: delivery failed in our own code", exchange_id, exc_info=broken)
            if ended.outcome is None:
                ended.outcome = NotSent(f"A mistake of ours before anything was sent: {broken!r}"[:300])
        record = self._record(course, ended) if self._journal is not None else None
        return delivery_of(ended.outcome, record)

    def ask(self, document: Document) -> PolicyAnswer:
        """What the function that `asks` was given finds out; "unknown" where it fails."""
        assert self._ask is not None
        try:
            found = self._ask(document)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was found out
            log.warning(
                "partner %s could not be asked about %s: %s", self.name, document.id, type(error).__name__
            )
            return "unknown"
        return "unknown" if found is None else ("done" if found else "not_there")

    def ping(self, *, deadline: float | None = None) -> Pong:
        """Whether the partner can be reached: a connection, TLS, and any HTTP answer to a GET of its address.

        A GET acts on nothing, and many services refuse it (405): that is an answer too.

        Raises:
            NotSent: no connection.
            Unauthorised: 401, 403, 407, or our certificate is refused.
            Unavailable: connected and no answer, 429, 502, 503, 504.
        """
        started = time.perf_counter()
        course = _Course(new_exchange_id(), "", deadline or self.settings.deadline)
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

    # -- parts of a call ----------------------------------------------------------------------------------------

    def _converse(self, course: _Course, present: Callable[[], tuple[Any, str]]) -> _Ended:
        """One call through zeep's chain. Its error is in what is returned; HandlerError where there is no such operation.

        Args:
            present: gives the values and the header blocks; what it raises ends the call.
        """
        from bridge.partners.soap.calling import Conversation

        method, binding = self._method(course.operation)
        ended: _Ended

        def send(http: Mapping[str, str], body: bytes) -> Answer:
            head = self._head(course, http, body)
            if self._before is not None:
                self._before()
            ended.gone = True
            return self._wire.exchange(head, body, self._times(course))

        ended = _Ended(
            Conversation(self.contract, method, self.target.version, self._limits, send, self._security)
        )
        try:
            values, blocks = present()
            if method.wsa_action:
                known = course.message_id
                message_id = entry_iri(known) if known else exchange_iri(course.id)
                blocks += addressing_headers(method.wsa_action, self.target.address, message_id)
            if self._security is not None:
                blocks += self._security.header(self.target.version)
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
        if ended.gone and self._after is not None:
            self._after(ended.outcome)
        if ended.gone or isinstance(ended.error, PartnerError):
            self._log(course, ended)
        return ended

    def _payload(self, operation: Operation, values: Any) -> str:
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

    def _method(self, name: str) -> tuple[Method, SoapBinding]:
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

    def _head(self, course: _Course, http: Mapping[str, str], body: bytes) -> bytes:
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

    def _times(self, course: _Course) -> Times:
        return Times(self.settings.connect_timeout, self.settings.read_timeout, course.deadline)

    def _log(self, course: _Course, ended: _Ended) -> None:
        """What became of it: never a credential, and no payload."""
        error = ended.outcome
        log.log(
            logging.INFO if error is None else logging.WARNING,
            "exchange %s: %s of partner %s: %s (%.0f ms)",
            course.id, course.operation, self.name, "accepted" if error is None else error.outcome, ended.seconds * 1000,
        )  # fmt: skip

    def _record(self, course: _Course, ended: _Ended) -> ExchangeRecord:
        """The journal's row, without credentials."""
        assert self._journal is not None
        error, answer = ended.outcome, ended.talk.answer
        verdict = verdict_of(error)
        keeps = self._journal.keeps(accepted=error is None)
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
            request=self._kept(ended.talk.request or ended.talk.sealed, ours=True) if keeps else None,
            reply=self._kept(answer.content) if keeps and answer else None,
        )

    def _kept(self, envelope: bytes, *, ours: bool = False) -> bytes:
        return masked(envelope, self.settings.secret_headers, ours=ours)

    # -- made once ----------------------------------------------------------------------------------------------

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


def _endpoint(host: str, port: int | None, secure: bool, settings: Partner) -> Endpoint:
    """Raises SettingsError for certificates that cannot be read."""
    if not secure:
        return Endpoint(host, port or 80)
    try:
        context = ssl.create_default_context(cafile=str(settings.ca) if settings.ca else None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.certificate is not None:
            key = settings.certificate_key
            context.load_cert_chain(str(settings.certificate), str(key) if key else None)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"A certificate of the partner's settings cannot be used: {error}.",
            advice="Check `ca`, `certificate` and `certificate_key`: PEM files, and the key without a password.",
        ) from error
    return Endpoint(host, port or 443, context)
