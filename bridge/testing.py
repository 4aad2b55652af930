"""For the tests of those who write handlers: a message is answered as over HTTP, without a socket.

from bridge.testing import ask
from service import bridge

def test_an_order_is_accepted():
    answer = ask(bridge, "samples/SubmitOrder.xml")
    assert answer.fault is None, answer.fault
    assert answer.value.Accepted
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.app import Bridge
from bridge.errors import BridgeError, HandlerError
from bridge.exchange import Exchange
from bridge.inbound import Inbound
from bridge.soap.envelope import NAMESPACES
from bridge.soap.media import CONTENT_TYPES
from bridge.soap.xml import parse

__all__ = ["Answer", "ask"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client gets. `value` is the reply decoded, None where there is none; `fault` says why there is a fault instead.

    `status` is HTTP's; `fault_name` that of a declared fault; `reply` the bytes that leave.
    """

    status: int
    value: Any
    fault: str | None
    fault_name: str | None
    reply: bytes


def ask(bridge: Bridge, message: bytes | str | os.PathLike[str], *, action: str | None = None) -> Answer:
    """Have a bridge answer an envelope: bytes, or the file that holds it. What it writes is committed and journaled.

    Args:
        action: the SOAPAction, for operations that only it tells apart.

    Raises:
        HandlerError: no service of the bridge has an operation with this Body.
        Exception: whatever the handler raised that is no answer, as it was raised.
    """
    body = message if isinstance(message, bytes) else Path(message).read_bytes()
    exchange = Exchange(body=body, content_type=_content_type(body), soap_action=action)
    inbound = _inbound(bridge, body)
    try:
        for stage in (inbound.open, inbound.admit, inbound.validate, inbound.decode, inbound.answer):
            stage(exchange)
    except BridgeError as error:
        inbound.fail(exchange, error)
    inbound.close(exchange)
    if exchange.error is not None or exchange.status >= 400:
        name = getattr(exchange.error, "name", None)
        said = str(exchange.error) if exchange.error is not None else exchange.fault_reason
        return Answer(exchange.status, None, said or "fault", name, exchange.reply)
    return Answer(exchange.status, _value(inbound, exchange), None, None, exchange.reply)


def _value(inbound: Inbound, exchange: Exchange) -> Any:
    plan = exchange.plan
    if plan is None or plan.operation.output is None or not exchange.payload:
        return None
    root, _ = parse(exchange.payload.encode())
    return inbound.codec.decode(plan.operation.output, root)


def _content_type(body: bytes) -> str:
    return CONTENT_TYPES["1.2" if NAMESPACES["1.2"].encode() in body else "1.1"]


def _inbound(bridge: Bridge, body: bytes) -> Inbound:
    """The stages of the service whose contract has an operation with this Body; of the only service, whatever the Body."""
    services = list(bridge.services.values())
    if len(services) > 1:
        root, _ = parse(body)
        payloads = [str(child.tag) for child in root.iterfind("{*}Body/*")]
        known = [
            service
            for service in services
            if any(found.input in payloads for found in service.contract.operations.values())
        ]
        services = known or services[:0]
    if not services:
        raise HandlerError(
            "The bridge has no service for this message.", advice="Serve its contract: bridge.serve(WSDL)."
        )
    return bridge.inbound(services[0])
