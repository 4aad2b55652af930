"""Choices, groups, repetition, wildcards, mixed content, nil: what a handler gets for each, and that nothing is lost."""

from __future__ import annotations

from datetime import date
from decimal import Decimal as D

import pytest

from bridge.contract.codec.values import NIL, Element, Nil, XsdDuration

from .conftest import Construct, Raw

CASES = [
    ("a choice sets exactly one of its fields", "choice",
     "<Message><Amount>9.50</Amount><Card>4711</Card></Message>",
     {"Amount": D("9.50"), "Card": "4711"}),
    ("a choice may set a false value", "choice",
     "<Message><Amount>1</Amount><Cash>false</Cash><NoteId>0</NoteId></Message>",
     {"Amount": D(1), "Cash": False, "NoteId": 0}),
    ("a choice may set an empty text", "choice",
     "<Message><Amount>1</Amount><Account/></Message>",
     {"Amount": D(1), "Account": ""}),
    ("a choice may set an element that repeats", "choice",
     "<Message><Amount>1</Amount><Voucher>a</Voucher><Voucher>b</Voucher><Note>n</Note></Message>",
     {"Amount": D(1), "Voucher": ["a", "b"], "Note": "n"}),
    ("a branch of a choice sets all its fields", "choice-of-sequences",
     "<Message><Street>Elm</Street><City>Ulm</City></Message>",
     {"Street": "Elm", "City": "Ulm"}),
    ("a choice inside a branch of a choice", "choice-of-sequences",
     "<Message><Box>12</Box><OfficeCode>7</OfficeCode></Message>",
     {"Box": 12, "OfficeCode": 7}),
    ("a choice whose branch is empty sets nothing", "choice-of-sequences", "<Message/>", {}),
    ("a name that two branches share is one field, in the first branch", "choice-sharing-names",
     "<Message><Name>Ann</Name><Email>a@b</Email><Phone>1</Phone></Message>",
     {"Name": "Ann", "Email": ["a@b"], "Phone": "1"}),
    ("a name that two branches share is one field, in the second branch", "choice-sharing-names",
     "<Message><Id>5</Id><Phone>1</Phone><Email>a</Email><Email>b</Email></Message>",
     {"Email": ["a", "b"], "Phone": "1", "Id": 5}),
    ("a repeating choice keeps its order", "repeating-choice",
     '<Message><Title>t</Title><Credit>1.0</Credit><Debit>2</Debit><Credit>3</Credit><Text bold="true">x</Text>'
     "<Total>6</Total></Message>",
     {"Title": "t",
      "choice": [("Credit", D("1.0")), ("Debit", D(2)), ("Credit", D(3)), ("Text", {"value": "x", "bold": True})],
      "Total": D(6)}),
    ("a repeating choice may be empty", "repeating-choice",
     "<Message><Title>t</Title><Total>6</Total></Message>", {"Title": "t", "Total": D(6)}),
    ("a repeating sequence keeps which values belong together", "repeating-sequence",
     '<Message count="3"><Key>a</Key><Value>1</Value><Key>b</Key><Key>c</Key><Value>3</Value></Message>',
     {"items": [("Key", "a"), ("Value", 1), ("Key", "b"), ("Key", "c"), ("Value", 3)], "count": 3}),
    ("a named group gives its elements as fields, and a list under its name where it repeats", "named-group",
     "<Message><From>2024-01-01</From><To>2024-02-01</To><Phone>1</Phone><Holiday><From>2024-01-05</From>"
     "<From>2024-01-07</From><To>2024-01-08</To></Holiday><Year><From>2024-01-01</From></Year></Message>",
     {"From": date(2024, 1, 1), "To": date(2024, 2, 1), "Phone": "1",
      "Holiday": {"Period": [("From", date(2024, 1, 5)), ("From", date(2024, 1, 7)), ("To", date(2024, 1, 8))]},
      "Year": {"From": date(2024, 1, 1)}}),
    ("xs:all in the order of the schema", "all",
     '<Message id="1"><Name>n</Name><Size>2</Size><Colour>red</Colour></Message>',
     {"Name": "n", "Size": 2, "Colour": "red", "id": 1}),
    ("a name at two places keeps the order as a list", "same-name-twice",
     '<Message id="7"><A>1</A><B>2</B><A>3</A><C><D>4</D></C></Message>',
     {"content": [("A", 1), ("B", 2), ("A", 3), ("C", {"D": 4})], "id": 7}),
    ("a name at two places, with what stands between them left out", "same-name-twice",
     "<Message><A>1</A><A>3</A></Message>", {"content": [("A", 1), ("A", 3)]}),
    ("a wildcard is a list of detached elements", "any",
     '<Message><Lax><Before>b</Before><o:x xmlns:o="urn:o" a="1"><o:y>  z </o:y></o:x><p:x xmlns:p="urn:p"/></Lax></Message>',
     {"Lax": {"Before": "b", "any": [Raw('<o:x xmlns:o="urn:o" a="1"><o:y>z</o:y></o:x>'), Raw('<p:x xmlns:p="urn:p"></p:x>')]}}),
    ("a strict wildcard, one that skips, and one for no namespace", "any",
     '<Message><Lax/><Strict><Known>5</Known></Strict><Skip><raw xmlns="">1</raw><Unknown/></Skip><Local><raw xmlns="">2</raw></Local></Message>',
     {"Lax": {}, "Strict": {"any": [Raw('<Known xmlns="urn:test:any">5</Known>')]},
      "Skip": {"any": [Raw("<raw>1</raw>"), Raw('<Unknown xmlns="urn:test:any"></Unknown>')]},
      "Local": {"any": [Raw("<raw>2</raw>")]}}),
    ("two wildcards with an element between them each keep their own", "any-twice",
     '<Message><Apart><x xmlns="urn:1"/><Middle>1</Middle><y xmlns="urn:1"/><x xmlns="urn:1"/></Apart></Message>',
     {"Apart": {"any": [Raw('<x xmlns="urn:1"></x>')], "Middle": 1,
                "any_": [Raw('<y xmlns="urn:1"></y>'), Raw('<x xmlns="urn:1"></x>')]}}),
    ("the first of two wildcards may be empty", "any-twice",
     '<Message><Apart><Middle>1</Middle><y xmlns="urn:1"/></Apart></Message>',
     {"Apart": {"Middle": 1, "any_": [Raw('<y xmlns="urn:1"></y>')]}}),
    ("two wildcards are told apart by namespace", "any-twice",
     '<Message><Spaces><x xmlns="urn:a"/><x xmlns="urn:b"/><y xmlns="urn:b"/></Spaces></Message>',
     {"Spaces": {"any": [Raw('<x xmlns="urn:a"></x>')], "any_": [Raw('<x xmlns="urn:b"></x>'), Raw('<y xmlns="urn:b"></y>')]}}),
    ("a wildcard in a repeating choice stands in its list", "any-twice",
     '<Message><Mixture><Own>1</Own><x xmlns="urn:1"/><Own>2</Own></Mixture></Message>',
     {"Mixture": {"choice": [("Own", 1), Raw('<x xmlns="urn:1"></x>'), ("Own", 2)]}}),
    ("a wildcard as a branch of a choice", "any-twice",
     '<Message><Either><x xmlns="urn:1"/><y xmlns="urn:1"/></Either></Message>',
     {"Either": {"any": [Raw('<x xmlns="urn:1"></x>'), Raw('<y xmlns="urn:1"></y>')]}}),
    ("an element of any type is a detached element, one with xsi:type is what that says", "any-type",
     '<Message><Data a="1"><x xmlns="urn:1">t</x></Data><Data>text</Data><Data/><Untyped><y xmlns=""/></Untyped></Message>',
     {"Data": [Raw('<Data xmlns="urn:test:any-type" a="1"><x xmlns="urn:1">t</x></Data>'),
               Raw('<Data xmlns="urn:test:any-type">text</Data>'), Raw('<Data xmlns="urn:test:any-type"></Data>')],
      "Untyped": Raw('<Untyped xmlns="urn:test:any-type"><y xmlns=""></y></Untyped>')}),
    ("a payload of any type", "any-type-alone",
     '<Message a="1"><x/>text<y xmlns="urn:1"/></Message>',
     Raw('<Message xmlns="urn:test:any-type-alone" a="1"><x></x>text<y xmlns="urn:1"></y></Message>')),
    ("mixed content is a list of text and (name, value)", "mixed",
     '<Message><Phrase style="s">one <b>two</b>\n three<n>4</n><p> <b>5</b></p></Phrase></Message>',
     {"Phrase": {"content": ["one ", ("b", "two"), "\n three", ("n", 4), ("p", {"content": [" ", ("b", "5")]})], "style": "s"}}),
    ("mixed content of a type that extends a mixed one", "mixed",
     "<Message><Letter>Dear <b>you</b>, <sign>me</sign>!</Letter></Message>",
     {"Letter": {"content": ["Dear ", ("b", "you"), ", ", ("sign", "me"), "!"]}}),
    ("mixed content may be text alone, or nothing", "mixed",
     "<Message><Phrase>only &lt;text&gt; &amp; more</Phrase></Message>",
     {"Phrase": {"content": ["only <text> & more"]}}),
    ("nil is NIL and not None", "nillable",
     '<Message><Count xsi:nil="true"/></Message>', {"Count": NIL}),
    ("nil=false is no nil", "nillable",
     '<Message><Count xsi:nil="false">5</Count><Name xsi:nil="0">n</Name></Message>',
     {"Count": 5, "Name": "n"}, "<Message><Count>5</Count><Name>n</Name></Message>"),
    ("nil in the middle of a list keeps its place", "nillable",
     '<Message><Count>1</Count><Score>1</Score><Score xsi:nil="true"/><Score>3</Score></Message>',
     {"Count": 1, "Score": [1, NIL, 3]}),
    ("a nil element keeps its attributes", "nillable",
     '<Message><Count>1</Count><Place xsi:nil="true" reason="lost" since="2024-01-01"/><Price xsi:nil="true" currency="EUR"/>'
     '<Stop><City>Ulm</City></Stop><Stop xsi:nil="1" reason="r"/><Name/></Message>',
     {"Count": 1, "Place": Nil({"reason": "lost", "since": date(2024, 1, 1)}), "Price": Nil({"currency": "EUR"}),
      "Stop": [{"City": "Ulm"}, Nil({"reason": "r"})], "Name": ""},
     '<Message><Count>1</Count><Place xsi:nil="true" reason="lost" since="2024-01-01"/><Price xsi:nil="true" currency="EUR"/>'
     '<Stop><City>Ulm</City></Stop><Stop xsi:nil="true" reason="r"/><Name/></Message>'),
    ("a payload may be nil", "nillable", '<Message xsi:nil="true"/>', NIL),
    ("a type that holds itself", "recursion",
     "<Message><Root><Label>a</Label><Node><Label>b</Label><Node><Label>c</Label></Node></Node><Node><Label>d</Label></Node></Root>"
     "<Message><Root><Label>e</Label></Root></Message></Message>",
     {"Root": {"Label": "a", "Node": [{"Label": "b", "Node": [{"Label": "c"}]}, {"Label": "d"}]}, "Message": {"Root": {"Label": "e"}}}),
    ("types that hold each other", "mutual-recursion",
     "<Message><Name>/</Name><Entry><File>a</File></Entry><Entry><Folder><Name>b</Name><Entry><File>c</File></Entry></Folder></Entry></Message>",
     {"Name": "/", "Entry": [{"File": "a"}, {"Folder": {"Name": "b", "Entry": [{"File": "c"}]}}]}),
    ("types without a name", "anonymous-types",
     "<Message><Sender><Address><City>Ulm</City></Address></Sender><Receiver><Address><Box>5</Box></Address></Receiver></Message>",
     {"Sender": {"Address": {"City": "Ulm"}}, "Receiver": {"Address": {"Box": 5}}}),
    ("empty types, empty elements and empty texts", "empty",
     "<Message><Nothing/><EmptySequence/><Flag/><AllOptional/><Text/><Words/><Words>w</Words></Message>",
     {"Nothing": {}, "EmptySequence": {}, "Flag": {}, "AllOptional": {}, "Text": "", "Words": ["", "w"]}),
    ("an empty type with an attribute", "empty",
     '<Message><Nothing/><EmptySequence/><Flag on="true"/><AllOptional><A>1</A></AllOptional><Text> </Text></Message>',
     {"Nothing": {}, "EmptySequence": {}, "Flag": {"on": True}, "AllOptional": {"A": 1}, "Text": " "}),
    ("a substitute is an Element that says its name", "substitution-group",
     "<Message><Truck><Wheels>6</Wheels><Load>12</Load></Truck><Comment>c</Comment><Aside>a</Aside><Remark>r</Remark></Message>",
     {"Vehicle": Element("{urn:test:substitution-group}Truck", {"Wheels": 6, "Load": 12}),
      "Comment": ["c", Element("{urn:test:substitution-group}Aside", "a"), Element("{urn:test:substitution-group}Remark", "r")]}),
    ("the head itself is no Element", "substitution-group",
     "<Message><Vehicle><Wheels>4</Wheels></Vehicle></Message>", {"Vehicle": {"Wheels": 4}}),
    ("a head beside one of its substitutes keeps the order as a list", "substitution-group",
     "<Message><Vehicle><Wheels>4</Wheels></Vehicle><Convoy><Truck><Wheels>6</Wheels><Load>1</Load></Truck>"
     "<Truck><Wheels>8</Wheels><Load>2</Load></Truck></Convoy></Message>",
     {"Vehicle": {"Wheels": 4},
      "Convoy": {"content": [("Truck", {"Wheels": 6, "Load": 1}), ("Truck", {"Wheels": 8, "Load": 2})]}}),
    ("an abstract head is always an Element, in a list the name of the item", "abstract-head",
     "<Message><Moved><To>x</To></Moved><Log><Moved><To>y</To></Moved><Pause>PT1H</Pause></Log></Message>",
     {"Event": Element("{urn:test:abstract-head}Moved", {"To": "x"}),
      "Log": {"choice": [("{urn:test:abstract-head}Moved", {"To": "y"}), ("Pause", XsdDuration("PT1H"))]}}),
    ("an element's default stands for emptiness, not for absence", "element-default",
     "<Message><Quantity/><Unit/><Version/><Price/><Price currency=\"EUR\">1.5</Price></Message>",
     {"Quantity": 1, "Unit": "pc", "Version": 3, "Price": [{"value": D("0.00")}, {"value": D("1.5"), "currency": "EUR"}]},
     "<Message><Quantity>1</Quantity><Unit>pc</Unit><Version>3</Version><Price>0.00</Price><Price currency=\"EUR\">1.5</Price></Message>"),
    ("an absent element has no default", "element-default", "<Message><Unit>kg</Unit></Message>", {"Unit": "kg"}),
]  # fmt: skip


@pytest.mark.parametrize("case", [pytest.param(case[1:], id=case[0]) for case in CASES])
def test_construct(case: tuple[object, ...]) -> None:
    name, *rest = case
    Construct(str(name)).prove(*rest)  # type: ignore[arg-type]


def test_xs_all_is_read_in_any_order() -> None:
    construct = Construct("all")
    document = '<Message id="1"><Colour>red</Colour><Name>n</Name></Message>'
    for plain in (True, False):
        value = construct.decode(document, plain=plain)
        assert (value.Name, value.Size, value.Colour, value.id) == ("n", None, "red", 1)


def test_absent_is_none_and_a_repeating_element_always_a_list() -> None:
    for plain in (True, False):
        value = Construct("choice").decode("<Message><Amount>1</Amount><Card>1</Card></Message>", plain=plain)
        assert value.Account is None
        assert value.Cash is None
        assert value.Voucher == []


def test_nil_is_falsy_and_differs_from_none_in_every_list() -> None:
    value = Construct("nillable").decode('<Message><Count xsi:nil="true"/></Message>')
    assert value.Count is NIL
    assert not value.Count
    assert value.Place is None


def test_a_detached_element_keeps_the_prefixes_its_values_use() -> None:
    construct = Construct("any")
    (found,) = construct.decode(
        '<Message xmlns:q="urn:q"><Lax><o:x xmlns:o="urn:o" type="q:name"/></Lax></Message>'
    ).Lax.any
    assert found.getparent() is None
    assert found.nsmap["q"] == "urn:q"
    again = construct.encode({"Lax": {"any": [found]}})
    assert again[0][0].nsmap["q"] == "urn:q"
