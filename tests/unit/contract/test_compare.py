from __future__ import annotations

import pytest

from bridge.contract.compare import differences


def leaf(kind: str) -> str:
    return f'<xs:element name="e" type="xs:{kind}"/>'


EQUAL = [
    ("decimal", "1.0", "1.00"), ("decimal", "-0.50", "-.5"), ("decimal", "0", "-0"), ("decimal", "+1", " 1 "),
    ("decimal", "1" * 60 + ".0", "1" * 60), ("int", "+1", "01"), ("boolean", "true", "1"), ("boolean", "0", "false"),
    ("double", "1e2", "100"), ("double", "NaN", "NaN"), ("double", "INF", "INF"), ("float", "1.50", "1.5"),
    ("dateTime", "2024-01-31T12:00:00Z", "2024-01-31T12:00:00+00:00"),
    ("dateTime", "2024-01-31T24:00:00", "2024-02-01T00:00:00"),
    ("dateTime", "2024-02-28T23:30:00-01:00", "2024-02-29T00:30:00Z"),
    ("dateTime", "2024-01-31T12:00:00.500", "2024-01-31T12:00:00.5"),
    ("dateTime", "12024-12-31T23:00:00-01:00", "12025-01-01T00:00:00Z"),
    ("date", "2024-01-31Z", "2024-01-31+00:00"), ("time", "24:00:00", "00:00:00"),
    ("time", "23:30:00Z", "00:30:00+01:00"), ("duration", "P1Y", "P12M"), ("duration", "PT24H", "P1D"),
    ("duration", "-PT60S", "-PT1M"), ("gYear", "2024Z", "2024-00:00"), ("hexBinary", "0a", "0A"),
    ("base64Binary", "AQ ID", "AQID"), ("token", " a  b ", "a b"), ("QName", "p:x", "q:x"), ("anyURI", " urn:x", "urn:x"),
]  # fmt: skip
DIFFERENT = [
    ("decimal", "1.0", "1.01"), ("decimal", "1" * 60 + ".1", "1" * 60), ("string", "a", " a"), ("string", "1.0", "1.00"),
    ("double", "0", "-0"), ("dateTime", "2024-01-31T12:00:00Z", "2024-01-31T12:00:00"),
    ("dateTime", "2024-01-31T12:00:00Z", "2024-01-31T12:00:00+01:00"),
    ("dateTime", "2024-01-31T12:00:00.1234567", "2024-01-31T12:00:00.123456"),
    ("date", "2024-01-31", "2024-01-31Z"), ("date", "-0001-01-01", "0001-01-01"), ("duration", "P1M", "P30D"),
    ("gYear", "2024", "2025"), ("base64Binary", "AQID", "AQIE"), ("QName", "p:x", "xs:x"), ("boolean", "true", "false"),
    ("normalizedString", "a b", "a  b"), ("time", "00:00:00", "00:00:00Z"),
]  # fmt: skip
PREFIXED = '<e xmlns:p="urn:p" xmlns:q="urn:p"'


@pytest.mark.parametrize(("kind", "left", "right"), EQUAL)
def test_equal_values_are_equal_however_they_are_written(
    schema, doc, kind: str, left: str, right: str
) -> None:
    one = schema(leaf(kind))
    pair = [doc(f"{PREFIXED}>{text}</e>") for text in (left, right)]
    assert all(one.admits(e) for e in pair)
    assert differences(one.model, "{urn:t}e", *pair) == []


@pytest.mark.parametrize(("kind", "left", "right"), DIFFERENT)
def test_different_values_differ(schema, doc, kind: str, left: str, right: str) -> None:
    one = schema(leaf(kind))
    pair = [doc(f"{PREFIXED}>{text}</e>") for text in (left, right)]
    assert all(one.admits(e) for e in pair)
    (difference,) = differences(one.model, "{urn:t}e", *pair)
    assert difference.startswith("/e: ")


TREE = """<xs:complexType name="base"><xs:sequence><xs:element name="a" type="xs:decimal" minOccurs="0"/></xs:sequence><xs:attribute name="n" type="xs:int"/></xs:complexType>
<xs:complexType name="more"><xs:complexContent><xs:extension base="base"><xs:sequence><xs:element name="b" type="xs:date" minOccurs="0"/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>
<xs:element name="e"><xs:complexType><xs:sequence>
 <xs:element name="part" type="base" minOccurs="0" maxOccurs="unbounded" nillable="true"/>
 <xs:element name="list" minOccurs="0"><xs:simpleType><xs:list itemType="xs:decimal"/></xs:simpleType></xs:element>
 <xs:element name="either" minOccurs="0"><xs:simpleType><xs:union memberTypes="xs:int xs:string"/></xs:simpleType></xs:element>
 <xs:element name="mixed" minOccurs="0"><xs:complexType mixed="true"><xs:sequence><xs:element name="a" type="xs:decimal" minOccurs="0"/></xs:sequence></xs:complexType></xs:element>
 <xs:element name="implied" type="xs:int" default="5" minOccurs="0"/>
 <xs:any namespace="##other" processContents="lax" minOccurs="0"/>
</xs:sequence></xs:complexType></xs:element>"""


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ('<part n="1"><a>1.0</a></part>', '<part n="+1"> <!-- one --> <a>1</a>\n</part>'),
        ('<part xsi:type="more"/>', '<part xmlns:z="urn:t" xsi:type="z:more"/>'),
        ('<part xsi:nil="true"/>', '<part xsi:nil="1"/>'),
        ("<list>1 2.0</list>", "<list> 1.0  2 </list>"),
        ("<either>+1</either>", "<either>1</either>"),
        ("<mixed>a<a>1</a>b</mixed>", "<mixed>a<a>1.0</a>b<?x?></mixed>"),
        ("<implied/>", "<implied>5</implied>"),
        ('<o xmlns="urn:o" b="1" c="2"> x </o>', '<o xmlns="urn:o" c="2" b="1"> x </o>'),
        ('<part xsi:schemaLocation="a b"/>', "<part/>"),
        ("<part/>", "<z:part xmlns:z='urn:t'/>"),
    ],
)
def test_equal_documents_are_equal(schema, doc, left: str, right: str) -> None:
    one = schema(TREE)
    pair = [doc(f"<e>{text}</e>") for text in (left, right)]
    assert all(one.admits(e) for e in pair)
    assert differences(one.model, "{urn:t}e", *pair) == []


@pytest.mark.parametrize(
    ("left", "right", "path"),
    [
        ("<part><a>1</a></part><part><a>2</a></part>", "<part><a>1</a></part><part><a>3</a></part>", "/e/part[2]/a: '2' and '3'"),
        ("<part/>", "", "/e/part: '<{urn:t}part>' and nothing"),
        ("", "<part/>", "/e: nothing and '<{urn:t}part>'"),
        ('<part n="1"/>', "<part/>", "/e/part/@n: '1' and nothing"),
        ('<part xsi:type="more"/>', "<part/>", "/e/part/@xsi:type: 'more' and nothing"),
        ('<part xsi:nil="true"/>', "<part/>", "/e/part/@xsi:nil: 'true' and nothing"),
        ("<either>1</either>", "<either>a</either>", "/e/either: '1' and 'a'"),
        ("<mixed>a<a>1</a>b</mixed>", "<mixed>a<a>1</a> b</mixed>", "/e/mixed/text(): 'a|b' and 'a| b'"),
        ("<list>1 2</list>", "<list>2 1</list>", "/e/list: '1 2' and '2 1'"),
        ('<o xmlns="urn:o"> x </o>', '<o xmlns="urn:o">x</o>', "/e/o: "),
        ("<list>1</list>", "<either>1</either>", "/e/list: '<{urn:t}list>' and '<{urn:t}either>'"),
    ],
)  # fmt: skip
def test_differences_are_told_with_their_path(schema, doc, left: str, right: str, path: str) -> None:
    one = schema(TREE)
    pair = [doc(f"<e>{text}</e>") for text in (left, right)]
    assert all(one.admits(e) for e in pair)
    (difference,) = differences(one.model, "{urn:t}e", *pair)
    assert difference.startswith(path)
