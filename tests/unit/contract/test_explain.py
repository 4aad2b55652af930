from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator

import pytest
from lxml import etree

from bridge.contract.example import example
from bridge.contract.explain.violation import LANGUAGES

ORDER = """
<xs:element name="e"><xs:annotation><xs:documentation>An order.</xs:documentation></xs:annotation>
<xs:complexType><xs:sequence>
  <xs:element name="number" type="xs:token"/>
  <xs:element name="ordered" type="xs:date"/>
  <xs:element name="line" maxOccurs="unbounded"><xs:complexType><xs:sequence>
    <xs:element name="item"><xs:simpleType><xs:restriction base="xs:token"><xs:pattern value="[A-Z]{2}-[0-9]{4}"/></xs:restriction></xs:simpleType></xs:element>
    <xs:element name="quantity"><xs:annotation>
        <xs:documentation xml:lang="en">How many are ordered.</xs:documentation>
        <xs:documentation xml:lang="zh">订购数量。</xs:documentation></xs:annotation>
      <xs:simpleType><xs:restriction base="xs:decimal"><xs:fractionDigits value="3"/><xs:minExclusive value="0"/></xs:restriction></xs:simpleType></xs:element>
    <xs:element name="unit" type="unit"/>
    <xs:element name="note" type="xs:string" minOccurs="0"/>
  </xs:sequence><xs:attribute name="no" type="xs:int" use="required"/></xs:complexType></xs:element>
</xs:sequence></xs:complexType></xs:element>
<xs:simpleType name="unit"><xs:annotation><xs:documentation>UN/ECE rec 20</xs:documentation></xs:annotation>
  <xs:restriction base="xs:string"><xs:enumeration value="EA"/><xs:enumeration value="KG"/></xs:restriction></xs:simpleType>
"""

SCHEMAS = {
    "order": ORDER,
    "choice": """<xs:element name="e"><xs:complexType><xs:sequence maxOccurs="4"><xs:element name="id" type="xs:int"/>
        <xs:choice><xs:element name="cash" type="xs:decimal"/><xs:element name="card"><xs:complexType><xs:sequence>
        <xs:element name="digits" type="xs:unsignedLong"/><xs:element name="valid" type="xs:gYearMonth"/></xs:sequence></xs:complexType></xs:element></xs:choice>
        </xs:sequence></xs:complexType></xs:element>""",
    "repeating choice": """<xs:element name="e"><xs:complexType><xs:choice minOccurs="1" maxOccurs="unbounded">
        <xs:element name="text" type="xs:string"/><xs:element name="day" type="xs:date"/>
        <xs:element name="pair"><xs:complexType><xs:sequence><xs:element name="left" type="xs:int"/><xs:element name="right" type="xs:int"/></xs:sequence></xs:complexType></xs:element>
        </xs:choice></xs:complexType></xs:element>""",
    "all": """<xs:element name="e"><xs:complexType><xs:sequence><xs:element name="part" maxOccurs="5"><xs:complexType><xs:all>
        <xs:element name="one" type="xs:int"/><xs:element name="two" type="xs:date" minOccurs="0"/><xs:element name="three" type="xs:boolean"/>
        </xs:all></xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element>""",
    "extension and xsi:type": """<xs:complexType name="party" abstract="true"><xs:sequence><xs:element name="name" type="xs:token"/></xs:sequence><xs:attribute name="id" type="xs:int" use="required"/></xs:complexType>
        <xs:complexType name="person"><xs:complexContent><xs:extension base="party"><xs:sequence><xs:element name="born" type="xs:date"/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>
        <xs:complexType name="firm"><xs:complexContent><xs:extension base="party"><xs:sequence><xs:element name="tax" type="xs:long" maxOccurs="3"/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>
        <xs:element name="e"><xs:complexType><xs:sequence><xs:element name="party" type="party" minOccurs="2" maxOccurs="3"/></xs:sequence></xs:complexType></xs:element>""",
    "substitution": """<xs:element name="shape" abstract="true" type="xs:anyType"/>
        <xs:element name="circle" substitutionGroup="shape"><xs:complexType><xs:sequence><xs:element name="radius" type="xs:double"/></xs:sequence></xs:complexType></xs:element>
        <xs:element name="square" substitutionGroup="shape"><xs:complexType><xs:sequence><xs:element name="side" type="xs:double"/></xs:sequence></xs:complexType></xs:element>
        <xs:element name="e"><xs:complexType><xs:sequence><xs:element ref="shape" maxOccurs="6"/></xs:sequence></xs:complexType></xs:element>""",
    "simple content": """<xs:element name="e"><xs:complexType><xs:sequence><xs:element name="amount" maxOccurs="9"><xs:complexType><xs:simpleContent>
        <xs:extension base="xs:decimal"><xs:attribute name="currency" use="required"><xs:simpleType><xs:restriction base="xs:string"><xs:pattern value="[A-Z]{3}"/></xs:restriction></xs:simpleType></xs:attribute>
        <xs:attribute name="rounded" type="xs:boolean"/></xs:extension></xs:simpleContent></xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element>""",
    "lists and unions": """<xs:simpleType name="days"><xs:list itemType="xs:date"/></xs:simpleType>
        <xs:simpleType name="few"><xs:restriction base="days"><xs:maxLength value="3"/></xs:restriction></xs:simpleType>
        <xs:simpleType name="size"><xs:union memberTypes="xs:int"><xs:simpleType><xs:restriction base="xs:string"><xs:enumeration value="small"/><xs:enumeration value="large"/></xs:restriction></xs:simpleType></xs:union></xs:simpleType>
        <xs:element name="e"><xs:complexType><xs:sequence><xs:element name="box" maxOccurs="5"><xs:complexType><xs:sequence><xs:element name="size" type="size"/><xs:element name="days" type="few"/></xs:sequence></xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element>""",
    "recursion": """<xs:complexType name="node"><xs:sequence><xs:element name="value" type="xs:int"/><xs:element name="child" type="node" minOccurs="0" maxOccurs="2"/></xs:sequence></xs:complexType>
        <xs:element name="e" type="node"/>""",
    "nillable and mixed": """<xs:element name="e"><xs:complexType><xs:sequence><xs:element name="when" type="xs:date" nillable="true" maxOccurs="4"/>
        <xs:element name="story"><xs:complexType mixed="true"><xs:sequence><xs:element name="day" type="xs:date" maxOccurs="3"/></xs:sequence></xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element>""",
    "wildcards": """<xs:element name="known" type="xs:int"/><xs:element name="e"><xs:complexType><xs:sequence><xs:element name="id" type="xs:int"/>
        <xs:any namespace="##other" processContents="lax" minOccurs="1" maxOccurs="2"/><xs:element name="tail"><xs:complexType><xs:sequence><xs:any namespace="##targetNamespace" processContents="strict" maxOccurs="3"/></xs:sequence></xs:complexType></xs:element></xs:sequence><xs:anyAttribute namespace="##other" processContents="skip"/></xs:complexType></xs:element>""",
    "groups with counts": """<xs:element name="e"><xs:complexType><xs:sequence><xs:sequence minOccurs="2" maxOccurs="4"><xs:element name="k" type="xs:int"/><xs:element name="v" type="xs:date" minOccurs="0" maxOccurs="2"/></xs:sequence><xs:element name="end" type="xs:int" minOccurs="2" maxOccurs="3"/></xs:sequence></xs:complexType></xs:element>""",
}
NAMES = sorted(SCHEMAS)
OURS_ALONE = ("dangling-idref", "duplicate-id")

Mutation = Callable[[etree._Element], None]


def faults_of_one_kind_each(rng: random.Random, top: etree._Element) -> Iterator[tuple[int, Mutation]]:
    """(number of the element, what to do to it): bad value, unknown child, missing child, missing attribute."""
    for number, element in enumerate(top.iter("*")):
        if len(element) == 0:
            yield number, lambda e: setattr(e, "text", "§ not a value §")
        else:
            place = rng.randrange(len(element) + 1)
            yield number, lambda e, place=place: e.insert(place, etree.Element("{urn:t}zzzzzzzz"))
            yield number, lambda e, place=place: e.remove(e[min(place, len(e) - 1)])
        for name in element.attrib:
            if "XMLSchema-instance" not in str(name):
                yield number, lambda e, name=name: e.attrib.pop(name)
                yield number, lambda e, name=name: e.set(name, "§ not a value §")


def mutated(top: etree._Element, changes: list[tuple[int, Mutation]]) -> etree._Element:
    copy = etree.fromstring(etree.tostring(top))
    elements = list(copy.iter("*"))
    for number, change in changes:
        change(elements[number])
    return copy


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(6))
def test_n_independent_faults_give_n_reports(schema, name: str, seed: int) -> None:
    one = schema(SCHEMAS[name])
    top = etree.fromstring(example(one.model, "{urn:t}e", seed=seed))
    assert one.admits(top)
    assert one.explain(top) == []
    rng = random.Random(seed)
    single = [fault for fault in faults_of_one_kind_each(rng, top) if not one.admits(mutated(top, [fault]))]
    for fault in single:
        found = one.explain(mutated(top, [fault]))
        assert len(found) == 1, [str(v) for v in found]
    for _ in range(8):
        rng.shuffle(single)
        chosen = independent(top, single, rng.randint(2, 6))
        broken = mutated(top, chosen)
        found = one.explain(broken)
        assert len(found) == len(chosen), (etree.tostring(broken), [str(v) for v in found])


def independent(
    top: etree._Element, faults: list[tuple[int, Mutation]], most: int
) -> list[tuple[int, Mutation]]:
    """Faults that cannot hide one another: no two at an element and its parent, grandparent or sibling of one kind."""
    elements = list(top.iter("*"))
    chosen: list[tuple[int, Mutation]] = []
    for number, fault in faults:
        element = elements[number]
        near = {element, *element.iterancestors(), *element.iterdescendants()}
        if all(elements[other] not in near for other, _ in chosen):
            chosen.append((number, fault))
        if len(chosen) == most:
            break
    return chosen


def test_planted_faults_are_reported_at_their_paths(schema, doc) -> None:
    one = schema(ORDER)
    line = '<line no="{0}"><item>AB-0001</item><quantity>{0}</quantity><unit>EA</unit></line>'
    lines = [line.format(n) for n in range(1, 9)]
    lines[0] = lines[0].replace("<quantity>1", "<quantity>0")
    lines[1] = lines[1].replace("EA", "XX")
    lines[2] = lines[2].replace("<quantity>3</quantity>", "")
    lines[3] = lines[3].replace(' no="4"', "")
    lines[4] = lines[4].replace("<unit>", "<colour>red</colour><unit>")
    lines[5] = lines[5].replace("item", "itme")
    lines[6] = lines[6].replace("<unit>EA</unit>", "").replace("<item>", "<unit>EA</unit><item>")
    lines[7] = lines[7].replace("<unit>", '<unit xmlns="">')
    found = one.said(f"<e><number>1</number><ordered>2024-01-32</ordered>{''.join(lines)}</e>")
    assert found == [
        ("type", "/e/ordered"),
        ("min-exclusive", "/e/line[1]/quantity"),
        ("enumeration", "/e/line[2]/unit"),
        ("missing-element", "/e/line[3]/quantity"),
        ("missing-attribute", "/e/line[4]/@no"),
        ("unexpected-element", "/e/line[5]/colour"),
        ("misspelt-element", "/e/line[6]/itme"),
        ("misplaced-element", "/e/line[7]/unit"),
        ("wrong-namespace", "/e/line[8]/unit"),
    ]


def random_change(rng: random.Random, top: etree._Element) -> None:
    """Anything that may happen to a message: most of it breaks the contract, some does not."""
    elements = list(top.iter("*"))
    element = rng.choice(elements)
    parent = element.getparent()
    what = rng.randrange(13)
    if what == 0 and parent is not None:
        parent.remove(element)
    elif what == 1 and parent is not None:
        parent.insert(
            rng.randrange(len(parent) + 1), etree.fromstring(etree.tostring(element, with_tail=False))
        )
    elif what == 2 and parent is not None:
        parent.insert(rng.randrange(len(parent) + 1), element)
    elif what == 3:
        element.tag = rng.choice(["{urn:t}other", "{urn:u}foreign", "bare", rng.choice(elements).tag])
    elif what == 4:
        element.text = rng.choice(
            ["", " ", "x", "1", "2024-01-31", " 7 ", "-1", "99999999999999999999", "true"]
        )
    elif what == 5:
        element.insert(
            rng.randrange(len(element) + 1),
            etree.Element(rng.choice(["{urn:t}id", "{urn:x}new", "{urn:t}known"])),
        )
    elif what == 6:
        element.set(rng.choice(["no", "id", "zzz", "{urn:x}y", "currency"]), rng.choice(["1", "x", ""]))
    elif what == 7 and element.attrib:
        del element.attrib[rng.choice(list(element.attrib))]
    elif what == 8:
        element.set(
            "{http://www.w3.org/2001/XMLSchema-instance}nil", rng.choice(["true", "false", "0", "maybe"])
        )
    elif what == 9:
        element.set(
            "{http://www.w3.org/2001/XMLSchema-instance}type",
            rng.choice(["q:firm", "q:person", "q:node", "q:none", "x:y"]),
        )
    elif what == 10 and parent is not None:
        element.tail = "stray"
    elif what == 11:
        element.append(etree.Comment("harmless"))
    elif len(element) > 1:
        element.append(element[0])


@pytest.mark.parametrize("name", NAMES)
def test_the_walk_finds_something_exactly_when_libxml2_refuses(schema, name: str) -> None:
    one = schema(SCHEMAS[name])
    rng = random.Random(name)
    refused = 0
    for seed in range(120):
        text = example(one.model, "{urn:t}e", seed=seed % 7)
        top = etree.fromstring(text.replace(" ", ' xmlns:q="urn:t" ', 1))
        for _ in range(rng.randint(1, 3)):
            random_change(rng, top)
        top.tag = "{urn:t}e"
        top = etree.fromstring(etree.tostring(top, with_tail=False))
        found = [v for v in one.explain(top) if v.kind not in OURS_ALONE]
        assert bool(found) is not one.admits(top), (etree.tostring(top), [str(v) for v in found])
        refused += bool(found)
    assert refused > 30


def test_every_violation_speaks_both_languages_and_quotes_the_contract(schema, doc) -> None:
    one = schema(ORDER)
    found = one.explain(
        doc(
            '<e><number>1</number><ordered>x</ordered><line no="1"><item>AB-0001</item><quantity>0</quantity><unit>T</unit></line></e>'
        )
    )
    assert [v.path for v in found] == ["/e/ordered", "/e/line/quantity", "/e/line/unit"]
    for violation in found:
        assert set(violation.messages) == set(LANGUAGES)
        assert all(violation.messages.values())
    quantity, unit = found[1:]
    assert quantity.messages["en"] == "quantity is 0; it must be more than 0."
    assert quantity.messages["zh"] == "quantity 的值为 0，必须大于 0。"
    assert [(words.language, words.text) for words in quantity.documentation] == [
        ("en", "How many are ordered."),
        ("zh", "订购数量。"),
    ]
    assert quantity.found == "0"
    assert quantity.expected == "a decimal number, more than 0, at most 3 digits after the point"
    # the type's words where the element has none
    assert [words.text for words in unit.documentation] == ["UN/ECE rec 20"]
    assert unit.messages["en"] == "“T” is not a value of unit. Use one of EA, KG."


def test_offsets_and_lines_are_those_of_the_start_tag_in_the_source(schema) -> None:
    one = schema(ORDER)
    source = (
        '<s:Envelope xmlns:s="urn:s">\n<!-- 订单 --><s:Body>'
        '<e xmlns="urn:t"><number>订</number><ordered>x</ordered>\n'
        '<line no="1"><item>AB-0001</item><quantity>1</quantity></line></e></s:Body></s:Envelope>'
    ).encode()
    top = etree.fromstring(source)[1][0]
    ordered, unit = one.explain(top, source, prefix_path="/Envelope/Body")
    assert ordered.path == "/Envelope/Body/e/ordered"
    assert ordered.offset == source.index(b"<ordered>")
    assert ordered.line == 2
    assert unit.path == "/Envelope/Body/e/line/unit"
    assert unit.offset == source.index(b"<line")
    assert unit.line == 3


def test_without_the_source_there_are_paths_but_no_offsets(schema, doc) -> None:
    found = schema(ORDER).explain(doc("<e/>"))
    assert [v.path for v in found] == ["/e/number", "/e/ordered", "/e/line"]
    assert {(v.offset, v.line) for v in found} == {(None, None)}


def test_long_values_are_cut(schema, doc) -> None:
    (found,) = schema('<xs:element name="e" type="xs:int"/>').explain(doc(f"<e>{'x' * 10_000}</e>"))
    assert len(found.found) == 200
    assert len(found.messages["en"]) < 300


def test_of_many_enumerated_values_the_first_are_listed(schema, doc) -> None:
    values = "".join(f'<xs:enumeration value="v{n}"/>' for n in range(300))
    body = f'<xs:element name="e"><xs:simpleType><xs:restriction base="xs:string">{values}</xs:restriction></xs:simpleType></xs:element>'
    (found,) = schema(body).explain(doc("<e>x</e>"))
    assert found.messages["en"].endswith("v18, v19 and 280 more.")


@pytest.mark.parametrize("broken", ["<line/>", '<line no="1"><item>x</item></line>', "<zzz/>", "text"])
def test_a_hundred_violations_are_enough_and_the_time_stays_short(schema, doc, broken: str) -> None:
    one = schema(ORDER)
    top = doc(f"<e><number>1</number><ordered>2024-01-31</ordered>{broken * 100_000}</e>")
    start = time.process_time()
    found, truncated = one.explainer.explain(one.model.element("{urn:t}e"), top)
    assert time.process_time() - start < 10
    assert len(found) <= 100
    if broken.startswith("<"):
        assert truncated or broken == "<zzz/>"
        assert len(found) > 90


def test_the_limit_is_the_callers(schema, doc) -> None:
    one = schema(ORDER)
    found, truncated = one.explainer.explain(one.model.element("{urn:t}e"), doc("<e/>"), limit=2)
    assert (len(found), truncated) == (2, True)
    found, truncated = one.explainer.explain(one.model.element("{urn:t}e"), doc("<e/>"), limit=3)
    assert (len(found), truncated) == (3, False)
