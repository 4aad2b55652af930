"""Values that an answer is to carry, held against the contract before anything is served."""

from __future__ import annotations

from typing import Any

from lxml import etree

from bridge.contract import Contract, Operation
from bridge.contract.codec.plain import Plain
from bridge.errors import HandlerError, InvalidReply
from bridge.handlers import named_or_nearest
from bridge.mock.answers import SAMPLE
from bridge.soap.envelope import NAMESPACES

__all__ = ["Values", "named_or_nearest"]

_ENVELOPES = {f"{{{namespace}}}Envelope": f"{{{namespace}}}Body" for namespace in NAMESPACES.values()}


class Values:
    """Checks replies and fault details for the operations of one contract.

    Every method raises EncodeError, InvalidReply or HandlerError for what the contract does not admit.
    """

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self._plain = Plain(contract.model)

    def reply(self, operation: Operation, data: Any) -> Any:
        """The reply that `data` (tables and lists, or an instance) says."""
        return self._fitting(self._output(operation), data, "reply")

    def request(self, operation: Operation, data: Any) -> Any:
        """Values to compare a request with: texts read as their types, the rest as it is; nothing need be complete."""
        return data if operation.input is None else self._plain.value(operation.input, data)

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
        value = self._plain.value(element, data)
        text = self.contract.codec.encode(element, value)
        source = text.encode()
        self.contract.guard.check(
            element, etree.fromstring(source), source=source, error=InvalidReply, what=what
        )
        return value
