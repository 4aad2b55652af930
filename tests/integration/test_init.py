"""`soapbridge init`: what it makes is imported, checked, tested and answers, for contracts of every kind; or it says why not."""

from __future__ import annotations

import json
import os
import runpy
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bridge.app import Bridge
from bridge.cli import app
from bridge.contract import load
from bridge.errors import BridgeError
from bridge.testing import ask

ROOT = Path(__file__).resolve().parents[2]
CORPUS = Path(os.environ.get("SOAPBRIDGE_CORPUS") or ROOT.parent / "shared" / "wsdl-corpus")
DOZEN = (
    "afip-wsfe-v1", "cmis-1.1", "cxf-any", "cxf-hello-rpclit", "cxf-inherit", "eet-cz", "image-view", "nav-organisasjon-v5",
    "ns-multicall", "ns-oneway", "postman-xsdimportsxsd", "springws-soap-11-12", "wcf-wsdl-import", "zeep-recursive",
)  # fmt: skip
UNHOSTABLE = {"ns-multicall"}
FILES = {path.stem: path for path in (ROOT / "wsdl/erp").glob("*.wsdl")}
FILES |= {
    name: ROOT / f"tests/contracts/{name}.wsdl"
    for name in (
        "awkward-names",
        "headers",
        "one-way",
        "rpc-literal",
        "same-input",
        "several-services-3",
        "substitution-group",
    )
}
FILES |= {name: next((CORPUS / name).glob("*.wsdl")) for name in DOZEN if (CORPUS / name).is_dir()}


def init(folder: Path, wsdl: Path | str, *more: str, status: int = 0) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["init", str(folder), "--wsdl", str(wsdl), "--json", *more])
    assert done.exit_code == status, (done.output, done.exception)
    content: dict[str, Any] = json.loads(done.stdout)
    return content


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and a store in it for whatever is run there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOAPBRIDGE_DATA_FOLDER", str(tmp_path / "data"))
    return tmp_path


def service_of(project: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Bridge, dict[str, Any]]:
    monkeypatch.chdir(project)
    names = runpy.run_path("service.py")
    return names["bridge"], names


@pytest.mark.parametrize("name", sorted(set(FILES) - UNHOSTABLE))
def test_a_project_is_checked_and_its_own_test_passes(
    name: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = init(place / "project", FILES[name])
    bridge, _ = service_of(place / "project", monkeypatch)
    if not made["left_out"] and not made["problems"]:
        bridge.check()
    (service,) = bridge.services.values()
    assert set(service.handlers) == set(made["operations"])
    source = (place / "project/tests/test_service.py").read_text().replace("from service import bridge\n", "")
    tests: dict[str, Any] = {"__file__": str(place / "project/tests/test_service.py"), "bridge": bridge}
    exec(compile(source, "test_service.py", "exec"), tests)
    run = [test() for key, test in list(tests.items()) if key.startswith("test_")]
    assert len(run) == len(made["operations"]) > 0
    assert bridge.store is not None
    bridge.store.close()


@pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus of contracts at {CORPUS}")
def test_where_nothing_can_be_hosted_nothing_is_written_and_every_reason_told(place: Path) -> None:
    said = init(place / "deep/project", FILES["ns-multicall"], status=1)
    assert "rpc/encoded" in said["problem"]
    assert str(FILES["ns-multicall"]) in said["problem"]
    assert list(place.iterdir()) == []


@pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus of contracts at {CORPUS}")
def test_of_very_many_reasons_the_first_are_told_and_where_the_others_are(place: Path) -> None:
    said = init(place / "project", str(CORPUS / "jira-rpc/jirasoapservice-v2.wsdl"), status=1)["problem"]
    assert said.count("rpc/encoded") == 10
    assert "and 98 more: soapbridge contract check" in said


@pytest.mark.parametrize(
    "command",
    [
        ("init", "file/project", "--wsdl", "inventory"),
        ("contract", "stubs", "inventory", "--output", "file/stubs"),
        ("handover", "--output", "file/sheet.html"),
        ("demo", "--keep", "file/demo"),
        ("check",),
        ("serve", "--port", "0"),
        ("migrate",),
    ],
    ids=lambda command: command[0],
)
def test_a_place_that_cannot_be_written_is_told_without_a_trace(
    place: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    (place / "file").write_text("no folder")
    monkeypatch.setenv("SOAPBRIDGE_DATA_FOLDER", "file/data")
    done = CliRunner().invoke(app, command)
    said = str(done.exception) if isinstance(done.exception, BridgeError) else done.output
    assert "file/" in said
    assert "this user" in said


PARTLY = """<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:t="urn:t" targetNamespace="urn:t"
  xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:xs="http://www.w3.org/2001/XMLSchema">
<types><xs:schema targetNamespace="urn:t"><xs:element name="Ask" type="xs:int"/><xs:element name="Told" type="xs:int"/>
</xs:schema></types>
<message name="Ask"><part name="p" element="t:Ask"/></message><message name="Told"><part name="p" element="t:Told"/></message>
<message name="Two"><part name="a" element="t:Ask"/><part name="b" element="t:Told"/></message>
<portType name="P"><operation name="Ask"><input message="t:Ask"/><output message="t:Told"/></operation>
<operation name="Two"><input message="t:Two"/><output message="t:Told"/></operation></portType>
<binding name="B" type="t:P"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
<operation name="Ask"><soap:operation/><input><soap:body use="literal"/></input><output><soap:body use="literal"/></output></operation>
<operation name="Two"><soap:operation/><input><soap:body use="literal"/></input><output><soap:body use="literal"/></output></operation>
</binding></definitions>"""


def test_what_cannot_be_hosted_is_left_out_and_named_on_terminal_and_page(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "partly.wsdl").write_text(PARTLY)
    done = CliRunner().invoke(app, ["init", "project", "--wsdl", "partly.wsdl"])
    assert done.exit_code == 0
    assert "warning: Two is left out: wsdl/partly.wsdl:" in done.stderr
    assert "* Two: wsdl/partly.wsdl:" in (place / "project/README.md").read_text()
    bridge, _ = service_of(place / "project", monkeypatch)
    (service,) = bridge.services.values()
    assert list(service.handlers) == ["Ask"]


def test_only_the_operations_asked_for_get_a_handler(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = init(place / "project", "inventory", "--operation", "GetStock")
    assert made["operations"] == ["GetStock"]
    assert "UpdateStock" in (place / "project/README.md").read_text()
    assert [path.name for path in (place / "project/samples").iterdir()] == ["GetStock.xml"]


def test_an_operation_that_is_not_there_is_told_with_those_that_are(place: Path) -> None:
    said = init(place / "project", "inventory", "--operation", "GetStok", status=1)
    assert "There is no operation GetStok" in said["problem"]
    assert "GetStock" in said["problem"]
    assert not (place / "project").exists()


def test_a_folder_that_is_there_is_left_alone(place: Path) -> None:
    (place / "project").mkdir()
    done = CliRunner().invoke(app, ["init", "project", "--wsdl", "inventory"])
    assert done.exit_code != 0
    assert "is there already" in str(done.exception)
    assert list((place / "project").iterdir()) == []


def test_a_contract_beside_its_schemas_is_copied_byte_for_byte(place: Path) -> None:
    source = place / "theirs"
    (source / "xsd").mkdir(parents=True)
    (source / "xsd/one.xsd").write_text(
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:x"/>\n'
    )
    (source / "one.wsdl").write_text(
        PARTLY.replace(
            "<types>",
            '<types><xs:schema><xs:import namespace="urn:x" schemaLocation="xsd/one.xsd"/></xs:schema>',
        )
    )
    init(place / "project", source / "one.wsdl")
    copied = {path.relative_to(place / "project/wsdl") for path in (place / "project/wsdl").rglob("*.*")}
    assert copied == {Path("one.wsdl"), Path("xsd/one.xsd")}
    for path in copied:
        assert (place / "project/wsdl" / path).read_bytes() == (source / path).read_bytes()


def test_schemas_from_elsewhere_lie_beside_the_contract_and_are_found_there(place: Path) -> None:
    init(place / "project", "purchasing")
    wsdl = place / "project/wsdl"
    assert sorted(path.name for path in wsdl.iterdir()) == [
        "faults-1.xsd", "purchasing-1.wsdl", "purchasing-1.xsd", "types-1.xsd"
    ]  # fmt: skip
    copy = load(wsdl / "purchasing-1.wsdl")
    copy.compile()
    assert copy.problems == ()
    assert set(copy.operations) == set(load(ROOT / "wsdl/erp/purchasing-1.wsdl").operations)


def test_schemas_found_by_their_namespace_are_found_in_the_project(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = place / "catalog"
    catalog.mkdir()
    (catalog / "one.xsd").write_text(
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:x"><xs:element name="Told" type="xs:int"/>'
        "</xs:schema>"
    )
    text = PARTLY.replace(
        'targetNamespace="urn:t"><xs:element',
        'targetNamespace="urn:t"><xs:import namespace="urn:x"/><xs:element',
    )
    text = text.replace('xmlns:t="urn:t"', 'xmlns:t="urn:t" xmlns:x="urn:x"', 1)
    text = text.replace('element="t:Told"/></message>\n<message', 'element="x:Told"/></message>\n<message')
    (place / "partly.wsdl").write_text(text)
    monkeypatch.setenv("SOAPBRIDGE_CONTRACTS_CATALOG", str(catalog))
    assert init(place / "project", place / "partly.wsdl")["operations"] == ["Ask"]
    monkeypatch.delenv("SOAPBRIDGE_CONTRACTS_CATALOG")
    bridge, _ = service_of(place / "project", monkeypatch)
    (service,) = bridge.services.values()
    assert service.contract.operations["Ask"].output == "{urn:x}Told"
    answer = ask(bridge, place / "project/samples/Ask.xml")
    assert answer.fault is None
    assert isinstance(answer.value, int)


def test_stubs_of_the_project_are_fresh_until_its_contract_changes(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    init(place / "project", "inventory")
    monkeypatch.chdir(place / "project")
    made_by = (
        (place / "project/stubs/inventory.pyi").read_text().splitlines()[2].removeprefix("#   soapbridge ")
    )
    assert CliRunner().invoke(app, [*made_by.split(), "--check"]).exit_code == 0
    schema = place / "project/wsdl/inventory-1.xsd"
    schema.write_text(schema.read_text("utf-8").replace('name="asOf"', 'name="asAt"'), encoding="utf-8")
    done = CliRunner().invoke(app, [*made_by.split(), "--check", "--json"])
    assert done.exit_code == 1
    assert json.loads(done.stdout)["stale"] == ["stubs/inventory.pyi"]
    assert CliRunner().invoke(app, made_by.split()).exit_code == 0
    assert "asAt: datetime" in (place / "project/stubs/inventory.pyi").read_text()


def test_stubs_of_two_contracts_do_not_take_each_others_place(place: Path) -> None:
    for folder in ("a", "b"):
        (place / folder).mkdir()
        (place / folder / "partly.wsdl").write_text(PARTLY)
    done = CliRunner().invoke(app, ["contract", "stubs", "a/partly.wsdl", "b/partly.wsdl"])
    assert "would both be stubs/partly.pyi" in str(done.exception)
    assert not (place / "stubs").exists()


def test_no_stub_is_written_of_a_contract_without_a_usable_operation(place: Path) -> None:
    (place / "none.wsdl").write_text(
        '<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" targetNamespace="urn:t"/>'
    )
    done = CliRunner().invoke(app, ["contract", "stubs", "none.wsdl"])
    assert "soapbridge contract check none.wsdl" in str(done.exception)
    assert not (place / "stubs").exists()
