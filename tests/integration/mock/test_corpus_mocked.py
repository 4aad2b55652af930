"""Contracts that nobody here wrote, mocked: one operation of each portType, judged by lxml alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from bridge.contract import Catalog, Operation, load
from bridge.contract.example import example
from bridge.errors import BridgeError
from bridge.mock import Mock
from bridge.soap.envelope import seal
from bridge.soap.media import Version
from tests.integration.mock.conftest import post

ROOT = Path(__file__).resolve().parents[3]
CORPUS = Path(os.environ.get("SOAPBRIDGE_CORPUS") or ROOT.parent / "shared" / "wsdl-corpus")
LARGE = 600_000
"""Bytes of a WSDL that is left out here: to compile its schemas takes the time of ten others."""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not CORPUS.is_dir(), reason=f"no corpus of contracts at {CORPUS}; SOAPBRIDGE_CORPUS names it"
    ),
]


def files() -> Iterator[Path]:
    for folder in sorted(path for path in CORPUS.glob("*") if path.is_dir()):
        yield from [file for file in sorted(folder.glob("*.wsdl"))[:1] if file.stat().st_size < LARGE]


def operations(mock: Mock) -> list[Operation]:
    """Two of each portType, the first and the last: what goes wrong goes wrong for all of a binding."""
    by_type: dict[str, list[Operation]] = {}
    for one in mock.contract.operations.values():
        # Of several with the same input and no action to tell them apart, nobody knows which is meant.
        if one.problem is None and mock.contract.dispatch(one.input, *_addressed(one)) is one:
            by_type.setdefault(one.port_type, []).append(one)
    return [
        one
        for found in by_type.values()
        for one in {found[0].key: found[0], found[-1].key: found[-1]}.values()
    ]


def _addressed(operation: Operation) -> tuple[Version, str]:
    version: Version = "1.2" if operation.soap_versions == {"1.2"} else "1.1"
    return version, min(operation.soap_actions, default="")


def request(mock: Mock, operation: Operation) -> tuple[bytes, str, dict[str, str]]:
    model = mock.contract.model
    version, action = _addressed(operation)
    headers = "".join(example(model, one.name) for one in operation.input_headers if one.required)
    body = seal(version, "" if operation.input is None else example(model, operation.input), headers)
    if version == "1.2":
        return body, f'application/soap+xml; action="{action}"', {}
    return body, "text/xml", {"SOAPAction": f'"{action}"'}


def test_the_contracts_of_the_corpus_are_answered_by_what_they_declare() -> None:
    catalog = Catalog(CORPUS / "_standard")
    asked, mocked, wrong = 0, 0, []
    for file in files():
        contract = load(file, catalog=catalog)
        try:
            mock = Mock(contract, seed=0 if mocked % 2 else 5)
        except BridgeError:
            assert not [one for one in contract.operations.values() if one.problem is None], file
            continue
        schema = contract.compile()
        with mock:
            mocked += 1
            for operation in operations(mock):
                asked += 1
                body, content_type, headers = request(mock, operation)
                answer = post(mock.url, body, content_type=content_type, **headers)
                if answer.status != (202 if operation.one_way else 200):
                    wrong.append((file.parent.name, operation.key, answer.body[:500]))
                elif operation.output is not None:
                    payload = answer.payload
                    if payload.tag != operation.output or not schema.validate(payload):
                        wrong.append((file.parent.name, operation.key, etree.tostring(payload)[:500]))
    assert wrong == []
    assert mocked > 50
    assert asked > 90
