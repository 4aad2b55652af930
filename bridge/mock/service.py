"""One contract, mocked: a request goes through the stages of the real bridge, and what a rule says becomes of the answer.

The stages are those of `bridge.inbound`, so a request that breaks the contract gets the very fault that the bridge gives,
with all violations, and no rule is asked. A valid one is answered by the first expectation that takes it, else by the
first rule that fits, else with a sample.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import structlog

from bridge.app import Bridge
from bridge.contract import Contract
from bridge.errors import HandlerError, InvalidMessage, SettingsError
from bridge.exchange import Exchange
from bridge.handlers import Call
from bridge.host.http import Request
from bridge.host.root import Root
from bridge.mock.answers import PLAIN, SAMPLE, Answer, Facts, Rule
from bridge.mock.broken import IN_THE_PAYLOAD, PAGE, broken, inflated
from bridge.mock.expect import Expectation
from bridge.mock.received import Received, ReceivedList
from bridge.mock.samples import Samples
from bridge.settings import Settings
from bridge.soap.fault import Fault, fault_bytes, http_headers, http_status

log = structlog.get_logger(__name__)

Headers = list[tuple[str, str]]
Listener = Callable[[Received], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the socket is to see: a reply, and the answer that says in which manner it comes."""

    status: int
    headers: Headers
    body: bytes
    how: Answer = PLAIN


@dataclass(frozen=True, slots=True)
class Choice:
    """The answer to one request, and whose word it was."""

    answer: Answer = PLAIN
    rule: str = ""
    expected: bool = False


class MockedService:
    """Answers one contract's requests as rules and expectations say. Safe to use from several threads.

    `root` answers everything that is no request: the contract, the page about it, what nobody serves.

    Raises:
        SettingsError: none of the operations can be answered; the error says why.
    """

    def __init__(
        self,
        contract: Contract,
        settings: Settings,
        *,
        rules: Sequence[Rule] = (),
        seed: int = 0,
        keep: int,
        listener: Listener | None = None,
    ) -> None:
        contract.compile()
        bridge = Bridge(settings, store=False)
        service = bridge.serve(contract)
        for operation in contract.operations.values():
            if operation.problem is None:
                service.bind(operation, self._handle)
        bridge.check(complete=False)
        if not service.handlers:
            raise SettingsError(
                f"{contract.file} has no operation that could be answered.",
                advice=f"soapbridge contract check {contract.file} says why.",
            )
        self.contract = contract
        self.path = service.path
        self.root = Root(bridge)
        self.rules = list(rules)
        self.expectations: list[Expectation] = []
        self.received = ReceivedList(keep)
        self._inbound = self.root.hosted[service.path].inbound
        self._samples = Samples(contract, seed)
        self._listener = listener
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._turns: dict[str, tuple[Answer, Facts]] = {}
        """By exchange id, while the exchange is being answered."""

    def answer(self, request: Request) -> Outcome:
        """The outcome of one request to the service. Raises nothing."""
        outcome = self._take(request)
        if outcome.how.duplicate == "request":
            second = self._take(request, duplicate=True)
            return replace(second, how=replace(second.how, duplicate=""))
        return outcome

    def _take(self, request: Request, *, duplicate: bool = False) -> Outcome:
        exchange = _opened(request)
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers)
        number = self.received.next_number()
        choice = Choice()
        try:
            self._inbound.open(exchange)
            self._inbound.admit(exchange)
            self._inbound.validate(exchange)
            self._inbound.decode(exchange)
            facts = self._facts(exchange, headers, number)
            choice = self._choose(facts)
            outcome = self._perform(exchange, facts, choice.answer)
        except Exception as error:  # noqa: BLE001 - whatever it was becomes a fault, and what is ours is logged there
            self._inbound.fail(exchange, error)
            outcome = _outcome(exchange, choice.answer)
        self._note(exchange, headers, number, choice, outcome, duplicate=duplicate)
        return outcome

    # Choosing

    def _facts(self, exchange: Exchange, headers: tuple[tuple[str, str], ...], number: int) -> Facts:
        assert exchange.plan is not None
        assert exchange.envelope is not None
        operation = exchange.plan.key
        with self._lock:
            self._counts[operation] += 1
            nth = self._counts[operation]
        return Facts(operation, nth, number, headers, exchange.envelope.body, exchange.value)

    def _choose(self, facts: Facts) -> Choice:
        for expectation in self.expectations:
            answer = expectation.take(facts)
            if answer is not None:
                return Choice(answer, expectation.place, expected=True)
        extra = next((one for one in self.expectations if one.matches(facts)), None)
        if extra is not None:
            extra.note_extra(facts.number)
        for rule in self.rules:
            if rule.fits(facts) and rule.take():
                return Choice(rule.answer, rule.place)
        return Choice()

    # Answering

    def _perform(self, exchange: Exchange, facts: Facts, answer: Answer) -> Outcome:
        if answer.drop == "before":
            return Outcome(status=0, headers=[], body=b"", how=answer)
        if answer.status is not None:
            headers = [*answer.headers, ("X-Exchange-Id", exchange.id)]
            return Outcome(status=answer.status, headers=headers, body=answer.body, how=answer)
        if answer.code:
            self._plain_fault(exchange, answer)
        elif answer.payload is not None:
            self._as_given(exchange, answer.payload)
        else:
            self._turns[exchange.id] = (answer, facts)
            try:
                self._inbound.answer(exchange)
            finally:
                del self._turns[exchange.id]
            if answer.off_contract in IN_THE_PAYLOAD:
                if not exchange.payload:
                    raise HandlerError("There is no payload to break.")
                exchange.payload = broken(self.contract, exchange.payload, answer.off_contract)
                self._inbound.seal(exchange)
        return _off_contract(_outcome(exchange, answer))

    def _handle(self, value: Any, call: Call) -> Any:
        """The handler of every operation."""
        answer, facts = self._turns[call.exchange_id]
        operation, given = call.operation, answer.value
        if answer.fault:
            if given is SAMPLE:
                given = self._sample(operation.faults[answer.fault], facts)
            raise call.fault(answer.fault, given)
        call.reply_headers.update(
            {header.name: self._sample(header.name, facts) for header in operation.output_headers}
        )
        if operation.output is None:
            return None
        return self._sample(operation.output, facts, echo=True) if given is SAMPLE else given

    def _sample(self, element: str, facts: Facts, *, echo: bool = False) -> Any:
        request = facts.body if echo else None
        return self._samples.value(element, operation=facts.operation, nth=facts.nth, request=request)

    def _plain_fault(self, exchange: Exchange, answer: Answer) -> None:
        """A fault as other systems send it: a code and a sentence, nothing of ours."""
        assert answer.code
        fault = Fault(code=answer.code, reasons={"en": answer.text}, exchange_id="")
        headers = ""
        if exchange.addressing is not None:
            headers = exchange.addressing.fault_headers(message_id=f"urn:soapbridge:exchange:{exchange.id}")
        exchange.reply = fault_bytes(exchange.version, fault, headers)
        exchange.status = http_status(exchange.version, fault)
        exchange.headers = [*http_headers(exchange.version, fault), ("X-Exchange-Id", exchange.id)]

    def _as_given(self, exchange: Exchange, payload: str) -> None:
        exchange.payload = payload
        self._inbound.seal(exchange)
        if ":Envelope" in payload[:1000] or "<Envelope" in payload[:1000]:
            exchange.reply = payload.encode()

    # Keeping

    def _note(
        self,
        exchange: Exchange,
        headers: tuple[tuple[str, str], ...],
        number: int,
        choice: Choice,
        outcome: Outcome,
        *,
        duplicate: bool,
    ) -> None:
        error = exchange.error
        refused = exchange.verdict in ("refused", "invalid_request")
        failed = exchange.verdict in ("failed", "invalid_reply")
        answered = choice.answer.words
        if refused or failed:
            answered = f"fault {exchange.fault_code}" if refused else f"fault Server: {error}"
        unsent = choice.answer.times_out or choice.answer.drop in ("before", "after")
        received = Received(
            number=number,
            operation=None if exchange.plan is None else exchange.plan.key,
            value=exchange.value,
            envelope=exchange.body,
            headers=headers,
            exchange_id=exchange.id,
            at=datetime.fromtimestamp(exchange.received, UTC),
            soap_version=exchange.version,
            answered=answered,
            status=None if unsent else outcome.status,
            refused=str(error) if refused else "",
            violations=error.violations if isinstance(error, InvalidMessage) and refused else (),
            rule=choice.rule,
            expected=choice.expected,
            duplicate=duplicate,
        )
        self.received.add(received)
        if self._listener is not None:
            try:
                self._listener(received)
            except Exception:
                log.exception("whoever listens to the mock failed; the answer goes out all the same")


def _opened(request: Request) -> Exchange:
    given = {name: value.decode("latin-1") for name, value in reversed(request.headers)}
    return Exchange(
        request.body,
        given.get(b"content-type"),
        given.get(b"content-encoding"),
        request.connection.environ.get("REMOTE_ADDR"),
        given.get(b"accept-language", ""),
        given.get(b"soapaction"),
    )


def _outcome(exchange: Exchange, answer: Answer) -> Outcome:
    return Outcome(status=exchange.status, headers=exchange.headers or [], body=exchange.reply, how=answer)


def _off_contract(outcome: Outcome) -> Outcome:
    """The ways that are about bytes, not about the payload."""
    others = [pair for pair in outcome.headers if pair[0] != "Content-Type"]
    how = outcome.how
    match how.off_contract:
        case "html":
            page: Headers = [*others, ("Content-Type", "text/html; charset=utf-8")]
            return replace(outcome, headers=page, body=PAGE)
        case "empty":
            return replace(outcome, body=b"")
        case "truncated":
            return replace(outcome, body=outcome.body[: len(outcome.body) // 2])
        case "wrong-content-type":
            return replace(outcome, headers=[*others, ("Content-Type", "text/plain; charset=utf-8")])
        case "huge":
            return replace(outcome, body=inflated(outcome.body, how.size))
        case "slow":
            return replace(outcome, how=replace(how, bytes_per_second=how.bytes_per_second or 1.0))
        case _:
            return outcome
