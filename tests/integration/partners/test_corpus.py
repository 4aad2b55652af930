"""Contracts that nobody here wrote can be called: whatever our engine loads, though zeep itself fails on many of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from bridge.contract import Catalog, Contract, Operation, load
from bridge.contract.census import starts
from bridge.contract.example import example
from bridge.partners.soap import SoapPartner
from bridge.soap.envelope import seal

from .conftest import RawServer, http

CORPUS = Path(
    os.environ.get("SOAPBRIDGE_CORPUS") or Path(__file__).resolve().parents[4] / "shared" / "wsdl-corpus"
)
MOST = 2
"""Operations called of each contract: the engine's own tests have tried every one."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not CORPUS.is_dir(), reason=f"no corpus of contracts at {CORPUS}; SOAPBRIDGE_CORPUS names it"
    ),
]


class Mirror:
    """Behaves as the contract says: `answer` is what it says next."""

    def __init__(self) -> None:
        self.answer = b""

    def __call__(self, connection: object, listening: RawServer) -> None:
        while listening.read(connection):  # type: ignore[arg-type]
            connection.sendall(self.answer)  # type: ignore[attr-defined]


def offers(contract: Contract) -> list[tuple[Operation, dict[str, str]]]:
    """Operations that can be called, the first of each port, with the settings that choose the port."""
    found: list[tuple[Operation, dict[str, str]]] = []
    for port in contract.ports:
        usable = [
            contract.operations[key] for key in port.operations if contract.operations[key].problem is None
        ]
        if port.soap_version is not None and usable:
            found += [(one, {"service": port.service, "port": port.name}) for one in usable[:MOST]]
    if not any(port.soap_version for port in contract.ports):
        found += [(one, {}) for one in contract.operations.values() if one.problem is None]
    return found[:MOST]


def called(contract: Contract, operation: Operation, partner: SoapPartner, mirror: Mirror) -> None:
    """A request of the engine's making, answered with a reply of the engine's making: both must come through."""
    codec = contract.codec

    def value(element: str | None) -> object:
        return (
            None
            if element is None
            else codec.decode(element, etree.fromstring(example(contract.model, element).encode()))
        )

    headers = {one.name: value(one.name) for one in operation.input_headers if one.required}
    reply = "" if operation.output is None else example(contract.model, operation.output)
    blocks = "".join(example(contract.model, one.name) for one in operation.output_headers if one.required)
    mirror.answer = (
        http("202 Accepted") if operation.one_way else http(body=seal(partner.target.version, reply, blocks))
    )
    answered = partner.call(operation.key, value(operation.input), headers=headers)
    if operation.output is not None and answered is not None:
        assert alike(codec.encode(operation.output, answered)) == alike(
            codec.encode(operation.output, value(operation.output))
        )


def alike(text: str) -> list[tuple[object, ...]]:
    """The same for the same document, whatever prefixes are in scope."""
    return [
        (element.tag, sorted(element.items()), element.text, element.tail)
        for element in etree.fromstring(text.encode()).iter()
    ]


def test_every_contract_that_loads_can_be_called(server: Callable[..., RawServer]) -> None:
    catalog = Catalog(CORPUS / "_standard")
    mirror = Mirror()
    listening = server(mirror)
    failed: dict[str, str] = {}
    contracts = 0
    for wsdl in starts(CORPUS):
        contract = load(wsdl, catalog=catalog)
        contract.compile()  # what libxml2 refuses takes an operation out
        contracts += bool(offers(contract))
        for operation, choice in offers(contract):
            partner = SoapPartner(contract, endpoint=listening.url, **choice)
            try:
                called(contract, operation, partner, mirror)
            except Exception as error:
                failed[f"{wsdl.parent.name} {operation.key}"] = repr(error)[:300]
            partner.close()
    assert failed == {}
    assert contracts >= 70
    assert len(listening.requests) >= contracts
