"""One call, as zeep makes it: zeep's binding leads, and asks our codec, guard and wire for each step.

zeep would build its own classes for every schema of the contract before the first call, slowly, and fails on contracts
that our engine loads. So it is given no WSDL: its binding gets operations whose input and output are ours
(`Request.serialize`, `Reply.deserialize`), and the chain stays zeep's:

    serialize    values to an envelope               Request
    egress       the envelope is validated           Guarding (a zeep plugin)
    post         the bytes are signed and leave      Post (a zeep transport), `security.Security`
    read         the answer to an envelope           Binding11, Binding12 (`process_reply`)
    verify       its Security header holds           the same
    ingress      the reply is validated              Guarding
    deserialize  the envelope to a value             Reply

zeep's own place for WS-Security (`wsse`) is left empty: it is given a tree, and what is signed here are the very bytes that were
validated.

A `Conversation` is the client that zeep passes along the chain: made for one call, so that nothing is shared by threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import zeep
from lxml import etree
from zeep import plugins
from zeep.transports import Transport
from zeep.wsdl.bindings import Soap11Binding, Soap12Binding
from zeep.wsdl.bindings.soap import SoapBinding, SoapOperation
from zeep.wsdl.definitions import AbstractOperation
from zeep.wsdl.messages.base import SerializedMessage

from bridge.contract import Contract, Operation
from bridge.errors import (
    DecodeError,
    DeliveredUnreadable,
    EncodeError,
    InvalidReply,
    InvalidRequest,
    Refusal,
    Unpresentable,
)
from bridge.partners.http.wire import Answer
from bridge.partners.soap import answers, faults
from bridge.partners.soap.answers import DELIVERED
from bridge.partners.soap.security import Security
from bridge.soap.addressing import UNDERSTOOD
from bridge.soap.envelope import Envelope, check_understood, seal, without_soap_attributes
from bridge.soap.limits import Limits
from bridge.soap.media import Version
from bridge.soap.security import SECURITY
from bridge.soap.text import local_name
from bridge.soap.xml import read_own


class _Settings:
    """What zeep's binding asks of its settings; zeep's own look into a thread's locals at every question."""

    raw_response = False
    extra_http_headers = None


_SETTINGS = _Settings()


@dataclass(frozen=True, slots=True, eq=False)
class Method:
    """An operation as the partner's port offers it. `wsa_action` "" where no addressing headers go out."""

    operation: Operation
    soap_action: str
    wsa_action: str


@dataclass(frozen=True, slots=True)
class Ready:
    """A payload that is encoded already: what an outbox kept."""

    payload: str


class Conversation(zeep.Client):
    """One call on its way through zeep's chain, and what became of it so far.

    `request` are the bytes that left, `answer` what came, `envelope` and `source` what was read in it, `value` and
    `headers` its decoded reply.
    """

    def __init__(
        self,
        contract: Contract,
        method: Method,
        version: Version,
        limits: Limits,
        send: Callable[[Mapping[str, str], bytes], Answer],
        security: Security | None = None,
    ) -> None:
        # Not zeep's own: it reads a WSDL.
        self.contract = contract
        self.method = method
        self.version = version
        self.limits = limits
        self.settings = _SETTINGS
        self.transport = Post(self, send)
        self.plugins = [Guarding(self)]
        self.wsse = None
        self.security = security
        self.understood = UNDERSTOOD
        self.sealed = b""
        self.request = b""
        self.answer: Answer | None = None
        self.envelope: Envelope | None = None
        self.source = b""
        self.headers: dict[str, Any] = {}

    def call(self, binding: SoapBinding, address: str, values: Any, headers: str) -> Any:
        """The decoded reply; None for a one-way operation and an empty Body. Raises PartnerError."""
        key = self.method.operation.key
        try:
            return binding.send(self, {"address": address}, key, (self, values, headers), {})
        finally:
            self.transport, self.plugins = None, []  # they lead back here: trees would wait for the collector

    # What the steps of the chain ask for

    def write(self, values: Any, headers: str) -> etree._Element:
        """The envelope. EncodeError for values that do not fit."""
        element = self.method.operation.input
        if element is None:
            if values and values != Ready(""):
                raise EncodeError(f"{self.method.operation.name} takes nothing.", advice="Give None.")
            payload = ""
        elif isinstance(values, Ready):
            payload = values.payload
        else:
            payload = self.contract.codec.encode(element, {} if values is None else values)
        self.sealed = seal(self.version, payload, headers)
        return read_own(self.sealed)

    def check_request(self, envelope: etree._Element) -> None:
        element = self.method.operation.input
        if element is not None:
            self.contract.guard.check(element, envelope[-1][0], source=self.sealed, error=InvalidRequest)

    def read(self, answer: Answer) -> Envelope | None:
        """The envelope of the answer, which may hold a Fault; None where none had to come. Raises PartnerError."""
        self.answer = answer
        found = answers.read(answer, self.version, self.limits, one_way=self.method.operation.one_way)
        if found is None:
            return None
        self.envelope, self.source = found
        return self.envelope

    def verify_reply(self, envelope: Envelope) -> None:
        """Before anything that the reply says is believed, its faults too. Raises InDoubt."""
        if self.security is not None and self.security.verify(envelope):
            self.understood = UNDERSTOOD | {SECURITY}

    def check_reply(self) -> None:
        """Raises the outcome that a Fault means, and DeliveredUnreadable for what breaks the contract."""
        envelope, answer, operation = self.envelope, self.answer, self.method.operation
        assert envelope is not None
        assert answer is not None
        if envelope.fault is not None:
            raise faults.outcome(faults.read(envelope), self.contract, operation, answer.status_code)
        if operation.one_way:
            return  # SOAP 1.1 over HTTP: whatever stands there means nothing (WS-I BP R2750)
        try:
            if envelope.headers:
                self._check_headers(envelope)
            if operation.output is not None:
                if envelope.body is None:
                    raise _unreadable(
                        f"The reply's Body is empty; {local_name(operation.output)} belongs there."
                    )
                self.contract.guard.check(
                    operation.output, envelope.body, source=self.source, error=InvalidReply, what="reply"
                )
        except InvalidReply as error:
            raise _unreadable(error.message, violations=error.violations) from error
        except Refusal as error:
            raise _unreadable(error.message) from error

    def _check_headers(self, envelope: Envelope) -> None:
        declared = {header.name for header in self.method.operation.output_headers}
        check_understood(envelope, self.understood | declared)
        for block in envelope.our_headers:
            if block.tag in declared:
                self.contract.guard.check(
                    str(block.tag), without_soap_attributes(block), error=InvalidReply, what="reply header",
                    prefix_path="/Envelope/Header",
                )  # fmt: skip

    def decode_reply(self) -> Any:
        envelope, operation = self.envelope, self.method.operation
        assert envelope is not None
        if operation.output is None or envelope.body is None:
            return None
        try:
            for block in envelope.our_headers:
                if any(header.name == block.tag for header in operation.output_headers):
                    self.headers[str(block.tag)] = self.contract.codec.decode(
                        str(block.tag), without_soap_attributes(block)
                    )
            return self.contract.codec.decode(operation.output, envelope.body)
        except DecodeError as error:
            raise _unreadable(error.message) from error


class Request:
    """In the place of zeep's input message."""

    def __init__(self, method: Method) -> None:
        self._action = f'"{method.soap_action}"'

    def serialize(self, conversation: Conversation, values: Any, headers: str) -> SerializedMessage:
        try:
            envelope = conversation.write(values, headers)
        except TypeError:  # a value of another contract's class: the caller's code, and no outcome
            raise
        except EncodeError as error:
            place = f"{error.path}: " if error.path else ""
            raise Unpresentable(
                f"{place}{error.message} Nothing was sent.", advice=error.advice or "Correct the values."
            ) from error
        http = {"SOAPAction": self._action} if conversation.version == "1.1" else {}
        return SerializedMessage(path=None, headers=http, content=envelope)


class Reply:
    """In the place of zeep's output message."""

    def deserialize(self, conversation: Conversation) -> Any:
        return conversation.decode_reply()


class Guarding(zeep.Plugin):
    """What leaves is validated before it is signed, what comes after it was verified."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    def egress(
        self, envelope: etree._Element, http_headers: dict[str, str], operation: Any, binding_options: Any
    ) -> tuple[etree._Element, dict[str, str]]:
        try:
            self._conversation.check_request(envelope)
        except InvalidRequest as error:
            raise Unpresentable(
                f"{error.message} Nothing was sent.",
                violations=error.violations,
                advice="Correct the values.",
            ) from error
        return envelope, http_headers

    def ingress(
        self, envelope: etree._Element, http_headers: Any, operation: Any
    ) -> tuple[etree._Element, Any]:
        self._conversation.check_reply()
        return envelope, http_headers


class Post(Transport):
    """zeep's transport without its session: `send` takes HTTP headers and body, and gives the answer."""

    def __init__(
        self, conversation: Conversation, send: Callable[[Mapping[str, str], bytes], Answer]
    ) -> None:
        self._conversation = conversation
        self._send = send
        self._close_session = False  # zeep's destructor asks

    def post_xml(self, address: str, envelope: etree._Element, headers: dict[str, str]) -> Answer:
        # What was sealed and validated: the same bytes leave, with a signature where there is one.
        conversation = self._conversation
        message = conversation.sealed
        if conversation.security is not None:
            message = conversation.security.protect(message)
        return self.post(address, message, headers)

    def post(self, address: str, message: bytes, headers: dict[str, str]) -> Answer:
        self._conversation.request = message
        return self._send(headers, message)


class _Ours(SoapBinding):
    """zeep's binding with our reading of answers: limits, charset, faults, and no guess at what a status means."""

    def process_reply(self, client: Conversation, operation: SoapOperation, response: Answer) -> Any:
        envelope = client.read(response)
        if envelope is None:
            return None
        client.verify_reply(envelope)
        plugins.apply_ingress(client, envelope.root, response.headers, operation)
        output: Any = operation.output
        return output.deserialize(client)


class Binding11(_Ours, Soap11Binding):
    """SOAP 1.1."""


class Binding12(_Ours, Soap12Binding):
    """SOAP 1.2."""

    def _set_http_headers(self, serialized: SerializedMessage, operation: SoapOperation) -> None:
        action = f'; action="{operation.soapaction}"' if operation.soapaction else ""
        serialized.headers["Content-Type"] = f"application/soap+xml; charset=utf-8{action}"


def binding_of(version: Version, methods: Mapping[str, Method]) -> SoapBinding:
    """zeep's binding over these methods, by their operations' keys."""
    made: Any = Binding11 if version == "1.1" else Binding12
    binding: SoapBinding = made(None, "soapbridge", None, None, "document")
    for key, method in methods.items():
        operation = SoapOperation(key, binding, made.nsmap, method.soap_action, method.operation.style)
        operation.abstract = AbstractOperation(key)
        operation.input = Request(method)
        operation.output = Reply()
        binding._operation_add(operation)
    return binding


def _unreadable(why: str, **about: Any) -> DeliveredUnreadable:
    return DeliveredUnreadable(
        f"The request was done, and the reply cannot be used. {why}", advice=DELIVERED, **about
    )
