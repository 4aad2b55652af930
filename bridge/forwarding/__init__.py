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

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lxml import etree

from bridge.contract import Operation
from bridge.contract.codec.values import Payload
from bridge.delivery.sender import LONGEST_NAME
from bridge.errors import HandlerError, InDoubt, NotSent, Refused
from bridge.forwarding.checks import (
    Fault,
    FaultRule,
    Function,
    check_headers,
    fault_rules,
    find,
    offered,
    ordering_key_of,
    says_nothing,
    takes,
)
from bridge.handlers import Call, DeclaredFault, Handler, Service, named_or_nearest
from bridge.idempotency import KeyPath
from bridge.mapping.shapes import shape_of
from bridge.settings import Service as ServiceSettings
from bridge.settings import Settings
from bridge.soap.refusals import refuse

if TYPE_CHECKING:
    from bridge.partners.soap import SoapPartner

__all__ = ["Fault", "Forward", "forward", "handlers_of"]

MODES = ("synchronous", "durable")

ANSWERING = 1.0
"""Seconds that are kept of a request's time, for what comes after the partner's answer."""

_NOTHING_SET = ServiceSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """The handler of an operation that is handed on. Made by `forward`.

    `reply` makes our reply out of the partner's, `accepted` that of a durable one out of values and entry; None where none
    was given that can be called so.
    """

    service: Service
    ours: Operation
    partner: SoapPartner
    theirs: Operation
    mapping: Function | None
    reply: Function | None
    accepted: Callable[[Any, Any], Any] | None
    faults: Mapping[str, FaultRule]
    headers: Function | None
    ordering_key: KeyPath | Function | None
    deadline: float | None
    durable: bool

    def __call__(self, values: Any, call: Call) -> Any:
        return self._send(values, call) if self.durable else self._call(values, call)

    def impossible(self, *, durable: bool) -> str:
        """Why it cannot be handed on this way; "" where it can."""
        ours = self.ours
        makes = self.accepted if durable else self.reply
        if makes is not None or says_nothing(self.service.contract, ours.output):
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
            fault = self._fault(refused, call)
            if fault is None:
                raise
            raise fault from refused
        except InDoubt:
            if partner.settings.keeps_id:
                call.may_call_again()  # the partner knows the repeat by the id that goes with it
            raise
        if self.reply is not None:
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

    def _fault(self, refused: Refused, call: Call) -> DeclaredFault | None:
        """The partner's fault as one of ours; None where none was named for it, or its detail breaks the contract."""
        rule = self.faults.get(refused.name)
        if rule is None or refused.value is None:
            return None
        return call.fault(rule.name, rule.detail(refused.value))

    # -- durable

    def _send(self, values: Any, call: Call) -> Any:
        entry = self.partner.send(
            self.theirs.key,
            self._request(values, call),
            ordering_key=self._key(values, call),
            headers=self._headers(call),
        )
        if self.accepted is not None:
            return self.accepted(values, entry)
        return None if self.ours.output is None else {}

    def _key(self, values: Any, call: Call) -> str | None:
        if isinstance(self.ordering_key, KeyPath):
            key = None if call.payload is None else self.ordering_key.find(call.payload)
            if key is not None and len(key.encode()) > LONGEST_NAME:
                raise refuse("ordering_key_too_long", most=LONGEST_NAME)
            return key
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
        blocks = dict(given)
        for clark, value in call.headers.items():
            for name in (clark, clark.rpartition("}")[2]):
                if name in blocks and blocks[name] is value:
                    blocks[name] = Payload(self.service.contract.codec.encode(clark, value))
        return blocks


def forward(
    service: Service,
    name: str,
    *,
    to: SoapPartner,
    operation: str,
    mapping: Function | str | os.PathLike[str] | None = None,
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
    ours, theirs = find(service, name), offered(to, operation or name)
    if mapping is None and ours.input != theirs.input:
        raise HandlerError(
            f"{ours.name} of {service.name} takes {ours.input}, {theirs.name} of {to.name} takes {theirs.input}.",
            advice="Say how one becomes the other: mapping=lambda values: {…}.",
        )
    if mapping is not None and not callable(mapping):
        source = None if ours.input is None else shape_of(service.contract, ours)
        mapping = to.mapped(mapping, theirs, source)
    check_headers(service, ours, to, theirs, given=headers is not None)
    for function, arguments in ((mapping, 1), (headers, 1)):
        if function is not None and not takes(function, arguments):
            raise HandlerError(
                f"A function that {ours.name} of {service.name} is forwarded with cannot be called with one argument.",
                advice="mapping gets the values of the request, headers its declared headers.",
            )
    if reply is not None and not (takes(reply, 1) or takes(reply, 2)):
        raise HandlerError(
            f"The reply of {ours.name} of {service.name} can be called neither with the answer nor with values and entry.",
            advice="Write reply=lambda answer: {…}, durable reply=lambda values, entry: {…}.",
        )
    made = Forward(
        service=service,
        ours=ours,
        partner=to,
        theirs=theirs,
        mapping=mapping,
        reply=reply if reply is not None and takes(reply, 1) else None,
        accepted=reply if reply is not None and takes(reply, 2) else None,
        faults=fault_rules(service.contract, ours, to, theirs, faults or {}),
        headers=headers,
        ordering_key=ordering_key_of(service.contract, ours, ordering_key),
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
            if durable and not (has_store and one.partner.has_outbox):
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


def _as_it_came(payload: etree._Element) -> Payload:
    return Payload(etree.tostring(payload, encoding="unicode", with_tail=False))
