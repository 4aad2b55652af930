"""Derivation, xsi:type, attributes and names: classes that are related as the schema's types are."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime
from decimal import Decimal as D

import pytest

from bridge.contract.codec.values import Nil, TypedValue, XsdGYear

from .conftest import XSD, Construct

FAR = ' xmlns:f="urn:test:xsi-type:far"'
AWKWARD = (
    '<Message id="a" class="c" unit-price="u"><class>1</class><from>2</from><unit-price>3</unit-price><unit.price>4</unit.price><id>5</id>'
    "<Größe>6</Größe><数量>7</数量><_private>8</_private><__dict__>9</__dict__><None>10</None><self>11</self><xml_type>12</xml_type>"
    '<print>13</print><get>14</get><tag>15</tag><Text value="1">x</Text></Message>'
)
CASES = [
    ("an extension has its base's fields first", "extension",
     '<Message><Employee id="1" since="2020"><Name>n</Name><Tag>a</Tag><Tag>b</Tag><Born>1990-01-02</Born><Rate>5.5</Rate></Employee></Message>',
     {"Employee": {"Name": "n", "Tag": ["a", "b"], "id": 1, "Born": date(1990, 1, 2), "Rate": D("5.5"), "since": XsdGYear("2020")}}),
    ("an extension that adds only an attribute", "extension",
     '<Message><Retired until="2030"><Name>n</Name><Salary>1</Salary></Retired></Message>',
     {"Retired": {"Name": "n", "Salary": D(1), "until": XsdGYear("2030")}}),
    ("an extension that adds nothing", "extension",
     '<Message><Same id="2"><Name>n</Name></Same></Message>', {"Same": {"Name": "n", "id": 2}}),
    ("an extension that repeats a name of its base is one list", "extension-same-name",
     "<Message><Base><A>1</A></Base><Derived><A>1</A><B>2</B><A>3</A></Derived></Message>",
     {"Base": [{"A": 1}], "Derived": {"content": [("A", 1), ("B", 2), ("A", 3)]}}),
    ("an extension that repeats a name of its base, by xsi:type", "extension-same-name",
     '<Message><Base xsi:type="t:Derived"><A>1</A><B>2</B><A>3</A></Base></Message>',
     {"Base": [{"content": [("A", 1), ("B", 2), ("A", 3)]}]}),
    ("xsi:type in a list, each of its own", "xsi-type",
     '<Message><Shape><Label>l</Label></Shape><Shape xsi:type="t:Circle"><Radius>2.0</Radius></Shape>'
     '<Shape xsi:type="t:Ring" inner="1"><Radius>2</Radius></Shape></Message>',
     {"Shape": [{"Label": "l"}, {"Radius": D("2.0")}, {"Radius": D(2), "inner": D(1)}]}),
    ("xsi:type of another namespace", "xsi-type",
     f'<Message{FAR}><Shape xsi:type="f:Square"><f:Side>4</f:Side></Shape></Message>', {"Shape": [{"Side": 4}]}),
    ("xsi:type for a base without fields", "xsi-type",
     '<Message><Thing xsi:type="t:Screw"><Length>20</Length></Thing></Message>', {"Thing": {"Length": 20}}),
    ("xsi:type of a simple type", "xsi-type",
     '<Message><Code xsi:type="t:ShortCode">ab</Code></Message>', {"Code": TypedValue("{urn:test:xsi-type}ShortCode", "ab")}),
    ("xsi:type that says what was declared anyway", "xsi-type",
     '<Message><Shape xsi:type="t:Shape"><Label>l</Label></Shape><Code xsi:type="t:Code">abc</Code></Message>',
     {"Shape": [{"Label": "l"}], "Code": "abc"}, "<Message><Shape><Label>l</Label></Shape><Code>abc</Code></Message>"),
    ("values of an abstract type", "abstract-type",
     '<Message><Payment xsi:type="t:Transfer"><Amount>1</Amount><Iban>DE</Iban></Payment>'
     '<Payment xsi:type="t:Card"><Amount>2.50</Amount><Number>4</Number></Payment></Message>',
     {"Payment": [{"Amount": D(1), "Iban": "DE"}, {"Amount": D("2.50"), "Number": "4"}]}),
    ("a restricted type reads its own narrower types", "restriction",
     '<Message><Piece unit="pc"><Code>c</Code><Amount>3</Amount><Tag>t</Tag></Piece></Message>',
     {"Piece": {"Code": "c", "Amount": 3, "Tag": ["t"], "unit": "pc"}}),
    ("the type that it restricts, and a restriction of anyType", "restriction",
     '<Message><Item unit="kg" lot="7"><Code>c</Code><Amount>3.0</Amount><Note>n</Note></Item><Any><Only>1</Only></Any></Message>',
     {"Item": {"Code": "c", "Amount": D("3.0"), "Note": "n", "unit": "kg", "lot": "7"}, "Any": {"Only": 1}}),
    ("a restricted type by xsi:type", "restriction",
     '<Message><Item xsi:type="t:Piece" unit="pc"><Code>c</Code><Amount>3</Amount><Tag>t</Tag></Item></Message>',
     {"Item": {"Code": "c", "Amount": 3, "Tag": ["t"], "unit": "pc"}}),
    ("text with attributes is value and fields", "simple-content-extension",
     '<Message><Price currency="EUR">1.50</Price><Price currency="CNY">-0.01</Price></Message>',
     {"Price": [{"value": D("1.50"), "currency": "EUR"}, {"value": D("-0.01"), "currency": "CNY"}]}),
    ("an attribute called value yields to the text", "simple-content-extension",
     '<Message><Price currency="EUR">1</Price><Tax currency="EUR" rate="19" value="v">0.19</Tax></Message>',
     {"Price": [{"value": D(1), "currency": "EUR"}], "Tax": {"value": D("0.19"), "currency": "EUR", "rate": D(19), "value_": "v"}}),
    ("text with attributes, narrowed", "simple-content-restriction",
     '<Message><Weight unit="kg">1.25</Weight><Other unit="m" tool="t">2</Other></Message>',
     {"Weight": {"value": D("1.25"), "unit": "kg"}, "Other": {"value": D(2), "unit": "m", "tool": "t"}}),
    ("attributes of every kind", "attributes",
     '<Message id="1" ready="true" mode="fast" edition="2" t:due="2024-01-01" sizes="S M" memo="a &quot;b&quot; &lt;c&gt; &#10;d&#9;e&#13;" t:version="3">'
     '<Text xml:lang="zh-CN">你好</Text></Message>',
     {"Text": {"value": "你好", "lang": "zh-CN"}, "id": 1, "ready": True, "mode": "fast", "edition": "2", "due": date(2024, 1, 1),
      "sizes": ["S", "M"], "memo": 'a "b" <c> \nd\te\r', "version": 3}),
    ("absent attributes are absent, defaults or not", "attributes", '<Message id="1"><Text/></Message>', {"Text": {"value": ""}, "id": 1}),
    ("an empty list as an attribute is not an absent one", "attributes",
     '<Message id="1" memo=""><Text>x</Text></Message>', {"Text": {"value": "x"}, "id": 1, "memo": ""}),
    ("attributes of groups within groups", "attribute-group",
     '<Message id="1" by="me" at="2024-01-01T00:00:00Z"><Name>n</Name></Message>',
     {"Name": "n", "id": 1, "by": "me", "at": datetime(2024, 1, 1, tzinfo=UTC)}),
    ("attributes nobody foresaw are a dict by Clark name", "any-attribute",
     '<Message id="1" free="&#10;" xmlns:o="urn:o" o:x="&quot;" xml:lang="en"><Name>n</Name></Message>',
     {"Name": "n", "id": 1, "any_attributes": {"free": "\n", "{urn:o}x": '"', "{http://www.w3.org/XML/1998/namespace}lang": "en"}}),
    ("a wildcard for attributes that took nothing", "any-attribute", "<Message><Name>n</Name></Message>", {"Name": "n"}),
    ("children without a namespace", "unqualified",
     '<Message><line xmlns=""><sku>a</sku><quantity>1</quantity></line><line xmlns=""><sku>b</sku><quantity>2</quantity></line></Message>',
     {"line": [{"sku": "a", "quantity": 1}, {"sku": "b", "quantity": 2}]}),
    ("forms against the default", "mixed-forms",
     '<Message t:own="1" none="2"><Plain>3</Plain><Bare xmlns="">4</Bare></Message>', {"Plain": 3, "Bare": 4, "own": 1, "none": 2}),
    ("one local name in two namespaces", "two-namespaces",
     '<Message kind="k" xmlns:b="urn:test:two-namespaces:b" b:kind="5"><Id>1</Id><b:Id>x</b:Id><b:Detail><b:Id>true</b:Id></b:Detail>'
     "<Mark>1</Mark><b:Mark>m</b:Mark></Message>",
     {"Id": 1, "Id_": "x", "Detail": {"Id": True},
      "choice": [("{urn:test:two-namespaces}Mark", 1), ("{urn:test:two-namespaces:b}Mark", "m")], "kind": "k", "kind_": 5}),
    ("names that Python does not take get a trailing underscore", "awkward-names",
     AWKWARD,
     {"class_": 1, "from_": 2, "unit_price_": D(3), "unit_price__": D(4), "id": 5, "Größe": 6, "数量": 7, "_private": 8, "__dict___": 9,
      "None_": 10, "self": 11, "xml_type_": 12, "print": 13, "get": 14, "tag": 15, "Text": {"value": "x", "value_": 1},
      "id_": "a", "class__": "c", "unit_price___": "u"}),
    ("IDs and references are texts", "identifiers",
     '<Message><Part id="a"/><Part id="b" inside="a" beside="a b"/></Message>',
     {"Part": [{"id": "a"}, {"id": "b", "inside": "a", "beside": ["a", "b"]}]}),
    ("documentation changes nothing", "documented", "<Message><Colour>red</Colour></Message>", {"Colour": "red"}),
    ("nil beside xsi:type keeps the type, with the attributes it brings", "xsi-type",
     '<Message><Nothing xsi:type="t:Ring" xsi:nil="true" inner="1.50"/></Message>',
     {"Nothing": Nil({"inner": D("1.50")}, "{urn:test:xsi-type}Ring")}),
    ("a nil element keeps attributes nobody foresaw", "any-attribute",
     '<Message id="1" xsi:nil="true" free="f" xmlns:o="urn:o" o:x="y"/>', Nil({"id": 1, "free": "f", "{urn:o}x": "y"})),
]  # fmt: skip


@pytest.mark.parametrize("case", [pytest.param(case[1:], id=case[0]) for case in CASES])
def test_construct(case: tuple[object, ...]) -> None:
    name, *rest = case
    Construct(str(name)).prove(*rest)  # type: ignore[arg-type]


def test_classes_are_related_as_their_types_are() -> None:
    construct = Construct("extension")
    names = ["Party", "Person", "Employee", "Retired"]
    classes = [construct.type(name) for name in names]
    assert [cls.__name__ for cls in classes] == names
    for base, derived in itertools.pairwise(classes):
        assert issubclass(derived, base)


@pytest.mark.parametrize(("contract", "base", "derived"), [
    ("xsi-type", "Shape", "Ring"), ("xsi-type", "Thing", "Screw"), ("abstract-type", "Payment", "Card"), ("restriction", "Item", "Piece"),
    ("simple-content-extension", "Money", "Tax"), ("simple-content-restriction", "Measure", "Weight"), ("mixed", "Phrase", "Letter"),
    ("substitution-group", "Vehicle", "Truck"),
])  # fmt: skip
def test_a_derived_types_class_is_a_subclass(contract: str, base: str, derived: str) -> None:
    construct = Construct(contract)
    assert issubclass(construct.type(derived), construct.type(base))


def test_xsi_type_gives_the_subclass_and_an_instance_of_it_writes_xsi_type() -> None:
    construct = Construct("xsi-type")
    ring = construct.type("Ring")
    value = construct.decode(
        '<Message><Shape xsi:type="t:Ring" inner="1"><Radius>2</Radius></Shape></Message>'
    )
    assert type(value.Shape[0]) is ring
    written = construct.encode({"Shape": [ring(Radius=D(3))]})
    assert written[0].get(f"{{{XSD}-instance}}type", "").endswith("Ring")


def test_an_anonymous_types_class_is_called_like_its_element() -> None:
    value = Construct("anonymous-types").decode(
        "<Message><Sender><Address><City>Ulm</City></Address></Sender><Receiver><Address><Box>5</Box></Address></Receiver></Message>"
    )
    assert type(value.Sender.Address).__name__ == type(value.Receiver.Address).__name__ == "Address"
    assert type(value.Sender.Address) is not type(value.Receiver.Address)


def test_every_field_can_be_had_by_its_xml_name() -> None:
    value = Construct("awkward-names").decode(AWKWARD)
    ns = "{urn:test:awkward-names}"
    assert value["class"] == value[f"{ns}class"] == 1
    assert value["@class"] == "c"
    assert value["id"] == 5
    assert value["@id"] == "a"
    assert value[f"{ns}unit.price"] == D(4)
    assert value["Text"]["@value"] == 1
    value["@id"] = "b"
    assert value.id_ == "b"
    with pytest.raises(KeyError, match="Message has no nothing; it has: "):
        value["nothing"]


def test_of_one_local_name_in_two_namespaces_the_clark_name_tells_which() -> None:
    value = Construct("two-namespaces").decode(
        '<Message xmlns:b="urn:test:two-namespaces:b" kind="k" b:kind="5"><Id>1</Id><b:Id>x</b:Id></Message>'
    )
    assert value["{urn:test:two-namespaces}Id"] == 1
    assert value["{urn:test:two-namespaces:b}Id"] == "x"
    assert value["@kind"] == "k"
    assert value["@{urn:test:two-namespaces:b}kind"] == 5


def test_any_element_with_xsi_type_is_a_value_of_that_type() -> None:
    construct = Construct("any-type")
    value = construct.decode(
        '<Message><Data xsi:type="t:Point"><X>1</X></Data><Data xsi:type="xs:int">5</Data><Data xsi:type="xs:date">2024-01-01</Data></Message>'
    )
    point, *simple = value.Data
    assert isinstance(point, construct.type("Point"))
    assert simple == [TypedValue(f"{{{XSD}}}int", 5), TypedValue(f"{{{XSD}}}date", date(2024, 1, 1))]
    again = construct.contract.codec.decode(construct.element, construct.encode(value))
    assert again == value
