from __future__ import annotations

import pytest
from lxml import etree

from bridge.contract.example import example
from bridge.contract.model import XSD
from bridge.contract.schema.builtins import BUILTINS
from bridge.errors import ContractError


def simple(restriction: str) -> str:
    return f'<xs:element name="e"><xs:simpleType>{restriction}</xs:simpleType></xs:element>'


def restricted(base: str, facets: str) -> str:
    return simple(f'<xs:restriction base="{base}">{facets}</xs:restriction>')


SCHEMAS = {
    "pattern": restricted("xs:token", '<xs:pattern value="[A-Z]{3}-\\d{4,}"/><xs:maxLength value="9"/>'),
    "pattern and exact length": restricted("xs:string", '<xs:pattern value="[0-9A-F]*"/><xs:length value="32"/>'),
    "two steps of patterns": """<xs:simpleType name="a"><xs:restriction base="xs:string"><xs:pattern value="[A-Z0-9]+"/></xs:restriction></xs:simpleType>"""
    + restricted("a", '<xs:pattern value="A.*"/><xs:minLength value="5"/>'),
    "enumeration narrowed by length": restricted("xs:string", '<xs:enumeration value="a"/><xs:enumeration value="abc"/><xs:minLength value="2"/>'),
    "range": restricted("xs:decimal", '<xs:minExclusive value="0"/><xs:maxExclusive value="0.01"/><xs:fractionDigits value="3"/>'),
    "integer range": restricted("xs:integer", '<xs:minInclusive value="100000"/><xs:maxInclusive value="100003"/>'),
    "negative range": restricted("xs:int", '<xs:maxExclusive value="-5"/>'),
    "total digits": restricted("xs:integer", '<xs:totalDigits value="4"/><xs:minInclusive value="1000"/>'),
    "year from 2030": restricted("xs:gYear", '<xs:minInclusive value="2030"/>'),
    "date before": restricted("xs:date", '<xs:maxExclusive value="1990-06-15"/>'),
    "long text": restricted("xs:string", '<xs:minLength value="500"/><xs:maxLength value="510"/>'),
    "no text": restricted("xs:string", '<xs:length value="0"/>'),
    "binary length": restricted("xs:base64Binary", '<xs:length value="20"/>'),
    "hex length": restricted("xs:hexBinary", '<xs:length value="5"/>'),
    "list of length": simple('<xs:restriction><xs:simpleType><xs:list itemType="xs:date"/></xs:simpleType><xs:length value="3"/></xs:restriction>'),
    "union": simple('<xs:union memberTypes="xs:date xs:int"/>'),
    "qualified names": """<xs:element name="e" xmlns:c="urn:colours"><xs:simpleType><xs:restriction base="xs:QName"><xs:enumeration value="c:red"/></xs:restriction></xs:simpleType></xs:element>""",
    "fixed and default": """<xs:element name="e"><xs:complexType><xs:sequence><xs:element name="a" type="xs:int" fixed="7"/><xs:element name="b" type="xs:int" default="3"/></xs:sequence><xs:attribute name="c" fixed="x"/></xs:complexType></xs:element>""",
    "identifiers": """<xs:element name="e"><xs:complexType><xs:sequence><xs:element name="to" type="xs:IDREF" maxOccurs="2"/><xs:element name="at" maxOccurs="3"><xs:complexType><xs:attribute name="id" type="xs:ID" use="required"/></xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element>""",
    "a key": """<xs:element name="e" xmlns:t="urn:t"><xs:complexType><xs:sequence><xs:element name="i" type="xs:string" maxOccurs="4"/></xs:sequence></xs:complexType><xs:key name="k"><xs:selector xpath="t:i"/><xs:field xpath="."/></xs:key></xs:element>""",
    "recursion through a required choice": """<xs:complexType name="x"><xs:choice><xs:element name="both"><xs:complexType><xs:sequence><xs:element name="l" type="x"/><xs:element name="r" type="x"/></xs:sequence></xs:complexType></xs:element><xs:element name="leaf" type="xs:int"/></xs:choice></xs:complexType><xs:element name="e" type="x"/>""",
    "abstract head and abstract type": """<xs:complexType name="a" abstract="true"/><xs:complexType name="b"><xs:complexContent><xs:extension base="a"><xs:attribute name="n" type="xs:int"/></xs:extension></xs:complexContent></xs:complexType><xs:element name="h" type="a" abstract="true"/><xs:element name="m" type="a" substitutionGroup="h"/><xs:element name="e"><xs:complexType><xs:sequence><xs:element ref="h"/></xs:sequence></xs:complexType></xs:element>""",
    "any type": '<xs:element name="e" type="xs:anyType"/>',
    "wildcards": """<xs:element name="known" type="xs:int"/><xs:element name="e"><xs:complexType><xs:sequence><xs:any namespace="##other" processContents="lax"/><xs:any namespace="##local" processContents="skip" minOccurs="2" maxOccurs="2"/><xs:any namespace="##targetNamespace"/></xs:sequence></xs:complexType></xs:element>""",
    "mixed": """<xs:element name="e"><xs:complexType mixed="true"><xs:sequence><xs:element name="a" type="xs:int"/></xs:sequence></xs:complexType></xs:element>""",
    "unqualified": """<xs:element name="e"><xs:complexType><xs:sequence><xs:element name="a" type="xs:int" form="unqualified"/></xs:sequence><xs:attribute name="q" form="qualified"/></xs:complexType></xs:element>""",
}  # fmt: skip


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("seed", range(5))
def test_an_example_is_valid(schema, name: str, seed: int) -> None:
    one = schema(SCHEMAS[name])
    for optional in (True, False):
        text = example(one.model, "{urn:t}e", seed=seed, optional=optional)
        one.guard.check("{urn:t}e", etree.fromstring(text))


@pytest.mark.parametrize("name", sorted(BUILTINS))
def test_every_built_in_type_has_an_example(schema, name: str) -> None:
    local = name.removeprefix(f"{{{XSD}}}")
    if local in ("NOTATION", "ENTITY", "ENTITIES"):
        pytest.skip("no schema can declare an element of it, or no message without a DTD holds a value")
    one = schema(
        f'<xs:element name="e"><xs:complexType><xs:sequence><xs:element name="a" type="xs:{local}" maxOccurs="3"/>'
        "</xs:sequence></xs:complexType></xs:element>"
    )
    top = etree.fromstring(example(one.model, "{urn:t}e"))
    assert one.admits(top)
    assert len(top) == 2


def test_the_same_seed_gives_the_same_example(schema) -> None:
    one = schema(SCHEMAS["pattern"])
    texts = [example(one.model, "{urn:t}e", seed=seed) for seed in (3, 3, 4)]
    assert texts[0] == texts[1] != texts[2]


def test_an_example_reads_well(schema) -> None:
    one = schema(
        """<xs:element name="e"><xs:complexType><xs:sequence><xs:element name="customer" type="xs:token"/>
        <xs:element name="line" maxOccurs="9"><xs:complexType><xs:sequence><xs:element name="quantity" type="xs:decimal"/>
        </xs:sequence></xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element>"""
    )
    assert example(one.model, "{urn:t}e") == (
        '<e xmlns="urn:t"><customer>customer 1</customer><line><quantity>1</quantity></line>'
        "<line><quantity>2</quantity></line></e>"
    )
    assert example(one.model, "{urn:t}e", optional=False).count("<line>") == 1


def test_recursion_is_shown_once_and_ends(schema) -> None:
    one = schema(
        """<xs:complexType name="n"><xs:sequence><xs:element name="v" type="xs:int"/>
        <xs:element name="n" type="n" minOccurs="0" maxOccurs="unbounded"/></xs:sequence></xs:complexType>
        <xs:element name="e" type="n"/>"""
    )
    text = example(one.model, "{urn:t}e")
    assert 1 <= text.count("<n>") < 10


def test_what_cannot_be_made_is_named(schema) -> None:
    contradiction = restricted("xs:string", '<xs:pattern value="[A-Z]+"/><xs:pattern value="[B-Z]+"/>')
    contradiction = contradiction.replace("<xs:restriction", '<xs:restriction base="narrow"', 1).replace(
        'base="narrow" base="xs:string"', 'base="narrow"'
    )
    narrow = '<xs:simpleType name="narrow"><xs:restriction base="xs:string"><xs:pattern value="[0-9]+"/></xs:restriction></xs:simpleType>'
    with pytest.raises(ContractError, match="No example value was found for the type of e"):
        example(schema(narrow + contradiction).model, "{urn:t}e")
    with pytest.raises(ContractError, match="not declared"):
        example(schema(narrow).model, "{urn:t}e")


def test_an_optional_part_that_cannot_be_made_is_left_out(schema) -> None:
    one = schema(
        """<xs:element name="e"><xs:complexType><xs:sequence><xs:element name="a" minOccurs="0"><xs:simpleType>
        <xs:restriction base="xs:string"><xs:pattern value="[0-9]"/><xs:length value="2"/></xs:restriction></xs:simpleType></xs:element>
        <xs:element name="b" type="xs:int"/></xs:sequence></xs:complexType></xs:element>"""
    )
    assert example(one.model, "{urn:t}e") == '<e xmlns="urn:t"><b>1</b></e>'
