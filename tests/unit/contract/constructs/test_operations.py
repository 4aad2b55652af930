"""Everything an operation sends or gets: Body, wrapper of several parts, header, declared fault."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from lxml import etree

from bridge.contract import Catalog
from bridge.contract.census import examine, parts

from .conftest import CONTRACTS, Construct, loaded

EVERY = sorted(path.stem for path in CONTRACTS.glob("*.wsdl"))


def test_there_are_contracts_for_at_least_sixty_constructs() -> None:
    assert len(EVERY) >= 60


@pytest.mark.parametrize("name", EVERY)
def test_every_part_of_every_operation_survives(name: str) -> None:
    finding = examine(CONTRACTS / f"{name}.wsdl", Catalog())
    assert (finding.verdict, finding.reason) == ("complete", "")
    assert finding.green == finding.operations >= 1


def test_an_rpc_request_is_one_value_with_its_parts_as_fields() -> None:
    construct = Construct("rpc-literal")
    construct.element = "{urn:test:rpc-literal:wire}Reserve"
    document = '<w:Reserve xmlns:w="urn:test:rpc-literal:wire"><quantity>3</quantity><item><t:code xmlns:t="urn:test:rpc-literal">A</t:code></item></w:Reserve>'
    value = construct.contract.codec.decode(construct.element, construct.valid(etree.fromstring(document)))
    assert (value.quantity, value.item.code) == (3, "A")
    assert construct.encode({"quantity": 3, "item": {"code": "A"}})[0].text == "3"


@pytest.mark.parametrize(("element", "value", "names"), [
    ("NotFound", {"Reason": "r", "code": 4}, ["Reason"]),
    ("TooLate", {"Reason": "r", "code": 4, "Deadline": datetime(2024, 1, 1, tzinfo=UTC)}, ["Reason", "Deadline"]),
])  # fmt: skip
def test_a_declared_fault_is_written_and_read_like_any_payload(
    element: str, value: dict[str, object], names: list[str]
) -> None:
    construct = Construct("faults", element)
    written = construct.encode(value)
    assert [str(child.tag).rpartition("}")[2] for child in written] == names
    back = construct.contract.codec.decode(construct.element, written)
    assert {name: back[name] for name in names} == {name: value[name] for name in names}
    assert isinstance(back, construct.type("Problem"))


def test_an_operations_parts_are_all_it_sends_or_gets() -> None:
    cancel = loaded("faults").operations["Cancel"]
    assert [what for what, _ in parts(cancel)] == ["input", "output", "fault NotFound", "fault TooLate"]
    book = loaded("headers").operations["Book"]
    assert [what for what, _ in parts(book)] == [
        "input",
        "output",
        "header Session",
        "header Trace",
        "header Trace",
    ]


def test_a_simple_payload_is_the_value_itself_and_an_answer_too() -> None:
    construct = Construct("bare-simple", "Answer")
    assert construct.decode("<Answer>1</Answer>") is True
    assert construct.encode(False).text == "false"
