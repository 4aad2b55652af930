"""Contracts that nobody here wrote: each of them loads, and compiles with every literal operation it has.

The corpus is found by SOAPBRIDGE_CORPUS, else at ../shared/wsdl-corpus beside the checkout.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

import pytest
from lxml import etree

from bridge.contract import Contract, load

CORPUS = Path(
    os.environ.get("SOAPBRIDGE_CORPUS") or Path(__file__).resolve().parents[3] / "shared" / "wsdl-corpus"
)

_ROW = re.compile(r"\| (?P<slug>[\w.-]+) \|[^|]*\| (?P<start>\S+\.wsdl) \|")
_SAMPLE = re.compile(r"\| (?P<file>(?P<slug>[\w.-]+)/samples/\S+) \|.*\| (?P<check>valid|rpc-body)\b[^|]*\|$")

UNUSABLE = {
    "axis2-interop-rpcenc": (31, "encoded"),
    "jira-rpc": (108, "encoded"),
    "ns-getattachments": (1, "encoded"),
    "ns-message": (1, "encoded"),
    "ns-multicall": (1, "encoded"),
    "strong-rpcexample": (13, "encoded"),
    "phone-verify": (4, "no SOAP binding"),
    "texas-geocoder": (8, "no SOAP binding"),
    "bullhorn": (61, "not declared"),
    "ns-getsubscription": (1, "SubscribeResponse is not declared"),
    "ns-setresource": (1, "SetResourceResponse is not declared"),
    "cxf-soapheader": (1, "2 children"),
    "postman-loop-refs": (1, "not determinist"),
}
"""How many operations cannot be used, and why: what we do not do yet, and documents that are wrong as published."""

OFF_CONTRACT = {
    # Accessors of an rpc message in a namespace (WS-I BP R2735 wants none).
    "greetMeRpcLitReq-2.xml",
    "greetMeRpcLitResp-2.xml",
    "greetMeRpcLitRespChanged.xml",
    # A space inside a wrapper that has no parts.
    "sayHiRpcLiteralReq.xml",
}


def _lines() -> list[str]:
    readme = CORPUS / "README.md"
    return readme.read_text(encoding="utf-8").splitlines() if readme.is_file() else []


STARTS = {row["slug"]: row["start"] for line in _lines() if (row := _ROW.match(line))}
SAMPLES = [(row["file"], row["slug"], row["check"]) for line in _lines() if (row := _SAMPLE.match(line))]

pytestmark = pytest.mark.skipif(
    not STARTS,
    reason=f"the corpus of published WSDLs is not at {CORPUS}; set SOAPBRIDGE_CORPUS to its folder",
)


@cache
def _contract(slug: str) -> Contract:
    contract = load(CORPUS / slug / STARTS[slug], catalog=CORPUS / "_standard")
    contract.compile()
    return contract


@pytest.mark.parametrize("slug", STARTS)
def test_a_published_contract_loads_and_compiles_with_all_its_operations(slug: str) -> None:
    contract = _contract(slug)
    problems = [str(found.problem) for found in contract.operations.values() if found.problem is not None]
    count, words = UNUSABLE.get(slug, (0, ""))
    assert len(problems) == count, problems[:3]
    assert all(words in problem for problem in problems)
    assert all(error.file and error.line and error.advice for error in contract.problems)


@pytest.mark.parametrize("slug", STARTS)
def test_a_published_contract_is_given_out_as_it_is_apart_from_its_addresses(slug: str) -> None:
    contract = _contract(slug)
    for name, content in contract.documents.items():
        served = contract.served_document(name, "http://ours", lambda _service, _port: "http://ours")
        assert _without_links(served) == _without_links(content)
        etree.fromstring(served)


@pytest.mark.parametrize(("file", "slug", "check"), SAMPLES, ids=[file for file, _, _ in SAMPLES])
def test_a_real_envelope_that_is_valid_is_found_valid(file: str, slug: str, check: str) -> None:
    contract = _contract(slug)
    envelope = etree.parse(CORPUS / file).getroot()
    (body,) = (child for child in envelope if etree.QName(child).localname == "Body")
    message = body[0]
    known = {name for found in contract.operations.values() for name in (found.input, found.output)}
    if check == "rpc-body" and message.tag not in known:
        pytest.skip("rpc/encoded, or an answer under another name")
    assert contract.bundle.compile().validate(message) is (Path(file).name not in OFF_CONTRACT)


def _without_links(content: bytes) -> bytes:
    return re.sub(rb"""(location|schemaLocation)\s*=\s*("[^"]*"|'[^']*')""", b"", content)
