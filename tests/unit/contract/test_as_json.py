"""Values as JSON and back: nothing is lost, and a mistake is named with its place."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from lxml import etree

from bridge.contract.codec import Codec
from bridge.contract.codec.as_json import read
from bridge.errors import EncodeError

E = "{urn:t}e"

ORDER = """
<xs:element name="e"><xs:complexType><xs:sequence>
  <xs:element name="number" type="xs:string"/>
  <xs:element name="day" type="xs:date" minOccurs="0"/>
  <xs:element name="amount" minOccurs="0"><xs:complexType><xs:simpleContent>
    <xs:extension base="xs:decimal"><xs:attribute name="currency" type="xs:string"/></xs:extension>
  </xs:simpleContent></xs:complexType></xs:element>
  <xs:element name="line" minOccurs="0" maxOccurs="unbounded"><xs:complexType><xs:sequence>
    <xs:element name="quantity" type="xs:decimal"/>
    <xs:element name="note" type="xs:string" nillable="true" minOccurs="0"/>
  </xs:sequence></xs:complexType></xs:element>
  <xs:element name="scan" type="xs:base64Binary" minOccurs="0"/>
  <xs:element name="big" type="xs:integer" minOccurs="0"/>
  <xs:element name="ratio" type="xs:double" minOccurs="0"/>
  <xs:element name="urgent" type="xs:boolean" minOccurs="0"/>
  <xs:element name="sizes" minOccurs="0"><xs:simpleType><xs:list itemType="xs:int"/></xs:simpleType></xs:element>
</xs:sequence></xs:complexType></xs:element>"""

KINDS = {
    "wildcard": '<xs:element name="e"><xs:complexType><xs:sequence><xs:any processContents="lax"/></xs:sequence>'
    '<xs:anyAttribute processContents="lax"/></xs:complexType></xs:element>',
    "choice": '<xs:element name="e"><xs:complexType><xs:choice maxOccurs="unbounded"><xs:element name="a" type="xs:int"/>'
    '<xs:element name="b" type="xs:string"/></xs:choice></xs:complexType></xs:element>',
    "mixed": '<xs:element name="e"><xs:complexType mixed="true"><xs:sequence><xs:element name="b" type="xs:string" '
    'maxOccurs="unbounded"/></xs:sequence></xs:complexType></xs:element>',
    "types": '<xs:complexType name="B"><xs:sequence><xs:element name="x" type="xs:int"/></xs:sequence></xs:complexType>'
    '<xs:complexType name="D"><xs:complexContent><xs:extension base="B"><xs:sequence><xs:element name="y" '
    'type="xs:int"/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>'
    '<xs:element name="head" type="xs:string"/><xs:element name="member" type="xs:string" substitutionGroup="head"/>'
    '<xs:element name="e"><xs:complexType><xs:sequence><xs:element name="v" type="B"/><xs:element ref="head"/>'
    '<xs:element name="any" type="xs:anyType" minOccurs="0" maxOccurs="2"/></xs:sequence></xs:complexType></xs:element>',
    "union": '<xs:element name="e"><xs:simpleType><xs:union memberTypes="xs:int xs:date xs:string"/></xs:simpleType></xs:element>',
    "qname": '<xs:element name="e" type="xs:QName"/>',
    "hex": '<xs:element name="e" type="xs:hexBinary"/>',
}  # fmt: skip
KINDS["order"] = ORDER


def values(schema: Any, body: str, data: str) -> Any:
    return Codec(schema(body).model).json.values(E, read(data))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("order", "<e><number>1</number></e>"),
        (
            "order",
            '<e><number>7 &lt; 8</number><day>2026-02-28+02:00</day><amount currency="EUR">12.50</amount>'
            '<line><quantity>0.100</quantity><note xsi:nil="true"/></line><line><quantity>2</quantity></line>'
            "<scan>AAEC/w==</scan><big>123456789012345678901234567890</big><ratio>INF</ratio><urgent>true</urgent>"
            "<sizes>1 2 3</sizes></e>",
        ),
        ("order", "<e><number/><ratio>0.1</ratio></e>"),
        ("wildcard", '<e free="x"><q:thing xmlns:q="urn:q"><q:in>1</q:in></q:thing></e>'),
        ("choice", "<e><a>1</a><b>x</b><a>2</a></e>"),
        ("mixed", "<e>before <b>bold</b> after</e>"),
        ("types", "<e><v><x>1</x></v><head>h</head></e>"),
        (
            "types",
            '<e><v xsi:type="D"><x>1</x><y>2</y></v><member>m</member><any xsi:type="xs:date">2026-01-01</any><any><z/></any></e>',
        ),
        ("union", "<e>5</e>"),
        ("union", "<e>2026-01-01</e>"),
        ("union", "<e>five</e>"),
        ("qname", "<e>xs:int</e>"),
        ("hex", "<e>00FF</e>"),
    ],
)
def test_what_was_decoded_comes_back_the_same_through_json(
    schema: Any, doc: Any, kind: str, message: str
) -> None:
    contract = schema(KINDS[kind])
    codec = Codec(contract.model)
    element = doc(message)
    assert contract.admits(element)
    value = codec.decode(E, element)
    text = json.dumps(codec.json.document(E, value))
    again = codec.json.values(E, read(text))
    assert codec.encode(E, again) == codec.encode(E, value)
    assert json.dumps(codec.json.document(E, again)) == text


def test_decimals_never_pass_through_a_float(schema: Any) -> None:
    digits = "0.1000000000000000055511151231257827"
    value = values(schema, ORDER, f'{{"number": "1", "amount": {{"value": {digits}}}}}')
    assert value.amount.value == Decimal(digits)
    assert (
        str(values(schema, ORDER, '{"number": "1", "line": [{"quantity": 12.50}]}').line[0].quantity)
        == "12.50"
    )


def test_the_form_is_the_one_that_is_documented(schema: Any, doc: Any) -> None:
    codec = Codec(schema(ORDER).model)
    message = (
        '<e><number>1</number><amount currency="EUR">1.20</amount>'
        '<line><quantity>2</quantity><note xsi:nil="true"/></line><big>9007199254740993</big></e>'
    )
    assert codec.json.document(E, codec.decode(E, doc(message))) == {
        "number": "1",
        "amount": {"value": "1.20", "currency": "EUR"},
        "line": [{"quantity": "2", "note": None}],
        "big": "9007199254740993",
    }


def test_null_is_nil_where_nillable_and_absent_elsewhere(schema: Any) -> None:
    value = values(schema, ORDER, '{"number": "1", "day": null, "line": [{"quantity": 1, "note": null}]}')
    assert value.day is None
    assert value.line[0].note is not None
    assert not value.line[0].note


def test_a_field_may_be_called_by_its_xml_name(schema: Any) -> None:
    value = values(schema, ORDER, '{"{urn:t}number": "1", "amount": {"value": "1", "@currency": "EUR"}}')
    assert (value.number, value.amount.currency) == ("1", "EUR")


@pytest.mark.parametrize(
    ("data", "path", "said"),
    [
        ('{"numbr": "1"}', "/e", "Did you mean 'number'?"),
        ('{"number": 1}', "/e/number", "1 cannot be read as string"),
        ('{"number": "1", "line": {"quantity": 1}}', "/e/line", "repeats: expected an array, got an object"),
        ('{"number": "1", "line": [{"quantity": 1}, {"quantity": "1_0"}]}', "/e/line[2]/quantity", "'1_0' cannot be read"),
        ('{"number": "1", "line": [null]}', "/e/line[1]", "does not allow nil"),
        ('{"number": "1", "urgent": "yes"}', "/e/urgent", "'yes' cannot be read as boolean"),
        ('{"number": "1", "urgent": 1}', "/e/urgent", "cannot be read as boolean"),
        ('{"number": "1", "amount": 3}', "/e/amount", "Expected an object, got a number. Its fields are: value"),
        ('{"number": "1", "amount": {"value": 1e999999999}}', "/e/amount", "cannot be read as decimal"),
        ('{"number": "1", "$xmll": 1}', "/e", "There is no $xmll"),
        ('{"number": "1", "{urn:t}number": "2"}', "/e", "given twice"),
        ("[1]", "/e", "Expected an object, got an array"),
        ("null", "/e", "e is null"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(schema: Any, data: str, path: str, said: str) -> None:
    codec = Codec(schema(ORDER).model)
    with pytest.raises(EncodeError) as caught:
        codec.encode(E, codec.json.values(E, read(data)))
    assert caught.value.path == path
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "text", ['{"a": 1, "a": 2}', "[NaN]", "[Infinity]", "{", "[" * 100_000, '{"a":' * 100_000, "9" * 5_000]
)
def test_what_json_does_not_say_clearly_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read(text)


def test_xml_in_json_brings_no_entities(schema: Any) -> None:
    bomb = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
    value = values(schema, KINDS["wildcard"], json.dumps({"any": [{"$xml": bomb}]}))
    assert b"root:" not in etree.tostring(value.any[0])


@pytest.mark.parametrize("text", ["", "no element", "<a>", "\ud800", 7])
def test_xml_in_json_is_one_element_or_a_mistake(schema: Any, text: Any) -> None:
    with pytest.raises(EncodeError, match="not one XML element"):
        values(schema, KINDS["wildcard"], json.dumps({"any": [{"$xml": text}]}))
