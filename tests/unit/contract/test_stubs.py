"""Stubs say what the codec does: the fields of its classes, and the types of what it really reads."""

from __future__ import annotations

import ast
import dataclasses
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

import bridge.contract.codec.values as values
from bridge.contract import Contract, load
from bridge.contract.codec.values import ComplexValue
from bridge.contract.example import example
from bridge.contract.stubs import Stub, module_name
from bridge.errors import ContractError

ROOT = Path(__file__).resolve().parents[3]
CORPUS = Path(os.environ.get("SOAPBRIDGE_CORPUS") or ROOT.parent / "shared" / "wsdl-corpus")
TEN = (
    "cxf-inherit", "cmis-1.1", "eet-cz", "fedex-locations-v9", "image-view", "ota-reservation", "ns-t-list-parameter",
    "sap-byd-manageidentifiedstocksin", "salesforce-enterprise-old", "zeep-recursive",
)  # fmt: skip
FILES = {
    path.stem: path
    for path in (*(ROOT / "wsdl").glob("*/*.wsdl"), *(ROOT / "tests/contracts").glob("*.wsdl"))
}
FILES |= {name: next((CORPUS / name).glob("*.wsdl")) for name in TEN if (CORPUS / name).is_dir()}


@cache
def contract_of(name: str) -> Contract:
    catalog = CORPUS / "_standard"
    return load(FILES[name], catalog=catalog if catalog.is_dir() else None)


@cache
def text_of(name: str) -> str:
    return Stub(contract_of(name), made_by="the test").text()


class Read:
    """A stub as a reader sees it: for each class its base and its fields, each with its annotation."""

    def __init__(self, text: str) -> None:
        self.bases: dict[str, str] = {}
        self.fields: dict[str, dict[str, ast.expr]] = {}
        self.aliases: dict[str, ast.expr] = {}
        self.foreign: dict[str, str] = {}
        for node in ast.parse(text).body:
            if isinstance(node, ast.ImportFrom):
                self.foreign |= {alias.asname or alias.name: alias.name for alias in node.names}
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                assert node.value is not None
                self.aliases[node.target.id] = node.value
            elif isinstance(node, ast.ClassDef):
                self.bases[node.name] = ast.unparse(node.bases[0])
                own = (line for line in node.body if isinstance(line, ast.AnnAssign))
                self.fields[node.name] = {ast.unparse(line.target): line.annotation for line in own}

    def inherited(self, name: str) -> dict[str, ast.expr]:
        """The fields of a class with those of its base classes, the base's first."""
        if name not in self.bases:
            return {}
        return {**self.inherited(self.bases[name]), **self.fields[name]}


@pytest.mark.parametrize("name", FILES)
def test_classes_and_dicts_have_the_fields_of_the_codecs_classes(name: str) -> None:
    contract, read = contract_of(name), Read(text_of(name))
    for type_name in dir(contract.types):
        real = [field.name for field in dataclasses.fields(getattr(contract.types, type_name))]
        assert list(read.inherited(type_name)) == real, type_name
        assert list(read.fields[f"{type_name}Dict"]) == real, type_name
        base = getattr(contract.types, type_name).__mro__[1]
        assert read.bases[type_name].lstrip("_") == (
            "ComplexValue" if base is ComplexValue else type_of(contract, base)
        )


def type_of(contract: Contract, cls: type[Any]) -> str:
    return next(name for name in dir(contract.types) if getattr(contract.types, name) is cls)


@pytest.mark.parametrize("name", FILES)
def test_what_is_read_has_the_types_that_the_stub_says(name: str) -> None:
    contract, read = contract_of(name), Read(text_of(name))
    checker = Checker(contract, read)
    for operation in list(contract.operations.values())[:8]:
        if operation.problem is not None:
            continue
        for element in (operation.input, operation.output, *operation.faults.values()):
            for seed in range(4 if name not in TEN else 2):
                if element is None:
                    continue
                try:
                    text = example(contract.model, element, seed=seed)
                except ContractError:
                    continue
                checker.payload(contract.codec.decode(element, etree.fromstring(text)))
    assert checker.wrong == []


class Checker:
    """Whether values are what annotations say; `wrong` lists what is not."""

    def __init__(self, contract: Contract, read: Read) -> None:
        self.read = read
        self.names = {getattr(contract.types, name): name for name in dir(contract.types)}
        self.classes = {name: cls for cls, name in self.names.items()}
        self.wrong: list[str] = []

    def payload(self, value: Any) -> None:
        if isinstance(value, ComplexValue):
            name = self.names[type(value)]
            for field, annotation in self.read.inherited(name).items():
                given = getattr(value, field)
                if not self.fits(given, annotation):
                    self.wrong.append(
                        f"{name}.{field}: {ast.unparse(annotation)}, and {given!r} was read"[:300]
                    )

    def fits(self, value: Any, annotation: ast.expr) -> bool:
        if isinstance(annotation, ast.BinOp):
            return self.fits(value, annotation.left) or self.fits(value, annotation.right)
        if isinstance(annotation, ast.Constant):
            return value is None and annotation.value is None
        if isinstance(annotation, ast.Name):
            return self.named(value, annotation.id)
        assert isinstance(annotation, ast.Subscript)
        inner = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
        kind = self.kind(annotation.value)
        if kind == "Literal":
            return any(isinstance(one, ast.Constant) and one.value == value for one in inner)
        if kind == "list":
            return isinstance(value, list) and all(self.fits(item, inner[0]) for item in value)
        if kind == "tuple":
            return isinstance(value, tuple) and all(map(self.fits, value, inner)) and len(value) == len(inner)
        assert kind == "dict", kind
        return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())

    def kind(self, node: ast.expr) -> str:
        assert isinstance(node, ast.Name)
        return self.read.foreign.get(node.id, node.id)

    def named(self, value: Any, name: str) -> bool:
        if name in self.read.aliases:
            return self.fits(value, self.read.aliases[name])
        if name in self.classes:
            if isinstance(value, self.classes[name]):
                self.payload(value)
                return True
            # An xsi:type beside a simple value is in no annotation, and neither is the TypedValue it makes.
            return False
        real = self.read.foreign.get(name, name)
        if isinstance(value, values.TypedValue):
            return True
        if real == "XmlElement":
            return isinstance(value, etree._Element)
        if real in ("Element", "Nil", "TypedValue", "ComplexValue") or real.startswith("Xsd"):
            return isinstance(value, getattr(values, real))
        return type(value).__name__ == real


@pytest.mark.parametrize(
    "name", [*[name for name in FILES if name not in TEN][:9], "purchasing-1", "inventory-1"]
)
def test_the_same_contract_gives_the_same_bytes(name: str) -> None:
    again = load(FILES[name])
    assert Stub(again, made_by="the test").text() == text_of(name)


def fields(name: str, of: str) -> dict[str, str]:
    return {field: ast.unparse(annotation) for field, annotation in Read(text_of(name)).inherited(of).items()}


def test_required_is_plain_optional_may_be_none_and_what_repeats_is_a_list() -> None:
    order = fields("purchasing-1", "PurchaseOrder")
    assert order["currency"] == "str"
    assert order["line"].startswith("list[")
    assert order["buyerReference"] == "str | None"


def test_a_field_named_like_a_type_hides_nothing(tmp_path: Path) -> None:
    wsdl = one_message(
        tmp_path,
        '<xs:complexType name="date"><xs:sequence><xs:element name="Decimal" type="xs:decimal"/></xs:sequence></xs:complexType>'
        '<xs:element name="Send"><xs:complexType><xs:sequence><xs:element name="date" type="t:date"/>'
        '<xs:element name="list" type="xs:date" maxOccurs="9"/><xs:element name="str" type="xs:string" maxOccurs="9"/>'
        '<xs:element name="day" type="xs:date"/></xs:sequence></xs:complexType></xs:element>',
    )
    text = Stub(load(wsdl), made_by="the test").text()
    read = Read(text)
    said = {field: ast.unparse(annotation) for field, annotation in read.fields["Send"].items()}
    assert said == {
        "date": "_date",
        "list": "_list[__date | XsdDate]",
        "str": "_list[_str]",
        "day": "__date | XsdDate",
    }
    assert ast.unparse(read.aliases["_date"]) == "date"
    assert read.foreign["__date"] == "date"
    assert ast.unparse(read.fields["date"]["Decimal"]) == "_Decimal"


def test_types_of_one_name_get_numbers_and_the_classes_go_by_them(tmp_path: Path) -> None:
    wsdl = one_message(
        tmp_path,
        '<xs:element name="Send"><xs:complexType><xs:sequence>'
        '<xs:element name="a"><xs:complexType><xs:sequence><xs:element name="row"><xs:complexType><xs:attribute name="x"/>'
        "</xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element>"
        '<xs:element name="row"><xs:complexType><xs:attribute name="y"/></xs:complexType></xs:element>'
        "</xs:sequence></xs:complexType></xs:element>",
    )
    contract = load(wsdl)
    assert dir(contract.types) == ["A", "Row", "Row_2", "Send"]
    assert [field.name for field in dataclasses.fields(contract.types.Row_2)] == ["x"]
    with pytest.raises(AttributeError, match=r"has no type Rwo\. It has: A, Row, Row_2, Send"):
        _ = contract.types.Rwo


def test_documentation_becomes_a_docstring_in_english_and_stays_short() -> None:
    text = text_of("inventory-1")
    assert '    sku: str\n    """' in text
    assert not any("\u4e00" <= letter <= "\u9fff" for letter in text)
    assert max(len(line) for line in text.splitlines()) < 460


@pytest.mark.parametrize(
    ("file", "module"),
    [("Orders-1", "orders"), ("orders-2", "orders_2"), ("1.3", "contract_1_3"), ("class", "class_")],
)
def test_a_module_is_named_for_the_contract(tmp_path: Path, file: str, module: str) -> None:
    wsdl = one_message(tmp_path, '<xs:element name="Send" type="xs:string"/>').rename(
        tmp_path / f"{file}.wsdl"
    )
    assert module_name(load(wsdl)) == module


def one_message(folder: Path, schema: str) -> Path:
    """A WSDL with the one-way operation Send."""
    wsdl = folder / "one-1.wsdl"
    wsdl.write_text(
        '<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:t="urn:t" targetNamespace="urn:t"'
        ' xmlns:xs="http://www.w3.org/2001/XMLSchema"><types><xs:schema targetNamespace="urn:t"'
        f' elementFormDefault="qualified">{schema}</xs:schema></types><message name="Send"><part name="p" element="t:Send"/>'
        '</message><portType name="P"><operation name="Send"><input message="t:Send"/></operation></portType></definitions>'
    )
    return wsdl
