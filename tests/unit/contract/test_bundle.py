from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from lxml import etree

from bridge.contract import Contract, load
from bridge.contract.schema.bundle import Bundle

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"
LOADABLE = sorted(file.name for file in CONTRACTS.glob("*.wsdl"))


def _accepts(bundle: Bundle, xml: str) -> bool:
    return bundle.compile().validate(etree.fromstring(xml))


def _problems(contract: Contract) -> list[tuple[str, int | None, str]]:
    return [(Path(error.file).name, error.line, error.message) for error in contract.problems]


@pytest.mark.parametrize("name", LOADABLE)
def test_every_contract_here_loads_and_compiles_with_every_operation(name: str) -> None:
    contract = load(CONTRACTS / name)
    contract.compile()
    assert contract.problems == ()
    assert contract.operations


_PAY = """\
<Pay xmlns="urn:test:chameleon" xmlns:f="urn:test:chameleon:fees">
  <price><amount>1</amount><currency>EUR</currency></price>
  <fee><f:amount>1</f:amount><f:currency>{}</f:currency></fee>
</Pay>"""

_PLACE_ORDER = (
    '<PlaceOrder xmlns="urn:test:order"><buyer><name{}>A</name></buyer><total>1</total></PlaceOrder>'
)

_MOVE = '<Move xmlns="urn:test:circle-a"><name>d</name><head>{}</head></Move>'

_QUERY_RESPONSE = """\
<QueryResponse xmlns="urn:test:dataset">
  <schema xmlns="http://www.w3.org/2001/XMLSchema" id="x"><element/></schema>
</QueryResponse>"""

_RESERVE = """\
<w:Reserve xmlns:w="urn:test:rpc-literal:wire"><quantity>1</quantity>
  <item><t:code xmlns:t="urn:test:rpc-literal">c</t:code></item>
</w:Reserve>"""


@pytest.mark.parametrize(
    ("name", "valid", "invalid"),
    [
        ("import.wsdl", _PLACE_ORDER.format(' xmlns="urn:test:party"'), _PLACE_ORDER.format("")),
        (
            "include.wsdl",
            '<BillResponse xmlns="urn:test:invoice"><item>i</item><amount>1</amount></BillResponse>',
            '<BillResponse xmlns="urn:test:invoice"><item>i</item></BillResponse>',
        ),
        ("chameleon.wsdl", _PAY.format("EUR"), _PAY.format("eur")),
        (
            "several-schemas.wsdl",
            '<Ship xmlns="urn:test:several-schemas"><to><street>s</street></to><weight>1</weight></Ship>',
            '<Ship xmlns="urn:test:several-schemas"><to><street>s</street></to><weight>0</weight></Ship>',
        ),
        ("circular.wsdl", _MOVE.format('<name xmlns="urn:test:circle-b">p</name>'), _MOVE.format("")),
        (
            "without-location.wsdl",
            '<Remark xmlns="urn:test:without-location" xml:lang="de"><digest>AAAA</digest></Remark>',
            '<Remark xmlns="urn:test:without-location"><digest>AAAA</digest></Remark>',
        ),
        (
            "forgotten-import.wsdl",
            '<Count xmlns="urn:test:forgotten-import"><unit>PCE</unit></Count>',
            '<Count xmlns="urn:test:forgotten-import"><unit>XXX</unit></Count>',
        ),
        (
            "nested.wsdl",
            '<Ask xmlns="urn:test:nested:types">?</Ask>',
            '<Ask xmlns="urn:test:nested:types"><a/></Ask>',
        ),
        ("dataset.wsdl", _QUERY_RESPONSE, '<QueryResponse xmlns="urn:test:dataset"/>'),
        ("rpc-literal.wsdl", _RESERVE, _RESERVE.replace("quantity", "w:quantity")),
        (
            "rpc-literal.wsdl",
            '<w:ReserveResponse xmlns:w="urn:test:rpc-literal:wire"><left>1</left></w:ReserveResponse>',
            '<w:ReserveResponse xmlns:w="urn:test:rpc-literal:wire"/>',
        ),
        (
            "rpc-literal.wsdl",
            '<w:PingResponse xmlns:w="urn:test:rpc-literal:wire"/>',
            '<w:ReleaseResponse xmlns:w="urn:test:rpc-literal:wire"/>',
        ),
    ],
)
def test_the_compiled_schemas_judge_as_the_contract_says(name: str, valid: str, invalid: str) -> None:
    bundle = load(CONTRACTS / name).bundle
    assert _accepts(bundle, valid)
    assert not _accepts(bundle, invalid)


def test_an_import_that_leads_nowhere_costs_only_who_needs_it() -> None:
    contract = load(CONTRACTS / "broken" / "missing-file.wsdl")
    assert _problems(contract) == [
        ("missing-file.wsdl", 8, "'lost.xsd' does not exist."),
        ("missing-file.wsdl", 14, "The type {urn:test:lost}Lost is not declared."),
    ]
    assert contract.operations["Known"].problem is None
    assert contract.operations["Unknown"].problem is not None
    assert _accepts(contract.bundle, '<Known xmlns="urn:test:missing-file">x</Known>')


def test_what_a_missing_file_should_have_held_may_come_from_the_catalog(tmp_path: Path) -> None:
    lost = tmp_path / "anything.xsd"
    lost.write_text(
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:test:lost">'
        '<xs:simpleType name="Lost"><xs:restriction base="xs:int"/></xs:simpleType></xs:schema>'
    )
    contract = load(CONTRACTS / "broken" / "missing-file.wsdl", catalog=tmp_path)
    assert contract.problems == ()
    assert _accepts(contract.bundle, '<Unknown xmlns="urn:test:missing-file"><what>1</what></Unknown>')


def test_a_broken_name_is_told_with_its_line_and_costs_only_its_operation() -> None:
    contract = load(CONTRACTS / "broken" / "broken-name.wsdl")
    assert _problems(contract)[:2] == [
        ("broken-name.wsdl", 10, "The type {urn:test:broken-name}Worng is not declared."),
        ("broken-name.wsdl", 12, "The type nope:Type is not declared."),
    ]
    assert [key for key, found in contract.operations.items() if found.problem is None] == ["Right"]


def test_what_only_libxml2_finds_is_told_once_compiled() -> None:
    contract = load(CONTRACTS / "broken" / "ambiguous-content.wsdl")
    assert contract.problems == ()
    contract.compile()
    ((file, line, message),) = _problems(contract)
    assert (file, line) == ("ambiguous-content.wsdl", 10)
    assert "not determinist" in message
    assert contract.operations["Clear"].problem is None
    assert "supported yet" in str(contract.operations["Dim"].problem)
    assert _accepts(contract.bundle, '<Clear xmlns="urn:test:ambiguous-content">x</Clear>')


def test_the_place_of_a_mistake_is_found_in_a_contract_of_one_line(tmp_path: Path) -> None:
    text = (CONTRACTS / "broken" / "ambiguous-content.wsdl").read_text()
    (tmp_path / "one.wsdl").write_text(text.replace("\n", " "))
    contract = load(tmp_path / "one.wsdl")
    contract.compile()
    assert [found.problem is None for found in contract.operations.values()] == [True, False]


def test_an_attribute_that_means_nothing_is_ignored_and_told() -> None:
    contract = load(CONTRACTS / "broken" / "unknown-attribute.wsdl")
    contract.compile()
    ((_, line, message),) = _problems(contract)
    assert (line, "'nillable'" in message) == (8, True)
    assert contract.operations["Join"].problem is None


def test_the_same_declaration_twice_is_one_and_two_different_ones_are_a_mistake() -> None:
    contract = load(CONTRACTS / "broken" / "declared-twice.wsdl")
    contract.compile()
    ((_, line, message),) = _problems(contract)
    assert (line, message.endswith("declared-twice.wsdl:13.")) == (23, True)
    assert [key for key, found in contract.operations.items() if found.problem is None] == ["Same"]


def test_a_redefined_type_is_not_used_with_either_meaning() -> None:
    contract = load(CONTRACTS / "broken" / "redefine.wsdl")
    contract.compile()
    assert [key for key, found in contract.operations.items() if found.problem is None] == ["Plain"]


def test_documents_tell_the_line_of_the_users_file() -> None:
    contract = load(CONTRACTS / "chameleon.wsdl")
    fees = [found for found in contract.bundle.documents if found.namespace == "urn:test:chameleon:fees"]
    (chameleon,) = [found for found in fees if found.chameleon]
    assert Path(chameleon.file).name == "money.xsd"
    money = chameleon.root[0]
    text = Path(chameleon.file).read_text().splitlines()
    assert money.get("name") == "Money"
    assert '"Money"' in text[money.sourceline + chameleon.base_line - 1]


def test_the_digest_is_that_of_the_schemas_and_not_of_their_place(tmp_path: Path) -> None:
    folder = shutil.copytree(CONTRACTS, tmp_path / "moved")
    digest = load(CONTRACTS / "import.wsdl").bundle.digest
    assert load(folder / "import.wsdl").bundle.digest == digest
    party = folder / "schemas" / "party.xsd"
    party.write_text(party.read_text().replace('minOccurs="0"', ""))
    assert load(folder / "import.wsdl").bundle.digest != digest


def test_prefixes_and_annotations_may_have_names_in_any_script(tmp_path: Path) -> None:
    shutil.copytree(CONTRACTS / "schemas", tmp_path / "schemas")
    wsdl = tmp_path / "import.wsdl"
    shutil.copy(CONTRACTS / "import.wsdl", wsdl)
    party = tmp_path / "schemas" / "party.xsd"
    foreign = '<xs:annotation><xs:appinfo><业务:类别 xmlns:业务="urn:business"/></xs:appinfo></xs:annotation>'
    text = party.read_text("utf-8")
    start = text.index(">", text.index("<xs:schema")) + 1
    party.write_text(text[:start] + foreign + text[start:], "utf-8")
    contract = load(wsdl)
    contract.compile()
    assert contract.problems == ()
    assert contract.operations["PlaceOrder"].problem is None
