"""Contracts that nobody here wrote, put to the test: what works stays working, and docs/corpus.md says what is so.

The corpus is found by SOAPBRIDGE_CORPUS, else at ../shared/wsdl-corpus beside the checkout.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from bridge.contract import Catalog
from bridge.contract.census import Finding, page, take

ROOT = Path(__file__).resolve().parents[2]
CORPUS = Path(os.environ.get("SOAPBRIDGE_CORPUS") or ROOT.parent / "shared" / "wsdl-corpus")

NO_OPERATION = {"sf-minified", "texas-geocoder", "zeep-recursive-schemas"}
ENCODED = {
    "axis2-interop-rpcenc",
    "jira-rpc",
    "ns-getattachments",
    "ns-message",
    "ns-multicall",
    "strong-rpcexample",
}
WRONG_AS_PUBLISHED = {
    "bullhorn": "no schema at all",
    "ns-getsubscription": "SubscribeResponse is declared nowhere",
    "ns-setresource": "SetResourceResponse is declared as SetResourceRespone",
    "postman-loop-refs": "an optional element twice in a row",
    "cxf-soapheader": "two elements in a Body",
}  # fmt: skip

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not CORPUS.is_dir(), reason=f"no corpus of contracts at {CORPUS}; SOAPBRIDGE_CORPUS names it"
    ),
]


@pytest.fixture(scope="module")
def findings() -> list[Finding]:
    return take(CORPUS, Catalog(CORPUS / "_standard"))


def test_every_operation_of_every_usable_contract_works(findings: list[Finding]) -> None:
    assert {one.name: one.reason for one in findings if one.verdict == "failed"} == {}
    assert {one.name for one in findings if one.verdict == "no operation"} == NO_OPERATION
    assert {one.name for one in findings if one.verdict == "not yet"} == ENCODED
    assert {one.name for one in findings if one.verdict == "as published"} == set(WRONG_AS_PUBLISHED)
    assert sum(one.complete for one in findings) == len(findings) - 14 >= 69


def test_operations_beside_an_unusable_one_work(findings: list[Finding]) -> None:
    for one in findings:
        assert one.green + len(one.unusable) == one.operations, one.name


def test_of_the_real_envelopes_those_marked_valid_come_out_equal(findings: list[Finding]) -> None:
    readme = (CORPUS / "README.md").read_text(encoding="utf-8")
    marked = re.findall(r"^\| ([\w.-]+)/samples/(\S+) \|.*\| valid \|$", readme, re.M)
    assert len(marked) > 30
    said = {one.name: one.samples for one in findings}
    unusable = {("ns-setresource", "request.xml")}
    wrong = {(name, file): said[name][file] for name, file in marked if said[name][file] != "equal"}
    assert wrong.keys() == unusable


def test_the_page_says_what_is_so(findings: list[Finding]) -> None:
    written = (ROOT / "docs" / "corpus.md").read_text(encoding="utf-8")
    assert written == page(findings), "soapbridge contract corpus FOLDER --markdown > docs/corpus.md"
