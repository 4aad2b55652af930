"""The messages that a sheet shows. Each is checked by the contract's guard; the same contract gives the same messages."""

from __future__ import annotations

import shlex

from lxml import etree

from bridge.contract import Contract, Operation
from bridge.contract.example import example
from bridge.errors import InvalidMessage, InvalidRequest
from bridge.soap.envelope import seal
from bridge.soap.fault import declared_fault, fault_bytes, from_error
from bridge.soap.media import CONTENT_TYPES, Version

EXCHANGE = "01a213e94a40-95b646e6b1-2"
"""Stands where a real answer has the id of its exchange."""

LONGEST_REPLY = 120
"""Lines of a reply above which only what is required is shown: a sheet is to be read."""


def version_of(operation: Operation) -> Version:
    """The version that samples of an operation are in: 1.1 where it has it."""
    return "1.2" if operation.soap_versions == {"1.2"} else "1.1"


def request(contract: Contract, operation: Operation) -> str:
    """An envelope with all that is required, and nothing else. Raises ContractError where none can be made up."""
    payload = "" if operation.input is None else _checked(contract, operation.input, optional=False)
    required = [header.name for header in operation.input_headers if header.required]
    blocks = "".join(example(contract.model, name, optional=False) for name in required)
    return _indented(seal(version_of(operation), payload, blocks))


def reply(contract: Contract, operation: Operation) -> str:
    """The payload of a reply, with every optional part unless that is long; "" where the Body is empty."""
    if operation.output is None:
        return ""
    whole = _indented(_checked(contract, operation.output).encode())
    if whole.count("\n") <= LONGEST_REPLY:
        return whole
    return _indented(_checked(contract, operation.output, optional=False).encode())


def fault(contract: Contract, operation: Operation, name: str, reason: str, language: str) -> str:
    """The envelope of a declared fault."""
    detail = _checked(contract, operation.faults[name])
    answer = declared_fault(reason, detail, EXCHANGE, language=language)
    return _indented(fault_bytes(version_of(operation), answer, language=language))


def refusal(contract: Contract, operation: Operation, language: str) -> str:
    """The envelope that answers a request with one mistake in it; "" where a request cannot be mistaken."""
    if operation.input is None:
        return ""
    root = etree.fromstring(_checked(contract, operation.input, optional=False).encode())
    error = _mistaken(contract, operation.input, root)
    if error is None:
        return ""
    return _indented(fault_bytes(version_of(operation), from_error(error, EXCHANGE), language=language))


def full_payload(contract: Contract, operation: Operation) -> etree._Element | None:
    """The request's payload with every optional part; None where the Body is empty."""
    if operation.input is None:
        return None
    return etree.fromstring(example(contract.model, operation.input).encode())


def command(
    operation: Operation, address: str, *, with_certificate: bool = False, with_key: bool = False
) -> str:
    """A line for a shell that sends request.xml."""
    version = version_of(operation)
    action = min(operation.soap_actions, default="")
    headers = [f"Content-Type: {CONTENT_TYPES[version]}"]
    if version == "1.1":
        headers.append(f'SOAPAction: "{action}"')
    elif action:
        headers[0] += f'; action="{action}"'
    if with_key:
        headers.append("X-API-Key: …")
    given = [word for header in headers for word in ("-H", header)]
    certificate = ["--cert", "client.pem", "--key", "client.key"] if with_certificate else []
    return shlex.join(["curl", "-i", *certificate, *given, "--data-binary", "@request.xml", address])


def _mistaken(contract: Contract, element: str, root: etree._Element) -> InvalidMessage | None:
    """What the guard says of the first value that can be wrong; where any value will do, of an element too many. None
    where the schema admits everything."""
    for leaf in [found for found in root.iter() if len(found) == 0]:
        text, leaf.text = leaf.text, "?"
        error = _verdict(contract, element, root)
        if error is not None:
            return error
        leaf.text = text
    etree.SubElement(root, "unexpected")
    return _verdict(contract, element, root)


def _verdict(contract: Contract, element: str, root: etree._Element) -> InvalidMessage | None:
    source = etree.tostring(root, encoding="utf-8")
    try:
        contract.guard.check(
            element, etree.fromstring(source), source=source, error=InvalidRequest, what="request"
        )
    except InvalidMessage as error:
        return error
    return None


def _checked(contract: Contract, element: str, *, optional: bool = True) -> str:
    text = example(contract.model, element, optional=optional)
    source = text.encode()
    contract.guard.check(
        element, etree.fromstring(source), source=source, error=InvalidMessage, what="sample"
    )
    return text


def _indented(source: bytes) -> str:
    tree = etree.fromstring(source, etree.XMLParser(remove_blank_text=True))
    return etree.tostring(tree, pretty_print=True, encoding="unicode")
