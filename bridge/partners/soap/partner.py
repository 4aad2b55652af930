"""A partner reached by SOAP: what handlers, scripts and commands call.

    backoffice = SoapPartner("wsdl/crm/events-1.wsdl", endpoint="http://crm.example/services/events")
    reply = backoffice.call("OrderStatusChanged", {"order": "PO-1", "status": "confirmed"})

    entry = backoffice.send("OrderStatusChanged", {…}, ordering_key="PO-1")     # into the outbox; `deliver` calls later

The order of a call, written once:

    choose    the operation, its action
    headers   declared header blocks to text, checked
    call      zeep's chain (`line`, `calling`): encode, validate, sign; [before_call]; send; read, verify, validate, decode
    settle    [after_call], log, journal: what became of it, in a transaction of its own; a delivery's is written by who
              settles it
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lxml import etree

from bridge import contract as contracts
from bridge.contract import Contract, Operation
from bridge.delivery.policy import Answer as PolicyAnswer
from bridge.delivery.policy import Rules
from bridge.delivery.sender import Delivery, Document
from bridge.errors import (
    HandlerError,
    NotSent,
    PartnerError,
    Unpresentable,
)
from bridge.ids import new_exchange_id
from bridge.mapping.shapes import Shape, shape_of
from bridge.partners.entities import Entity, PartnerFile
from bridge.partners.journal import OutgoingJournal
from bridge.partners.mappings import Given, Mappings
from bridge.partners.partner import Page, Query, Totals
from bridge.partners.soap.documents import check_name, delivery_of, headers_of, rules_of
from bridge.partners.soap.headers import header_blocks
from bridge.partners.soap.line import Course, Line, Pong
from bridge.partners.soap.reading import Reading
from bridge.settings import Partner
from bridge.soap.limits import DEFAULT, Limits
from bridge.store.outbox import NewEntry

log = logging.getLogger(__name__)


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


Asks = Callable[[Document], bool | None]
"""Finds out whether a document was processed: True, False, or None where nobody can tell."""


class SoapPartner:
    """One system that we call. Safe to use from several threads.

    Args:
        contract: loaded, or the WSDL's file.
        name: how errors, journal and logs call it; the contract's name unless given.
        settings: address, credentials, time limits …; single ones may be given by name: `endpoint="http://…"`.
        accept: puts what `send` is given into the outbox; None: there is none.
        operation: only ports that offer it (a key) are looked at.
        entities: what can be read of it, and how (docs/partner-files.md).
        mappings: finds the files that `send` is given.
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
        entities: PartnerFile | None = None,
        mappings: Mappings | None = None,
        **options: Any,
    ) -> None:
        self.contract = contract if isinstance(contract, Contract) else contracts.load(contract)
        self.settings = dataclasses.replace(settings or Partner(), **options)
        self.name = name or self.contract.name
        self.contract.compile()
        self._line = Line(
            self.contract,
            self.settings,
            name=self.name,
            limits=limits,
            operation=operation,
            before_call=before_call,
            after_call=after_call,
        )
        self.target = self._line.target
        self._reading = Reading(self.contract, entities, self.call)
        self._journal = journal
        self._accept = accept
        self._mappings = Mappings() if mappings is None else mappings
        self._inputs: dict[str, Shape] = {}
        self._ask: Asks | None = None

    def __repr__(self) -> str:
        return f"<SoapPartner {self.name} at {self.target.address}>"

    @property
    def claims(self) -> bool:
        """Whether a handler's request is claimed before a call: those of `bridge.partner` do that."""
        return self._line.claims

    @property
    def has_outbox(self) -> bool:
        """Whether it takes what is to be sent later."""
        return self._accept is not None

    def close(self) -> None:
        """Closes idle connections."""
        self._line.close()

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
        method, _ = self._line.method(operation)
        if deadline is not None and not deadline > 0:
            raise HandlerError(
                f"A deadline of {deadline} seconds leaves no time.", advice="Give more than 0."
            )
        course = Course(
            new_exchange_id(),
            method.operation.key,
            deadline or self.settings.deadline,
            message_id=idempotency_key,
        )

        def present() -> tuple[Any, str]:
            secret = self.settings.secret_headers
            return values, header_blocks(self.contract, method.operation, headers or {}, secret=secret)

        ended = self._line.converse(course, present)
        if self._journal is not None and (ended.gone or isinstance(ended.error, PartnerError)):
            self._journal.write(self._line.record(course, ended, keeps=self._journal.keeps))
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
        mapping: Given | None = None,
        ordering_key: str | None = None,
        reference: str | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> Document:
        """Put a document into the outbox, in the transaction of the handler, or of the `with bridge.transaction()` block,
        that calls this. It is sent after the commit, and never where there is none. `id` of what is returned is the entry's.

        Args:
            operation: its key in the contract.
            values: as for `call`.
            mapping: makes the values that the operation takes out of `values`: a function, or a mapping's file, from the folder
                of the settings on (docs/mapping.md).
            ordering_key: documents with the same one reach the partner one after the other, in this order. None: in no order.
            reference: the document's number, by which people find it.
            headers: as for `call`, without credentials.

        Raises:
            Unpresentable: what is to be sent breaks the contract; nothing was accepted.
            MappingError: the values do not go through the mapping. SettingsError: its file is wrong.
            HandlerError: there is no such operation, no transaction, or no outbox; an ordering key or a reference that is
                empty, or longer than 500 bytes.
            TypeError: the values are of another contract's class.
        """
        if self._accept is None:
            raise HandlerError(
                f"The partner {self.name} has no outbox.",
                advice="Take it from a bridge with a store: bridge.partner(NAME).",
            )
        method, _ = self._line.method(operation)
        check_name("ordering key", ordering_key)
        check_name("reference", reference)
        given = values if mapping is None else self.mapped(mapping, method.operation)(values)
        entry_id = new_exchange_id()
        document = Document(
            entry_id,
            self.name,
            entry_id if ordering_key is None else ordering_key,
            method.operation.key,
            self._line.payload(method.operation, given),
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

    def mapped(
        self, mapping: Given, operation: Operation, source: Shape | None = None
    ) -> Callable[[Any], Any]:
        """What makes the values that an operation takes: the function itself, or the mapping's file, read and proved.

        Raises:
            SettingsError: with every mistake of the file.
        """
        return self._mappings.take(mapping, lambda: self._input(operation), source=source)

    def _input(self, operation: Operation) -> Shape:
        """The shape of what an operation takes; one object for each."""
        known = self._inputs.get(operation.key)
        if known is None:
            known = self._inputs.setdefault(operation.key, shape_of(self.contract, operation))
        return known

    # -- records, where a file says how they are read

    @property
    def entities(self) -> Mapping[str, Entity]:
        """What can be read of it."""
        return self._reading.entities

    def fetch(self, entity: str, query: Query = Query()) -> Page:  # noqa: B008 - frozen
        """A page of records.

        Raises:
            HandlerError: no such entity, or its operation cannot be asked that. PartnerError: as `call`.
        """
        return self._reading.fetch(entity, query)

    def scan(
        self,
        entity: str,
        fields: Sequence[str],
        query: Query = Query(),  # noqa: B008 - frozen
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Batches of (id, *fields), ordered by id in code point order, or of (`query.by`, *fields) by that. Raises as `fetch`."""
        return self._reading.scan(entity, fields, query)

    def totals(
        self,
        entity: str,
        query: Query = Query(),  # noqa: B008 - frozen
        sums: Mapping[str, str | None] | None = None,
    ) -> Totals:
        """How many there are, and the sums of amounts by currency. Raises as `fetch`."""
        return self._reading.totals(entity, query, sums or {})

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

        course = Course(exchange_id, document.operation, self.settings.deadline, document, document.id)
        try:
            ended = self._line.converse(course, lambda: (Ready(document.payload), document.headers or ""))
        except HandlerError as error:  # the contract was changed after this was accepted
            return delivery_of(Unpresentable(f"{error.message} Nothing was sent.", advice=error.advice), None)
        broken = ended.error
        if broken is not None and not isinstance(broken, PartnerError):
            if not isinstance(broken, Exception):
                raise broken
            log.error("exchange %s: delivery failed in our own code", exchange_id, exc_info=broken)
            if ended.outcome is None:
                ended.outcome = NotSent(f"A mistake of ours before anything was sent: {broken!r}"[:300])
        record = None
        if self._journal is not None:
            record = self._line.record(course, ended, keeps=self._journal.keeps)
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
        return self._line.ping(deadline=deadline)
