"""A Spyne application for one contract. Spyne sees one function, whatever the contract has.

Spyne's own dispatch goes by names that it makes from ours; two operations `X` of different namespaces would collapse
into one without a word, and a second application of the same namespace and name replaces the first. So `Protocol`
finds the operation in our own table, and names here are numbered for the whole process. All operations go through one
descriptor: Spyne makes four classes for each, and for 300 that alone took a fifth of the time to the first answer.
Which operation it is stands in `ctx.method_request_string`.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from spyne import Application, Service, rpc
from spyne.model.primitive import AnyXml

from bridge.host.protocol import Protocol, answer
from bridge.inbound import Inbound

_numbers = count(1)


class OneFunction(Application):
    """An application whose only function takes the context and the payload, so that nobody has to ask how to call it."""

    def call_wrapper(self, ctx: Any) -> Any:
        return ctx.function(ctx, ctx.in_object[0])


def application(inbound: Inbound) -> Any:
    """The Spyne application that answers the contract of `inbound`."""
    number = next(_numbers)
    incoming, outgoing = Protocol(inbound), Protocol(inbound)
    service = type(f"Service{number}", (Service,), {f"op{number}": _operation(f"op{number}")})
    made = OneFunction(
        [service],
        tns=f"urn:soapbridge:spyne:{number}",
        name=f"{inbound.service.name}{number}",
        in_protocol=incoming,
        out_protocol=outgoing,
    )
    incoming.handles = list(made.interface.method_id_map.values())
    return made


def _operation(name: str) -> Any:
    # Bare: Spyne hands over the payload as it is.
    def operation(ctx: Any, value: Any) -> Any:
        return answer(ctx, value)

    operation.__name__ = operation.__qualname__ = name
    return rpc(AnyXml, _returns=AnyXml, _body_style="bare", _in_message_name=name)(operation)
