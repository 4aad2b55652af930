"""Values that an answer is to carry, held against the contract before anything is served."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from typing import Any

from lxml import etree

from bridge.contract import Contract, Operation
from bridge.errors import EncodeError, HandlerError, InvalidReply
from bridge.handlers import named_or_nearest
from bridge.mock.answers import SAMPLE
from bridge.soap.envelope import NAMESPACES

__all__ = ["Values", "named_or_nearest"]

_PLAIN = (str, int, float, bool, Decimal)
_ENVELOPES = {f"{{{namespace}}}Envelope": f"{{{namespace}}}Body" for namespace in NAMESPACES.values()}


class Values:
    """Checks replies and fault details for the operations of one contract.

    Every method raises EncodeError, InvalidReply or HandlerError for what the contract does not admit.
    """

    def __init__(self, contract: Contract) -> None:
        self.contract = contract

    def reply(self, operation: Operation, data: Any) -> Any:
        """The reply that `data` (tables and lists, or an instance) says."""
        return self._fitting(self._output(operation), data, "reply")

    def request(self, operation: Operation, data: Mapping[str, Any]) -> Any:
        """What some fields of a request are to be, as an instance; the other fields are absent."""
        if operation.input is None:
            raise HandlerError(f"{operation.name} has an empty request: it has no values.")
        return self.contract.codec.json.values(operation.input, plain(data))

    def fault(self, operation: Operation, name: str, data: Any) -> Any:
        """The detail of a declared fault; a sample stays one."""
        element = operation.faults.get(name)
        if element is None:
            raise HandlerError(
                f"{operation.name} declares no fault {name!r}.",
                advice=named_or_nearest(name, operation.faults),
            )
        return data if data is SAMPLE else self._fitting(element, data, f"fault {name}")

    def document(self, operation: Operation, source: bytes) -> Any:
        """The reply that an XML document says: the payload, or an envelope around it."""
        element = self._output(operation)
        try:
            root = etree.fromstring(source, etree.XMLParser(resolve_entities=False, no_network=True))
        except etree.XMLSyntaxError as error:
            raise HandlerError(f"It is no XML: {error}.") from None
        body = root.find(_ENVELOPES[str(root.tag)]) if root.tag in _ENVELOPES else None
        if body is not None:
            payload = next(body.iterchildren(etree.Element), None)
            if payload is None:
                raise HandlerError("The envelope's Body is empty.", advice=f"Put {element} into it.")
            # By way of text: prefixes that only values use come along.
            root = etree.fromstring(etree.tostring(payload, with_tail=False))
        self.contract.guard.check(element, root, source=source, error=InvalidReply, what="reply")
        return self.contract.codec.decode(element, root)

    def _output(self, operation: Operation) -> str:
        if operation.output is None:
            kind = "is one-way" if operation.one_way else "has an empty reply"
            raise HandlerError(
                f"{operation.name} {kind}: there is nothing to say.", advice="Leave the reply out."
            )
        return operation.output

    def _fitting(self, element: str, data: Any, what: str) -> Any:
        """Plain data is read as JSON is; what holds instances, NIL or bytes is taken as a handler's result is."""
        codec = self.contract.codec
        try:
            value = codec.json.values(element, plain(data)) if _is_plain(data) else data
            text = codec.encode(element, value)
        except EncodeError as error:
            raise EncodeError(
                f"{error.path}: {error.message}", path=error.path, advice=error.advice
            ) from None
        source = text.encode()
        self.contract.guard.check(
            element, etree.fromstring(source), source=source, error=InvalidReply, what=what
        )
        return value


def plain(data: Any) -> Any:
    """Tables and lists as the contract's JSON has them: dates and such as text, floats as decimals, None left out."""
    if isinstance(data, Mapping):
        return {name: plain(one) for name, one in data.items() if one is not None}
    if isinstance(data, list | tuple):
        return [plain(one) for one in data]
    if isinstance(data, date | time):
        return data.isoformat()
    if isinstance(data, float):
        return (
            Decimal(repr(data))
            if math.isfinite(data)
            else str(data).replace("inf", "INF").replace("nan", "NaN")
        )
    return data


def _is_plain(data: Any) -> bool:
    if isinstance(data, Mapping):
        return all(map(_is_plain, data.values()))
    if isinstance(data, list):
        return all(map(_is_plain, data))
    return data is None or type(data) in _PLAIN or isinstance(data, date | time)
