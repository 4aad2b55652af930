"""Loading what the unit tests cannot: a contract of 300 operations within its time, and one over the net."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bridge.contract import load
from bridge.errors import ContractError

CONTRACTS = Path(__file__).resolve().parents[1] / "contracts"

_OPERATIONS = 300
_FIELD = """\
<xs:element name="field{1}" type="c:Shared{0}" minOccurs="0" maxOccurs="unbounded">
 <xs:annotation><xs:documentation>Field {1} of operation {0}: what it means and when it is given.</xs:documentation></xs:annotation>
</xs:element>
"""
_MESSAGE = """\
<xs:element name="{0}{2}"><xs:complexType><xs:complexContent><xs:extension base="c:Shared{1}"><xs:sequence>
{3}<xs:choice><xs:element name="a" type="xs:int"/><xs:element name="b" type="xs:decimal"/></xs:choice>
</xs:sequence></xs:extension></xs:complexContent></xs:complexType></xs:element>
"""
_SHARED = """\
<xs:complexType name="Shared{0}"><xs:sequence>
<xs:element name="first{0}" type="xs:string"/><xs:element name="second{0}" type="xs:date" minOccurs="0"/>
</xs:sequence></xs:complexType>
"""


def _large_contract() -> str:
    every = range(_OPERATIONS)
    messages = [(f"Operation{number}", number, kind) for number in every for kind in ("", "Response")]
    elements = "".join(
        _MESSAGE.format(name, number, kind, "".join(_FIELD.format(number, field) for field in range(9)))
        for name, number, kind in messages
    )
    return f"""\
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
  xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:large" xmlns:c="urn:shared" targetNamespace="urn:large">
<wsdl:types>
<xs:schema targetNamespace="urn:shared">{"".join(_SHARED.format(number) for number in every)}</xs:schema>
<xs:schema targetNamespace="urn:large"><xs:import namespace="urn:shared"/>{elements}</xs:schema>
</wsdl:types>
{
        "".join(
            f'<wsdl:message name="{n}{k}"><wsdl:part name="p" element="t:{n}{k}"/></wsdl:message>'
            for n, _, k in messages
        )
    }
<wsdl:portType name="Port">{
        "".join(
            f'<wsdl:operation name="Operation{n}"><wsdl:input message="t:Operation{n}"/>'
            f'<wsdl:output message="t:Operation{n}Response"/></wsdl:operation>'
            for n in every
        )
    }</wsdl:portType>
<wsdl:binding name="Soap" type="t:Port"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>{
        "".join(
            f'<wsdl:operation name="Operation{n}"><soap:operation soapAction="urn:large/{n}"/><wsdl:input>'
            '<soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation>'
            for n in every
        )
    }</wsdl:binding>
</wsdl:definitions>"""


def test_a_contract_of_300_operations_opens_well_under_half_a_second(tmp_path: Path) -> None:
    text = _large_contract()
    assert len(text) > 1_400_000
    (tmp_path / "large-2.wsdl").write_text(text)
    started = time.process_time()
    contract = load(tmp_path / "large-2.wsdl")
    spent = time.process_time() - started
    assert (len(contract.operations), contract.problems) == (_OPERATIONS, ())
    # About 0.1 s of CPU; a scan per operation would take seconds.
    assert spent < 0.5
    contract.compile()
    assert contract.problems == ()


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Nothing on the terminal."""


@pytest.fixture
def contracts_over_http() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Silent, directory=str(CONTRACTS)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_contract_and_what_it_imports_may_come_over_the_net(contracts_over_http: str) -> None:
    contract = load(f"{contracts_over_http}/import.wsdl", remote=True)
    contract.compile()
    assert contract.problems == ()
    assert (contract.name, list(contract.documents)) == ("import", ["import.wsdl", "order.xsd", "party.xsd"])
    assert contract.operations["PlaceOrder"].problem is None


def test_what_the_net_does_not_have_is_told(contracts_over_http: str) -> None:
    with pytest.raises(ContractError, match="404"):
        load(f"{contracts_over_http}/nothing.wsdl", remote=True)
    with pytest.raises(ContractError, match="remote=True"):
        load(f"{contracts_over_http}/import.wsdl")
    contract = load(f"{contracts_over_http}/broken/missing-file.wsdl", remote=True)
    assert "404" in contract.problems[0].message
    assert contract.operations["Known"].problem is None
