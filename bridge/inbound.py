"""Story 1, the way in: one request, from its bytes to the bytes of its answer.

The order of the stages, written once:

    open      Content-Encoding undone, bytes to a tree within limits, the tree to an envelope
    identify  who it is from (`bridge.access`); nothing about contracts is said before
    admit     the operation found by the Body's child among those that the caller may ask for, mandatory headers understood,
              addressing read
    authorise whether the caller may do this now
    recall    the same request was answered before: the next two stages are spared, and answer gives that answer again
    validate  the Body is what the operation declares, and so are the declared headers
    decode    payload to values
    answer    in one transaction, run again when the database asks for it:
        handle    the handler
        encode    its result to text
        check     the text is what the operation declares, else nothing of it is kept
        seal      the envelope's bytes, signed where the caller wants them so; nothing changes them afterwards
        commit    the handler's rows and the journal's, together
    close     what was refused or failed is journaled, in a transaction of its own

A stage that cannot go on raises, and `fail` makes a fault of what was raised. Spyne calls the stages
(`host/protocol.py` says which hook runs which); nothing here knows Spyne or HTTP servers, so that a test can call them.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from bridge.access import Gatekeeper
from bridge.access.permits import EVERYTHING, Permits
from bridge.access.sight import Sight
from bridge.answering import answer_once
from bridge.confidential import Confidential
from bridge.contract import Operation
from bridge.errors import (
    EncodeError,
    HandlerError,
    InvalidReply,
    InvalidRequest,
    PartnerError,
    Refusal,
    RequestInDoubt,
    SettingsError,
)
from bridge.exchange import Exchange, Plan, record_of, verdict_of
from bridge.fields.hiding import hide
from bridge.forwarding import handlers_of
from bridge.handlers import Call, DeclaredFault, Service, current_call
from bridge.idempotency import Duplicates, Once, key_paths
from bridge.ids import exchange_iri
from bridge.settings import Service as ServiceSettings
from bridge.settings import Settings
from bridge.soap.addressing import UNDERSTOOD
from bridge.soap.addressing import read as read_addressing
from bridge.soap.envelope import (
    Envelope,
    check_understood,
    fault_version,
    open_envelope,
    seal,
    without_soap_attributes,
)
from bridge.soap.fault import VIOLATIONS_NS, Fault, fault_bytes, from_error, http_headers, http_status
from bridge.soap.media import CONTENT_TYPES, Version, decode_body, read_content_type, read_soap_action
from bridge.soap.refusals import refuse
from bridge.soap.xml import note_refused, parse, read_own
from bridge.store import ExchangeRecord, Store, Transaction
from bridge.store.journal import record
from bridge.store.refused import RefusalJournal

log = logging.getLogger(__name__)

Observer = Callable[[Exchange, float], None]

NO_HEADERS: Mapping[str, Any] = MappingProxyType({})


class Inbound:
    """The stages of one service. One object answers all threads; what belongs to a request is in its Exchange.

    `store` None: nothing is journaled and handlers have no session. `gatekeeper` None: everybody may do everything.
    `observers` are told of each exchange when it has ended, and how many seconds it took; they are quick and raise nothing.
    """

    understands = UNDERSTOOD
    """Header blocks that every operation may get, beside those that the gatekeeper reads."""

    def __init__(
        self,
        service: Service,
        settings: Settings,
        store: Store | None = None,
        *,
        observers: Sequence[Observer] = (),
        gatekeeper: Gatekeeper | None = None,
    ) -> None:
        contract = service.contract
        self.gatekeeper = gatekeeper
        self.understood = self.understands if gatekeeper is None else self.understands | gatekeeper.understood
        self.observers = observers
        self.service = service
        self.limits = settings.limits
        self.name = service.path.removeprefix("/services/")
        self.zone = settings.zone(self.name)
        self.confidential = confidential_of(service, settings)
        self.sight = Sight(self.name, contract, settings.roles)
        if self.sight.mistakes:
            raise SettingsError.of(self.sight.mistakes)
        self.store = store
        self.stuck_after = settings.server.stuck_after
        self.journal = None
        if store is not None:
            self.journal = RefusalJournal(store, most=settings.journal.refused_per_minute)
        self.duplicates = None
        if store is not None:
            paths, _ = key_paths(service, settings)
            self.duplicates = Duplicates(
                store,
                settings.idempotency,
                self.name,
                paths,
                settings.limits,
                most_waiting=max(1, settings.server.threads // 2),
            )
        self.keep_refused = settings.journal.keep_bodies != "none"
        self.keep_accepted = settings.journal.keep_bodies == "all"
        self.guard = contract.guard  # compiles the schemas now, not at the first request
        self.codec = contract.codec
        handlers, _ = handlers_of(service, settings, has_store=store is not None)
        self.plans = {
            key: Plan.of(found, handlers.get(key), self.understood)
            for key, found in contract.operations.items()
        }
        found_by: dict[str | None, list[Plan]] = {}
        for plan in self.plans.values():
            found_by.setdefault(plan.operation.input, []).append(plan)
        self.plain: dict[str | None, Plan] = {
            body: plans[0] for body, plans in found_by.items() if len(plans) == 1
        }
        """By the Body's child, where that alone tells the operation: nearly always."""
        versions = {version for found in contract.operations.values() for version in found.soap_versions}
        self.versions: tuple[Version, ...] = tuple(sorted(versions or {"1.1", "1.2"}, reverse=True))
        self.inputs = self._inputs(EVERYTHING)

    # The stages

    def open(self, exchange: Exchange) -> None:
        """Bytes to envelope. Raises Refusal."""
        exchange.service = self.name
        content_type = read_content_type(exchange.content_type)
        # Until the envelope is read, a fault speaks the version of the media type; else what `Exchange` begins with.
        exchange.version = fault_version(None, content_type.version, self.versions)
        if exchange.content_encoding:
            exchange.body = decode_body(exchange.body, exchange.content_encoding, self.limits)
        root, exchange.source = parse(exchange.body, charset=content_type.charset, limits=self.limits)
        exchange.version = fault_version(root, exchange.version, self.versions)
        exchange.envelope = open_envelope(root, spoken=self.versions, limits=self.limits)

    def identify(self, exchange: Exchange) -> None:
        """Who it is from. Raises Refusal."""
        if self.gatekeeper is not None:
            self.gatekeeper.identify(exchange)
        exchange.let_in = True

    def admit(self, exchange: Exchange) -> None:
        """Whether the request may be acted on, and by which operation. Raises Refusal.

        Headers come first: nothing about the Body is said before all that must be understood is (R1025).
        """
        envelope = exchange.envelope
        assert envelope is not None
        body = None if envelope.body is None else str(envelope.body.tag)
        plan = exchange.plan = self.plain.get(body) or self._dispatch(exchange, body, envelope.version)
        permits = self.permits(exchange)
        if plan is not None and not permits.allow(self.name, plan.key):
            plan = None  # from here on as if it were not there; the journal has it
        if envelope.headers:
            check_understood(envelope, self.understood if plan is None else plan.understood)
            exchange.addressing = read_addressing(envelope)
        if plan is None:
            raise self._no_operation(body, permits)
        if plan.operation.problem is not None:
            raise plan.operation.problem

    def permits(self, exchange: Exchange) -> Permits:
        """What the caller may ask for."""
        return EVERYTHING if self.gatekeeper is None else self.gatekeeper.permits(exchange)

    def _no_operation(self, body: str | None, permits: Permits) -> Refusal:
        """The same for an operation that is not there, and one that is not for this caller."""
        if not permits.allow_some_of(self.name):
            return refuse("nothing_permitted")
        whole = permits.allow_all_of(self.name)
        operations = self.inputs if whole else self._inputs(permits) or "–"
        if body is None:
            return refuse("empty_body", operations=operations)
        key = "unknown_operation" if whole else "not_permitted"
        return refuse(key, found=body, operations=operations)

    def _inputs(self, permits: Permits) -> str:
        """What a Body may hold, for people."""
        return ", ".join(
            f"`{found.input}`"
            for key, found in self.service.contract.operations.items()
            if found.input and found.problem is None and permits.allow(self.name, key)
        )

    def _dispatch(self, exchange: Exchange, body: str | None, version: Version) -> Plan | None:
        """The plan for a Body that names none or several; only where those are left is the action looked at."""
        contract = self.service.contract
        operation = contract.dispatch(body, version) or contract.dispatch(body, version, _action(exchange))
        return None if operation is None else self.plans[operation.key]

    def authorise(self, exchange: Exchange) -> None:
        """Whether its caller may do this, now. Raises Refusal."""
        if self.gatekeeper is not None:
            self.gatekeeper.authorise(exchange)

    def recall(self, exchange: Exchange) -> None:
        """Whether this request was made before (`bridge.idempotency`)."""
        if self.duplicates is None:
            return
        plan, envelope, addressing = exchange.plan, exchange.envelope, exchange.addressing
        assert plan is not None
        assert envelope is not None
        once = exchange.once = self.duplicates.once(
            plan.key,
            envelope.body,
            exchange_id=exchange.id,
            now=int(exchange.received * 1e6),
            partner=exchange.partner or "",
            header=exchange.idempotency_key,
            message_id=None if addressing is None else addressing.message_id,
            faults=plan.operation.faults,
        )
        if once is not None:
            exchange.found = once.find()

    def validate(self, exchange: Exchange) -> None:
        """The message against its contract. Raises InvalidRequest for the Body, Refusal for a header."""
        envelope, plan = exchange.envelope, exchange.plan
        assert envelope is not None
        assert plan is not None
        operation = plan.operation
        if operation.input_headers:
            self._validate_headers(exchange, envelope, operation)
        if operation.input is not None and not exchange.answered_before:
            assert envelope.body is not None
            self.guard.check(operation.input, envelope.body, source=exchange.source)

    def decode(self, exchange: Exchange) -> None:
        """Payload to value; declared headers too. Raises DecodeError."""
        if exchange.answered_before:
            return
        envelope, plan = exchange.envelope, exchange.plan
        assert envelope is not None
        assert plan is not None
        operation = plan.operation
        if operation.input is not None:
            assert envelope.body is not None
            plain = _is_plain(exchange.source)
            exchange.value = self.codec.decode(operation.input, envelope.body, plain=plain or None)
        if operation.input_headers:
            exchange.request_headers = {
                str(block.tag): self.codec.decode(str(block.tag), block) for block in exchange.header_blocks
            }

    def answer(self, exchange: Exchange) -> None:
        """Handler to committed reply. Raises whatever the handler does, and InvalidReply; then nothing was kept."""
        if self.store is None:
            self._answer(exchange, None)
            return
        if exchange.once is None:
            self.store.run(lambda transaction: self._answer(exchange, transaction))
        else:
            answer_once(self.store, exchange, exchange.once, self)
        exchange.recorded = True

    def _answer(self, exchange: Exchange, transaction: Transaction | None) -> None:
        exchange.payload = exchange.reply_headers = ""
        self.handle(exchange, transaction)
        self.record_answer(exchange, transaction)

    def record_answer(self, exchange: Exchange, transaction: Transaction | None) -> None:
        """The bytes that leave, and what the journal is told of them in the same transaction."""
        self.seal(exchange)
        if transaction is not None:
            record(transaction.session, self._record(exchange, keep_bodies=self.keep_accepted))

    def handle(self, exchange: Exchange, transaction: Transaction | None, once: Once | None = None) -> None:
        """Runs the handler, encodes its result and checks the text. Raises as they do."""
        plan = exchange.plan
        assert plan is not None
        operation = plan.operation
        if plan.handler is None:
            raise HandlerError(
                f"{operation.name} of {self.service.name} has no handler.",
                advice=f'Bind one: @service.operation("{operation.key}").',
            )
        if exchange.called_out:
            raise RequestInDoubt(
                "The handler called another system, and then the database asked to run it again.",
                advice="Write less after calling, or call what may be done later in a request of its own.",
            )
        call = Call(
            exchange.id,
            operation,
            self.service,
            transaction,
            exchange.request_headers or NO_HEADERS,
            exchange.partner,
            exchange.language,
            once,
            self.zone,
            None if exchange.envelope is None else exchange.envelope.body,
            exchange.started + self.stuck_after,
            exchange.caller,
            self.sight.own_only(exchange.caller, plan.key),
        )
        token = current_call.set(call)
        try:
            result = plan.handler(exchange.value, call)
        finally:
            current_call.reset(token)
            exchange.called_out = call.called_out
        exchange.reference = None if call.reference is None else str(call.reference)
        output = operation.output
        if output is None:
            if result is not None:
                raise HandlerError(
                    f"The handler of {operation.name} returned {type(result).__name__}; the operation has no output.",
                    advice="Return None.",
                )
        elif result is None:
            raise HandlerError(
                f"The handler of {operation.name} returned nothing.",
                advice=f"Return {output} as an instance of its class or as a dict.",
            )
        else:
            exchange.payload = self._checked(output, result, "reply")
        if operation.output_headers or call.reply_headers:
            exchange.reply_headers = self._reply_headers(operation, call.reply_headers)

    def seal(self, exchange: Exchange) -> None:
        """The bytes that leave. One-way: 202 and nothing."""
        plan = exchange.plan
        assert plan is not None
        if plan.operation.one_way:
            exchange.status, exchange.reply, exchange.headers = 202, b"", [("X-Exchange-Id", exchange.id)]
            return
        headers = exchange.reply_headers
        if exchange.addressing is not None:
            headers += exchange.addressing.reply_headers(
                action=plan.reply_action, message_id=exchange_iri(exchange.id)
            )
        if self.gatekeeper is not None:
            headers += self.gatekeeper.answer_headers(exchange)
        payload = exchange.payload
        if plan.operation.output is not None:
            payload = self._visible(exchange, plan.operation.output, payload, "reply")
        exchange.reply = seal(exchange.version, payload, headers)
        if self.gatekeeper is not None:
            self.gatekeeper.protect(exchange)
        exchange.status = 200
        exchange.headers = [("Content-Type", CONTENT_TYPES[exchange.version]), ("X-Exchange-Id", exchange.id)]

    def fail(self, exchange: Exchange, error: BaseException) -> None:
        """Makes the fault that answers `error`. Raises nothing: an error in here gives the shortest fault there is."""
        try:
            answer = self._fault(exchange, error)
            headers = ""
            if exchange.addressing is not None:
                headers = exchange.addressing.fault_headers(message_id=exchange_iri(exchange.id))
            if self.gatekeeper is not None:
                headers += self.gatekeeper.answer_headers(exchange)
            exchange.reply = fault_bytes(exchange.version, answer, headers, language=exchange.language)
            if self.gatekeeper is not None:
                self.gatekeeper.protect(exchange)
        except Exception as second:
            kind = type(error).__name__
            log.exception("exchange %s: no fault for %s", exchange.id, kind, extra={"exchange": exchange.id})
            exchange.error = second
            answer = from_error(second, exchange.id)
            exchange.reply = fault_bytes(exchange.version, answer)
        exchange.status = http_status(exchange.version, answer)
        exchange.headers = http_headers(exchange.version, answer)
        exchange.fault_code = answer.code

    def _fault(self, exchange: Exchange, error: BaseException) -> Fault:
        """The fault, and what journal and log are told. A declared one that breaks the contract is our failure."""
        if isinstance(error, DeclaredFault):
            try:
                answer = self._told(exchange, error)
            except (EncodeError, InvalidReply, HandlerError) as wrong:
                error = wrong
            else:
                exchange.verdict, exchange.error = "fault", error
                exchange.fault_reason = f"{error.name}: {next(iter(answer.reasons.values()))}"
                return answer
        self.confidential.clean(exchange, error)
        exchange.error = error
        exchange.verdict = verdict_of(error)
        if exchange.source and exchange.verdict in ("refused", "invalid_request"):
            note_refused(exchange.source)
        exchange.fault_reason = str(error)
        if exchange.verdict in ("failed", "invalid_reply"):
            # Not its text, which may quote what the message held: that is in the journal, under this id.
            kind = type(error).__name__
            about = {"exchange": exchange.id}
            trace = "".join(traceback.format_exception(error))
            reason = f"{error}{_with_partner(error)}\n\n{trace}"
            exchange.fault_reason = self.confidential.text(exchange, reason)
            quotes = exchange.fault_reason != reason
            log.error(
                "exchange %s failed: %s", exchange.id, kind, extra=about, exc_info=None if quotes else error
            )
        return from_error(error, exchange.id, spoken=self.versions, limits=self.limits)

    def declared(self, exchange: Exchange, error: DeclaredFault) -> Fault:
        """A fault of the contract, its detail checked like every reply. Its reason is what the contract says of it."""
        plan = exchange.plan
        assert plan is not None
        element = plan.operation.faults.get(error.name)
        if element is None:
            raise HandlerError(
                f"{plan.operation.name} does not declare the fault {error.name!r}.",
                advice=f"It declares: {', '.join(plan.operation.faults) or 'none'}.",
            )
        detail = exchange.detail
        if detail is None:
            detail = self._checked(element, error.value, f"fault {error.name}")
        said = self.service.contract.model.element(element).documentation
        reasons = {text.language or "en": text.text for text in reversed(said)} or {"en": f"{error.name}."}
        ordered = {
            language: reasons[language] for language in sorted(reasons, key=lambda one: (one != "en", one))
        }
        return Fault(code="Client", reasons=ordered, exchange_id=exchange.id, detail=detail)

    def _told(self, exchange: Exchange, error: DeclaredFault) -> Fault:
        """The same without what its caller must not see."""
        answer = self.declared(exchange, error)
        plan = exchange.plan
        assert plan is not None
        if not answer.detail:
            return answer
        element = plan.operation.faults[error.name]
        return replace(answer, detail=self._visible(exchange, element, answer.detail, f"fault {error.name}"))

    def _visible(self, exchange: Exchange, element: str, text: str, what: str) -> str:
        """The payload as its caller may see it, checked again. Raises InvalidReply where the contract demands what is hidden."""
        plan = exchange.plan
        assert plan is not None
        places = self.sight.hidden(exchange.caller, plan.key, element)
        shown = hide(text, places) if places else text
        if shown is not text:
            source = shown.encode()
            what = f"{what}, without what is hidden from its caller,"
            self.guard.check(element, read_own(source), source=source, error=InvalidReply, what=what)
        return shown

    def close(self, exchange: Exchange) -> None:
        """Journals what no transaction has journaled yet, and tells the observers. The answer stands."""
        if self.gatekeeper is not None:
            self.gatekeeper.release(exchange)
        if self.journal is not None and not exchange.recorded:
            # What strangers send is not kept: they would fill the disk.
            keep = self.keep_refused and (exchange.let_in or self.gatekeeper is None)
            self.journal.write(self._record(exchange, keep_bodies=keep))
        if self.observers:
            seconds = time.perf_counter() - exchange.started
            for observe in self.observers:
                observe(exchange, seconds)

    # What the stages share

    def _record(self, exchange: Exchange, *, keep_bodies: bool) -> ExchangeRecord:
        request = self.confidential.request(exchange) if keep_bodies else None
        return record_of(exchange, self.service.name, request=request, keep_bodies=keep_bodies)

    def _checked(self, element: str, value: Any, what: str) -> str:
        """`value` as text that the contract admits. Raises EncodeError, InvalidReply.

        Written and read again: the very bytes that leave are checked, and that is faster than building a tree.
        """
        text = self.codec.encode(element, value)
        source = text.encode()
        self.guard.check(element, read_own(source), source=source, error=InvalidReply, what=what)
        return text

    def _reply_headers(self, operation: Operation, given: Mapping[str, Any]) -> str:
        declared = {header.name: header for header in operation.output_headers}
        unknown = [name for name in given if name not in declared]
        missing = [name for name, header in declared.items() if header.required and name not in given]
        if unknown or missing:
            raise HandlerError(
                f"The reply headers of {operation.name} are not those it declares: "
                f"{', '.join([f'{name} is not declared' for name in unknown] + [f'{name} is missing' for name in missing])}.",
                advice=f"It declares: {', '.join(declared) or 'none'}.",
            )
        return "".join(self._checked(name, value, f"header {name}") for name, value in given.items())

    def _validate_headers(self, exchange: Exchange, envelope: Envelope, operation: Operation) -> None:
        for header in operation.input_headers:
            blocks = [block for block in envelope.our_headers if block.tag == header.name]
            if len(blocks) > 1 or (header.required and not blocks):
                found = "twice" if blocks else "missing"
                raise _header_refused(f"The header {header.name} is {found}; {operation.name} takes it once.")
            try:
                for block in map(without_soap_attributes, blocks):
                    self.guard.check(
                        header.name,
                        block,
                        source=exchange.source,
                        what="header",
                        prefix_path="/Envelope/Header",
                    )
                    exchange.header_blocks += (block,)
            except InvalidRequest as error:
                # No detail about a header: SOAP 1.1, section 4.4. So the reason has to say it.
                said = " ".join(str(violation) for violation in error.violations[:3])
                raise _header_refused(f"The header {header.name} breaks its contract. {said}") from None


def confidential_of(service: Service, settings: Settings) -> Confidential:
    """Raises SettingsError for a secret field that cannot be read."""
    name = service.path.removeprefix("/services/")
    try:
        return Confidential(settings.services.get(name, ServiceSettings()))
    except ValueError as error:
        raise SettingsError(f"services.{name}.secret: {error}.") from None


def _action(exchange: Exchange) -> str | None:
    """What the request says it is for: SOAP 1.1 in a header, 1.2 in the Content-Type."""
    if exchange.version == "1.1":
        return read_soap_action(exchange.soap_action)
    return read_content_type(exchange.content_type).action


def _with_partner(error: BaseException) -> str:
    """Which exchange with a partner it was that failed."""
    if not isinstance(error, PartnerError) or not error.exchange_id:
        return ""
    return f" [{error.operation} of partner {error.partner}: exchange {error.exchange_id}]"


def _header_refused(message: str) -> Refusal:
    return Refusal(message, subcodes=(f"{{{VIOLATIONS_NS}}}InvalidHeader",), advice="Correct the header.")


def _is_plain(source: bytes) -> bool:
    """Whether no xsi attribute and no comment can be there, which saves the decoder the search for them.

    Looking for one byte is ten times faster than for several, and most messages have no `!` and no `&`.
    """
    return (
        (b"!" not in source or b"<!--" not in source)
        and (b"&" not in source or b"&#" not in source)  # a reference may hide a letter of the namespace
        and b"XMLSchema-instance" not in source
    )
