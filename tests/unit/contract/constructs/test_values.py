"""Simple values: every built-in type, lists, unions, names; nothing of them is lost."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal as D

import pytest

from bridge.contract.codec.values import (
    Nil,
    TypedValue,
    XsdDate,
    XsdDateTime,
    XsdDuration,
    XsdGDay,
    XsdGMonth,
    XsdGMonthDay,
    XsdGYear,
    XsdGYearMonth,
    XsdTime,
)

from .conftest import XSD, Construct

SHANGHAI, NEW_YORK = timezone(timedelta(hours=8)), timezone(timedelta(hours=-5))
CASES = [
    ("a list in an element and in an attribute", "lists",
     '<Message prices="1.0 2.50"><Numbers>3 -1 2</Numbers><Pair>1 2</Pair><Days>2024-01-01 2024-01-02Z</Days><Words>a b</Words>'
     "<Rows>1</Rows><Rows/><Rows>2 3</Rows></Message>",
     {"Numbers": [3, -1, 2], "Pair": [1, 2], "Days": [date(2024, 1, 1), XsdDate("2024-01-02Z")], "Words": ["a", "b"],
      "Rows": [[1], [], [2, 3]], "prices": [D("1.0"), D("2.50")]}),
    ("a list may stand on several lines", "lists",
     "<Message><Numbers>\n 3\t4\n</Numbers></Message>", {"Numbers": [3, 4]}, "<Message><Numbers>3 4</Numbers></Message>"),
    ("a union takes the first member that admits the text", "unions",
     '<Message size="12"><Size>9</Size><Size>large</Size><Size>007</Size><Size>120</Size><Size>07</Size></Message>',
     {"Size": [9, "large", "007", "120", 7], "size": 12},
     '<Message size="12"><Size>9</Size><Size>large</Size><Size>007</Size><Size>120</Size><Size>7</Size></Message>'),
    ("a union of dates, booleans and text", "unions",
     "<Message><When>2024-01-01</When><When>2024-01-01T01:02:03</When><When>true</When><When>soon  </When><When>2024-13-01</When></Message>",
     {"When": [date(2024, 1, 1), datetime(2024, 1, 1, 1, 2, 3), True, "soon  ", "2024-13-01"]}),
    ("a list of unions", "unions", "<Message><Sizes>1 large 007 3</Sizes></Message>", {"Sizes": [1, "large", "007", 3]}),
    ("enumerated values", "enumerations",
     "<Message><Status>in transit</Status><Rate>7</Rate><Quarter>--03-31</Quarter></Message>",
     {"Status": "in transit", "Rate": D(7), "Quarter": XsdGMonthDay("--03-31")}),
    ("an enumerated empty value, and one in Chinese", "enumerations", "<Message><Status>已关闭</Status></Message>", {"Status": "已关闭"}),
    ("values with patterns and facets", "patterns",
     "<Message><Sku>AB-1234</Sku><Amount>10.50</Amount><Name>a b</Name></Message>",
     {"Sku": "AB-1234", "Amount": D("10.50"), "Name": "a b"}),
    ("a type that collapses white space", "patterns",
     "<Message><Sku>X1</Sku><Name>\n a   b\t</Name></Message>", {"Sku": "X1", "Name": "a b"},
     "<Message><Sku>X1</Sku><Name>a b</Name></Message>"),
    ("numbers whose pattern wants zeros keep them", "padded-numbers",
     '<Message item="000007"><Item>000042</Item><Item>123456</Item><Hour>2024-01-01T05:00:00Z</Hour><Flag>1</Flag></Message>',
     {"Item": [42, 123456], "Hour": datetime(2024, 1, 1, 5, tzinfo=UTC), "Flag": True, "item": 7}),
    ("any simple value is text, or what xsi:type says", "any-simple-type",
     '<Message free=" f "><Value> t </Value><Value xsi:type="xs:decimal">1.50</Value><Value xsi:type="xs:dateTime">2024-01-01T00:00:00Z</Value></Message>',
     {"Value": [" t ", TypedValue(f"{{{XSD}}}decimal", D("1.50")), TypedValue(f"{{{XSD}}}dateTime", datetime(2024, 1, 1, tzinfo=UTC))],
      "free": " f "}),
    ("a payload that is a simple value", "bare-simple", "<Message>12.50</Message>", D("12.50")),
    ("names as values are Clark names", "qnames",
     '<Message xmlns:a="urn:a" xmlns:b="urn:b" kind="a:k" kinds="a:k b:k"><Name>b:x</Name><Name>y</Name><Name>xs:int</Name>'
     '<Names>a:x b:y a:z</Names><Rule like="b:r">a:q</Rule></Message>',
     {"Name": ["{urn:b}x", "{urn:test:qnames}y", f"{{{XSD}}}int"], "Names": ["{urn:a}x", "{urn:b}y", "{urn:a}z"],
      "Rule": {"value": "{urn:a}q", "like": "{urn:b}r"}, "kind": "{urn:a}k", "kinds": ["{urn:a}k", "{urn:b}k"]}),
    ("a name on a nil element", "qnames",
     '<Message xmlns:a="urn:a"><Name>a:x</Name><Gone xsi:nil="true" why="a:lost"/></Message>',
     {"Name": ["{urn:a}x"], "Gone": Nil({"why": "{urn:a}lost"})}),
]  # fmt: skip


def canonical_names(document: str) -> bool:
    return "qnames" in document


@pytest.mark.parametrize("case", [pytest.param(case[1:], id=case[0]) for case in CASES])
def test_construct(case: tuple[object, ...]) -> None:
    name, *rest = case
    Construct(str(name)).prove(*rest)  # type: ignore[arg-type]


SAME = ""  # comes out as it went in
VALUES = [
    ("numbers", "decimal", "1.50", D("1.50"), SAME), ("numbers", "decimal", "-0.00", D("-0.00"), SAME),
    ("numbers", "decimal", "123456789012345678901234567890.12345678901234567890", D("123456789012345678901234567890.12345678901234567890"), SAME),
    ("numbers", "decimal", "0.0000000001", D("0.0000000001"), SAME), ("numbers", "decimal", "+.5", D("0.5"), "0.5"),
    ("numbers", "decimal", "5.", D(5), "5"), ("numbers", "decimal", " 1\n", D(1), "1"),
    ("numbers", "integer", "-" + "9" * 30, int("-" + "9" * 30), SAME), ("numbers", "integer", "+007", 7, "7"),
    ("numbers", "nonPositiveInteger", "0", 0, SAME), ("numbers", "negativeInteger", "-1", -1, SAME),
    ("numbers", "long", "-9223372036854775808", -(2**63), SAME), ("numbers", "int", "2147483647", 2**31 - 1, SAME),
    ("numbers", "short", "-32768", -32768, SAME), ("numbers", "byte", "127", 127, SAME),
    ("numbers", "nonNegativeInteger", "0", 0, SAME), ("numbers", "unsignedLong", "18446744073709551615", 2**64 - 1, SAME),
    ("numbers", "unsignedInt", "4294967295", 2**32 - 1, SAME), ("numbers", "unsignedShort", "65535", 65535, SAME),
    ("numbers", "unsignedByte", "255", 255, SAME), ("numbers", "positiveInteger", "1", 1, SAME),
    ("numbers", "double", "1.5", 1.5, SAME), ("numbers", "double", "1E3", 1000.0, "1000.0"), ("numbers", "double", "-INF", -math.inf, SAME),
    ("numbers", "double", "NaN", math.nan, SAME), ("numbers", "double", "-0", -0.0, "-0.0"), ("numbers", "float", "INF", math.inf, SAME),
    ("numbers", "double", "1.7976931348623157E308", 1.7976931348623157e308, "1.7976931348623157e+308"),
    ("numbers", "float", "0.1", 0.1, SAME), ("numbers", "boolean", "true", True, SAME), ("numbers", "boolean", "0", False, "false"),
    ("texts", "string", "  a\n b  ", "  a\n b  ", SAME), ("texts", "string", "<&>\"']]>\r", "<&>\"']]>\r", SAME),
    ("texts", "string", "\u3000全角\u3000", "\u3000全角\u3000", SAME), ("texts", "string", "😀\U0010ffff", "😀\U0010ffff", SAME),
    ("texts", "string", "a\u0085b\u2028c\ufeff", "a\u0085b\u2028c\ufeff", SAME), ("texts", "string", "\t", "\t", SAME),
    ("texts", "normalizedString", "a\tb", "a b", "a b"), ("texts", "token", "  a   b ", "a b", "a b"),
    ("texts", "token", "\u3000a\u3000", "\u3000a\u3000", SAME), ("texts", "token", "a\u00a0 b", "a\u00a0 b", SAME),
    ("texts", "language", "zh-Hant-TW", "zh-Hant-TW", SAME), ("texts", "Name", "a:b", "a:b", SAME), ("texts", "NCName", "_x-1", "_x-1", SAME),
    ("texts", "NMTOKEN", "1a.b", "1a.b", SAME), ("texts", "NMTOKENS", "1 b", ["1", "b"], SAME), ("texts", "anyURI", "http://x/y?a=1&b=%20", "http://x/y?a=1&b=%20", SAME),
    ("dates", "date", "2024-02-29", date(2024, 2, 29), SAME), ("dates", "date", "2024-02-29Z", XsdDate("2024-02-29Z"), SAME),
    ("dates", "date", "2024-02-29+08:00", XsdDate("2024-02-29+08:00"), SAME), ("dates", "date", "12024-01-01", XsdDate("12024-01-01"), SAME),
    ("dates", "date", "-0044-03-15", XsdDate("-0044-03-15"), SAME), ("dates", "date", "0001-01-01", date(1, 1, 1), SAME),
    ("dates", "time", "13:20:00", time(13, 20), SAME), ("dates", "time", "13:20:00.5Z", time(13, 20, 0, 500000, UTC), "13:20:00.500000Z"),
    ("dates", "time", "24:00:00", XsdTime("24:00:00"), SAME), ("dates", "time", "13:20:00.123456789", XsdTime("13:20:00.123456789"), SAME),
    ("dates", "time", "13:20:00-05:00", time(13, 20, tzinfo=NEW_YORK), SAME),
    ("dates", "dateTime", "2024-01-31T12:00:00", datetime(2024, 1, 31, 12), SAME),
    ("dates", "dateTime", "2024-01-31T12:00:00Z", datetime(2024, 1, 31, 12, tzinfo=UTC), SAME),
    ("dates", "dateTime", "2024-01-31T12:00:00+08:00", datetime(2024, 1, 31, 12, tzinfo=SHANGHAI), SAME),
    ("dates", "dateTime", "2024-01-31T12:00:00-00:00", datetime(2024, 1, 31, 12, tzinfo=UTC), "2024-01-31T12:00:00Z"),
    ("dates", "dateTime", "2024-01-31T12:00:00.123456", datetime(2024, 1, 31, 12, 0, 0, 123456), SAME),
    ("dates", "dateTime", "2024-01-31T12:00:00.123456789", XsdDateTime("2024-01-31T12:00:00.123456789"), SAME),
    ("dates", "dateTime", "2024-01-31T12:00:00.5000000000", datetime(2024, 1, 31, 12, 0, 0, 500000), "2024-01-31T12:00:00.500000"),
    ("dates", "dateTime", "2024-01-31T24:00:00Z", XsdDateTime("2024-01-31T24:00:00Z"), SAME),
    ("dates", "dateTime", "12024-01-31T12:00:00", XsdDateTime("12024-01-31T12:00:00"), SAME),
    ("dates", "dateTime", "-0044-03-15T12:00:00Z", XsdDateTime("-0044-03-15T12:00:00Z"), SAME),
    ("dates", "dateTime", "0001-01-01T00:00:00+14:00", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), SAME),
    ("dates", "duration", "P1Y2M3DT4H5M6.789S", XsdDuration("P1Y2M3DT4H5M6.789S"), SAME), ("dates", "duration", "-PT0S", XsdDuration("-PT0S"), SAME),
    ("dates", "gYear", "2024", XsdGYear("2024"), SAME), ("dates", "gYear", "-0044+01:00", XsdGYear("-0044+01:00"), SAME),
    ("dates", "gYearMonth", "2024-02Z", XsdGYearMonth("2024-02Z"), SAME), ("dates", "gMonth", "--02", XsdGMonth("--02"), SAME),
    ("dates", "gMonthDay", "--02-29", XsdGMonthDay("--02-29"), SAME), ("dates", "gDay", "---31-05:00", XsdGDay("---31-05:00"), SAME),
    ("binary", "base64Binary", "AQID/w==", b"\x01\x02\x03\xff", SAME), ("binary", "base64Binary", "AQ ID", b"\x01\x02\x03", "AQID"),
    ("binary", "base64Binary", "", b"", SAME), ("binary", "hexBinary", "0aFF", b"\x0a\xff", "0AFF"), ("binary", "hexBinary", "", b"", SAME),
]  # fmt: skip


@pytest.mark.parametrize(("contract", "kind", "text", "value", "again"), VALUES)
@pytest.mark.parametrize("place", ["element", "attribute"])
def test_every_built_in_value_survives(
    contract: str, kind: str, text: str, value: object, again: str, place: str
) -> None:
    def document(content: str) -> str:
        escaped = (
            content.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")
        )
        if place == "element":
            return f"<Message><{kind}>{escaped}</{kind}><{kind}>{escaped}</{kind}></Message>"
        escaped = escaped.replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")
        return f'<Message {kind}="{escaped}"/>'

    expected = (
        {kind: [value, value]} if place == "element" else {f"{kind}_" if kind == "kind" else kind: value}
    )
    construct = Construct(contract)
    if place == "attribute":
        attribute = construct.decode(document(text))[f"@{kind}"]
        assert type(attribute) is type(value)
        assert str(attribute) == str(value)
        written = construct.encode(construct.decode(document(text)))
        assert written.get(kind) == (again or text)
        return
    construct.prove(document(text), expected, document(again) if again else None)
    written = construct.encode(construct.decode(document(text)))
    assert [child.text or "" for child in written] == [again or text] * 2


def test_what_datetime_would_drop_has_its_parts() -> None:
    moment = XsdDateTime("2024-01-31T24:00:00.0000001+08:00")
    assert (moment.year, moment.hour, moment.second, moment.offset) == (
        2024,
        24,
        D("0.0000001"),
        timedelta(hours=8),
    )
    assert moment.datetime() == datetime(2024, 2, 1, tzinfo=SHANGHAI)
    assert XsdDate("2024-02-29-05:00").date() == date(2024, 2, 29)
    assert XsdDuration("-P1Y1M").months == -13
    assert XsdDuration("P1DT0.5S").timedelta() == timedelta(days=1, seconds=0.5)
    with pytest.raises(ValueError, match="months or years"):
        XsdDuration("P1M").timedelta()
    with pytest.raises(ValueError, match="is not written as a XsdDate"):
        _ = XsdDate("yesterday").year


@pytest.mark.parametrize(("kind", "value", "text"), [
    ("decimal", D("1E+3"), "1000"), ("decimal", D("1E-7"), "0.0000001"), ("decimal", 5, "5"), ("double", 5, "5"), ("double", 1e16, "1e+16"),
    ("duration", timedelta(days=1, seconds=2, microseconds=3), "P1DT2.000003S"), ("duration", -timedelta(hours=1), "-P0DT3600S"),
    ("hexBinary", bytearray(b"\x01"), "01"), ("gYear", "2024", "2024"),
])  # fmt: skip
def test_values_close_to_the_usual_type_are_taken(kind: str, value: object, text: str) -> None:
    contract = "numbers" if kind in ("decimal", "double") else "binary" if kind == "hexBinary" else "dates"
    assert Construct(contract).encode({kind: [value]})[0].text == text
