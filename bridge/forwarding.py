"""Handing an operation on to a partner: the handlers that `Service.forward` makes.

    orders.forward("CancelOrder", to=backoffice, operation="CancelSalesOrder", mapping=f, reply=g,
                   faults={"NotFound": "UnknownOrder"})

Synchronous: the partner is called, and what it answers becomes the answer. No transaction is open meanwhile, and the
request is claimed as that of any handler that calls another system (`bridge.idempotency`). Durable: the document is put
into the outbox, and answered once it is stored.

Where both sides have the same element and nothing maps, the payload goes on as it came: text, never values. Both guards
look at it, ours when it comes in, the partner's before it leaves; a reply likewise, the other way round.

What can be known is checked when the operation is bound; which of the two ways it goes, settings may change afterwards
(`[services.NAME] forward`), so that the rest is checked by `bridge.check`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lxml import etree

from bridge.contract import Contract, Operation
from bridge.contract.codec.values import Payload
from bridge.contract.example import example
from bridge.contract.model import ComplexType
from bridge.errors import (
    BridgeError,
    ContractError,
    EncodeError,
    HandlerError,
    InDoubt,
    InvalidMessage,
    NotSent,
    Refused,
)
from bridge.handlers import Call, Handler, Service, named_or_nearest
from bridge.idempotency import KeyPath
from bridge.settings import Service as ServiceSettings
from bridge.settings import Settings
from bridge.soap.xml import read_own

if TYPE_CHECKING:
    from bridge.partners.soap import SoapPartner

Function = Callable[[Any], Any]
Fault = str | tuple[str, Function]
"""The fault of ours that one of the partner's becomes, with a function for its detail; without one the same fields."""

MODES = ("synchronous", "durable")

ANSWERING = 1.0
"""Seconds that are kept of a request's time, for what comes after the partner's answer."""

_NOTHING_SET = ServiceSettings()


@dataclass(frozen=True, slots=True)
class _FaultRule:
    """What one of the partner's declared faults becomes: ours, and its detail out of theirs."""

    name: str
    detail: Function


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """The handler of an operation that is handed on. Made by `forward`."""

    service: Service
    ours: Operation
    partner: SoapPartner
    theirs: Operation
    mapping: Function | None
    reply: Callable[..., Any] | None
    faults: Mapping[str, _FaultRule]
    headers: Function | None
    ordering_key: KeyPath | Function | None
    deadline: float | None
    durable: bool

    def __call__(self, values: Any, call: Call) -> Any:
        return self._send(values, call) if self.durable else self._call(values, call)

    def impossible(self, *, durable: bool) -> str:
        """Why it cannot be handed on this way; "" where it can."""
        ours, reply = self.ours, self.reply
        if reply is not None and _takes(reply, 2 if durable else 1):
            return ""
        if _says_nothing(self.service.contract, ours.output):
            return ""
        if durable:
            return (
                f"{ours.name} of {self.service.name} cannot be durable: it is answered before the partner has answered, and its "
                "answer has to be made. Give it one: reply=lambda values, entry: {…}."
            )
        if ours.output == self.theirs.output:
            return ""
        return (
            f"{ours.name} of {self.service.name} is answered with {ours.output}, {self.theirs.name} of {self.partner.name} with "
            f"{self.theirs.output}. Say how one becomes the other: reply=lambda answer: {{…}}."
        )

    # -- synchronous

    def _call(self, values: Any, call: Call) -> Any:
        partner = self.partner
        try:
            got = partner.exchange(
                self.theirs.key,
                self._request(values, call),
                headers=self._headers(call),
                deadline=self._deadline(call),
                idempotency_key=call.onward_id,
            )
        except Refused as refused:
            raise self._fault(refused, call) from refused
        except InDoubt:
            if partner.settings.keeps_id:
                call.may_call_again()  # the partner knows the repeat by the id that goes with it
            raise
        if self.reply is not None and _takes(self.reply, 1):
            return self.reply(got.value)
        if self.ours.output is None:
            return None
        if self.ours.output == self.theirs.output and got.payload is not None:
            return _as_it_came(got.payload)
        return {}

    def _deadline(self, call: Call) -> float:
        """Seconds for the partner's answer: of what was set, and of what is left of the request, the least."""
        left = call.seconds_left - ANSWERING
        if left <= 0:
            raise NotSent(
                "The request has waited so long that no time is left to hand it on. Nothing was sent.",
                partner=self.partner.name,
                operation=self.theirs.key,
                advice="It is safe to repeat. Where it happens often: more threads, or a longer `server.stuck_after`.",
            )
        return min(left, self.partner.settings.deadline, self.deadline or left)

    def _fault(self, refused: Refused, call: Call) -> BridgeError:
        """The partner's fault as one of ours; itself where none of ours was named for it, or it does not fit."""
        rule = self.faults.get(refused.name)
        if rule is None or refused.value is None:
            return refused
        return call.fault(rule.name, rule.detail(refused.value))

    # -- durable

    def _send(self, values: Any, call: Call) -> Any:
        entry = self.partner.send(
            self.theirs.key,
            self._request(values, call),
            ordering_key=self._key(values, call),
            headers=self._headers(call),
        )
        if self.reply is not None and _takes(self.reply, 2):
            return self.reply(values, entry)
        return None if self.ours.output is None else {}

    def _key(self, values: Any, call: Call) -> str | None:
        if isinstance(self.ordering_key, KeyPath):
            return None if call.payload is None else self.ordering_key.find(call.payload)
        found = None if self.ordering_key is None else self.ordering_key(values)
        return None if found is None else str(found)

    # -- both

    def _request(self, values: Any, call: Call) -> Any:
        if self.mapping is not None:
            return self.mapping(values)
        return None if call.payload is None else _as_it_came(call.payload)

    def _headers(self, call: Call) -> Mapping[str, Any]:
        """What the function asked for; a block that is handed on unchanged goes as text, as it came."""
        if self.headers is None:
            return {}
        given: Mapping[str, Any] = self.headers(call.headers)
        encode = self.service.contract.codec.encode
        came = {id(value): name for name, value in call.headers.items()}
        return {
            name: Payload(encode(came[id(value)], value)) if id(value) in came else value
            for name, value in given.items()
        }


def forward(
    service: Service,
    name: str,
    *,
    to: SoapPartner,
    operation: str,
    mapping: Function | None = None,
    reply: Callable[..., Any] | None = None,
    faults: Mapping[str, Fault] | None = None,
    headers: Function | None = None,
    ordering_key: str | Function | None = None,
    deadline: float | None = None,
    durable: bool = False,
) -> Forward:
    """The handler that hands the operation `name` of `service` on; the arguments are those of `Service.forward`.

    Raises:
        HandlerError: names that neither side has, elements that differ and nothing that maps them, a reply that cannot be
            made, headers that nobody gives.
        OperationUnavailable: the partner's operation cannot be called.
    """
    ours, theirs = _find(service, name), _offered(to, operation or name)
    if mapping is None and ours.input != theirs.input:
        raise HandlerError(
            f"{ours.name} of {service.name} takes {ours.input}, {theirs.name} of {to.name} takes {theirs.input}.",
            advice="Say how one becomes the other: mapping=lambda values: {…}.",
        )
    _check_headers(service, ours, to, theirs, given=headers is not None)
    for function, arguments in ((mapping, 1), (headers, 1)):
        if function is not None and not _takes(function, arguments):
            raise HandlerError(
                f"A function that {ours.name} of {service.name} is forwarded with cannot be called with one argument.",
                advice="mapping gets the values of the request, headers its declared headers.",
            )
    made = Forward(
        service=service,
        ours=ours,
        partner=to,
        theirs=theirs,
        mapping=mapping,
        reply=reply,
        faults=_fault_rules(service.contract, ours, to, theirs, faults or {}),
        headers=headers,
        ordering_key=_ordering_key(service.contract, ours, ordering_key),
        deadline=deadline,
        durable=durable,
    )
    problem = made.impossible(durable=durable)
    if problem:
        raise HandlerError(problem)
    return made


def handlers_of(
    service: Service, settings: Settings, *, has_store: bool
) -> tuple[dict[str, Handler], list[str]]:
    """The handlers of a service, forwards as the settings want them; and what is wrong with that.

    A forward that the settings want as it cannot be answers with that mistake: never in the other way.
    """
    given = settings.services.get(service.path.removeprefix("/services/"), _NOTHING_SET).forward
    place = f"services.{service.name}.forward"
    forwarded = {key: one for key, one in service.handlers.items() if isinstance(one, Forward)}
    mistakes = [
        f"{place} names {name}, which {service.name} does not forward. {named_or_nearest(name, forwarded)}"
        for name in given
        if name not in forwarded
    ]
    handlers = dict(service.handlers)
    for key, one in forwarded.items():
        mode = given.get(key, MODES[one.durable])
        problem = f"{place}: {key} must be one of {', '.join(MODES)}, not {mode!r}."
        if mode in MODES:
            durable = mode == "durable"
            problem = one.impossible(durable=durable)
            if durable and not has_store:
                problem = f"{key} of {service.name} cannot be durable: the bridge runs without a store."
            handlers[key] = replace(one, durable=durable)
        if problem:
            mistakes.append(problem)
            handlers[key] = _refusing(problem)
    return handlers, mistakes


def _refusing(problem: str) -> Handler:
    def refuse(values: Any, call: Call) -> Any:
        raise HandlerError(problem)

    return refuse


# -- checked when it is bound


def _find(service: Service, name: str) -> Operation:
    found = service.contract.operations.get(name)
    if found is None:
        raise HandlerError(
            f"{service.contract.file} has no operation {name!r}.",
            advice=named_or_nearest(name, service.contract.operations),
        )
    return found


def _offered(to: SoapPartner, name: str) -> Operation:
    known = set(to.target.operations)
    if name not in known:
        raise HandlerError(
            f"The partner {to.name} ({to.target.named}) has no operation {name!r}.",
            advice=named_or_nearest(name, known),
        )
    found = to.contract.operation(name)
    if found.problem is not None:
        raise found.problem
    return found


def _check_headers(
    service: Service, ours: Operation, to: SoapPartner, theirs: Operation, *, given: bool
) -> None:
    wanted = [header.name for header in theirs.input_headers if header.required]
    if wanted and not given:
        raise HandlerError(
            f"{theirs.name} of {to.name} must have the header {', '.join(wanted)}, and headers are not forwarded by "
            "themselves.",
            advice="Say where it comes from: headers=lambda headers: {…}.",
        )
    promised = [header.name for header in ours.output_headers if header.required]
    if promised:
        raise HandlerError(
            f"{ours.name} of {service.name} promises the reply header {', '.join(promised)}, which a forward does not set.",
            advice="Write a handler that calls the partner and sets call.reply_headers.",
        )


def _fault_rules(
    contract: Contract, ours: Operation, to: SoapPartner, theirs: Operation, given: Mapping[str, Fault]
) -> dict[str, _FaultRule]:
    """By the partner's name: those given, and those that both sides have under one name and element."""
    rules = {
        name: _FaultRule(name, _same_element(to.contract, element))
        for name, element in theirs.faults.items()
        if ours.faults.get(name) == element
    }
    for their_name, fault in given.items():
        our_name, function = (fault, None) if isinstance(fault, str) else fault
        for one, name, whose in ((theirs, their_name, to.name), (ours, our_name, contract.name)):
            if name not in one.faults:
                raise HandlerError(
                    f"{one.name} of {whose} declares no fault {name!r}.",
                    advice=named_or_nearest(name, one.faults),
                )
        if function is None:
            function = _same_fields(
                contract, ours.faults[our_name], to.contract, theirs.faults[their_name], their_name
            )
        rules[their_name] = _FaultRule(our_name, function)
    return rules


def _same_element(theirs: Contract, element: str) -> Function:
    return lambda value: Payload(theirs.codec.encode(element, value))


def _same_fields(ours: Contract, element: str, theirs: Contract, their_element: str, name: str) -> Function:
    """Their detail as ours with the same fields, tried with an example. Raises HandlerError where that does not fit."""
    if element == their_element:
        return _same_element(theirs, element)

    def convert(value: Any) -> Any:
        return ours.codec.json.values(element, theirs.codec.json.document(their_element, value))

    try:
        made = theirs.codec.decode(their_element, etree.fromstring(example(theirs.model, their_element)))
        text = ours.codec.encode(element, convert(made))
        ours.guard.check(element, read_own(text.encode()))
    except (EncodeError, InvalidMessage, ContractError) as error:
        raise HandlerError(
            f"The detail of the partner's fault {name} has other fields than {element}: {error.message}",
            advice=f'Say how one becomes the other: faults={{"{name}": (…, lambda detail: {{…}})}}.',
        ) from error
    return convert


def _ordering_key(contract: Contract, ours: Operation, given: str | Function | None) -> Any:
    if not isinstance(given, str):
        return given
    try:
        path = KeyPath.read(given)
    except ValueError as error:
        raise HandlerError(f"The ordering key of {ours.name}: {error}.") from None
    if ours.input is not None:
        _check_path(contract, ours, path)
    return path


def _check_path(contract: Contract, ours: Operation, path: KeyPath) -> None:
    """Whether the schema has such an element or attribute: of a misspelt path every document would have no key.

    Where the schema leaves it open (a wildcard, types derived from the declared one) any name is taken.
    """
    assert ours.input is not None
    ref = contract.model.element(ours.input).type
    for name in (*path.steps, *([] if path.attribute is None else [f"@{path.attribute}"])):
        found = contract.model.type(ref)
        if isinstance(found, ComplexType) and found.name and contract.model.derived(found.name):
            return
        fields = contract.codec.layout_of(found).fields if isinstance(found, ComplexType) else ()
        if any(one.wildcards or one.kind == "any_attribute" for one in fields):
            return
        declared = {one.name: one for field in fields for one in field.items.values()}
        declared |= {field.xml_name: field.declaration for field in fields if field.declaration is not None}
        known = {clark.rpartition("}")[2]: one.type for clark, one in declared.items()}
        known |= {f"@{f.use.name.rpartition('}')[2]}": f.use.type for f in fields if f.use is not None}
        if name not in known:
            raise HandlerError(
                f"The ordering key of {ours.name} leads nowhere: {ours.input} has no {name!r} there.",
                advice=named_or_nearest(name, known),
            )
        ref = known[name]
    found = contract.model.type(ref)
    if isinstance(found, ComplexType) and found.content not in ("simple", "mixed"):
        raise HandlerError(
            f"The ordering key of {ours.name} leads to an element that has no text of its own.",
            advice="Go on to one of its elements or attributes.",
        )


def _says_nothing(contract: Contract, element: str | None) -> bool:
    """Whether an answer with this element has nothing to say."""
    if element is None:
        return True
    found = contract.model.type(contract.model.element(element).type)
    return isinstance(found, ComplexType) and not contract.codec.layout_of(found).fields


def _takes(function: Callable[..., Any], arguments: int) -> bool:
    """Whether it can be called with so many; of a builtin without a signature its first call will tell."""
    try:
        inspect.signature(function).bind(*range(arguments))
    except TypeError:
        return False
    except ValueError:
        return True
    return True


def _as_it_came(payload: etree._Element) -> Payload:
    return Payload(etree.tostring(payload, encoding="unicode", with_tail=False))
