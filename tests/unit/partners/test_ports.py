"""Which port is called: what the settings leave, and a clear word where that is none or several."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.contract import Contract, load
from bridge.errors import SettingsError
from bridge.partners.soap.ports import AddressingOf, choose, soap_action

ROOT = Path(__file__).parents[3]
DESK = ROOT / "tests/integration/host/desk-1.wsdl"
DOCUMENTED = ROOT / "tests/contracts"


@pytest.fixture(scope="module")
def desk() -> Contract:
    return load(DESK)


def changed(tmp_path: Path, *changes: tuple[str, str]) -> Contract:
    text = DESK.read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "changed-1.wsdl").write_text(text, "utf-8")
    return load(tmp_path / "changed-1.wsdl")


def test_settings_narrow_down_to_one_port(desk: Contract) -> None:
    branch = choose(desk, service="BranchService")
    assert (branch.version, branch.address) == ("1.1", "http://elsewhere.example/branch")
    twelve = choose(desk, soap="1.2")
    assert (twelve.version, twelve.address) == ("1.2", "http://elsewhere.example/desk12")
    assert choose(desk, port="Desk12").named == "DeskService / Desk12"
    assert choose(desk, service="DeskService").version == "1.1", (
        "of two that differ in the version alone, 1.1"
    )


def test_several_that_would_do_are_listed(desk: Contract) -> None:
    with pytest.raises(SettingsError) as caught:
        choose(desk)
    told = str(caught.value)
    assert "service DeskService, port Desk11" in told
    assert "service BranchService, port Branch11" in told
    assert "`service` and `port`" in told


def test_an_address_makes_ports_of_one_binding_the_same(desk: Contract) -> None:
    assert choose(desk, endpoint="http://here.example/x").address == "http://here.example/x"


@pytest.mark.parametrize(
    "wanted",
    [
        {"service": "Deskservice"},
        {"port": "Desk13"},
        {"port": "Branch11", "soap": "1.2"},
        {"operation": "Missing"},
    ],
)
def test_none_that_would_do_lists_what_there_is(desk: Contract, wanted: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="It has: service DeskService, port Desk11") as caught:
        choose(desk, **wanted)  # type: ignore[arg-type]
    assert next(iter(wanted.values())) in str(caught.value)


@pytest.mark.parametrize(
    "address",
    ["", "ftp://x/", "x", "http://", "http://user:pass@x/", "http://x:port/", "http://x/ y", "http://x/\r\nX: y", "http://bücher.example/"],
)  # fmt: skip
def test_an_address_that_cannot_be_called_is_refused(tmp_path: Path, address: str) -> None:
    contract = changed(tmp_path, ('location="http://elsewhere.example/branch"', 'location=""'))
    with pytest.raises(SettingsError, match="cannot be called"):
        choose(contract, service="BranchService", endpoint=address)


def test_a_wsdl_without_ports_wants_an_address(tmp_path: Path) -> None:
    text = DESK.read_text("utf-8")
    start, end = text.index('<wsdl:service name="DeskService">'), text.index("</wsdl:definitions>")
    (tmp_path / "unbound-1.wsdl").write_text(text[:start] + text[end:], "utf-8")
    contract = load(tmp_path / "unbound-1.wsdl")
    with pytest.raises(SettingsError, match="names no address"):
        choose(contract)
    target = choose(contract, endpoint="http://here.example/")
    assert (target.version, set(target.operations)) == ("1.1", {"Echo", "Notify", "Ping"})
    assert choose(contract, endpoint="http://here.example/", soap="1.2").version == "1.2"
    with pytest.raises(SettingsError, match="no SOAP port"):
        choose(contract, endpoint="http://here.example/", port="Desk11")


def test_the_action_is_that_of_the_chosen_binding(tmp_path: Path) -> None:
    contract = changed(
        tmp_path,
        ('<soap12:operation soapAction="urn:test:desk:1/Echo"', '<soap12:operation soapAction="urn:other"'),
    )
    echo = contract.operation("Echo")
    assert soap_action(contract, echo, choose(contract, port="Desk11")) == "urn:test:desk:1/Echo"
    assert soap_action(contract, echo, choose(contract, port="Desk12")) == "urn:other"
    assert soap_action(contract, contract.operation("Ping"), choose(contract, port="Desk12")) == ""


_WSAW = 'xmlns:wsaw="http://www.w3.org/2006/05/addressing/wsdl"'


def test_addressing_is_used_where_the_wsdl_asks_for_it(tmp_path: Path, desk: Contract) -> None:
    assert not AddressingOf(desk).used
    only_actions = changed(tmp_path, ('<wsdl:input message="d:EchoIn"/>', f'<wsdl:input message="d:EchoIn" {_WSAW} wsaw:Action="urn:act"/>'))  # fmt: skip
    assert not AddressingOf(only_actions).used, "many tools write actions and want no headers"
    asked = changed(tmp_path, ('<wsdl:service name="DeskService">', f'<wsaw:UsingAddressing {_WSAW}/><wsdl:service name="DeskService">'))  # fmt: skip
    assert AddressingOf(asked).used


def test_an_action_for_addressing_is_the_one_named_then_soaps_then_the_pattern(
    tmp_path: Path, desk: Contract
) -> None:
    named = changed(tmp_path, ('<wsdl:input message="d:EchoIn"/>', f'<wsdl:input message="d:EchoIn" {_WSAW} wsaw:Action="urn:act"/>'))  # fmt: skip
    assert AddressingOf(named).action(named.operation("Echo"), "urn:soap") == "urn:act"
    assert AddressingOf(desk).action(desk.operation("Echo"), "urn:soap") == "urn:soap"
    assert AddressingOf(desk).action(desk.operation("Ping"), "") == "urn:test:desk:1:Desk:PingRequest"
