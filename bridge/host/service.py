"""A Spyne application for one contract, each of its operations under a synthetic name.

Spyne's own dispatch goes by names that it makes from ours; two operations `X` of different namespaces would collapse
into one without a word, and a second application of the same namespace and name replaces the first. So names here
are numbered for the whole process, and `Protocol` looks operations up in its own table.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from spyne import Application, Service, rpc
from spyne.model.primitive import AnyXml

from bridge.host.protocol import Protocol, answer
from bridge.inbound import Inbound

_numbers = count(1)


def application(inbound: Inbound) -> Any:
    """The Spyne application that answers the contract of `inbound`."""
    number = next(_numbers)
    incoming, outgoing = Protocol(inbound), Protocol(inbound)
    names = {f"op{number}_{index}": key for index, key in enumerate(inbound.plans)}
    service = type(f"Service{number}", (Service,), {name: _operation(name) for name in names})
    made = Application(
        [service],
        tns=f"urn:soapbridge:spyne:{number}",
        name=f"{inbound.service.name}{number}",
        in_protocol=incoming,
        out_protocol=outgoing,
    )
    for descriptor in made.interface.method_id_map.values():
        incoming.descriptors[names[descriptor.function.__name__]] = descriptor
    return made


def _operation(name: str) -> Any:
    # Bare: Spyne hands over the payload as it is, and wants one message name for each operation of an application.
    def operation(ctx: Any, value: Any) -> Any:
        return answer(ctx, value)

    operation.__name__ = operation.__qualname__ = name
    return rpc(AnyXml, _returns=AnyXml, _body_style="bare", _in_message_name=name)(operation)
