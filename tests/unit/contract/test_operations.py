from __future__ import annotations

from pathlib import Path

import pytest

from bridge.contract import Contract, Header, load
from bridge.errors import ContractError, OperationUnavailable
from bridge.shipped import contracts

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"


def _load(name: str) -> Contract:
    return load(CONTRACTS / name)


def test_the_name_of_the_file_gives_name_and_major() -> None:
    assert [
        (found.name, found.major) for found in map(_load, ("several-services-3.wsdl", "one-way.wsdl"))
    ] == [
        ("several-services", 3),
        ("one-way", 1),
    ]


def test_a_name_in_two_port_types_is_qualified_and_both_soap_versions_are_one_operation() -> None:
    contract = _load("several-services-3.wsdl")
    assert list(contract.operations) == ["Orders.Get", "Parties.Get"]
    orders = contract.operations["Orders.Get"]
    assert (orders.name, orders.soap_versions, orders.soap_actions) == (
        "Get",
        {"1.1", "1.2"},
        {"orders", "orders12"},
    )
    assert orders.faults == {"NotFound": "{urn:test:several-services-3}NotFound"}
    assert contract.operations["Parties.Get"].soap_versions == {"1.1"}


def test_ports_tell_service_address_version_and_operations() -> None:
    ports = {port.name: port for port in _load("several-services-3.wsdl").ports}
    assert [(port.service, port.soap_version, port.operations) for port in ports.values()] == [
        ("OrderService", "1.1", ("Orders.Get",)),
        ("OrderService", "1.2", ("Orders.Get",)),
        ("PartyService", "1.1", ("Parties.Get",)),
    ]
    assert ports["Orders12"].address == "http://example.org/Orders12"


def test_headers_come_from_any_message_and_the_body_from_the_part_it_names() -> None:
    book = _load("headers.wsdl").operations["Book"]
    namespace = "{urn:test:headers}"
    assert book.input == f"{namespace}Book"
    assert book.input_headers == (Header(f"{namespace}Session", True), Header(f"{namespace}Trace", False))
    assert book.output_headers == (Header(f"{namespace}Trace", False),)


def test_a_header_of_the_bodys_own_message_is_not_in_the_body(tmp_path: Path) -> None:
    text = (CONTRACTS / "headers.wsdl").read_text().replace(' parts="parameters"', "")
    (tmp_path / "headers.wsdl").write_text(text)
    assert load(tmp_path / "headers.wsdl").operations["Book"].input == "{urn:test:headers}Book"


def test_one_way_has_no_reply_and_an_empty_message_no_body() -> None:
    contract = _load("one-way.wsdl")
    notify, status = contract.operations.values()
    assert (notify.one_way, notify.output, status.one_way, status.input) == (True, None, False, None)
    assert contract.dispatch(None) is status


def test_rpc_wrappers_are_named_after_the_operation_in_the_bodys_namespace() -> None:
    reserve, ping, release = _load("rpc-literal.wsdl").operations.values()
    wire = "{urn:test:rpc-literal:wire}"
    assert (reserve.style, reserve.input, reserve.output) == (
        "rpc",
        f"{wire}Reserve",
        f"{wire}ReserveResponse",
    )
    assert (ping.input, ping.output) == (f"{wire}Ping", f"{wire}PingResponse")
    assert (release.one_way, release.output) == (True, None)


def test_a_port_type_without_a_binding_is_still_read() -> None:
    hear = _load("unbound.wsdl").operations["Hear"]
    assert (hear.bound, hear.soap_versions, hear.input) == (False, frozenset(), "{urn:test:unbound}Hear")


def test_dispatch_goes_by_the_body_and_asks_the_action_only_to_break_a_tie() -> None:
    contract = _load("several-services-3.wsdl")
    found = contract.dispatch("{urn:test:several-services-3}GetOrder", "1.1", "parties")
    assert found is contract.operations["Orders.Get"]
    assert contract.dispatch("{urn:test:several-services-3}Order") is None
    assert contract.dispatch(None) is None

    tied = _load("same-input.wsdl")
    key = "{urn:test:same-input}Key"
    assert tied.dispatch(key, "1.1", "urn:test:same-input/Unlock") is tied.operations["Unlock"]
    assert tied.dispatch(key, "1.1", "something else") is None
    assert tied.dispatch(key) is None


def test_rpc_encoded_is_refused_alone() -> None:
    contract = _load("broken/rpc-encoded.wsdl")
    assert "not supported yet" in str(contract.operations["Old"].problem)
    assert contract.operation("New").problem is None
    with pytest.raises(OperationUnavailable, match="encoded"):
        contract.operation("Old")


def test_a_name_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(OperationUnavailable, match=r"There are: Notify, Status\."):
        _load("one-way.wsdl").operation("Notfiy")


def test_an_http_binding_takes_no_name_from_the_soap_binding() -> None:
    contract = _load("broken/http-binding.wsdl")
    assert contract.operations["Find"].problem is None
    assert "no SOAP binding" in str(contract.operations["HttpPort.Find"].problem)


@pytest.mark.parametrize(
    ("operation", "line", "words"),
    [
        ("TwoParts", 12, "2 children"),
        ("TypedPart", 17, "no element"),
        ("NoMessage", 35, "{urn:test:operations}Missing"),
        ("Notify", 81, "speak first"),
        ("NeededHeader", 47, "{urn:test:operations}Gone"),
    ],
)
def test_what_cannot_be_hosted_says_where_and_why(operation: str, line: int, words: str) -> None:
    problem = _load("broken/operations.wsdl").operations[operation].problem
    assert isinstance(problem, OperationUnavailable)
    assert (Path(problem.file).name, problem.line) == ("operations.wsdl", line)
    assert words in problem.message
    assert problem.advice


def test_a_lost_optional_header_or_fault_is_told_and_the_operation_stays() -> None:
    contract = _load("broken/operations.wsdl")
    lost = contract.operations["LostHeader"]
    assert (lost.problem, lost.input_headers, lost.faults) == (None, (), {})
    told = " ".join(error.message for error in contract.problems)
    assert "LostHeader goes without {urn:test:operations}Gone" in told
    assert "Nowhere" in told
    assert "Extra" in told


def test_a_portless_document_is_no_contract(tmp_path: Path) -> None:
    for name, text, words in (
        ("page.wsdl", "<html><body/></html>", "not a WSDL 1.1"),
        ("two.wsdl", '<description xmlns="http://www.w3.org/ns/wsdl"/>', "WSDL 2.0"),
        ("broken.wsdl", "<a>", "not well-formed"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(ContractError, match=words):
            load(tmp_path / name)
    with pytest.raises(ContractError, match="cannot be read"):
        load(tmp_path / "nothing.wsdl")


def test_an_undeclared_prefix_in_the_wsdl_is_told_with_its_line(tmp_path: Path) -> None:
    text = (CONTRACTS / "one-way.wsdl").read_text().replace('element="tns:Notify"', 'element="nope:Notify"')
    (tmp_path / "one-way.wsdl").write_text(text)
    contract = load(tmp_path / "one-way.wsdl")
    first = contract.problems[0]
    line = text.splitlines().index('    <wsdl:part name="parameters" element="nope:Notify"/>') + 1
    assert (first.line, "'nope'" in first.message) == (line, True)
    assert contract.operations["Notify"].problem is not None
    assert contract.operations["Status"].problem is None


def test_documentation_keeps_its_language(tmp_path: Path) -> None:
    text = (CONTRACTS / "one-way.wsdl").read_text()
    words = '<wsdl:documentation xml:lang="zh">\u901a\n  \u77e5</wsdl:documentation>'
    text = text.replace('<wsdl:operation name="Notify">', f'<wsdl:operation name="Notify">{words}', 1)
    (tmp_path / "one-way.wsdl").write_text(text, encoding="utf-8")
    (found,) = load(tmp_path / "one-way.wsdl").operations["Notify"].documentation
    assert (found.language, found.text) == ("zh", "\u901a \u77e5")


def test_words_in_two_languages_inside_one_documentation_element_are_told_apart() -> None:
    words = load(contracts()["purchasing"]).operations["GetPurchaseOrder"].documentation
    assert [note.language for note in words] == ["en", "zh"]
    assert "订单" in words[1].text
    assert "订单" not in words[0].text
