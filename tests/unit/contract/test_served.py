from __future__ import annotations

import difflib
import shutil
from pathlib import Path

import pytest

from bridge.contract import load

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"
BASE = "https://bridge.example/services/x"


def _address(service: str, port: str) -> str:
    return f"https://bridge.example/{service}/{port}?a=1&b=2"


def _changes(before: str, after: str) -> list[tuple[str, str]]:
    matcher = difflib.SequenceMatcher(None, before.splitlines(), after.splitlines(), autojunk=False)
    return [
        (" ".join(before.splitlines()[a:b]).strip(), " ".join(after.splitlines()[c:d]).strip())
        for tag, a, b, c, d in matcher.get_opcodes()
        if tag != "equal"
    ]


def test_only_addresses_and_locations_change() -> None:
    contract = load(CONTRACTS / "nested.wsdl")
    assert list(contract.documents) == ["nested.wsdl", "nested-interface.wsdl", "nested-types.xsd"]
    before = contract.documents["nested.wsdl"].decode()
    assert _changes(before, contract.served_wsdl(_address, BASE).decode()) == [
        (
            '<wsdl:import namespace="urn:test:nested-interface" location="schemas/nested-interface.wsdl"/>',
            f'<wsdl:import namespace="urn:test:nested-interface" location="{BASE}?wsdl=nested-interface.wsdl"/>',
        ),
        (
            '<soap:address location="http://example.org/Soap"/>',
            '<soap:address location="https://bridge.example/Service/Soap?a=1&amp;b=2"/>',
        ),
    ]
    inner = contract.served_document("nested-interface.wsdl", BASE).decode()
    assert f'schemaLocation="{BASE}?xsd=nested-types.xsd"' in inner


def test_a_port_without_a_new_address_keeps_its_own() -> None:
    contract = load(CONTRACTS / "several-services-3.wsdl")
    served = contract.served_wsdl({("PartyService", "Parties11"): "https://new"}, BASE).decode()
    assert len(_changes(contract.documents["several-services-3.wsdl"].decode(), served)) == 1
    assert '<soap:address location="https://new"/>' in served


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "", "schemas/order.xsd", "ORDER.XSD"])
def test_a_name_that_is_not_in_the_map_does_not_exist(name: str) -> None:
    contract = load(CONTRACTS / "import.wsdl")
    with pytest.raises(KeyError):
        contract.served_document(name, BASE)


@pytest.mark.parametrize("encoding", ["UTF-16", "GB18030", "ISO-8859-1"])
def test_the_encoding_stays_that_of_the_document(tmp_path: Path, encoding: str) -> None:
    remark = "caf\u00e9" if encoding == "ISO-8859-1" else "\u8ba2\u5355"
    text = (CONTRACTS / "one-way.wsdl").read_text(encoding="utf-8").replace("UTF-8", encoding)
    text = text.replace("  <wsdl:types>", f"  <!-- {remark} -->\n  <wsdl:types>")
    (tmp_path / "one-way.wsdl").write_bytes(text.encode(encoding))
    contract = load(tmp_path / "one-way.wsdl")
    served = contract.served_wsdl(_address, BASE).decode(encoding)
    assert len(_changes(text, served)) == 1
    assert remark in served


def test_line_ends_quotes_and_spacing_stay(tmp_path: Path) -> None:
    text = (CONTRACTS / "one-way.wsdl").read_text(encoding="utf-8")
    odd = text.replace(
        '<soap:address location="http://example.org/Soap"/>', "<soap:address\r\n  location = 'old>'\t/>"
    )
    (tmp_path / "one-way.wsdl").write_bytes(odd.encode())
    served = load(tmp_path / "one-way.wsdl").served_wsdl(lambda *_: "new", BASE)
    assert served == odd.replace("'old>'", '"new"').encode()


def test_two_documents_with_one_file_name_get_two_names(tmp_path: Path) -> None:
    shutil.copytree(CONTRACTS, tmp_path / "c")
    folder = tmp_path / "c"
    (folder / "schemas" / "deep").mkdir()
    shutil.copy(folder / "schemas" / "party.xsd", folder / "schemas" / "deep" / "order.xsd")
    order = folder / "schemas" / "order.xsd"
    order.write_text(order.read_text().replace('"party.xsd"', '"deep/order.xsd"'))
    contract = load(folder / "import.wsdl")
    assert list(contract.documents) == ["import.wsdl", "order.xsd", "order-2.xsd"]
    assert f'"{BASE}?xsd=order-2.xsd"' in contract.served_document("order.xsd", BASE).decode()
